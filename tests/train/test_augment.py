from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from vcam.train import augment


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def person(height: int = 120, width: int = 90) -> np.ndarray:
    """A matte with a soft edge."""
    matte = np.zeros((height, width), np.uint8)
    cv2.ellipse(matte, (width // 2, height * 2 // 3), (width // 4, height // 3), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(matte, (0, 0), 2)


def centre(matte: np.ndarray, axis: int) -> float:
    """The middle of a matte's mass along an axis, in pixels."""
    return float(np.average(np.arange(matte.shape[axis]), weights=matte.sum(1 - axis, dtype=float)))


def at(matrix: np.ndarray, x: float, y: float) -> list[float]:
    return [pytest.approx(each) for each in matrix @ (x, y, 1)]


def test_a_point_is_placed_mirrored_turned_and_scaled():
    plain = augment.placed((10, 20), (3, 4), (2, 5), 0, False)
    assert at(plain, 10, 20) == [3, 4]
    assert at(plain, 11, 21) == [5, 9]
    assert at(augment.placed((10, 20), (3, 4), (2, 5), 0, True), 11, 21) == [1, 9]
    # a quarter turn takes x to y, then the sides are scaled
    assert at(augment.placed((0, 0), (0, 0), (2, 5), math.pi / 2, False), 1, 0) == [0, 5]
    assert at(augment.placed((0, 0), (0, 0), (2, 5), math.pi / 2, False), 0, 1) == [-2, 0]


@pytest.mark.parametrize("seed", range(40))
def test_a_crop_lies_within_the_picture_and_is_stretched_to_the_shape(seed, monkeypatch):
    monkeypatch.setattr(augment, "turn", lambda chance: 0.0)
    matrix = augment.cropped(chance(seed), (300, 400), (144, 256), (50, 100, 250, 400))
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([back @ (x, y, 1) for x in (0, 256) for y in (0, 144)])
    assert corners.min() >= -1e-6
    assert (corners.max(0) <= (300 + 1e-6, 400 + 1e-6)).all()
    across, down = np.ptp(corners, axis=0)
    assert 3 / 4 - 1e-6 <= across / down <= 16 / 9 + 1e-6


def test_heads_are_mostly_in_the_crop(monkeypatch):
    monkeypatch.setattr(augment, "turn", lambda chance: 0.0)
    crops = [augment.cropped(chance(seed), (300, 400), (256, 256), (50, 100, 250, 400)) for seed in range(100)]
    assert sum((crop @ (150, 100, 1))[1] >= 0 for crop in crops) > 80


def test_shapes_of_frames_are_those_of_cameras():
    generator = chance()
    square, wide = ([augment.frame_aspect(generator, shape) for _ in range(300)] for shape in ((256, 256), (144, 256)))
    for found in (square, wide):
        assert max(found) <= 16 / 9 + 1e-9
        assert 0.3 < np.mean(np.isclose(found, 16 / 9)) < 0.6
    assert 3 / 4 <= min(square) < 0.9
    assert 1 - 1e-9 <= min(wide) < 1.1


@pytest.mark.parametrize(("size", "aspect"), [((300, 400), 0.75), ((2000, 200), 2.0), ((200, 2000), 0.5)])
def test_a_part_of_the_crops_keeps_the_shape_of_the_picture_unless_that_is_a_strip(size, aspect):
    aspects = []
    for seed in range(400):
        matrix = augment.cropped(np.random.default_rng(seed), size, (256, 256), own=0.35)
        across, down = (side / math.hypot(*row[:2]) for side, row in zip((256, 256), matrix, strict=True))
        aspects.append(across / down)
    assert 0.25 < np.mean(np.isclose(aspects, aspect)) < 0.45


def test_a_portrait_is_not_cut_to_a_strip(monkeypatch):
    monkeypatch.setattr(augment, "frame_aspect", lambda chance, shape: 16 / 9)
    for shape, widest in (((256, 256), 1.5 * 0.75), ((144, 256), 4 / 3)):
        matrix = augment.cropped(chance(), (300, 400), shape)
        across, down = (side / math.hypot(*row[:2]) for side, row in zip(shape[::-1], matrix, strict=True))
        assert across / down == pytest.approx(widest)


@pytest.mark.parametrize("scale", [1.3, 0.7, 0.4, 0.2])
def test_mattes_follow_where_pixels_move_and_keep_their_soft_edge(scale):
    matte = person(400, 300)
    matrix = augment.placed((150, 200), (60, 60), (scale, scale), 0.2, True)
    moved = augment.warped(matte, matrix, (120, 120))
    picture = augment.warped(np.repeat(matte[..., None], 3, 2), matrix, (120, 120))
    np.testing.assert_array_equal(picture[..., 1], moved)
    assert ((moved > 40) & (moved < 215)).any()


def test_what_is_made_much_smaller_stays_where_it_is():
    matte = person(400, 300)
    matrix = augment.placed((0, 0), (0, 0), (0.25, 0.25), 0, False)
    small = augment.warped(matte, matrix, (100, 75))
    for axis in (0, 1):
        assert 4 * centre(small, axis) == pytest.approx(centre(matte, axis), abs=0.2)
    stripes = np.zeros((400, 300), np.uint8)
    stripes[:, ::2] = 255
    assert np.ptp(augment.warped(stripes, matrix, (100, 75))[:, 1:-1].astype(int)) < 8


def test_no_tone_curve_falls_anywhere():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augment, "saturated", lambda picture, factor: picture)
        for seed in range(400):
            shown = augment.recoloured(ramp, chance(seed)).astype(int)
            assert (np.diff(shown, axis=1) >= 0).all(), seed
            assert np.ptp(shown[..., 1]) > 60, seed


def test_light_and_colour_differ_from_time_to_time():
    grey = np.full((4, 4, 3), 120, np.uint8)
    shown = np.array([augment.recoloured(grey, chance(seed))[0, 0] for seed in range(60)]).astype(int)
    assert shown[:, 1].std() > 10
    assert (shown[:, 2] - shown[:, 0]).std() > 10


def test_saturation_keeps_the_luma():
    picture = np.array([[[200, 100, 50]]], np.uint8)
    luma = round(0.114 * 200 + 0.587 * 100 + 0.299 * 50)
    assert augment.saturated(picture, 0).tolist() == [[[luma] * 3]]
    assert augment.saturated(picture, 1).tolist() == picture.tolist()
    np.testing.assert_allclose(augment.saturated(picture, 0.5)[0, 0], (np.array((200, 100, 50)) + luma) / 2, atol=1)


@pytest.mark.parametrize("seed", range(8))
def test_a_dark_room_is_dark_noisy_and_not_black(seed):
    picture = np.full((64, 64, 3), (40, 120, 200), np.uint8)
    dark = augment.dimmed(picture, chance(seed)).astype(int)
    assert 15 < dark.mean() < picture.mean()
    assert dark.std(axis=(0, 1)).min() > 2
    assert np.ptp(dark.mean((0, 1))) < 160
    # what is dark already is left as it is
    assert augment.dimmed(np.full((64, 64, 3), 20, np.uint8), chance(seed)).mean() > 10


@pytest.mark.parametrize("strength", [2.0, 8.0])
def test_noise_is_as_strong_as_was_asked(strength):
    grey = np.full((200, 200, 3), 128, np.uint8)
    for seed in range(6):
        noisy = augment.grainy(grey, chance(seed), strength).astype(float)
        assert noisy.std() == pytest.approx(strength, rel=0.15)
        assert noisy.mean() == pytest.approx(128, abs=0.6)


def test_noise_neither_wraps_round_nor_repeats():
    white = np.full((64, 64, 3), 255, np.uint8)
    assert augment.grainy(white, chance(1), 10).min() > 180
    one, other = (augment.grainy(np.full((64, 64, 3), 128, np.uint8), chance(seed), 5) for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_motion_blurs_along_its_line_alone():
    dot = np.zeros((21, 21), np.uint8)
    dot[10, 10] = 255
    across = augment.moved(dot, 6, 0)
    assert np.flatnonzero(across.sum(0)).tolist() == list(range(7, 14))
    assert np.flatnonzero(across.sum(1)).tolist() == [10]
    assert int(across.sum()) == pytest.approx(255, abs=5)
    np.testing.assert_array_equal(augment.moved(dot, 6, math.pi / 2), across.T)
    np.testing.assert_array_equal(augment.moved(np.full((9, 9), 200, np.uint8), 5, 1.0), 200)


def test_a_shaken_matte_is_blurred_as_its_picture():
    matte = person()
    picture, moved = augment.shaken(np.repeat(matte[..., None], 3, 2), matte, chance(3))
    np.testing.assert_array_equal(picture[..., 0], moved)
    assert not np.array_equal(moved, matte)


@pytest.mark.parametrize("sigma", [1.0, 4.0, 9.0])
def test_a_wide_blur_is_as_wide_as_a_narrow_one(sigma):
    half = np.zeros((120, 120), np.uint8)
    half[:, 60:] = 255
    found, exact = augment.blurred(half, sigma).astype(int), cv2.GaussianBlur(half, (0, 0), sigma).astype(int)
    assert np.abs(found - exact).max() <= 9
    assert np.ptp(found[60, 58:62]) > 40 / sigma


def test_jpeg_and_fewer_pixels_lose_what_is_fine():
    fine = chance().integers(0, 255, (64, 64, 3)).astype(np.uint8)
    squeezed = augment.squeezed(fine, 30)
    assert 5 < np.abs(squeezed.astype(int) - fine).mean() < 90
    assert augment.unsharp(fine, 2).std() < 0.7 * fine.std()


@pytest.mark.parametrize("seed", range(25))
def test_what_is_filmed_can_still_be_seen_and_stays_in_its_place(seed):
    matte = person(160, 120)
    picture = np.where(matte[..., None] > 127, 190, 70).astype(np.uint8).repeat(3, 2)
    seen = augment.filmed(picture, chance(seed))
    assert seen.shape == picture.shape
    assert seen.dtype == np.uint8
    light = seen.mean(2)
    assert light[matte > 200].mean() - light[matte < 50].mean() > 12
    again = augment.filmed(picture, chance(seed))
    np.testing.assert_array_equal(seen, again)


def test_the_mask_before_is_empty_for_a_third_and_else_near():
    matte = person()
    found = [augment.before(matte, chance(seed)) for seed in range(150)]
    empty = [not each.any() for each in found]
    assert 0.22 < np.mean(empty) < 0.45
    overlaps = []
    for each in (each for each, nothing in zip(found, empty, strict=True) if not nothing):
        one, other = each > 127, matte > 127
        overlaps.append((one & other).sum() / (one | other).sum())
    assert min(overlaps) > 0.6
    assert 0.75 < np.mean(overlaps) < 0.97


def test_the_mask_before_is_bent_and_not_only_moved():
    line = np.zeros((120, 120), np.uint8)
    line[:, 60:] = 255
    found = [augment.before(line, chance(seed)) for seed in range(12)]
    edges = [(each < 128).sum(axis=1) for each in found if each.any()]
    bends = [
        np.abs(np.diff(edge, 2)).sum() > 0 and np.ptp(edge - np.linspace(edge[0], edge[-1], 120)) for edge in edges
    ]
    assert max(bends) > 2
