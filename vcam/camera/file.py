"""Video and picture files as cameras: read once from end to end, or played for ever at a camera's pace."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

from vcam.camera.base import Camera
from vcam.camera.pace import Clock, Pacer, Sleep
from vcam.errors import InputError
from vcam.frames import Frame, check_size
from vcam.images import Kind, bgr_to_frame, is_moving, kind_of, read_image
from vcam.media.ffmpeg import local_url, probe
from vcam.media.reader import VideoReader
from vcam.types import Size

_PATIENCE = 20.0


class VideoFile:
    """A video file at its own rate. It needs no pace of its reader, so it never drops a frame."""

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
        self._true_size: Size = (0, 0)
        self._fps = Fraction(0)
        self._frames: int | None = None

    @property
    def description(self) -> str:
        return str(self._path)

    @property
    def size(self) -> Size:
        return self._size

    @property
    def true_size(self) -> Size:
        """The file's size in square pixels; where a side is odd, the frames repeat its last row or column."""
        return self._true_size

    @property
    def fps(self) -> float:
        return float(self._fps)

    @property
    def frames(self) -> int | None:
        """About how many frames the file has, None if it does not tell; known once open."""
        return self._frames

    def check(self) -> None:
        probe(self._path)

    def open(self) -> None:
        """Start to decode; the first frame is there when this returns.

        Raises `UsageError` for a missing file or one too small, `InputError` if it is no video or has no frame.
        """
        if self._reader is not None:
            return
        info = probe(self._path)
        width, height = info.size
        if info.aspect != 1:
            width = max(1, round(width * info.aspect))
        self._true_size, self._size = (width, height), (width + width % 2, height + height % 2)
        self._fps, self._frames = info.fps, info.frames
        check_size(*self._size, what=f"{self._path}")
        # the scale that follows makes the size true after a change of size within the file
        even = f"pad={self._size[0]}:{self._size[1]},fillborders=right={width % 2}:bottom={height % 2}:mode=smear"
        filters = f"scale={width}:{height}:flags=bicubic,format=yuv444p,{even}" if self._size != (width, height) else ""
        reader = VideoReader(local_url(self._path), self._size, info.fps, loop=self._paced, filters=filters)
        try:
            # ffmpeg that plays a damaged file round and round finds neither a frame nor an end
            if not reader.wait(_PATIENCE):
                raise InputError(f"no frame came from {self._path} in {_PATIENCE:g} s", "is it damaged?")
            self._first = reader.read()
        except BaseException:
            reader.close()
            raise
        self._reader = reader
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
        return frame

    def close(self) -> None:
        """End the decoder."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._first = None


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
    """Whether a file is a still picture, by its content, or by its suffix where that tells nothing.

    A GIF is one if it does not move. Raises `UsageError` if there is no such file, `InputError` if it may not be read.
    """
    kind = kind_of(path)
    if kind is not Kind.GIF:
        return kind is not Kind.OTHER
    try:
        return not is_moving(path)
    except InputError:
        # the film's decoder may make more of it
        return False


def open_file(path: Path, fps: float, *, paced: bool) -> Camera:
    """A camera for a picture or video file, not opened; `fps` is for pictures, a video has its own."""
    return PictureFile(path, fps, paced=paced) if is_picture(path) else VideoFile(path, paced=paced)
