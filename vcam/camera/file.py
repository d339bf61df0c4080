"""Video and picture files as cameras: read once from end to end, or played for ever at a camera's pace."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

from vcam.camera.base import Camera
from vcam.camera.pace import Clock, Pacer, Sleep
from vcam.errors import InputError, UsageError
from vcam.frames import Frame, check_size
from vcam.images import IMAGE_SUFFIXES, bgr_to_frame, read_image
from vcam.media.ffmpeg import MediaInfo, local_url
from vcam.media.filters import even_sides, square_size
from vcam.media.probe import probe
from vcam.media.reader import VideoReader, tell
from vcam.media.times import FrameTimes, film_times
from vcam.types import Size

_PICTURE_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"MM\0*", b"P5", b"P6")
_PATIENCE = 20.0
_MOVING_JPEG = frozenset({".mjpg", ".mjpeg"})


class VideoFile:
    """A video file at its own rate. It needs no pace of its reader, so it never drops a frame.

    `info` is what the file holds, once it is open, and `times` are those of its frames, None if it is paced.
    """

    live = False
    dropped = 0

    def __init__(
        self, path: Path, *, paced: bool = False, clock: Clock = time.monotonic, sleep: Sleep = time.sleep
    ) -> None:
        """paced: stand in for a camera: `read` waits for each frame's time, and the file starts again at its end."""
        self._path, self._paced = path, paced
        self._clock, self._sleep = clock, sleep
        self._reader: VideoReader | None = None
        self._first: Frame | None = None
        self._size: Size = (0, 0)
        self._fps = Fraction(0)
        self._frames: int | None = None
        self.info: MediaInfo | None = None
        self.times: FrameTimes | None = None
        self.notes: tuple[str, ...] = ()
        """What a person should know of the film, with it as the subject; known once open."""

    @property
    def description(self) -> str:
        return str(self._path)

    @property
    def size(self) -> Size:
        return self._size

    @property
    def fps(self) -> float:
        return float(self._fps)

    @property
    def frames(self) -> int | None:
        """How many frames the file has, about if it is paced, None if it does not tell; known once open."""
        return self._frames

    @property
    def uneven(self) -> FrameTimes | None:
        """The times of a film whose frames do not come evenly: each has its own, in seconds from the file's start."""
        return None if self.times is None or (self.times.even and not self.times.guessed) else self.times

    def check(self) -> None:
        probe(self._path)

    def open(self) -> None:
        """Start to decode; the first frame is there when this returns.

        Raises `UsageError` for a missing file or one too small, `InputError` if it is no video or has no frame.
        """
        if self._reader is not None:
            return
        info = probe(self._path)
        self._size = square_size(info)
        self.info, self._fps, self._frames, self.times = info, info.fps, info.frames, None
        if not self._paced and (times := film_times(self._path, info)):
            self._fps, self._frames = times.even or times.mean or info.fps, times.count
            self.times = times
        check_size(*self._size, what=f"{self._path}")
        reader = VideoReader(
            local_url(self._path), self._size, self._fps,
            info=info, loop=self._paced, filters=even_sides(info.size) if info.aspect == 1 else "",
            stamped=self.uneven is not None,
        )  # fmt: skip
        try:
            # ffmpeg that plays a damaged file round and round finds neither a frame nor an end
            if not reader.wait(_PATIENCE):
                raise InputError(f"no frame came from {self._path} in {_PATIENCE:g} s", "is it damaged?")
            self._first = reader.read()
        except BaseException:
            reader.close()
            raise
        if self._first and self.times is not None and self.times.guessed:
            self.times = self.times.begun(self._first.timestamp)
        self._reader = reader
        self.notes = _notes(info, self._size, reader.note)
        if self._paced:
            for note in self.notes:
                tell(str(self._path), note)
        self._pacer = Pacer(float(info.fps), self._clock, self._sleep)

    def read(self) -> Frame | None:
        """The next frame, or None after the last; a paced file has no last one."""
        if self._reader is None:
            raise InputError(f"{self._path} is not open")
        frame, self._first = (self._first, None) if self._first else (self._reader.read(), None)
        if frame is None:
            if self._paced:
                raise InputError(f"{self._path} cannot be played again: {self._reader.messages()}", "is it damaged?")
            return None
        if self._paced:
            frame.timestamp = self._pacer.wait()
        elif self.times and self.times.guessed and self.times.even:
            # decoders guess worse
            frame.timestamp = float(self.times.start + frame.seq / self.times.even)
        return frame

    def close(self) -> None:
        """End the decoder."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._first = None


def _notes(info: MediaInfo, size: Size, note: str) -> tuple[str, ...]:
    odd = ""
    if info.aspect == 1 and info.size != size:
        odd = f"is {info.size[0]}x{info.size[1]}, taken as {size[0]}x{size[1]}: few players take odd sides"
    return tuple(filter(None, (odd, note)))


class PictureFile:
    """One picture, as a video of one frame or as a still camera."""

    live = False
    dropped = 0

    def __init__(
        self,
        path: Path,
        fps: float = 30.0,
        *,
        paced: bool = False,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        """paced: serve the picture again and again, `fps` times a second; else once."""
        self._path, self._fps, self._paced = path, fps, paced
        self._clock, self._sleep = clock, sleep
        self._frame: Frame | None = None
        self._true_size: Size = (0, 0)
        self._seq = 0

    @property
    def description(self) -> str:
        return str(self._path)

    @property
    def size(self) -> Size:
        return self._frame.size if self._frame else (0, 0)

    @property
    def true_size(self) -> Size:
        """The picture's own size; where a side is odd, the frame repeats its last row or column."""
        return self._true_size

    @property
    def fps(self) -> float:
        return self._fps

    @property
    def frames(self) -> int | None:
        """How many frames there are: one, or no end of them."""
        return None if self._paced else 1

    def check(self) -> None:
        """A picture is read as a whole, by `open`."""

    def open(self) -> None:
        """Load the picture.

        Raises `UsageError` for a missing file or an impossible size, `InputError` for a damaged one.
        """
        if self._frame is not None:
            return
        picture = read_image(self._path)
        height, width = picture.shape[:2]
        check_size(width + width % 2, height + height % 2, what=f"{self._path}")
        self._true_size = (width, height)
        self._frame = bgr_to_frame(picture)
        self._seq = 0
        self._pacer = Pacer(self._fps, self._clock, self._sleep)

    def read(self) -> Frame | None:
        """The picture; None the second time unless it is paced."""
        if self._frame is None:
            raise InputError(f"{self._path} is not open")
        if self._seq and not self._paced:
            return None
        self._frame.timestamp = self._pacer.wait() if self._paced else 0.0
        self._frame.seq = self._seq
        self._seq += 1
        return self._frame

    def close(self) -> None:
        """Let the picture go."""
        self._frame = None


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by its first bytes, or by its suffix where those tell nothing.

    Raises `UsageError` if there is no such file, `InputError` if it may not be read.
    """
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder, not a picture or video", "name a file in it") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", f"chmod u+r {path}") from error
    if start.startswith(_PICTURE_STARTS):
        # a stream of JPEG pictures begins as its first picture does
        return suffix not in _MOVING_JPEG
    if start[8:12] == b"WEBP" or start[4:12] == b"ftypavif":
        return True
    return suffix in IMAGE_SUFFIXES


def open_file(path: Path, fps: float, *, paced: bool) -> Camera:
    """A camera for a picture or video file, not opened; `fps` is for pictures, a video has its own."""
    return PictureFile(path, fps, paced=paced) if is_picture(path) else VideoFile(path, paced=paced)
