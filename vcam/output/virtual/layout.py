"""A frame in a size and layout that somebody else has chosen."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.fitting import contain
from vcam.frames import Frame, PixelFormat
from vcam.types import U8, Size


class Fit:
    """Scales frames of one size into another between black bars, and lays them out as I420, NV12 or YUYV."""

    def __init__(self, size: Size, target: Size, layout: PixelFormat) -> None:
        """All sides even. Buffers are made here and used again for every frame."""
        self._frame = Frame.allocate(*target)
        self._inner = self._frame.view(contain(size, target, unit=2, least=2))
        # area averaging costs ten times as much for ratios that are no whole numbers, and small ones do not need it
        shrinks = self._inner.width * 2 <= size[0]
        self._interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        self._layout = layout
        width, height = target
        if layout is PixelFormat.NV12:
            self._packed = np.empty(width * height * 3 // 2, np.uint8)
        elif layout is PixelFormat.YUYV:
            self._packed = np.empty(width * height * 2, np.uint8)
            self._yuyv = YuyvLayout(target)
        elif layout is not PixelFormat.I420:
            raise ValueError(f"no way to lay out {layout.name}")

    def place(self, frame: Frame) -> Frame:
        """The frame between black bars, not laid out; it belongs to this object until the next call."""
        for plane, target in zip(frame.planes, self._inner.planes, strict=True):
            if plane.shape == target.shape:
                np.copyto(target, plane)
            else:
                size = (target.shape[1], target.shape[0])
                cv2.resize(plane, size, dst=target, interpolation=self._interpolation)
        return self._frame

    def render(self, frame: Frame) -> U8:
        """The frame as one flat array, which belongs to this object until the next call."""
        placed = self.place(frame)
        if self._layout is PixelFormat.NV12:
            return self._as_nv12()
        if self._layout is PixelFormat.YUYV:
            self._yuyv.lay_out(placed, self._packed)
            return self._packed
        return placed.packed()

    def _as_nv12(self) -> U8:
        frame, luma = self._frame, self._frame.y.size
        np.copyto(self._packed[:luma].reshape(frame.y.shape), frame.y)
        cv2.merge([frame.u, frame.v], dst=self._packed[luma:].reshape(frame.height // 2, frame.width // 2, 2))
        return self._packed


class YuyvLayout:
    """Lays frames of one size out as YUYV: Y0 Cb Y1 Cr of each two pixels."""

    def __init__(self, size: Size) -> None:
        """Both sides even. Memory is taken here and used again for every frame."""
        self._pairs = np.empty((size[1] // 2, size[0] // 2, 2), np.uint8)

    def lay_out(self, frame: Frame, into: U8) -> None:
        """into: uint8, flat, of two bytes a pixel. Two lines share their chroma."""
        cv2.merge([frame.u, frame.v], dst=self._pairs)
        # seen as two channels, a line is Y0 Y1 ... beside Cb Cr ...
        chroma = self._pairs.reshape(frame.height // 2, frame.width)
        lines = into.reshape(frame.height, frame.width, 2)
        for first in (0, 1):
            cv2.merge([frame.y[first::2], chroma], dst=lines[first::2])
