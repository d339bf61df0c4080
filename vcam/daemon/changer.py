"""The worker that loads the network and, after that, makes one change of settings after the other.

A change goes through two threads, and through this module alone:

    any thread   `Changer.change` puts the wish in line and returns a future
    worker       checks the wish, has the parts made ready that it needs (`vcam.daemon.changes`), and waits for the loop
    loop         between two frames: exchanges the parts, all of them or none
    worker       closes the old parts; the future is done

Everything slow happens in the worker, so that the loop never waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeAlias

import cv2

from vcam.camera.base import Camera
from vcam.compose.base import Background
from vcam.daemon.changes import (
    Change,
    Parts,
    Prepared,
    Situation,
    difference,
    prepare,
    refuse_fixed,
    refuse_unchangeable,
    split,
)
from vcam.daemon.keeper import CameraKeeper
from vcam.daemon.mailbox import Mailbox
from vcam.daemon.outlets import Outlets
from vcam.errors import VcamError
from vcam.images import is_out_of_memory
from vcam.pipeline import Pipeline, give_back_memory
from vcam.segment.base import Segmenter
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.settings import Settings
from vcam.settings.locked import refuse_locked_changes
from vcam.settings.shown import as_text, without_secrets
from vcam.types import Size

log = logging.getLogger(__name__)

_TIDY_SECONDS = 0.1
"""At most so often is memory given back. It takes 1 to 4 ms, and the loop has to be given what it needs anew."""

Wish: TypeAlias = Callable[[Settings], Settings]
"""From the present settings to the wished ones; raises what is wrong with the wish."""

Replaced: TypeAlias = list[Camera | Segmenter | Background | RoomChoice]


class Changeable(Protocol):
    """What is changed of a life, besides its pipeline."""

    settings: Settings
    keeper: CameraKeeper
    outlets: Outlets
    mailbox: Mailbox
    """What is posted there is called between two frames."""

    def resize(self, size: Size) -> None:
        """Show pictures of another size from now on; called between two frames."""


class Changer:
    """Goes over from one set of settings to another while the picture goes on; for any thread."""

    def __init__(self, life: Changeable, parts: Parts) -> None:
        """parts: where new ones come from."""
        self._life, self._parts = life, parts
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="vcam-load")
        self._lock = threading.Lock()
        self._early: list[Callable[[], None]] = []
        self._open = False
        self._loading: Future[Pipeline] | None = None
        self._tidied = float("-inf")

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

    def change(self, wish: Wish, *, strict: bool = True, renew: frozenset[str] = frozenset()) -> Future[Change]:
        """Go over to other settings: those that `wish` gives when it is told the present ones.

        Changes are made one after the other, and each takes effect between two frames, or not at all: then the future
        holds the error. strict: settings that cannot change live are an error; else they keep their values and are
        named in the result. renew: see `vcam.daemon.changes.prepare`.
        """
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
            self._tidy()
            done.set_exception(error)
        else:
            self._tidy()
            done.set_result(change)
        finally:
            # the error holds this frame, which would hold the error, and what was made ready in vain, in a circle
            del done

    def _tidy(self) -> None:
        """Give back what old and refused parts have left: networks, pictures and decoders, in pieces of all sizes.

        The allocator is told to keep what is freed, for the sake of the loop (`tune_process`). Under one change after
        the other it would keep as much as all of them together ever needed.
        """
        now = time.monotonic()
        if now - self._tidied >= _TIDY_SECONDS:
            self._tidied = now
            give_back_memory()

    def _change(self, wish: Wish, strict: bool, renew: frozenset[str]) -> Change:
        life = self._life
        if life.mailbox.closed:
            raise _stopping()
        assert self._loading is not None
        pipeline = self._loading.result()
        old = life.settings
        new, fixed = split(old, wish(old))
        if new != old:
            refuse_locked_changes(difference(old, new))
        if strict:
            refuse_fixed(fixed)
        try:
            prepared = prepare(old, new, self._situation(pipeline), self._parts, renew=renew)
            try:
                replaced = life.mailbox.post(lambda: self._exchange(pipeline, prepared)).result()
            except BaseException:
                prepared.discard()
                raise
        except (MemoryError, cv2.error) as error:
            if not is_out_of_memory(error):
                raise
            raise VcamError(
                "there is not enough memory for that: nothing has changed", "a smaller output.size"
            ) from error
        for part in replaced:
            if isinstance(part, RoomChoice) and part.kept and new.segment.private:
                part.kept.keep_private()
            with suppress(VcamError):
                part.close()
        changed = difference(old, new)
        for key, value in without_secrets(changed).items():
            log.info("changed: %s = %s", key, as_text(key, value))
        return Change(changed, fixed)

    def _situation(self, pipeline: Pipeline) -> Situation:
        keeper, outlets = self._life.keeper, self._life.outlets
        has_network = pipeline.matting.segmenter is not None
        size, fps = outlets.shape
        return Situation(keeper.camera, keeper.ready, has_network, size, fps, tuple(outlets.unchangeable))

    def _exchange(self, pipeline: Pipeline, prepared: Prepared) -> Replaced:
        """Between two frames: go on with other parts. Returns those to close; the keeper closes a camera itself."""
        life = self._life
        if prepared.size is not None:
            # one may have been added meanwhile
            refuse_unchangeable(life.outlets.unchangeable)
        replaced_camera, go_back = pipeline.camera, self._held(pipeline, prepared)
        try:
            replaced = pipeline.exchange(
                camera=prepared.camera,
                segmenter=prepared.segmenter,
                matte=prepared.matte,
                background=prepared.background,
                effects=prepared.effects,
                size=prepared.size,
                room=prepared.room,
                fade=prepared.settings.background.fade,
            )
            if prepared.shape is not None:
                camera, shape = prepared.shape
                if (shape.turn, shape.crop) != (camera.shape.turn, camera.shape.crop):
                    # what was found where the person is no more, on the other side of a mirror, is the room
                    pipeline.forget()
                camera.use(shape)
            if prepared.size is not None:
                life.resize(prepared.size)
            if prepared.camera is not None:
                life.keeper.exchange(prepared.camera, on=prepared.camera_on)
        except BaseException:
            go_back()
            raise
        if pipeline.operator:
            pipeline.operator.use(prepared.settings.framing)
        life.settings = prepared.settings
        life.outlets.hurry()
        return [part for part in replaced if part is not replaced_camera]

    def _held(self, pipeline: Pipeline, prepared: Prepared) -> Callable[[], None]:
        """What undoes an exchange that has failed on its way: a change is made as a whole or not at all."""
        life, parts = self._life, pipeline.held()
        size, _ = life.outlets.shape
        shaped = prepared.shape and (prepared.shape[0], prepared.shape[0].shape)

        def go_back() -> None:
            parts()
            if shaped:
                camera, shape = shaped
                camera.use(shape)
            if life.outlets.shape[0] != size:
                life.resize(size)

        return go_back


def _stopping() -> VcamError:
    return VcamError("vcam is stopping", "start it again: vcam start")
