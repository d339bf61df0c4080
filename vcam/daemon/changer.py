"""The worker that loads the network and, after that, makes one change of settings after the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeAlias

from vcam.camera.base import Camera
from vcam.compose.base import Background
from vcam.daemon.changes import Change, Parts, Prepared, Situation, difference, prepare, refuse_fixed, split
from vcam.daemon.mailbox import Mailbox
from vcam.errors import VcamError
from vcam.pipeline import Pipeline
from vcam.segment.base import Segmenter
from vcam.settings import Settings
from vcam.settings.shown import as_text

log = logging.getLogger(__name__)

Wish: TypeAlias = Callable[[Settings], Settings]
"""From the present settings to the wished ones; raises what is wrong with the wish."""

Replaced: TypeAlias = list[Camera | Segmenter | Background]


class Changeable(Protocol):
    """What the worker asks of the loop that it makes changes for."""

    settings: Settings
    mailbox: Mailbox

    def situation(self, pipeline: Pipeline) -> Situation:
        """What runs; called in the worker's thread."""

    def swap(self, pipeline: Pipeline, prepared: Prepared) -> Replaced:
        """Go on with other parts and settings; called between two frames. Returns the parts that are to be closed."""


class Changer:
    """Everything slow happens here, so that the loop never waits; see `vcam.daemon.changes`."""

    def __init__(self, life: Changeable, parts: Parts) -> None:
        self._life, self._parts = life, parts
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vcam-load")
        self._lock = threading.Lock()
        self._early: list[Callable[[], None]] = []
        self._open = False
        self._loading: Future[Pipeline] | None = None

    def load(self, open_pipeline: Callable[[], Pipeline]) -> Future[Pipeline]:
        """Have the pipeline opened; before anything else."""
        with self._lock:
            loading = self._loading = self._worker.submit(open_pipeline)
            self._let_go()
        return loading

    def _let_go(self) -> None:
        self._open = True
        for submit in self._early:
            submit()
        self._early.clear()

    def change(self, wish: Wish, *, strict: bool, renew: frozenset[str]) -> Future[Change]:
        """See `Live.change`."""
        done: Future[Change] = Future()

        def submit() -> None:
            try:
                self._worker.submit(self._work, done, wish, strict, renew)
            except RuntimeError:
                done.set_exception(_stopping())

        with self._lock:
            if self._open:
                submit()
            else:
                self._early.append(submit)
        return done

    def close(self) -> None:
        """Refuse what waits, and wait for what is being done. The loop has ended."""
        self._worker.shutdown(wait=True)
        with self._lock:
            self._let_go()

    def _work(self, done: Future[Change], wish: Wish, strict: bool, renew: frozenset[str]) -> None:
        try:
            change = self._change(wish, strict, renew)
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(change)

    def _change(self, wish: Wish, strict: bool, renew: frozenset[str]) -> Change:
        life = self._life
        if life.mailbox.closed:
            raise _stopping()
        assert self._loading is not None
        pipeline = self._loading.result()
        old = life.settings
        new, fixed = split(old, wish(old))
        if strict:
            refuse_fixed(fixed)
        prepared = prepare(old, new, life.situation(pipeline), self._parts, renew=renew)
        try:
            replaced = life.mailbox.post(lambda: life.swap(pipeline, prepared)).result()
        except BaseException:
            prepared.discard()
            raise
        for part in replaced:
            with suppress(VcamError):
                part.close()
        changed = difference(old, new)
        for key, value in changed.items():
            log.info("changed: %s = %s", key, as_text(key, value))
        return Change(changed, fixed)


def _stopping() -> VcamError:
    return VcamError("vcam is stopping", "start it again: vcam start")
