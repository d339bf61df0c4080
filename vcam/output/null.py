"""Outputs without a consumer: nothing at all, and a copy in memory."""

from __future__ import annotations

from vcam.frames import Frame, check_size
from vcam.output.base import AlwaysWatched
from vcam.types import Size


class NullOutput(AlwaysWatched):
    """Takes frames and forgets them."""

    description = "nothing"
    finished = False

    def open(self, size: Size, fps: float) -> None:
        check_size(*size)

    def resize(self, size: Size) -> None:
        check_size(*size)

    def write(self, frame: Frame) -> None:
        """Nothing is read of `frame`."""

    def close(self) -> None:
        """Nothing to finish."""

    def abort(self) -> None:
        """Nothing to undo."""


class MemoryOutput(AlwaysWatched):
    """Copies each frame into one buffer of its own, as the write to a device does; for measurements and tests.

    `frame` is that copy: it holds the latest frame, once open, and is overwritten by the next. `frames` counts.
    """

    description = "memory"
    finished = False

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self.frames = 0

    def open(self, size: Size, fps: float) -> None:
        self.frame = Frame.allocate(*size)
        self.frames = 0

    def resize(self, size: Size) -> None:
        self.frame = Frame.allocate(*size)

    def write(self, frame: Frame) -> None:
        """Raises `ValueError` for a frame of another size, or before `open`."""
        if self.frame is None or frame.size != self.frame.size:
            raise ValueError(f"a frame of {frame.size} was not announced")
        self.frame.copy_from(frame)
        self.frames += 1

    def close(self) -> None:
        """The copy stays readable."""

    def abort(self) -> None:
        """The copy stays readable."""
