"""How cameras lay out samples that are not compressed, and how each layout becomes planes of I420.

The names are those of <linux/videodev2.h>, where each layout is described byte for byte. A picture is lines of `stride`
bytes. Planar layouts hold luma first and then the chroma, whose lines are half as long if its planes are apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import cv2
import numpy as np

from vcam.colour import BLACK, FULL, LUMA_SPAN, NEUTRAL
from vcam.frames import Frame, PixelFormat
from vcam.types import U8, Size

Reads: TypeAlias = Callable[[U8], Frame]
"""From the samples of one picture, flat, to a frame. Its planes are views of them, or buffers that are used again."""

_PAIR = np.dtype("<u2")
_F = PixelFormat

_PLANAR_420: Final = {_F.I420: False, _F.YV12: True}
_SEMI_PLANAR_420: Final = {_F.NV12: False, _F.NV21: True}
_SEMI_PLANAR_422: Final = {_F.NV16: False, _F.NV61: True}
"""Whether Cr comes before Cb."""

_PACKED_422: Final = {_F.YUYV: (0, False), _F.YVYU: (0, True), _F.UYVY: (1, False), _F.VYUY: (1, True)}
"""The first byte of luma, and whether Cr comes before Cb."""

_DEEP_GREY: Final = {_F.Y10: 2, _F.Y12: 4, _F.Y14: 6, _F.Y16: 8}
"""Bits below the eight that count, in little-endian pairs of bytes."""

GREY: Final = frozenset((_F.GREY, *_DEEP_GREY))
"""Layouts without colour. Their samples use the full range unless the driver says otherwise, as sensors' do."""

_ORDERS: Final = {
    # the first byte of the colours, and OpenCV's way
    _F.BGR24: (3, cv2.COLOR_BGR2YUV_I420), _F.RGB24: (3, cv2.COLOR_RGB2YUV_I420),
    _F.BGR32: (4, cv2.COLOR_BGRA2YUV_I420), _F.XBGR32: (4, cv2.COLOR_BGRA2YUV_I420),
    _F.ABGR32: (4, cv2.COLOR_BGRA2YUV_I420), _F.RGBX32: (4, cv2.COLOR_RGBA2YUV_I420),
    _F.RGBA32: (4, cv2.COLOR_RGBA2YUV_I420),
}  # fmt: skip
_PADDED_IN_FRONT: Final = {
    # colours in bytes 1 to 3, after one that does not count: where B, G and R stand
    _F.RGB32: (3, 2, 1), _F.XRGB32: (3, 2, 1), _F.ARGB32: (3, 2, 1), _F.BGRX32: (1, 2, 3), _F.BGRA32: (1, 2, 3),
}  # fmt: skip
RGB: Final = frozenset((*_ORDERS, *_PADDED_IN_FRONT, _F.RGB565))
"""Layouts of red, green and blue; their frames are BT.601 in the limited range."""

_FIFTHS = np.rint(np.arange(256) * (FULL / 248)).clip(0, FULL).astype(np.uint8)
_SIXTHS = np.rint(np.arange(256) * (FULL / 252)).clip(0, FULL).astype(np.uint8)
# OpenCV leaves the low bits of what had five or six bits at zero: white would be grey
_WIDER: Final[U8] = np.stack([_FIFTHS, _SIXTHS, _FIFTHS], axis=-1)[None]


def line_bytes(pixel_format: PixelFormat, width: int) -> int:
    """Bytes of a line of luma, or of all there is in a packed layout, without padding."""
    if pixel_format in _ORDERS:
        return _ORDERS[pixel_format][0] * width
    if pixel_format in _PADDED_IN_FRONT:
        return 4 * width
    return 2 * width if pixel_format in {*_PACKED_422, *_DEEP_GREY, _F.RGB565} else width


def picture_bytes(pixel_format: PixelFormat, stride: int, height: int) -> int:
    """Bytes of a picture whose lines are `stride` bytes apart."""
    if pixel_format in {*_PLANAR_420, *_SEMI_PLANAR_420, _F.M420}:
        return stride * height * 3 // 2
    return stride * height * (2 if pixel_format in {*_SEMI_PLANAR_422, _F.YUV422P} else 1)


def believable_stride(pixel_format: PixelFormat, size: Size, stride: int, length: int) -> int | None:
    """The stride that a driver tells, or None for lines that are adjacent if it cannot be meant.

    Some drivers tell the width, or the bits of all planes together. length: bytes of a buffer, 0 if not known.
    """
    line = line_bytes(pixel_format, size[0])
    dense, told = (picture_bytes(pixel_format, each, size[1]) for each in (line, stride))
    halved = pixel_format in {*_PLANAR_420, _F.YUV422P}
    return None if stride < line or (halved and stride % 2) or dense <= length < told else stride


def reader(pixel_format: PixelFormat, size: Size, stride: int, full_range: bool) -> Reads:
    """What turns pictures of one layout into frames.

    full_range: that of the samples; red, green and blue of the limited range span 16 to 235. The frames say their own.
    """
    if pixel_format in _PLANAR_420 or pixel_format is _F.YUV422P:
        reads: Reads = _Planar(pixel_format, size, stride)
    elif pixel_format in _SEMI_PLANAR_420 or pixel_format in _SEMI_PLANAR_422:
        reads = _SemiPlanar(pixel_format, size, stride)
    elif pixel_format is _F.M420:
        reads = _Interleaved(size, stride)
    elif pixel_format in _PACKED_422:
        reads = _Packed(pixel_format, size, stride)
    elif pixel_format in GREY:
        reads = _Grey(pixel_format, size, stride)
    elif pixel_format in RGB:
        return _Rgb(pixel_format, size, stride, full_range)
    else:
        raise ValueError(f"{pixel_format.value} is compressed")
    return _told(reads, full_range)


def _told(reads: Reads, full_range: bool) -> Reads:
    def read(samples: U8) -> Frame:
        frame = reads(samples)
        frame.full_range = full_range
        return frame

    return read


def _pairs(lines: U8) -> U8:
    """Lines of Cb Cr Cb Cr... as a picture of two channels, without copying."""
    height, width = lines.shape
    return np.lib.stride_tricks.as_strided(lines, (height, width // 2, 2), (lines.strides[0], 2, 1))


class _Planar:
    """Three planes: as they are, but for chroma of every line, of which two lines share the mean."""

    def __init__(self, pixel_format: PixelFormat, size: Size, stride: int) -> None:
        self._size, self._stride = size, stride
        self._swapped = _PLANAR_420.get(pixel_format, False)
        self._every_line = pixel_format is _F.YUV422P
        self._means = np.empty((2, size[1] // 2, size[0] // 2), np.uint8)

    def __call__(self, samples: U8) -> Frame:
        width, height = self._size
        if self._stride == width and not self._swapped and not self._every_line:
            return Frame.wrap(samples, width, height)
        half, lines = self._stride // 2, height if self._every_line else height // 2
        luma, chroma = self._stride * height, half * lines
        first, second = (
            samples[start : start + chroma].reshape(lines, half)[:, : width // 2] for start in (luma, luma + chroma)
        )
        if self._every_line:
            first, second = (
                _mean_of_lines(plane, mean) for plane, mean in zip((first, second), self._means, strict=True)
            )
        u, v = (second, first) if self._swapped else (first, second)
        return Frame(samples[:luma].reshape(height, self._stride)[:, :width], u, v)


class _SemiPlanar:
    """A plane of luma, and one in which Cb and Cr take turns."""

    def __init__(self, pixel_format: PixelFormat, size: Size, stride: int) -> None:
        self._size, self._stride = size, stride
        self._swapped = (_SEMI_PLANAR_420 | _SEMI_PLANAR_422)[pixel_format]
        self._every_line = pixel_format in _SEMI_PLANAR_422
        self._own = Frame.allocate(*size)
        self._mean = np.empty((size[1] // 2, size[0]), np.uint8)

    def __call__(self, samples: U8) -> Frame:
        width, height = self._size
        lines = height + (height if self._every_line else height // 2)
        picture = samples[: self._stride * lines].reshape(lines, self._stride)[:, :width]
        chroma = _mean_of_lines(picture[height:], self._mean) if self._every_line else picture[height:]
        _split(chroma, self._own, self._swapped)
        return Frame(picture[:height], self._own.u, self._own.v)


class _Interleaved:
    """M420: after two lines of luma comes their line of Cb and Cr."""

    def __init__(self, size: Size, stride: int) -> None:
        self._size, self._stride, self._own = size, stride, Frame.allocate(*size)

    def __call__(self, samples: U8) -> Frame:
        width, height = self._size
        lines = samples[: self._stride * height * 3 // 2].reshape(height * 3 // 2, self._stride)[:, :width]
        np.copyto(self._own.y[0::2], lines[0::3])
        np.copyto(self._own.y[1::2], lines[1::3])
        _split(lines[2::3], self._own, False)
        return self._own


class _Packed:
    """Y0 Cb Y1 Cr to planes, in any order; two lines share the mean of their chroma.

    The samples at even places are the low bytes of 16-bit pairs, so narrowing pairs to bytes picks them out; read one
    byte further on, the same narrowing picks out the others. That takes a third of the time of a split into channels.
    """

    def __init__(self, pixel_format: PixelFormat, size: Size, stride: int) -> None:
        width, height = size
        self._size, self._stride, self._own = size, stride, Frame.allocate(width, height)
        luma, self._swapped = _PACKED_422[pixel_format]
        self._chroma = np.empty((height, width), np.uint8)
        self._mean = np.empty((height // 2, width), np.uint8)
        self._even: U8 = self._chroma if luma else self._own.y
        self._odd: U8 = self._own.y if luma else self._chroma

    def __call__(self, samples: U8) -> Frame:
        width, height = self._size
        lines = samples[: self._stride * height].reshape(height, self._stride)[:, : 2 * width]
        np.copyto(self._even, lines.view(_PAIR), casting="unsafe")
        np.copyto(self._odd[:, :-1], lines[:, 1:-1].view(_PAIR), casting="unsafe")
        self._odd[:, -1] = lines[:, -1]
        _split(_mean_of_lines(self._chroma, self._mean), self._own, self._swapped)
        return self._own


class _Grey:
    """Luma alone; of more than eight bits the highest eight are taken."""

    def __init__(self, pixel_format: PixelFormat, size: Size, stride: int) -> None:
        self._size, self._stride, self._own = size, stride, Frame.allocate(*size)
        self._below = _DEEP_GREY.get(pixel_format, 0)
        self._shifted = np.empty(size[::-1], _PAIR) if self._below else None
        self._own.fill(BLACK, NEUTRAL, NEUTRAL)

    def __call__(self, samples: U8) -> Frame:
        width, height = self._size
        lines = samples[: self._stride * height].reshape(height, self._stride)
        if self._shifted is None:
            return Frame(lines[:, :width], self._own.u, self._own.v)
        np.right_shift(lines[:, : 2 * width].view(_PAIR), self._below, out=self._shifted)
        # bits above those that are said to be used would wrap round
        np.minimum(self._shifted, FULL, out=self._shifted)
        np.copyto(self._own.y, self._shifted, casting="unsafe")
        return Frame(self._own.y, self._own.u, self._own.v)


class _Rgb:
    """Red, green and blue, by OpenCV, which makes limited range of the full one."""

    def __init__(self, pixel_format: PixelFormat, size: Size, stride: int, full_range: bool) -> None:
        width, height = size
        self._size, self._stride, self._format = size, stride, pixel_format
        self._own = Frame.allocate(width, height)
        assert self._own.buffer is not None
        self._packed = self._own.buffer.reshape(height * 3 // 2, width)
        self._bgr = np.empty((height, width, 3), np.uint8) if pixel_format not in _ORDERS else None
        # what was 16 to 235 already must not be narrowed once more
        self._stretch = None if full_range else FULL / LUMA_SPAN

    def __call__(self, samples: U8) -> Frame:
        width, height = self._size
        line = line_bytes(self._format, width)
        lines = samples[: self._stride * height].reshape(height, self._stride)[:, :line]
        pixels = np.lib.stride_tricks.as_strided(
            lines, (height, width, line // width), (lines.strides[0], line // width, 1)
        )
        if self._bgr is None:
            cv2.cvtColor(pixels, _ORDERS[self._format][1], dst=self._packed)
        else:
            self._to_bgr(pixels, self._bgr)
            cv2.cvtColor(self._bgr, cv2.COLOR_BGR2YUV_I420, dst=self._packed)
        if self._stretch is not None:
            # OpenCV put 16 + 219/255 L for the luma L, which is the sample that is wanted
            neutral = NEUTRAL * (1 - self._stretch)
            for plane, offset in zip(self._own.planes, (-self._stretch * BLACK, neutral, neutral), strict=True):
                cv2.addWeighted(plane, self._stretch, plane, 0, offset, dst=plane)
        return self._own

    def _to_bgr(self, pixels: U8, bgr: U8) -> None:
        if self._format is _F.RGB565:
            cv2.cvtColor(pixels, cv2.COLOR_BGR5652BGR, dst=bgr)
            cv2.LUT(bgr, _WIDER, dst=bgr)
            return
        blue, green, red = _PADDED_IN_FRONT[self._format]
        cv2.mixChannels([pixels], [bgr], [blue, 0, green, 1, red, 2])


def _mean_of_lines(plane: U8, mean: U8) -> U8:
    # ten times faster than a resize by area, and the same result
    cv2.addWeighted(plane[0::2], 0.5, plane[1::2], 0.5, 0, dst=mean)
    return mean


def _split(chroma: U8, frame: Frame, swapped: bool) -> None:
    cv2.split(_pairs(chroma), [frame.v, frame.u] if swapped else [frame.u, frame.v])
