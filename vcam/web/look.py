"""What others see, as small JPEG pictures for the page: one at a time, when the page has shown the last.

Nothing is encoded while the page does not ask, and vcam copies nothing then. Who looks counts as a reader: the camera
is on as long as the page is visible. The matte, and the room beside what others see, are asked for picture by picture.
vcam makes the pictures small, keeps the pace, and lets the one after a change come at once.
"""

from __future__ import annotations

from enum import Enum

import cv2
import numpy as np
import simplejpeg

from vcam.control.viewing import Shown, Viewer
from vcam.control.wishes import Besides, Wish
from vcam.frames import Frame, Planes
from vcam.types import U8

WIDE = 640
"""Width of the page's picture at most, and of each of two side by side; its height follows."""
RATE = 15
"""Pictures a second at most, but for those that come sooner since something was changed."""
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
        """Raises `DeviceError` if no vcam of that name runs. May take seconds where one hangs."""
        self._viewer = Viewer(name)

    def fileno(self) -> int:
        """Readable when a picture is there, and when vcam has ended."""
        return self._viewer.fileno()

    def ask(self, view: View = View.SHOWN) -> None:
        """Ask for a picture, unless one was asked for that has not come; returns at once. Raises `VcamEnded`."""
        self._viewer.ask(Wish(_BESIDES[view], WIDE, RATE))

    def take(self, view: View = View.SHOWN) -> Shown | None:
        """The picture, None if it is not there yet; valid until the next is asked for. Raises `VcamError` at the end.

        Where there is no matte, or no room to be seen, it is what others see alone.
        """
        return self._viewer.take(_BESIDES[view])

    def close(self) -> None:
        self._viewer.close()


def encode(shown: Shown) -> bytes:
    """For the page: the first byte tells what it is, a JPEG follows."""
    if shown.matte is not None:
        grey: bytes = simplejpeg.encode_jpeg(shown.matte[..., None], QUALITY, "GRAY", fastdct=True)
        return bytes([MATTE]) + grey
    if shown.room is not None:
        before, after = (_planes(frame) for frame in (shown.room, shown.frame))
        return bytes([BOTH]) + _jpeg(tuple(np.hstack(pair) for pair in zip(before, after, strict=True)))
    return bytes([SHOWN if shown.composited else PLACEHOLDER]) + _jpeg(_planes(shown.frame))


def _planes(frame: Frame) -> Planes | tuple[U8, ...]:
    """A frame in JPEG's range."""
    if frame.full_range:
        return frame.planes
    return tuple(
        cv2.addWeighted(plane, gain, plane, 0, offset)  # type: ignore[misc]
        for plane, (gain, offset) in zip(frame.planes, (_LUMA, _CHROMA, _CHROMA), strict=True)
    )


def _jpeg(planes: tuple[U8, ...]) -> bytes:
    jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=QUALITY, fastdct=True)
    return jpeg


_LUMA = 255 / 219, -16 * 255 / 219
_CHROMA = 255 / 224, 128 - 128 * 255 / 224
"""Gain and offset from limited range to that of JPEG: JFIF 1.02 uses all levels. A table takes twice as long."""
