"""The life that streams and recordings share, with sessions that are played."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from vcam.errors import UsageError
from vcam.frames import Frame
from vcam.output.encoded.encoding import Encoder
from vcam.output.encoded.sound import SILENT
from vcam.output.encoded.worker import Worker

FRAME = Frame.allocate(64, 48)


class PlayedSession:
    """Takes frames and says that it has dropped some; its ffmpeg says something `words` times and then ends."""

    def __init__(self, words: int = 0, dropped: int = 0) -> None:
        self.child = self
        self.level_db: float | None = None
        self.dropped, self.frames, self.ended = dropped, 0, ""
        self._words = words

    def pump(self, seconds: float, wake: int | None = None) -> bool:
        assert wake is not None
        self._words -= 1
        return self._words >= 0

    def write(self, frame: Frame) -> None:
        self.frames += 1

    def finish(self, seconds: float) -> bool:
        self.ended = f"finished in {seconds:g} s"
        return False

    def abort(self) -> None:
        self.ended = "aborted"


def working(work: Callable[[Worker], object]) -> Worker:
    worker = Worker("vcam-test", lambda: work(worker) and None)
    worker.announce((64, 48), 29.97)
    return worker


def test_frames_go_to_the_session_that_is_on_and_to_none_between_two() -> None:
    worker, first, second = working(lambda worker: None), PlayedSession(dropped=3), PlayedSession(dropped=4)
    worker.write(FRAME)
    assert worker.feed(first) is None
    worker.write(FRAME)
    worker.write(FRAME)
    assert worker.dropped == 3
    assert worker.feed(second) is first
    assert worker.dropped == 3 + 4
    worker.write(FRAME)
    assert worker.feed(None) is second
    worker.write(FRAME)
    assert (first.frames, second.frames, worker.dropped, worker.session) == (2, 1, 7, None)
    assert first.ended == second.ended == ""


def test_a_session_is_ended_in_order_or_at_once_and_gets_no_frame_any_more() -> None:
    worker, first, second = working(lambda worker: None), PlayedSession(), PlayedSession()
    worker.feed(first)
    assert not worker.finish(1.5)
    worker.feed(second)
    worker.abort()
    worker.write(FRAME)
    assert (first.ended, second.ended) == ("finished in 1.5 s", "aborted")
    assert (first.frames, second.frames) == (0, 0)
    assert worker.finish(1.0), "there was nothing to finish"
    worker.abort()


def test_the_work_runs_beside_the_loop_until_it_is_told_to_end() -> None:
    began = threading.Event()

    def work(worker: Worker) -> None:
        began.set()
        while not worker.stopping:
            worker.sleep(60)

    worker = working(work)
    assert not worker.running
    worker.start()
    assert began.wait(30)
    assert worker.running
    before = time.monotonic()
    assert worker.end(30)
    assert time.monotonic() - before < 20, "it was woken"
    assert not worker.running
    assert worker.end(30), "there was nothing to end"


def test_it_can_begin_again_after_its_end() -> None:
    lives: list[bool] = []

    def work(worker: Worker) -> None:
        lives.append(worker.stopping)
        worker.sleep(60)

    worker = working(work)
    for _ in range(2):
        worker.announce((32, 32), 10)
        worker.start()
        assert worker.end(30)
    assert lives == [False, False]
    assert (worker.size, worker.rate) == ((32, 32), 10)


def test_work_that_hangs_is_not_waited_for_longer_than_was_said() -> None:
    over = threading.Event()
    worker = working(lambda worker: over.wait(60))
    worker.start()
    assert not worker.end(0.1)
    over.set()


def test_a_session_is_looked_at_until_its_ffmpeg_ends_or_the_output_does() -> None:
    looks: list[Any] = []

    def work(worker: Worker) -> None:
        looks.append((len(list(worker.looks(PlayedSession(words=3)))), worker.stopping))
        count = 0
        for _ in worker.looks(PlayedSession(words=1000)):
            count += 1
            if count == 2:
                worker._stopping.set()
        looks.append((count, worker.stopping))

    worker = working(work)
    worker.start()
    assert worker.end(30)
    assert looks == [(3, False), (2, True)]


def test_an_odd_size_is_refused_and_so_is_a_second_beginning() -> None:
    worker = working(lambda worker: worker.sleep(60))
    with pytest.raises(UsageError, match="even"):
        worker.announce((63, 48), 30)
    assert worker.size == (64, 48)
    worker.start()
    with pytest.raises(ValueError, match="open already"):
        worker.announce((64, 48), 30)
    assert worker.end(30)


def test_what_it_tells_of_itself() -> None:
    worker = working(lambda worker: None)
    assert worker.status() == {"encoder": "", "sound": "none", "dropped": 0}
    worker.encoder, worker.sound = Encoder("ffmpeg", "libx264"), SILENT
    session = PlayedSession(dropped=2)
    worker.feed(session)
    assert worker.status() == {"encoder": "libx264", "sound": "silent", "dropped": 2}
    session.level_db = -23.4
    assert worker.status()["level_db"] == -23.4
