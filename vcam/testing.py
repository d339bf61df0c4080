"""Scripted stand-ins for everything outside the loop: clock, camera, network, sink.

They keep the contracts of the stages' `base.py`, so a program that uses vcam as a library can drive its own loops with
them, as vcam's tests do.

    camera = FakeCamera([pattern_frame((64, 48), n) for n in range(3)])
    output = RecordingOutput()
    with Pipeline(camera, FakeSegmenter(), matte, composer, [output]) as pipeline:
        pipeline.run()
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from vcam.frames import Frame, Map
from vcam.types import F32, U8, Size


class FakeClock:
    """Time that passes only when it is told to; `sleep` passes it."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(seconds, 0.0)


def pattern_frame(size: Size, seq: int = 0, *, full_range: bool = False) -> Frame:
    """A frame whose samples tell its number and the place in it: a leak of it is easy to recognise."""
    frame = Frame.allocate(*size)
    rows, columns = np.indices(frame.y.shape)
    frame.y[...] = 40 + (rows * 3 + columns * 5 + seq * 7) % 160
    rows, columns = np.indices(frame.u.shape)
    frame.u[...] = 60 + (rows + columns * 2 + seq) % 130
    frame.v[...] = 60 + (rows * 2 + columns + seq) % 130
    frame.seq, frame.timestamp, frame.full_range = seq, seq / 30, full_range
    return frame


class FakeCamera:
    """Hands out scripted frames; an exception in the script is raised in its turn."""

    description = "fake camera"
    fps = 30.0

    def __init__(self, script: Iterable[Frame | Exception], *, size: Size = (64, 48), live: bool = False) -> None:
        self._script = script
        self._left: Iterator[Frame | Exception] = iter(script)
        self.size, self.live = size, live
        self.dropped = self.opened = self.closed = 0

    def check(self) -> None:
        """It can always be opened."""

    def open(self) -> None:
        self.opened += 1
        self._left = iter(self._script)

    def read(self) -> Frame | None:
        item = next(self._left, None)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.closed += 1


class FakeSegmenter:
    """Gives scripted probability maps, by default a person in the middle third; exceptions are raised in their turn."""

    description = "fake network"

    def __init__(self, script: Callable[[Frame], F32 | Exception] | None = None, map_size: Size = (32, 24)) -> None:
        self.map_size = map_size
        self._script = script or (lambda frame: middle_person(map_size))
        self.calls = self.resets = self.closed = 0

    def segment(self, frame: Frame) -> Map:
        self.calls += 1
        result = self._script(frame)
        if isinstance(result, Exception):
            raise result
        return Map.whole(result, frame)

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed += 1


def middle_person(map_size: Size) -> F32:
    """A probability map, float32 (height, width): 1 in the middle third of the columns, else 0."""
    width, height = map_size
    probability = np.zeros((height, width), np.float32)
    probability[:, width // 3 : 2 * width // 3] = 1.0
    return probability


class RecordingOutput:
    """Keeps a copy of every frame it was given; `fail` is raised by the next write, `watchers` is what it tells."""

    description = "recording"
    live = False
    watchers = True

    def __init__(self, *, enough: int | None = None) -> None:
        """enough: `finished` becomes true after so many frames."""
        self.frames: list[U8] = []
        self.numbers: list[int] = []
        self.fail: Exception | None = None
        self.opened: tuple[Size, float] | None = None
        self.closed = self.aborted = 0
        self._enough = enough

    def open(self, size: Size, fps: float) -> None:
        self.opened = (size, fps)

    def write(self, frame: Frame) -> None:
        if self.fail:
            raise self.fail
        assert not frame.full_range, "a frame left that was not composited"
        self.frames.append(frame.packed().copy())
        self.numbers.append(frame.seq)

    def watched(self) -> bool:
        return self.watchers

    def fileno(self) -> int | None:
        return None

    @property
    def finished(self) -> bool:
        return self._enough is not None and len(self.frames) >= self._enough

    def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        self.aborted += 1
