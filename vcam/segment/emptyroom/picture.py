"""The room as it is remembered: a small picture of it, empty, and which of its pixels are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vcam.frames import MIN_SIDE, Box, Frame, Map
from vcam.images import between_maps
from vcam.scaling import halve
from vcam.segment.emptyroom.light import Plate
from vcam.segment.prepare import Preparer
from vcam.types import U8, Size

WIDEST = 640
"""The picture is the frame halved until it is no wider: as large as the edge of a 720-line film is refined at."""

KNOWN = 250
"""Of a pixel of the map so much in 255 must be known."""


TOLERANCE = 1e-3
"""By how much a probability may lie beyond 0 and 1."""

ONE = int(np.float32(1).view(np.uint32))
"""The bits of 1."""

FILL = 31
"""Side of the window, in pixels of the map, by whose mean is filled what is not known."""


@dataclass(slots=True)
class RoomPicture:
    """The whole frame, reduced. frame: in the camera's range; known: uint8 of its chroma's size, 255 or 0.

    Whoever changes it makes another.
    """

    frame: Frame
    known: U8
    _resized: Frame | None = None

    @classmethod
    def nothing(cls, size: Size, *, full_range: bool) -> RoomPicture:
        """Of a camera whose frames are of `size`, before anything of its room is known."""
        width, height = picture_size(size)
        frame = Frame.allocate(width, height)
        frame.full_range = full_range
        return cls(frame, np.zeros((height // 2, width // 2), np.uint8))

    def plate(self, box: Box, size: Size, shape: tuple[int, ...]) -> Plate:
        """What a map of `shape` of the box would show if nobody were there, fresh arrays.

        size: (width, height) of the frames that the box is in; shape: (height, width), even.
        """
        height, width = shape
        ratio = self.frame.width / size[0], self.frame.height / size[1]
        bounds = [bound * ratio[i % 2] for i, bound in enumerate(box)]
        if all(bound % 2 == 0 for bound in bounds):
            # by the very steps that the frame is reduced by
            part = Box(*map(int, bounds))
            preparer = Preparer((width, height), "RGB")
            preparer.shrink(self.frame.view(part))
            y, u, v = preparer.pyramid[-1].planes
        else:
            y, u, v = (
                self._moved(plane, box, size, (height // step, width // step))
                for plane, step in zip(self.frame.planes, (1, 2, 2), strict=True)
            )
        known = (self._moved(self.known, box, size, (height // 2, width // 2)) > KNOWN).view(np.uint8)
        if known.all():
            return Plate(y.copy(), u.copy(), v.copy(), known)
        fours = np.repeat(np.repeat(known, 2, 0), 2, 1)
        return Plate(filled(y, fours), filled(u, known), filled(v, known), known)

    def at(self, size: Size) -> Frame:
        """The picture at a size, (width, height), both even; it belongs to this object, and the last one is kept."""
        if self.frame.size == size:
            return self.frame
        if self._resized is None or self._resized.size != size:
            self._resized = Frame.allocate(*size)
            for plane, larger in zip(self.frame.planes, self._resized.planes, strict=True):
                way = cv2.INTER_AREA if larger.shape[0] < plane.shape[0] else cv2.INTER_LINEAR
                cv2.resize(plane, larger.shape[::-1], dst=larger, interpolation=way)
        return self._resized

    def _moved(self, plane: U8, box: Box, size: Size, shape: tuple[int, int]) -> U8:
        """A box of the frame on a plane of the picture, as a plane of `shape`."""
        while min(self._reduction(plane, box, size, shape)) >= 2:
            plane = halve(plane, np.empty((plane.shape[0] // 2, plane.shape[1] // 2), np.uint8))
        move = between_maps(box, shape, Box(0, 0, *size), plane.shape)
        way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        border = cv2.BORDER_REPLICATE
        return cv2.warpAffine(plane, move, shape[::-1], flags=way, borderMode=border).astype(np.uint8, copy=False)

    @staticmethod
    def _reduction(plane: U8, box: Box, size: Size, shape: tuple[int, int]) -> tuple[float, float]:
        wide, tall = box.size
        return wide / size[0] * plane.shape[1] / shape[1], tall / size[1] * plane.shape[0] / shape[0]


def filled(plane: U8, known: U8) -> U8:
    """The plane with the mean of what is known around in place of what is not: an edge there would be none of the room.

    known: 0 or 1. What is far from all that is known becomes 0.
    """
    where = known.astype(np.float32)
    side = (FILL, FILL)
    number = cv2.boxFilter(where, -1, side, normalize=False, borderType=cv2.BORDER_REPLICATE)
    total = cv2.boxFilter(where * plane, -1, side, normalize=False, borderType=cv2.BORDER_REPLICATE)
    means = np.rint(total / np.maximum(number, 1)).astype(np.uint8)
    return np.where(known != 0, plane, means)


def fault_of(seen: Map, frame: Frame) -> str:
    """What is wrong with a map that is to be compared with a room; empty if it is one, and of this frame.

    Other stages take it as it is and say so themselves: here NaN would be nobody, by any comparison.
    """
    probability, whole = seen.probability, Box(0, 0, *frame.size)
    odd = any(side % 2 for side in seen.box)
    if seen.seq != frame.seq or seen.box.empty or odd or seen.box.union(whole) != whole:
        return "is none of this frame"
    if probability.ndim != 2 or not probability.size or probability.dtype != np.float32:
        return "holds what are no probabilities"
    # as whole numbers what is negative or NaN is larger than all else: one pass instead of two
    if int(probability.view(np.uint32).max()) <= ONE:
        return ""
    # NaN fails both comparisons
    sound = probability.min() >= -TOLERANCE and probability.max() <= 1 + TOLERANCE
    return "" if sound else "holds what are no probabilities"


def picture_size(size: Size) -> Size:
    """(width, height) of the picture that is kept of frames of `size`, both even."""
    width, height = size
    while width > WIDEST and width % 4 == 0 and height % 4 == 0 and min(width, height) >= 2 * MIN_SIDE:
        width, height = width // 2, height // 2
    return width, height
