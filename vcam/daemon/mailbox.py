"""Calls from other threads, carried out by the loop between two frames."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from vcam.errors import VcamError

T = TypeVar("T")


class Mailbox:
    """Any thread, and a signal handler, may `post`; only the loop's thread runs what was posted."""

    def __init__(self) -> None:
        self._calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.closed = False

    def fileno(self) -> int:
        """Readable when something was posted, so that a loop that sleeps wakes up for it."""
        return self._wake

    def post(self, call: Callable[[], T]) -> Future[T]:
        """Have `call` run by the loop; what it returns or raises is in the future.

        Once the loop has ended the future fails with `VcamError`.
        """
        future: Future[T] = Future()
        self._calls.append((call, future))
        if self.closed:
            self._refuse()
        else:
            os.eventfd_write(self._wake, 1)
        return future

    def run(self) -> None:
        """Carry out what was posted so far."""
        if not self._calls:
            return
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        for _ in range(len(self._calls)):
            call, future = self._calls.popleft()
            try:
                result = call()
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

    def close(self) -> None:
        """The loop has ended: what is posted from now on, and what still waits, is refused."""
        self.closed = True
        self._refuse()

    def _refuse(self) -> None:
        while self._calls:
            try:
                _, future = self._calls.popleft()
            except IndexError:
                return
            future.set_exception(VcamError("vcam is stopping", "start it again: vcam start"))

    def __del__(self) -> None:
        os.close(self._wake)
