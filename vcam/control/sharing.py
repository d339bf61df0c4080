"""Memory that a viewer shares with vcam, and what lies in it: a picture as it is, or a smaller one made from it."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os

import numpy as np

from vcam.frames import MIN_SIDE, Frame
from vcam.scaling import Reducer
from vcam.types import U8, Size

_FUTURE_WRITE = 0x10
"""F_SEAL_FUTURE_WRITE, which Python does not name: nobody else can map the memory for writing. Linux 5.1."""


def share(size: Size, pictures: int = 1) -> tuple[int, list[Frame]]:
    """Memory for pictures of a size that others can neither write to nor make smaller, and the frames in it."""
    count = size[0] * size[1] * 3 // 2
    descriptor = os.memfd_create("vcam-shown", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, pictures * count)
        memory = mmap.mmap(descriptor, pictures * count)
        # what could be cut off would kill this process, not the one that did it
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _FUTURE_WRITE)
    except BaseException:
        os.close(descriptor)
        raise
    whole = np.frombuffer(memory, np.uint8)
    return descriptor, [Frame.wrap(whole[at * count : (at + 1) * count], *size) for at in range(pictures)]


def small_size(size: Size, wide: int) -> Size:
    """The size for who asks for `wide` pixels across at most, 0 for all: even, in the shape of the whole."""
    width, height = size
    if not wide or width <= wide:
        return size
    return wide, max(MIN_SIDE, round(height * wide / width / 2) * 2)


class Smaller:
    """Makes pictures smaller, each into memory of the size that is wanted. Not thread safe."""

    def __init__(self) -> None:
        self._reducer = Reducer()
        self._blank: U8 = np.empty((0, 0), np.uint8)

    def put(self, frame: Frame, target: Frame) -> None:
        """Write a frame into a smaller one, with its time stamp, number and range."""
        for source, plane in zip(frame.planes, target.planes, strict=True):
            self._reducer.reduce(source, plane)
        target.timestamp, target.seq, target.full_range = frame.timestamp, frame.seq, frame.full_range

    def put_plane(self, plane: U8, target: U8) -> None:
        """Write one plane into a smaller one."""
        self._reducer.reduce(plane, target)

    def blank(self, shape: tuple[int, ...]) -> U8:
        """A plane, uint8, for what is to be made smaller then: its content is anything, and goes with the next call."""
        if self._blank.shape != shape:
            self._blank = np.empty(shape, np.uint8)
        return self._blank
