"""The queue between the loop and a program that reads frames from a pipe."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from tests.output.encoded.helpers import until
from vcam.frames import Frame
from vcam.output.writer import FrameWriter

SMALL, LARGE = (64, 48), (640, 480)
"""One that fits a pipe several times, and one that is larger than a pipe, and so is spliced."""


def numbered(size: tuple[int, int], number: int) -> Frame:
    frame = Frame.allocate(*size)
    frame.fill(number % 251, (number + 1) % 251, (number + 2) % 251)
    frame.seq = number
    return frame


class Reading:
    """Reads whole frames from a pipe, each after `pause` seconds."""

    def __init__(self, descriptor: int, size: tuple[int, int], pause: float) -> None:
        self._descriptor, self._bytes, self._pause = descriptor, size[0] * size[1] * 3 // 2, pause
        self.frames: list[np.ndarray] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with os.fdopen(self._descriptor, "rb") as pipe:
            while len(data := pipe.read(self._bytes)) == self._bytes:
                self.frames.append(np.frombuffer(data, np.uint8))
                time.sleep(self._pause)

    def join(self) -> None:
        self._thread.join(20)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("pause", [0.0, 0.004])
def test_what_arrives_is_whole_in_order_and_every_other_frame_is_counted(size: tuple[int, int], pause: float) -> None:
    source, sink = os.pipe()
    writer = FrameWriter(sink, size, blocking=False, splice=True)
    reading = Reading(source, size, pause)
    for number in range(250):
        writer.write(numbered(size, number))
        time.sleep(0.0005)
    assert writer.drain(20)
    os.close(sink)
    reading.join()
    numbers = [int(frame[0]) for frame in reading.frames]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 249, "the newest is never the one that is dropped"
    assert len(numbers) == writer.written == 250 - writer.dropped
    for frame, number in zip(reading.frames, numbers, strict=True):
        assert np.array_equal(frame, numbered(size, number).buffer)


def test_a_pipe_that_nobody_reads_holds_up_no_frame_and_is_let_go() -> None:
    source, sink = os.pipe()
    writer = FrameWriter(sink, LARGE, blocking=False, splice=True)
    for number in range(50):
        writer.write(numbered(LARGE, number))
    assert writer.dropped >= 50 - 9
    assert not writer.drain(0.1)
    os.close(source)
    writer.abandon()
    os.close(sink)
    with pytest.raises(BrokenPipeError):
        writer.write(numbered(LARGE, 50))


def test_a_consumer_that_went_is_an_error_of_a_later_frame() -> None:
    source, sink = os.pipe()
    os.close(source)
    writer = FrameWriter(sink, SMALL, blocking=False)
    writer.write(numbered(SMALL, 0))
    until(lambda: writer.error)
    with pytest.raises(BrokenPipeError):
        writer.write(numbered(SMALL, 1))
    with pytest.raises(BrokenPipeError):
        writer.drain(5)
    os.close(sink)
