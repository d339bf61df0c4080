"""A camera that PipeWire has: a laptop's MIPI sensor through libcamera, or what another program gives."""

from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vcam.camera.base import Camera
from vcam.camera.jpeghead import DAMAGED, Fault
from vcam.camera.layouts import believable_stride
from vcam.camera.modes import Mode
from vcam.camera.stamps import Stamps
from vcam.camera.unpack import Matrix, Unpacker
from vcam.errors import CameraError, CameraStalled, DeviceError
from vcam.frames import MAX_SIDE, MIN_SIDE, Frame, PixelFormat, check_size
from vcam.pipewire import formats, nodes, pod, raw
from vcam.pipewire.registry import VideoNode, video_nodes
from vcam.pipewire.stream import State, Stream
from vcam.types import U8, Size
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
_COUNT = (8, 2, 64)
"""Buffers, as GStreamer asks for them: some cameras stand still with fewer than they like."""
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
            raise CameraError(f"{named[0].description} is vcam's own camera", "name your real camera: " + _LIST)
        return next(node for node in named if not _is_own(node))
    there = ", ".join(node.description for node in found if not _is_own(node))
    raise CameraError(f"PipeWire has no camera named {name!r}", f"it has {there}" if there else _LIST)


def machines_camera(found: Sequence[VideoNode]) -> VideoNode | None:
    """Of all nodes the camera of this machine, None if PipeWire has none."""
    real = [node for node in found if node.api and not node.is_virtual and not _is_own(node) and not _is_loopback(node)]
    return min(real, key=lambda node: not node.is_camera, default=None)


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
        self._stream: _Sink | None = None
        self._unpacker: Unpacker | None = None
        self._agreed: _Agreed | None = None
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
        mode = f", {self._agreed.mode}" if self._agreed else ""
        return f"{self._node.description} (PipeWire){mode}"

    @property
    def size(self) -> Size:
        return self._agreed.mode.size if self._agreed else self._wish

    @property
    def fps(self) -> float:
        return (self._agreed.mode.fps if self._agreed else 0.0) or self._wished_fps

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
        self._node = found
        return found

    def open(self) -> None:
        """Find the camera, agree on a format, and start it. See `Camera.open`."""
        check_size(*self._wish)
        self.close()
        node = self._find()
        try:
            self._stream = _Sink(node.serial)
            self._stream.begin(self._wish, self._wished_fps, min(self._timeout * 10, _CONNECTING))
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

    def _unpack(self, taken: _Taken) -> Frame | None:
        self.dropped += taken.superseded
        now = time.monotonic()
        if self._unpacker is None or taken.agreed is not self._agreed or taken.stride != self._stride:
            # a camera may change its mode under way; whoever reads has been promised a size
            if self._agreed is not None and taken.agreed.mode.size != self._agreed.mode.size:
                raise CameraError(
                    f"{self.description} has changed its picture to {taken.agreed.mode}", "vcam opens it again"
                )
            self._agreed, self._stride = taken.agreed, taken.stride
            self._unpacker = taken.agreed.unpacker(taken.stride)
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


@dataclass(frozen=True)
class _Agreed:
    """A format that was agreed on."""

    mode: Mode
    full_range: bool | None
    matrix: Matrix

    def unpacker(self, stride: int | None) -> Unpacker:
        mode = self.mode
        if mode.format is not PixelFormat.MJPEG:
            stride = believable_stride(mode.format, mode.size, stride or 0, 0)
        return Unpacker(mode.format, mode.size, stride=stride, full_range=self.full_range, matrix=self.matrix)


@dataclass(frozen=True)
class _Taken:
    """One picture, copied."""

    data: U8
    agreed: _Agreed
    stride: int | None
    stamp: float | None
    superseded: int
    damaged: bool


class _Sink(Stream):
    """The stream that reads a node."""

    def __init__(self, serial: str) -> None:
        self._fresh = threading.Condition()
        self._waiting = 0
        self.agreed: _Agreed | None = None
        self.refused = ""
        self._copy: U8 = np.empty(0, np.uint8)
        super().__init__(
            "camera",
            {
                "media.type": "Video",
                "media.category": "Capture",
                "media.role": "Camera",
                "target.object": serial,
                # WirePlumber else links another camera where this one has just gone
                "node.dont-reconnect": "true",
                "node.dont-fallback": "true",
                "node.dont-move": "true",
                "application.name": "vcam",
            },
            process=True,
        )

    def begin(self, size: Size, fps: float, patience: float) -> None:
        """Connect, and wait until a format is agreed on. Raises `DeviceError`."""
        flags = raw.PW_STREAM_FLAG_AUTOCONNECT | raw.PW_STREAM_FLAG_MAP_BUFFERS | raw.PW_STREAM_FLAG_DONT_RECONNECT
        self.connect(raw.PW_DIRECTION_INPUT, flags, formats.wishes(_FORMATS, size, fps), patience=patience)
        with self._fresh:
            self._fresh.wait_for(lambda: self.agreed or self.refused or self.state.lost, patience)
        if self.refused or self.state.lost:
            raise DeviceError(self.refused or self.state.error or "PipeWire does not link it")
        if self.agreed is None:
            raise DeviceError(
                "it agrees on no format with vcam, or another program holds it",
                "systemctl --user restart wireplumber; vcam doctor tells more",
            )

    def on_format(self, properties: dict[int, pod.Value]) -> None:
        if not properties:
            return
        try:
            self.agreed = _agreed(properties)
            self.update([formats.wanted_buffers(_COUNT), formats.header()])
        except ValueError as error:
            # by the old one the pictures would be torn
            self.agreed = None
            self.refused = f"its pictures are {error}"
        with self._fresh:
            self._fresh.notify_all()

    def on_state(self, state: State) -> None:
        with self._fresh:
            self._fresh.notify_all()

    def on_process(self) -> None:
        # nothing is copied here, where PipeWire's thread would wait for the GIL
        with self._fresh:
            self._waiting += 1
            self._fresh.notify_all()

    def newest(self, patience: float) -> _Taken | None:
        """The newest picture that waits, or that comes within so many seconds; None if none does."""
        deadline = time.monotonic() + patience
        while True:
            with self._fresh:
                self._fresh.wait_for(lambda: self._waiting or self.state.lost, max(0.0, deadline - time.monotonic()))
                told, self._waiting = self._waiting, 0
            if (taken := self._newest_waiting()) is not None or not told:
                return taken

    def _newest_waiting(self) -> _Taken | None:
        with self.locked() as (library, stream):
            buffer, superseded = None, 0
            while newer := library.pw_stream_dequeue_buffer(stream):
                if buffer:
                    library.pw_stream_queue_buffer(stream, buffer)
                    superseded += 1
                buffer = newer
            if not buffer or self.agreed is None:
                return None
            try:
                return self._take(buffer.contents.buffer.contents, self.agreed, superseded)
            finally:
                library.pw_stream_queue_buffer(stream, buffer)

    def _take(self, buffer: raw.SpaBuffer, agreed: _Agreed, superseded: int) -> _Taken:
        stamp, damaged = None, not buffer.n_datas
        for index in range(buffer.n_metas):
            meta = buffer.metas[index]
            if meta.type == raw.SPA_META_Header and meta.size >= ctypes.sizeof(raw.SpaMetaHeader):
                label = raw.SpaMetaHeader.from_address(meta.data)
                stamp = label.pts / 1e9 if label.pts > 0 else None
                damaged = damaged or bool(label.flags & raw.SPA_META_HEADER_FLAG_CORRUPTED)
        length, stride = 0, None
        for index in range(buffer.n_datas):
            data = buffer.datas[index]
            chunk = data.chunk.contents
            stride = chunk.stride or None if index == 0 else stride
            offset = chunk.offset % data.maxsize if data.maxsize else 0
            count = min(chunk.size, data.maxsize - offset)
            if not data.data or chunk.flags & raw.SPA_CHUNK_FLAG_CORRUPTED or not count:
                damaged = True
                continue
            if self._copy.size < length + count:
                self._copy = np.concatenate([self._copy[:length], np.empty(count, np.uint8)])
            ctypes.memmove(self._copy.ctypes.data + length, data.data + offset, count)
            length += count
        return _Taken(self._copy[:length], agreed, stride, stamp, superseded, damaged)


_BY_NUMBER = {number: format_ for format_, number in formats.NUMBERS.items()}


def _agreed(properties: dict[int, pod.Value]) -> _Agreed:
    """Raises `ValueError` for what vcam cannot read."""
    subtype = pod.chosen(properties.get(pod.Key.MEDIA_SUBTYPE))
    format_ = pod.chosen(properties.get(pod.Key.FORMAT))
    size, rate = pod.chosen(properties.get(pod.Key.SIZE)), pod.chosen(properties.get(pod.Key.FRAMERATE))
    range_, matrix = properties.get(pod.Key.COLOR_RANGE), properties.get(pod.Key.COLOR_MATRIX)
    if subtype == pod.Id(pod.SUBTYPE_MJPG):
        found: PixelFormat | None = PixelFormat.MJPEG
    else:
        found = _BY_NUMBER.get(format_.value) if isinstance(format_, pod.Id) else None
    if found is None:
        raise ValueError("of a format that vcam does not read")
    if not isinstance(size, pod.Rectangle):
        raise ValueError("of no size")
    width, height = size.width, size.height
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE) or width % 2 or height % 2:
        raise ValueError(f"{width}x{height}, and both sides must be even and between {MIN_SIDE} and {MAX_SIDE}")
    fps = rate.num / rate.denom if isinstance(rate, pod.Fraction) and rate.denom else 0.0
    full = {pod.Id(formats.RANGE_FULL): True, pod.Id(formats.RANGE_LIMITED): False}
    return _Agreed(
        Mode(found, (width, height), fps),
        full.get(range_) if isinstance(range_, pod.Id) else None,
        "bt709" if matrix == pod.Id(formats.MATRIX_BT709) else "bt601",
    )
