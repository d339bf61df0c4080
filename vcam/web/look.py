"""What others see, as small JPEG pictures for the page: one at a time, when the page has shown the last.

Nothing is encoded while the page does not ask, and vcam copies nothing then. Who looks counts as a reader: the camera
is on as long as the page is visible. The matte, and the room beside what others see, are asked for picture by picture.
"""

from __future__ import annotations

import threading
import time
from enum import Enum

import cv2
import numpy as np
import simplejpeg

from vcam.control.viewers import Besides
from vcam.control.viewing import Shown, Viewer
from vcam.frames import Frame, Planes
from vcam.types import U8, Size

WIDE = 640
"""Width of the page's picture at most, and of each of two side by side; its height follows."""
RATE = 15.0
"""Pictures a second at most."""
HURRIES = 4.0
"""Pictures a second at most that come sooner, since something was changed."""
QUALITY = 80


class View(Enum):
    """What the page shows: what others see, the matte of it, or the room beside it."""

    SHOWN = "shown"
    MATTE = "matte"
    BOTH = "both"


_BESIDES = {View.SHOWN: Besides.NOTHING, View.MATTE: Besides.MATTE, View.BOTH: Besides.ROOM}
PLACEHOLDER, SHOWN, MATTE, BOTH = range(4)
"""The first byte of a picture: what it is."""


class Look:
    """One page that looks. Not thread safe; `close` lets go of the camera."""

    def __init__(self, name: str) -> None:
        """Raises `DeviceError` if no vcam of that name runs."""
        self._viewer = Viewer(name)
        self._small: dict[Size, Frame] = {}
        self._next = self._hurried = 0.0
        self._hurry = threading.Event()

    def hurry(self) -> None:
        """Something has just been changed: the next picture comes at once, for any thread. Not more than `HURRIES`."""
        now = time.monotonic()
        if now - self._hurried >= 1 / HURRIES:
            self._hurried = now
            self._hurry.set()

    def picture(self, timeout: float = 1.0, view: View = View.SHOWN) -> bytes | None:
        """The next picture, not sooner than the rate allows; None if there is none. Raises `VcamError` at the end.

        The first byte tells what it is, a JPEG follows. Where there is no matte, or no room to be seen, it is what
        others see.
        """
        self._hurry.wait(max(0.0, self._next - time.monotonic()))
        self._hurry.clear()
        shown = self._viewer.next(timeout, _BESIDES[view])
        if shown is None:
            return None
        self._next = time.monotonic() + 1 / RATE
        return self._encoded(shown)

    def _encoded(self, shown: Shown) -> bytes:
        if shown.matte is not None:
            size = small_size(shown.frame.size)
            small = cv2.resize(shown.matte, size, interpolation=_way(shown.frame.size, size))
            grey: bytes = simplejpeg.encode_jpeg(small[..., None], QUALITY, "GRAY", fastdct=True)
            return bytes([MATTE]) + grey
        if shown.room is not None:
            before, after = (self._planes(frame) for frame in (shown.room, shown.frame))
            return bytes([BOTH]) + _jpeg(tuple(np.hstack(pair) for pair in zip(before, after, strict=True)))
        return bytes([SHOWN if shown.composited else PLACEHOLDER]) + _jpeg(self._planes(shown.frame))

    def _planes(self, frame: Frame) -> tuple[U8, ...]:
        """A frame made small, in JPEG's range: valid until the next call for that size where nothing is converted."""
        size = small_size(frame.size)
        planes: Planes = frame.planes
        if size != frame.size:
            small = self._small.get(size) or self._small.setdefault(size, Frame.allocate(*size))
            way = _way(frame.size, size)
            for source, target in zip(frame.planes, small.planes, strict=True):
                cv2.resize(source, target.shape[::-1], dst=target, interpolation=way)
            planes = small.planes
        if frame.full_range:
            return tuple(plane.copy() for plane in planes)
        return tuple(
            cv2.LUT(plane, table).astype(np.uint8, copy=False)
            for plane, table in zip(planes, (_LUMA, _CHROMA, _CHROMA), strict=True)
        )

    def close(self) -> None:
        self._viewer.close()


def small_size(size: Size) -> Size:
    """The size for the page: `WIDE` at most, even, in the shape of the whole."""
    width, height = size
    if width <= WIDE:
        return size
    return WIDE, max(2, round(height * WIDE / width / 2) * 2)


def _way(size: Size, small: Size) -> int:
    """How to make a picture smaller: by area where that is quick, or needed; it takes ten times as long in between."""
    return cv2.INTER_LINEAR if size[0] % small[0] and size[0] < 2 * small[0] else cv2.INTER_AREA


def _jpeg(planes: tuple[U8, ...]) -> bytes:
    jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(
        *(np.ascontiguousarray(plane) for plane in planes), quality=QUALITY, fastdct=True
    )
    return jpeg


_LUMA = np.clip(np.rint((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
_CHROMA = np.clip(np.rint((np.arange(256) - 128) * 255 / 224 + 128), 0, 255).astype(np.uint8)
"""From limited range to that of JPEG: JFIF 1.02 uses all levels."""
