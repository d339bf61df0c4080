"""What a media file holds, asked of ffprobe, or of ffmpeg where there is no ffprobe (the wheel has none)."""

from __future__ import annotations

import json
import math
import os
import subprocess
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from vcam.errors import InputError, UsageError
from vcam.frames import MAX_SIDE
from vcam.media import dump
from vcam.media.colours import ColourTags
from vcam.media.ffmpeg import MediaInfo, find_ffmpeg, last_line, local_input
from vcam.media.rate import exact_rate
from vcam.media.times import frame_times
from vcam.media.tracks import Contents, Track, places

_PATIENCE = 60.0
_LOOK = 10.0
"""Seconds of a film that are looked at where its head does not tell its rate."""


def probe(path: str | os.PathLike[str]) -> MediaInfo:
    """Look into a media file.

    Raises `UsageError` if there is no such file, `InputError` if it holds no moving picture that ffmpeg can read.
    """
    path = Path(path)
    if not path.exists():
        raise UsageError(f"there is no file {path}", "check the path")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a video", "name a film in it")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", "record or download it again")
    contents = _contents(path)
    film = contents.film
    if film is None or film.size == (0, 0):
        raise _no_video(path, contents)
    (width, height), aspect = film.size, film.aspect
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise InputError(f"{path} is {width}x{height}, which is too large", f"scale it to {MAX_SIDE} pixels or less")
    if round(abs(film.rotation)) % 180 == 90:
        width, height, aspect = height, width, 1 / aspect
    return MediaInfo(
        (width, height),
        nominal_rate(film.mean, film.ticks) or _measured_rate(path, film),
        contents.duration,
        aspect,
        film.colour,
        film.field_order,
        film.index,
        contents.tracks,
        contents.places,
        contents.format,
    )


def _contents(path: Path) -> Contents:
    try:
        if program := find_ffprobe(find_ffmpeg()):
            text, said = _ask([program, "-v", "error", "-of", "json", "-show_streams", "-show_format"], path)
            if (contents := read_json(text)) is not None:
                return contents
        _, said = _ask([find_ffmpeg(), *dump.OPTIONS], path)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path} cannot be looked into in {_PATIENCE:g} s", "is it damaged?") from error
    try:
        found = dump.read_dump(said)
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error.message}", error.hint) from error
    if found is not None:
        return found
    if "whitelist" in said:
        raise InputError(f"{path} lists other files, or is of a kind that vcam does not open", "give the film itself")
    said = last_line(said).removeprefix("[error] ").removeprefix("[fatal] ")
    raise InputError(f"{path} is not a video that ffmpeg can read: {said}", "convert it to MP4 or MKV")


def _ask(command: list[str], path: Path) -> tuple[str, str]:
    """What a program says of a file, on standard output and on the other; nothing if it does not run."""
    try:
        done = subprocess.run(
            [*command, *local_input(path)],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PATIENCE,
        )  # fmt: skip
    except OSError as error:
        return "", str(error.strerror)
    return done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


@cache
def find_ffprobe(ffmpeg: str) -> str | None:
    """The ffprobe that came with this ffmpeg: beside it, under the name that fits."""
    path = Path(ffmpeg)
    beside = path.with_name("ffprobe".join(path.name.rsplit("ffmpeg", 1)))
    return str(beside) if "ffmpeg" in path.name and beside.is_file() and os.access(beside, os.X_OK) else None


def read_json(text: str) -> Contents | None:
    """What ffprobe's JSON says; None if it says nothing."""
    try:
        answer = json.loads(text, strict=False)
        length = answer["format"].get("duration")
        # ffmpeg, too, shows hundredths
        duration = None if length is None else math.floor(float(length) * 100 + 0.5) / 100
        tracks = tuple(_track(stream) for stream in answer["streams"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Contents(
        tracks, duration, places(answer["format"].get("tags", {})), str(answer["format"].get("format_name", ""))
    )


def _track(stream: dict[str, Any]) -> Track:
    shown = stream.get("disposition", {})
    codec, kind = str(stream.get("codec_name", "")), str(stream.get("codec_type", ""))
    tag = str(stream.get("codec_tag_string", ""))
    base = (
        int(stream["index"]), kind if kind != "unknown" else "", "" if codec in ("none", "unknown") else codec,
        tag if tag.isprintable() and not tag.startswith("[0]") else "", bool(shown.get("default")),
    )  # fmt: skip
    if kind != "video":
        return Track(*base)
    full = {"tv": False, "pc": True}.get(str(stream.get("color_range")))
    matrix, primaries, transfer = (_name(stream.get(f"color_{name}")) for name in ("space", "primaries", "transfer"))
    return Track(
        *base,
        any(shown.get(name) for name in ("attached_pic", "timed_thumbnails", "still_image")),
        (int(stream.get("width", 0)), int(stream.get("height", 0))),
        _fraction(stream.get("sample_aspect_ratio"), ":") or Fraction(1),
        _rotation(stream.get("side_data_list", [])),
        _shown_rate(_fraction(stream.get("avg_frame_rate"), "/")),
        _shown_rate(_fraction(stream.get("r_frame_rate"), "/")),
        ColourTags(matrix, primaries, transfer, full),
        _name(stream.get("field_order")),
        _name(stream.get("pix_fmt")),
    )


def _name(value: object) -> str:
    return "" if value in (None, "unknown", "reserved") else str(value)


def _fraction(value: object, between: str) -> Fraction | None:
    above, _, below = str(value).partition(between)
    try:
        return Fraction(int(above), int(below)) or None
    except (ValueError, ZeroDivisionError):
        return None


def _shown_rate(rate: Fraction | None) -> float:
    """As ffmpeg prints it, so that a film has one rate whoever was asked."""
    return 0.0 if rate is None else round(float(rate), 2 if rate >= Fraction(1, 200) else 4)


def _rotation(side_data: list[dict[str, Any]]) -> float:
    """Degrees counter-clockwise, of the display matrix; as libavutil's `av_display_rotation_get` has it."""
    for entry in side_data:
        if "displaymatrix" not in entry:
            continue
        rows = [line.partition(":")[2].split() for line in str(entry["displaymatrix"]).split("\n") if ":" in line]
        try:
            (a, b), (c, d) = ((int(value) for value in row[:2]) for row in rows[:2])
        except ValueError:
            return 0.0
        across, down = math.hypot(a, c), math.hypot(b, d)
        if across and down:
            return round(-math.degrees(math.atan2(b / down, a / across)), 2) + 0.0
    return 0.0


def _no_video(path: Path, contents: Contents) -> InputError:
    if any(track.kind == "audio" for track in contents.tracks):
        return InputError(f"{path} holds sound, but no moving picture", "give a video")
    return InputError(f"{path} holds no moving picture", "record or download it again")


_MOST_TICKS = 61.0
"""Frames a second: what is above this is the clock of a container, not the rate of a camera."""


def nominal_rate(mean: float, ticks: float) -> Fraction | None:
    """The rate at which no frame is lost: the mean one, but for a film whose frames come unevenly the one of its ticks,
    since a phone that falls behind for a moment has a mean that fits no part of its film.

    Twice the mean is the count of fields of an interlaced film, not of frames. None where neither is a camera's.
    """
    rate = mean or (ticks if ticks <= _MOST_TICKS else 0.0)
    if not rate:
        return None
    if rate < ticks <= _MOST_TICKS and abs(ticks - 2 * rate) > 0.02 * rate:
        rate = ticks
    return exact_rate(min(max(rate, 0.1), 240.0))


def _measured_rate(path: Path, film: Track) -> Fraction:
    """The true average of a film whose head tells none, as those of browsers do not."""
    times = frame_times(path, film.index, seconds=_LOOK)
    return exact_rate(min(max(float(times.mean), 0.1), 240.0)) if times and times.mean else Fraction(25)
