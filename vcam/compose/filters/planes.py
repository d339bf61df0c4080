"""Small tools on planes that several filters need."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vcam import native
from vcam.colour import BLACK, HIGHEST, LOWEST, LUMA_SPAN, WHITE, to_limited
from vcam.frames import Box, Frame
from vcam.scaling import Odd, Reducer, enlarge
from vcam.types import F32, U8, Size

LINES = 720
"""Lengths are in lines of a picture this high, so that they look the same at any size."""

LEVELS = np.arange(256, dtype=np.float64)


def luma_table(curve: Callable[[np.ndarray[tuple[int], np.dtype[np.float64]]], object]) -> U8:
    """A table, uint8 (256,), from a curve on luma, 0 black to 1 white; samples beyond those count as them."""
    light = np.clip((LEVELS - BLACK) / LUMA_SPAN, 0, 1)
    shaped = np.asarray(curve(light), np.float64)
    return np.rint(BLACK + LUMA_SPAN * np.clip(np.nan_to_num(shaped), 0, 1)).astype(np.uint8)


def plane_table(gain: float, centre: float, target: float, chroma: bool) -> U8:
    """A table, uint8 (256,), of `gain * (sample - centre) + target`, kept in the limited range."""
    top = HIGHEST if chroma else WHITE
    return np.rint(np.clip(gain * (LEVELS - centre) + target, BLACK, top)).astype(np.uint8)


def copy_limited(source: Frame, target: Frame, box: Box) -> None:
    """Copy the samples inside `box`, bringing them into the limited range."""
    half = box.half()
    for index, (theirs, mine) in enumerate(zip(source.planes, target.planes, strict=True)):
        part = half if index else box
        theirs, mine = (plane[part.y0 : part.y1, part.x0 : part.x1] for plane in (theirs, mine))
        if source.full_range:
            scale, offset = to_limited(True, index > 0)
            cv2.convertScaleAbs(theirs, dst=mine, alpha=scale, beta=offset)
        else:
            np.copyto(mine, theirs)


def legal(picture: Frame, box: Box) -> None:
    """Clip the samples inside `box` to the limited range."""
    part = picture.view(box)
    np.clip(part.y, BLACK, WHITE, out=part.y)
    for plane in (part.u, part.v):
        np.clip(plane, LOWEST, HIGHEST, out=plane)


def whole(size: Size) -> Box:
    """All of a picture of `size`."""
    return Box(0, 0, *size)


class Scratch:
    """Memory for one plane, given out in any shape that fits."""

    def __init__(self, size: Size) -> None:
        self._buffer = np.empty(size[0] * size[1], np.uint8)

    def fill(self, level: int) -> None:
        """Make it a plane of one level, which it stays unless somebody writes to it."""
        self._buffer.fill(level)

    def like(self, plane: U8) -> U8:
        """An array of the plane's shape, valid until the next call."""
        return self.shaped((plane.shape[1], plane.shape[0]))

    def shaped(self, size: Size) -> U8:
        """The same of a (width, height)."""
        return self._buffer[: size[0] * size[1]].reshape(size[1], size[0])


class Shade:
    """A gain and a lift for each sample: S' = gain / 255 * S + lift."""

    def __init__(self) -> None:
        self._kernels = native.kernels()

    def apply(self, gain: U8, lift: U8, sample: U8) -> None:
        """Change the samples in place; all have one shape."""
        if self._kernels is not None:
            self._kernels.shade(gain, lift, sample)
            return
        cv2.multiply(sample, gain, dst=sample, scale=1 / 255)
        cv2.add(sample, lift, dst=sample)


REDUCED = 8
"""How many luma pixels wide and high a pixel of a small picture is, where the size divides by it."""


class SmallPictures:
    """Frames and mattes of one size at an eighth of it, and maps of that size brought back to planes.

    `size` is (width, height) of the small picture, at which luma and chroma have the same number of pixels.
    """

    def __init__(self, size: Size) -> None:
        self._full = size
        self.size: Size = (max(2, size[0] // REDUCED), max(2, size[1] // REDUCED))
        half = (size[0] // 2, size[1] // 2)
        # by areas at last: where a side cannot be halved often enough, that step is a long one
        self._reducer = Reducer(Odd.KEPT, cv2.INTER_AREA)
        self._small = np.empty(self.size[::-1], np.uint8)
        self._exact = size[0] % REDUCED == 0 and size[1] % REDUCED == 0
        self._enlarged = Scratch(size)
        self._clean = np.zeros(half[::-1], np.uint8)
        self._dirty = slice(0, 0), slice(0, 0)

    def picture(self, frame: Frame, out: F32) -> F32:
        """The frame as float32 (3, height, width) Y, Cb, Cr of limited range, written to `out`."""
        for index, (plane, target) in enumerate(zip(frame.planes, out, strict=True)):
            self._reducer.reduce(plane, self._small)
            scale, offset = to_limited(frame.full_range, index > 0)
            np.multiply(self._small, np.float32(scale), out=target)
            if offset:
                np.add(target, np.float32(offset), out=target)
        return out

    def planes(self, count: int) -> F32:
        """A fresh float32 (count, height, width)."""
        return np.empty((count, self.size[1], self.size[0]), np.float32)

    def luma(self, frame: Frame) -> U8:
        """The frame's luma, uint8 (height, width), in its own range; valid until the next call."""
        self._reducer.reduce(frame.y, self._small)
        return self._small

    def matte(self, half: U8, box: Box, out: F32) -> F32:
        """The matte as float32 (height, width) 0..1, written to `out`; `half` counts as 0 outside of `box`."""
        part = box.half()
        where = slice(part.y0, part.y1), slice(part.x0, part.x1)
        # what lies outside of the box may be anything, and a small pixel may reach there
        self._clean[self._dirty] = 0
        np.copyto(self._clean[where], half[where])
        self._dirty = where
        self._reducer.reduce(self._clean, self._small)
        return np.multiply(self._small, np.float32(1 / 255), out=out)

    def enlarge(self, small: U8, box: Box, chroma: bool, into: Scratch | None = None) -> U8:
        """The part of a small map, uint8 (height, width), that belongs to `box`, at the size of a plane.

        The array lies in `into`, which is for a whole picture, or else in this object until the next call.
        """
        into = into or self._enlarged
        if not self._exact:
            size = (self._full[0] // 2, self._full[1] // 2) if chroma else self._full
            out = into.shaped(size)
            cv2.resize(small, size, dst=out, interpolation=cv2.INTER_LINEAR)
            part = box.half() if chroma else box
            return out[part.y0 : part.y1, part.x0 : part.x1]
        # one cell more on each side, so that what comes out does not depend on where the box ends
        cells = Box(
            max(0, box.x0 // REDUCED - 1),
            max(0, box.y0 // REDUCED - 1),
            min(self.size[0], -(-box.x1 // REDUCED) + 1),
            min(self.size[1], -(-box.y1 // REDUCED) + 1),
        )
        step = REDUCED // 2 if chroma else REDUCED
        out = into.shaped(((cells.x1 - cells.x0) * step, (cells.y1 - cells.y0) * step))
        source = small[cells.y0 : cells.y1, cells.x0 : cells.x1]
        enlarge(source, out)
        part = box.half() if chroma else box
        x, y = cells.x0 * step, cells.y0 * step
        return out[part.y0 - y : part.y1 - y, part.x0 - x : part.x1 - x]
