"""What others see, as small JPEG pictures for the page: one at a time, when the page has shown the last.

Nothing is encoded while the page does not ask, and vcam copies nothing then. Who looks counts as a reader: the camera
is on as long as the page is visible.
"""

from __future__ import annotations

import time

import cv2
import numpy as np
import simplejpeg

from vcam.control.viewing import Viewer
from vcam.frames import Frame
from vcam.types import Size

WIDE = 640
"""Width of the page's picture at most; its height follows."""
RATE = 15.0
"""Pictures a second at most."""
QUALITY = 80


class Look:
    """One page that looks. Not thread safe; `close` lets go of the camera."""

    def __init__(self, name: str) -> None:
        """Raises `DeviceError` if no vcam of that name runs."""
        self._viewer = Viewer(name)
        self._small: Frame | None = None
        self._next = 0.0

    def picture(self, timeout: float = 1.0) -> bytes | None:
        """The next picture, not sooner than the rate allows; None if there is none. Raises `VcamError` at the end.

        The first byte is 1 for a picture of vcam's, 0 for a placeholder; a JPEG follows.
        """
        time.sleep(max(0.0, self._next - time.monotonic()))
        shown = self._viewer.next(timeout)
        if shown is None:
            return None
        self._next = time.monotonic() + 1 / RATE
        small = self._scaled(shown.frame)
        jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(
            *(np.ascontiguousarray(plane) for plane in _full_range(small)), quality=QUALITY, fastdct=True
        )
        return bytes([shown.composited]) + jpeg

    def _scaled(self, frame: Frame) -> Frame:
        size = small_size(frame.size)
        if size == frame.size:
            return frame
        if self._small is None or self._small.size != size:
            self._small = Frame.allocate(*size)
        for source, target in ((frame.y, self._small.y), (frame.u, self._small.u), (frame.v, self._small.v)):
            cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_AREA)
        return self._small

    def close(self) -> None:
        self._viewer.close()


def small_size(size: Size) -> Size:
    """The size for the page: `WIDE` at most, even, in the shape of the whole."""
    width, height = size
    if width <= WIDE:
        return size
    return WIDE, max(2, round(height * WIDE / width / 2) * 2)


_LUMA = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
_CHROMA = np.clip(np.rint((np.arange(256) - 128) * 255 / 224 + 128), 0, 255).astype(np.uint8)
"""From limited range to that of JPEG: JFIF 1.02 uses all levels."""


def _full_range(frame: Frame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return cv2.LUT(frame.y, _LUMA), cv2.LUT(frame.u, _CHROMA), cv2.LUT(frame.v, _CHROMA)
