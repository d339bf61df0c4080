"""A camera without a kernel module: frames for a node of PipeWire's."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import re

import numpy as np

from vcam.errors import DeviceError, OutputDeviceError, VcamError
from vcam.frames import Frame, PixelFormat, check_size
from vcam.output.virtual.layout import Fit, YuyvLayout
from vcam.output.virtual.names import DEFAULT_NAME
from vcam.pipewire import formats, nodes, pod, raw
from vcam.pipewire.registry import OWN_PREFIX, video_nodes
from vcam.pipewire.stream import State, Stream
from vcam.types import Size

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that are waited for the daemon where nobody waits for pictures meanwhile."""
PATIENCE_UNDER_WAY = 0.3
"""The same while other outputs' readers wait."""

_COUNT = (4, 3, 16)
"""Buffers: one that is read, one that waits, one that is filled, and one more for a second reader."""


class PipeWireCamera:
    """A node of class Video/Source as `vcam.output.base.Output` has it; nothing is kept of it when vcam ends.

    It has one size. While a reader is there, frames of another size are fitted into that.
    """

    any_thread = True
    """See `vcam.output.base.Output`."""

    def __init__(self, name: str = DEFAULT_NAME) -> None:
        self._name = name
        self._stream: _Source | None = None
        self._size: Size = (0, 0)
        self._held: Size = (0, 0)
        self._fps = 0.0
        self._fit: Fit | None = None
        self.dropped = 0
        """Frames that no buffer was free for: a reader kept them all."""
        self.patience = PATIENCE
        """Seconds that the daemon has to answer when the node is made."""

    @property
    def live(self) -> bool:
        return True

    @property
    def description(self) -> str:
        return f"PipeWire camera {self._name}"

    @property
    def camera_name(self) -> str:
        return self._name if self._stream else ""

    @property
    def finished(self) -> bool:
        return False

    def watched(self) -> bool:
        """Whether a program takes pictures from the node."""
        if self._stream is None:
            return False
        self._stream.changed()
        return self._stream.state.streams

    def fileno(self) -> int | None:
        return self._stream.fd if self._stream else None

    def open(self, size: Size, fps: float) -> None:
        """Make the node known. See `Output.open`."""
        check_size(*size)
        self.abort()
        self._fps = fps
        self._take(size)
        try:
            self._refuse_twin()
            stream = _Source(self._name, self._held, fps)
        except OutputDeviceError:
            raise
        except DeviceError as error:
            raise OutputDeviceError(error.message, error.hint) from error
        self._stream = stream
        try:
            stream.begin(self.patience)
        except DeviceError as error:
            self.abort()
            raise OutputDeviceError(error.message, error.hint) from error
        self.patience = PATIENCE_UNDER_WAY

    def _refuse_twin(self) -> None:
        """Two of one name cannot be told apart by those who choose a camera."""
        for node in video_nodes(self.patience):
            if node.name == node_name(self._name):
                raise OutputDeviceError(
                    f"another vcam makes the PipeWire camera {self._name} already",
                    "vcam stop ends it; or give this one a name: --output pipewire:NAME",
                )

    def resize(self, size: Size) -> None:
        """Take the new size over, or fit it into the old one while somebody reads."""
        assert self._stream is not None, "resize before open"
        if self._stream.state.streams:
            self._size = size
            self._fit_in()
        else:
            self._take(size)
            self._stream.offer(self._held, self._fps)

    def _take(self, size: Size) -> None:
        self._size = self._held = size
        self._fit_in()

    def _fit_in(self) -> None:
        self._fit = None if self._size == self._held else Fit(self._size, self._held, PixelFormat.I420)

    def write(self, frame: Frame) -> None:
        """Deliver a frame, if somebody reads. See `Output.write`."""
        assert self._stream is not None, "write before open"
        state = self._stream.state
        if state.lost:
            raise OutputDeviceError(
                f"{self.description} is gone: PipeWire {state.error or 'has ended'}",
                "vcam takes it up again when PipeWire is back",
            )
        if not state.streams:
            if self._held != self._size:
                self.resize(self._size)
            return
        if frame.size != self._size:
            # a card that was drawn before the size changed
            self._size = frame.size
            self._fit_in()
        if (agreed := self._stream.agreed) is not None and agreed != self._held:
            # a reader was linked to the size before
            self._held = agreed
            self._fit_in()
        placed = frame if self._fit is None else self._fit.place(frame)
        if not self._stream.send(placed, int(frame.timestamp * 1e9)):
            self.dropped += 1

    def close(self) -> None:
        """Take the node away; readers see their stream end."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.close()

    def abort(self) -> None:
        with contextlib.suppress(VcamError):
            self.close()


def node_name(name: str) -> str:
    """The node's own name, which no person reads: letters, digits and a few signs."""
    return OWN_PREFIX + re.sub(r"[^\w.-]+", "-", name)


class _Source(Stream):
    """The stream that others read."""

    _number = raw.PW_ID_ANY

    def __init__(self, name: str, size: Size, fps: float) -> None:
        super().__init__(
            name,
            {
                "media.class": "Video/Source",
                "media.type": "Video",
                "media.role": "Camera",
                "node.name": node_name(name),
                "node.description": name,
                "node.virtual": "true",
                "media.name": name,
                "media.icon-name": "camera-web",
                "application.name": "vcam",
                "application.icon-name": "camera-web",
            },
        )
        self._size, self._fps = size, fps
        self._layout = YuyvLayout(size)
        self.agreed: Size | None = None
        """What the readers were told, None while there is none."""
        self._seq = 0

    def begin(self, patience: float) -> None:
        """Make it known, waiting for the daemon for so long. Raises `DeviceError`."""
        flags = raw.PW_STREAM_FLAG_DRIVER | raw.PW_STREAM_FLAG_MAP_BUFFERS
        offered = [formats.yuy2(pod.Param.ENUM_FORMAT, self._size, self._fps)]
        self.connect(raw.PW_DIRECTION_OUTPUT, flags, offered, patience=patience)
        with self.locked() as (library, stream):
            self._number = library.pw_stream_get_node_id(stream)
        nodes.OWN.add(self._number)

    def offer(self, size: Size, fps: float) -> None:
        """Another size; nobody reads."""
        with self.locked():
            self._size, self._fps = size, fps
            self.update([formats.yuy2(pod.Param.ENUM_FORMAT, size, fps)])

    def on_format(self, properties: dict[int, pod.Value]) -> None:
        size = pod.chosen(properties.get(pod.Key.SIZE))
        self.agreed = (size.width, size.height) if isinstance(size, pod.Rectangle) else None
        if self.agreed is not None:
            self._layout = YuyvLayout(self.agreed)
            self.update([formats.buffers(_bytes(self.agreed), _line(self.agreed), _COUNT), formats.header()])

    def on_state(self, state: State) -> None:
        log.debug("PipeWire camera: state %d %s", state.number, state.error)

    def send(self, frame: Frame, nanoseconds: int) -> bool:
        """Lay a picture out in a free buffer and pass it on; False if there is none, or none of its size."""
        count = _bytes(frame.size)
        with self.locked() as (library, stream):
            taken = library.pw_stream_dequeue_buffer(stream)
            if not taken:
                return False
            buffer = taken.contents.buffer.contents
            data = buffer.datas[0]
            chunk = data.chunk.contents
            fits = bool(data.data) and data.maxsize >= count and self.agreed == frame.size
            chunk.offset, chunk.stride = 0, _line(frame.size)
            chunk.size = count if fits else 0
            chunk.flags = 0 if fits else raw.SPA_CHUNK_FLAG_CORRUPTED
            if fits:
                # no copy of a copy: into the memory that the readers have
                into = np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(data.data))
                self._layout.lay_out(frame, into)
            self._label(buffer, nanoseconds)
            library.pw_stream_queue_buffer(stream, taken)
            library.pw_stream_trigger_process(stream)
            return fits

    def _label(self, buffer: raw.SpaBuffer, nanoseconds: int) -> None:
        for index in range(buffer.n_metas):
            meta = buffer.metas[index]
            if meta.type == raw.SPA_META_Header and meta.size >= ctypes.sizeof(raw.SpaMetaHeader):
                label = raw.SpaMetaHeader.from_address(meta.data)
                label.flags, label.offset, label.dts_offset = 0, 0, 0
                label.pts, label.seq = nanoseconds, self._seq
        self._seq += 1

    def close(self) -> None:
        nodes.OWN.discard(self._number)
        super().close()


def _line(size: Size) -> int:
    return size[0] * 2


def _bytes(size: Size) -> int:
    return _line(size) * size[1]
