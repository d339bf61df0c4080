"""Frames read from whatever ffmpeg can open."""

from __future__ import annotations

import select
import subprocess
import tempfile
from fractions import Fraction

from vcam.errors import InputError
from vcam.folders import scratch
from vcam.frames import Frame, check_size
from vcam.media.ffmpeg import LOCAL_ONLY, find_ffmpeg, last_line, local_name
from vcam.types import Size


class VideoReader:
    """Frames of a media file or URL, decoded by ffmpeg into limited-range BT.601 I420 of one size.

    A picture size that changes within the file is scaled to the first one. Use as a context manager.
    """

    def __init__(
        self,
        source: str,
        size: Size,
        fps: Fraction,
        *,
        loop: bool = False,
        options: tuple[str, ...] = (),
        filters: str = "",
    ) -> None:
        """source: what ffmpeg's `-i` takes (`local_url` for files); `options` go before it. `size` must be even.

        `filters` are ffmpeg's video filters to apply before the picture is scaled to `size`.
        """
        check_size(*size, what=source)
        self._frame = Frame.allocate(*size)
        assert self._frame.buffer is not None
        self._bytes = memoryview(self._frame.buffer.data)
        self._seq = 0
        self._source, self._fps = source, fps
        # a file, not a pipe: nothing has to drain it, and ffmpeg can never block on it
        self._messages = tempfile.TemporaryFile(dir=scratch())  # noqa: SIM115 - lives as long as the process
        width, height = size
        scale = f"scale={width}:{height}:flags=bicubic:out_color_matrix=bt601:out_range=tv,format=yuv420p"
        if filters:
            scale = f"{filters},{scale}"
        command = [find_ffmpeg(), "-v", "error", "-nostdin", "-threads", "1", *options]
        if source.startswith("file:"):
            command += LOCAL_ONLY
        if loop:
            command += ["-stream_loop", "-1"]
        command += ["-i", source, "-map", "0:V:0", "-vf", scale, "-fps_mode", "cfr"]
        command += ["-r", f"{fps.numerator}/{fps.denominator}", "-f", "rawvideo", "pipe:1"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._messages, bufsize=0,
            # Ctrl-C is for vcam, which ends its children in order
            start_new_session=True,
        )  # fmt: skip

    def read(self) -> Frame | None:
        """The next frame, or None at the end; it belongs to the reader until the next call.

        Its time stamp is its position in seconds. Raises `InputError` if not one frame could be decoded.
        """
        assert self._process.stdout is not None
        got = 0
        while got < len(self._bytes):
            count = self._process.stdout.readinto(self._bytes[got:])  # type: ignore[attr-defined]
            if not count:
                if self._seq == 0:
                    raise InputError(f"no frame could be read from {self._name}: {self.messages()}", "is it damaged?")
                return None
            got += count
        self._frame.seq = self._seq
        self._frame.timestamp = float(self._seq / self._fps)
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
        self._process.wait()
        self._messages.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
