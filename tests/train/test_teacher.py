from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.segment.helpers import portraits
from vcam.errors import EngineError, ModelError, UsageError
from vcam.train import teacher as module
from vcam.train.teacher import Blended, Teacher, softened


class Scripted:
    """A network that takes the red of a picture for the person."""

    def __init__(self, card, choices, *, threads) -> None:
        self.shown, self.resets, self.closed, self.fails = [], 0, 0, False
        self.description = "scripted"

    def find(self, picture: np.ndarray) -> np.ndarray:
        if self.fails:
            raise EngineError("the engine gave up", "try another")
        self.shown.append(picture)
        return picture[..., 0].astype(np.float32) / 255

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def teacher(monkeypatch):
    monkeypatch.setattr(module, "PersonNetwork", Scripted)
    with Teacher("selfie-general") as found:
        yield found


def pictures(*reds: float, side: int = 32) -> torch.Tensor:
    picture = torch.zeros(len(reds), 3, side, side)
    picture[:, 0] = torch.tensor(reds)[:, None, None]
    return picture


def test_pictures_become_probabilities_of_their_size(teacher):
    found = teacher.probability(pictures(0.2, 0.8))
    assert found.dtype == torch.float32
    assert tuple(found.shape) == (2, 1, 32, 32)
    assert found[0].mean().item() == pytest.approx(0.2, abs=0.002)
    assert found[1].mean().item() == pytest.approx(0.8, abs=0.002)
    assert [each.shape for each in teacher._network.shown] == [(256, 256, 3)] * 2
    assert teacher._network.shown[0].dtype == np.uint8


def test_what_was_seen_before_is_not_looked_at_again(teacher):
    once = teacher.probability(pictures(0.2, 0.8))
    again = teacher.probability(pictures(0.8, 0.2, 0.5))
    assert torch.equal(again[:2], once.flip(0))
    assert len(teacher._network.shown) == 3


def test_what_is_kept_is_bounded(teacher, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2 * 32 * 32)
    teacher.probability(pictures(0.1, 0.2, 0.3))
    teacher.probability(pictures(0.3, 0.2))
    assert len(teacher._network.shown) == 3
    teacher.probability(pictures(0.1))
    assert len(teacher._network.shown) == 4


def test_a_network_that_remembers_sees_each_picture_as_the_first(teacher):
    teacher.probability(pictures(0.1))
    assert teacher._network.resets == 0
    teacher._remembers = True
    teacher.probability(pictures(0.2, 0.3))
    assert teacher._network.resets == 2


def test_colours_are_in_the_networks_order(teacher):
    teacher._rgb = False
    assert teacher.probability(pictures(0.9)).max() == 0


def test_a_teacher_that_fails_is_one_sentence(teacher):
    teacher._network.fails = True
    with pytest.raises(ModelError, match="the teacher selfie-general failed: the engine gave up") as caught:
        teacher.probability(pictures(0.4))
    assert caught.value.hint == "try another"


def test_a_network_that_cannot_start_is_one_as_well(monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise EngineError("no engine runs it")

    monkeypatch.setattr(module, "PersonNetwork", broken)
    with pytest.raises(ModelError, match="the teacher selfie-general failed: no engine runs it") as caught:
        Teacher("selfie-general")
    assert "--teacher" in caught.value.hint


def test_a_name_that_is_none():
    with pytest.raises(UsageError, match="nobody"):
        Teacher("nobody")


def test_a_closed_teacher_says_so(teacher):
    network = teacher._network
    teacher.close()
    teacher.close()
    assert network.closed == 1
    with pytest.raises(UsageError, match="is closed"):
        teacher.probability(pictures(0.4))


def test_blended_is_seven_tenths_of_the_teacher():
    class Says:
        def __init__(self, value: float, side: int = 4) -> None:
            self._answer = torch.full((1, 1, side, side), value)

        def probability(self, picture: torch.Tensor) -> torch.Tensor:
            return self._answer

    # logit 0.5 stays; so 0.7 * 1 + 0.3 * 0.5
    assert Blended(Says(1), Says(0.5, 2)).probability(pictures(0)).unique().item() == pytest.approx(0.85)
    assert Blended(Says(1), Says(0.9), share=0).probability(pictures(0)).mean().item() == pytest.approx(
        softened(torch.tensor(0.9)).item()
    )


def test_blended_closes_what_can_be_closed(teacher):
    network = teacher._network
    Blended(teacher, object()).close()
    assert network.closed == 1


def test_softened_divides_the_logit():
    # log(9) / 10
    assert softened(torch.tensor(0.9)).item() == pytest.approx(1 / (1 + 9**-0.1))
    # also of what is all sure
    assert softened(torch.tensor(1.0)).item() == pytest.approx(0.7152, abs=1e-3)


@pytest.mark.engine
@pytest.mark.parametrize("name", ["selfie-general", "selfie-landscape"])
def test_vcams_own_networks_find_people(shared, name):
    picture, truth = portraits(shared, 2)[1]
    with Teacher(name) as teacher:
        values = torch.from_numpy(picture[..., ::-1].copy()).permute(2, 0, 1)[None].float() / 255
        found = teacher.probability(values)[0, 0].numpy() > 0.5
    assert (found & truth).sum() / (found | truth).sum() > 0.9
