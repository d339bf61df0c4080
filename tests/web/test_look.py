"""What the page is sent of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.control.viewing import Shown
from vcam.frames import Frame
from vcam.web import look as module
from vcam.web.look import BOTH, MATTE, PLACEHOLDER, SHOWN, encode

SIZE = (640, 360)


def grey(luma: int) -> Frame:
    frame = Frame.allocate(*SIZE)
    frame.fill(luma, 128, 128)
    # as it comes: memory that nobody may write to
    for plane in frame.planes:
        plane.flags.writeable = False
    return frame


def decoded(told: bytes) -> tuple[int, np.ndarray]:
    picture = cv2.imdecode(np.frombuffer(told[1:], np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return told[0], picture


def test_what_others_see() -> None:
    kind, picture = decoded(encode(Shown(grey(16 + 219 * 3 // 4), True)))
    assert (kind, picture.shape) == (SHOWN, (360, 640))
    assert abs(int(picture.mean()) - 191) < 3


def test_the_matte_is_black_and_white() -> None:
    matte = np.zeros((360, 640), np.uint8)
    matte[:, 320:] = 255
    matte.flags.writeable = False
    kind, picture = decoded(encode(Shown(grey(100), True, matte=matte)))
    assert (kind, picture.shape) == (MATTE, (360, 640))
    assert picture[:, :300].max() < 4
    assert picture[:, 340:].min() > 251


@pytest.mark.parametrize("full", [True, False])
def test_the_room_stands_left_of_what_others_see_each_in_its_own_range(full: bool) -> None:
    room = grey(60 if full else 16 + round(60 * 219 / 255))
    room.full_range = full
    kind, picture = decoded(encode(Shown(grey(16 + 219 * 3 // 4), True, room=room)))
    assert (kind, picture.shape) == (BOTH, (360, 1280))
    assert abs(int(picture[:, :620].mean()) - 60) < 3
    assert abs(int(picture[:, 660:].mean()) - 191) < 3


def test_a_placeholder_is_one() -> None:
    kind, picture = decoded(encode(Shown(grey(100), False)))
    assert (kind, picture.shape) == (PLACEHOLDER, (360, 640))


def test_all_levels_go_over_into_those_of_a_jpeg() -> None:
    frame = Frame.allocate(256, 16)
    for plane in frame.planes:
        plane[:] = np.arange(256)[:: 256 // plane.shape[1]]
    y, u, v = module._planes(frame)
    levels = np.arange(256)
    np.testing.assert_array_equal(y[0], np.clip(np.rint((levels - 16) * 255 / 219), 0, 255))
    wanted = np.clip(np.rint((levels[::2] - 128) * 255 / 224 + 128), 0, 255)
    np.testing.assert_array_equal(u[0], wanted)
    np.testing.assert_array_equal(v[0], wanted)


def test_colours_are_those_that_others_see() -> None:
    frame = Frame.allocate(*SIZE)
    # BT.601, limited range, of (200, 40, 90) in RGB
    frame.fill(100, 126, 187)
    wanted = cv2.cvtColor(frame.packed().reshape(-1, 640), cv2.COLOR_YUV2BGR_I420)[5, 5].astype(int)
    picture = cv2.imdecode(np.frombuffer(encode(Shown(frame, True))[1:], np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(picture.astype(int) - wanted).max() <= 3
