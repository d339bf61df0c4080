"""Formats of pictures as PipeWire names them, and vcam's own names for them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from fractions import Fraction

from vcam.frames import MAX_SIDE, MIN_SIDE, PixelFormat
from vcam.pipewire import pod, raw
from vcam.types import Size

NUMBERS = {
    PixelFormat.I420: 2,
    PixelFormat.YV12: 3,
    PixelFormat.YUYV: 4,
    PixelFormat.UYVY: 5,
    PixelFormat.RGBX32: 7,
    PixelFormat.XBGR32: 8,
    PixelFormat.XRGB32: 9,
    PixelFormat.BGRX32: 10,
    PixelFormat.RGBA32: 11,
    PixelFormat.ABGR32: 12,
    PixelFormat.ARGB32: 13,
    PixelFormat.BGRA32: 14,
    PixelFormat.RGB24: 15,
    PixelFormat.BGR24: 16,
    PixelFormat.YVYU: 19,
    PixelFormat.NV12: 23,
    PixelFormat.NV21: 24,
    PixelFormat.GREY: 25,
}
"""`enum spa_video_format`. Of four bytes a pixel PipeWire names the order in memory, the kernel that of a number."""

RANGE_FULL, RANGE_LIMITED = 1, 2
MATRIX_BT709, MATRIX_BT601 = 3, 4

_ANY = 0x7FFFFFFF
_HIGHEST_RATE = 1000
_SMOOTH = 0.8
"""A camera with less than this share of the wanted rate is choppy."""


def yuy2(param: pod.Param, size: Size, fps: float) -> bytes:
    """The one format that vcam offers: YUY2, BT.601 of limited range, at about that rate.

    It is what webcams give, so every program reads it. Not so I420: OBS does not. With both, whoever comes first would
    choose for all: a node has one format, and a second reader that cannot read it gets nothing.
    """
    return pod.make_object(
        pod.Type.FORMAT,
        param,
        {
            pod.Key.MEDIA_TYPE: pod.Id(pod.MEDIA_VIDEO),
            pod.Key.MEDIA_SUBTYPE: pod.Id(pod.SUBTYPE_RAW),
            pod.Key.FORMAT: pod.Id(NUMBERS[PixelFormat.YUYV]),
            pod.Key.SIZE: pod.Rectangle(*size),
            pod.Key.FRAMERATE: fraction(fps),
        },
    )


def fraction(fps: float) -> pod.Fraction:
    """A rate as a fraction, 30000/1001 for 29.97."""
    found = Fraction(fps).limit_denominator(1001)
    return pod.Fraction(max(1, found.numerator), found.denominator)


def buffers(size: int, stride: int, count: tuple[int, int, int]) -> bytes:
    """What memory the pictures take: bytes of one, of one of its lines, and how many (wanted, least, most)."""
    return pod.make_object(
        pod.Type.BUFFERS,
        pod.Param.BUFFERS,
        {
            pod.BufferKey.BUFFERS: pod.Choices(pod.Choice.RANGE, count),
            pod.BufferKey.BLOCKS: 1,
            pod.BufferKey.SIZE: size,
            pod.BufferKey.STRIDE: stride,
            pod.BufferKey.DATA_TYPE: pod.Choices(
                pod.Choice.FLAGS, (1 << raw.SPA_DATA_MemFd | 1 << raw.SPA_DATA_MemPtr,)
            ),
        },
    )


def header() -> bytes:
    """That each picture comes with its time and number."""
    return pod.make_object(
        pod.Type.META,
        pod.Param.META,
        {
            pod.MetaKey.TYPE: pod.Id(raw.SPA_META_Header),
            pod.MetaKey.SIZE: ctypes.sizeof(raw.SpaMetaHeader),
        },
    )


def wanted_buffers(count: tuple[int, int, int]) -> bytes:
    """What memory a reader takes: any number of planes, mapped."""
    return pod.make_object(
        pod.Type.BUFFERS,
        pod.Param.BUFFERS,
        {
            pod.BufferKey.BUFFERS: pod.Choices(pod.Choice.RANGE, count),
            pod.BufferKey.BLOCKS: pod.Choices(pod.Choice.RANGE, (0, 1, _ANY)),
            pod.BufferKey.SIZE: pod.Choices(pod.Choice.RANGE, (0, 0, _ANY)),
            pod.BufferKey.STRIDE: pod.Choices(pod.Choice.RANGE, (0, 0, _ANY)),
            pod.BufferKey.DATA_TYPE: pod.Choices(
                pod.Choice.FLAGS, (1 << raw.SPA_DATA_MemFd | 1 << raw.SPA_DATA_MemPtr,)
            ),
        },
    )


def wishes(known: Iterable[PixelFormat], size: Size, fps: float) -> list[bytes]:
    """What a reader of a camera asks for, best first: the daemon takes the first that the camera has.

    The size at the rate, plain then as JPEG; then at any rate; then a larger one; then any.
    """
    numbers = tuple(pod.Id(NUMBERS[each]) for each in known)
    plain: dict[int, pod.Value] = {
        pod.Key.MEDIA_SUBTYPE: pod.Id(pod.SUBTYPE_RAW),
        pod.Key.FORMAT: pod.Choices(pod.Choice.ENUM, (numbers[0], *numbers)),
    }
    jpeg: dict[int, pod.Value] = {pod.Key.MEDIA_SUBTYPE: pod.Id(pod.SUBTYPE_MJPG)}
    wanted, most = pod.Rectangle(*size), pod.Rectangle(MAX_SIDE, MAX_SIDE)
    exact: pod.Value = wanted
    larger = pod.Choices(pod.Choice.RANGE, (wanted, wanted, most))
    any_size = pod.Choices(pod.Choice.RANGE, (wanted, pod.Rectangle(MIN_SIDE, MIN_SIDE), most))
    rate, highest = fraction(fps), pod.Fraction(_HIGHEST_RATE, 1)
    smooth = pod.Choices(pod.Choice.RANGE, (rate, fraction(_SMOOTH * fps), highest))
    any_rate = pod.Choices(pod.Choice.RANGE, (rate, pod.Fraction(0, 1), highest))
    return [
        pod.make_object(
            pod.Type.FORMAT,
            pod.Param.ENUM_FORMAT,
            {
                pod.Key.MEDIA_TYPE: pod.Id(pod.MEDIA_VIDEO),
                **kind,
                pod.Key.SIZE: sizes,
                pod.Key.FRAMERATE: rates,
            },
        )
        for sizes, rates in ((exact, smooth), (larger, smooth), (exact, any_rate), (any_size, any_rate))
        for kind in (plain, jpeg)
    ]
