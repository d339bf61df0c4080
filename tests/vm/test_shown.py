"""What the tests in the virtual machine take for a safe picture; these here need none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vm.shown import BACKGROUND_YUV, assert_safe, is_composited, is_placeholder, is_torn
from vcam.compose.placeholder import placeholder
from vcam.frames import Frame

SIZE = WIDTH, HEIGHT = 320, 180
BYTES = WIDTH * HEIGHT * 3 // 2
# in each plane: its first bytes, after the upper spots of the background, its middle
CUTS = [2, 700, 31 * WIDTH, 100 * WIDTH, 57600, 57602, 60000, 65000, 72000, 72002, 74000, 75000, 80000, BYTES - 200]
BARS = [(235, 128, 128), (210, 16, 146), (170, 166, 16), (145, 54, 34), (106, 202, 222), (81, 90, 240), (41, 240, 110)]


def flat(colour):
    frame = Frame.allocate(*SIZE)
    frame.fill(*colour)
    return frame


def bars():
    """As vivid shows them: white first, black last."""
    frame = flat((16, 128, 128))
    for index, colour in enumerate(BARS):
        left = index * WIDTH // 16 * 2
        for plane, level, at in zip((frame.y, frame.u, frame.v), colour, (left, left // 2, left // 2), strict=True):
            plane[:, at:] = level
    frame.y[:, -WIDTH // 8 :], frame.u[:, -WIDTH // 16 :], frame.v[:, -WIDTH // 16 :] = 16, 128, 128
    return frame


def noise():
    frame = Frame.allocate(*SIZE)
    frame.buffer[:] = np.random.default_rng(3).integers(16, 236, BYTES, np.uint8)
    return frame


def ramp():
    frame = flat((16, 128, 128))
    frame.y[:] = np.linspace(16, 235, WIDTH).astype(np.uint8)
    return frame


def composited():
    """A person of noise before the background, down to the lower edge."""
    frame = flat(BACKGROUND_YUV)
    for plane in (frame.y, frame.u, frame.v):
        height, width = plane.shape
        person = plane[height // 4 :, width // 4 : width * 3 // 4]
        person[:] = np.random.default_rng(4).integers(16, 236, person.shape, np.uint8)
    return frame


def card(text="the camera is used by obs (process 7)\nclose it there"):
    return placeholder(SIZE, text)


def torn(first, second, cut):
    return np.concatenate([first.buffer[:cut], second.buffer[cut:]])


RAW = {"bars": bars(), "noise": noise(), "ramp": ramp(), "white": flat((235, 128, 128)), "red": flat((81, 90, 240)),
       "black": flat((16, 128, 128)), "dark": flat((45, 128, 128))}  # fmt: skip


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("text", ["", "no camera"])
def test_a_tear_of_placeholder_and_composited_frame_is_known_for_one(cut, text):
    for data in (torn(card(text), composited(), cut), torn(composited(), card(text), cut)):
        assert is_torn(data, SIZE)


@pytest.mark.parametrize("cut", [1, *CUTS, BYTES - 1])
@pytest.mark.parametrize("raw", RAW)
def test_a_tear_with_what_the_camera_saw_is_not(raw, cut):
    seen = RAW[raw]
    for safe in (card(), card(""), composited()):
        assert not is_torn(torn(seen, safe, cut), SIZE)
    for safe in (card(), card("")):
        assert not is_torn(torn(safe, seen, cut), SIZE)
    # the end of a composited frame is not looked at, torn or not, since a person may be there
    assert cut > 72000 + 15 * WIDTH // 2 or not is_torn(torn(composited(), seen, cut), SIZE)


@pytest.mark.parametrize("raw", RAW)
def test_what_the_camera_saw_is_neither_safe_nor_a_tear(raw):
    assert not is_torn(RAW[raw].buffer, SIZE)
    with pytest.raises(AssertionError, match="neither placeholder nor composited"):
        assert_safe(RAW[raw])


def test_whole_frames_are_safe_and_no_tears():
    for frame in (composited(), card(), card("")):
        assert_safe(frame)
        assert not is_torn(frame.buffer, SIZE)
    assert is_composited(composited())
    assert is_placeholder(card())
