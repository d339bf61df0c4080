"""The kernel's V4L2 structures, numbers and flags, as <linux/videodev2.h> lays them out on 64-bit Linux.

Only what vcam uses, under the kernel's own names, so that its documentation applies word for word.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
from ctypes import Structure, Union, c_char, c_int32, c_int64, c_long, c_uint8, c_uint32, c_uint64, c_ulong, c_void_p
from typing import ClassVar

V4L2_BUF_TYPE_VIDEO_CAPTURE = 1
V4L2_BUF_TYPE_VIDEO_OUTPUT = 2
V4L2_MEMORY_MMAP = 1
V4L2_FIELD_NONE = 1

V4L2_CAP_VIDEO_CAPTURE = 0x00000001
V4L2_CAP_VIDEO_OUTPUT = 0x00000002
V4L2_CAP_VIDEO_CAPTURE_MPLANE = 0x00001000
V4L2_CAP_VIDEO_OUTPUT_MPLANE = 0x00002000
V4L2_CAP_META_CAPTURE = 0x00800000
V4L2_CAP_STREAMING = 0x04000000
V4L2_CAP_TOUCH = 0x10000000
V4L2_CAP_IO_MC = 0x20000000
V4L2_CAP_DEVICE_CAPS = 0x80000000

V4L2_INPUT_TYPE_TUNER = 1
V4L2_IN_ST_NO_POWER = 0x00000001
V4L2_IN_ST_NO_SIGNAL = 0x00000002
V4L2_IN_ST_NO_H_LOCK = 0x00000100
V4L2_IN_ST_NO_V_LOCK = 0x00000400
V4L2_IN_ST_NO_SYNC = 0x00010000
V4L2_IN_CAP_DV_TIMINGS = 0x00000002
V4L2_IN_CAP_STD = 0x00000004

V4L2_FRMSIZE_TYPE_DISCRETE = 1
V4L2_FRMIVAL_TYPE_DISCRETE = 1

V4L2_BUF_FLAG_ERROR = 0x00000040
V4L2_BUF_FLAG_TIMESTAMP_MASK = 0x0000E000
V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC = 0x00002000

V4L2_PIX_FMT_PRIV_MAGIC = 0xFEEDCAFE

V4L2_COLORSPACE_SMPTE240M = 2
V4L2_COLORSPACE_REC709 = 3
V4L2_COLORSPACE_JPEG = 7
V4L2_COLORSPACE_BT2020 = 10
V4L2_COLORSPACE_DCI_P3 = 12
V4L2_COLORSPACE_SMPTE170M = 1
V4L2_YCBCR_ENC_601 = 1
V4L2_YCBCR_ENC_709 = 2
V4L2_YCBCR_ENC_XV709 = 4
V4L2_YCBCR_ENC_BT2020 = 6
V4L2_YCBCR_ENC_BT2020_CONST_LUM = 7
V4L2_YCBCR_ENC_SMPTE240M = 8
V4L2_QUANTIZATION_FULL_RANGE = 1
V4L2_QUANTIZATION_LIM_RANGE = 2

V4L2_CTRL_TYPE_INTEGER = 1
V4L2_CTRL_TYPE_BOOLEAN = 2
V4L2_CTRL_TYPE_MENU = 3
V4L2_CTRL_TYPE_BUTTON = 4
V4L2_CTRL_TYPE_INTEGER64 = 5
V4L2_CTRL_TYPE_BITMASK = 8
V4L2_CTRL_TYPE_INTEGER_MENU = 9
V4L2_CTRL_FLAG_DISABLED = 0x0001
V4L2_CTRL_FLAG_READ_ONLY = 0x0004
V4L2_CTRL_FLAG_INACTIVE = 0x0010
V4L2_CTRL_FLAG_WRITE_ONLY = 0x0040
V4L2_CTRL_FLAG_NEXT_CTRL = 0x80000000
V4L2_CTRL_WHICH_CUR_VAL = 0

V4L2_EVENT_SUB_FL_SEND_INITIAL = 1


class Capability(Structure):
    """struct v4l2_capability"""

    _fields_: ClassVar = [
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus_info", c_char * 32),
        ("version", c_uint32),
        ("capabilities", c_uint32),
        ("device_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    ]


class FmtDesc(Structure):
    """struct v4l2_fmtdesc"""

    _fields_: ClassVar = [
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("pixelformat", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    ]


class Input(Structure):
    """struct v4l2_input"""

    _fields_: ClassVar = [
        ("index", c_uint32),
        ("name", c_char * 32),
        ("type", c_uint32),
        ("audioset", c_uint32),
        ("tuner", c_uint32),
        ("std", c_uint64),
        ("status", c_uint32),
        ("capabilities", c_uint32),
        ("reserved", c_uint32 * 3),
    ]


class PixFormat(Structure):
    """struct v4l2_pix_format"""

    _fields_: ClassVar = [
        ("width", c_uint32),
        ("height", c_uint32),
        ("pixelformat", c_uint32),
        ("field", c_uint32),
        ("bytesperline", c_uint32),
        ("sizeimage", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr_enc", c_uint32),
        ("quantization", c_uint32),
        ("xfer_func", c_uint32),
    ]


class _FormatUnion(Union):
    # the kernel's union holds a pointer, which aligns it to 8 bytes
    _fields_: ClassVar = [("pix", PixFormat), ("raw_data", c_uint8 * 200), ("_align", c_void_p)]


class Format(Structure):
    """struct v4l2_format"""

    _fields_: ClassVar = [("type", c_uint32), ("fmt", _FormatUnion)]


class Fract(Structure):
    """struct v4l2_fract"""

    _fields_: ClassVar = [("numerator", c_uint32), ("denominator", c_uint32)]


class FrmSizeDiscrete(Structure):
    """struct v4l2_frmsize_discrete"""

    _fields_: ClassVar = [("width", c_uint32), ("height", c_uint32)]


class FrmSizeStepwise(Structure):
    """struct v4l2_frmsize_stepwise"""

    _fields_: ClassVar = [
        ("min_width", c_uint32),
        ("max_width", c_uint32),
        ("step_width", c_uint32),
        ("min_height", c_uint32),
        ("max_height", c_uint32),
        ("step_height", c_uint32),
    ]


class _FrmSizeUnion(Union):
    _fields_: ClassVar = [("discrete", FrmSizeDiscrete), ("stepwise", FrmSizeStepwise)]


class FrmSizeEnum(Structure):
    """struct v4l2_frmsizeenum"""

    _anonymous_ = ("u",)
    _fields_: ClassVar = [
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("type", c_uint32),
        ("u", _FrmSizeUnion),
        ("reserved", c_uint32 * 2),
    ]


class FrmIvalStepwise(Structure):
    """struct v4l2_frmival_stepwise"""

    _fields_: ClassVar = [("min", Fract), ("max", Fract), ("step", Fract)]


class _FrmIvalUnion(Union):
    _fields_: ClassVar = [("discrete", Fract), ("stepwise", FrmIvalStepwise)]


class FrmIvalEnum(Structure):
    """struct v4l2_frmivalenum"""

    _anonymous_ = ("u",)
    _fields_: ClassVar = [
        ("index", c_uint32),
        ("pixel_format", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("u", _FrmIvalUnion),
        ("reserved", c_uint32 * 2),
    ]


class CaptureParm(Structure):
    """struct v4l2_captureparm; v4l2_outputparm has the same layout up to `timeperframe`."""

    _fields_: ClassVar = [
        ("capability", c_uint32),
        ("capturemode", c_uint32),
        ("timeperframe", Fract),
        ("extendedmode", c_uint32),
        ("readbuffers", c_uint32),
        ("reserved", c_uint32 * 4),
    ]


class _StreamParmUnion(Union):
    _fields_: ClassVar = [("capture", CaptureParm), ("raw_data", c_uint8 * 200)]


class StreamParm(Structure):
    """struct v4l2_streamparm"""

    _fields_: ClassVar = [("type", c_uint32), ("parm", _StreamParmUnion)]


class RequestBuffers(Structure):
    """struct v4l2_requestbuffers"""

    _fields_: ClassVar = [
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint8),
        ("reserved", c_uint8 * 3),
    ]


class TimeVal(Structure):
    """struct timeval"""

    _fields_: ClassVar = [("tv_sec", c_long), ("tv_usec", c_long)]


class _BufferUnion(Union):
    _fields_: ClassVar = [("offset", c_uint32), ("userptr", c_ulong), ("fd", c_int32)]


class Buffer(Structure):
    """struct v4l2_buffer"""

    _fields_: ClassVar = [
        ("index", c_uint32),
        ("type", c_uint32),
        ("bytesused", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("timestamp", TimeVal),
        ("timecode", c_uint32 * 4),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("m", _BufferUnion),
        ("length", c_uint32),
        ("reserved2", c_uint32),
        ("request_fd", c_int32),
    ]


class QueryExtCtrl(Structure):
    """struct v4l2_query_ext_ctrl"""

    _fields_: ClassVar = [
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("minimum", c_int64),
        ("maximum", c_int64),
        ("step", c_int64),
        ("default_value", c_int64),
        ("flags", c_uint32),
        ("elem_size", c_uint32),
        ("elems", c_uint32),
        ("nr_of_dims", c_uint32),
        ("dims", c_uint32 * 4),
        ("reserved", c_uint32 * 32),
    ]


class _QueryMenuUnion(Union):
    _pack_ = 1
    _fields_: ClassVar = [("name", c_char * 32), ("value", c_int64)]


class QueryMenu(Structure):
    """struct v4l2_querymenu"""

    _pack_ = 1
    _anonymous_ = ("u",)
    _fields_: ClassVar = [("id", c_uint32), ("index", c_uint32), ("u", _QueryMenuUnion), ("reserved", c_uint32)]


class _ExtControlUnion(Union):
    _pack_ = 1
    _fields_: ClassVar = [("value", c_int32), ("value64", c_int64), ("pointer", c_void_p)]


class ExtControl(Structure):
    """struct v4l2_ext_control"""

    _pack_ = 1
    _anonymous_ = ("u",)
    _fields_: ClassVar = [("id", c_uint32), ("size", c_uint32), ("reserved2", c_uint32), ("u", _ExtControlUnion)]


class ExtControls(Structure):
    """struct v4l2_ext_controls"""

    _fields_: ClassVar = [
        ("which", c_uint32),
        ("count", c_uint32),
        ("error_idx", c_uint32),
        ("request_fd", c_int32),
        ("reserved", c_uint32),
        ("controls", ctypes.POINTER(ExtControl)),
    ]


class EventSubscription(Structure):
    """struct v4l2_event_subscription"""

    _fields_: ClassVar = [("type", c_uint32), ("id", c_uint32), ("flags", c_uint32), ("reserved", c_uint32 * 5)]


class TimeSpec(Structure):
    """struct timespec"""

    _fields_: ClassVar = [("tv_sec", c_long), ("tv_nsec", c_long)]


class _EventUnion(Union):
    _fields_: ClassVar = [("count", c_uint32), ("data", c_uint8 * 64), ("_align", c_int64)]


class Event(Structure):
    """struct v4l2_event; `u.count` is what v4l2loopback's client-usage event carries."""

    _fields_: ClassVar = [
        ("type", c_uint32),
        ("u", _EventUnion),
        ("pending", c_uint32),
        ("sequence", c_uint32),
        ("timestamp", TimeSpec),
        ("id", c_uint32),
        ("reserved", c_uint32 * 8),
    ]


_WRITE, _READ = 1, 2


def _request(direction: int, number: int, kind: type[ctypes._SimpleCData[int] | Structure]) -> int:
    """The kernel's _IOC macro for type 'V'."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


VIDIOC_QUERYCAP = _request(_READ, 0, Capability)
VIDIOC_ENUM_FMT = _request(_READ | _WRITE, 2, FmtDesc)
VIDIOC_G_FMT = _request(_READ | _WRITE, 4, Format)
VIDIOC_S_FMT = _request(_READ | _WRITE, 5, Format)
VIDIOC_REQBUFS = _request(_READ | _WRITE, 8, RequestBuffers)
VIDIOC_QUERYBUF = _request(_READ | _WRITE, 9, Buffer)
VIDIOC_QBUF = _request(_READ | _WRITE, 15, Buffer)
VIDIOC_DQBUF = _request(_READ | _WRITE, 17, Buffer)
VIDIOC_STREAMON = _request(_WRITE, 18, c_int32)
VIDIOC_STREAMOFF = _request(_WRITE, 19, c_int32)
VIDIOC_G_PARM = _request(_READ | _WRITE, 21, StreamParm)
VIDIOC_S_PARM = _request(_READ | _WRITE, 22, StreamParm)
VIDIOC_ENUMINPUT = _request(_READ | _WRITE, 26, Input)
VIDIOC_QUERYMENU = _request(_READ | _WRITE, 37, QueryMenu)
VIDIOC_G_INPUT = _request(_READ, 38, c_int32)
VIDIOC_TRY_FMT = _request(_READ | _WRITE, 64, Format)
VIDIOC_G_EXT_CTRLS = _request(_READ | _WRITE, 71, ExtControls)
VIDIOC_S_EXT_CTRLS = _request(_READ | _WRITE, 72, ExtControls)
VIDIOC_ENUM_FRAMESIZES = _request(_READ | _WRITE, 74, FrmSizeEnum)
VIDIOC_ENUM_FRAMEINTERVALS = _request(_READ | _WRITE, 75, FrmIvalEnum)
VIDIOC_DQEVENT = _request(_READ, 89, Event)
VIDIOC_SUBSCRIBE_EVENT = _request(_WRITE, 90, EventSubscription)
VIDIOC_QUERY_EXT_CTRL = _request(_READ | _WRITE, 103, QueryExtCtrl)

_SIZES = {
    Capability: 104, FmtDesc: 64, Input: 80, PixFormat: 48, Format: 208, FrmSizeEnum: 44, FrmIvalEnum: 52,
    CaptureParm: 40, StreamParm: 204, RequestBuffers: 20, Buffer: 88, QueryExtCtrl: 232, QueryMenu: 44,
    ExtControl: 20, ExtControls: 32, EventSubscription: 32, Event: 136,
}  # fmt: skip
# a wrong size is a wrong ioctl number, or memory that the kernel writes past: better not to start at all
for _kind, _size in _SIZES.items() if ctypes.sizeof(c_long) == 8 else ():
    assert ctypes.sizeof(_kind) == _size, f"{_kind.__name__}: {ctypes.sizeof(_kind)} bytes instead of {_size}"


def ioctl(fd: int, request: int, argument: ctypes._SimpleCData[int] | Structure) -> None:
    """Ask the driver; it answers in `argument`. A call that a signal interrupted is made again. Raises `OSError`."""
    while True:
        try:
            fcntl.ioctl(fd, request, argument)
            return
        except OSError as error:
            if error.errno != errno.EINTR:
                raise


def fourcc(code: str) -> int:
    """ "YUYV" as V4L2's number."""
    return int.from_bytes(code.encode("ascii").ljust(4), "little")


def fourcc_name(number: int) -> str:
    """V4L2's number as "YUYV"; the top bit, which marks big-endian formats, is left out."""
    return (number & 0x7FFFFFFF).to_bytes(4, "little").decode("latin-1").rstrip()
