"""What ffmpeg prints of a file, read by its structure: for where there is no ffprobe.

Titles, comments and names stand in the same text, and whoever made the file has written them. They are told from facts
by two things that they cannot bring about by accident. Each line that ffmpeg begins has the level of the message before
it, which the further lines of a text have not. And what belongs to a heading is indented deeper than it, so that
everything below "Metadata:" is passed over.
"""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from vcam.errors import InputError
from vcam.media.colours import UNTAGGED, ColourTags
from vcam.media.tracks import Contents, Track, places

OPTIONS = ("-hide_banner", "-nostdin", "-v", "level+info")
"""Options of the ffmpeg whose text is to be read."""

_LINE = re.compile(r"\[info\] ( *)(.*)")
# a language, which may be any words, comes before the last kind; nothing behind that is of the film's maker
_STREAM = re.compile(
    r"Stream #0:\d+(?:\[0x[0-9a-f]+\])?(?:\(.*\))?: (Video|Audio|Subtitle|Data|Attachment|Unknown): (.*)"
)
_ANY_STREAM = re.compile(r"Stream #0:(\d+)")
_INPUT = re.compile(r"Input #0, (\S+), from '")
_DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d\.\d\d)(?:, start: -?[\d.]+)?, bitrate: ")
_MATRIX = re.compile(r"(?:displaymatrix|Display Matrix): rotation of (-?\d+(?:\.\d+)?) degrees$")
_TAG = re.compile(r"\(([^()]{1,40}) / 0x[0-9A-F]{1,8}\)")
_SIZE = re.compile(r"(\d+)x(\d+)\b")
_ASPECT = re.compile(r"\bSAR (\d+):(\d+) DAR ")
_RATE = re.compile(r"([\d.]+)(k?) (fps|tbr)")
_KINDS = frozenset({"video", "audio", "subtitle", "data", "attachment"})
_STILL = ("(attached pic)", "(timed thumbnails)", "(still image)")
_ORDERS = {
    "progressive": "progressive", "top first": "tt", "bottom first": "bb",
    "top coded first (swapped)": "tb", "bottom coded first (swapped)": "bt",
}  # fmt: skip
_RANGES = {"tv": False, "pc": True}


def read_dump(text: str) -> Contents | None:
    """What ffmpeg's text says of its input; None if it could not open it.

    Raises `InputError` if the text tells two things of one track, which only forged metadata bring about.
    """
    tracks: dict[int, Track] = {}
    duration: float | None = None
    format_ = ""
    heading: tuple[str, int] | None = None
    track: Track | None = None
    tags: list[str] = []
    for whole in text.split("\n"):
        line = _LINE.match(whole)
        if line is None:
            continue
        if not format_:
            format_ = found[1] if (found := _INPUT.match(line[2])) else ""
            continue
        indent, words = len(line[1]), line[2]
        if heading is not None and indent > heading[1]:
            if heading[0] == "Side data:" and track is not None and (turned := _MATRIX.match(words)):
                track = tracks[track.index] = _turned(track, float(turned[1]))
            elif heading[0] == "Metadata:" and heading[1] == 2:
                tags.append(words.partition(":")[0].strip())
            continue
        heading = (words, indent) if words in ("Metadata:", "Side data:") else None
        if indent == 2 and duration is None and (length := _DURATION.match(words)):
            duration = int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3])
        if (stream := _ANY_STREAM.match(words)) is None:
            continue
        track = _track(words, int(stream[1]))
        before = tracks.setdefault(track.index, track)
        if _turned(before, 0.0) != track:
            raise InputError("its metadata are made to look like tracks", "convert it with ffmpeg -map_metadata -1")
    if not format_:
        return None
    return Contents(tuple(tracks[index] for index in sorted(tracks)), duration, places(tags), format_)


def _turned(track: Track, rotation: float) -> Track:
    return replace(track, rotation=rotation)


def _track(line: str, index: int) -> Track:
    found = _STREAM.match(line)
    if found is None:
        return Track(index, "", "")
    kind, words = found[1].lower(), found[2]
    kind = kind if kind in _KINDS else ""
    parts = _split(words)
    codec = parts[0].split(" ")[0]
    tag = match[1] if (match := _TAG.search(parts[0])) else ""
    track = Track(
        index, kind, "" if codec in ("none", "unknown", "unknown_codec") else codec, tag if tag.isprintable() else "",
        "(default)" in parts[-1],
        any(word in parts[-1] for word in _STILL),
    )  # fmt: skip
    return _picture(track, parts) if kind == "video" else track


def _split(words: str) -> list[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth, begin = [], 0, 0
    for at, letter in enumerate(words):
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append(words[begin:at].strip())
            begin = at + 1
    return [*parts, words[begin:].strip()]


def _picture(track: Track, parts: list[str]) -> Track:
    size, aspect, rates = (0, 0), Fraction(1), {"fps": 0.0, "tbr": 0.0}
    colour, order, format_ = UNTAGGED, "", ""
    for number, part in enumerate(parts[1:]):
        if (sides := _SIZE.match(part)) and size == (0, 0):
            size = (int(sides[1]), int(sides[2]))
            if number:
                format_, _, details = parts[number].partition("(")
                colour, order = _details(details.removesuffix(")")) if details else (colour, order)
        # that of the container comes last, and counts
        if (shape := _ASPECT.search(part)) and int(shape[1]) and int(shape[2]):
            aspect = Fraction(int(shape[1]), int(shape[2]))
        if rate := _RATE.match(part):
            rates[rate[3]] = float(rate[1]) * (1000 if rate[2] else 1)
    return replace(
        track, size=size, aspect=aspect, mean=rates["fps"], ticks=rates["tbr"], colour=colour, field_order=order,
        pixel_format="" if format_ == "none" else format_,
    )  # fmt: skip


def _details(words: str) -> tuple[ColourTags, str]:
    """What stands in brackets behind the format of the samples: range, colours, order of the fields, any of them."""
    names, full, order = ["", "", ""], None, ""
    for word in words.split(", "):
        if word in _RANGES:
            full = _RANGES[word]
        elif word in _ORDERS:
            order = _ORDERS[word]
        elif not word.endswith(" bpc"):
            given = word.split("/") if "/" in word else [word] * 3
            names = ["" if name in ("unknown", "reserved") else name for name in given]
    matrix, primaries, transfer = names if len(names) == 3 else ("", "", "")
    return ColourTags(matrix, primaries, transfer, full), order
