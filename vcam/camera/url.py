"""A network camera or stream, by its URL, decoded by ffmpeg."""

from __future__ import annotations

import time
from fractions import Fraction

from vcam.camera.pace import Clock
from vcam.errors import CameraError, CameraStalled, InputError
from vcam.frames import Frame
from vcam.media.reader import VideoReader
from vcam.types import Size

_CONNECT = 10.0
"""Seconds for the first frame: connecting, and waiting for a key frame."""


class UrlCamera:
    """What ffmpeg reads from a URL, at the size and rate asked for; sides that stick out are cut off."""

    live = True
    dropped = 0

    def __init__(self, url: str, size: Size, fps: float, timeout: float, *, clock: Clock = time.monotonic) -> None:
        """timeout: seconds without a frame after which the stream counts as lost."""
        self._url, self._size, self._fps, self._timeout, self._clock = url, size, fps, timeout, clock
        self._reader: VideoReader | None = None
        self._started = False

    @property
    def description(self) -> str:
        return _without_password(self._url)

    @property
    def size(self) -> Size:
        return self._size

    @property
    def fps(self) -> float:
        return self._fps

    def check(self) -> None:
        """Nothing can be told beforehand."""

    def open(self) -> None:
        """Start ffmpeg; whether the stream is there shows with the first frame."""
        if self._reader is not None:
            return
        self._started = False
        box = f"{self._size[0]}:{self._size[1]}"
        self._reader = VideoReader(
            self._url,
            self._size,
            Fraction(self._fps).limit_denominator(1001),
            options=self._options(),
            filters=f"scale={box}:force_original_aspect_ratio=increase,crop={box}",
        )

    def read(self) -> Frame:
        """The next frame.

        Raises `CameraStalled` if none comes within the deadline, `CameraError` if the stream is missing or has ended.
        """
        if self._reader is None:
            raise CameraError(f"{self.description} is not open")
        deadline = self._timeout if self._started else max(self._timeout, _CONNECT)
        if not self._reader.wait(deadline):
            raise CameraStalled(f"{self.description} has sent nothing for {deadline:g} s", "check the address")
        try:
            frame = self._reader.read()
        except InputError as error:
            said = self._reader.messages().replace(self._url, self.description)
            if "Did you mean file:" in said or "Protocol not found" in said:
                raise CameraError(
                    f"ffmpeg knows no {self._url.partition('://')[0]}:// addresses",
                    "rtsp://, http:// and https:// are usual; ffmpeg -protocols lists all",
                ) from error
            raise CameraError(f"{self.description} cannot be played: {said}", "check the address") from error
        if frame is None:
            raise CameraError(f"{self.description} has ended", "check that it still sends")
        self._started = True
        frame.timestamp = self._clock()
        return frame

    def close(self) -> None:
        """End ffmpeg."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def _options(self) -> tuple[str, ...]:
        scheme = self._url.partition("://")[0].lower()
        if scheme in ("rtsp", "rtsps"):
            return "-rtsp_transport", "tcp", "-fflags", "nobuffer"
        # a file behind a URL would come as fast as the line allows
        return ("-re",) if scheme in ("http", "https", "file") else ()


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
