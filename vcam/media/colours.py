"""The colours of a film as its tags tell them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What a film's stream says of its colours, by ffmpeg's names ("bt709", "smpte2084", ...); "" is untagged.

    The three are those of ITU-T H.273: matrix coefficients, colour primaries, transfer characteristics. `full_range` is
    None where the stream does not say.
    """

    matrix: str = ""
    primaries: str = ""
    transfer: str = ""
    full_range: bool | None = None


UNTAGGED = ColourTags()
"""A film that says nothing of its colours."""
