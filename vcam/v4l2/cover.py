"""What is left in a virtual camera's buffers, written over.

v4l2loopback keeps its buffers, and hands them out, after whoever fed it has gone. They are memory that anybody who may
open the device can map; nobody need feed it for that. So they are mapped here and written over, all of them: those that
readers reach as well as those that fell out of use when a reader asked for fewer.
"""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

from vcam.v4l2.device import Direction, PixelLayout, get_format, opened

MOST = 32
"""Buffers that a device of v4l2loopback may have."""

DARK = (40, 130, 127)
"""Luma, Cb and Cr of the placeholder."""


def dark(layout: PixelLayout) -> bytes:
    """A plain dark picture in a device's format; zeros in one that vcam does not write."""
    luma = layout.size[0] * layout.size[1]
    y, u, v = (bytes([value]) for value in DARK)
    if layout.code == "YU12":
        return y * luma + u * (luma // 4) + v * (luma // 4)
    if layout.code == "NV12":
        return y * luma + (u + v) * (luma // 4)
    if layout.code == "YUYV":
        return (y + u + y + v) * (luma // 2)
    return bytes(layout.bytes)


def held_format(fd: int) -> PixelLayout:
    """The format of a device, whoever has it open, and whether it is fed or not. Raises `OSError` if it has none."""
    try:
        return get_format(fd, Direction.CAPTURE)
    except OSError:
        return get_format(fd, Direction.OUTPUT)


def cover(fd: int, layout: PixelLayout, picture: bytes) -> int:
    """Write a picture over every buffer of an open v4l2loopback device; returns over how many.

    layout: the format that the device holds. picture: in that format; what is left of a buffer behind it becomes 0. 0
    is returned for a device that has no buffers, or will not have them mapped.
    """
    room = -(-layout.bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    if not room:
        return 0
    whole = picture[:room].ljust(room, b"\0")
    for index in range(MOST):
        try:
            memory = mmap.mmap(fd, room, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=index * room)
        except (OSError, ValueError):
            # beyond the last one
            return index
        with contextlib.closing(memory):
            memory[:] = whole
    return MOST


def cover_device(path: Path) -> int:
    """Write a plain dark picture over what a v4l2loopback device holds; returns over how many buffers.

    Neither claims the device nor feeds it. Raises `OSError` if it cannot be opened or has no format.
    """
    with opened(path) as fd:
        layout = held_format(fd)
        return cover(fd, layout, dark(layout))
