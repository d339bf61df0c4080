"""Ctrl-C, SIGTERM and the end of the terminal as a wish to finish, not as an accident."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn


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
    """While inside, the first SIGINT, SIGTERM or SIGHUP calls `stop` and is put into the list; a second one interrupts.

    A second SIGHUP does not: a terminal that goes away sends it, and its shell once more. One that is ignored, as under
    nohup, stays so. For the main thread only, as Python's signal handlers are.
    """
    seen: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        del frame
        if signum == signal.SIGHUP:
            leave_terminal()
        if not seen:
            seen.append(signum)
            stop()
        elif signum != signal.SIGHUP:
            raise KeyboardInterrupt

    ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    numbers = (signal.SIGINT, signal.SIGTERM, *(() if ignored else (signal.SIGHUP,)))
    old = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield seen
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def end_in_order() -> None:
    """Have SIGTERM and SIGHUP end this process as an exception does, so that what was begun is cleared away.

    A signal that is ignored, as under nohup, stays so. For the main thread only.
    """

    def handle(signum: int, frame: FrameType | None) -> NoReturn:
        del frame
        if signum == signal.SIGHUP:
            # it may come twice, and must not disturb the clearing away
            signal.signal(signum, signal.SIG_IGN)
            leave_terminal()
        raise SystemExit(128 + signum)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, handle)


def leave_terminal() -> None:
    """Put nothing in the place of a terminal that is gone, so that last words are no errors."""
    for number in (1, 2):
        with suppress(OSError):
            # a terminal that was hung up is still a device, but no terminal any more
            found = os.fstat(number)
            if not stat.S_ISCHR(found.st_mode) or os.isatty(number):
                continue
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)
