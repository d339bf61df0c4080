"""The thread that keeps the newest frame, with a source that a test drives by hand."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator

import pytest

from vcam.camera.newest import NewestFrame
from vcam.errors import VcamError
from vcam.frames import Frame

SIZE = (32, 16)


class Tap:
    """Frames come when `give` is called; the luma of each is its number."""

    def __init__(self) -> None:
        self.finite = False
        self.given: queue.SimpleQueue[int | Exception | None] = queue.SimpleQueue()
        self.read_frames: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.buffers: set[int] = set()
        self.closed = 0
        self.released = threading.Event()

    def read(self, into: Frame) -> bool:
        luma = self.given.get()
        if isinstance(luma, Exception):
            raise luma
        if luma is None:
            return False
        self.buffers.add(id(into))
        into.y[:] = luma
        self.read_frames.put(luma)
        return True

    def close(self) -> None:
        self.closed += 1
        self.given.put(None)

    def release(self) -> None:
        self.released.set()

    def give(self, *numbers: int) -> None:
        """Have these frames read, the last of them too."""
        for number in numbers:
            self.given.put(number)
        for _ in numbers:
            self.read_frames.get(timeout=30)


@pytest.fixture
def tap() -> Tap:
    return Tap()


@pytest.fixture
def newest(tap: Tap) -> Iterator[NewestFrame]:
    newest = NewestFrame(tap, SIZE)
    yield newest
    newest.close()


def settle(newest: NewestFrame, superseded: int) -> None:
    """Until what was read has been offered."""
    end = time.monotonic() + 30
    while newest.superseded < superseded:
        assert time.monotonic() < end
        time.sleep(0.001)


def luma(frame: Frame | None) -> int:
    assert frame is not None
    assert (frame.y == frame.y[0, 0]).all()
    return int(frame.y[0, 0])


def test_the_newest_frame_is_given_out_once_and_the_others_are_counted(newest: NewestFrame, tap: Tap) -> None:
    tap.give(1, 2, 3)
    settle(newest, 2)
    assert luma(newest.next(30)) == 3
    assert newest.superseded == 2
    assert newest.next(0.01) is None


def test_a_source_is_emptied_while_nobody_asks(newest: NewestFrame, tap: Tap) -> None:
    tap.give(*range(1, 101))
    settle(newest, 99)
    assert luma(newest.next(30)) == 100
    # one is written, one waits, one is held
    assert len(tap.buffers) <= 3


def test_a_frame_stays_as_it_is_until_the_next_is_asked_for(newest: NewestFrame, tap: Tap) -> None:
    tap.give(1)
    held = newest.next(30)
    tap.give(*range(2, 50))
    settle(newest, 47)
    assert luma(held) == 1
    assert luma(newest.next(30)) == 49


def test_who_waits_is_woken_by_a_frame(newest: NewestFrame, tap: Tap) -> None:
    threading.Timer(0.02, tap.given.put, [7]).start()
    began = time.monotonic()
    frame = newest.next(30)
    assert luma(frame) == 7
    assert began <= frame.timestamp <= time.monotonic()
    assert newest.arrived == frame.timestamp


def test_an_asker_waits_no_longer_than_it_wants_to_and_may_ask_again(newest: NewestFrame, tap: Tap) -> None:
    for _ in range(3):
        assert newest.next(0.01) is None
    tap.give(5)
    assert luma(newest.next(30)) == 5


def test_the_last_frame_comes_before_the_end(newest: NewestFrame, tap: Tap) -> None:
    tap.give(9)
    tap.given.put(None)
    assert tap.released.wait(30)
    assert luma(newest.next(30)) == 9
    for _ in range(2):
        with pytest.raises(EOFError):
            newest.next(30)


def test_what_reading_raises_is_raised_where_it_is_asked_for(newest: NewestFrame, tap: Tap) -> None:
    tap.given.put(VcamError("no decoder"))
    for _ in range(2):
        with pytest.raises(VcamError, match="no decoder"):
            newest.next(30)


def test_no_frame_of_a_film_is_left_out(tap: Tap) -> None:
    tap.finite = True
    newest = NewestFrame(tap, SIZE)
    for number in range(1, 20):
        tap.given.put(number)
    time.sleep(0.02)
    assert [luma(newest.next(30)) for _ in range(1, 20)] == list(range(1, 20))
    assert newest.superseded == 0
    newest.close()


def test_closing_ends_the_source_and_the_thread_while_they_wait(tap: Tap) -> None:
    tap.finite = True
    newest = NewestFrame(tap, SIZE)
    # one waits to be taken, so the thread waits for a taker
    tap.give(1, 2)
    newest.close()
    assert tap.closed == 1
    assert tap.released.wait(30)


def test_a_source_that_hangs_does_not_hold_up_its_end(tap: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.camera.newest._CLOSING", 0.05)
    monkeypatch.setattr(tap, "close", lambda: None)
    newest = NewestFrame(tap, SIZE)
    began = time.monotonic()
    newest.close()
    # it never ends by itself
    assert time.monotonic() - began < 20
    assert not tap.released.is_set()
    tap.given.put(None)
    assert tap.released.wait(30)
