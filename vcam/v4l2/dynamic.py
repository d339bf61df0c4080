"""Virtual cameras made and removed while v4l2loopback is loaded, through /dev/v4l2loopback (since version 0.13).

Versions 0.13 and 0.15 have the same structure, `struct v4l2_loopback_config` of <linux/v4l2loopback.h>, but other
request numbers; later versions take both.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import Structure, c_char, c_int32, c_uint32
from pathlib import Path
from typing import ClassVar

from vcam.v4l2.loopback import BUFFERS

CONTROL = Path("/dev/v4l2loopback")

MAX_LABEL = 31
"""Bytes of a device's label: the kernel's field holds 32, the last of them 0."""


class LoopbackConfig(Structure):
    """struct v4l2_loopback_config; 0 stands for the driver's default. A negative `output_nr` lets it choose one."""

    _fields_: ClassVar = [
        ("output_nr", c_int32),
        ("unused", c_int32),
        ("card_label", c_char * 32),
        ("min_width", c_uint32),
        ("max_width", c_uint32),
        ("min_height", c_uint32),
        ("max_height", c_uint32),
        ("max_buffers", c_int32),
        ("max_openers", c_int32),
        ("debug", c_int32),
        ("announce_all_caps", c_int32),
    ]


_SIZE = ctypes.sizeof(LoopbackConfig)
assert _SIZE == 72, f"v4l2_loopback_config: {_SIZE} bytes instead of 72"

# (request of 0.13, request of later versions: the kernel's _IOW and _IOWR macros for type '~')
_ADD = 0x4C80, 1 << 30 | _SIZE << 16 | ord("~") << 8 | 1
_REMOVE = 0x4C81, 1 << 30 | 4 << 16 | ord("~") << 8 | 2


def add_device(label: str, number: int = -1) -> int:
    """Make a virtual camera that says CAPTURE only while it is fed; returns its number.

    label: at most `MAX_LABEL` bytes of UTF-8. number: the N of its /dev/videoN, negative for any; where another device
    has it, the kernel gives a higher one, or the module answers EEXIST. Raises `OSError`: ENOENT where the module
    has no such thing, EACCES without permission.
    """
    config = LoopbackConfig(output_nr=number, unused=number, card_label=label.encode(), max_buffers=BUFFERS)
    with _control() as fd:
        return _call(fd, _ADD, config)


def remove_device(number: int) -> None:
    """Remove a virtual camera. Raises `OSError` as `add_device`; EBUSY while any program has it open."""
    with _control() as fd:
        _call(fd, _REMOVE, number)


@contextmanager
def _control() -> Iterator[int]:
    fd = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _call(fd: int, requests: tuple[int, int], argument: LoopbackConfig | int) -> int:
    old, new = requests
    try:
        return fcntl.ioctl(fd, old, argument)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOTTY, errno.EINVAL):
            raise
    return fcntl.ioctl(fd, new, argument)
