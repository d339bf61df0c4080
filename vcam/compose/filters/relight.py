"""A person in another light: the arguments of `vcam.harmony` applied to a frame.

Luma goes through a table. Chroma is C' = gain (C - 128) + share Y + offset, where Y is the mean of the four samples of
luma before. Both tell the range of the frame from the limited one of what they write, so that a frame of full range
costs nothing more. The compiled loop does all of it in one pass; where a row has no matte it copies.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam import harmony, native
from vcam.colour import BLACK, CHROMA_SCALE, FULL, HIGHEST, LOWEST, LUMA_SCALE, LUMA_SPAN, NEUTRAL, WHITE
from vcam.compose.filters.planes import LEVELS, Scratch
from vcam.frames import Box, Frame
from vcam.scaling import halve
from vcam.types import F32, U8, Size

STEPS = 256
"""Steps of an argument from 0 to 1: less is not seen, and nothing is made anew for it."""


class Relight:
    """Applies arguments, the same ones to many frames, to pictures of one size."""

    def __init__(self) -> None:
        self._kernels = native.kernels()
        self._made: tuple[bytes, bool] | None = None
        self._arguments: F32 = np.zeros(len(harmony.NAMES), np.float32)

    def prepare(self, size: Size) -> None:
        """Get buffers for pictures of `size`."""
        if self._kernels is None:
            self._luma, self._half = Scratch(size), Scratch((size[0] // 2, size[1] // 2))

    def choose(self, arguments: F32) -> bool:
        """Go on with these, (8,) from -1 to 1. False if they change nothing."""
        self._arguments = (np.rint(arguments * STEPS) / STEPS).astype(np.float32)
        return bool(self._arguments.any())

    def apply(self, source: Frame, target: Frame, matte: U8, box: Box) -> None:
        """Write what becomes of the source, of either range, into `target` inside the box; they may be one.

        matte: of the whole picture; where it is 0 within the box, the source's samples may come as they are, limited.
        """
        self._make(source.full_range)
        part, out = source.view(box), target.view(box)
        inside = matte[box.y0 : box.y1, box.x0 : box.x1]
        if self._kernels is not None:
            self._kernels.harmony.relight(
                part.planes, out.planes, inside, self._curve, gain=self._gain, shares=self._shares,
                offsets=self._offsets, luma=self._bounds, chroma=(LOWEST, HIGHEST), copied=not source.full_range,
            )  # fmt: skip
            return
        light = self._luma.like(part.y)
        np.clip(part.y, *self._bounds, out=light)
        half = halve(light, self._half.like(part.u))
        for plane, to, share, offset in zip(part.planes[1:], out.planes[1:], self._shares, self._offsets, strict=True):
            start = offset - NEUTRAL * self._gain
            cv2.addWeighted(plane, self._gain, half, share, start, dst=to)
            np.clip(to, LOWEST, HIGHEST, out=to)
        cv2.LUT(part.y, self._curve, dst=out.y)

    def _make(self, full_range: bool) -> None:
        """The table and the terms for frames of a range."""
        key = self._arguments.tobytes(), full_range
        if self._made == key:
            return
        gain, blue, red = harmony.chroma(self._arguments)
        if full_range:
            light = LEVELS / FULL
            self._gain, self._bounds = gain * CHROMA_SCALE, (0, FULL)
            self._shares = blue * LUMA_SCALE, red * LUMA_SCALE
        else:
            light = (LEVELS - BLACK) / LUMA_SPAN
            self._gain, self._shares, self._bounds = gain, (blue, red), (BLACK, WHITE)
        dark = self._bounds[0]
        self._offsets = NEUTRAL - self._shares[0] * dark, NEUTRAL - self._shares[1] * dark
        self._curve: U8 = np.rint(BLACK + LUMA_SPAN * harmony.curve(light, self._arguments)).astype(np.uint8)
        self._made = key
