"""What is left in a virtual camera's buffers, written over.

v4l2loopback keeps its buffers, and hands them out, after whoever fed it has gone. They are memory that anybody who may
open the device can map; nobody need feed it for that. So they are mapped here and written over, all of them: those that
readers reach as well as those that fell out of use when a reader asked for fewer.

    python vcam/v4l2/cover.py /dev/video20

The guard of a process that was killed runs this file by itself. Until it is done, the last picture can be read: so it
imports nothing that takes time, not even the rest of vcam, and starts in a sixth of the time.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys

MOST = 32
"""Buffers that a device of v4l2loopback may have."""

DARK = (40, 130, 127)
"""Luma, Cb and Cr of the placeholder."""

# struct v4l2_format, as vcam.v4l2.raw has it: type, width, height, pixelformat, field, bytesperline, sizeimage
_G_FMT, _FORMAT = 0xC0D05604, struct.Struct("I4xII4sIII176x")
_CAPTURE, _OUTPUT = 1, 2


def dark(code: str, size: tuple[int, int], count: int) -> bytes:
    """A plain dark picture in a device's format; `count` zeros in one that vcam does not write.

    code: the four-character code. size: (width, height), even. count: of the bytes that a picture has.
    """
    luma = size[0] * size[1]
    y, u, v = (bytes([value]) for value in DARK)
    if code == "YU12":
        return y * luma + u * (luma // 4) + v * (luma // 4)
    if code == "NV12":
        return y * luma + (u + v) * (luma // 4)
    if code == "YUYV":
        return (y + u + y + v) * (luma // 2)
    return bytes(count)


def cover(fd: int, count: int, picture: bytes) -> int:
    """Write a picture over every buffer of an open v4l2loopback device; returns over how many.

    count: of the bytes that a picture has in the device's format. picture: in that format; what is left of a buffer
    behind it becomes 0. 0 is returned for a device that has no buffers, or will not have them mapped.
    """
    room = -(-count // mmap.PAGESIZE) * mmap.PAGESIZE
    if not room:
        return 0
    whole = picture[:room].ljust(room, b"\0")
    for index in range(MOST):
        try:
            memory = mmap.mmap(fd, room, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=index * room)
        except (OSError, ValueError):
            # beyond the last one
            return index
        memory[:] = whole
        memory.close()
    return MOST


def darken(path: str) -> int:
    """Write a plain dark picture over what a v4l2loopback device holds; returns over how many buffers.

    Neither claims the device nor feeds it. Raises `OSError` if it cannot be opened or has no format.
    """
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _, width, height, code, _, _, count = _held(fd)
        return cover(fd, count, dark(code.decode("latin-1"), (width, height), count))
    finally:
        os.close(fd)


def _held(fd: int) -> tuple[int, int, int, bytes, int, int, int]:
    """The format, whoever has the device open, and whether it is fed or not: versions differ in whom they tell."""
    try:
        answer = fcntl.ioctl(fd, _G_FMT, _FORMAT.pack(_CAPTURE, 0, 0, b"", 0, 0, 0))
    except OSError:
        answer = fcntl.ioctl(fd, _G_FMT, _FORMAT.pack(_OUTPUT, 0, 0, b"", 0, 0, 0))
    return _FORMAT.unpack(answer)


if __name__ == "__main__":
    darken(sys.argv[1])
