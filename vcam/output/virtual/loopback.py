"""One v4l2loopback device that is fed: its format is set and read back, its rate set, its errors put into words."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import numpy as np

from vcam.errors import OutputDeviceError
from vcam.frames import PixelFormat
from vcam.output.virtual.guard import Guard
from vcam.types import U8, Size
from vcam.v4l2 import loopback
from vcam.v4l2.cover import MOST, cover, dark
from vcam.v4l2.device import (
    Direction,
    PixelLayout,
    get_format,
    open_node,
    output_sequences,
    queue_output_buffer,
    set_format,
    set_rate,
    stream_off,
    stream_on,
)
from vcam.v4l2.discover import who_holds

_PIXEL_BITS = {PixelFormat.I420: 12, PixelFormat.NV12: 12, PixelFormat.YUYV: 16}
"""Of the layouts that are written."""


class FormatHeld(OutputDeviceError):
    """The device keeps another format than the one asked for, because a reader uses it."""

    def __init__(self, path: Path, layout: PixelLayout) -> None:
        super().__init__(
            f"{path} is held in the format {layout} by {who_holds(path)}", "close that program, then start vcam again"
        )
        self.layout = layout


class LoopbackWriter:
    """Frames into one device, which is this object's alone until `close`."""

    def __init__(self, path: Path, layout: PixelFormat, size: Size, fps: float) -> None:
        """layout: I420, NV12 or YUYV.

        Raises `OutputDeviceError` for a device that is missing, held or refuses, `FormatHeld` if it keeps another
        format.
        """
        self._fd = -1
        self._path = path
        self._bytes = size[0] * size[1] * _PIXEL_BITS[layout] // 8
        self._must_stream = loopback.forgets_output()
        self._position = self._alike = self._buffers = 0
        self._guard: Guard | None = None
        self._layout = PixelLayout(layout.value, size)
        try:
            self._open(layout.value, size, fps)
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> Path:
        return self._path

    def _open(self, code: str, size: Size, fps: float) -> None:
        # version 0.12 would let it happen
        if self._path in loopback.FED:
            raise OutputDeviceError(
                f"the virtual camera {self._path} is fed already by another output of this vcam",
                "name each device once; vcam devices lists them",
            )
        try:
            loopback.claim(self._path)
            self._fd = open_node(self._path)
            layout = _set_format(self._fd, code, size)
            if (layout.code, layout.size) != (code, size):
                raise FormatHeld(self._path, layout)
            self._layout = layout
            set_rate(self._fd, fps, Direction.OUTPUT)
            # whoever fed it before may have been killed
            cover(self._fd, layout.bytes, _dark(layout))
        except OSError as error:
            raise failure(self._path, error) from error
        loopback.FED.add(self._path)
        self._guard = Guard(self._path)

    def send(self, frame: U8) -> None:
        """Hand over one frame: uint8, flat, in the device's layout and size.

        Raises `OutputDeviceError`. The interpreter's lock is free meanwhile.
        """
        self._check(frame)
        self._alike = 0
        self._write(frame)

    def hold(self, frame: U8, *, same: bool) -> None:
        """As `send`. Is it the `same` picture as the last one, it is handed over until every buffer of the device holds
        it; from then on the next buffer is shown as it is.

        To copy a picture that has left the caches is most of what it would cost to show it a few times a second.
        """
        self._check(frame)
        if not same:
            self._alike = 0
        if self._buffers and self._alike >= self._buffers and self._show_next(frame.size):
            return
        self._write(frame)
        self._alike += 1
        if self._alike in (1, self._buffers):
            self._look_at_buffers()

    def _check(self, frame: U8) -> None:
        """The driver would take what is too short as well, and show it above the end of an older picture."""
        if frame.dtype != np.uint8 or frame.size != self._bytes:
            raise ValueError(f"{frame.size} samples of {frame.dtype} where {self._bytes} bytes are shown")

    def _look_at_buffers(self) -> None:
        """Learn their number, which readers that come may change, and the place of the next picture.

        The driver's count of pictures outlives a producer, and `write` goes by it. Was a picture shown from elsewhere,
        the next one might be written over it while it is read.
        """
        sequences = output_sequences(self._fd)
        newest = max(sequences, default=0)
        # a reader that asks for buffers may clear the numbers, too
        if self._alike > 1 and (len(sequences) != self._buffers or not newest):
            self._alike = 0
        self._buffers, self._position = len(sequences), newest + 1

    def _show_next(self, count: int) -> bool:
        try:
            queue_output_buffer(self._fd, self._position % self._buffers, count)
        except OSError:
            # if the device is gone, writing to it will tell
            self._alike = 0
            return False
        self._position += 1
        return True

    def _write(self, frame: U8) -> None:
        try:
            if self._must_stream:
                # on the same descriptor, so that even a killed producer leaves the device usable
                stream_on(self._fd, Direction.OUTPUT)
                self._must_stream = False
            written = os.write(self._fd, frame.data)
        except OSError as error:
            raise OutputDeviceError(
                f"{self._path} takes no more pictures: {error.strerror}", _hint(error.errno)
            ) from error
        if written != frame.size:
            raise OutputDeviceError(f"{self._path} took {written} of {frame.size} bytes", _hint(None))
        self._position += 1

    def close(self, card: U8 | None = None) -> None:
        """Let go of the device; readers see their stream end. May be called twice.

        card: as `send` takes it, the last picture, and what every buffer holds afterwards; a plain dark one if there is
        none.
        """
        if self._fd >= 0:
            if self._position:
                self._leave(_dark(self._layout) if card is None or card.size != self._bytes else card.tobytes())
            if self._position and not loopback.forgets_output():
                # 0.13 and later else keep the format until every program that has the device open has closed it
                with contextlib.suppress(OSError):
                    stream_off(self._fd, Direction.OUTPUT)
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1
            loopback.FED.discard(self._path)

        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None

    def _leave(self, card: bytes) -> None:
        """A last picture, in every buffer: the module goes on showing them after its producer."""
        with contextlib.suppress(OSError):
            # those that are streaming see it come; first of all, as whoever comes now is given the newest
            os.write(self._fd, card)
            if not cover(self._fd, self._layout.bytes, card):
                for _ in range(self._buffers or MOST):
                    os.write(self._fd, card)

    def __del__(self) -> None:
        self.close()


def _dark(layout: PixelLayout) -> bytes:
    return dark(layout.code, layout.size, layout.bytes)


def _set_format(fd: int, code: str, size: Size) -> PixelLayout:
    """The format that the device takes. Versions answer a held one in two ways: silently with it, or with EBUSY."""
    try:
        return set_format(fd, code, size, Direction.OUTPUT)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
    held = get_format(fd, Direction.OUTPUT)
    if (held.code, held.size) == (code, size):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    return held


def failure(path: Path, error: OSError) -> OutputDeviceError:
    """An error of the kernel, in words."""
    if error.errno == errno.EBUSY:
        return OutputDeviceError(
            f"the virtual camera {path} is used by {who_holds(path)}", "close it there, or choose another with --output"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return OutputDeviceError(
            f"you may not open the virtual camera {path}", "sudo usermod -aG video $USER, then log out and in again"
        )
    return OutputDeviceError(f"the virtual camera {path} cannot be used: {error.strerror}", _hint(error.errno))


def _hint(number: int | None) -> str:
    if number in (errno.ENODEV, errno.ENXIO, errno.ENOENT):
        return "was the module v4l2loopback unloaded?"
    return "vcam devices shows the virtual cameras and who uses them"
