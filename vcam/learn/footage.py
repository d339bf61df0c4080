"""Films to learn from: their frames, small, the first half to learn from and the second to measure by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vcam.camera.file import VideoFile
from vcam.colour import to_limited
from vcam.errors import InputError
from vcam.filmroom import film as frames_of
from vcam.frames import Frame
from vcam.scaling import Reducer
from vcam.segment.emptyroom.picture import picture_size
from vcam.types import Size

RATE = 8.0
"""Frames a second that are learnt from: the next one shows hardly anything new."""
ENOUGH = 150
"""Frames to learn from below which none is passed over."""
HELD = 150
"""Frames in a row that are measured by, at most."""
LONGEST = 120.0
"""Seconds of a film that are looked at: the beginning."""
SHORTEST = 40
"""Frames that a film must have."""


@dataclass(slots=True)
class Footage:
    """One film. learnt: frames of its first half. held: frames of its second half, one after the other.

    All are of one size, that of `picture_size`, and belong to it; `seq` is their number in the film.
    """

    name: str
    fps: float
    learnt: list[Frame] = field(default_factory=list)
    held: list[Frame] = field(default_factory=list)

    @property
    def frames(self) -> list[Frame]:
        """All of them in their order."""
        return [*self.learnt, *self.held]

    @property
    def size(self) -> Size:
        """(width, height)"""
        return self.frames[0].size


def read_footage(path: Path) -> Footage:
    """The frames of a film. Raises `UsageError` or `InputError` for what is none, and for one that is too short."""
    count, fps = _counted(path)
    if count < SHORTEST:
        raise InputError(
            f"{path.name} is too short: {count} frames, {count / max(fps, 1):.1f} seconds",
            "give a film of half a minute",
        )
    return split(frames_of(path), path.name, count, fps)


def split(frames: Iterable[Frame], name: str, count: int, fps: float) -> Footage:
    """Sort so many frames into those to learn from and those to measure by; they are copied, small.

    A camera's frames are each other's copies where it hangs: one that is exactly the one before is left out.
    """
    found, half, small = Footage(name, fps), count // 2, Smaller()
    step = max(1, min(round(fps / RATE), half // ENOUGH))
    last: Frame | None = None
    for number, frame in enumerate(frames):
        if number >= count or len(found.held) == HELD:
            break
        if number < half and number % step:
            continue
        kept = small.copy(frame)
        kept.seq = number
        if last is not None and all(np.array_equal(*both) for both in zip(kept.planes, last.planes, strict=True)):
            continue
        last = kept
        (found.learnt if number < half else found.held).append(kept)
    if len(found.learnt) < SHORTEST // 4 or len(found.held) < SHORTEST // 4:
        raise InputError(f"{name} shows the same picture all the time", "give a film in which you move as in a call")
    return found


class Smaller:
    """Makes frames as small as a room's picture, in the limited range; its buffers are reused, its frames are not."""

    def __init__(self) -> None:
        self._reducers = Reducer(), Reducer(), Reducer()

    def copy(self, frame: Frame) -> Frame:
        """A fresh frame."""
        made = Frame.allocate(*picture_size(frame.size))
        for reducer, plane, target in zip(self._reducers, frame.planes, made.planes, strict=True):
            reducer.reduce(plane, target)
        if frame.full_range:
            for plane, chroma in zip(made.planes, (False, True, True), strict=True):
                scale, offset = to_limited(True, chroma=chroma)
                cv2.convertScaleAbs(plane, dst=plane, alpha=scale, beta=offset)
        made.timestamp, made.seq = frame.timestamp, frame.seq
        return made


def _counted(path: Path) -> tuple[int, float]:
    """How many frames are looked at, and their rate."""
    camera = VideoFile(path)
    camera.open()
    try:
        fps, count = camera.fps, camera.frames
        if count is None:
            count = 0
            while camera.read() is not None and count < LONGEST * fps:
                count += 1
    finally:
        camera.close()
    return int(min(count, LONGEST * fps)), fps
