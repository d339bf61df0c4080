"""Video files, encoded by an ffmpeg process that is fed raw frames."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from fractions import Fraction
from functools import cache
from pathlib import Path

from vcam.errors import OutputError, UsageError
from vcam.files import PartialFile
from vcam.folders import scratch
from vcam.frames import Frame, check_size, even_size
from vcam.media.ffmpeg import MediaInfo, find_ffmpeg, last_line, local_url, probe
from vcam.media.rate import exact_rate
from vcam.output.base import AlwaysWatched
from vcam.output.encoded.matroska import FrameStamps, stream_header
from vcam.output.writer import FrameWriter
from vcam.types import Size

_MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}

VIDEO_SUFFIXES = frozenset(_MUXERS)
"""The kinds of video file that vcam writes through ffmpeg."""

PATIENCE = 30.0
"""An encoder that takes nothing for so many seconds at the end of a live recording has hung."""

_PIPE_BYTES = 1 << 20

_DISK_ERRORS = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO))

# JPEG, sRGB pictures and webcams have the primaries and the curve of BT.709; vcam's matrix is that of BT.601
_COLOUR = {"range": "tv", "colorspace": "smpte170m", "color_primaries": "bt709", "color_trc": "bt709"}


@cache
def video_encoder(program: str) -> str:
    """The best encoder that this ffmpeg has: libx264, libopenh264, else mpeg4, which every ffmpeg has."""
    done = subprocess.run(
        [program, "-hide_banner", "-encoders"], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    names = {words[1] for line in done.stdout.decode("utf-8", "replace").splitlines() if len(words := line.split()) > 1}
    return next((name for name in ("libx264", "libopenh264") if name in names), "mpeg4")


def encoder_arguments(encoder: str, size: Size, fps: Fraction) -> list[str]:
    """Options that make a good picture at little CPU."""
    if encoder == "libx264":
        return ["-c:v", encoder, "-preset", "veryfast", "-crf", "19"]
    if encoder == "libopenh264":
        # it knows no constant quality: 0.12 bits a pixel
        return ["-c:v", encoder, "-b:v", str(max(200_000, int(size[0] * size[1] * fps * 12 / 100)))]
    return ["-c:v", encoder, "-q:v", "3"]


class VideoFileOutput(AlwaysWatched):
    """An .mp4, .mov or .mkv file: H.264, 4:2:0, BT.601 limited range, and the sound of another file if wanted.

    The file appears under its name when it is closed, whole; interrupted by `close`, it is shorter but whole too.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        blocking: bool = True,
        audio_from: Path | None = None,
        aspect: Fraction = Fraction(1),
        true_size: Size | None = None,
    ) -> None:
        """blocking: every frame is encoded at the constant rate given to `open`, however long that takes. Else `write`
        never waits, drops the oldest frames (counted in `dropped`) and each frame is shown when it came.

        audio_from: its sound is copied, or encoded anew as AAC where the container cannot hold it. aspect: shape of a
        pixel. true_size: the part of the frames, from the top left, that is shown, where odd sides had to be padded;
        H.264 can have odd sides only with full chroma, which is then used.

        Raises `UsageError` for an unknown suffix.
        """
        self._path = Path(path)
        suffix = self._path.suffix.lower()
        if suffix not in _MUXERS:
            raise UsageError(
                f"{self._path.name}: {suffix or 'no suffix'} is not a kind of video that vcam writes",
                f"use {', '.join(sorted(VIDEO_SUFFIXES))} or .y4m",
            )
        self._muxer = _MUXERS[suffix]
        self._blocking, self._audio_from = blocking, audio_from
        self._aspect, self._true_size = aspect, true_size
        self._rate = Fraction(30)
        self._audio: MediaInfo | None = None
        self._file: PartialFile | None = None
        self._child: _Encoder | None = None
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
        self._file = PartialFile(self._path)
        os.close(self._file.create())
        try:
            self._child = _Encoder([*self._input_arguments(size), *sound, *self._output_arguments(size)])
            self._writer = self._start_writer(self._child.descriptor, size)
        except OSError as error:
            failure = self._encoder_error()
            self.abort()
            raise failure from error
        except BaseException:
            self.abort()
            raise

    def _input_arguments(self, size: Size) -> list[str]:
        if not self._blocking:
            return ["-f", "matroska", "-i", "pipe:0"]
        raw = ["-f", "rawvideo", "-pixel_format", "yuv420p", "-video_size", f"{size[0]}x{size[1]}"]
        return [*raw, "-framerate", str(self._rate), "-i", "pipe:0"]

    def _start_writer(self, descriptor: int, size: Size) -> FrameWriter:
        if self._blocking:
            return FrameWriter(descriptor, size, blocking=True)
        stamps = FrameStamps(size)
        writer = FrameWriter(descriptor, size, blocking=False, prefix=stamps, prefix_bytes=stamps.length)
        os.write(descriptor, stream_header(size, self._rate))
        return writer

    def _sound_arguments(self) -> list[str]:
        if self._audio_from is None:
            return []
        info = probe(self._audio_from)
        if not info.has_audio:
            return []
        self._audio = info
        codec = "copy" if _can_copy_sound(self._audio_from, self._muxer) else "aac"
        return ["-i", local_url(self._audio_from), "-map", "0:v", "-map", "1:a", "-c:a", codec]

    def _output_arguments(self, size: Size) -> list[str]:
        assert self._file is not None
        program = find_ffmpeg()
        encoder = video_encoder(program)
        shown = self._true_size or size
        format_ = "yuv420p"
        if shown != even_size(shown):
            format_, shown = ("yuv444p", shown) if encoder == "libx264" else (format_, even_size(shown))
        filters = [] if shown == size else [f"format={format_}", f"crop={shown[0]}:{shown[1]}:0:0:exact=1"]
        filters += [f"setsar={self._aspect.numerator}/{self._aspect.denominator}"]
        filters.append("setparams=" + ":".join(f"{name}={value}" for name, value in _COLOUR.items()))
        arguments = ["-vf", ",".join(filters)]
        # vfr takes the time between two frames of the announced rate as its unit, and forgives jitter
        arguments += ["-fps_mode", "cfr", "-r", str(self._rate)] if self._blocking else ["-fps_mode", "vfr"]
        arguments += [*encoder_arguments(encoder, size, self._rate), "-pix_fmt", format_]
        for name, value in _COLOUR.items():
            arguments += [f"-color_{name}" if name == "range" else f"-{name}", value]
        if self._muxer in ("mp4", "mov"):
            arguments += ["-movflags", "+faststart"]
        return [*arguments, "-f", self._muxer, local_url(self._file.working)]

    def write(self, frame: Frame) -> None:
        if self._writer is None:
            raise ValueError("the output is not open")
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
            if not child.finish():
                raise self._encoder_error()
            if not writer.written:
                raise OutputError(f"{self._path} was not written: there was no frame")
            self._cut_sound(writer.written)
        except BaseException:
            self.abort()
            raise
        self._let_go()
        file.commit()

    def _cut_sound(self, frames: int) -> None:
        """Where the recording was ended before its source, end the sound with the picture."""
        assert self._file is not None
        seconds = float((frames + Fraction(1, 2)) / self._rate)
        if self._audio is None or self._audio.duration is None or self._audio.duration - seconds < 0.5:
            return
        shorter = PartialFile(self._file.working)
        os.close(shorter.create())
        arguments = ["-i", local_url(self._file.working), "-map", "0", "-c", "copy", "-t", f"{seconds:.6f}"]
        if self._muxer in ("mp4", "mov"):
            arguments += ["-movflags", "+faststart"]
        try:
            _run([*arguments, "-f", self._muxer, local_url(shorter.working)])
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

    def _encoder_error(self) -> OutputError:
        assert self._child is not None
        assert self._file is not None
        said = self._child.last_words().replace(local_url(self._file.working), self._path.name)
        return OutputError(f"cannot write {self._path}: {said}", _cure(said))


class _Encoder:
    """An ffmpeg process that reads frames from a pipe."""

    def __init__(self, arguments: list[str]) -> None:
        # a file, not a pipe: nothing has to drain it, and ffmpeg can never block on it
        self._messages = tempfile.TemporaryFile(dir=scratch())  # noqa: SIM115 - lives as long as the process
        command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *arguments]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages, bufsize=0,
                # Ctrl-C is for vcam, which ends its children in order
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._messages.close()
            raise OutputError(f"ffmpeg cannot be started: {error.strerror}", f"is {command[0]} a program?") from error
        assert self._process.stdin is not None
        self.descriptor = self._process.stdin.fileno()
        with suppress(OSError):
            # fewer wake-ups for each frame; the system may allow less
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def finish(self) -> bool:
        """Tell it that there are no more frames, wait for its end; False if it failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        # ffmpeg 5 calls it a success when the end of a Matroska file does not fit on the disk
        return self._process.wait() == 0 and not any(words in self._said() for words in _DISK_ERRORS)

    def _said(self) -> str:
        self._messages.seek(0)
        return self._messages.read().decode("utf-8", "replace")

    def last_words(self) -> str:
        """Why it ended, in its own words if it had any."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        said = last_line(self._said())
        code = self._process.poll()
        if code is None:
            return "ffmpeg takes no more frames"
        if code < 0:
            return f"ffmpeg was ended by {signal.Signals(-code).name}"
        return f"ffmpeg says {said!r}" if said != "no message" else f"ffmpeg ended with status {code}"

    def kill(self) -> None:
        """End it, and whatever it started, at once."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._messages.close()


def _run(arguments: list[str]) -> None:
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, start_new_session=True)
    if done.returncode:
        said = last_line(done.stderr.decode("utf-8", "replace"))
        raise OutputError(f"ffmpeg failed: {said}", _cure(said))


def _can_copy_sound(source: Path, muxer: str) -> bool:
    """Whether the container takes the sound as it is: tried out on its first moments."""
    with tempfile.NamedTemporaryFile(suffix=f".{muxer}", dir=scratch()) as trial:
        try:
            _run(["-i", local_url(source), "-map", "0:a", "-c", "copy", "-t", "0.2", "-f", muxer, f"file:{trial.name}"])
        except OutputError:
            return False
    return True


def _cure(said: str) -> str:
    if any(words in said for words in _DISK_ERRORS):
        return "free some space, or write to another disk"
    if "SIGKILL" in said:
        return "the system may have run out of memory: close other programs or use a smaller --size"
    return "try .mkv, or give another ffmpeg in VCAM_FFMPEG"
