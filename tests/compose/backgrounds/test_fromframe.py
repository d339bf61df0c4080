"""Backgrounds made from the frame: no halo, no texture, no person."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.compose.backgrounds.fromframe import BlurBackground, NoBackground, PixelateBackground
from vcam.compose.composer import PlateComposer
from vcam.frames import NOTHING, Alpha, Box, Frame

pytestmark = pytest.mark.usefixtures("both_ways")

GREY = (120, 128, 128)
RED = (81, 90, 240)


def scene(width: int = 640, height: int = 360) -> tuple[Frame, Alpha]:
    """A saturated disc of a person before a grey wall."""
    full = np.zeros((height, width), np.uint8)
    cv2.circle(full, (width // 2, height), int(height * 0.7), 255, -1)
    frame = Frame.allocate(width, height)
    frame.fill(*GREY)
    person = full > 0
    for plane, value in zip(frame.planes, RED, strict=True):
        plane[person[:: height // plane.shape[0], :: height // plane.shape[0]]] = value
    half = cv2.resize(full, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    small = cv2.resize(full, (256, 144), interpolation=cv2.INTER_AREA)
    return frame, Alpha(full, half, small, Box(0, 0, width, height), 0)


def plate_of(background, frame: Frame, alpha: Alpha) -> Frame:
    background.prepare(frame.size)
    return background.render(frame, alpha, 0.0).frame


ALL = [BlurBackground(1), BlurBackground(), BlurBackground(100), PixelateBackground(4), PixelateBackground(128)]


@pytest.mark.parametrize("background", ALL, ids=lambda each: each.description)
@pytest.mark.parametrize("size", [(640, 360), (854, 480), (1280, 720), (360, 640)])
def test_nothing_of_the_person_bleeds_into_the_plate(background, size) -> None:
    frame, alpha = scene(*size)
    plate = plate_of(background, frame, alpha)
    near = cv2.dilate(alpha.half, np.ones((31, 31), np.uint8)) > 0
    for plane in (plate.u, plate.v):
        assert np.abs(plane[near].astype(int) - 128).max() <= 3
    shown = plate.y[alpha.full == 0]
    assert np.abs(shown.astype(int) - GREY[0]).max() <= 3


@pytest.mark.parametrize("full_range", [False, True])
def test_the_blur_shows_the_colours_of_the_room_in_limited_range(full_range: bool) -> None:
    frame, alpha = scene()
    frame.full_range = full_range
    frame.fill(200, 100, 170)
    alpha.small.fill(0)
    plate = plate_of(BlurBackground(), frame, alpha)
    ideal = (16 + 200 * 219 / 255, 128 - 28 * 224 / 255, 128 + 42 * 224 / 255) if full_range else (200, 100, 170)
    for plane, value in zip(plate.planes, ideal, strict=True):
        assert np.abs(plane - value).max() <= 1


@pytest.mark.parametrize("background", [BlurBackground(25), BlurBackground(), PixelateBackground()])
def test_no_texture_of_the_room_survives(background) -> None:
    frame, alpha = scene()
    rows, columns = np.indices(frame.y.shape)
    frame.y[...] = np.where((rows // 4 + columns // 4) % 2, 200, 40)
    plate = plate_of(background, frame, alpha)
    room = plate.y[:80, :120].astype(int)
    assert room.std() < 3
    assert abs(room.mean() - 120) < 3


def test_a_stronger_blur_is_stronger_and_looks_the_same_at_any_size() -> None:
    def edge_width(strength: float, height: int) -> float:
        """Share of the height over which a step from dark to bright spreads."""
        frame, alpha = scene(height * 16 // 9, height)
        alpha.small.fill(0)
        frame.y[: height // 2] = 40
        frame.y[height // 2 :] = 200
        column = plate_of(BlurBackground(strength), frame, alpha).y[:, 50].astype(float)
        return float(np.count_nonzero((column > 60) & (column < 180)) / height)

    widths = [edge_width(strength, 720) for strength in (5, 50, 100)]
    assert widths[0] * 1.8 < widths[1] < widths[2] / 1.3
    assert edge_width(50, 360) == pytest.approx(widths[1], rel=0.2)
    assert edge_width(50, 1080) == pytest.approx(widths[1], rel=0.2)


def test_pixelate_shows_square_blocks_of_the_given_height() -> None:
    frame, alpha = scene(1280, 720)
    alpha.small.fill(0)
    frame.y[...] = np.random.default_rng(1).integers(16, 236, (90, 160), np.uint8).repeat(8, 0).repeat(8, 1)
    plate = plate_of(PixelateBackground(72), frame, alpha)
    down = np.flatnonzero(np.diff(plate.y[:, 40].astype(int))) + 1
    across = np.flatnonzero(np.diff(plate.y[40].astype(int))) + 1
    assert list(down) == list(range(72, 720, 72))
    assert len(across) == 17
    assert set(np.diff(across)) <= {71, 72}


def test_camera_noise_does_not_shimmer_in_the_blur() -> None:
    frame, alpha = scene()
    background = BlurBackground()
    rng = np.random.default_rng(0)
    clean, plates = frame.y.copy(), []
    for _ in range(6):
        frame.y[...] = np.clip(clean + rng.normal(0, 5, clean.shape), 16, 235)
        plates.append(plate_of(background, frame, alpha).y.copy())
    spread = np.max(plates, axis=0).astype(int) - np.min(plates, axis=0)
    assert spread[alpha.full == 0].max() <= 2


@pytest.mark.parametrize("background", ALL, ids=lambda each: each.description)
def test_a_mask_that_covers_all_shows_neither_person_nor_garbage(background) -> None:
    frame, alpha = scene()
    frame.fill(*RED)
    alpha.small.fill(255)
    plate = plate_of(background, frame, alpha)
    assert np.abs(plate.u.astype(int) - 128).max() <= 1
    assert np.abs(plate.v.astype(int) - 128).max() <= 1
    assert plate.y.max() - plate.y.min() <= 1


@pytest.mark.parametrize("size", [(16, 16), (34, 18), (1920, 1080), (16, 400)])
@pytest.mark.parametrize("background", ALL, ids=lambda each: each.description)
def test_every_size_works(background, size) -> None:
    frame = Frame.allocate(*size)
    frame.fill(100, 110, 150)
    small = np.zeros((256, 256), np.uint8)
    plate = plate_of(background, frame, Alpha(frame.y, frame.u, small, NOTHING, 0))
    assert [int(plane.min()) for plane in plate.planes] == [100, 110, 150]
    assert [int(plane.max()) for plane in plate.planes] == [100, 110, 150]


@pytest.mark.parametrize("background", [BlurBackground(), PixelateBackground()])
def test_an_empty_box_gives_the_plate_alone(background) -> None:
    frame, alpha = scene()
    alpha.small.fill(0)
    alpha.box = NOTHING
    composer = PlateComposer(background, frame.size)
    out = composer.compose(frame, alpha, 0.0)
    assert out.y.min() >= 16
    assert composer.without_person(frame, 0.0).y.max() < 80


@pytest.mark.parametrize("background", [*ALL, NoBackground()])
def test_without_a_matte_nothing_made_from_the_frame_is_shown(background) -> None:
    background.prepare((64, 64))
    assert background.without_person(0.0) is None


def test_none_shows_the_frame_in_limited_range_and_needs_no_alpha() -> None:
    frame, _ = scene()
    frame.seq = 7
    composer = PlateComposer(NoBackground(), frame.size)
    assert not composer.needs_alpha
    out = composer.compose(frame, None, 0.0)
    np.testing.assert_array_equal(out.packed(), frame.packed())
    assert not np.shares_memory(out.y, frame.y)
    frame.full_range = True
    frame.fill(255, 0, 255)
    out = composer.compose(frame, None, 0.0)
    assert (out.y[0, 0], out.u[0, 0], out.v[0, 0], out.seq, out.full_range) == (235, 16, 240, 7, False)
    composer.exchange(BlurBackground()).close()
    assert composer.needs_alpha
