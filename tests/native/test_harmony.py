"""The compiled loop of another light gives what the definition gives, and so does OpenCV in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.helpers import noise
from vcam import harmony
from vcam.colour import to_limited
from vcam.compose.filters.relight import STEPS, Relight
from vcam.frames import Alpha, Box, Frame

pytestmark = pytest.mark.usefixtures("both_ways")


def expected(frame: Frame, arguments: np.ndarray) -> list[np.ndarray]:
    """By the definition, in floats."""
    planes = []
    for index, plane in enumerate(frame.planes):
        scale, offset = to_limited(frame.full_range, index > 0)
        planes.append((plane * np.float32(scale) + np.float32(offset)).astype(np.float32))
    return list(harmony.apply(*planes, np.rint(arguments * STEPS) / STEPS))


def random_frame(seed: int, width: int, height: int, full_range: bool, margin: int = 3) -> Frame:
    planes = [noise(seed + i, (2, 1, 1)[i] * height, (2, 1, 1)[i] * width, margin=margin) for i in range(3)]
    planes[0][0, 0], planes[0][-1, -1], planes[1][0, 0], planes[2][-1, 0] = 0, 255, 255, 0
    return Frame(*planes, full_range=full_range)


@given(
    height=st.integers(1, 9), width=st.integers(1, 120), seed=st.integers(0, 999), full_range=st.booleans(),
    values=st.lists(st.floats(-1, 1, width=32), min_size=8, max_size=8), margin=st.integers(0, 3),
)  # fmt: skip
@settings(deadline=None, max_examples=80)
def test_it_is_the_definition_within_a_level(
    height: int, width: int, seed: int, full_range: bool, values: list[float], margin: int
) -> None:
    frame, size = random_frame(seed, width, height, full_range, margin), (2 * width, 2 * height)
    target = Frame(*(noise(0, *plane.shape, margin=margin) for plane in frame.planes))
    around = [plane.base.copy() for plane in target.planes]
    matte = np.full((2 * height, 2 * width), 255, np.uint8)
    relight = Relight()
    relight.prepare(size)
    relight.choose(np.array(values, np.float32))
    source = [plane.copy() for plane in frame.planes]
    relight.apply(frame, target, matte, Box(0, 0, *size))
    for plane, before in zip(frame.planes, source, strict=True):
        assert (plane == before).all()
    for mine, exact, before in zip(target.planes, expected(frame, relight._arguments), around, strict=True):
        assert np.abs(mine - exact).max() <= 1
        before[:, margin : margin + mine.shape[1]] = mine
        assert (before == mine.base).all()
    if not full_range:
        relight.apply(frame, frame, matte, Box(0, 0, *size))
        for mine, other in zip(frame.planes, target.planes, strict=True):
            np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("full_range", [False, True])
def test_where_nobody_is_samples_are_copied_or_changed_like_the_rest(full_range: bool) -> None:
    width, height = 300, 6
    frame = random_frame(4, width, height, full_range)
    matte = np.zeros((2 * height, 2 * width), np.uint8)
    matte[4, 130], matte[5, 333], matte[9, 2 * width - 1] = 1, 255, 3
    relight = Relight()
    relight.prepare((2 * width, 2 * height))
    relight.choose(np.array([0.5, -0.5, 1, 1, -1, 0.3, 0.4, 1], np.float32))
    target = Frame(*(np.zeros(plane.shape, np.uint8) for plane in frame.planes))
    relight.apply(frame, target, matte, Box(0, 0, 2 * width, 2 * height))
    exact = expected(frame, relight._arguments)
    for index, (mine, lit, source) in enumerate(zip(target.planes, exact, frame.planes, strict=True)):
        here = matte if index == 0 else matte.reshape(height, 2, width, 2).max((1, 3))
        changed = np.abs(mine - lit) <= 1
        assert changed[here > 0].all()
        if not full_range:
            # whatever is not a copy is right as well
            assert (changed | (mine == source)).all()


def test_the_loop_copies_in_blocks_where_nobody_is(kernels) -> None:
    frame = random_frame(4, 300, 3, full_range=False)
    matte = np.zeros((6, 600), np.uint8)
    matte[3, 130] = 1
    relight = Relight()
    relight._kernels = kernels
    relight.choose(np.array([1, 0, 1, 0, 0, 0, 0, 1], np.float32))
    target = Frame(*(np.zeros(plane.shape, np.uint8) for plane in frame.planes))
    relight.apply(frame, target, matte, Box(0, 0, 600, 6))
    moved = [np.argwhere(mine != source) for mine, source in zip(target.planes, frame.planes, strict=True)]
    assert len(moved[0]) > 100
    assert moved[0].min(0).tolist() >= [2, 128]
    assert moved[0].max(0).tolist() <= [3, 191]
    for plane in moved[1:]:
        assert (plane[:, 0] == 1).all()
        assert 64 <= plane[:, 1].min() <= plane[:, 1].max() < 96


@given(
    height=st.integers(1, 7), width=st.integers(1, 150), seed=st.integers(0, 999), full_range=st.booleans(),
    onto_itself=st.booleans(), empty=st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_blended_in_one_it_is_what_comes_of_two_passes(
    kernels, height: int, width: int, seed: int, full_range: bool, onto_itself: bool, empty: bool
) -> None:
    frame, size = random_frame(seed, width, height, full_range), (2 * width, 2 * height)
    plate = random_frame(seed + 7, width, height, False)
    full = noise(seed + 3, 2 * height, 2 * width) * (not empty)
    full[:, : width // 2] = 0
    # what need not fit the other one
    alpha = Alpha(full, noise(seed + 4, height, width), full[:1, :1], Box(0, 0, *size), 0)
    relight = Relight()
    relight._kernels = kernels
    relight.choose(np.random.default_rng(seed).uniform(-1, 1, 8).astype(np.float32))
    person, expected_, out = (Frame(*(np.zeros(plane.shape, np.uint8) for plane in frame.planes)) for _ in range(3))
    relight.apply(frame, person, full, alpha.box)
    for mask, mine, behind, to in zip(
        (alpha.full, alpha.half, alpha.half), person.planes, plate.planes, expected_.planes, strict=True
    ):
        kernels.blend(mask, mine, behind, to)
    target = plate if onto_itself else out
    relight.blend(frame, alpha, plate, target)
    for mine, other in zip(target.planes, expected_.planes, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_arguments_that_change_nothing_are_told() -> None:
    relight = Relight()
    assert not relight.choose(np.zeros(8, np.float32))
    assert not relight.choose(np.full(8, 0.4 / STEPS, np.float32))
    assert relight.choose(np.full(8, 0.6 / STEPS, np.float32))


def test_planes_and_terms_that_do_not_fit_are_refused(kernels) -> None:
    y, u, matte = noise(1, 8, 12), noise(2, 4, 6), noise(3, 8, 12)
    curve = np.arange(256, dtype=np.uint8)
    terms = {
        "gain": 1.0, "shares": (0.1, 0.1), "offsets": (128.0, 128.0), "luma": (16, 235), "chroma": (16, 240),
        "copied": True,
    }  # fmt: skip
    good, before = (y, u, u), y.copy()
    for source, target, mask, table, change in (
        ((y, u, u[:, 1:]), good, matte, curve, {}),
        (good, (y, u, u[1:]), matte, curve, {}),
        (good, (y[2:], u[1:], u[1:]), matte, curve, {}),
        (good, good, matte[1:], curve, {}),
        (good, good, matte, curve[1:], {}),
        (good, good, matte, curve.astype(np.uint16), {}),
        (good, good, matte, curve, {"gain": 2.0}),
        (good, good, matte, curve, {"gain": float("nan")}),
        (good, good, matte, curve, {"shares": (0.0, -1.0)}),
        (good, good, matte, curve, {"behind": (u[1:], good)}),
        (good, good, matte, curve, {"behind": (u, (y, u, u[1:]))}),
        (good, good, matte, curve, {"behind": (u, (y[2:], u[1:], u[1:]))}),
    ):
        with pytest.raises(ValueError, match=r"instead of|no terms"):
            kernels.harmony.relight(source, target, mask, curve=table, **terms | change)
    assert (y == before).all()
