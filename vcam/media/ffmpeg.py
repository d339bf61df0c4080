"""The ffmpeg program: where it is, what a media file holds, and frames read from it.

ffmpeg runs as a process of its own. Binding its libraries instead (PyAV) would put LGPL-3.0 code into the same process
as pyvirtualcam, which is GPL-2.0-only, and a decoder that crashes would take the daemon with it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from vcam.errors import InputError, UsageError, VcamError
from vcam.frames import MAX_SIDE
from vcam.types import Size


@cache
def find_ffmpeg() -> str:
    """Path of the ffmpeg to use: `VCAM_FFMPEG`, the system's, else the one in the wheel imageio-ffmpeg."""
    if chosen := os.environ.get("VCAM_FFMPEG"):
        found = shutil.which(chosen)
        if not found:
            raise UsageError(f"VCAM_FFMPEG={chosen} is not a program", "unset it, or give the path of ffmpeg")
        return found
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped, unused-ignore]

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise VcamError("ffmpeg was not found", "sudo apt install ffmpeg, or pip install imageio-ffmpeg") from error


def ffmpeg_programs() -> list[str]:
    """Every ffmpeg there is, the one that `find_ffmpeg` takes first: for what not every ffmpeg can do."""
    first = find_ffmpeg()
    if os.environ.get("VCAM_FFMPEG"):
        return [first]
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped, unused-ignore]

        return list(dict.fromkeys((first, str(imageio_ffmpeg.get_ffmpeg_exe()))))
    except (ImportError, RuntimeError):
        return [first]


def local_url(path: Path) -> str:
    """A file as ffmpeg's `file:` URL, so that no name is taken for an option or a protocol."""
    return f"file:{path}"


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a media file holds. `size` is upright, after the rotation that players apply; `duration` in seconds, or
    None if unknown; `aspect` is the shape of a pixel (1 is square)."""

    size: Size
    fps: Fraction
    duration: float | None
    has_audio: bool
    aspect: Fraction

    @property
    def frames(self) -> int | None:
        """About how many frames to expect."""
        return None if self.duration is None else max(1, round(self.duration * self.fps))


# a side begins with no 0, as the number of a codec in hexadecimal does
_VIDEO = re.compile(r"Stream #\d+:\d+.*?: Video: .*?\b([1-9]\d{0,4})x([1-9]\d{0,4})\b(?:(?: \[|, )SAR (\d+):(\d+))?")
_RATE = re.compile(r"\b([\d.]+)(k?) (fps|tbr)\b")
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_ROTATION = re.compile(r"rotation of (-?[\d.]+) degrees")
_NTSC = (24000, 30000, 60000, 120000)


def probe(path: str | os.PathLike[str]) -> MediaInfo:
    """Look into a media file.

    Raises `UsageError` if there is no such file, `InputError` if it holds no moving picture that ffmpeg can read.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"there is no file {path}", "check the path")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", "record or download it again")
    # ffprobe would answer in JSON, but the wheel does not carry it
    done = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-nostdin", "-i", local_url(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    text = done.stderr.decode("utf-8", "replace")
    video = next((line for line in text.splitlines() if _VIDEO.search(line) and "attached pic" not in line), None)
    if video is None:
        raise _no_video(path, text)
    found = _VIDEO.search(video)
    assert found is not None
    width, height = int(found[1]), int(found[2])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InputError(f"{path} is {width}x{height}, which is too large", f"scale it to {MAX_SIDE} pixels or less")
    aspect = Fraction(int(found[3]), int(found[4])) if found[3] and int(found[3]) and int(found[4]) else Fraction(1)
    if (turned := _ROTATION.search(text)) and round(abs(float(turned[1]))) % 180 == 90:
        width, height, aspect = height, width, 1 / aspect
    length = _DURATION.search(text)
    return MediaInfo(
        (width, height),
        _rate(video),
        int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]) if length else None,
        ": Audio:" in text,
        aspect,
    )


def _no_video(path: Path, text: str) -> InputError:
    if "Input #0" not in text:
        return InputError(f"{path} is not a video that ffmpeg can read: {last_line(text)}", "convert it to MP4 or MKV")
    if ": Audio:" in text:
        return InputError(f"{path} holds sound, but no moving picture", "give a video")
    return InputError(f"{path} holds no moving picture", "record or download it again")


_MOST_TICKS = 61.0
"""Frames a second: what is above this is the clock of a container, not the rate of a camera."""


def _rate(line: str) -> Fraction:
    """The rate at which no frame is lost: the mean one, but for a file whose frames come unevenly the one of its ticks,
    since a phone that falls behind for a moment has a mean that fits no part of its film.

    Twice the mean is the count of fields of an interlaced film, not of frames.
    """
    rates = {name: float(value) * (1000 if kilo else 1) for value, kilo, name in _RATE.findall(line)}
    rate, ticks = rates.get("fps") or rates.get("tbr") or 25.0, rates.get("tbr") or 0.0
    if rate < ticks <= _MOST_TICKS and abs(ticks - 2 * rate) > 0.02 * rate:
        rate = ticks
    rate = min(max(rate, 0.1), 240.0)
    for ntsc in _NTSC:
        if abs(rate - ntsc / 1001) < 0.006:
            return Fraction(ntsc, 1001)
    return Fraction(rate).limit_denominator(1000)


_EMPTY_WORDS = ("At least one output file", "Conversion failed!", "Error opening output file")


def last_line(text: str) -> str:
    """The last of ffmpeg's messages that says something, without the part of ffmpeg it comes from."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(_EMPTY_WORDS)]
    return re.sub(r"^\[[^\]]*\] *", "", lines[-1]) if lines else "no message"
