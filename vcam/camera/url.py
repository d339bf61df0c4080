"""A network camera or stream, by its address, decoded by ffmpeg."""

from __future__ import annotations

import re
import threading
import time

from vcam.camera.base import PATIENCE
from vcam.camera.newest import NewestFrame
from vcam.camera.pace import Clock, Pacer
from vcam.errors import CameraError, CameraStalled, UsageError, VcamError
from vcam.frames import Frame, check_size
from vcam.media.live import LiveReader
from vcam.secrets import HIDDEN, address_parts, show_address, without_address
from vcam.types import Size

NAME = "the network camera"
"""What it is called where a whole call may read it: an address may tell where somebody lives, or hold a password."""

_SURPLUS = 1.1
"""A stream that is faster than what is asked for by more than this is thinned out."""


class UrlCamera:
    """The newest frame that has come from an address, at the size asked for; sides that stick out are cut off.

    A thread reads all that comes, so that nothing queues, here or on the way. A film behind an address is told from a
    camera and played at its own pace.
    """

    live = True

    def __init__(
        self, url: str, size: Size, fps: float, timeout: float = PATIENCE, *, clock: Clock = time.monotonic
    ) -> None:
        """fps: more frames a second than this are not given out. timeout: seconds that `read` waits for a frame.

        Raises `UsageError` for an address that cannot be one.
        """
        self._url, self._size, self._fps, self._timeout, self._clock = _checked(url), size, fps, timeout, clock
        self._stream: _Stream | None = None
        self._newest: NewestFrame | None = None
        self._film = False
        self._opened = 0.0

    @property
    def description(self) -> str:
        return show_address(self._url)

    @property
    def size(self) -> Size:
        return self._size

    @property
    def fps(self) -> float:
        return self._fps

    @property
    def dropped(self) -> int:
        """Frames since `open` that came and were not read: a newer one was there before."""
        return self._newest.superseded + self._stream.hidden if self._newest and self._stream else 0

    def check(self) -> None:
        """Nothing can be told beforehand."""

    def open(self) -> None:
        """Start ffmpeg; whether the stream is there shows with the first frame."""
        if self._newest is not None:
            return
        check_size(*self._size)
        # what was found to be a film stays one
        self._stream = _Stream(self._url, self._size, self._film)
        self._opened = self._clock()
        self._pacer = Pacer(max(self._fps * _SURPLUS, 1 / PATIENCE), self._clock)
        self._newest = NewestFrame(self._stream, self._size, clock=self._clock)

    def read(self) -> Frame:
        """The newest frame that was not read yet; its time stamp is when it arrived.

        Raises `CameraStalled` if none comes in time, `CameraError` if the stream is missing or has ended.
        """
        if self._newest is None or self._stream is None:
            raise CameraError(f"{NAME} is not open")
        self._pacer.wait()
        try:
            frame = self._newest.next(self._timeout)
        except EOFError as error:
            raise self._ended(self._stream) from error
        except VcamError as error:
            raise CameraError(f"{NAME} cannot be read: {error.message}", error.hint) from error
        if frame is None:
            raise self._stalled(self._newest.arrived)
        self._film = self._stream.film
        return frame

    def close(self) -> None:
        """End ffmpeg and the thread, at once."""
        if self._newest is not None:
            self._newest.close()
        self._newest = self._stream = None

    def _stalled(self, arrived: float | None) -> CameraStalled:
        silence = self._clock() - (self._opened if arrived is None else arrived)
        lasted = f"{silence:.1f} s" if silence < 1 else f"{silence:.0f} s"
        return CameraStalled(f"{NAME} has sent nothing for {lasted}", f"is {self.description} there, and reachable?")

    def _ended(self, stream: _Stream) -> CameraError:
        if stream.begun:
            return CameraError(f"{NAME} has ended", f"check that {self.description} still sends")
        said = nameless(stream.said, self._url)
        if any(words in said for words in _UNKNOWN):
            scheme = address_parts(self._url)[0]
            return CameraError(
                f"ffmpeg knows no {scheme}:// addresses",
                "rtsp://, http:// and https:// are usual; ffmpeg -protocols lists all",
            )
        return CameraError(f"{NAME} cannot be played: {said}", f"check the address; it is at {self.description}")


_UNKNOWN = ("Did you mean file:", "Protocol not found", "not on whitelist")
"""ffmpeg's words for a protocol that it does not have, or that is not one of a network."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def nameless(said: str, url: str) -> str:
    """A message of ffmpeg about an address, without it and without its host: a whole call may read it."""
    said = without_address(said, url)
    host = show_address(url).partition("://")[2]
    said = re.sub(r"\b[a-z][a-z0-9+.-]+://[^\s'\"]*", "its address", said, flags=re.IGNORECASE)
    for words in (host, re.sub(r":\d+$", "", host).strip("[]")):
        if words and words != HIDDEN:
            said = re.sub(rf"(?<![\w.-]){re.escape(words)}(?![\w-])", "its host", said, flags=re.IGNORECASE)
    return said


def _checked(url: str) -> str:
    """The address as ffmpeg wants it, its scheme in small letters."""
    scheme, rest = address_parts(url)
    if not scheme or not rest.strip("/"):
        raise UsageError(f"{show_address(url)} is not the address of a camera", "for example rtsp://host/path")
    if _CONTROL.search(url):
        raise UsageError(f"there is a control character in {show_address(url)}", "remove it, or write it as %0A")
    return f"{scheme}:{rest}"


_PACED = re.compile(r"\.(?:m3u8|mpd)$", re.IGNORECASE)
"""Lists of pieces: these come in bursts, one for each piece, with time stamps to be played by."""

_FILM = re.compile(r"\.(?:mp4|m4v|mov|mkv|webm|avi|gif|y4m)$", re.IGNORECASE)
"""What most likely is a film, though some cameras send an endless one."""


class _Lead:
    """Whether a stream runs away from its own time stamps: a leaky bucket of seconds of picture.

    Each frame fills in its duration, and the time that passes drains `ratio` times itself. A camera sends as fast as
    time passes, so that its bucket stays empty but for what it had kept for a new viewer; a film fills it, at the pace
    of the line and of the decoder. Neither the length that a server claims nor that it claims one tells as much: some
    cameras claim one, some films have none. ffmpeg's guess of a rate can be far off where a stream has no time stamps
    (25 a second, for all JPEG over HTTP), hence the ratio.
    """

    def __init__(self, likely: bool) -> None:
        """likely: the address has the name of a film."""
        self._ratio, self._limit = (1.3, 1.0) if likely else (4.0, 12.0)
        self._last: float | None = None
        self.seconds = 0.0
        self.rushed = False
        """The last frame came faster than any camera sends."""

    def frame(self, now: float, rate: float) -> None:
        """One more frame of a stream of `rate` frames a second."""
        passed = 0.0 if self._last is None else now - self._last
        self.rushed = self._last is not None and passed * self._ratio < 1 / rate
        self.seconds = max(0.0, self.seconds + 1 / rate - self._ratio * passed) if self._last is not None else 0.0
        self._last = now

    @property
    def film(self) -> bool:
        return self.seconds >= self._limit

    @property
    def may_be_film(self) -> bool:
        """Whether it would be one if it ended now: shorter than it takes to tell."""
        return self.seconds >= _SHORTEST_FILM


_SHORTEST_FILM = 1.0
_SHOWN_LEAD = 0.3
"""Seconds by which a picture may be early and is shown all the same. What comes earlier and in a rush is what a camera
had kept for a new viewer, or a film on the run: neither is to be seen, but for the last one before a pause."""
_PAUSE = 0.05


class _Stream:
    """The frames of an address, started anew at its own pace once it turns out to be a film."""

    def __init__(self, url: str, size: Size, film: bool) -> None:
        """film: it is known to be one."""
        path = re.split(r"[?#]", url, maxsplit=1)[0]
        self._url, self._size = url, size
        self.film = film or url.startswith("file:")
        paced = self.film or bool(_PACED.search(path))
        # a server of streams sends at the stream's pace, films too
        pulled = url.startswith(("http:", "https:", "ftp:", "sftp:", "smb:"))
        self._lead = _Lead(bool(_FILM.search(path))) if pulled and not paced else None
        self._lock = threading.Lock()
        self._closed = False
        self._reader = LiveReader(url, size, paced=paced)
        self.hidden = 0
        """Frames that were not given out, as they came far too early."""
        self.begun = False
        """A frame has come."""

    @property
    def finite(self) -> bool:
        return self.film

    @property
    def said(self) -> str:
        return self._reader.said

    def read(self, into: Frame) -> bool:
        while True:
            if not self._reader.read(into):
                if self._lead is None or not self._lead.may_be_film or not self._again():
                    return False
                continue
            self.begun = True
            lead = self._lead
            if lead is None:
                return True
            lead.frame(time.monotonic(), self._reader.rate)
            if lead.film:
                if not self._again():
                    return False
            elif lead.rushed and lead.seconds > _SHOWN_LEAD and self._reader.wait(_PAUSE):
                self.hidden += 1
            else:
                return True

    def _again(self) -> bool:
        """Begin anew, as a film; False if it was closed meanwhile."""
        self.film, self._lead, self.hidden = True, None, 0
        self._reader.close()
        self._reader.release()
        with self._lock:
            if not self._closed:
                self._reader = LiveReader(self._url, self._size, paced=True)
            return not self._closed

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._reader.close()

    def release(self) -> None:
        self._reader.release()
