from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.train import backdrops
from vcam.train.backdrops import cut_out, matched, over, peopled, room, spread, surroundings

RED, GREEN, BLUE = (20, 20, 220), (20, 220, 20), (220, 20, 20)


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def scene(kind: str = "bust", *, width: int = 160, height: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Somebody red before a green wall. The matte is wider than the person by two pixels, as those made by hand are."""
    matte = np.zeros((height, width), np.uint8)
    if kind == "bust":
        cv2.circle(matte, (width // 2, 70), 35, 255, -1)
        matte[110:, 40:120] = 255
    elif kind == "free":
        cv2.circle(matte, (width // 2, 100), 50, 255, -1)
    elif kind == "shoulder":
        matte[40:, 40:120] = 255
        matte[130:, :40] = 255
    elif kind == "beside":
        matte[20:, :70] = 255
    elif kind == "above":
        matte[:, 50:110] = 255
    person = cv2.erode(matte, np.ones((5, 5), np.uint8))
    picture = np.where(person[..., None] == 255, np.uint8(RED), np.uint8(GREEN))
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8)
    return picture, cv2.GaussianBlur(matte, (0, 0), 0.8)


def test_colours_grow_outwards_from_what_is_sure():
    picture, matte = np.full((64, 64, 3), GREEN, np.uint8), np.zeros((64, 64), np.uint8)
    picture[20:30, 20:30], matte[20:30, 20:30] = RED, 255
    np.testing.assert_allclose(spread(picture, matte), np.full_like(picture, RED), atol=1)
    np.testing.assert_array_equal(spread(picture, np.zeros_like(matte)), picture)


def test_near_colours_win_over_far_ones():
    picture, sure = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8)
    picture[:, :10], picture[:, -10:] = RED, BLUE
    sure[:, :10] = sure[:, -10:] = 255
    grown = spread(picture, sure).astype(int)
    assert grown[32, 12, 2] > 200
    assert grown[32, 51, 0] > 200
    assert abs(grown[32, 32, 0] - grown[32, 32, 2]) < 60


@pytest.mark.parametrize("kind", ["bust", "free", "shoulder", "beside", "above"])
def test_no_old_background_is_left_in_a_cut_out(kind):
    found = cut_out(*scene(kind))
    shown = found.layer[found.layer[..., 3] > 0]
    assert shown[:, 1].max() < 60
    assert shown[:, 2].min() > 180


def test_the_inside_of_a_cut_out_is_the_picture_itself():
    picture, matte = scene("free")
    picture[95:105, 75:85] = BLUE
    found = cut_out(picture, matte).layer
    gap = backdrops._GAP
    np.testing.assert_array_equal(found[gap + 80 : gap + 120, gap + 60 : gap + 100, :3], picture[80:120, 60:100])
    np.testing.assert_array_equal(found[gap:-gap, gap:-gap, 3], matte)


def test_what_the_edges_of_the_picture_cut_is_known():
    cuts = {kind: cut_out(*scene(kind)) for kind in ("bust", "free", "shoulder", "beside", "above")}
    assert {kind: (each.below, each.above, each.left, each.right) for kind, each in cuts.items()} == {
        "bust": (True, False, False, False),
        "free": (False, False, False, False),
        "shoulder": (True, False, False, False),
        "beside": (True, False, True, False),
        "above": (True, True, False, False),
    }
    assert cut_out(scene()[0], np.zeros((200, 160), np.uint8)) is None


def test_a_shoulder_that_is_cut_off_is_rounded():
    _, matte = scene("shoulder")
    found = cut_out(*scene("shoulder"))
    assert found.layer.shape[1] > matte.shape[1] + 2 * backdrops._GAP + 10
    outline = (found.layer[..., 3] > 127).argmax(axis=0)[found.box[0] + 1 : found.box[0] + 20]
    # from the outside inwards it rises, and first the steepest
    assert (np.diff(outline) <= 0).all()
    assert outline[0] - outline[-1] > 30
    mirrored = cut_out(*(np.ascontiguousarray(each[:, ::-1]) for each in scene("shoulder")))
    np.testing.assert_array_equal(mirrored.layer[..., 3], found.layer[:, ::-1, 3])


@pytest.mark.parametrize("kind", ["bust", "free", "shoulder", "beside"])
def test_nothing_of_a_person_is_left_in_the_surroundings(kind):
    left = surroundings(*scene(kind))
    assert left[..., 2].max() < 60
    assert left[..., 1].min() > 180


def test_a_hole_in_the_matte_shows_nothing_of_the_person():
    picture, matte = scene("free")
    matte[85:115, 65:95] = 0
    assert surroundings(picture, matte)[..., 2].max() < 60


def test_surroundings_have_the_texture_of_what_is_around():
    picture, matte = scene("free")
    picture[matte == 0] = chance().integers(0, 255, (int((matte == 0).sum()), 3))
    left = surroundings(picture, matte)
    assert left[60:80, 70:90].std() > 40


def test_a_picture_full_of_a_person_has_grey_surroundings():
    np.testing.assert_array_equal(surroundings(scene()[0], np.full((200, 160), 255, np.uint8)), 128)


@pytest.mark.parametrize("kind", ["bust", "shoulder", "beside", "above"])
def test_what_was_cut_off_stays_outside_the_frame(kind):
    wall = np.full((96, 128, 3), BLUE, np.uint8)
    person = cut_out(*scene(kind))
    for seed in range(40):
        _, matte = peopled(wall, person, [], chance(seed))
        assert (matte > 127).sum() > 200, seed
        assert (matte[-1] > 127).any(), seed
        if kind == "beside":
            assert (matte[:, 0] > 127).any() or (matte[:, -1] > 127).any(), seed
        if kind == "above":
            assert (matte[0] > 127).any(), seed


def test_the_old_background_never_shows_and_the_matte_is_the_persons(monkeypatch):
    # colours that are matched would differ; what is looked at here is where they are
    monkeypatch.setattr(backdrops, "matched", lambda colours, alpha, backdrop, share: colours)
    wall = np.full((96, 128, 3), BLUE, np.uint8)
    for seed in range(30):
        picture, matte = peopled(wall, cut_out(*scene("bust")), [cut_out(*scene("free"))], chance(seed))
        assert picture[..., 1].max() < 80, seed
        light = picture.astype(int)
        assert (light[matte == 0] == BLUE).all(), seed
        inside = cv2.erode(matte, np.ones((9, 9), np.uint8)) == 255
        assert light[inside][:, 2].min(initial=255) > 150, seed


def test_several_people_are_all_in_the_matte():
    wall = np.full((96, 128, 3), BLUE, np.uint8)
    first, other = cut_out(*scene("free")), cut_out(*scene("free"))
    alone, two, three = (
        np.mean([(peopled(wall, first, [other] * count, chance(seed))[1] > 127).mean() for seed in range(40)])
        for count in range(3)
    )
    assert two > alone + 0.04
    assert three > two + 0.02


def test_people_stand_at_different_places_and_sizes():
    wall, person = np.full((96, 128, 3), BLUE, np.uint8), cut_out(*scene("bust"))
    shares = [(peopled(wall, person, [], chance(seed))[1] > 127).mean() for seed in range(40)]
    assert min(shares) < 0.12
    assert max(shares) > 0.3


def test_a_soft_alpha_mixes_both():
    alpha = np.array([[0, 128, 255]], np.uint8)
    found = over(np.full((1, 3, 3), 100, np.uint8), np.full((1, 3, 3), 200, np.uint8), alpha)
    np.testing.assert_allclose(found[0, :, 0], [100, 150, 200], atol=1)


def test_the_rooms_light_falls_round_the_edge_alone():
    alpha = np.zeros((96, 96), np.uint8)
    alpha[:, 40:] = 255
    dark, bright = np.full((96, 96, 3), 20, np.uint8), np.full((96, 96, 3), 220, np.uint8)
    plain, wrapped = over(bright, dark, alpha), over(bright, dark, alpha, wrap=0.5)
    assert int(wrapped[50, 41, 0]) - int(plain[50, 41, 0]) > 12
    np.testing.assert_array_equal(wrapped[:, 60:], plain[:, 60:])


def test_colours_come_nearer_to_the_rooms_but_not_all_the_way():
    colours, alpha = np.full((20, 20, 3), (100, 100, 100), np.uint8), np.full((20, 20), 255, np.uint8)
    warm = np.full((20, 20, 3), (80, 110, 130), np.uint8)
    np.testing.assert_array_equal(matched(colours, alpha, warm, 0), colours)
    assert matched(colours, alpha, warm, 0.5)[0, 0].tolist() == [90, 105, 115]
    # a red room makes nobody red
    assert matched(colours, alpha, np.full_like(warm, (0, 0, 255)), 1)[0, 0].tolist() == [65, 65, 135]
    np.testing.assert_array_equal(matched(colours, np.zeros_like(alpha), warm, 1), colours)


@pytest.mark.parametrize("seed", range(6))
def test_rooms_fill_the_picture(seed):
    picture = np.full((300, 500, 3), 255, np.uint8)
    assert room(chance(seed), picture, (144, 256)).min() == 255
    made = backdrops.made_up(chance(seed), (144, 256))
    assert made.shape == (144, 256, 3)
    assert made.std() > 3
    np.testing.assert_array_equal(made, backdrops.made_up(chance(seed), (144, 256)))


def test_a_room_is_out_of_focus_in_half_of_all_cases():
    noise = chance().integers(0, 255, (64, 64, 3)).astype(np.uint8)
    sharp = [np.array_equal(backdrops.out_of_focus(noise, chance(seed)), noise) for seed in range(60)]
    assert 0.3 < np.mean(sharp) < 0.7


def test_where_soft_edges_lie_over_each_other_more_of_the_room_is_hidden(monkeypatch):
    monkeypatch.setattr(backdrops, "_edge", lambda alpha, chance: alpha)
    black = cut_out(np.zeros((120, 120, 3), np.uint8), np.full((120, 120), 255, np.uint8))
    layer = black.layer.copy()
    layer[..., 3] = 128
    half = backdrops.CutOut(layer, black.box, False, False, False, False)
    monkeypatch.setattr(backdrops, "_standing", lambda *given, **more: np.eye(2, 3))
    _, matte = peopled(np.full((96, 96, 3), 200, np.uint8), half, [half], chance(3))
    # a + b - a b
    assert abs(int(matte[48, 48]) - 192) <= 1
