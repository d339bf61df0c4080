"""The frame: planar YUV 4:2:0 in a reused buffer, and the map and the matte that belong to it.

Everything between the camera and the outputs is I420, BT.601. A frame says whether its samples use the full range
(0..255, as JPEG does) or the limited one (luma 16..235, chroma 16..240, what readers of a virtual camera assume);
composited frames are always limited.

Buffers are reused: a frame or matte that a stage returns stays valid until that stage is asked for the next one.
Whoever needs it longer copies it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

import numpy as np

from vcam.colour import BLACK, NEUTRAL
from vcam.errors import UsageError
from vcam.types import F32, U8, Size

MIN_SIDE = 16
MAX_SIDE = 8192


class PixelFormat(Enum):
    """How a camera lays out a picture: the kernel's name, V4L2_PIX_FMT_..., and its four-character code.

    I420, which all frames of vcam are, is YUV420 there. Devices that are written to take I420, NV12 and YUYV alone.
    """

    I420 = "YU12"
    YV12 = "YV12"
    YUV422P = "422P"
    NV12 = "NV12"
    NV21 = "NV21"
    NV16 = "NV16"
    NV61 = "NV61"
    M420 = "M420"
    YUYV = "YUYV"
    YVYU = "YVYU"
    UYVY = "UYVY"
    VYUY = "VYUY"
    GREY = "GREY"
    Y10 = "Y10"
    Y12 = "Y12"
    Y14 = "Y14"
    Y16 = "Y16"
    BGR24 = "BGR3"
    RGB24 = "RGB3"
    BGR32 = "BGR4"
    RGB32 = "RGB4"
    XBGR32 = "XR24"
    ABGR32 = "AR24"
    XRGB32 = "BX24"
    ARGB32 = "BA24"
    RGBX32 = "XB24"
    RGBA32 = "AB24"
    BGRX32 = "RX24"
    BGRA32 = "RA24"
    RGB565 = "RGBP"
    MJPEG = "MJPG"


class Box(NamedTuple):
    """A rectangle of luma pixels, half open: columns x0..x1-1, rows y0..y1-1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def empty(self) -> bool:
        return self.x0 >= self.x1 or self.y0 >= self.y1

    @property
    def size(self) -> Size:
        """(width, height)"""
        return self.x1 - self.x0, self.y1 - self.y0

    def union(self, other: Box) -> Box:
        """The smallest box that holds both; an empty box adds nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def moved(self, x: int, y: int) -> Box:
        """The same box so much further to the right and down."""
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def half(self) -> Box:
        """The same rectangle on a chroma plane; exact for even bounds."""
        return Box(self.x0 // 2, self.y0 // 2, (self.x1 + 1) // 2, (self.y1 + 1) // 2)


NOTHING = Box(0, 0, 0, 0)


def check_size(width: int, height: int, what: str = "the picture") -> Size:
    """Return (width, height), or raise `UsageError` if I420 cannot hold that size."""
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise UsageError(
            f"{what} cannot be {width}x{height}", f"each side must be between {MIN_SIDE} and {MAX_SIDE} pixels"
        )
    if width % 2 or height % 2:
        raise UsageError(
            f"{what} cannot be {width}x{height}: both sides must be even",
            f"use {width - width % 2}x{height - height % 2}",
        )
    return width, height


def even_size(size: Size) -> Size:
    """The largest even size within `size`, as I420 and H.264 need it."""
    return size[0] - size[0] % 2, size[1] - size[1] % 2


Planes = tuple[U8, U8, U8]
"""Luma, and the two chroma planes at half of its size, uint8."""


@dataclass(slots=True)
class Frame:
    """One picture as three planes.

    y: uint8 (height, width); u, v: uint8 (height/2, width/2), Cb and Cr. Rows may be strided (views of a larger
    buffer), samples within a row are adjacent. `timestamp` is the capture time in seconds of CLOCK_MONOTONIC
    (`time.monotonic()`), or the position in the file for sources that are not live. `seq` counts frames of a source.
    `buffer` is the whole picture as one flat I420 array (height*width*3/2,) when the planes are views of one.
    """

    y: U8
    u: U8
    v: U8
    timestamp: float = 0.0
    seq: int = 0
    full_range: bool = False
    buffer: U8 | None = None

    @classmethod
    def allocate(cls, width: int, height: int) -> Frame:
        """A black frame of its own, its planes adjacent in one buffer."""
        check_size(width, height)
        frame = cls.wrap(np.zeros(width * height * 3 // 2, np.uint8), width, height)
        frame.fill(BLACK, NEUTRAL, NEUTRAL)
        return frame

    @classmethod
    def wrap(cls, buffer: U8, width: int, height: int) -> Frame:
        """Planes as views of a flat I420 buffer, which the caller keeps owning."""
        luma, chroma = width * height, width * height // 4
        if buffer.ndim != 1 or buffer.size < luma + 2 * chroma:
            raise ValueError(f"{buffer.shape} bytes cannot hold {width}x{height} I420")
        shape = (height // 2, width // 2)
        return cls(
            buffer[:luma].reshape(height, width),
            buffer[luma : luma + chroma].reshape(shape),
            buffer[luma + chroma : luma + 2 * chroma].reshape(shape),
            buffer=buffer[: luma + 2 * chroma],
        )

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])

    @property
    def size(self) -> Size:
        return self.width, self.height

    @property
    def planes(self) -> Planes:
        return self.y, self.u, self.v

    def fill(self, y: int, u: int, v: int) -> None:
        self.y[...] = y
        self.u[...] = u
        self.v[...] = v

    def copy_from(self, other: Frame) -> None:
        """Take over the samples, time stamp, number and range of a frame of the same size."""
        if self.buffer is not None and other.buffer is not None:
            np.copyto(self.buffer, other.buffer)
        else:
            for mine, theirs in zip(self.planes, other.planes, strict=True):
                np.copyto(mine, theirs)
        self.timestamp, self.seq, self.full_range = other.timestamp, other.seq, other.full_range

    def view(self, box: Box) -> Frame:
        """The part inside a box with even bounds, sharing this frame's samples."""
        half = box.half()
        return Frame(
            self.y[box.y0 : box.y1, box.x0 : box.x1],
            self.u[half.y0 : half.y1, half.x0 : half.x1],
            self.v[half.y0 : half.y1, half.x0 : half.x1],
            self.timestamp,
            self.seq,
            self.full_range,
        )

    def packed(self) -> U8:
        """The frame as one flat I420 array: its own buffer if it has one, else a fresh copy."""
        if self.buffer is not None:
            return self.buffer
        return np.concatenate([plane.reshape(-1) for plane in self.planes])


class EdgeTeller(Protocol):
    """Something besides the map that knows of the edge in one frame; belongs to the segmenter until its next frame."""

    def apply(self, matte: U8, planes: Planes, small: U8, source: Box, whole: tuple[Box, Size]) -> None:
        """Change the refined matte of a box in place: uint8 (h, w), of the working size.

        planes: the frame's there; small: the map in the same box, which is `source` in the map; whole: the box, and
        (width, height) of all of the frame, both in pixels of the matte.
        """


@dataclass(frozen=True, slots=True)
class Map:
    """Where the network saw people in one frame.

    probability: float32 (height, width), 0..1, at the network's size; `box`, whose bounds are even, is the part of the
    frame that it covers: nobody is outside. `seq` is the number of the frame that it holds for: a matte refuses any
    other. `origin` is that of the frame it was made from, an earlier one if the two were compared and found alike.
    `pyramid`: what the box shows in frame `seq`, reduced, in the frame's range, from the largest to the network's size;
    for whoever needs it small, too. Only the samples count. It may be empty, and it belongs to the segmenter until the
    next frame. `edge` tells more of the edge, where something does.
    `key`, uint8 (height/2, width/2) of the whole frame, 0 background to 255 person, is the matte itself, where the
    segmenter knows it so finely: nothing is to be refined. `cleaned`: Cb and Cr to show the person with, in place of
    those of the frame. Both belong to the segmenter until the next frame.
    """

    probability: F32
    box: Box
    seq: int
    origin: int
    pyramid: tuple[Frame, ...] = ()
    edge: EdgeTeller | None = None
    key: U8 | None = None
    cleaned: tuple[U8, U8] | None = None

    @classmethod
    def whole(cls, probability: F32, frame: Frame) -> Map:
        """The map of a whole frame, made from it."""
        return cls(probability, Box(0, 0, *frame.size), frame.seq, frame.seq)


@dataclass(slots=True)
class Alpha:
    """The matte of one frame: how much of each pixel is the person, 0..255.

    full: uint8 (height, width); half: uint8 (height/2, width/2), for the chroma planes; small: uint8 at the network's
    size, for backgrounds that are made from the frame itself. Outside `box`, whose bounds are even, `full` and `half`
    may hold anything and count as 0. `seq` is the number of the frame it was made from: a composer refuses any other.
    `cleaned`: as that of the map.
    """

    full: U8
    half: U8
    small: U8
    box: Box
    seq: int
    cleaned: tuple[U8, U8] | None = None


class MadeFrom(NamedTuple):
    """What a finished picture was made from: the camera's own frame, as it was cut, with all of the room in it, and its
    matte, None if the picture needed none. Both belong to their stages, and hold while that picture is written."""

    frame: Frame
    alpha: Alpha | None
