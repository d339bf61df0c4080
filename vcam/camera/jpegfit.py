"""A decoded JPEG picture brought to the size that the camera agreed to, where the two differ."""

from __future__ import annotations

import cv2

from vcam.camera.jpeghead import Fault, other_size
from vcam.frames import Box, Frame
from vcam.types import U8, Size

_BLOCKS = 32
"""Pixels that a side may differ by: JPEG is coded in blocks of up to 32, and some cameras send them whole, or leave the
last of them out."""


class Fit:
    """Gives frames of one size.

    What is a little larger is cut off at the right and below, since the first pixel is the same in both. What is a
    little smaller goes on with its last columns and lines: a dark stripe along two sides would be seen. Half the lines
    are one field of two, as old grabbers send them, and are spread over the height.
    """

    def __init__(self, size: Size) -> None:
        self._size = size
        self._own: Frame | None = None

    def fault(self, size: Size) -> Fault | None:
        """What is wrong with a picture of that size; None if it can be brought to the one that was agreed."""
        near = all(abs(side - agreed) < _BLOCKS for side, agreed in zip(size, self._size, strict=True))
        return None if near or self._is_field(size) else other_size(size, self._size)

    def _is_field(self, size: Size) -> bool:
        return size[0] == self._size[0] and size[1] == self._size[1] // 2

    def fit(self, frame: Frame, size: Size) -> Frame:
        """A frame of `size`, of which the last column or line may be missing if it is odd, in the size agreed.

        It is the frame itself, a view of it, or a buffer of this object.
        """
        if frame.size == self._size:
            return frame
        width, height = self._size
        if not self._is_field(size):
            box = Box(0, 0, min(width, frame.width), min(height, frame.height))
            if box.size != frame.size:
                frame = _cut(frame, box)
            if box.size == self._size:
                return frame
        own = self._own = self._own or Frame.allocate(width, height)
        for plane, target in zip(frame.planes, own.planes, strict=True):
            if self._is_field(size):
                cv2.resize(plane, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
            else:
                _continue(plane, target)
        own.full_range = frame.full_range
        return own


def _cut(frame: Frame, box: Box) -> Frame:
    """The upper left part; unlike `Frame.view`, bounds may be odd, and the chroma of the last pixel is in it then."""
    half = (box.y1 + 1) // 2, (box.x1 + 1) // 2
    y, u, v = frame.planes
    cut = Frame(y[: box.y1, : box.x1], u[: half[0], : half[1]], v[: half[0], : half[1]])
    cut.full_range = frame.full_range
    return cut


def _continue(plane: U8, target: U8) -> None:
    below, right = target.shape[0] - plane.shape[0], target.shape[1] - plane.shape[1]
    cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REPLICATE, dst=target)
