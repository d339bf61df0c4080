"""One ffmpeg with its queue of frames: a stream has one for each connection, a recording one for each file."""

from __future__ import annotations

import fcntl
import math
import os
import termios
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from vcam.errors import OutputError
from vcam.frames import Frame
from vcam.media.process import Ffmpeg
from vcam.output.encoded.encoding import Colours, Encoder
from vcam.output.encoded.matroska import CaptureStamps, stream_header
from vcam.output.encoded.sound import LEVEL, Sound
from vcam.output.writer import FrameWriter
from vcam.types import Size

_LOOK = 0.02

QUIET = -99.0
"""What is told of a level that is lower still."""

APART = 0.04
"""Seconds by which sound and picture may differ."""


@dataclass(frozen=True, slots=True)
class Start:
    """The moment from which the times of a session count, by both clocks."""

    monotonic: float
    of_day: float

    @classmethod
    def now(cls) -> Start:
        return cls(time.monotonic(), time.time())

    def clock_was_set(self) -> bool:
        """Whether the clock of the day has been set since then, or the machine was suspended: they differ otherwise.

        What NTP does little by little, it does to both.
        """
        # this thread may be held up between the two readings, but hardly three times
        return all(abs(self._differ(Start.now())) > APART for _ in range(3))

    def _differ(self, other: Start) -> float:
        return (other.of_day - self.of_day) - (other.monotonic - self.monotonic)


class Session:
    """Frames in at any pace, a file or stream out of ffmpeg. `write` is for the loop, the rest for one other thread."""

    def __init__(
        self,
        encoder: Encoder,
        size: Size,
        rate: Fraction,
        target: Sequence[str],
        *,
        bitrate: int,
        sound: Sound,
        start: Start,
        constant: bool,
        private: Sequence[tuple[str, str]] = (),
        secrets: Sequence[str] = (),
    ) -> None:
        """target: the muxer's options and the name of the output. bitrate: in kbit/s. private: see `Ffmpeg`.

        constant: keep `rate` exactly, with pictures doubled or left out; else each is shown when it was captured.
        Raises `OutputError`.
        """
        arguments = [*_INPUT, *sound.input, "-map", "0:v"]
        if sound.input:
            # sound never ends by itself; it must not be held back for long by a picture that is late, nor the reverse
            arguments += ["-map", "1:a", *sound.output, "-shortest"]
        colours = Colours.of(size, encoder.program, live=True)
        arguments += ["-vf", ",".join((*colours.filters, *encoder.filters))]
        arguments += ["-fps_mode", "cfr", "-r", str(rate)] if constant else ["-fps_mode", "vfr"]
        arguments += [*encoder.at_bitrate(bitrate, rate), *encoder.pixel_format, *colours.options]
        self.child = Ffmpeg(
            encoder.program, ["-copyts", *encoder.device, *arguments, *target], private=private, secrets=secrets
        )
        self._start, self._by_day = start, sound.by_day
        self._stamps = stamps = CaptureStamps(size, start.monotonic)
        self._writer = FrameWriter(
            self.child.descriptor, size, blocking=False, prefix=stamps, prefix_bytes=stamps.length, splice=True
        )
        self.offered = 0
        """Frames that `write` was given."""
        try:
            os.write(self.child.descriptor, stream_header(size, rate))
        except OSError as error:
            self.abort()
            raise OutputError(f"ffmpeg ended at once: {self.child.last_words()}", "try another ffmpeg") from error

    @property
    def dropped(self) -> int:
        """Frames that had to make room for newer ones."""
        return self._writer.dropped

    def wait_until_open(self, seconds: float) -> None:
        """Stay until ffmpeg has read the header, so that it soon reads frames, or for at most so long.

        Times count from then, but for sound that is captured, whose offset is fixed. No frame was written yet.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.child.pump(_LOOK):
            waiting = array("i", [0])
            fcntl.ioctl(self.child.descriptor, termios.FIONREAD, waiting)
            if not waiting[0]:
                break
        if not self._by_day:
            self._stamps.start = time.monotonic()

    @property
    def apart(self) -> bool:
        """Whether the sound no longer fits the picture, because the clock that stamps it was set."""
        return self._by_day and self._start.clock_was_set()

    @property
    def level_db(self) -> float | None:
        """How loud a captured sound is, in dB of full scale: 0 at most, `QUIET` for nothing at all; None if unknown."""
        level = self.child.figure(LEVEL)
        # of silence ffmpeg says "-inf", of no samples "nan"
        return None if level is None or math.isnan(level) else round(min(0.0, max(QUIET, level)), 1)

    def write(self, frame: Frame) -> None:
        """Queue a copy of a frame; never waits, never raises for an ffmpeg that is gone: `pump` shows that."""
        self.offered += 1
        if self._writer.error is None:
            self._writer.write(frame)

    def finish(self, seconds: float) -> bool:
        """Let ffmpeg have what is queued, and end; False if that failed or took longer. `write` is over by now."""
        try:
            whole = self._writer.drain(seconds)
        except OSError:
            whole = False
        whole = self.child.finish(seconds if whole else 0.5) and whole
        self.abort()
        return whole

    def abort(self) -> None:
        """End ffmpeg at once; may be called twice. `write` is over by now."""
        self.child.kill()
        self._writer.abandon()
        self.child.close()


# a header is all there is to find out, and nothing may be read ahead of it
_INPUT = ("-probesize", "32", "-analyzeduration", "0", "-thread_queue_size", "4", "-f", "matroska", "-i", "pipe:0")
