"""What the network is given and gives, on any picture; and what is drawn for it to learn from."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.train.harmony.disturb import by_arguments, disturbed, taken_otherwise, to_colours, to_planes
from vcam.train.harmony.loss import judged, loss, squares
from vcam.train.harmony.net import SIDE, Harmoniser
from vcam.train.harmony.shapes import blob, bust, moved, region


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Harmoniser().eval()


def test_it_is_small(net):
    assert 50_000 < sum(each.numel() for each in net.parameters()) < 700_000


@pytest.mark.parametrize("matte", [0.0, 0.5, 1.0], ids=["nobody", "all half", "nothing but a person"])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_whatever_it_sees_it_answers_with_arguments(net, matte, level):
    picture = torch.full((2, 4, SIDE, SIDE), level)
    picture[:, 3] = matte
    found = net(picture)
    assert found.shape == (2, 8)
    assert torch.isfinite(found).all()
    assert found.abs().max() <= 1


def test_an_untrained_one_leaves_nearly_alone(net):
    chance = torch.Generator().manual_seed(1)
    assert net(torch.rand(4, 4, SIDE, SIDE, generator=chance)).abs().max() < 0.2


def test_it_trains_on_pictures_without_a_person():
    net = Harmoniser(8).train()
    picture = torch.rand(4, 4, SIDE, SIDE)
    picture[0, 3], picture[1, 3] = 0, 1
    batch = {"picture": picture, "true": picture[:, :3] * 255, "changed": torch.zeros(4, dtype=torch.bool)}
    loss(net(picture), batch).backward()
    assert all(torch.isfinite(each.grad).all() for each in net.parameters())


def test_errors_count_where_the_person_is_in_levels_of_colours():
    true = torch.full((1, 3, 4, 4), 120.0)
    matte = torch.zeros(1, 1, 4, 4)
    matte[..., :2] = 1
    off = true.clone()
    off[:, 0, :, :2] += 219 / 255
    off[:, :, :, 2:] = 0
    # one level of grey in R, G and B alike
    torch.testing.assert_close(squares(off, true, matte), torch.ones(1), atol=1e-3, rtol=0)
    assert squares(off, true, torch.zeros_like(matte)) == 0


def test_judging_tells_gain_harm_and_change():
    class Still(torch.nn.Module):
        def forward(self, picture):
            return torch.zeros(len(picture), 8)

    picture = torch.full((2, 4, 8, 8), 0.5)
    picture[:, 3] = 1
    true = picture[:, :3] * 255
    shown = picture.clone()
    shown[0, 0] += 0.1
    batch = {"picture": shown, "true": true, "changed": torch.tensor([True, False])}
    found = judged(Still(), [batch], torch.device("cpu"))
    assert (found.gain, found.worse, found.change) == (pytest.approx(0, abs=1e-4), 0, pytest.approx(0, abs=1e-2))


@pytest.mark.parametrize("seed", range(20))
def test_disturbed_samples_are_legal_and_another_light(seed):
    chance = np.random.default_rng(seed)
    planes = to_planes(chance.random((16, 16, 3)).astype(np.float32))
    for out in (disturbed(planes, chance), by_arguments(planes, chance, 2.0)):
        assert out.shape == planes.shape
        assert np.isfinite(out).all()
        assert out.min() >= 16
        assert out[0].max() <= 235
        assert out[1:].max() <= 240
    assert np.isfinite(taken_otherwise(np.zeros((4, 4, 3), np.float32), chance)).all()


def test_planes_and_colours_go_both_ways():
    colours = np.random.default_rng(4).random((8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(to_colours(to_planes(colours)), colours, atol=2e-3)


@pytest.mark.parametrize("seed", range(30))
def test_regions_are_neither_nothing_nor_all(seed):
    chance = np.random.default_rng(seed)
    person = np.zeros((48, 64), np.uint8)
    person[20:, 20:40] = 255
    for matte in (region(chance, SIDE, []), region(chance, SIDE, [person])):
        assert matte.shape == (SIDE, SIDE)
        assert matte.dtype == np.uint8
        assert 0.02 < matte.mean() / 255 < 0.9
    assert blob(chance, 32).shape == bust(chance, 32).shape == moved(chance, person, 32).shape == (32, 32)


def test_a_bust_that_ended_at_the_lower_edge_still_does():
    person = np.zeros((40, 40), np.uint8)
    person[15:, 8:32] = 255
    for seed in range(20):
        found = moved(np.random.default_rng(seed), person, 64)
        assert found[-1].max() > 100 or found.max() == 0
