"""Clips with a known matte: they move as asked, and their mattes are true."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vcam.datasets import synthetic
from vcam.datasets.synthetic import Motion, recomposed, synthetic_clip
from vcam.images import frame_to_bgr
from vcam.measure.meter import Meter
from vcam.types import Size

SIZE = (320, 180)


def centres(motion: str) -> np.ndarray:
    columns = np.arange(SIZE[0])
    return np.array([
        float((matte.sum(axis=0) * columns).sum() / matte.sum()) for _, matte in synthetic_clip(SIZE, 24, 1, motion, 0)
    ])  # fmt: skip


def test_motions_are_still_slow_and_fast() -> None:
    speeds = {motion: np.abs(np.diff(centres(motion))).max() for motion in ("still", "slow", "fast")}
    assert speeds["still"] == 0
    assert 0.1 < speeds["slow"] < 1
    assert 2 < speeds["fast"] < 8


@pytest.mark.parametrize("motion", ["slow", "fast"])
def test_a_motion_comes_round(motion: Motion) -> None:
    period = round(synthetic._PATHS[motion].period)
    mattes = [matte for _, matte in synthetic_clip((64, 36), period + 1, 1, motion, 0)]
    assert np.array_equal(mattes[0], mattes[-1])
    assert not np.array_equal(mattes[0], mattes[period // 2])


@pytest.mark.parametrize("phase", np.linspace(0, 6, 9))
def test_a_person_turns_about_the_place_where_they_meet_the_lower_edge(phase: float) -> None:
    path, (width, height) = synthetic._PATHS["fast"], SIZE
    layer = np.zeros((150, 140, 4), np.float32)
    move = synthetic._motion(path, phase, layer, SIZE)
    x, y = move @ (70, 150 * synthetic._VISIBLE, 1)
    assert x == pytest.approx(width / 2 + path.sway * height * math.sin(phase), abs=0.01)
    assert y == pytest.approx(height * (1 + path.bob * math.cos(phase) ** 2), abs=0.01)
    # neither stretched nor skewed
    (a, b), (c, d) = move[:, :2]
    assert (a, b) == pytest.approx((d, -c), abs=1e-5)
    assert abs(math.hypot(a, c) - 1) <= path.breath + 1e-5


@pytest.mark.parametrize(("size", "share"), [((320, 180), 0.85), ((320, 180), 0.5), ((100, 180), 0.85)])
def test_a_person_takes_their_share_of_the_height_but_no_more_than_the_width(size: Size, share: float) -> None:
    ((_, matte),) = synthetic_clip(size, 1, 1, "still", 0, person=np.full((300, 200, 4), 255, np.uint8), share=share)
    rows, columns = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
    scale = min(share * size[1] / 300, 0.9 * size[0] / 200)
    assert len(rows) == pytest.approx(synthetic._VISIBLE * 300 * scale, abs=2)
    assert len(columns) == pytest.approx(200 * scale, abs=2)
    assert rows[-1] == size[1] - 1


def test_the_same_arguments_give_the_same_clip_and_another_seed_another() -> None:
    first, again, other = (list(synthetic_clip(SIZE, 3, seed, "slow")) for seed in (4, 4, 5))
    for (a, matte), (b, other_matte) in zip(first, again, strict=True):
        assert np.array_equal(a.packed(), b.packed())
        assert np.array_equal(matte, other_matte)
    assert not np.array_equal(first[0][0].packed(), other[0][0].packed())


def test_the_matte_is_the_one_the_picture_was_made_with() -> None:
    """On a plain background, what is not the person has the background's colour and nothing else has."""
    background = np.full((90, 160, 3), (0, 255, 0), np.uint8)
    for frame, matte in synthetic_clip(SIZE, 3, 0, "fast", 0, background=background):
        picture = frame_to_bgr(frame).astype(int)
        green = np.abs(picture - (0, 255, 0)).max(axis=2) < 8
        assert green[matte == 0].mean() > 0.99
        assert green[matte == 255].mean() < 0.01


@pytest.mark.parametrize("size", [(96, 48), (48, 96)])
@pytest.mark.parametrize("lying", [True, False])
def test_the_background_fills_the_picture_and_is_panned_neither_turned_nor_skewed(lying: bool, size: Size) -> None:
    ramp = np.repeat(np.tile(np.linspace(0, 255, 100).astype(np.uint8), (100, 1))[..., np.newaxis], 3, axis=2)
    background, nobody = ramp.swapaxes(0, 1) if lying else ramp, np.zeros((30, 20, 4), np.uint8)
    pictures = []
    for frame, matte in synthetic_clip(size, 40, 1, "slow", 0, person=nobody, background=background):
        assert not matte.any()
        rows = (frame.y if lying else frame.y.T).astype(int)
        # the warp goes by thirty-seconds of a pixel
        assert np.ptp(rows, axis=1).max() <= 3
        pictures.append(rows)
        # the square background is scaled to a fifth more than the longer side, by the same factor both ways
        assert rows[40, 0] - rows[10, 0] == pytest.approx(30 * 219 / (1.2 * 96), abs=2)
    assert np.abs(pictures[0] - pictures[-1]).max() > 3


@pytest.mark.parametrize("strength", [1.0, 4.0])
def test_noise_has_the_strength_that_was_asked_for_and_planes_stay_legal(strength: float) -> None:
    clean, noisy = (list(synthetic_clip(SIZE, 4, 2, "slow", noise)) for noise in (0.0, strength))
    difference = np.concatenate([(b.y.astype(int) - a.y).ravel() for (a, _), (b, _) in zip(clean, noisy, strict=True)])
    assert difference.std() == pytest.approx(strength, rel=0.12)
    assert abs(difference.mean()) < 0.2
    assert all(int(frame.y.min()) >= 16 and int(frame.y.max()) <= 235 for frame, _ in noisy)


def test_the_background_moves_though_the_person_is_still() -> None:
    frames = [frame for frame, _ in synthetic_clip(SIZE, 12, 1, "still", 0)]
    mattes = [matte for _, matte in synthetic_clip(SIZE, 12, 1, "still", 0)]
    change = np.abs(frames[11].y.astype(int) - frames[0].y)
    assert change[mattes[0] == 0].mean() > 1
    assert change[mattes[0] == 255].mean() < 0.5


def test_a_true_matte_scores_perfectly_on_its_own_clip() -> None:
    meter = Meter()
    for _, matte in synthetic_clip(SIZE, 20, 1, "fast"):
        meter.add(matte, matte)
    scores = meter.scores
    assert (scores.miou, scores.boundary, scores.mad, scores.dtssd) == (100, 100, 0, 0)
    assert scores.lag == pytest.approx(0, abs=0.1)
    assert not math.isnan(scores.lag)


def test_people_of_a_film_keep_their_mattes_before_another_background() -> None:
    film = list(synthetic_clip(SIZE, 4, 1, "fast", 0))
    red = np.full((20, 20, 3), (0, 0, 255), np.uint8)
    clip = list(recomposed(film, 0, 0, background=red))
    assert len(clip) == 4
    for (before, matte), (after, same) in zip(film, clip, strict=True):
        assert np.array_equal(matte, same)
        shown = frame_to_bgr(after).astype(int)
        assert np.abs(shown - (0, 0, 255)).max(axis=2)[matte == 0].mean() < 4
        inside = np.abs(after.y.astype(int) - before.y)[matte == 255]
        assert inside.mean() < 1.5
