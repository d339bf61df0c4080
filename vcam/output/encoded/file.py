"""Video files, encoded by an ffmpeg process that is fed raw frames."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from vcam.errors import OutputError, UsageError
from vcam.files import Overwriting, PartialFile
from vcam.frames import Frame, check_size
from vcam.media.containers import CONTAINERS, MATROSKA
from vcam.media.ffmpeg import MediaInfo, find_ffmpeg, local_url, run_once
from vcam.media.keep import keep_tracks
from vcam.media.probe import probe
from vcam.media.process import DISK_ERRORS, Ffmpeg
from vcam.media.rate import exact_rate
from vcam.media.times import FrameTimes
from vcam.output.base import AlwaysWatched
from vcam.output.encoded.encoding import Colours, file_encoder
from vcam.output.encoded.matroska import FilmStamps, FrameStamps, stream_header
from vcam.output.writer import FrameWriter
from vcam.suffixes import VIDEO_SUFFIXES
from vcam.types import Size

PATIENCE = 30.0
"""An encoder that takes nothing for so many seconds at the end of a live recording has hung."""

_ENDING = 2.0
"""Seconds that an encoder which takes no more frames has to say why."""


class VideoFileOutput(AlwaysWatched):
    """An .mp4, .mov or .mkv file: H.264, 4:2:0, the colours as `Colours` says, and what another file has beside its
    picture.

    `note` says what of that could not be kept as it is, once it is open. The file appears under its name when it is
    closed, whole; interrupted by `close`, it is shorter but whole too.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        blocking: bool = True,
        audio_from: Path | None = None,
        times: FrameTimes | None = None,
        rule: Overwriting | None = None,
    ) -> None:
        """blocking: every frame is encoded at the constant rate given to `open`, however long that takes. Else `write`
        never waits, drops the oldest frames (counted in `dropped`) and each frame is shown when it came.

        audio_from: its sound, subtitles, chapters and titles are kept, as `keep_tracks` does it. times: frames are
        written for the times that they have, which these are; only where it is blocking. rule: what may be
        overwritten; by default nothing that exists.

        Raises `UsageError` for an unknown suffix.
        """
        self._path = Path(path)
        suffix = self._path.suffix.lower()
        if suffix not in CONTAINERS:
            raise UsageError(
                f"{self._path.name}: {suffix or 'no suffix'} is not a kind of video that vcam writes",
                f"use {', '.join(sorted(VIDEO_SUFFIXES))} or .y4m",
            )
        self._container = CONTAINERS[suffix]
        self._blocking, self._audio_from = blocking, audio_from
        self._rule = rule or Overwriting()
        self._rate = Fraction(30)
        self._times = times
        self._audio: MediaInfo | None = None
        self._early = False
        self._first_time: float | None = None
        self._length = 0.0
        self.note = ""
        self._file: PartialFile | None = None
        self._child: Ffmpeg | None = None
        self._writer: FrameWriter | None = None

    @property
    def description(self) -> str:
        return str(self._path)

    @property
    def finished(self) -> bool:
        return False

    @property
    def dropped(self) -> int:
        """Frames that a slow encoder has cost since `open`."""
        return self._writer.dropped if self._writer else 0

    def open(self, size: Size, fps: float) -> None:
        check_size(*size)
        self._rate = exact_rate(fps)
        sound = self._sound_arguments()
        self._file = PartialFile(self._path, self._rule)
        os.close(self._file.create())
        try:
            program = find_ffmpeg()
            arguments = ["-y", *self._input_arguments(size), *sound, *self._output_arguments(program, size)]
            # the file is what was asked for: it stands back behind nothing
            self._child = Ffmpeg(program, arguments, watched=False, nicer=0)
            self._writer = self._start_writer(self._child.descriptor, size)
        except OSError as error:
            failure = self._encoder_error()
            self.abort()
            raise failure from error
        except BaseException:
            self.abort()
            raise

    def end_early(self) -> None:
        """The source was not read to its end: what goes with the picture is to end with it."""
        self._early = True

    def _input_arguments(self, size: Size) -> list[str]:
        if self._times is not None:
            # what comes later than other tracks keeps its distance
            return ["-itsoffset", f"{float(self._times.start):.6f}", "-f", "matroska", "-i", "pipe:0"]
        if not self._blocking:
            return ["-f", "matroska", "-i", "pipe:0"]
        raw = ["-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", f"{size[0]}x{size[1]}"]
        return [*raw, "-framerate", str(self._rate), "-i", "pipe:0"]

    def _start_writer(self, descriptor: int, size: Size) -> FrameWriter:
        if self._blocking and self._times is None:
            return FrameWriter(descriptor, size, blocking=True)
        stamps = FrameStamps(size) if self._times is None else FilmStamps(size, self._scale(self._times))
        writer = FrameWriter(descriptor, size, blocking=self._blocking, prefix=stamps, prefix_bytes=stamps.length)
        os.write(descriptor, stream_header(size, self._rate, stamps.TICK))
        return writer

    def _sound_arguments(self) -> list[str]:
        if self._audio_from is None:
            return []
        self._audio = probe(self._audio_from)
        kept = keep_tracks(self._audio_from, self._audio, self._container, even=self._times is None)
        self.note = kept.note
        return [*kept.arguments]

    def _output_arguments(self, program: str, size: Size) -> list[str]:
        assert self._file is not None
        encoder, colours = file_encoder(program), Colours.of(size, program)
        arguments = ["-vf", ",".join(("setsar=1", *colours.filters)), *self._time_arguments()]
        arguments += [*encoder.at_quality(size, self._rate), "-pix_fmt", "yuv420p", *colours.options]
        if self._times is not None and self._times.held:
            # the last picture that is stored has to be the last that is shown
            arguments += ["-bf", "0", "-bsf:v", _hold_last(self._times)]
        return [*arguments, *self._into(self._file)]

    def _scale(self, times: FrameTimes) -> int:
        """Ticks a second in which the picture's times are counted."""
        # ffmpeg 5.1 mistakes the unit of a filter of packets if a Matroska file does not count in milliseconds
        return 1000 if times.held and self._container is MATROSKA else times.timescale

    def _time_arguments(self) -> list[str]:
        if self._times is not None:
            scale = self._scale(self._times)
            return ["-fps_mode", "passthrough", "-enc_time_base", f"1:{scale}", *self._container.ticks(scale)]
        # vfr takes the time between two frames of the announced rate as its unit, and forgives jitter
        return ["-fps_mode", "cfr", "-r", str(self._rate)] if self._blocking else ["-fps_mode", "vfr"]

    def _into(self, file: PartialFile) -> list[str]:
        return [*self._container.whole, "-f", self._container.muxer, local_url(file.working)]

    def write(self, frame: Frame) -> None:
        if self._writer is None:
            raise ValueError("the output is not open")
        if self._first_time is None:
            self._first_time = frame.timestamp
        self._length = frame.timestamp - self._first_time
        try:
            self._writer.write(frame)
        except OSError as error:
            raise self._encoder_error() from error

    def close(self) -> None:
        writer, child, file = self._writer, self._child, self._file
        if writer is None or child is None or file is None:
            return
        try:
            if not writer.drain(None if self._blocking else PATIENCE):
                raise OutputError(f"the encoder of {self._path} has stopped taking frames", "is the disk too slow?")
        except OSError as error:
            failure = self._encoder_error()
            self.abort()
            raise failure from error
        except BaseException:
            self.abort()
            raise
        try:
            # ffmpeg 5 calls it a success when the end of a Matroska file does not fit on the disk
            if not child.finish() or child.disk_error:
                # some ffmpegs call it an error that nothing came; which is the case, and is said in vcam's own words
                raise self._encoder_error() if writer.written or child.disk_error else self._no_frame
            if not writer.written:
                raise self._no_frame
            self._cut_sound(writer.written)
        except BaseException:
            self.abort()
            raise
        self._let_go()
        file.commit()

    def _cut_sound(self, frames: int) -> None:
        """Where the recording was ended before its source, end the sound with the picture."""
        assert self._file is not None
        if not self._early or self._audio is None:
            return
        seconds = float((frames + Fraction(1, 2)) / self._rate)
        if self._times is not None:
            seconds = self._length + float(self._times.start) + 0.5 / float(self._rate)
        shorter = PartialFile(self._file.working)
        os.close(shorter.create())
        arguments = ["-i", local_url(self._file.working), "-map", "0", "-c", "copy", "-t", f"{seconds:.6f}"]
        try:
            if said := run_once(find_ffmpeg(), ["-y", *arguments, *self._into(shorter)]):
                raise OutputError(f"ffmpeg failed: {said}", _cure(said))
            shorter.commit()
        except BaseException:
            shorter.discard()
            raise

    def abort(self) -> None:
        if self._child is not None:
            self._child.kill()
        self._let_go()
        if self._file is not None:
            self._file.discard()

    def _let_go(self) -> None:
        writer, child = self._writer, self._child
        self._writer = self._child = None
        if writer is not None:
            writer.abandon()
        if child is not None:
            child.close()

    @property
    def _no_frame(self) -> OutputError:
        return OutputError(f"{self._path} was not written: there was no frame")

    def _encoder_error(self) -> OutputError:
        assert self._child is not None
        assert self._file is not None
        child, words = self._child, ""
        if child.ended(_ENDING) and child.said:
            words = f"ffmpeg says {child.said!r}".replace(local_url(self._file.working), self._path.name)
        words = words or child.ending()
        return OutputError(f"cannot write {self._path}: {words}", _cure(words))


def _hold_last(times: FrameTimes) -> str:
    """A filter of packets that gives the last frame the time for which it is shown."""
    assert times.last is not None
    begins = float(times.end - times.last) - float(times.tick) / 2
    return f"setts=duration=if(gte(PTS*TB\\,{begins:.6f})\\,{float(times.last):.6f}/TB\\,DURATION)"


def _cure(said: str) -> str:
    if any(words in said for words in DISK_ERRORS):
        return "free some space, or write to another disk"
    if "SIGKILL" in said:
        return "the system may have run out of memory: close other programs or use a smaller --size"
    return "try .mkv, or give another ffmpeg in VCAM_FFMPEG"
