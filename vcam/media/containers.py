"""Kinds of video file: which suffix means which of ffmpeg's muxers, and what each of them can hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of video file, as ffmpeg writes it.

    codecs: those of pictures that it can hold. whole: the muxer's options for a file that is read once it is finished.
    growing: those for a file that plays whatever ends its writing, since it is written in pieces of a second.
    """

    muxer: str
    codecs: tuple[str, ...]
    whole: tuple[str, ...]
    growing: tuple[str, ...]

    def tag(self, codec: str) -> tuple[str, ...]:
        """Options for the name of the codec in the file, where players know it by another than ffmpeg's own."""
        return ("-tag:v", "hvc1") if codec == "hevc" and self is not MATROSKA else ()

    def ticks(self, scale: int) -> tuple[str, ...]:
        """Options for the ticks a second in which it counts the picture's times, where it can be told."""
        return () if self is MATROSKA else ("-video_track_timescale", str(scale))


# its index at the front: so it can be played while it is still loading
_INDEX_FIRST = ("-movflags", "+faststart")
_FRAGMENTED = ("-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "1000000")

MP4 = Container("mp4", ("h264", "hevc", "av1"), _INDEX_FIRST, _FRAGMENTED)
MOV = Container("mov", ("h264", "hevc"), _INDEX_FIRST, _FRAGMENTED)
MATROSKA = Container("matroska", ("h264", "hevc", "av1"), (), ("-cluster_time_limit", "1000"))

CONTAINERS = {".mp4": MP4, ".m4v": MP4, ".mov": MOV, ".mkv": MATROSKA}
"""By suffix, in small letters."""

VIDEO_SUFFIXES = frozenset(CONTAINERS)
"""The kinds of video file that vcam writes through ffmpeg."""
