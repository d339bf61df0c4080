"""Which ffmpeg and which of its encoders, and what each is told.

Two ways to choose one:

* `find_encoder` for streams and recordings, which have to keep up with a camera, by a graphics card if need be. It
  encodes for a second to see what works: an ffmpeg lists encoders for cards that the machine does not have, and a card
  may be there without its driver.
* `file_encoder` for files, where the picture counts and nobody waits: one that runs on the CPU, and so works wherever
  it is listed.
"""

from __future__ import annotations

import glob
import os
import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from vcam import extras
from vcam.errors import OutputError, VcamError
from vcam.folders import scratch
from vcam.media.colours import is_hd
from vcam.media.ffmpeg import PATIENCE, ask, ffmpeg_programs, run_once
from vcam.media.filters import from_frames, has_filter
from vcam.types import Size

KEY_SECONDS = 2
"""Between two key frames; what YouTube and Twitch ask for."""

OLDEST = (5, 1)
"""The first ffmpeg that knows -fps_mode."""


@dataclass(frozen=True, slots=True)
class Colours:
    """How the colours of vcam's frames reach a file: filters, the last of which tells the encoder what its frames mean,
    and the options of the output that tell players the same.

    JPEG, sRGB pictures and webcams have the primaries and the curve of BT.709; the matrix of vcam's frames is that of
    BT.601. Some players and editors pass over what HD tells of its matrix, and take it for that of BT.709. So HD gets
    that matrix, which costs 1 to 2 ms of CPU for a frame of 1080p, and SD keeps its own: right by the tags and without
    them. What is live has to be cheap, and is shown by browsers and services that go by the tags: it keeps BT.601.
    """

    filters: tuple[str, ...]
    options: tuple[str, ...]

    @classmethod
    def of(cls, size: Size, program: str, *, live: bool = False) -> Colours:
        """For frames of this size, encoded by this ffmpeg. live: a stream or a recording."""
        hd = not live and is_hd(size) and has_filter("colorspace", program)
        matrix = "bt709" if hd else "smpte170m"
        told = {"range": "tv", "colorspace": matrix, "color_primaries": "bt709", "color_trc": "bt709"}
        says = "setparams=" + ":".join(f"{name}={value}" for name, value in told.items())
        options = [(f"-color_{name}" if name == "range" else f"-{name}", value) for name, value in told.items()]
        return cls((from_frames(), says) if hd else (says,), tuple(word for option in options for word in option))


ENCODERS = {
    "h264": ("libx264", "h264_vaapi", "h264_qsv", "h264_nvenc", "libopenh264"),
    "hevc": ("libx265", "hevc_vaapi", "hevc_qsv", "hevc_nvenc"),
    "av1": ("libsvtav1", "av1_vaapi", "av1_qsv", "av1_nvenc", "libaom-av1"),
}
"""By codec, the best understood first."""

FILE_ENCODERS = ("libx264", "libopenh264", "mpeg4")
"""The best picture first; every ffmpeg has the last."""

_OPTIONS = {
    "libx264": "-preset veryfast -tune zerolatency -sc_threshold 0 -bf 0",
    "libx265": "-preset ultrafast -tune zerolatency -x265-params log-level=error:scenecut=0:repeat-headers=1",
    "libsvtav1": "-preset 10",
    "libaom-av1": "-usage realtime -cpu-used 9 -row-mt 1",
    "vaapi": "-bf 0",
    "qsv": "-preset veryfast -async_depth 1 -bf 0",
    "nvenc": "-preset p4 -tune ll -rc cbr -bf 0",
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder that works on this machine: the ffmpeg that has it, and its options.

    `device` are options before the inputs, `filters` belong at the end of the picture's filters.
    """

    program: str
    name: str
    device: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()

    def at_quality(self, size: Size, fps: Fraction) -> list[str]:
        """Options of the output for a good picture at little CPU, whatever bit rate that takes; of `FILE_ENCODERS`."""
        if self.name == "libx264":
            return ["-c:v", self.name, "-preset", "veryfast", "-crf", "19"]
        if self.name == "libopenh264":
            # it knows no constant quality: 0.12 bits a pixel
            return ["-c:v", self.name, "-b:v", str(max(200_000, int(size[0] * size[1] * fps * 12 / 100)))]
        return ["-c:v", self.name, "-q:v", "3"]

    def at_bitrate(self, bitrate: int, fps: Fraction) -> list[str]:
        """Options of the output for `bitrate` kbit/s: no picture waits for a later one, the rate is kept over 2 s."""
        family = self.name.rpartition("_")[2]
        options = _OPTIONS.get(self.name, _OPTIONS.get(family, "")).split()
        every = str(max(1, round(KEY_SECONDS * fps)))
        rate = ["-b:v", f"{bitrate}k", "-g", every]
        if self.name not in ("libsvtav1", "libaom-av1"):
            rate += ["-maxrate", f"{bitrate}k", "-bufsize", f"{2 * bitrate}k"]
        if self.name.startswith("lib"):
            # one slice a thread: many would spoil the picture
            rate += ["-threads", str(min(4, os.cpu_count() or 1))]
        return ["-c:v", self.name, *options, *rate]

    @property
    def pixel_format(self) -> list[str]:
        """Options of the output for the samples; a card's frames have their own."""
        return [] if self.name.endswith("_vaapi") else ["-pix_fmt", "nv12" if self.filters else "yuv420p"]


def suggested_bitrate(size: Size, fps: float) -> int:
    """In kbit/s: 0.1 bit for each pixel of the first 30 frames a second, half as much for those above."""
    pixels = size[0] * size[1]
    bits = pixels * (0.1 * min(fps, 30.0) + 0.05 * max(fps - 30.0, 0.0))
    return max(300, round(bits / 100_000) * 100)


def file_encoder(program: str) -> Encoder:
    """The best of `FILE_ENCODERS` that this ffmpeg lists. Raises `VcamError` if it does not run."""
    listed = {words[1] for line in ask(program, "-encoders").splitlines() if len(words := line.split()) > 1}
    return Encoder(program, next((name for name in FILE_ENCODERS if name in listed), FILE_ENCODERS[-1]))


_lock = threading.Lock()


def find_encoder(codec: str, wanted: str, size: Size, fps: Fraction, protocol: str = "file") -> Encoder:
    """The first encoder that works, in an ffmpeg that speaks the protocol; remembered until `forget_encoders`.

    wanted: auto, or one of `ENCODERS`. Takes up to some seconds the first time. Raises `OutputError`, saying what each
    of them answered, or what `find_ffmpeg` raises.
    """
    with _lock:
        return _find_encoder(tuple(ffmpeg_programs()), codec, wanted, size, fps, protocol)


def forget_encoders() -> None:
    """Look anew at the next chance: a graphics card may have gone."""
    with _lock:
        _find_encoder.cache_clear()


@cache
def _find_encoder(
    programs: tuple[str, ...], codec: str, wanted: str, size: Size, fps: Fraction, protocol: str
) -> Encoder:
    names = ENCODERS[codec] if wanted == "auto" else (wanted,)
    said = []
    for program in programs:
        if lack := lacks(program, protocol):
            said.append(lack)
            continue
        for name in names:
            variants = _variants(program, name)
            if not variants:
                said.append(f"{name}: there is no graphics card with a driver for it (/dev/dri/renderD*)")
            for encoder in variants:
                failure = _try(encoder, size, fps)
                if failure is None:
                    return encoder
                said.append(f"{name}: {failure}")
    if wanted != "auto":
        raise _does_not_work(programs, codec, wanted, size, fps, protocol, said)
    raise OutputError(
        f"no ffmpeg here can encode {codec} for {protocol}: {'; '.join(dict.fromkeys(said))}",
        f"sudo apt install ffmpeg, or {extras.command('ffmpeg')}",
    )


def _does_not_work(
    programs: tuple[str, ...], codec: str, wanted: str, size: Size, fps: Fraction, protocol: str, said: list[str]
) -> OutputError:
    """The error of an encoder that was asked for by its name, with one that works as its cure."""
    try:
        works = _find_encoder(programs, codec, "auto", size, fps, protocol).name
    except OutputError as error:
        return error
    why = "; ".join(dict.fromkeys(words.removeprefix(f"{wanted}: ") for words in said))
    return OutputError(
        f"{wanted} does not work here: {why}", f"{works} does: stream.encoder={works}, or auto, which finds it"
    )


@cache
def lacks(program: str, protocol: str) -> str:
    """What keeps this ffmpeg from sending to a protocol; empty if nothing does."""
    try:
        version = ask(program, "-version")
        found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", version)
        if found and (int(found[1]), int(found[2])) < OLDEST:
            return f"{program} is version {found[1]}.{found[2]}, older than {'.'.join(map(str, OLDEST))}"
        outputs = ask(program, "-protocols").partition("Output:")[2].split()
    except VcamError as error:
        return error.message
    # rtsp is a muxer over tcp
    return "" if ("tcp" if protocol == "rtsp" else protocol) in outputs else f"{program} does not know {protocol}"


def _variants(program: str, name: str) -> list[Encoder]:
    if name.endswith("_vaapi"):
        nodes = sorted(glob.glob("/dev/dri/renderD*"))
        return [Encoder(program, name, ("-vaapi_device", node), ("format=nv12", "hwupload")) for node in nodes]
    if name.endswith("_qsv"):
        return [Encoder(program, name, (), ("format=nv12",))] if glob.glob("/dev/dri/renderD*") else []
    return [Encoder(program, name)]


def _try(encoder: Encoder, size: Size, fps: Fraction) -> str | None:
    """Encode for a second; None if that works, else what ffmpeg said."""
    source = f"testsrc2=size={size[0]}x{size[1]}:rate={fps}:duration=1"
    arguments = [*encoder.device, "-f", "lavfi", "-i", source]
    arguments += ["-vf", ",".join(("format=yuv420p", *encoder.filters))]
    arguments += [*encoder.at_bitrate(suggested_bitrate(size, float(fps)), fps), *encoder.pixel_format]
    return run_once(encoder.program, [*arguments, "-f", "null", "-"], patience=PATIENCE)


@cache
def can_hide_options(program: str) -> bool:
    """Whether this ffmpeg takes the options of a protocol from a file instead of from its command line.

    Up to 5.1 it does; later ones read the file and forget what it said. So it is tried out: an option of `file:` that
    keeps the old end of a file.
    """
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=scratch()) as folder:
        target, options = Path(folder, "target"), Path(folder, "options")
        target.write_bytes(bytes(65536))
        options.write_text("truncate=0\n")
        command = [program, "-v", "quiet", "-nostdin", "-y", "-f", "lavfi", "-i", "anullsrc", "-t", "0.01"]
        try:
            subprocess.run(
                [*command, "-f", "s16le", "-fpre", str(options), f"file:{target}"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
        return target.stat().st_size == 65536
