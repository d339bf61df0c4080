"""The virtual camera: frames for a v4l2loopback device, whatever format it is held in."""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vcam.backoff import Backoff
from vcam.errors import OutputDeviceError, VcamError
from vcam.frames import Frame, PixelFormat, check_size
from vcam.output.virtual.layout import Fit
from vcam.output.virtual.loopback import FormatHeld, LoopbackWriter, failure
from vcam.types import U8, Size
from vcam.v4l2 import loopback
from vcam.v4l2.discover import Node, find_node, list_nodes, who_holds
from vcam.v4l2.presence import ReaderWatch

log = logging.getLogger(__name__)

_LOAD = f"sudo modprobe v4l2loopback exclusive_caps=1 max_buffers={loopback.BUFFERS} card_label=vcam video_nr=20"
_INSTALL = "sudo apt install v4l2loopback-dkms, then " + _LOAD

_LAYOUTS = {layout.value: layout for layout in (PixelFormat.I420, PixelFormat.NV12, PixelFormat.YUYV)}

# A device that keeps another format is taken anew when nobody has read it for so long, since readers often come back at
# once. Does it still keep it, it is tried after twice as long, and so on: each try leaves it without a producer for a
# moment.
_FIRST_PAUSE = 2.0


class VirtualCamera:
    """A v4l2loopback device as `vcam.output.base.Output` has it.

    target: "auto" (the first one that is free), a path, a number, or part of the card's label. If a reader holds the
    device in another size or layout, frames are fitted into that until it has gone.
    """

    any_thread = True
    """See `vcam.output.base.Output`."""

    def __init__(self, target: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._node: Node | None = None
        self._writer: LoopbackWriter | None = None
        self._own: Frame | None = None
        self._still: Frame | None = None
        self._bytes: U8 = np.empty(0, np.uint8)
        self._fit: Fit | None = None
        self._size: Size = (0, 0)
        self._held: tuple[PixelFormat, Size] = (PixelFormat.I420, (0, 0))
        self._told = ""
        self._retakes = Backoff(_FIRST_PAUSE, math.inf, clock=clock)
        self._fps = 0.0
        self._readers = ReaderWatch()
        self.card: Callable[[Size], Frame] | None = None

    @property
    def live(self) -> bool:
        return True

    def watched(self) -> bool:
        """Whether a program reads the device; unknown counts as yes."""
        return self._readers.readers() is not False

    def fileno(self) -> int | None:
        return self._readers.fileno()

    @property
    def description(self) -> str:
        if self._node is None:
            return f"virtual camera {self._target}"
        return f"virtual camera {self._node.card} ({self._node.path})"

    @property
    def camera_name(self) -> str:
        return self._node.card if self._node else ""

    def open(self, size: Size, fps: float) -> None:
        """Find the device, set its format, and keep it. See `Output.open`."""
        check_size(*size)
        self.abort()
        self._retakes.postpone()
        errors: list[VcamError] = []
        for node in find_outputs(self._target):
            try:
                self._take(node, size, fps)
                return
            except OutputDeviceError as error:
                errors.append(error)
        raise errors[0]

    def resize(self, size: Size) -> None:
        """Take the new size over, or fit it into the old one while somebody reads, who has been told that."""
        assert self._node is not None, "resize before open"
        self._size, self._still = size, None
        if self.watched():
            self._retakes.postpone()
            self._fit_in(*self._held)
        else:
            self._retakes.reset()
            self._retake()

    def _take(self, node: Node, size: Size, fps: float) -> None:
        self._size, self._fps, self._still = size, fps, None
        layout, held = PixelFormat.I420, size
        try:
            self._writer = LoopbackWriter(node.path, layout, held, fps)
        except FormatHeld as error:
            if error.layout.code not in _LAYOUTS or any(side % 2 for side in error.layout.size):
                raise
            layout, held = _LAYOUTS[error.layout.code], error.layout.size
            self._writer = LoopbackWriter(node.path, layout, held, fps)
        self._node = node
        self._fit_in(layout, held)
        # without a watch nobody knows who reads, and then somebody does
        with contextlib.suppress(OSError):
            self._readers.open(node.path)

    def _retake(self) -> None:
        """The same device anew. It lets nobody read until it is fed, so whoever calls this feeds it at once."""
        assert self._node is not None
        self._retakes.failed()
        self.abort()
        self._take(self._node, self._size, self._fps)

    def _settle(self) -> None:
        """Take the wanted format over, if the device keeps another one and nobody reads it any more."""
        if self._fit is None:
            return
        if self.watched():
            self._retakes.postpone()
        elif self._retakes.due:
            self._retake()

    def _fit_in(self, layout: PixelFormat, held: Size) -> None:
        """The device has that format, whatever size the frames are; it is logged if they have to be fitted in."""
        self._held = (layout, held)
        self._fit = None if (layout, held) == (PixelFormat.I420, self._size) else Fit(self._size, held, layout)
        told = f"pictures of {_text(self._size)} are fitted into {layout.name} {_text(held)}" if self._fit else ""
        if told and told != self._told:
            assert self._node is not None
            log.info("%s: %s, which is held by %s", self.description, told, who_holds(self._node.path))
        elif self._told and not told:
            log.info("%s: pictures of %s are shown as they are", self.description, _text(held))
        self._told = told

    def write(self, frame: Frame) -> None:
        """Deliver a frame. See `Output.write`."""
        assert self._writer is not None, "write before open"
        self._settle()
        self._still = None
        self._writer.send(self._packed(frame))

    def show(self, still: Frame) -> None:
        """Deliver a picture that does not change. See `ShowsStills`."""
        assert self._writer is not None, "show before open"
        self._settle()
        same = still is self._still
        if not same:
            self._still, self._bytes = still, self._packed(still)
        self._writer.hold(self._bytes, same=same)

    def _packed(self, frame: Frame) -> U8:
        """The bytes that the device takes; a reused buffer, or the frame's own."""
        if self._fit is not None:
            return self._fit.render(frame)
        if frame.buffer is None:
            if self._own is None or self._own.size != frame.size:
                self._own = Frame.allocate(*frame.size)
            self._own.copy_from(frame)
            frame = self._own
        assert frame.buffer is not None
        return frame.buffer

    @property
    def finished(self) -> bool:
        return False

    def close(self) -> None:
        """Let go of the device; readers see their stream end."""
        self._readers.close()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close(self._last_card())

    def _last_card(self) -> U8 | None:
        """What is shown when nothing else comes any more; None, which is plain darkness, if it cannot be drawn."""
        try:
            return self._packed(self.card(self._size)) if self.card else None
        except Exception:
            # whatever is wrong with it must not keep the last picture there
            log.debug("the card for the end", exc_info=True)
            return None

    def abort(self) -> None:
        """Let go; nothing is left behind."""
        with contextlib.suppress(VcamError):
            self.close()


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def find_outputs(target: str) -> list[Node]:
    """The devices that `target` may mean, best first: one if it names one, all virtual cameras for "auto".

    Raises `OutputDeviceError` if there is none.
    """
    nodes = list_nodes()
    devices = [node for node in nodes if node.is_loopback]
    if target == "auto":
        if not devices:
            raise _no_device(nodes)
        # one that waits for a producer, before one whose caps tell nothing, before one that may be in use
        return sorted(devices, key=_taken)
    named = find_node(target, nodes)
    chosen = [node for node in named if node.is_loopback]
    if chosen:
        return sorted(chosen, key=_taken)[:1]
    if not named:
        raise _missing(target, devices, nodes)
    if named[0].error:
        raise failure(named[0].path, OSError(named[0].error, "it does not answer"))
    raise OutputDeviceError(
        f"{named[0].path} ({named[0].card}) is not a virtual camera", _choices(devices) or _how_to_load()
    )


def _taken(node: Node) -> int:
    assert node.capabilities is not None
    return 2 - 2 * node.capabilities.outputs + node.capabilities.captures


def _missing(target: str, devices: list[Node], nodes: list[Node]) -> OutputDeviceError:
    if not devices:
        return _no_device(nodes, target)
    if "/" in target and Path(target).exists():
        return OutputDeviceError(f"{target} is not a video device", _choices(devices))
    return OutputDeviceError(f"there is no virtual camera {target!r}", _choices(devices))


def _choices(devices: list[Node]) -> str:
    names = ", ".join(f"{node.path} ({node.card})" for node in devices)
    return f"there is {names}" if names else ""


def _no_device(nodes: list[Node], target: str = "") -> OutputDeviceError:
    forbidden = [node for node in nodes if node.error in (errno.EACCES, errno.EPERM)]
    if loopback.is_loaded() and forbidden:
        return failure(forbidden[0].path, PermissionError(errno.EACCES, "forbidden"))
    missing = f"{target} is not there: " if target else ""
    return OutputDeviceError(f"{missing}there is no virtual camera on this machine", _how_to_load())


def _how_to_load() -> str:
    if loopback.is_loaded():
        return f"v4l2loopback is loaded without a device: sudo modprobe -r v4l2loopback, then {_LOAD}"
    return _LOAD if loopback.is_installed() else _INSTALL
