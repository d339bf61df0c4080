"""Outputs that come and go while vcam runs: opened in a thread, where a slow disk holds up nobody, and then handed to
the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from vcam.daemon.base import Life
from vcam.errors import UsageError, VcamError
from vcam.output.base import Output


def begin(life: Life, make: Callable[[], Output], target: str = "") -> Future[dict[str, Any]]:
    """Make an output, open it and go on with it; the future holds what was started, or the error.

    target: what somebody has named it with, if that is how it is ended.
    """

    def work() -> dict[str, Any]:
        output = make()
        outlets = life.outlets
        shape = outlets.shape
        output.open(*shape)

        def hand_over() -> None:
            if outlets.shape != shape:
                raise VcamError("the size of the picture has changed meanwhile", "try it again")
            outlets.add(output, target)

        try:
            life.mailbox.post(hand_over).result()
        except BaseException:
            output.abort()
            raise
        return {"started": output.description}

    return in_thread(work)


def end(life: Life, is_meant: Callable[[Output], bool], hint: str) -> list[str]:
    """Take outputs out and finish them; their descriptions. To be called in a thread.

    Raises `UsageError` with that hint if there are none, and the first error of those that cannot be finished.
    """
    gone = life.mailbox.post(lambda: life.outlets.remove(is_meant)).result()
    if not gone:
        raise UsageError("there is nothing to stop", hint)
    failure: VcamError | None = None
    for output in gone:
        try:
            output.close()
        except VcamError as error:
            failure = failure or error
    if failure:
        raise failure
    return [output.description for output in gone]


def in_thread(work: Callable[[], dict[str, Any]]) -> Future[dict[str, Any]]:
    """What `work` returns or raises, in a thread of its own."""
    future: Future[dict[str, Any]] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name="vcam-outputs", daemon=True).start()
    return future
