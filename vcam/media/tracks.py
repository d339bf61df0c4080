"""The tracks of a media file, as whoever looked into it found them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from vcam.media.colours import UNTAGGED, ColourTags
from vcam.types import Size


@dataclass(frozen=True, slots=True)
class Track:
    """One stream of a file. What follows `still` is of pictures only.

    kind: "video", "audio", "subtitle", "data", "attachment", or "" where ffmpeg cannot tell. codec: ffmpeg's name, ""
    where it knows none. default: the file wants it shown if there are several. still: a cover or a thumbnail, no film.
    size: as stored, before any rotation. rotation: of the display matrix, in degrees, counter-clockwise. mean and
    ticks: frames a second, rounded to two places as ffmpeg shows them, 0 where unknown: on average, and at the finest
    spacing that was seen. colour, field_order: as in `MediaInfo`. pixel_format: how the samples are stored, by ffmpeg's
    name, "" where unknown.
    """

    index: int
    kind: str
    codec: str
    tag: str = ""
    default: bool = False
    still: bool = False
    size: Size = (0, 0)
    aspect: Fraction = Fraction(1)
    rotation: float = 0.0
    mean: float = 0.0
    ticks: float = 0.0
    colour: ColourTags = UNTAGGED
    field_order: str = ""
    pixel_format: str = ""

    @property
    def name(self) -> str:
        """What to call it before people: its kind and what it is written in."""
        kind = {"audio": "sound", "subtitle": "subtitles", "": "data"}.get(self.kind, self.kind)
        kind = "cover" if self.still else kind
        written = self.codec or self.tag
        return f"{kind} ({written})" if written else kind


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a file: its tracks, and its length in seconds to two places, None where it does not tell.

    places: names of its tags that tell where it was filmed. format: ffmpeg's name of the kind of file, "mov,mp4,...".
    """

    tracks: tuple[Track, ...]
    duration: float | None
    places: tuple[str, ...] = ()
    format: str = ""

    @property
    def film(self) -> Track | None:
        """The moving picture that players show: the first that the file wants shown, else the first that there is."""
        films = [track for track in self.tracks if track.kind == "video" and not track.still]
        films = [track for track in films if track.codec] or films
        return next((track for track in films if track.default), films[0] if films else None)


def places(tags: Iterable[str]) -> tuple[str, ...]:
    """Those of these names of tags that are of a place, in order."""
    return tuple(sorted({tag for tag in tags if "location" in tag.lower()}))
