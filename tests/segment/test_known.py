"""Engines on trial with pictures whose answer is known."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from tests.infer.helpers import Clock, ScriptedEngine, choice
from tests.segment.helpers import unchecked
from vcam.errors import EngineError
from vcam.frames import Frame
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.runner import asking
from vcam.models.cards import KnownCard
from vcam.models.find import find_model
from vcam.segment.answers import answers_of, write_answers
from vcam.segment.known import PERSON, PICTURES, KnownPictures, grid, picture
from vcam.segment.repeats import RepeatCheck
from vcam.segment.segmenter import EXAMINED_EVERY, NetworkSegmenter
from vcam.settings import SegmentSettings

SIZE = (640, 480)
CARD = find_model("selfie-general", SIZE)
OWN = msgspec.structs.replace(CARD, known=KnownCard())


class Truthful:
    """Gives what the card says; `lies` in place of it once they are there. No network, so it is fast."""

    name, device = "truthful", "CPU"

    def __init__(self, card=CARD):
        self._pictures = {
            picture(name, card).tobytes(): np.kron(
                np.array(getattr(CARD.known, name), np.float32) / 100, np.ones((64, 64), np.float32)
            )
            for name in PICTURES
        }
        self.lies, self.asked, self.closed = None, 0, 0

    def infer(self, shown):
        self.asked += 1
        known = self._pictures.get(shown.tobytes())
        if known is not None and self.lies is not None:
            known = self.lies
        return [(np.zeros((256, 256), np.float32) if known is None else known)[np.newaxis]]

    def reset(self):
        pass

    def close(self):
        self.closed += 1


@pytest.mark.engine
@pytest.mark.parametrize("name", ["selfie-general", "selfie-landscape"])
def test_the_cards_of_vcam_say_what_their_networks_find(name):
    card = find_model(name, SIZE)
    assert {name: [list(row) for row in getattr(card.known, name)] for name in PICTURES} == answers_of(card)
    # somebody, on the left, not everywhere
    person = np.array(card.known.person)
    assert person[:, :2].sum() > 3 * person[:, 2:].sum()
    assert not np.any([card.known.black, card.known.room])


@pytest.mark.engine
def test_the_trial_costs_three_inferences_and_the_first_map_after_it_is_that_of_its_picture():
    engine, asked = OnnxRuntimeEngine(CARD.network()), []
    ask = asking(engine)
    KnownPictures(CARD).all(lambda *pictures: asked.append(1) or ask(*pictures))
    assert len(asked) == 3


@pytest.mark.engine
def test_answers_are_written_into_a_card_and_can_be_written_anew(tmp_path):
    for name in ("selfie-general.toml", "selfie-general.onnx"):
        (tmp_path / name).write_bytes(CARD.path.with_name(name).read_bytes())
    path = tmp_path / "selfie-general.toml"
    wanted = path.read_text()
    write_answers(msgspec.structs.replace(CARD, path=path))
    assert path.read_text() == wanted
    path.write_text(wanted[: wanted.index("[known]")] + "[known]\ntolerance = 20\n")
    write_answers(msgspec.structs.replace(CARD, path=path))
    assert find_model(str(path), SIZE).known == msgspec.structs.replace(CARD.known, tolerance=20)


@pytest.mark.parametrize("card", [CARD, OWN], ids=["answers in the card", "by sense"])
@pytest.mark.parametrize(
    "lie",
    [np.zeros((256, 256), np.float32), np.ones((256, 256), np.float32), np.full((256, 256), 0.6, np.float32)],
    ids=["nobody", "everybody", "a constant"],
)
def test_an_engine_whose_answers_are_wrong_is_passed_over_and_the_reason_told(card, lie, caplog):
    liar, honest = Truthful(), Truthful()
    liar.lies = lie
    segmenter = NetworkSegmenter(SegmentSettings(), SIZE, choices=[choice("a", liar), choice("b", honest)], card=card)
    assert segmenter.segment(Frame.allocate(*SIZE)).probability.max() == 0
    assert (liar.closed, honest.closed) == (1, 0)
    told = [record.message for record in caplog.records]
    assert "a on CPU failed: selfie-general finds" in told[0]
    assert "its answers are wrong" in told[0]
    assert told[1] == "b on CPU takes over"


def test_a_network_that_is_off_by_more_than_the_tolerance_in_one_cell_is_wrong():
    almost = np.kron(np.array(CARD.known.person, np.float32) / 100, np.ones((64, 64), np.float32))
    known = KnownPictures(CARD)

    def ask_with(change):
        changed = almost.copy()
        changed[:64, 192:] += change
        return lambda shown: [(changed if shown.any() and known_person(shown) else np.zeros_like(almost))[np.newaxis]]

    known.all(ask_with(0.08))
    with pytest.raises(EngineError, match="off by 12 %"):
        known.all(ask_with(0.12))


def known_person(shown):
    return np.array_equal(shown, picture(PERSON, CARD))


def test_a_card_may_say_why_its_network_is_not_tried():
    with pytest.raises(EngineError, match=r"finds 0 % person in a picture of a person"):
        NetworkSegmenter(SegmentSettings(), SIZE, choices=[choice("a", ScriptedEngine(0.0))], card=OWN)
    NetworkSegmenter(SegmentSettings(), SIZE, choices=[choice("a", ScriptedEngine(0.0))], card=unchecked())


def lying_later(clock):
    engine = Truthful()
    segmenter = NetworkSegmenter(SegmentSettings(), SIZE, choices=[choice("a", engine)], card=CARD, clock=clock)
    return engine, segmenter


def test_between_two_frames_a_known_picture_is_shown_now_and_then_and_the_map_stays():
    clock = Clock()
    engine, segmenter = lying_later(clock)
    seen = segmenter.segment(Frame.allocate(*SIZE))
    asked = engine.asked
    segmenter.idle()
    assert engine.asked == asked
    for _ in range(3):
        clock.now += EXAMINED_EVERY
        segmenter.idle()
        segmenter.idle()
    assert engine.asked == asked + 3
    assert not seen.probability.any()
    engine.lies = np.ones((256, 256), np.float32)
    clock.now += EXAMINED_EVERY
    segmenter.idle()
    assert engine.closed == 1


def test_after_a_pause_the_engine_must_be_right_before_it_shows_anybody():
    clock = Clock()
    engine, segmenter = lying_later(clock)
    segmenter.reset()
    engine.lies = np.ones((256, 256), np.float32)
    segmenter.segment(Frame.allocate(*SIZE))
    clock.now += EXAMINED_EVERY
    segmenter.reset()
    with pytest.raises(EngineError, match="answers are wrong"):
        segmenter.segment(Frame.allocate(*SIZE))


def test_the_grid_is_the_mean_of_each_cell_in_percent():
    seen = np.zeros((144, 256), np.float32)
    seen[:36, :32] = 1
    assert grid(seen)[0].tolist() == [50, 0, 0, 0]


def test_a_map_that_is_that_of_another_picture_to_the_bit_is_a_repeat():
    check, chance = RepeatCheck(), np.random.default_rng(0)
    soft, other = chance.random((2, 144, 256), np.float32)
    one, two = np.zeros((144, 256, 3), np.uint8), np.full((144, 256, 3), 90, np.uint8)
    assert not check.repeats(one, soft)
    assert check.repeats(two, soft)
    assert not check.repeats(two, soft), "the same picture may give the same map"
    assert not check.repeats(one, other)
    check.forget()
    assert not check.repeats(two, other)


def test_hard_maps_may_be_alike():
    check, hard = RepeatCheck(), np.zeros((144, 256), np.float32)
    hard[:, 90:120] = 1
    check.repeats(np.zeros((144, 256, 3), np.uint8), hard)
    assert not check.repeats(np.full((144, 256, 3), 90, np.uint8), hard)
