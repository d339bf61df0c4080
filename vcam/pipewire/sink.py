"""A stream that reads pictures from a node of PipeWire's: the newest one, copied."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vcam.errors import DeviceError
from vcam.frames import MAX_SIDE, MIN_SIDE, PixelFormat
from vcam.pipewire import formats, pod, raw
from vcam.pipewire.stream import State, Stream
from vcam.types import U8, Size

_COUNT = (8, 2, 64)
"""Buffers, as GStreamer asks for them: some cameras stand still with fewer than they like."""


@dataclass(frozen=True)
class Agreed:
    """A format that was agreed on; `fps` is 0 if it varies, `full_range` None if it does not say."""

    format: PixelFormat
    size: Size
    fps: float
    full_range: bool | None
    matrix: Literal["bt601", "bt709"]


@dataclass(frozen=True)
class Taken:
    """One picture. `data`: uint8, flat, the sink's until the next one; `stamp`: seconds, by the sender's clock."""

    data: U8
    agreed: Agreed
    stride: int | None
    stamp: float | None
    superseded: int
    damaged: bool


class Sink(Stream):
    """The stream that reads a node."""

    def __init__(self, name: str, properties: Mapping[str, str], *, fd: int | None = None) -> None:
        """See `Stream`. Raises `DeviceError` if there is no PipeWire."""
        self._fresh = threading.Condition()
        self._waiting = 0
        self.agreed: Agreed | None = None
        self.refused = ""
        """Why what the sender offers cannot be read, as the end of a sentence."""
        self._copy: U8 = np.empty(0, np.uint8)
        super().__init__(name, {"media.type": "Video", "application.name": "vcam", **properties}, process=True, fd=fd)

    def begin(
        self, known: Sequence[PixelFormat], size: Size, fps: float, patience: float, node: int = raw.PW_ID_ANY
    ) -> None:
        """Connect, and wait until a format is agreed on: one of `known`, or JPEG. node: the number of the sender, where
        its properties do not name it. Raises `DeviceError`.
        """
        flags = raw.PW_STREAM_FLAG_AUTOCONNECT | raw.PW_STREAM_FLAG_MAP_BUFFERS | raw.PW_STREAM_FLAG_DONT_RECONNECT
        self.connect(raw.PW_DIRECTION_INPUT, flags, formats.wishes(known, size, fps), patience=patience, node=node)
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
            self.agreed = agreed_of(properties)
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

    def newest(self, patience: float) -> Taken | None:
        """The newest picture that waits, or that comes within so many seconds; None if none does."""
        deadline = time.monotonic() + patience
        while True:
            with self._fresh:
                self._fresh.wait_for(lambda: self._waiting or self.state.lost, max(0.0, deadline - time.monotonic()))
                told, self._waiting = self._waiting, 0
            if (taken := self._newest_waiting()) is not None or not told:
                return taken

    def _newest_waiting(self) -> Taken | None:
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

    def _take(self, buffer: raw.SpaBuffer, agreed: Agreed, superseded: int) -> Taken:
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
        return Taken(self._copy[:length], agreed, stride, stamp, superseded, damaged)


_BY_NUMBER = {number: format_ for format_, number in formats.NUMBERS.items()}


def agreed_of(properties: dict[int, pod.Value]) -> Agreed:
    """The format that an object tells of. Raises `ValueError` for what vcam cannot read."""
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
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise ValueError(f"{width}x{height}, and each side must be between {MIN_SIDE} and {MAX_SIDE}")
    fps = rate.num / rate.denom if isinstance(rate, pod.Fraction) and rate.denom else 0.0
    full = {pod.Id(formats.RANGE_FULL): True, pod.Id(formats.RANGE_LIMITED): False}
    return Agreed(
        found,
        (width, height),
        fps,
        full.get(range_) if isinstance(range_, pod.Id) else None,
        "bt709" if matrix == pod.Id(formats.MATRIX_BT709) else "bt601",
    )
