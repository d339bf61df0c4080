"""A picture of any shape made one of the frame's."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.fitting import Fit, contain, cover
from vcam.frames import MIN_SIDE
from vcam.types import U8, Size

_BAR_BRIGHTNESS = 0.35


def fit_picture(picture: U8, size: Size, fit: Fit) -> U8:
    """A BGR picture as uint8 (height, width, 3) of exactly `size`, a fresh array.

    The bars of `contain` show the picture itself, enlarged, blurred and darkened: bright or black bars beside a
    person look like a fault of the camera.
    """
    if fit == "stretch":
        return _resize(picture, size)
    if fit == "cover":
        return _resize(_cut(picture, size), size)
    box = contain(_size(picture), size, unit=2, least=MIN_SIDE)
    inner = _resize(picture, box.size)
    if inner.shape[:2] == (size[1], size[0]):
        return inner
    result = _backdrop(picture, size)
    result[box.y0 : box.y1, box.x0 : box.x1] = inner
    return result


def _size(picture: U8) -> Size:
    return int(picture.shape[1]), int(picture.shape[0])


def _cut(picture: U8, size: Size) -> U8:
    part = cover(_size(picture), size)
    return picture[part.y0 : part.y1, part.x0 : part.x1]


def _resize(picture: U8, size: Size) -> U8:
    width, height = _size(picture)
    # AREA averages when shrinking, but repeats pixels when enlarging
    shrinks = size[0] <= width and size[1] <= height
    result = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return result.astype(np.uint8, copy=False)


def _backdrop(picture: U8, size: Size) -> U8:
    small = (max(2, size[0] // 16), max(2, size[1] // 16))
    blurred = cv2.GaussianBlur(_resize(_cut(picture, size), small), (0, 0), max(1.0, small[1] / 15))
    return _resize((blurred * _BAR_BRIGHTNESS).astype(np.uint8), size)
