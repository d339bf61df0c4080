"""All outputs as one, each failing and recovering by itself."""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from vcam.backoff import Backoff
from vcam.errors import OutputDeviceError, VcamError
from vcam.frames import Frame
from vcam.output.base import Output, Resizable, ShowsStills
from vcam.types import Size

log = logging.getLogger(__name__)

_LOCK_PATIENCE = 0.05


@runtime_checkable
class Reporting(Protocol):
    """An output that has more to tell than that it is open."""

    def status(self) -> dict[str, Any]:
        """What it does, in builtin types; for any thread."""


@runtime_checkable
class Hurried(Protocol):
    """An output that does not take every picture."""

    def hurry(self) -> None:
        """Something that is seen has changed: take the next one."""


@dataclass(slots=True)
class _Outlet:
    output: Output
    backoff: Backoff
    target: str = ""
    open: bool = False
    given_up: bool = False
    refusal: str = ""

    @property
    def takes_cards(self) -> bool:
        return self.output.live or isinstance(self.output, ShowsStills)

    @property
    def counts(self) -> bool:
        """Whether vcam goes on for its sake: not for a preview."""
        return not getattr(self.output, "only_looks", False)

    def show(self, still: Frame) -> None:
        if isinstance(self.output, ShowsStills):
            self.output.show(still)
        else:
            self.output.write(still)


class Outlets:
    """Fans frames out; itself an `Output`.

    A device that goes away is taken up again when it is back. An output that failed for good, as a file on a full disk,
    is given up alone; the others go on. So they do when one has had enough: a window is closed, a pipe's reader ends.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        targets: Sequence[str] = (),
        *,
        together: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """targets: what the first outputs were named with. together: one that has had enough, such as a window that is
        closed, ends all of them.
        """
        self._together = together
        names = [*targets, *("" for _ in outputs)]
        self._outlets = [_Outlet(output, Backoff(clock=clock), names[at]) for at, output in enumerate(outputs)]
        self._clock = clock
        self._size: Size = (0, 0)
        self._fps = 0.0
        # the watchdog shows placeholders while the loop hangs
        self._lock = threading.RLock()
        self._late = False
        self.hidden = False
        """A pause was asked for: no frame leaves any more. The loop takes it back once it shows placeholders."""
        self.shut = False
        """The room is being learnt: no frame leaves, whoever writes one. For the loop alone."""
        self.failure: VcamError | None = None
        """The first error for which an output was given up."""

    @property
    def description(self) -> str:
        return ", ".join(outlet.output.description for outlet in self._outlets)

    @property
    def live(self) -> bool:
        return any(outlet.output.live for outlet in self._outlets)

    def open(self, size: Size, fps: float, *, wait: bool = False) -> None:
        """Open all, or none: an output that cannot be had from the beginning is an error of whoever asked for it.

        wait: a device that cannot be had is tried again until it can, as one that went away is.
        """
        self._size, self._fps = size, fps
        try:
            for outlet in self._outlets:
                self._open(outlet, wait)
        except BaseException:
            self.abort()
            raise

    def _open(self, outlet: _Outlet, wait: bool) -> None:
        try:
            outlet.output.open(self._size, self._fps)
        except OutputDeviceError as error:
            if not wait:
                raise
            self._refused(outlet, error)
        else:
            outlet.open = True

    def _refused(self, outlet: _Outlet, error: VcamError) -> None:
        outlet.backoff.failed()
        if outlet.refusal != str(error):
            outlet.refusal = str(error)
            log.warning("waiting for %s: %s", outlet.output.description, error)

    @property
    def outputs(self) -> list[Output]:
        """All of them, open or not."""
        return [outlet.output for outlet in self._outlets]

    @property
    def targets(self) -> list[tuple[str, Output]]:
        """Those that were named with a target, and with which."""
        return [(outlet.target, outlet.output) for outlet in self._outlets if outlet.target]

    @property
    def unchangeable(self) -> list[str]:
        """Those that cannot go over to another size, for people."""
        return [
            outlet.output.description
            for outlet in self._outlets
            if not outlet.given_up and not isinstance(outlet.output, Resizable)
        ]

    def resize(self, size: Size) -> None:
        """Go over to frames of another size, between two frames. One that refuses counts as lost and is tried again."""
        with self._lock:
            self._size = size
            for outlet in self._outlets:
                if outlet.open and isinstance(outlet.output, Resizable):
                    try:
                        outlet.output.resize(size)
                    except VcamError as error:
                        self._lost(outlet, error)

    @property
    def shape(self) -> tuple[Size, float]:
        """Size and rate of the frames, as `open` was told."""
        return self._size, self._fps

    def add(self, output: Output, target: str = "") -> None:
        """One more output, which is open; between two frames. target: what it was named with, if it was."""
        # a new list: other threads may be going through the old one
        with self._lock:
            self._outlets = [*self._outlets, _Outlet(output, Backoff(clock=self._clock), target, open=True)]

    def remove(self, is_meant: Callable[[Output], bool]) -> list[Output]:
        """Take outputs out, between two frames. Returns them, the caller's to close, unless they failed before."""
        # not while a placeholder is being written to one of them
        with self._lock:
            gone = [outlet for outlet in self._outlets if is_meant(outlet.output)]
            self._outlets = [outlet for outlet in self._outlets if outlet not in gone]
        return [outlet.output for outlet in gone]

    def write(self, frame: Frame) -> None:
        """Deliver a composited frame to every output that is open."""
        self._write(frame, placeholder=False)

    def show(self, placeholder: Frame) -> None:
        """Deliver a picture that never changes to the outputs that somebody may look at and to recordings; other
        files are left alone."""
        self._write(placeholder, placeholder=True)

    def hurry(self) -> None:
        """Something that is seen has changed: who takes fewer pictures than there are shall have the next one."""
        for outlet in self._outlets:
            if isinstance(outlet.output, Hurried):
                outlet.output.hurry()

    def cover(self, card: Frame, still: Callable[[], bool]) -> None:
        """Show a placeholder in the loop's stead, while that hangs; for any thread.

        still: whether it does, asked once nobody else is at the outputs. The frame that the loop then comes back with
        is dropped: it is as old as the loop hung. Does nothing where the loop hangs inside an output.
        """
        if not self._lock.acquire(timeout=_LOCK_PATIENCE):
            return
        try:
            if still():
                self._late = True
                card.timestamp = self._clock()
                for outlet in self._outlets:
                    if outlet.open and outlet.takes_cards and getattr(outlet.output, "any_thread", False):
                        # what is wrong with it, the loop finds out
                        with suppress(VcamError):
                            outlet.show(card)
        finally:
            self._lock.release()

    def _write(self, frame: Frame, *, placeholder: bool) -> None:
        with self._lock:
            late, self._late = self._late, False
            if not placeholder and (late or self.hidden or self.shut):
                return
            for outlet in self._outlets:
                if outlet.given_up or (placeholder and not outlet.takes_cards):
                    continue
                if not outlet.open and not self._reopen(outlet):
                    continue
                try:
                    (outlet.show if placeholder else outlet.output.write)(frame)
                    if outlet.output.finished and not self.finished:
                        self._leave(outlet)
                except VcamError as error:
                    self._lost(outlet, error)

    def _leave(self, outlet: _Outlet) -> None:
        """Its consumer wants no more, and others do: it is closed and let go."""
        self._outlets = [other for other in self._outlets if other is not outlet]
        name = outlet.output.description
        others = ", ".join(other.output.description for other in self._outlets if other.counts and not other.given_up)
        log.info("%s is closed; vcam goes on for %s; vcam stop ends it", name, others)
        outlet.output.close()

    def _reopen(self, outlet: _Outlet) -> bool:
        if not outlet.backoff.due:
            return False
        try:
            outlet.output.open(self._size, self._fps)
        except VcamError as error:
            self._refused(outlet, error)
            return False
        log.warning("%s is taken up", outlet.output.description)
        outlet.backoff.reset()
        outlet.refusal = ""
        outlet.open = True
        return True

    def _lost(self, outlet: _Outlet, error: VcamError) -> None:
        name = outlet.output.description
        outlet.output.abort()
        outlet.open = False
        if isinstance(error, OutputDeviceError):
            log.warning("%s is lost and will be taken up again when it is back: %s", name, error)
            outlet.backoff.failed()
        else:
            log.error("%s is given up: %s", name, error)
            outlet.given_up = True
            self.failure = self.failure or error

    @property
    def finished(self) -> bool:
        """True once every output has had enough or was given up."""
        counting = [outlet for outlet in self._outlets if outlet.counts]
        if self._together and any(outlet.output.finished for outlet in counting):
            return True
        return bool(counting) and all(outlet.given_up or outlet.output.finished for outlet in counting)

    def watched(self) -> bool:
        """Whether anybody takes the picture. A device that is away counts as unwatched."""
        with self._lock:
            # all are asked: each takes back what woke the loop
            answers = [outlet.output.watched() for outlet in self._outlets if outlet.open]
            return any(answers)

    def fileno(self) -> int | None:
        """None: there may be several; see `wait`."""
        return None

    @property
    def states(self) -> list[dict[str, Any]]:
        """What each output is and does, for people and scripts."""
        return [
            {
                "description": outlet.output.description,
                "target": outlet.target,
                "open": outlet.open,
                "given_up": outlet.given_up,
                "dropped": getattr(outlet.output, "dropped", 0),
                **(outlet.output.status() if isinstance(outlet.output, Reporting) else {}),
            }
            for outlet in self._outlets
        ]

    def wait(self, seconds: float, wake: int | None = None) -> bool:
        """Sleep so long, or until somebody may have come or gone, or the descriptor `wake` is readable: then True."""
        poll = select.poll()
        if wake is not None:
            poll.register(wake, select.POLLIN)
        for outlet in self._outlets:
            if outlet.open and (fd := outlet.output.fileno()) is not None:
                poll.register(fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        failure: VcamError | None = None
        with self._lock:
            for outlet in self._outlets:
                if outlet.open:
                    outlet.open = False
                    try:
                        outlet.output.close()
                    except VcamError as error:
                        failure = failure or error
        if failure or self.failure:
            raise failure or self.failure  # type: ignore[misc]

    def abort(self) -> None:
        with self._lock:
            for outlet in self._outlets:
                outlet.open = False
                outlet.output.abort()
