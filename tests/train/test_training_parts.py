"""The parts of a training, each by itself."""

from __future__ import annotations

import math
from itertools import islice

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import parameters
from tests.train.sets import recipe
from vcam.assets import asset
from vcam.datasets.store import Entry
from vcam.errors import InputError, UsageError
from vcam.measure.metrics import miou
from vcam.train.curves import write_csv, write_curves
from vcam.train.fed import Fed
from vcam.train.losses import cross_entropy
from vcam.train.nets.registry import ARCHITECTURES, architecture
from vcam.train.recipe import read_recipe, write_recipe
from vcam.train.runs import values_of
from vcam.train.samples import Samples
from vcam.train.schedule import Average, Progress, cosine, encoder_parts, freeze, warm
from vcam.train.scoring import Scores, baseline, mean_mask
from vcam.train.start import begin_with, tempered
from vcam.train.stream import Endless
from vcam.train.worst import EXTRA, MISSED, sheet


def test_a_recipe_is_the_same_after_it_was_written_and_read(tmp_path):
    made = recipe(tmp_path, options={"norm": True, "width": 0.5, "act": "relu"}, losses={"dice": 0.5}, made={"a": "b"})
    write_recipe(tmp_path / "recipe.toml", made)
    assert read_recipe(tmp_path / "recipe.toml") == made


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_can_be_trained_at_its_own_size_and_at_what_it_can_halve(name, tmp_path):
    kind = architecture(name)
    recipe(tmp_path, network=name, options={}, size=kind.size).checked()
    size = (5 * kind.halved, 3 * kind.halved)
    recipe(tmp_path, network=name, size=size).checked()
    with torch.no_grad():
        found = kind.build(norm=True, size=size).eval()(torch.zeros(1, kind.channels, size[1], size[0]))
    assert found.shape[2:] == size[::-1]
    with pytest.raises(UsageError, match=f"{name} cannot be trained at") as caught:
        recipe(tmp_path, network=name, size=(size[0] + kind.halved // 2, size[1])).checked()
    assert f"multiples of {kind.halved} " in caught.value.hint


@pytest.mark.parametrize("text", ["network = ", "network = 'selfie'\n", "colour = 1\n", "\0", "epochs = 'many'"])
def test_what_is_no_recipe_is_refused(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(InputError, match="is no recipe"):
        read_recipe(path)
    with pytest.raises(UsageError, match="there is no recipe"):
        read_recipe(tmp_path / "nothing.toml")
    with pytest.raises(InputError, match="is a folder"):
        read_recipe(tmp_path)


def test_the_rate_rises_and_falls():
    assert [round(cosine(done), 3) for done in (0, 0.015, 0.03, 0.515, 1)] == [0.01, 0.5, 1.0, 0.505, 0.01]
    assert [warm(done) for done in (0, 0.015, 0.5, 1)] == [0.01, 0.5, 1.0, 1.0]


def test_on_a_plateau_the_rate_is_divided_by_three_each_time():
    progress = Progress()
    assert progress.note(0.5, 1, 10)
    assert not progress.note(0.5, 10, 10)
    assert progress.factor == 1
    assert not progress.note(0.4, 11, 10)
    assert progress.factor == pytest.approx(1 / 3)
    assert not progress.note(0.4, 20, 10)
    assert progress.factor == pytest.approx(1 / 3)
    progress.note(0.4, 21, 10)
    assert progress.factor == pytest.approx(1 / 9)
    assert progress.note(0.6, 22, 10)
    assert (progress.best, progress.best_epoch) == (0.6, 22)
    assert Progress(**progress.state()) == progress


def test_the_mean_of_weights_follows_them_with_numbers_that_are_counted():
    net = torch.nn.BatchNorm2d(1)
    average = Average(net, 0.9)
    with torch.no_grad():
        net.weight.fill_(3.0)
    net.num_batches_tracked += 7
    average.update()
    # min(0.9, 2 / 11) of 1 and the rest of 3
    assert float(average.state["weight"]) == pytest.approx(1 * 2 / 11 + 3 * 9 / 11)
    assert int(average.state["num_batches_tracked"]) == 7


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_frozen_encoder_stays_as_it_is_and_the_rest_learns(name):
    net = architecture(name).build(norm=True)
    parts = encoder_parts(net)
    frozen = {id(each) for part in parts for each in part.parameters()}
    assert sum(each.numel() for part in parts for each in part.parameters()) > 0.1 * parameters(net)
    freeze(net, True)
    assert all(each.requires_grad == (id(each) not in frozen) for each in net.parameters())
    assert not any(part.training for part in parts)
    freeze(net, False)
    assert all(each.requires_grad for each in net.parameters())
    assert all(each.training for each in net.modules())
    freeze(net, False, settled=True)
    norms = [each for each in net.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(each.training for each in norms)
    assert all(each.requires_grad for each in net.parameters())


def test_scores_are_those_of_vcam_eval():
    chance = np.random.default_rng(0)
    truth = (chance.random((5, 1, 8, 8)) > 0.6).astype(np.float32)
    found = chance.random((5, 1, 8, 8)) > 0.5
    truth[0], found[0] = 0, False
    truth[1], found[1] = 1, True
    scores = Scores()
    scores.add(torch.arange(5) + 10, torch.from_numpy(found), torch.from_numpy(truth), torch.zeros(5))
    for number in range(5):
        mine, true = (np.uint8(255) * each[number, 0].astype(np.uint8) for each in (found, truth))
        assert scores.mean[number + 10] == pytest.approx(miou(mine, true))
    assert scores.miou == pytest.approx(np.mean(list(scores.mean.values())))
    assert scores.worst(2) == sorted(scores.mean, key=lambda place: scores.mean[place])[:2]


def test_the_baseline_is_the_mean_of_all_masks():
    mattes = torch.zeros(3, 1, 2, 2)
    mattes[:2, :, 0] = 1
    mean = mean_mask([mattes[:1], mattes[1:]])
    assert torch.equal(mean[0, 0], torch.tensor([[2 / 3, 2 / 3], [0.0, 0.0]]))
    scores = baseline(mean, [{"index": torch.arange(3), "matte": mattes}])
    assert scores.person == {0: 1.0, 1: 1.0, 2: 0.0}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_network_is_given_what_its_architecture_wants(name):
    kind = architecture(name)
    net = kind.build(norm=False)
    picture = torch.rand(1, 3, 4, 4)
    given = Fed(net, kind).given(picture, torch.full((1, 1, 4, 4), 0.5))
    values = picture[0].permute(1, 2, 0).numpy() * 255
    values = values[..., ::-1] if kind.order == "BGR" else values
    expected = (values - np.float32(kind.mean)) / np.float32(kind.scale)
    assert np.allclose(given[0, :3].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    assert given.shape[1] == kind.channels
    if kind.channels == 4:
        assert (given[:, 3] == 0.5).all()
    low, high = values_of(kind)
    ends = [Fed(net, kind).given(torch.full((1, 3, 1, 1), value))[0, 0] for value in (0.0, 1.0)]
    assert [float(each) for each in ends] == pytest.approx([low, high], abs=1e-5)


def test_every_epoch_has_every_picture_once_and_goes_on_from_any_batch():
    def taken(count, **given):
        start = given.pop("start", (0, 0))
        return list(islice(Endless(10, 3, 5, **{"rank": 0, "world": 1, **given}, start=start), count))

    whole = taken(18)
    assert [epoch for epoch, _, _ in whole] == [0] * 9 + [1] * 9
    for epoch in (0, 1):
        places = [place for number, place, _ in whole if number == epoch]
        assert len(set(places)) == 9
    assert [each.entry for each in whole[:9]] != [each.entry for each in whole[9:]]
    # all of a batch, and as it is when the batch is begun
    some = taken(12, small=lambda epoch, batch: (epoch, batch) < (0, 2))
    assert [each.small for each in some] == [True] * 6 + [False] * 6
    assert [each[:2] for each in some] == [each[:2] for each in whole[:12]]
    assert taken(12, start=(0, 2)) == whole[6:18]
    # what two processes take are the halves of what one takes of batches that are twice as large
    one, two = (taken(3, rank=rank, world=2) for rank in (0, 1))
    assert [each for pair in zip(one, two, strict=True) for each in pair] == whole[:6]
    # fewer pictures than a batch
    assert Endless(2, 3, 5, rank=0, world=1, start=(0, 0)).steps == 1


def test_curves_are_a_table_and_a_picture(tmp_path):
    history = [
        {"epoch": 0.0, "steps": 0, "loss": 0.0, "val_loss": 0.7, "val_iou": 0.2, "val_miou": 0.3},
        {"epoch": 4.0, "steps": 9, "loss": 0.5, "dice": 0.1, "val_loss": 0.4, "val_iou": 0.8, "val_miou": 0.9},
        {"epoch": 8.0, "steps": 18, "loss": math.nan, "dice": 0.1, "val_loss": 0.3, "val_iou": 0.9, "val_miou": 0.95},
    ]
    write_csv(tmp_path / "curves.csv", history)
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0] == "epoch,steps,loss,val_loss,val_iou,val_miou,dice"
    assert lines[1] == "0,0,0,0.7,0.2,0.3,"
    assert lines[2] == "4,9,0.5,0.4,0.8,0.9,0.1"
    for count in (1, 3):
        write_curves(tmp_path / "curves.png", history[:count], 0.6, "selfie 256x256")
        picture = cv2.imread(str(tmp_path / "curves.png"))
        assert picture.shape == (400, 1240, 3)
        # the lines' blue, in both diagrams; BGR
        blue = (np.abs(picture.astype(int) - (180, 119, 31)) < 40).all(2)
        assert blue[50:366, 80:600].any() == (count > 1)
        assert blue[50:366, 680:1220].any()


def test_the_sheet_of_the_worst_shows_what_is_missed_and_what_is_too_much():
    picture = np.full((8, 8, 3), 100, np.uint8)
    true, found = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    true[:, :4], found[:4] = 255, 255
    drawn = sheet([(f"p{number}", 0.5, picture, true, found) for number in range(5)])
    rgb = drawn[..., ::-1].astype(int)
    for colour in (MISSED, EXTRA):
        tint = np.rint(0.4 * 60 + 0.6 * np.array(colour))
        # a quarter of each of five cells
        share = (np.abs(rgb - tint) <= 2).all(2).sum() / (5 * 190 * 190)
        assert share == pytest.approx(0.25, abs=0.02)
    assert sheet([]).size


def test_a_network_that_is_too_sure_is_tempered_and_finds_the_same():
    kind = architecture("selfie")
    net = kind.build(norm=True, size=(64, 64))
    fed = Fed(net, kind).train()
    matte = torch.zeros(4, 1, 64, 64)
    matte[:, :, 20:, 20:44] = 1
    batch = {"picture": (0.2 + 0.5 * matte).expand(4, 3, 64, 64) + 0.1 * torch.rand(4, 3, 64, 64), "matte": matte}
    with torch.no_grad():
        net.segment.weight.mul_(4000)
        net.segment.bias.mul_(4000)
        before = fed.eval()(batch["picture"])
        fed.train()
        by = tempered(fed, batch)
        assert fed.training
        after = fed.eval()(batch["picture"])
    assert by > 1
    assert torch.allclose(after, before / by, rtol=1e-3, atol=1e-4)
    with torch.no_grad():
        assert float(cross_entropy(after, matte)) < float(cross_entropy(before, matte))


@pytest.mark.parametrize("name", ["mobile-unet", "mobile-unet-v3", "portrait-net-video"])
def test_an_encoder_takes_the_weights_of_another_network(name, tmp_path):
    kind = architecture(name)
    other = kind.build(norm=True)
    torch.save(other.state_dict(), tmp_path / "whole.pt")
    torch.save(other.encoder.state_dict(), tmp_path / "encoder.pt")
    net = kind.build(norm=True)
    made = recipe(tmp_path, network=name, encoder=str(tmp_path / "encoder.pt"), encoder_input="same")
    begin_with(made, net, Samples([Entry("a", asset("astronaut.png"), asset("astronaut.png"), "train", "", "", "", 0)],
               (64, 64), augment=False, backdrops=[], prior=True, texture=False, seed=0))  # fmt: skip
    first = dict(other.encoder.named_parameters())
    weights = {part: each for part, each in net.encoder.named_parameters() if part.endswith("conv.weight")}
    assert weights
    assert all(torch.equal(each, first[part]) for part, each in weights.items())
