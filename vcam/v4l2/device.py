"""What one asks a V4L2 node: functions that take a file descriptor.

They raise `OSError` with the kernel's errno; wording it for people is the caller's job, who knows what it was for.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from ctypes import Structure, c_int32
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from pathlib import Path
from weakref import WeakKeyDictionary

from vcam.printable import shown_name
from vcam.types import Size
from vcam.v4l2 import raw


class Direction(IntEnum):
    """Which way frames flow: the kernel's buffer types."""

    CAPTURE = raw.V4L2_BUF_TYPE_VIDEO_CAPTURE
    OUTPUT = raw.V4L2_BUF_TYPE_VIDEO_OUTPUT


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a node says of itself. `flags` are those of this node, not of the whole device behind it."""

    driver: str
    card: str
    bus: str
    flags: int

    @property
    def captures(self) -> bool:
        return bool(self.flags & raw.V4L2_CAP_VIDEO_CAPTURE)

    @property
    def captures_planes(self) -> bool:
        """Whether it takes pictures and gives them by the multi-planar calls only; encoders, which are fed, do not."""
        planes = self.flags & (raw.V4L2_CAP_VIDEO_CAPTURE_MPLANE | raw.V4L2_CAP_VIDEO_OUTPUT_MPLANE)
        return planes == raw.V4L2_CAP_VIDEO_CAPTURE_MPLANE and not self.captures

    @property
    def is_wired(self) -> bool:
        """Whether the node gives nothing before a program has wired up a pipeline for it by the media controller.

        What such a node lists as its formats is what its bridge can carry, not what a sensor sends.
        """
        return bool(self.flags & raw.V4L2_CAP_IO_MC)

    @property
    def is_touch(self) -> bool:
        return bool(self.flags & raw.V4L2_CAP_TOUCH)

    @property
    def outputs(self) -> bool:
        return bool(self.flags & raw.V4L2_CAP_VIDEO_OUTPUT)

    @property
    def is_metadata(self) -> bool:
        return bool(self.flags & raw.V4L2_CAP_META_CAPTURE)

    @property
    def streams(self) -> bool:
        return bool(self.flags & raw.V4L2_CAP_STREAMING)

    @property
    def is_loopback(self) -> bool:
        return self.driver == "v4l2 loopback"


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """A format as the driver holds it. `code` is the four-character code, `stride` in bytes (0 if compressed); the
    colour fields are the kernel's numbers, where 0 means its default rules."""

    code: str
    size: Size
    stride: int = 0
    bytes: int = 0
    colorspace: int = 0
    encoding: int = 0
    quantization: int = 0

    def __str__(self) -> str:
        return f"{self.code} {self.size[0]}x{self.size[1]}"


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Sizes that a format comes in; for a single size minimum and maximum are the same."""

    minimum: Size
    maximum: Size
    step: Size = (1, 1)

    def nearest(self, size: Size) -> Size:
        """The size in the range that is nearest to `size`."""
        return (
            _clamp(size[0], self.minimum[0], self.maximum[0], self.step[0]),
            _clamp(size[1], self.minimum[1], self.maximum[1], self.step[1]),
        )


def _clamp(value: int, low: int, high: int, step: int) -> int:
    step = max(step, 1)
    return min(low + round((min(max(value, low), high) - low) / step) * step, high)


@dataclass(frozen=True, slots=True)
class RateRange:
    """Frames a second that a size comes in; a single rate has the same slowest and fastest."""

    slowest: float
    fastest: float


@dataclass(frozen=True, slots=True)
class FilledBuffer:
    """A buffer that the driver has given back. `timestamp` is in seconds of CLOCK_MONOTONIC, or None if the driver
    does not say by which clock it counts."""

    index: int
    bytes: int
    sequence: int
    timestamp: float | None
    damaged: bool


def open_node(path: Path) -> int:
    """A descriptor of a node. It does not block: a driver that gives nothing must not hold the program."""
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A descriptor of a node, for a short look."""
    fd = open_node(path)
    try:
        yield fd
    finally:
        os.close(fd)


def query_capabilities(fd: int) -> Capabilities:
    """Who it is and what it can do."""
    answer = raw.Capability()
    raw.ioctl(fd, raw.VIDIOC_QUERYCAP, answer)
    flags = answer.device_caps if answer.capabilities & raw.V4L2_CAP_DEVICE_CAPS else answer.capabilities
    return Capabilities(_text(answer.driver), _text(answer.card), _text(answer.bus_info), flags)


def _text(value: bytes) -> str:
    return shown_name(value)


def enum_formats(fd: int, direction: Direction = Direction.CAPTURE) -> Iterator[str]:
    """The four-character codes it offers, in the driver's order, each once."""
    seen = set()
    for index in range(64):
        answer = raw.FmtDesc(index=index, type=direction)
        if not _enumerate(fd, raw.VIDIOC_ENUM_FMT, answer):
            return
        if answer.pixelformat not in seen:
            seen.add(answer.pixelformat)
            yield raw.fourcc_name(answer.pixelformat)


def enum_sizes(fd: int, code: str) -> Iterator[SizeRange]:
    """The sizes of a format; nothing where the driver has no such list."""
    seen = set()
    for index in range(256):
        answer = raw.FrmSizeEnum(index=index, pixel_format=raw.fourcc(code))
        if not _enumerate(fd, raw.VIDIOC_ENUM_FRAMESIZES, answer):
            return
        if answer.type == raw.V4L2_FRMSIZE_TYPE_DISCRETE:
            size = answer.discrete.width, answer.discrete.height
            if size not in seen:
                seen.add(size)
                yield SizeRange(size, size)
        else:
            step = answer.stepwise
            yield SizeRange(
                (step.min_width, step.min_height),
                (step.max_width, step.max_height),
                (step.step_width, step.step_height),
            )
            return


def enum_rates(fd: int, code: str, size: Size) -> Iterator[RateRange]:
    """The frame rates of a format and size; nothing where the driver has no such list."""
    seen = set()
    for index in range(256):
        answer = raw.FrmIvalEnum(index=index, pixel_format=raw.fourcc(code), width=size[0], height=size[1])
        if not _enumerate(fd, raw.VIDIOC_ENUM_FRAMEINTERVALS, answer):
            return
        if answer.type == raw.V4L2_FRMIVAL_TYPE_DISCRETE:
            rate = _rate(answer.discrete)
            if rate not in seen:
                seen.add(rate)
                yield RateRange(rate, rate)
        else:
            yield RateRange(*sorted((_rate(answer.stepwise.max), _rate(answer.stepwise.min))))
            return


def _enumerate(fd: int, request: int, argument: Structure) -> bool:
    """False at the end of the list; a driver that has no such list at all counts as an empty one.

    Some drivers list an entry twice, or the same one for ever, so lists have a limit and entries come once.
    """
    try:
        raw.ioctl(fd, request, argument)
    except OSError as error:
        if error.errno in _GONE:
            raise
        return False
    return True


# the camera itself is away; all other answers mean that the driver has no such call
_GONE = (errno.ENODEV, errno.ENXIO, errno.EBADF)

# beyond this a rate is a driver's way to say nothing
_MOST_FRAMES = 2000


def _rate(interval: raw.Fract) -> float:
    rate = interval.denominator / interval.numerator if interval.numerator else 0.0
    return rate if rate <= _MOST_FRAMES else 0.0


def get_format(fd: int, direction: Direction = Direction.CAPTURE) -> PixelLayout:
    """The format it holds."""
    answer = raw.Format(type=direction)
    raw.ioctl(fd, raw.VIDIOC_G_FMT, answer)
    return _layout(answer)


def set_format(fd: int, code: str, size: Size, direction: Direction = Direction.CAPTURE) -> PixelLayout:
    """Ask for a format; returns the one it holds now, which may be another."""
    argument = _wish(code, size, direction)
    raw.ioctl(fd, raw.VIDIOC_S_FMT, argument)
    return _layout(argument)


def try_format(fd: int, code: str, size: Size) -> PixelLayout:
    """What `set_format` would come to, for pictures that are captured; nothing changes."""
    argument = _wish(code, size, Direction.CAPTURE)
    raw.ioctl(fd, raw.VIDIOC_TRY_FMT, argument)
    return _layout(argument)


def _wish(code: str, size: Size, direction: Direction) -> raw.Format:
    argument = raw.Format(type=direction)
    pix = argument.fmt.pix
    pix.width, pix.height = size
    pix.pixelformat = raw.fourcc(code)
    pix.field = raw.V4L2_FIELD_NONE
    # without this mark the kernel clears the colour fields that follow it
    pix.priv = raw.V4L2_PIX_FMT_PRIV_MAGIC
    if direction == Direction.OUTPUT:
        pix.colorspace = raw.V4L2_COLORSPACE_SMPTE170M
        pix.quantization = raw.V4L2_QUANTIZATION_LIM_RANGE
        pix.ycbcr_enc = raw.V4L2_YCBCR_ENC_601
    return argument


def _layout(answer: raw.Format) -> PixelLayout:
    pix = answer.fmt.pix
    extended = pix.priv == raw.V4L2_PIX_FMT_PRIV_MAGIC
    return PixelLayout(
        raw.fourcc_name(pix.pixelformat),
        (pix.width, pix.height),
        pix.bytesperline,
        pix.sizeimage,
        pix.colorspace,
        pix.ycbcr_enc if extended else 0,
        pix.quantization if extended else 0,
    )


def get_rate(fd: int, direction: Direction = Direction.CAPTURE) -> float:
    """Frames a second, 0 if the driver does not say."""
    answer = raw.StreamParm(type=direction)
    try:
        raw.ioctl(fd, raw.VIDIOC_G_PARM, answer)
    except OSError as error:
        if error.errno in _GONE:
            raise
        return 0.0
    return _rate(answer.parm.capture.timeperframe)


def set_rate(fd: int, fps: float, direction: Direction = Direction.CAPTURE) -> float:
    """Ask for a rate; returns the one it keeps, 0 if it does not say. A driver without rates is left as it is."""
    argument = raw.StreamParm(type=direction)
    interval = (1 / Fraction(fps)).limit_denominator(100_000)
    argument.parm.capture.timeperframe.numerator = interval.numerator
    argument.parm.capture.timeperframe.denominator = interval.denominator
    try:
        raw.ioctl(fd, raw.VIDIOC_S_PARM, argument)
    except OSError as error:
        optional = direction == Direction.CAPTURE or error.errno in (errno.EINVAL, errno.ENOTTY)
        if error.errno in _GONE or not optional:
            raise
        return get_rate(fd, direction)
    return _rate(argument.parm.capture.timeperframe)


def request_buffers(fd: int, count: int) -> int:
    """Ask for capture buffers to map; returns how many there are. 0 gives them back, and with them the camera."""
    argument = raw.RequestBuffers(count=count, type=Direction.CAPTURE, memory=raw.V4L2_MEMORY_MMAP)
    raw.ioctl(fd, raw.VIDIOC_REQBUFS, argument)
    return int(argument.count)


# of each buffer that is mapped, the number of its device
_MAPS: WeakKeyDictionary[mmap.mmap, int] = WeakKeyDictionary()


def map_buffer(fd: int, index: int) -> mmap.mmap:
    """A capture buffer as memory, read-only."""
    buffer = raw.Buffer(index=index, type=Direction.CAPTURE, memory=raw.V4L2_MEMORY_MMAP)
    raw.ioctl(fd, raw.VIDIOC_QUERYBUF, buffer)
    memory = mmap.mmap(fd, buffer.length, mmap.MAP_SHARED, mmap.PROT_READ, offset=buffer.m.offset)
    _MAPS[memory] = os.fstat(fd).st_rdev
    return memory


def _maps() -> list[tuple[mmap.mmap, int]]:
    while True:
        # other threads map buffers and let them go meanwhile
        with suppress(RuntimeError):
            return list(_MAPS.items())


def kept_by_maps(devices: Collection[int]) -> int:
    """How many descriptors this process's mapped buffers keep of some devices, told by their `st_rdev`.

    Each map of Python's holds a duplicate of the descriptor that it was made with, which is no open of its own.
    """
    return sum(number in devices and not memory.closed for memory, number in _maps())


def queue_buffer(fd: int, index: int) -> None:
    """Give a capture buffer to the driver, to be filled."""
    raw.ioctl(fd, raw.VIDIOC_QBUF, raw.Buffer(index=index, type=Direction.CAPTURE, memory=raw.V4L2_MEMORY_MMAP))


def queue_output_buffer(fd: int, index: int, count: int) -> None:
    """Give an output buffer to the driver as it is, `count` bytes long, to be shown now."""
    buffer = raw.Buffer(index=index, type=Direction.OUTPUT, bytesused=count, memory=raw.V4L2_MEMORY_MMAP)
    raw.ioctl(fd, raw.VIDIOC_QBUF, buffer)


def output_sequences(fd: int) -> list[int]:
    """The sequence numbers of what was written last into each output buffer; empty if the driver does not tell."""
    found: list[int] = []
    for index in range(32):
        buffer = raw.Buffer(index=index, type=Direction.OUTPUT, memory=raw.V4L2_MEMORY_MMAP)
        try:
            raw.ioctl(fd, raw.VIDIOC_QUERYBUF, buffer)
        except OSError:
            break
        # v4l2loopback before 0.14 answers for numbers beyond the last one, as if it counted round
        if index and not buffer.m.offset:
            break
        found.append(buffer.sequence)
    return found


def dequeue_buffer(fd: int) -> FilledBuffer | None:
    """The oldest filled capture buffer; None if there is none yet and the descriptor does not block."""
    answer = raw.Buffer(type=Direction.CAPTURE, memory=raw.V4L2_MEMORY_MMAP)
    try:
        raw.ioctl(fd, raw.VIDIOC_DQBUF, answer)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return None
        raise
    monotonic = answer.flags & raw.V4L2_BUF_FLAG_TIMESTAMP_MASK == raw.V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC
    return FilledBuffer(
        answer.index,
        answer.bytesused,
        answer.sequence,
        answer.timestamp.tv_sec + answer.timestamp.tv_usec * 1e-6 if monotonic else None,
        bool(answer.flags & raw.V4L2_BUF_FLAG_ERROR),
    )


def stream_on(fd: int, direction: Direction = Direction.CAPTURE) -> None:
    """Start the flow of frames: the camera's light goes on."""
    raw.ioctl(fd, raw.VIDIOC_STREAMON, c_int32(direction))


def stream_off(fd: int, direction: Direction = Direction.CAPTURE) -> None:
    """Stop it; all buffers are taken from the driver's queue."""
    raw.ioctl(fd, raw.VIDIOC_STREAMOFF, c_int32(direction))


def subscribe_event(fd: int, kind: int) -> None:
    """Have events of that kind queued for this descriptor, the state of now as the first one."""
    raw.ioctl(fd, raw.VIDIOC_SUBSCRIBE_EVENT, raw.EventSubscription(kind, 0, raw.V4L2_EVENT_SUB_FL_SEND_INITIAL))


def dequeue_event(fd: int) -> raw.Event | None:
    """The oldest event; None if there is none and the descriptor does not block."""
    event = raw.Event()
    try:
        raw.ioctl(fd, raw.VIDIOC_DQEVENT, event)
    except OSError as error:
        # without O_NONBLOCK the kernel would wait; with it, it answers ENOENT
        if error.errno in (errno.ENOENT, errno.EAGAIN):
            return None
        raise
    return event
