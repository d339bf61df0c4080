"""A camera that PipeWire has: a laptop's MIPI sensor through libcamera, or what another program gives."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from vcam.camera.base import Camera
from vcam.camera.jpeghead import DAMAGED, Fault
from vcam.camera.layouts import believable_stride
from vcam.camera.modes import Mode
from vcam.camera.stamps import Stamps
from vcam.camera.unpack import Unpacker
from vcam.errors import CameraError, CameraStalled, DeviceError
from vcam.frames import Frame, PixelFormat, check_size
from vcam.pipewire import nodes
from vcam.pipewire.registry import VideoNode, video_nodes
from vcam.pipewire.sink import Agreed, Sink, Taken
from vcam.types import Size
from vcam.v4l2 import loopback
from vcam.v4l2.discover import list_nodes

log = logging.getLogger(__name__)

_FORMATS = (
    PixelFormat.NV12, PixelFormat.I420, PixelFormat.YV12, PixelFormat.NV21, PixelFormat.YUYV, PixelFormat.UYVY,
    PixelFormat.YVYU, PixelFormat.XBGR32, PixelFormat.RGBX32, PixelFormat.ABGR32, PixelFormat.RGBA32,
    PixelFormat.BGRX32, PixelFormat.XRGB32, PixelFormat.BGRA32, PixelFormat.ARGB32,
    PixelFormat.BGR24, PixelFormat.RGB24, PixelFormat.GREY,
)  # fmt: skip
"""Cheapest to unpack first."""

_LIST = "vcam devices lists the cameras"
_CONNECTING = 3.0


def find_camera(name: str, *, of_this_machine: bool = False) -> VideoNode:
    """The node that a name means: its description, a part of it, or its own name; "" is the first camera.

    No virtual camera is ever the first, nor what a program gives where the machine has a camera itself, or where only
    one `of_this_machine` is wanted. What this process makes is never meant. Raises `CameraError` if there is none,
    `DeviceError` without PipeWire.
    """
    found = video_nodes()
    if not name:
        chosen = machines_camera(found)
        if chosen is None and not of_this_machine:
            others = [node for node in found if not node.is_virtual and not _is_own(node) and not _is_loopback(node)]
            chosen = min(others, key=lambda node: not node.is_camera, default=None)
        if chosen is None:
            raise CameraError("PipeWire has no camera", "wpctl status lists what it has, under Video and Sources")
        return chosen
    wanted = name.casefold()
    whole = [node for node in found if wanted in (node.description.casefold(), node.name.casefold())]
    if named := whole or [node for node in found if wanted in node.description.casefold()]:
        if all(map(_is_own, named)):
            raise _own(named[0])
        return next(node for node in named if not _is_own(node))
    there = ", ".join(node.description for node in found if not _is_own(node))
    raise CameraError(f"PipeWire has no camera named {name!r}", f"it has {there}" if there else _LIST)


def machines_camera(found: Sequence[VideoNode]) -> VideoNode | None:
    """Of all nodes the camera of this machine, None if PipeWire has none."""
    real = [node for node in found if node.api and not node.is_virtual and not _is_own(node) and not _is_loopback(node)]
    return min(real, key=lambda node: not node.is_camera, default=None)


def _own(node: VideoNode) -> CameraError:
    return CameraError(f"{node.description} is vcam's own camera", "name your real camera: " + _LIST)


def _is_own(node: VideoNode) -> bool:
    return node.number in nodes.OWN or (bool(node.path) and Path(node.path) in loopback.FED)


def _is_loopback(node: VideoNode) -> bool:
    """Whether a virtual camera of V4L2 is behind it."""
    return any(other.is_loopback for other in list_nodes() if node.path and str(other.path) == node.path)


class PipeWireCamera:
    """A camera as `vcam.camera.base.Camera` has it, by way of PipeWire. Frames are copied out of its buffers.

    name: see `find_camera`. `size` and `fps` are wishes. Once found, it stays that node, by its name.
    """

    live = True

    def __init__(self, name: str, size: Size, fps: float, timeout: float, *, of_this_machine: bool = False) -> None:
        """timeout: seconds without a frame after which `read` gives up. of_this_machine: see `find_camera`."""
        self._name, self._wish, self._wished_fps, self._timeout = name, size, fps, timeout
        self._of_this_machine = of_this_machine
        self._node: VideoNode | None = None
        self._stream: Sink | None = None
        self._unpacker: Unpacker | None = None
        self._agreed: Agreed | None = None
        self._fault: Fault | None = None
        self._told: set[Fault] = set()
        self._seq = 0
        self._good_at = 0.0
        self._stride: int | None = None
        self._stamps = Stamps(0.0)
        self.dropped = 0
        """Frames since `open` that were damaged, or superseded by a newer one before they were read."""

    @property
    def description(self) -> str:
        if self._node is None:
            return f"PipeWire's camera {self._name}".rstrip()
        mode = f", {_mode(self._agreed)}" if self._agreed else ""
        return f"{self._node.description} (PipeWire){mode}"

    @property
    def size(self) -> Size:
        return self._agreed.size if self._agreed else self._wish

    @property
    def fps(self) -> float:
        return (self._agreed.fps if self._agreed else 0.0) or self._wished_fps

    def wish(self, size: Size) -> None:
        """See `vcam.camera.base.TakesWishes`."""
        self._wish = size

    def remember(self, other: Camera) -> None:
        """See `vcam.camera.base.Remembers`."""
        if isinstance(other, PipeWireCamera) and other._name == self._name:
            self._node = other._node

    def check(self) -> None:
        """Find the camera; it stays off."""
        self._find()

    def _find(self) -> VideoNode:
        try:
            if self._node is None:
                self._node = find_camera(self._name, of_this_machine=self._of_this_machine)
                return self._node
            before = self._node
            found = next((node for node in video_nodes() if node.name == before.name), None)
        except DeviceError as error:
            if isinstance(error, CameraError):
                raise
            raise CameraError(error.message, error.hint) from error
        if found is None:
            raise CameraError(f"{before.description} is not there: vcam waits for that one", _LIST)
        if _is_own(found):
            # it was not yet when the camera was chosen
            raise _own(found)
        self._node = found
        return found

    def open(self) -> None:
        """Find the camera, agree on a format, and start it. See `Camera.open`."""
        check_size(*self._wish)
        self.close()
        node = self._find()
        try:
            self._stream = Sink("camera", _properties(node))
            self._stream.begin(_FORMATS, self._wish, self._wished_fps, min(self._timeout * 10, _CONNECTING))
            _refuse_odd(self._stream.agreed)
        except DeviceError as error:
            self.close()
            raise CameraError(f"{node.description} cannot be opened: {error.message}", error.hint) from error
        self._agreed = self._stream.agreed
        self._good_at = time.monotonic()
        self._stamps = Stamps(self._good_at)
        self._fault, self._seq, self.dropped = None, 0, 0
        self._told.clear()
        self._unpacker = None

    def read(self) -> Frame | None:
        """The newest frame. See `Camera.read`."""
        if self._stream is None:
            raise CameraError(f"{self.description} is not open")
        deadline = time.monotonic() + self._timeout
        while True:
            taken = self._stream.newest(max(0.0, deadline - time.monotonic()))
            if taken is None:
                raise self._silent()
            frame = self._unpack(taken)
            if frame is not None:
                return frame
            self.dropped += 1
            if self._fault and self._fault not in self._told:
                self._told.add(self._fault)
                log.info("%s %s", self.description, self._fault.words)
            if time.monotonic() > deadline:
                raise self._silent()

    def _unpack(self, taken: Taken) -> Frame | None:
        self.dropped += taken.superseded
        now = time.monotonic()
        if self._unpacker is None or taken.agreed is not self._agreed or taken.stride != self._stride:
            # a camera may change its mode under way; whoever reads has been promised a size
            if self._agreed is not None and taken.agreed.size != self._agreed.size:
                raise CameraError(
                    f"{self.description} has changed its picture to {_mode(taken.agreed)}", "vcam opens it again"
                )
            self._agreed, self._stride = taken.agreed, taken.stride
            self._unpacker = _unpacker(taken.agreed, taken.stride)
        if taken.damaged:
            self._fault = DAMAGED
            return None
        captured = self._stamps.captured(taken.stamp, now, taken.superseded + 1, self.fps)
        frame = self._unpacker.unpack(taken.data, captured.at, self._seq)
        if frame is None:
            self._fault = self._unpacker.fault
            return None
        self._seq += 1
        self._good_at, self._fault = now, None
        return frame

    def _silent(self) -> CameraError:
        assert self._stream is not None
        assert self._node is not None
        if self._stream.refused:
            return CameraError(f"{self._node.description} cannot be read any more: {self._stream.refused}", _LIST)
        state = self._stream.state
        if state.lost:
            return CameraError(f"{self._node.description} is gone from PipeWire: {state.error or 'it ended'}")
        silence = time.monotonic() - self._good_at
        lasted = f"{silence:.1f} s" if silence < 1 else f"{silence:.0f} s"
        if self._fault:
            why = f"{self.description} has sent no whole picture for {lasted}: it {self._fault.words}"
            return CameraStalled(why, self._fault.hint, sends=True)
        return CameraStalled(
            f"{self.description} has sent no picture for {lasted}", "systemctl --user restart wireplumber"
        )

    def close(self) -> None:
        """Let go of the camera. Never raises."""
        stream, self._stream = self._stream, None
        self._agreed = self._unpacker = None
        if stream is not None:
            stream.close()


def _properties(node: VideoNode) -> dict[str, str]:
    return {
        "media.category": "Capture",
        "media.role": "Camera",
        "target.object": node.serial,
        # WirePlumber else links another camera where this one has just gone
        "node.dont-reconnect": "true",
        "node.dont-fallback": "true",
        "node.dont-move": "true",
    }


def _mode(agreed: Agreed) -> Mode:
    return Mode(agreed.format, agreed.size, agreed.fps)


def _refuse_odd(agreed: Agreed | None) -> None:
    if agreed is not None and (agreed.size[0] % 2 or agreed.size[1] % 2):
        raise DeviceError(f"its pictures are {agreed.size[0]}x{agreed.size[1]}, and both sides must be even")


def _unpacker(agreed: Agreed, stride: int | None) -> Unpacker:
    if agreed.format is not PixelFormat.MJPEG:
        stride = believable_stride(agreed.format, agreed.size, stride or 0, 0)
    return Unpacker(agreed.format, agreed.size, stride=stride, full_range=agreed.full_range, matrix=agreed.matrix)
