"""YUV4MPEG2, the plain format that video tools pass to each other: a file, a named pipe, or standard output."""

from __future__ import annotations

import os
import stat
from fractions import Fraction
from pathlib import Path

from vcam.errors import OutputError, UsageError
from vcam.files import Overwriting, PartialFile, write_error
from vcam.frames import Frame, check_size
from vcam.media.rate import exact_rate
from vcam.output.base import AlwaysWatched
from vcam.output.writer import FrameWriter
from vcam.types import Size

MARK = b"FRAME\n"

STDOUT = 1

PATIENCE = 2.0
"""A reader of a pipe that takes nothing for so many seconds at the end is not waited for any longer."""


def y4m_header(size: Size, fps: Fraction) -> bytes:
    """The line before the first frame: progressive, limited range, square pixels.

    420jpeg places the chroma samples in the middle of their four luma samples, where the chroma of cameras (JPEG, row
    pairs averaged) is.
    """
    rate = f"F{fps.numerator}:{fps.denominator} Ip A1:1"
    return f"YUV4MPEG2 W{size[0]} H{size[1]} {rate} C420jpeg XYSCSS=420JPEG XCOLORRANGE=LIMITED\n".encode()


class Y4MFile(AlwaysWatched):
    """Raw frames into a .y4m file, a named pipe, or standard output (`-`).

    A file gets its name once it is closed. `finished` turns True when the reader of a pipe has gone.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        blocking: bool = True,
        rule: Overwriting | None = None,
    ) -> None:
        """blocking: wait for a slow disk or reader; else `write` drops the oldest frames and counts `dropped`.

        rule: what may be overwritten; by default nothing that exists.
        """
        self._rule = rule or Overwriting()
        self._path = Path(path)
        self._stdout = str(path) == "-"
        self._blocking = blocking
        self._file: PartialFile | None = None
        self._descriptor = -1
        self._writer: FrameWriter | None = None
        self._closed_pipe = False

    @property
    def description(self) -> str:
        return "standard output (y4m)" if self._stdout else str(self._path)

    @property
    def dropped(self) -> int:
        return self._writer.dropped if self._writer else 0

    @property
    def finished(self) -> bool:
        if self._writer and isinstance(self._writer.error, BrokenPipeError):
            self._closed_pipe = True
        return self._closed_pipe

    def open(self, size: Size, fps: float) -> None:
        check_size(*size)
        self._descriptor = self._open_descriptor()
        self._writer = FrameWriter(
            self._descriptor, size, blocking=self._blocking, prefix=lambda frame: MARK, prefix_bytes=len(MARK)
        )
        try:
            os.write(self._descriptor, y4m_header(size, exact_rate(fps)))
        except BrokenPipeError:
            self._reader_left()
        except OSError as error:
            self.abort()
            raise write_error(self._path, error) from error

    def _open_descriptor(self) -> int:
        if self._stdout:
            if os.isatty(STDOUT):
                raise UsageError("video cannot be shown in a terminal", "pipe it on: ... --output - | ffplay -")
            return STDOUT
        if _is_special(self._path):
            try:
                return os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            except OSError as error:
                raise write_error(self._path, error) from error
        self._file = PartialFile(self._path, self._rule)
        return self._file.create()

    def write(self, frame: Frame) -> None:
        if self._writer is None:
            raise ValueError("the output is not open")
        if self.finished:
            return
        try:
            self._writer.write(frame)
        except BrokenPipeError:
            self._reader_left()
        except OSError as error:
            raise write_error(self._path, error) from error

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            # a disk ends by itself; a reader may hang
            if not writer.drain(PATIENCE if self._file is None else None):
                return
        except BrokenPipeError:
            self._reader_left()
        except OSError as error:
            self._writer = writer
            self.abort()
            raise write_error(self._path, error) from error
        self._close_descriptor()
        if self._file is not None:
            if not writer.written:
                self._file.discard()
                raise OutputError(f"{self._path} was not written: there was no frame")
            self._file.commit()

    def abort(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abandon()
            self._close_descriptor()
        if self._file is not None:
            self._file.discard()

    def _close_descriptor(self) -> None:
        if self._descriptor not in (-1, STDOUT):
            os.close(self._descriptor)
        self._descriptor = -1

    def _reader_left(self) -> None:
        self._closed_pipe = True
        if self._stdout:
            # else the interpreter's own flush at exit meets the closed pipe and complains
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, STDOUT)
            os.close(null)


def _is_special(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
