"""The least of Matroska: raw frames with their times, to hand a camera's pictures to ffmpeg through a pipe.

A camera does not keep its rate (it halves it in the dark), and a slow encoder loses frames. Raw video has no times, so
such a recording would play too fast. Element numbers and types: RFC 9559; uncompressed video: RFC 9559 and the codec
specification, V_UNCOMPRESSED.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from fractions import Fraction

from vcam.frames import Frame
from vcam.types import Size

TICK = 1e-4
"""Times are counted in tenths of a millisecond."""

_UNKNOWN_LENGTH = b"\x01" + b"\xff" * 7


def _element(number: str, data: bytes | str | int) -> bytes:
    if isinstance(data, int):
        data = data.to_bytes(8, "big")
    elif isinstance(data, str):
        data = data.encode()
    return bytes.fromhex(number) + _length(len(data)) + data


def _length(count: int) -> bytes:
    return (1 << 56 | count).to_bytes(8, "big")


def stream_header(size: Size, fps: Fraction, tick: float = TICK) -> bytes:
    """What stands before the first frame: one track of I420; `fps` is the rate that is hoped for, `tick` in seconds."""
    document = (
        _element("4286", 1) + _element("42f7", 1) + _element("42f2", 4) + _element("42f3", 8)
        + _element("4282", "matroska") + _element("4287", 4) + _element("4285", 2)
    )  # fmt: skip
    info = _element("2ad7b1", round(tick * 1e9)) + _element("4d80", "vcam") + _element("5741", "vcam")
    video = _element("b0", size[0]) + _element("ba", size[1]) + _element("2eb524", "I420")
    track = (
        _element("d7", 1) + _element("73c5", 1) + _element("83", 1) + _element("9c", 0)
        + _element("23e383", round(1_000_000_000 / fps)) + _element("86", "V_UNCOMPRESSED") + _element("e0", video)
    )  # fmt: skip
    segment = bytes.fromhex("18538067") + _UNKNOWN_LENGTH
    tracks = _element("1654ae6b", _element("ae", track))
    return _element("1a45dfa3", document) + segment + _element("1549a966", info) + tracks


class FrameStamps:
    """The bytes before each frame: a cluster of its own, with the time since the first one by `clock`."""

    TICK = TICK

    def __init__(
        self, size: Size, clock: Callable[[], float] = time.monotonic, tick: float = TICK, least: int = 1
    ) -> None:
        """tick: in seconds. least: ticks between two frames."""
        self._clock, self._tick, self._least = clock, tick, least
        self._start: float | None = None
        self._last = -least
        block = 4 + size[0] * size[1] * 3 // 2
        # track 1, time 0 within the cluster, a key frame
        self._block = bytes.fromhex("a3") + _length(block) + b"\x81\x00\x00\x80"
        self._cluster = bytes.fromhex("1f43b675") + _length(10 + 9 + block) + bytes.fromhex("e788")
        self.length = len(self._cluster) + 8 + len(self._block)

    def __call__(self, frame: Frame) -> bytes:
        now = self._clock()
        if self._start is None:
            self._start = now
        return self.at(now - self._start)

    def at(self, seconds: float) -> bytes:
        """The bytes before a frame of that time; times that do not grow are moved on to the next tick."""
        self._last = max(round(seconds / self._tick), self._last + self._least)
        return self._cluster + struct.pack(">Q", self._last) + self._block


class CaptureStamps:
    """The same with the times at which frames were captured, counted from `start`, by CLOCK_MONOTONIC.

    A frame whose time is of another clock, as that of a video file, is taken to come from now.
    """

    LATEST = 2.0
    """Seconds that a picture may have taken from the camera to here."""

    def __init__(self, size: Size, start: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stamps, self.start, self._clock = FrameStamps(size, clock), start, clock
        self.length = self._stamps.length

    def __call__(self, frame: Frame) -> bytes:
        now = self._clock()
        captured = frame.timestamp if 0 <= now - frame.timestamp < self.LATEST else now
        return self._stamps.at(captured - self.start)


class FilmStamps:
    """The same with the times that the frames of a film have, counted from the first one, in millionths of a second.

    Two frames of one time come `1 / scale` seconds apart, which is what the file can tell apart.
    """

    TICK = 1e-6

    def __init__(self, size: Size, scale: int) -> None:
        self._stamps = FrameStamps(size, tick=self.TICK, least=-(-1_000_000 // scale))
        self._start: float | None = None
        self.length = self._stamps.length

    def __call__(self, frame: Frame) -> bytes:
        if self._start is None:
            self._start = frame.timestamp
        return self._stamps.at(frame.timestamp - self._start)
