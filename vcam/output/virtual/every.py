"""Every kind of virtual camera that this machine has, fed with the same frames."""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from vcam.backoff import Backoff
from vcam.errors import OutputDeviceError, VcamError
from vcam.frames import Frame
from vcam.output.base import Output, Resizable, ShowsStills
from vcam.output.virtual.camera import VirtualCamera, find_outputs
from vcam.output.virtual.pipewire import PATIENCE_UNDER_WAY, PipeWireCamera
from vcam.pipewire import loop
from vcam.types import Size

log = logging.getLogger(__name__)

START = "start PipeWire, systemctl --user start pipewire wireplumber"

_LOOK_AGAIN = 5.0
"""Seconds after which a kind that is missing is looked for again, then twice as long, to a minute."""
_PATIENCE = 1.0
"""Seconds that PipeWire's daemon has to answer then; whoever ends vcam meanwhile waits for that."""


@dataclass(slots=True)
class _Kind:
    """One kind: `is_there` tells cheaply whether this machine may have it. search: for one that is missing."""

    output: Output
    is_there: Callable[[], bool]
    look: Backoff
    open: bool = False
    told: str = ""
    search: _Search | None = None


class _Search(threading.Thread):
    """Opens a kind that was missing. A daemon that hangs takes its time, and the other kind's readers get their frames.

    found: whether it is open now, and failure why not; both are settled when the thread has ended.
    """

    def __init__(self, kind: _Kind, size: Size, fps: float) -> None:
        super().__init__(name="vcam-search", daemon=True)
        self._kind, self.size, self._fps = kind, size, fps
        self.found = False
        self.failure: OutputDeviceError | None = None
        self.start()

    def run(self) -> None:
        self.found, self.failure = _opened(self._kind, self.size, self._fps)


class EveryCamera:
    """A v4l2loopback device and a PipeWire node as one `vcam.output.base.Output`.

    Programs see one kind or the other: Firefox on Fedora lists PipeWire's cameras only, Zoom those of V4L2. Each has
    its readers; somebody watches if either has one. What this machine lacks is looked for now and then.
    """

    any_thread = True
    """See `vcam.output.base.Output`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        def backoff() -> Backoff:
            return Backoff(_LOOK_AGAIN, 60.0, clock=clock)

        self._device = VirtualCamera("auto", clock=clock)
        self._node = PipeWireCamera()
        self._kinds = [
            _Kind(self._device, _has_device, backoff()),
            _Kind(self._node, loop.is_there, backoff()),
        ]
        self._size: Size = (0, 0)
        self._fps = 0.0
        self._poll: select.epoll | None = None
        self._failure: OutputDeviceError | None = None

    @property
    def card(self) -> Callable[[Size], Frame] | None:
        """See `vcam.output.base.LeavesCard`."""
        return self._device.card

    @card.setter
    def card(self, card: Callable[[Size], Frame] | None) -> None:
        self._device.card = card

    @property
    def live(self) -> bool:
        return True

    @property
    def finished(self) -> bool:
        return False

    @property
    def dropped(self) -> int:
        """Frames that a reader had no buffer for."""
        return self._node.dropped

    @property
    def description(self) -> str:
        return " and ".join(each.output.description for each in self._open) or self._device.description

    @property
    def camera_name(self) -> str:
        names = dict.fromkeys(kind.output.camera_name for kind in self._open)  # type: ignore[attr-defined]
        return ", ".join(names)

    @property
    def _open(self) -> list[_Kind]:
        return [kind for kind in self._kinds if kind.open]

    def watched(self) -> bool:
        # all are asked: each takes back what woke the loop
        answers = [kind.output.watched() for kind in self._open]
        return any(answers)

    def fileno(self) -> int | None:
        """One descriptor for all, readable as long as one of theirs is; another one after each call."""
        # anew: a device that was taken anew has another descriptor, which may have the number of the old one
        self._end_poll()
        if self._open:
            self._poll = select.epoll()
            for kind in self._open:
                if (fd := kind.output.fileno()) is not None:
                    self._poll.register(fd, select.EPOLLIN)
        return self._poll.fileno() if self._poll else None

    def _end_poll(self) -> None:
        if self._poll is not None:
            self._poll.close()
            self._poll = None

    def open(self, size: Size, fps: float) -> None:
        """Open what there is. Raises `OutputDeviceError` if that is nothing."""
        self.abort()
        self._size, self._fps = size, fps
        failures = [failure for kind in self._kinds if (failure := self._try(kind)) is not None]
        self._node.patience = PATIENCE_UNDER_WAY
        if not self._open:
            raise failures[0] if failures else no_camera()
        for failure in failures:
            log.warning("%s; going on with %s", failure, self.description)

    def _try(self, kind: _Kind) -> OutputDeviceError | None:
        """Open one, if this machine may have it; why that fails."""
        kind.open, failure = _opened(kind, self._size, self._fps)
        self._note(kind)
        return failure

    def _note(self, kind: _Kind) -> None:
        if kind.open:
            kind.look.reset()
            kind.told = ""
        else:
            kind.look.failed()

    def resize(self, size: Size) -> None:
        self._size = size
        for kind in self._open:
            assert isinstance(kind.output, Resizable)
            self._each(kind, lambda output: output.resize(size))  # type: ignore[attr-defined]
        self._last_one_stays()

    def write(self, frame: Frame) -> None:
        self._look_around()
        for kind in self._open:
            self._each(kind, lambda output: output.write(frame))
        self._last_one_stays()

    def show(self, still: Frame) -> None:
        """See `vcam.output.base.ShowsStills`."""
        self._look_around()
        for kind in self._open:
            self._each(kind, lambda output: _show(output, still))
        self._last_one_stays()

    def _each(self, kind: _Kind, deliver: Callable[[Output], None]) -> None:
        try:
            deliver(kind.output)
        except (VcamError, OSError) as caught:
            error = _as_device_error(caught)
            kind.open = False
            kind.output.abort()
            kind.look.failed()
            self._failure = error
            log.warning("%s is lost and will be taken up again when it is back: %s", kind.output.description, error)

    def _last_one_stays(self) -> None:
        """Raise what took the last of them, once no other is looked for: whoever fans frames out opens it anew."""
        if not self._open and any(kind.search for kind in self._kinds):
            return
        failure, self._failure = self._failure, None
        if failure is not None and not self._open:
            raise failure

    def _look_around(self) -> None:
        for kind in self._kinds:
            if kind.search is not None:
                if not kind.search.is_alive():
                    self._end_search(kind, kind.search)
            elif not kind.open and kind.look.due:
                self._search(kind)

    def _search(self, kind: _Kind) -> None:
        if kind.output is self._node:
            self._node.patience = _PATIENCE
        try:
            kind.search = _Search(kind, self._size, self._fps)
        except RuntimeError as error:
            log.debug("no thread to look for %s with: %s", kind.output.description, error)
            kind.look.failed()

    def _end_search(self, kind: _Kind, search: _Search) -> None:
        kind.search, kind.open = None, search.found
        # opened anew by whoever feeds frames, it may keep the others waiting
        self._node.patience = PATIENCE_UNDER_WAY
        self._note(kind)
        if search.found:
            log.info("%s is there as well", kind.output.description)
            if search.size != self._size:
                self._each(kind, lambda output: output.resize(self._size))  # type: ignore[attr-defined]
        elif search.failure is not None and str(search.failure) != kind.told:
            kind.told = str(search.failure)
            log.warning("%s", search.failure)

    def close(self) -> None:
        failure: VcamError | None = None
        for kind in self._kinds:
            if kind.search is not None:
                kind.search.join()
                kind.open, kind.search = kind.search.found, None
                self._node.patience = PATIENCE_UNDER_WAY
        for kind in self._open:
            kind.open = False
            try:
                kind.output.close()
            except VcamError as error:
                failure = failure or error
        self._end_poll()
        if failure is not None:
            raise failure

    def abort(self) -> None:
        with contextlib.suppress(VcamError):
            self.close()


def _opened(kind: _Kind, size: Size, fps: float) -> tuple[bool, OutputDeviceError | None]:
    """Whether it is open now, and if not why, or None where this machine does not have it."""
    try:
        if not kind.is_there():
            return False, None
        kind.output.open(size, fps)
    except (VcamError, OSError) as error:
        kind.output.abort()
        return False, _as_device_error(error)
    return True, None


def _as_device_error(error: VcamError | OSError) -> OutputDeviceError:
    """One kind that fails is no reason to give up the other, whatever it failed for."""
    if isinstance(error, OutputDeviceError):
        return error
    if isinstance(error, VcamError):
        return OutputDeviceError(error.message, error.hint)
    return OutputDeviceError(error.strerror or str(error))


def _show(output: Output, still: Frame) -> None:
    if isinstance(output, ShowsStills):
        output.show(still)
    else:
        output.write(still)


def _has_device() -> bool:
    try:
        return bool(find_outputs("auto"))
    except OutputDeviceError:
        return False


def no_camera() -> OutputDeviceError:
    """What to do where there is neither a PipeWire daemon nor a device."""
    try:
        find_outputs("auto")
    except OutputDeviceError as error:
        return OutputDeviceError(
            error.message,
            f"without root: {START}; or with a module: {error.hint}",
        )
    return OutputDeviceError("the virtual camera has just come", "try again")
