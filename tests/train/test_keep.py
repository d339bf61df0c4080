"""What a training holds on to of the weights that it began with."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'vcam[train]'")

from tests.train.sets import make_set, recipe
from vcam.train import runs
from vcam.train.runs import read_state
from vcam.train.session import Session
from vcam.train.start import AsItBegan

pytestmark = pytest.mark.long


def train(folder, made):
    return Session(made, folder).run()


@pytest.fixture
def data(tmp_path):
    return make_set(tmp_path / "data")


def test_what_a_network_said_before_is_softened_once(tmp_path):
    made = recipe(tmp_path, network="selfie")
    net = made.kind.build(norm=True, size=(64, 64)).eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        logit = net(picture)
    # by ten in all, whatever it was divided by to begin with
    for divided, rest in ((1.0, 10.0), (4.0, 2.5), (10.0, 1.0), (30.0, 1.0)):
        found = AsItBegan(net, made.kind, divided).probability(picture)
        assert torch.allclose(found, (logit / rest).sigmoid(), atol=1e-6)


def test_of_a_batch_the_last_ones_learn_what_the_network_said_before(tmp_path):
    made = recipe(tmp_path, network="selfie")
    net = made.kind.build(norm=True, size=(64, 64))
    origin = AsItBegan(net, made.kind, 4.0)
    picture, matte = torch.rand(4, 3, 64, 64), torch.rand(4, 1, 64, 64).round()
    with torch.no_grad():
        said = net.eval()(picture).sigmoid()
        # it stays as it was, whatever becomes of the network
        for each in net.parameters():
            each.zero_()
    for keep, count in ((0.0, 0), (0.1, 0), (0.5, 2), (0.75, 3), (1.0, 4)):
        found = origin.in_place_of(matte, picture, None, keep)
        assert torch.equal(found[: 4 - count], matte[: 4 - count])
        assert torch.allclose(found[4 - count :], said[4 - count :], atol=1e-6)
    four = made.kind.build(norm=True, size=(64, 64), channels=4)
    prior = torch.rand(4, 1, 64, 64)
    said = AsItBegan(four, made.kind, 1.0).in_place_of(matte, picture, prior, 1.0)
    assert torch.allclose(said, four.eval()(torch.cat([picture, prior], 1)).sigmoid(), atol=1e-6)


def test_what_is_kept_is_the_mean_of_what_was_and_what_was_learnt(tmp_path, data):
    train(tmp_path / "first", recipe(data, network="selfie", epochs=4, rate=0.01, average=0.5))
    start = tmp_path / "first" / runs.BEST
    began = read_state(start)["model"]
    made = recipe(data, network="selfie", epochs=2, rate=1e-3, average=0.0, start=str(start), keep=0.25)
    session = Session(made, tmp_path / "second")
    outcome = session.run()
    state = read_state(tmp_path / "second" / runs.LAST)
    assert state["steps"] == 4
    now, before = state["average"], state["origin"]["model"]
    # its last layer may be tempered, which changes no mask
    learnt = [name for name, each in before.items() if each.is_floating_point()]
    assert all(torch.allclose(before[name], began[name]) for name in learnt if "segment" not in name)
    assert not torch.allclose(now["stem.conv.weight"], before["stem.conv.weight"], atol=1e-4)
    mean = {name: 0.25 * before[name] + 0.75 * each for name, each in now.items() if each.is_floating_point()}
    kept = session.training.origin.mean_with(now, 0.25)
    assert kept.keys() == now.keys()
    assert all(torch.allclose(kept[name], each, atol=1e-6) for name, each in mean.items())
    assert outcome.last == (session.training.scored(kept).iou, session.training.scored(kept).miou)
    # all of it stays
    made = recipe(data, network="selfie", epochs=2, rate=0.1, start=str(start), keep=1.0)
    outcome = train(tmp_path / "third", made)
    assert outcome.last == outcome.start


def test_of_a_start_that_knows_little_it_is_told_that_it_stays(tmp_path, data):
    train(tmp_path / "first", recipe(data, network="selfie", epochs=1, rate=1e-8))
    notes = []
    made = recipe(data, network="selfie", epochs=1, start=str(tmp_path / "first" / runs.BEST))
    for keep in (0.5, 0.0):
        Session(
            recipe(data, network="selfie", epochs=1, start=made.start, keep=keep), tmp_path / f"keep{keep}",
            tell=lambda kind, figures: notes.append(figures["words"]) if kind == "note" else None,
        ).run()  # fmt: skip
    assert len(notes) == 1
    assert "--keep 0" in notes[0]
