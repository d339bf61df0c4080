"""The screen as a background on Wayland: asked of the desktop's portal, read from PipeWire."""

from __future__ import annotations

import time
from fractions import Fraction

import cv2
import numpy as np

from vcam import folders
from vcam.errors import DeviceError, InputError
from vcam.fitting import Fit, cover
from vcam.frames import Frame, PixelFormat
from vcam.images import bgr_to_frame
from vcam.pipewire.portal import ScreenCast
from vcam.pipewire.sink import Sink, Taken
from vcam.types import U8, Size

RATE = Fraction(15)

_FORMATS = {
    PixelFormat.XBGR32: (0, 1, 2), PixelFormat.ABGR32: (0, 1, 2), PixelFormat.RGBX32: (2, 1, 0),
    PixelFormat.RGBA32: (2, 1, 0), PixelFormat.BGRX32: (1, 2, 3), PixelFormat.XRGB32: (3, 2, 1),
}  # fmt: skip
"""What compositors send, with the places of blue, green and red among the four bytes of a pixel."""
_FIRST = 10.0
"""Seconds that the first picture may take."""


def ask() -> ScreenCast:
    """Have the person choose a screen; not asked again while the desktop remembers. Raises `UsageError`."""
    return ScreenCast(folders.own("state") / "screen.token")


class ScreenReader:
    """Frames of a screen, as `vcam.compose.backgrounds.prefetch.Reader` has them: the newest one, or the same again."""

    def __init__(self, cast: ScreenCast, size: Size, fit: Fit) -> None:
        """Raises `InputError` if PipeWire does not give it, `UsageError` if the portal does not."""
        self._size, self._fit = size, fit
        self._frame: Frame | None = None
        try:
            self._sink = Sink("screen", {"media.category": "Capture", "media.role": "Screen"}, fd=cast.remote())
            try:
                self._sink.begin(tuple(_FORMATS), size, float(RATE), 3.0, cast.node)
            except BaseException:
                self._sink.close()
                raise
        except DeviceError as error:
            raise InputError(f"the screen cannot be read: {error.message}", error.hint) from error

    def read(self) -> Frame:
        """The newest picture; where nothing moves, none comes, and the last one is given again after a moment.

        It is this object's until the next call. Raises `InputError` if the screen is shown no more.
        """
        try:
            return self._newest()
        except DeviceError as error:
            raise InputError(f"the screen is shown no more: {error.message}") from error

    def _newest(self) -> Frame:
        patience = 1 / float(RATE) if self._frame is not None else _FIRST
        end = time.monotonic() + patience
        taken = self._sink.newest(patience)
        while taken is not None and taken.damaged and time.monotonic() < end:
            taken = self._sink.newest(max(0.0, end - time.monotonic()))
        if taken is not None and not taken.damaged:
            self._frame = self._convert(taken)
        if self._sink.state.lost or self._sink.refused or self._frame is None:
            raise InputError(
                f"the screen is shown no more: {self._sink.refused or self._sink.state.error or 'no picture comes'}"
            )
        return self._frame

    def _convert(self, taken: Taken) -> Frame | None:
        width, height = taken.agreed.size
        places = _FORMATS.get(taken.agreed.format)
        stride = taken.stride or width * 4
        if places is None or taken.data.size < stride * (height - 1) + width * 4 or stride < width * 4:
            return self._frame
        lines = np.lib.stride_tricks.as_strided(taken.data, (height, width, 4), (stride, 4, 1))
        bgr: U8 = np.ascontiguousarray(lines[:, :, list(places)])
        if self._fit != "stretch":
            box = cover((width, height), self._size)
            bgr = bgr[box.y0 : box.y1, box.x0 : box.x1]
        scaled = cv2.resize(bgr, self._size, interpolation=cv2.INTER_AREA)
        return bgr_to_frame(np.asarray(scaled, np.uint8))

    def close(self) -> None:
        """End it. May be called twice."""
        self._sink.close()
