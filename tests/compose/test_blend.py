"""Blending and composing: exactness, range, nothing stale, nothing foreign."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.base import Plate
from vcam.compose.blend import PlanarBlender
from vcam.compose.composer import PlateComposer, outside
from vcam.errors import InputError
from vcam.frames import NOTHING, Alpha, Box, Frame

pytestmark = pytest.mark.usefixtures("both_ways")

W, H = 48, 32
WHOLE = Box(0, 0, W, H)


def noise(seed: int, full_range: bool = False) -> Frame:
    rng = np.random.default_rng(seed)
    low, luma, chroma = (0, 256, 256) if full_range else (16, 236, 241)
    frame = Frame.allocate(W, H)
    frame.y[...] = rng.integers(low, luma, frame.y.shape)
    frame.u[...] = rng.integers(low, chroma, frame.u.shape)
    frame.v[...] = rng.integers(low, chroma, frame.v.shape)
    frame.full_range, frame.seq = full_range, seed
    return frame


def matte(seed: int, box: Box = WHOLE, value: int | None = None) -> Alpha:
    rng = np.random.default_rng(seed + 1000)
    full, half = rng.integers(0, 256, (H, W), np.uint8), rng.integers(0, 256, (H // 2, W // 2), np.uint8)
    if value is not None:
        full.fill(value)
        half.fill(value)
    return Alpha(full, half, full[::4, ::4].copy(), box, seed)


def limited(frame: Frame) -> list[np.ndarray]:
    """The frame's planes in the limited range, as floats (BT.601)."""
    y, u, v = (plane.astype(np.float64) for plane in frame.planes)
    if not frame.full_range:
        return [y, u, v]
    return [16 + y * 219 / 255, 128 + (u - 128) * 224 / 255, 128 + (v - 128) * 224 / 255]


def reference(frame: Frame, alpha: Alpha, plate: Frame) -> list[np.ndarray]:
    masks = (alpha.full / 255, alpha.half / 255, alpha.half / 255)
    samples = zip(masks, limited(frame), plate.planes, strict=True)
    return [mask * person + (1 - mask) * behind for mask, person, behind in samples]


def blend(frame: Frame, alpha: Alpha, plate: Frame) -> Frame:
    out = Frame.allocate(W, H)
    PlanarBlender((W, H)).blend(frame, alpha, plate, 1, out)
    return out


def assert_same(left: Frame, right: Frame) -> None:
    for one, other in zip(left.planes, right.planes, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("full_range", [False, True])
def test_alpha_0_leaves_the_plate_exact(full_range: bool) -> None:
    plate = noise(1)
    assert_same(blend(noise(2, full_range), matte(2, value=0), plate), plate)


@pytest.mark.parametrize("full_range", [False, True])
def test_alpha_255_gives_the_converted_frame_within_one_level(full_range: bool) -> None:
    frame = noise(2, full_range)
    for plane, ideal in zip(blend(frame, matte(2, value=255), noise(1)).planes, limited(frame), strict=True):
        assert np.abs(plane - ideal).max() <= 1


def test_full_range_grey_stays_exactly_grey() -> None:
    frame = noise(2, full_range=True)
    frame.fill(128, 128, 128)
    out = blend(frame, matte(2, value=255), noise(1))
    assert set(out.u.flat) == set(out.v.flat) == {128}
    assert set(out.y.flat) == {126}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_any_blend_is_near_the_formula_and_within_limited_range(seed: int, full_range: bool) -> None:
    frame, alpha, plate = noise(seed, full_range), matte(seed), noise(seed + 1)
    out = blend(frame, alpha, plate)
    for plane, ideal, top in zip(out.planes, reference(frame, alpha, plate), (235, 240, 240), strict=True):
        assert np.abs(plane - ideal).max() <= 2
        assert plane.min() >= 16
        assert plane.max() <= top


@pytest.mark.parametrize("full_range", [False, True])
def test_every_alpha_keeps_the_extremes_legal(full_range: bool) -> None:
    frame, plate, alpha = noise(0, full_range), noise(0), matte(0)
    alpha.full.flat[:256] = range(256)
    alpha.half.flat[:256] = range(256)
    ends = ((0, 255), (0, 255)) if full_range else ((16, 235), (16, 240))
    for luma, chroma, behind in itertools.product(*ends, (0, 1)):
        frame.fill(luma, chroma, chroma)
        plate.fill((16, 235)[behind], (16, 240)[behind], (16, 240)[behind])
        out = blend(frame, alpha, plate)
        assert out.y.min() >= 16
        assert out.y.max() <= 235
        assert min(out.u.min(), out.v.min()) >= 16
        assert max(out.u.max(), out.v.max()) <= 240


@pytest.mark.parametrize("full_range", [False, True])
def test_the_result_may_be_the_plate_itself(full_range: bool) -> None:
    frame, alpha, plate = noise(2, full_range), matte(2, Box(4, 6, 30, 28)), noise(1)
    expected = noise(1)
    PlanarBlender((W, H)).blend(frame, alpha, noise(1), 1, expected)
    PlanarBlender((W, H)).blend(frame, alpha, plate, 1, plate)
    assert_same(plate, expected)


class Scripted:
    """A background whose plate changes when told to."""

    description = "scripted"
    needs_alpha = True

    def __init__(self, scratch: bool = False, fail: Exception | None = None) -> None:
        self.closed, self.prepared, self.fail = 0, 0, fail
        self.plate = Plate(noise(99), 0, scratch)

    def change(self, seed: int) -> None:
        self.plate.frame.copy_from(noise(seed))
        self.plate.version += 1

    def prepare(self, size: tuple[int, int]) -> None:
        if self.fail:
            raise self.fail
        self.prepared += 1

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        return self.plate

    def without_person(self, now: float) -> Plate | None:
        return self.plate

    def close(self) -> None:
        self.closed += 1


def random_box(rng: random.Random) -> Box:
    if rng.random() < 0.15:
        return NOTHING
    x0, x1 = sorted(rng.sample(range(0, W + 1, 2), 2))
    y0, y1 = sorted(rng.sample(range(0, H + 1, 2), 2))
    return Box(x0, y0, x1, y1)


@pytest.mark.parametrize("script", range(12))
def test_no_stale_pixel_stays_wherever_the_box_goes(script: int) -> None:
    rng = random.Random(script)
    background = Scripted()
    composer = PlateComposer(background, (W, H))
    for step in range(40):
        if rng.random() < 0.2:
            background.change(500 + step)
        frame = noise(step, rng.random() < 0.5)
        if rng.random() < 0.1:
            assert_same(composer.without_person(frame, 0.0), background.plate.frame)
            continue
        alpha = matte(step, random_box(rng))
        out = composer.compose(frame, alpha, 0.0)
        expected = Frame.allocate(W, H)
        expected.copy_from(background.plate.frame)
        PlanarBlender((W, H)).blend(frame, alpha, background.plate.frame, 1, expected)
        assert_same(out, expected)
        assert (out.seq, out.timestamp, out.full_range) == (frame.seq, frame.timestamp, False)


def test_a_plate_that_stays_is_copied_only_where_the_person_was() -> None:
    background = Scripted()
    composer = PlateComposer(background, (W, H))
    composer.compose(noise(1), matte(1, Box(4, 4, 8, 8)), 0.0)
    # changed without a new version: only what was touched shows it
    background.plate.frame.fill(77, 77, 77)
    out = composer.compose(noise(2), matte(2, Box(20, 20, 24, 24), 0), 0.0)
    assert (out.y[4:8, 4:8] == 77).all()
    assert (out.y[:4] != 77).any()
    assert not np.shares_memory(out.y, background.plate.frame.y)


def test_a_scratch_plate_is_drawn_into_without_a_copy() -> None:
    background = Scripted(scratch=True)
    out = PlateComposer(background, (W, H)).compose(noise(1), matte(1), 0.0)
    assert out is background.plate.frame


@pytest.mark.parametrize(
    "spoil",
    [
        lambda alpha: setattr(alpha, "seq", alpha.seq + 1),
        lambda alpha: setattr(alpha, "full", alpha.full[:-2]),
        lambda alpha: setattr(alpha, "half", alpha.half[:, :-1]),
        lambda alpha: setattr(alpha, "box", Box(0, 0, W + 2, H)),
        lambda alpha: setattr(alpha, "box", Box(1, 0, 9, 8)),
        lambda alpha: setattr(alpha, "box", Box(-2, 0, 8, 8)),
    ],
    ids=["another frame", "height", "chroma width", "box too wide", "odd box", "negative box"],
)
def test_an_alpha_that_does_not_belong_to_the_frame_is_refused(spoil) -> None:
    alpha = matte(5)
    spoil(alpha)
    with pytest.raises(ValueError, match=r"alpha|Box"):
        PlateComposer(Scripted(), (W, H)).compose(noise(5), alpha, 0.0)


def test_a_missing_alpha_and_a_frame_of_another_size_are_refused() -> None:
    composer = PlateComposer(Scripted(), (W, H))
    with pytest.raises(ValueError, match="has no alpha"):
        composer.compose(noise(5), None, 0.0)
    with pytest.raises(ValueError, match="composer"):
        composer.compose(Frame.allocate(64, 64), matte(0), 0.0)


def test_a_new_background_replaces_the_old_one_whole_and_gives_it_back() -> None:
    old = Scripted()
    composer = PlateComposer(old, (W, H))
    composer.compose(noise(1), matte(1), 0.0)
    assert composer.exchange(ColorBackground((128, 128, 128))) is old
    assert old.closed == 0
    out = composer.compose(noise(2), matte(2, NOTHING), 0.0)
    assert set(out.y.flat) == {126}


def test_a_background_that_cannot_be_prepared_leaves_the_old_one() -> None:
    old, new = Scripted(), Scripted(fail=InputError("damaged"))
    composer = PlateComposer(old, (W, H))
    with pytest.raises(InputError, match="damaged"):
        composer.exchange(new)
    assert (old.closed, new.closed) == (0, 1)
    assert_same(composer.compose(noise(2), matte(2, NOTHING), 0.0), old.plate.frame)


def test_without_a_plate_the_placeholder_shows_nothing_of_the_frame() -> None:
    background = Scripted()
    composer = PlateComposer(background, (W, H))
    composer.compose(noise(1), matte(1), 0.0)
    background.without_person = lambda now: None
    one = composer.without_person(noise(2), 0.0).packed().copy()
    out = composer.without_person(noise(3), 0.0)
    np.testing.assert_array_equal(one, out.packed())
    assert out.y.max() < 80
    assert out.seq == 3
    # and the plate is whole again afterwards
    assert_same(composer.compose(noise(4), matte(4, NOTHING), 0.0), background.plate.frame)


@settings(max_examples=80, deadline=None)
@given(st.tuples(*[st.integers(0, 12)] * 8))
def test_outside_covers_what_the_hole_does_not_and_each_pixel_once(bounds: tuple[int, ...]) -> None:
    a, b = Box(*bounds[:4]), Box(*bounds[4:])
    count = np.zeros((12, 12), int)
    for part in outside(a, b):
        count[part.y0 : part.y1, part.x0 : part.x1] += 1
    expected = np.zeros((12, 12), int)
    expected[a.y0 : a.y1, a.x0 : a.x1] = 1
    expected[b.y0 : b.y1, b.x0 : b.x1] = 0
    np.testing.assert_array_equal(count, expected)
