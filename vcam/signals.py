"""Ctrl-C and SIGTERM as a wish to finish, not as an accident."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType


@contextmanager
def on_signals(handlers: Mapping[int, Callable[[], object]]) -> Iterator[None]:
    """While inside, a signal calls what the mapping has for its number; for the main thread only.

    The call comes between any two steps of the main thread: it must do no more than pass the wish on.
    """

    def handle(signum: int, frame: FrameType | None) -> None:
        del frame
        handlers[signum]()

    old = {number: signal.signal(number, handle) for number in handlers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


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
