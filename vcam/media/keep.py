"""What a film has beside its picture, and what of it can go into a new file: sound, subtitles, chapters, titles.

Other pictures are never taken over, not even the little ones of covers and previews: they show what the new film hides.
For the same reason the place where a film was made is not passed on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vcam.folders import scratch
from vcam.media.containers import MATROSKA, Container
from vcam.media.ffmpeg import MediaInfo, find_ffmpeg, local_input, run_once
from vcam.media.times import first_time, lead
from vcam.media.tracks import Track

_TRIAL = 60.0
"""Seconds that a trial may take."""

_GETTING_GOING = 0.1
"""Seconds."""

_PLACES = ("location", "location-eng", "com.apple.quicktime.location.ISO6709")
_OF_THE_OLD_PICTURE = ("BPS", "DURATION", "NUMBER_OF_FRAMES", "NUMBER_OF_BYTES", "SOURCE_ID", "_STATISTICS_TAGS",
                       "_STATISTICS_WRITING_APP", "_STATISTICS_WRITING_DATE_UTC", "encoder", "rotate")  # fmt: skip
"""Tags that are not true of a picture that is encoded anew; mkvmerge writes most of them."""

_FONTS = frozenset({"ttf", "otf"})
"""Other things that are attached may be pictures."""

# by name of the codec, the subtitles that are words
_WORDS = frozenset({"ass", "ssa", "subrip", "srt", "webvtt", "mov_text", "text", "eia_608", "microdvd", "ttml", "stl"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What is taken over from a source, beside a picture that is the first input.

    arguments: further inputs and options of the output. note: what is not as it was, in words for people, "" if all is.
    """

    arguments: tuple[str, ...]
    note: str


def keep_tracks(source: Path, info: MediaInfo, container: Container, *, even: bool = True) -> Kept:
    """All that can be kept of `source` in a file of this kind, whose first track is the picture of the first input.

    What the file can hold as it is, is copied; other sound becomes AAC and other words subtitles of the file's own
    kind; the rest is left out. Tried out on the first moments. even: the picture's frames come evenly.
    """
    wanted = [track for track in info.beside if track.kind != "attachment" or track.codec in _FONTS]
    ways = {track.index: "copy" for track in wanted}
    ways |= {track.index: "aac" for track in wanted if container is MATROSKA and _begins_before(source, track)}
    if wanted and not _works(source, container, wanted, ways):
        for track in wanted:
            if ways[track.index] == "copy":
                ways[track.index] = _way(source, container, track)
    kept = [track for track in wanted if ways[track.index]]
    base = float(lead(source, info, [track.index for track in kept if track.kind != "attachment"]))
    inputs = ["-itsoffset", f"{base:.6f}", *local_input(source)]
    arguments = ["-map", "0:v", "-map_metadata", "1", "-map_chapters", "1"]
    arguments += ["-map_metadata:s:0", f"1:s:{info.track}"]
    shifted = {0.0: 1}
    for number, track in enumerate(kept, 1):
        shift = 0.0
        if container is MATROSKA and track.codec == "opus" and ways[track.index] == "copy":
            shift = _shift(source, container, track)
        if shift not in shifted:
            shifted[shift] = len(shifted) + 1
            inputs += ["-itsoffset", f"{base + shift:.6f}", *local_input(source)]
        arguments += ["-map", f"{shifted[shift]}:{track.index}", *_codec(number, ways[track.index])]
        arguments += [f"-map_metadata:s:{number}", f"1:s:{track.index}"]
    gone, gone_of_picture = [*_PLACES, *info.places], [*_OF_THE_OLD_PICTURE]
    if not even or not any(track.tag == "tmcd" for track in info.tracks):
        # ffmpeg gives up on one that it cannot read, or that fits no rate
        gone, gone_of_picture = [*gone, "timecode"], [*gone_of_picture, "timecode"]
    for key in gone:
        arguments += ["-metadata", f"{key}="]
    for key in gone_of_picture:
        arguments += ["-metadata:s:0", f"{key}=", "-metadata:s:0", f"{key}-eng="]
    return Kept((*inputs, *arguments), _note(info, kept, ways))


def _codec(number: int, way: str) -> list[str]:
    options = [f"-c:{number}", way]
    if way == "aac":
        # gaps become silence: else all that follows would come too early
        options += [f"-filter:{number}", "aresample=async=1"]
    return options


def _way(source: Path, container: Container, track: Track) -> str:
    """The codec by which one track can go into such a file, "" for none."""
    ways = ["copy"]
    if track.kind == "audio":
        ways.append("aac")
    elif track.codec in _WORDS:
        ways.append("subrip" if container is MATROSKA else "mov_text")
    return next((way for way in ways if _works(source, container, [track], {track.index: way})), "")


def _works(source: Path, container: Container, tracks: Sequence[Track], ways: dict[int, str]) -> bool:
    with tempfile.NamedTemporaryFile(suffix=f".{container.muxer}", dir=scratch()) as trial:
        options = [word for track in tracks for word in ("-map", f"0:{track.index}")]
        for number, track in enumerate(tracks):
            options += [f"-c:{number}", ways[track.index]]
        arguments = ["-y", *local_input(source), *options, "-t", "0.2", "-f", container.muxer, f"file:{trial.name}"]
        return run_once(find_ffmpeg(), arguments, patience=_TRIAL) is None


def _shift(source: Path, container: Container, track: Track) -> float:
    """Seconds by which a track has to be given to ffmpeg later, so that it is found in the file at its own time.

    ffmpeg writes that the start of Opus sound is to be dropped, but not that what follows comes later for it (tried
    with 5.1), so that the sound is some milliseconds early. What it does is tried out.
    """
    with tempfile.NamedTemporaryFile(suffix=f".{container.muxer}", dir=scratch()) as trial:
        # a second later: nothing is moved then to make all times positive
        late = ["-itsoffset", "1", *local_input(source), "-map", f"0:{track.index}"]
        copy = ["-c", "copy", "-t", "2", "-f", container.muxer, f"file:{trial.name}"]
        if run_once(find_ffmpeg(), ["-y", *late, *copy], patience=_TRIAL) is not None:
            return 0.0
        given, found = first_time(late), first_time(["-copyts", "-i", f"file:{trial.name}", "-map", "0"])
    return 0.0 if given is None or found is None else round(float(given - found), 4)


def _begins_before(source: Path, track: Track) -> bool:
    """Whether an edit list leaves out more of its beginning than what a decoder needs to get going.

    An MP4 file can say so; in a Matroska file all of it would be heard.
    """
    if track.kind != "audio":
        return False
    begins = first_time([*local_input(source), "-map", f"0:{track.index}"])
    return begins is not None and begins < -_GETTING_GOING


def _note(info: MediaInfo, kept: Sequence[Track], ways: dict[int, str]) -> str:
    anew = [track.name for track in kept if ways[track.index] != "copy"]
    there = {track.index for track in kept}
    left = [
        track.name
        for track in info.tracks
        # chapters and time codes go over as what they are, not as tracks
        if track.index not in there | {info.track} and not (track.kind == "data" and track.tag in ("text", "tmcd"))
    ]
    left += ["the place where it was filmed"] if info.places else []
    notes = [f"encoded anew: {', '.join(anew)}"] if anew else []
    notes += [f"left out: {', '.join(left)}"] if left else []
    return "; ".join(notes)
