"""A camera in memory: encoded frames handed out as a device would, for measurements and tests."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from vcam.camera.pace import Clock, Sleep
from vcam.camera.unpack import Unpacker
from vcam.errors import CameraError, UsageError
from vcam.frames import Frame, PixelFormat
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.types import U8, Size

# a due time computed from a count must not fall behind the clock by rounding
_ROUNDING = 1e-6


class MemoryCamera:
    """Hands out encoded frames round and round.

    Paced, it is live: frame n appears n / fps seconds after `open`, and a reader who comes late gets the newest one,
    the others count as dropped. Unpaced, each `read` gives the next frame at once. Either way the bytes go through the
    same `Unpacker` as those of a device.
    """

    def __init__(
        self,
        frames: Sequence[bytes],
        pixel_format: PixelFormat,
        size: Size,
        fps: float,
        *,
        paced: bool = True,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        """`frames` holds at least one picture of `size` in `pixel_format`. Raises `UsageError` if it is empty."""
        if not frames:
            raise UsageError("a camera in memory needs at least one frame")
        self._frames, self._format, self._size, self._fps = frames, pixel_format, size, fps
        self._paced, self._clock, self._sleep = paced, clock, sleep
        self._unpacker: Unpacker | None = None
        self._start = 0.0
        self._next = 0
        self._dropped = 0

    @property
    def description(self) -> str:
        return f"a camera in memory ({self._format.value} {self._size[0]}x{self._size[1]} at {self._fps:g}/s)"

    @property
    def size(self) -> Size:
        return self._size

    @property
    def fps(self) -> float:
        return self._fps

    @property
    def live(self) -> bool:
        return self._paced

    @property
    def dropped(self) -> int:
        return self._dropped

    def check(self) -> None:
        """Nothing can be told beforehand."""

    def open(self) -> None:
        """Get buffers, or keep those it has; the first frame is due now."""
        self._unpacker = self._unpacker or Unpacker(self._format, self._size)
        self._start = self._clock()
        self._next = 0
        self._dropped = 0

    def read(self) -> Frame:
        """The newest frame, waiting for its time; its time stamp is the moment it was due.

        Raises `CameraError` if not one of the frames can be decoded.
        """
        if self._unpacker is None:
            raise CameraError("the camera in memory is not open")
        for _ in self._frames:
            due = self._wait() if self._paced else self._clock()
            number = self._next
            self._next += 1
            frame = self._unpacker.unpack(self._frames[number % len(self._frames)], due, number)
            if frame is not None:
                return frame
            self._dropped += 1
        raise CameraError("none of the frames in memory can be decoded")

    def close(self) -> None:
        """Let the buffers go."""
        self._unpacker = None

    def _wait(self) -> float:
        """Skip to the newest frame, or sleep until the next one; the moment it was due."""
        now = self._clock()
        newest = math.floor((now - self._start) * self._fps + _ROUNDING)
        if newest > self._next:
            self._dropped += newest - self._next
            self._next = newest
        due = self._start + self._next / self._fps
        if due > now:
            self._sleep(due - now)
        return due


def encode_frames(frames: Sequence[U8 | Frame], pixel_format: PixelFormat) -> list[bytes]:
    """Pictures as a camera would send them.

    frames: uint8 (height, width, 3) BGR, or limited-range `Frame`s; all of one even size. MJPEG is 4:2:2 at quality
    85, as webcams do it; I420, NV12 and YUYV are limited range. Raises `ValueError` for other formats.
    """
    return [_encode(frame, pixel_format) for frame in frames]


def _encode(picture: U8 | Frame, pixel_format: PixelFormat) -> bytes:
    if pixel_format is PixelFormat.MJPEG:
        import simplejpeg

        bgr = frame_to_bgr(picture) if isinstance(picture, Frame) else np.ascontiguousarray(picture)
        return bytes(simplejpeg.encode_jpeg(bgr, quality=85, colorspace="BGR", colorsubsampling="422"))
    frame = picture if isinstance(picture, Frame) else bgr_to_frame(picture)
    if pixel_format is PixelFormat.I420:
        return frame.packed().tobytes()
    if pixel_format is PixelFormat.NV12:
        return frame.y.tobytes() + np.stack([frame.u, frame.v], axis=-1).tobytes()
    if pixel_format is not PixelFormat.YUYV:
        raise ValueError(f"there are no frames in memory of {pixel_format.value}")
    packed = np.empty((frame.height, frame.width // 2, 4), np.uint8)
    packed[..., 0], packed[..., 2] = frame.y[:, 0::2], frame.y[:, 1::2]
    packed[..., 1], packed[..., 3] = frame.u.repeat(2, axis=0), frame.v.repeat(2, axis=0)
    return packed.tobytes()
