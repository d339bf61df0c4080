"""A person in another light: the arguments of `vcam.harmony` applied to a frame.

Luma goes through a table. Chroma is C' = gain (C - 128) + share Y + offset, where Y is the mean of the four samples of
luma before. Both tell the range of the frame from the limited one of what they write, so that a frame of full range
costs nothing more. The compiled loop does all of it in one pass, and the blend with it where nothing else changes the
person; where a row has no matte it copies.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vcam import harmony, native
from vcam.colour import BLACK, CHROMA_SCALE, FULL, HIGHEST, LOWEST, LUMA_SCALE, LUMA_SPAN, NEUTRAL, WHITE
from vcam.compose.filters.planes import LEVELS, Scratch
from vcam.frames import Alpha, Box, Frame
from vcam.scaling import halve
from vcam.types import F32, U8, Size

STEPS = 256
"""Steps of an argument from 0 to 1: less is not seen, and nothing is made anew for it."""


class Relight:
    """Applies arguments, the same ones to many frames, to pictures of one size."""

    def __init__(self) -> None:
        self._kernels = native.kernels()
        self._made: tuple[bytes, bool] | None = None
        self._given: F32 | None = None
        self._arguments: F32 = np.zeros(len(harmony.NAMES), np.float32)
        self._changes = False

    def prepare(self, size: Size) -> None:
        """Get buffers for pictures of `size`."""
        if self._kernels is None:
            self._luma, self._half = Scratch(size), Scratch((size[0] // 2, size[1] // 2))

    def choose(self, arguments: F32, strength: float = 1.0) -> bool:
        """Go on with such a share of these, (8,) from -1 to 1. False if they change nothing.

        The array must not be changed, nor the strength be another one for the same array.
        """
        if arguments is not self._given:
            self._given = arguments
            self._arguments = (np.rint(arguments * (STEPS * strength)) / STEPS).astype(np.float32)
            self._changes = bool(self._arguments.any())
        return self._changes

    def apply(self, source: Frame, target: Frame, matte: U8, box: Box) -> None:
        """Write what becomes of the source, of either range, into `target` inside the box; they may be one.

        matte: of the whole picture; where it is 0 within the box, the source's samples may come as they are, limited.
        """
        self._make(source.full_range)
        part, out = source.view(box), target.view(box)
        inside = matte[box.y0 : box.y1, box.x0 : box.x1]
        if self._kernels is not None:
            self._kernels.harmony.relight(part.planes, out.planes, inside, **self._terms)
            return
        light = self._luma.like(part.y)
        np.clip(part.y, *self._bounds, out=light)
        half = halve(light, self._half.like(part.u))
        for plane, to, share, offset in zip(part.planes[1:], out.planes[1:], self._shares, self._offsets, strict=True):
            start = offset - NEUTRAL * self._gain
            cv2.addWeighted(plane, self._gain, half, share, start, dst=to)
            np.clip(to, LOWEST, HIGHEST, out=to)
        cv2.LUT(part.y, self._curve, dst=out.y)

    @property
    def compiled(self) -> bool:
        """Whether `blend` can be asked."""
        return self._kernels is not None

    def blend(self, frame: Frame, alpha: Alpha, plate: Frame, out: Frame) -> None:
        """Blend what becomes of a frame, of either range, with a plate, in the alpha's box; `out` may be the plate."""
        assert self._kernels is not None
        self._make(frame.full_range)
        box, half = alpha.box, alpha.box.half()
        mattes = alpha.full[box.y0 : box.y1, box.x0 : box.x1], alpha.half[half.y0 : half.y1, half.x0 : half.x1]
        self._kernels.harmony.relight(
            frame.view(box).planes, out.view(box).planes, mattes[0],
            behind=(mattes[1], plate.view(box).planes), **self._terms,
        )  # fmt: skip

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
        self._terms: Any = {
            "curve": self._curve, "gain": self._gain, "shares": self._shares, "offsets": self._offsets,
            "luma": self._bounds, "chroma": (LOWEST, HIGHEST), "copied": not full_range,
        }  # fmt: skip
        self._made = key
