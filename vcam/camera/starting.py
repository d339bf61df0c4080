"""A camera is started in the best of its modes that works."""

from __future__ import annotations

import contextlib
import errno
import logging
import mmap
import time
from dataclasses import dataclass
from itertools import islice

from vcam.camera.modes import KNOWN, Mode, in_turn, list_formats, list_modes
from vcam.camera.sources import unfed
from vcam.camera.unreadable import refusal
from vcam.errors import CameraError, UsageError
from vcam.frames import PixelFormat, check_size
from vcam.printable import few
from vcam.types import Size
from vcam.v4l2 import device
from vcam.v4l2.discover import Node

log = logging.getLogger(__name__)

_BUFFERS = 4
# A mode that is refused costs some milliseconds, but a camera that does not answer may take seconds each time.
_MOST_TRIES = 12
_PATIENCE = 3.0

# no answer to any mode: the camera is away, forbidden, or another program has it
_FINAL = frozenset((errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.EBADF, errno.EACCES, errno.EPERM, errno.EBUSY))


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a camera; `format` is None for any."""

    size: Size
    fps: float
    format: PixelFormat | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A camera that sends frames: the mode it holds, its layout, and its buffers, all of them queued."""

    mode: Mode
    layout: device.PixelLayout
    maps: list[mmap.mmap]


def start(fd: int, node: Node, wish: Wish) -> Started:
    """Start the camera in the first of its modes that works, the best one first.

    Raises `CameraError` if it has none that fits the wish, and what the kernel said of the best one, as `OSError`, if
    none works. Nothing is held then.
    """
    modes = choices(fd, node, wish)
    first: OSError | CameraError | UsageError | None = None
    began = time.monotonic()
    for mode in islice(modes, _MOST_TRIES):
        if first is not None:
            if time.monotonic() - began > _PATIENCE:
                break
            log.info("%s (%s): trying %s", node.card, node.path, mode)
        try:
            return _start(fd, node, mode, wish.fps)
        except OSError as error:
            # the program that feeds a virtual camera decides on its mode
            if error.errno in _FINAL or node.is_loopback:
                raise
            log.info("%s (%s) cannot be started in %s: %s", node.card, node.path, mode, error.strerror)
            first = first or error
        except (CameraError, UsageError) as error:
            first = first or error
    assert first is not None
    raise first


def choices(fd: int, node: Node, wish: Wish) -> list[Mode]:
    """The modes that fit the wish, in the order in which to try them; one at least. Raises `CameraError`."""
    modes = list(list_modes(fd, wish.size, wish.fps))
    what = f"{node.card} ({node.path})"
    if not modes and node.is_loopback:
        raise unfed(node)
    if not modes:
        raise refusal(node.card, str(node.path), list_formats(fd))
    if wish.format is not None:
        codes = list(dict.fromkeys(mode.code for mode in modes))
        modes = [mode for mode in modes if mode.format is wish.format]
        if not modes:
            raise CameraError(
                f"{what} has no {wish.format.name} pictures: it has {few(codes)}", "camera.format=auto takes the best"
            )
    return in_turn(modes, wish.size, wish.fps)


def _start(fd: int, node: Node, mode: Mode, fps: float) -> Started:
    maps: list[mmap.mmap] = []
    try:
        layout = _set_format(fd, mode)
        held = _accepted(node, layout, device.set_rate(fd, mode.fps or fps))
        maps += [device.map_buffer(fd, index) for index in range(device.request_buffers(fd, _BUFFERS))]
        if not maps:
            raise OSError(errno.ENOMEM, "the driver gives no buffers")
        for index in range(len(maps)):
            device.queue_buffer(fd, index)
        device.stream_on(fd)
    except BaseException:
        # a mode that was refused must not keep its buffers, or no other one can be set
        for memory in maps:
            memory.close()
        with contextlib.suppress(OSError):
            device.stream_off(fd)
        if not node.is_loopback:
            with contextlib.suppress(OSError):
                device.request_buffers(fd, 0)
        raise
    return Started(held, layout, maps)


def _set_format(fd: int, mode: Mode) -> device.PixelLayout:
    try:
        return device.set_format(fd, mode.code, mode.size)
    except OSError as error:
        # a driver with one format need not know how to set it
        if error.errno == errno.ENOTTY:
            with contextlib.suppress(OSError):
                return device.get_format(fd)
        raise


def _accepted(node: Node, layout: device.PixelLayout, rate: float) -> Mode:
    """The mode that the driver holds after all, which need not be the one it was asked for."""
    format_ = KNOWN.get(layout.code)
    if format_ is None:
        raise CameraError(
            f"{node.card} ({node.path}) insists on the format {layout}",
            "vcam devices lists its formats; camera.format chooses one",
        )
    return Mode(format_, check_size(*layout.size, what=f"the picture of {node.card}"), rate, layout.code)
