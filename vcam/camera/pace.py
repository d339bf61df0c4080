"""The pace of sources that have none of their own."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds of a clock that never goes back; `time.monotonic` outside of tests."""

Sleep = Callable[[float], None]
"""Waits for so many seconds; `time.sleep` outside of tests."""


class Pacer:
    """Lets frames through at a steady rate, the first at once."""

    def __init__(self, fps: float, clock: Clock = time.monotonic, sleep: Sleep = time.sleep) -> None:
        self._interval = 1.0 / fps
        self._clock, self._sleep = clock, sleep
        self._due: float | None = None

    def wait(self) -> float:
        """Sleep until the next frame is due and return that moment.

        Someone who comes later than a whole frame is not sent the missed ones in a burst: the schedule starts anew.
        """
        now = self._clock()
        if self._due is None or now - self._due > self._interval:
            self._due = now
        if self._due > now:
            self._sleep(self._due - now)
        due = self._due
        self._due += self._interval
        return due
