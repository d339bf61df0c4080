"""Frames of a V4L2 camera: the newest one, never a stale one."""

from __future__ import annotations

import contextlib
import errno
import logging
import mmap
import os
import select
import time
from dataclasses import replace

import numpy as np

from vcam.camera.base import Camera
from vcam.camera.controls import ControlWishes
from vcam.camera.jpeghead import DAMAGED, Fault
from vcam.camera.layouts import GREY, RGB, believable_stride
from vcam.camera.modes import KNOWN, Mode
from vcam.camera.sources import SILENT_CURE, Search, failure, fallen_silent, unfed
from vcam.camera.stamps import Captured, Stamps
from vcam.camera.starting import Wish, choices, start
from vcam.camera.unpack import Matrix, Unpacker
from vcam.camera.unreadable import refuse_unreadable
from vcam.errors import CameraError, CameraStalled, VcamError
from vcam.frames import Frame, PixelFormat, check_size
from vcam.types import U8, Size
from vcam.v4l2 import device, inputs, raw
from vcam.v4l2.discover import Node

log = logging.getLogger(__name__)

# beyond this a jump in the driver's numbers is a restart, not a loss
_SANE_GAP = 1000

_COLORSPACES_LIKE_709 = frozenset(
    (raw.V4L2_COLORSPACE_REC709, raw.V4L2_COLORSPACE_DCI_P3, raw.V4L2_COLORSPACE_BT2020, raw.V4L2_COLORSPACE_SMPTE240M)
)
_ENCODINGS_LIKE_709 = frozenset(
    (
        raw.V4L2_YCBCR_ENC_709,
        raw.V4L2_YCBCR_ENC_XV709,
        raw.V4L2_YCBCR_ENC_BT2020,
        raw.V4L2_YCBCR_ENC_BT2020_CONST_LUM,
        raw.V4L2_YCBCR_ENC_SMPTE240M,
    )
)


class V4L2Camera:
    """A camera as `vcam.camera.base.Camera` has it.

    source: "auto" (the first real camera), a path, a number, or part of the card's name. A virtual camera is taken
    only if it is named. `size` and `fps` are wishes: `open` takes the camera's nearest mode.
    """

    def __init__(
        self,
        source: str,
        size: Size,
        fps: float,
        timeout: float,
        controls: ControlWishes | None = None,
        format_: PixelFormat | None = None,
    ) -> None:
        """timeout: seconds without a frame after which `read` gives up. `controls` are set whenever it is opened.

        format_: the only one to take, None for the best.
        """
        self._search = Search(source)
        self._wish, self._timeout = Wish(size, fps, format_), timeout
        self._controls = controls or ControlWishes()
        self._fd = -1
        self._maps: list[mmap.mmap] = []
        self._held: int | None = None
        self._mode: Mode | None = None
        self._dropped = 0
        self._last_sequence: int | None = None
        self._seq = 0
        self._good_at = 0.0
        self._fault: Fault | None = None
        self._told: set[Fault] = set()
        self._stamps, self._captured = Stamps(0.0), Captured(0.0, True)
        self._poll = select.poll()
        self._unpacker: Unpacker | None = None
        self._copy: U8 | None = None

    @property
    def _node(self) -> Node | None:
        return self._search.node

    @property
    def description(self) -> str:
        if self._node is None:
            return f"camera {self._search.source}"
        mode = f", {self._mode}" if self._mode else ""
        return f"{self._node.card} ({self._node.path}){mode}"

    @property
    def size(self) -> Size:
        return self._mode.size if self._mode else self._wish.size

    @property
    def fps(self) -> float:
        return (self._mode.fps if self._mode else 0.0) or self._wish.fps

    @property
    def live(self) -> bool:
        return True

    @property
    def dropped(self) -> int:
        return self._dropped

    def wish(self, size: Size) -> None:
        """See `vcam.camera.base.TakesWishes`."""
        self._wish = replace(self._wish, size=size)

    def adjust(self, controls: ControlWishes) -> None:
        """See `vcam.camera.controls.Adjustable`."""
        node = self._node
        if node is not None:
            # a descriptor of its own: the camera may be closed meanwhile
            try:
                fd = device.open_node(node.path)
            except OSError as error:
                raise failure(node, error) from error
            try:
                controls.replace(self._controls, fd, f"{node.card} ({node.path})")
            finally:
                os.close(fd)
        self._controls = controls

    def remember(self, other: Camera) -> None:
        """See `vcam.camera.base.Remembers`."""
        if isinstance(other, V4L2Camera) and other._search.source == self._search.source:
            self._search = replace(other._search)

    def check(self) -> None:
        """Find the camera, and see whether it has a format that vcam reads, and the one that is asked of it."""
        node = self._search.find()
        refuse_unreadable(node)
        if self._wish.format is None:
            return
        try:
            with device.opened(node.path) as fd:
                choices(fd, node, self._wish)
        except OSError as error:
            raise failure(node, error) from error

    def open(self) -> None:
        """Find the camera, set its mode, and start it. See `Camera.open`."""
        check_size(*self._wish.size)
        self.close()
        node = self._search.find()
        try:
            self._start(node)
        except OSError as error:
            without_signal = self._without_signal()
            self.close()
            raise without_signal or failure(node, error) from error
        except VcamError:
            self.close()
            raise
        if (cause := self._without_signal()) is not None:
            log.warning("%s", cause)

    def _start(self, node: Node) -> None:
        self._fd = device.open_node(node.path)
        started = start(self._fd, node, self._wish)
        layout, self._mode, self._maps = started.layout, started.mode, started.maps
        full_range, matrix = colours(layout)
        jpeg = self._mode.format is PixelFormat.MJPEG
        stride = None if jpeg else believable_stride(self._mode.format, self._mode.size, layout.stride, layout.bytes)
        self._unpacker = Unpacker(
            self._mode.format, self._mode.size, stride=stride, full_range=full_range, matrix=matrix
        )
        # the producer of a virtual camera writes into buffers that were handed out: mask and picture must not differ
        self._copy = np.empty(layout.bytes, np.uint8) if node.is_loopback else None
        # now, since some cameras forget their controls when they start
        self._controls.apply(self._fd, f"{node.card} ({node.path})")
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._dropped = self._seq = 0
        self._last_sequence = None
        self._good_at, self._fault = time.monotonic(), None
        self._told.clear()
        self._stamps = Stamps(self._good_at)

    def read(self) -> Frame | None:
        """The newest frame. See `Camera.read`.

        It may be a view of the driver's memory, which goes back to the driver with the next call.
        """
        if self._fd < 0 or self._unpacker is None:
            raise CameraError(f"{self.description} is not open")
        deadline = time.monotonic() + self._timeout
        try:
            filled = self._newest_waiting()
            while True:
                if filled is not None:
                    frame = self._unpack(self._unpacker, filled)
                    if frame is not None:
                        return frame
                    self._drop()
                self._give_back()
                self._wait(deadline)
                filled = self._drain()[0]
        except OSError as error:
            raise self._lost(error.strerror or "no reason given") from error

    def _drop(self) -> None:
        """Count a frame that cannot be shown, and say once why."""
        self._dropped += 1
        if self._fault and self._fault not in self._told:
            self._told.add(self._fault)
            log.info("%s %s", self.description, self._fault.words)

    def _newest_waiting(self) -> device.FilledBuffer | None:
        """The newest frame that came since the last call, None if none did or all are old.

        A driver that has filled all its buffers drops what comes later, so then even the newest may be stale. The
        producer of a virtual camera writes on, over the oldest; that of version 0.12 gives no times to judge by.
        """
        before, self._held = self._held, None
        at_the_driver = len(self._maps) - (before is not None)
        newest, taken = self._drain()
        if before is not None:
            device.queue_buffer(self._fd, before)
        may_be_stale = taken >= at_the_driver and self._copy is None
        if newest is not None and may_be_stale and not self._captured.fresh:
            self._dropped += 1
            self._give_back()
            return None
        return newest

    def _drain(self) -> tuple[device.FilledBuffer | None, int]:
        """The newest filled buffer, now held, and how many there were; the others are back at the driver."""
        newest, taken = None, 0
        while taken < len(self._maps) and (filled := device.dequeue_buffer(self._fd)) is not None:
            if newest is not None:
                device.queue_buffer(self._fd, newest.index)
            newest, taken = filled, taken + 1
        now = time.monotonic()
        if newest is None:
            self._stamps.emptied(now)
            return None, 0
        self._captured = self._stamps.captured(newest.timestamp, now, taken, self.fps)
        self._held = newest.index
        self._count_lost(newest.sequence, taken - 1)
        return newest, taken

    def _count_lost(self, sequence: int, superseded: int) -> None:
        # gaps in the driver's numbers tell of frames that it dropped itself; some drivers do not count
        gap = 0 if self._last_sequence is None else sequence - self._last_sequence - 1
        self._dropped += max(superseded, gap if gap < _SANE_GAP else 0)
        self._last_sequence = sequence

    def _unpack(self, unpacker: Unpacker, filled: device.FilledBuffer) -> Frame | None:
        if filled.damaged:
            self._fault = DAMAGED
            return None
        data = np.frombuffer(self._maps[filled.index], np.uint8, min(filled.bytes, len(self._maps[filled.index])))
        if self._copy is not None:
            data = self._copy_of(data)
        frame = unpacker.unpack(data, self._captured.at, self._seq)
        if frame is None:
            self._fault = unpacker.fault
        else:
            self._seq += 1
            self._good_at, self._fault = time.monotonic(), None
        return frame

    def _copy_of(self, data: U8) -> U8:
        if self._copy is None or self._copy.size < data.size:
            self._copy = np.empty(data.size, np.uint8)
        np.copyto(self._copy[: data.size], data)
        return self._copy[: data.size]

    def _give_back(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            device.queue_buffer(self._fd, held)

    def _wait(self, deadline: float) -> None:
        events = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if events and events[0][1] & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise self._lost("the driver reports an error")
        if not events or time.monotonic() > deadline:
            raise self._stalled()

    def _stalled(self) -> CameraStalled:
        silence = time.monotonic() - self._good_at
        lasted = f"{silence:.1f} s" if silence < 1 else f"{silence:.0f} s"
        if self._fault:
            why = f"{self.description} has sent no whole picture for {lasted}: it {self._fault.words}"
            return CameraStalled(why, self._fault.hint, sends=True)
        assert self._node is not None
        if self._copy is not None and not self._seq:
            without = unfed(self._node)
            return CameraStalled(without.message, without.hint)
        if self._copy is not None:
            return CameraStalled(f"{fallen_silent(self._node)}: no picture for {lasted}", SILENT_CURE)
        if (cause := self._without_signal()) is not None:
            return cause
        return CameraStalled(f"{self.description} has sent no picture for {lasted}", "unplug it and plug it in again")

    def _without_signal(self) -> CameraStalled | None:
        """What a capture card lacks, if its driver says so: then the camera itself is well."""
        assert self._node is not None
        # v4l2loopback 0.15 says so, too, where no program feeds it
        source = None if self._fd < 0 or self._node.is_loopback else inputs.video_input(self._fd)
        if source is None or not source.lacks:
            return None
        return CameraStalled(
            f"{self._node.card} ({self._node.path}) gets no {source.lacks} on its input {source.name}",
            "switch on what is plugged in there, and see to its cable",
        )

    def _lost(self, why: str) -> CameraError:
        assert self._node is not None
        if not self._node.path.exists() or self._is_gone():
            return CameraError(f"{self._node.card} ({self._node.path}) was unplugged", "plug it in again")
        if self._copy is not None:
            return CameraError(fallen_silent(self._node), SILENT_CURE)
        return CameraError(f"{self.description} has stopped: {why}", "unplug it and plug it in again")

    def _is_gone(self) -> bool:
        """Whether the device behind the descriptor was taken away; its node vanishes a moment later."""
        try:
            device.query_capabilities(self._fd)
        except OSError as error:
            return error.errno == errno.ENODEV
        return False

    def close(self) -> None:
        """Stop the camera and give it back. See `Camera.close`."""
        if self._fd < 0:
            return
        # an unplugged camera answers nothing any more
        with contextlib.suppress(OSError):
            device.stream_off(self._fd)
            # the last frame may still be mapped, and would keep a camera busy; on v4l2loopback 0.12 buffers are
            # common to all readers, and asking for none takes them from the others
            if self._copy is None:
                device.request_buffers(self._fd, 0)
        self._unpacker = self._copy = self._held = None
        for memory in self._maps:
            # somebody may still hold the last frame: its memory goes when the frame does
            with contextlib.suppress(BufferError):
                memory.close()
        self._maps = []
        os.close(self._fd)
        self._fd = -1


def colours(layout: device.PixelLayout) -> tuple[bool, Matrix]:
    """Whether samples use the full range, and their matrix, where 0 stands for the kernel's default rules.

    Those are V4L2_MAP_QUANTIZATION_DEFAULT and V4L2_MAP_YCBCR_ENC_DEFAULT of <linux/videodev2.h>. JPEG frames are full
    range by their own standard, whatever a camera's descriptor says of its sensor. SMPTE 240M and BT.2020 are taken
    for BT.709, which is near. RGB is of the full range by those rules, and has no matrix; grey is taken for the full
    range as well, since that is what sensors send.
    """
    format_ = KNOWN.get(layout.code)
    if format_ in GREY | RGB:
        return layout.quantization != raw.V4L2_QUANTIZATION_LIM_RANGE, "bt601"
    jpeg = format_ is PixelFormat.MJPEG or layout.colorspace == raw.V4L2_COLORSPACE_JPEG
    full_range = jpeg if layout.quantization == 0 else layout.quantization == raw.V4L2_QUANTIZATION_FULL_RANGE
    if layout.encoding:
        return full_range, "bt709" if layout.encoding in _ENCODINGS_LIKE_709 else "bt601"
    return full_range, "bt709" if layout.colorspace in _COLORSPACES_LIKE_709 else "bt601"
