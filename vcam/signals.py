"""Ctrl-C and SIGTERM as a wish to finish, not as an accident."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[list[int]]:
    """While inside, the first SIGINT or SIGTERM calls `stop` and is put into the list; a second one interrupts.

    For the main thread only, as Python's signal handlers are.
    """
    seen: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        del frame
        if seen:
            raise KeyboardInterrupt
        seen.append(signum)
        stop()

    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
