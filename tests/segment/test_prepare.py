from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.frames import Frame
from vcam.segment.prepare import Preparer

pytestmark = pytest.mark.usefixtures("both_ways")

COLOURS = [(255, 255, 255), (0, 0, 0), (128, 128, 128), (230, 30, 40), (20, 200, 60), (30, 50, 220), (240, 200, 30)]


def _frame_of(colour, size, *, full_range):
    """A frame of one RGB colour, made with the formulas of BT.601 (JFIF for the full range)."""
    red, green, blue = colour
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = (blue - luma) / 1.772, (red - luma) / 1.402
    frame = Frame.allocate(*size)
    if full_range:
        planes = luma, 128 + cb, 128 + cr
    else:
        planes = 16 + luma * 219 / 255, 128 + cb * 224 / 255, 128 + cr * 224 / 255
    frame.fill(*(min(255, max(0, round(value))) for value in planes))
    frame.full_range = full_range
    return frame


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("colour", COLOURS)
def test_known_colours_arrive_within_three_levels(colour, full_range):
    frame = _frame_of(colour, (1280, 720), full_range=full_range)
    for channels, wanted in (("RGB", colour), ("BGR", colour[::-1])):
        picture = Preparer((256, 144), channels).prepare(frame)
        assert np.abs(picture.astype(int) - wanted).max() <= 3


@pytest.mark.parametrize(
    "size", [(1280, 720), (1920, 1080), (640, 480), (176, 144), (1366, 768), (1080, 1920), (18, 22)]
)
@pytest.mark.parametrize("target", [(256, 144), (256, 256), (257, 257), (513, 513)])
def test_any_frame_becomes_the_picture_that_area_averaging_would_give(size, target):
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    smooth = 120 + 90 * np.sin(columns / width * 5) * np.cos(rows / height * 4)
    frame = Frame.allocate(*size)
    frame.y[...] = smooth.round().astype(np.uint8)
    picture = Preparer(target, "RGB").prepare(frame)
    assert picture.shape == (target[1], target[0], 3)
    wanted = np.clip((cv2.resize(smooth, target, interpolation=cv2.INTER_AREA) - 16) * 255 / 219, 0, 255)
    # the smallest frames are enlarged, where "area" repeats pixels: allow them the slope of a pixel
    allowed = 3 if width >= 176 else 40
    assert np.abs(picture[..., 1] - wanted).max() <= allowed


def test_fine_patterns_become_grey_instead_of_aliasing():
    frame = Frame.allocate(1280, 720)
    frame.y[:, ::2] = 235
    assert np.ptp(Preparer((256, 144), "RGB").prepare(frame).astype(int)) <= 4


def test_one_preparer_follows_frames_of_changing_size():
    preparer = Preparer((256, 144), "RGB")
    for size in ((1280, 720), (640, 480), (1280, 720)):
        frame = Frame.allocate(*size)
        frame.fill(235, 128, 128)
        assert preparer.prepare(frame).min() >= 253


def test_planes_that_are_views_of_a_larger_picture_are_taken():
    large = Frame.allocate(1280, 720)
    large.fill(235, 128, 128)
    large.y[:, :320] = 16
    left = Frame(large.y[:, :640], large.u[:, :320], large.v[:, :320])
    picture = Preparer((256, 144), "RGB").prepare(left)
    assert picture[:, :120].max() <= 2
    assert picture[:, 136:].min() >= 253


def test_the_frame_itself_is_left_alone():
    frame = _frame_of((230, 30, 40), (256, 144), full_range=True)
    before = frame.packed().copy()
    Preparer((256, 144), "RGB").prepare(frame)
    np.testing.assert_array_equal(frame.packed(), before)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (1918, 1078)], ids=str)
def test_the_pyramid_is_the_frame_that_was_shrunk_last_in_its_own_range(size, full_range):
    preparer = Preparer((256, 144), "RGB")
    for levels in ((235, 90, 170), (40, 200, 60)):
        frame = Frame.allocate(*size)
        frame.fill(*levels)
        frame.full_range = full_range
        preparer.prepare(frame)
        assert preparer.pyramid[-1].y.shape == (144, 256)
        for step in preparer.pyramid:
            assert step.full_range == full_range
            assert [(plane.min(), plane.max()) for plane in step.planes] == [(level, level) for level in levels]
