"""The empty room is learnt from frames in a row in which nothing moves."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.frames import Frame, Planes
from vcam.scaling import Reducer
from vcam.segment.emptyroom.picture import RoomPicture, picture_size
from vcam.types import F32, Size

_RESTLESS = 0.005
"""Share of the picture in which something moves, from which on the room is not taken to be empty."""
_LEVELS = (0.86, 0.5, 0.63)
"""Levels of luma, Cb and Cr, at least, that make one of a colour of 255; BT.601, limited range."""


class RoomLearner:
    """The mean of some frames in a row in which nothing moves."""

    def __init__(self, frames: int, threshold: float, size: Size) -> None:
        """threshold: levels of 255 by which a sample that has not moved may differ from the mean.

        size: (width, height) of the frames.
        """
        self._wanted, self._threshold = frames, threshold
        self._small = Frame.allocate(*picture_size(size))
        self._reducers = Reducer(), Reducer(), Reducer()
        self._means: list[F32] = []
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self._seen = 0

    def add(self, frame: Frame, planes: Planes) -> RoomPicture | None:
        """Take a frame, and what a map sees of it; the room, all of it known, once enough have been seen.

        A frame in which something moves is the first of a new row.
        """
        blurred = [cv2.GaussianBlur(plane, (5, 5), 0).astype(np.float32) for plane in planes]
        if self._seen and (self._moved(blurred) or frame.full_range != self._small.full_range):
            self.reset()
        for reducer, plane, target in zip(self._reducers, frame.planes, self._small.planes, strict=True):
            reducer.reduce(plane, target)
        self._small.full_range = frame.full_range
        if not self._seen:
            self._means = [np.zeros_like(plane) for plane in blurred]
            self._sums = [np.zeros(plane.shape, np.float32) for plane in self._small.planes]
        self._seen += 1
        for mean, now in zip(self._means, blurred, strict=True):
            mean += (now - mean) / np.float32(self._seen)
        for total, small in zip(self._sums, self._small.planes, strict=True):
            total += small
        if self._seen < self._wanted:
            return None
        y, u, v = (np.rint(total / self._seen).astype(np.uint8) for total in self._sums)
        return RoomPicture(Frame(y, u, v, full_range=frame.full_range), np.full(u.shape, 255, np.uint8))

    def _moved(self, planes: list[F32]) -> bool:
        shares = (
            np.count_nonzero(np.abs(plane - mean) > level * self._threshold) / plane.size
            for plane, mean, level in zip(planes, self._means, _LEVELS, strict=True)
        )
        return bool(max(shares) > _RESTLESS)
