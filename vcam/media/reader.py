"""Frames read from media files, by ffmpeg."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import tempfile
import time
from contextlib import suppress
from fractions import Fraction
from functools import cache
from typing import IO

from vcam.errors import InputError
from vcam.folders import scratch
from vcam.frames import Frame, check_size
from vcam.media.ffmpeg import LOCAL_ONLY, MediaInfo, find_ffmpeg, last_line, local_name
from vcam.media.filters import film_filters
from vcam.types import Size

_log = logging.getLogger(__name__)

_CLOSING = 0.5
"""Seconds that a process that was killed is waited for."""
_STAMPS = "settb=1/1000000,metadata=mode=add:key=vcam:value=1,metadata=mode=print:key=vcam:direct=1:file=pipe\\\\:{}"
"""Filters that write each frame's time into a pipe, as "frame:0 pts:40000 ..."; a frame is printed for a tag it has."""


def _pipe() -> tuple[int, IO[str]]:
    """An end for ffmpeg to write to, and what it writes."""
    readable, writable = os.pipe()
    return writable, os.fdopen(readable, encoding="ascii", errors="replace")


def _next_stamp(lines: IO[str], otherwise: float) -> float:
    """The time of the next frame, in seconds. ffmpeg writes it before the frame itself.

    otherwise: what is taken for it if the film does not tell.
    """
    for line in lines:
        if line.startswith("frame:") and (ticks := line.partition("pts:")[2].split()):
            return int(ticks[0]) / 1e6 if ticks[0].lstrip("-").isdigit() else otherwise
    raise InputError("ffmpeg does not tell the times of the frames", "give another ffmpeg in VCAM_FFMPEG")


@cache
def tell(film: str, note: str) -> None:
    """Say what a person should know of a film, "" if nothing, and once, however often it is opened."""
    if note:
        _log.warning("%s %s", film, note)


class VideoReader:
    """Frames of a media file, decoded by ffmpeg into limited-range BT.601 I420 of one size.

    A picture size that changes within the file is scaled to the first one. Use as a context manager.
    """

    def __init__(
        self,
        source: str,
        size: Size,
        fps: Fraction,
        *,
        info: MediaInfo | None = None,
        loop: bool = False,
        options: tuple[str, ...] = (),
        filters: str = "",
        stamped: bool = False,
    ) -> None:
        """source: what ffmpeg's `-i` takes (`local_url` for files); `options` go before it. `size` must be even.

        `filters` are ffmpeg's video filters to apply before the picture is scaled to `size`. stamped: every frame as it
        is in the file, none left out and none twice, with its own time; else as many frames a second as `fps` says.

        info: what `probe` says of a film, by which its track is chosen, and its fields and colours are treated; `note`
        says what could not be. Without it the first moving picture is read, and the frames' own tags are all that is
        known: an untagged one is BT.601, HDR stays as it is.
        """
        check_size(*size, what=source)
        self._frame = Frame.allocate(*size)
        assert self._frame.buffer is not None
        self._bytes = memoryview(self._frame.buffer.data)
        self._seq = self._got = 0
        self._source, self._fps = source, fps
        # a file, not a pipe: nothing has to drain it, and ffmpeg can never block on it
        self._messages = tempfile.TemporaryFile(dir=scratch())  # noqa: SIM115 - lives as long as the process
        chain, self.note = film_filters(info, size, filters, quick=loop)
        self._stamps: IO[str] | None
        stamps, self._stamps = _pipe() if stamped else (-1, None)
        if stamped:
            chain += f",{_STAMPS.format(stamps)}"
        command = [find_ffmpeg(), "-v", "error", "-nostdin", "-threads", "1", *options]
        if source.startswith("file:"):
            command += LOCAL_ONLY
        if loop:
            command += ["-stream_loop", "-1"]
        command += ["-i", source, "-map", "0:V:0" if info is None else f"0:{info.track}"]
        rate = ("cfr", "-r", f"{fps.numerator}/{fps.denominator}")
        command += ["-vf", chain, "-fps_mode", *(("passthrough",) if stamped else rate), "-f", "rawvideo", "pipe:1"]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._messages, bufsize=0,
                pass_fds=(stamps,) if stamped else (),
                # Ctrl-C is for vcam, which ends its children in order
                start_new_session=True,
            )  # fmt: skip
        finally:
            if stamped:
                os.close(stamps)

    def read(self, patience: float | None = None) -> Frame | None:
        """The next frame, or None at the end; it belongs to the reader until the next call.

        Its time stamp is its position in seconds, from the start of the file if it is stamped. patience: seconds for
        which it is waited for at most. Raises `InputError` if not one frame could be decoded, `TimeoutError` if it is
        late; nothing of it is lost then.
        """
        assert self._process.stdout is not None
        end = None if patience is None else time.monotonic() + patience
        while self._got < len(self._bytes):
            if end is not None and not self.wait(max(0.0, end - time.monotonic())):
                raise TimeoutError
            count = self._process.stdout.readinto(self._bytes[self._got :])  # type: ignore[attr-defined]
            if not count:
                if self._seq == 0:
                    raise InputError(f"no frame could be read from {self._name}: {self.messages()}", "is it damaged?")
                return None
            self._got += count
        self._got = 0
        self._frame.seq = self._seq
        if self._stamps is None:
            self._frame.timestamp = float(self._seq / self._fps)
        else:
            follows = self._frame.timestamp + float(1 / self._fps) if self._seq else 0.0
            self._frame.timestamp = _next_stamp(self._stamps, follows)
        self._seq += 1
        return self._frame

    def wait(self, timeout: float) -> bool:
        """Whether bytes, or the end, arrive within so many seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], timeout)[0])

    @property
    def _name(self) -> str:
        return local_name(self._source)

    def messages(self) -> str:
        """The last thing ffmpeg said, or a remark that it said nothing."""
        self._messages.seek(0)
        return last_line(self._messages.read().decode("utf-8", "replace"))

    def close(self) -> None:
        """End the process. May be called twice."""
        if self._messages.closed:
            return
        self._process.kill()
        if self._process.stdout:
            self._process.stdout.close()
        with suppress(subprocess.TimeoutExpired):
            # one that a network share holds is left to the system
            self._process.wait(_CLOSING)
        if self._stamps is not None:
            self._stamps.close()
        self._messages.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
