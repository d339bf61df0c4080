"""What the network is given and gives, on any picture; and what is drawn for it to learn from."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.train.harmony.disturb import by_arguments, disturbed, taken_otherwise, to_colours, to_planes
from vcam.train.harmony.loss import judged, loss, squares
from vcam.train.harmony.net import FEATURES, SIDE, Harmoniser, features
from vcam.train.harmony.shapes import blob, bust, moved, region


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Harmoniser().eval()


def test_it_is_small(net):
    assert 4_000 < sum(each.numel() for each in net.parameters()) < 700_000


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


def test_features_are_as_many_as_told_and_never_wild():
    picture = torch.rand(3, 4, SIDE, SIDE)
    picture[0, 3], picture[1, 3] = 0, 1
    found = features(picture)
    assert found.shape == (3, FEATURES)
    assert found.abs().max() < 10


def test_features_tell_person_head_and_background_apart():
    picture = torch.full((1, 4, SIDE, SIDE), 126 / 255)
    picture[:, 1:3] = 128 / 255
    picture[:, 3, 12:, :] = 1
    picture[:, 3, :12, :] = 0
    picture[:, 0, 12:] = 235 / 255
    picture[:, 0, 12:20] = 16 / 255
    # luma of person, background and head, from 0 to 1: what is dark is the uppermost of her
    person, behind, head = features(picture)[0, :3].tolist()
    assert person == pytest.approx(7 / 9, abs=0.02)
    assert behind == pytest.approx(110 / 219, abs=0.02)
    assert head < 0.4


def test_features_of_the_background_do_not_know_the_person():
    picture = torch.rand(1, 4, SIDE, SIDE)
    picture[:, 3] = 0
    picture[:, 3, 16:, 16:32] = 1
    other = picture.clone()
    other[:, :3, 16:, 16:32] *= 0.5
    one, two = features(picture)[0], features(other)[0]
    # means of luma and of its logarithm over the person, the background, the head and skin
    assert (one[[0, 2, 4, 6]] - two[[0, 2, 4, 6]]).abs().min() > 0.05
    torch.testing.assert_close(one[[1, 5]], two[[1, 5]])


def test_what_may_be_skin_is_looked_for_in_the_head_alone():
    grey, skin = torch.tensor([110, 128, 128]) / 255, torch.tensor([140, 113, 150]) / 255
    picture = torch.zeros(2, 4, SIDE, SIDE)
    picture[:, :3] = grey[:, None, None]
    picture[:, 3] = 1
    picture[0, :3, :4] = picture[1, :3, -4:] = skin[:, None, None]
    above, below = features(picture)
    # the share of the person that may be skin is the last one
    assert above[-1] > below[-1] + 0.05
    # and its Cr is that of skin
    assert above[23] > 0.1


def test_a_picture_without_colours_tells_no_chroma():
    picture = torch.rand(1, 4, SIDE, SIDE)
    picture[:, 1:3] = 128 / 255
    found = features(picture)[0]
    # R / G, B / G, Cb and Cr of person, background, head and skin
    torch.testing.assert_close(found[8:24], torch.zeros(16), atol=1e-4, rtol=0)


def batch_of(shown, true, changed, person=True):
    count = len(shown)
    return {
        "known": torch.zeros(count, FEATURES), "shown": shown, "true": true,
        "person": torch.tensor([person] * count), "changed": torch.tensor(changed),
    }  # fmt: skip


def test_errors_are_in_levels_of_colours():
    true = torch.full((1, 3, 4), 120.0)
    off = true.clone()
    off[:, 0] += 219 / 255
    # one level of grey in R, G and B alike
    torch.testing.assert_close(squares(off, true), torch.ones(1), atol=1e-3, rtol=0)


def test_where_nobody_is_nothing_is_to_be_gained():
    shown, true = torch.full((2, 3, 4), 90.0), torch.full((2, 3, 4), 120.0)
    arguments = torch.zeros(2, 8)
    assert loss(arguments, batch_of(shown, true, [True, True], person=False)) == 0
    # what is left as it was is 1 : 1
    assert loss(arguments, batch_of(shown, true, [True, True])) == 0


def test_each_decibel_weighs_the_same_and_harm_more():
    true = torch.full((1, 3, 4), 126.0)
    true[:, 1:] = 128
    shown = true.clone()
    shown[:, 0] -= 20
    lighter, darker = torch.zeros(1, 8), torch.zeros(1, 8)
    lighter[:, 0], darker[:, 0] = 0.5, -0.5
    batch = batch_of(shown, true, [True])
    good, bad = float(loss(lighter, batch)), float(loss(darker, batch))
    assert good < -0.5
    assert bad > 0.5
    twice = true.clone()
    twice[:, 0] -= 10
    # half as wrong, made right by as much: as good
    half = torch.zeros(1, 8)
    half[:, 0] = 0.24
    assert float(loss(half, batch_of(twice, true, [True]))) == pytest.approx(good, abs=0.25)


def test_judging_tells_gain_harm_and_change():
    net = Harmoniser(4)
    with torch.no_grad():
        for each in (net.straight, net.last):
            each.weight.zero_()
    true = torch.full((2, 3, 8), 126.0)
    true[:, 1:] = 128
    shown = true.clone()
    shown[0, 0] += 12
    found = judged(net, batch_of(shown, true, [True, False]))
    assert (found.gain, found.worse) == (pytest.approx(0, abs=1e-3), 0)
    assert found.change == pytest.approx(0, abs=1e-2)
    with torch.no_grad():
        net.straight.bias[0] = -0.3
    found = judged(net, batch_of(shown, true, [True, False]))
    # both became darker: the one is better, the other one is worse than it was
    assert found.gain > 3
    assert found.change > 5


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
    for grey in (0, 1):
        out = taken_otherwise(np.full((4, 4, 3), grey, np.float32), chance)
        assert out.dtype == np.float32
        assert 0 <= out.min() <= out.max() <= 1


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
