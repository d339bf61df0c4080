"""A thread for what may never come back, as a driver or a network share may: the process ends all the same.

The executors of the standard library wait for theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue


class Worker:
    """Does one thing after the other. The thread is there from the first one on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._todo: SimpleQueue[tuple[Future[None], Callable[[], object]] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], object]) -> Future[None]:
        """Have it done after all that was submitted before; returns at once. For one thread."""
        done: Future[None] = Future()
        self._todo.put((done, work))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return done

    def shutdown(self) -> None:
        """Let the thread end once all is done; nothing more may be submitted. Returns at once."""
        self._todo.put(None)

    def _run(self) -> None:
        while job := self._todo.get():
            done, work = job
            if not done.set_running_or_notify_cancel():
                continue
            try:
                work()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(None)
            # what is done is not held while the next is waited for
            del job, done, work
