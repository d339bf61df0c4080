"""How a picture of another shape fills the frame.

cover: all of the frame, cutting off what sticks out. contain: all of the picture, with bars. stretch: both, distorted.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

import cv2
import numpy as np

from vcam.frames import MIN_SIDE, Box
from vcam.types import U8, Size

Fit: TypeAlias = Literal["cover", "contain", "stretch"]

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
    box = contained(_size(picture), size)
    inner = _resize(picture, (box.x1 - box.x0, box.y1 - box.y0))
    if inner.shape[:2] == (size[1], size[0]):
        return inner
    result = _backdrop(picture, size)
    result[box.y0 : box.y1, box.x0 : box.x1] = inner
    return result


def contained(inner: Size, outer: Size, aspect: Fraction = Fraction(1)) -> Box:
    """Where a picture of size `inner`, its pixels `aspect` times as wide as high, lies whole and centred in `outer`.

    The bounds are even, and each side is at least what a frame needs, even if that distorts a mere line.
    """
    width, height = inner[0] * aspect, Fraction(inner[1])
    scale = min(outer[0] / width, outer[1] / height)
    wide, high = (
        min(max(MIN_SIDE, 2 * round(side * scale / 2)), limit)
        for side, limit in zip((width, height), outer, strict=True)
    )
    x0, y0 = (outer[0] - wide) // 4 * 2, (outer[1] - high) // 4 * 2
    return Box(x0, y0, x0 + wide, y0 + high)


def cover_filter(size: Size) -> str:
    """The same cut as ffmpeg's filter, for films: it keeps the middle that has the shape of `size`."""
    shape = f"{size[0]}/{size[1]}"
    return f"crop=w='max(2,min(iw,ih*{shape}/max(sar,0.001)))':h='max(2,min(ih,iw*max(sar,0.001)/({shape})))'"


def _size(picture: U8) -> Size:
    return int(picture.shape[1]), int(picture.shape[0])


def _cut(picture: U8, size: Size) -> U8:
    width, height = _size(picture)
    wide = min(width, max(1, round(height * size[0] / size[1])))
    high = min(height, max(1, round(width * size[1] / size[0])))
    x0, y0 = (width - wide) // 2, (height - high) // 2
    return picture[y0 : y0 + high, x0 : x0 + wide]


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
