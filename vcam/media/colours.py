"""The colours of a film: what its tags tell, and what is taken for granted where they tell nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vcam.types import Size


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

    @property
    def is_hdr(self) -> bool:
        """Whether its light goes beyond the white of SDR: PQ or HLG (ITU-R BT.2100)."""
        return self.transfer in (PQ, HLG)

    @property
    def is_wide(self) -> bool:
        """Whether its primaries reach far beyond those of BT.709: BT.2020, or P3 of cinema and displays."""
        return self.primaries in ("bt2020", "smpte431", "smpte432") or (not self.primaries and "2020" in self.matrix)

    def matrix_for(self, size: Size) -> str:
        """The matrix by which its samples were made, BT.601's two being "smpte170m".

        What is untagged is HD by BT.709, and SD by BT.601, as players take it; `size` is that of the stored frames.
        """
        if self.matrix in _MATRICES:
            return _MATRICES[self.matrix]
        return "bt709" if is_hd(size) else "smpte170m"


UNTAGGED = ColourTags()
"""A film that says nothing of its colours."""

PQ = "smpte2084"
HLG = "arib-std-b67"

_RGB = re.compile(r"(?:x2|[a0x])?(?:rgb|bgr|gbr)|pal8|mono[bw]|bayer|xyz")

_MATRICES = {
    "bt709": "bt709", "fcc": "fcc", "bt470bg": "smpte170m", "smpte170m": "smpte170m", "smpte240m": "smpte240m",
    "ycgco": "ycgco", "bt2020nc": "bt2020nc", "bt2020ncl": "bt2020nc",
    # that of constant luminance is no matrix, but lies near the other
    "bt2020c": "bt2020nc", "bt2020cl": "bt2020nc",
}  # fmt: skip


def is_rgb(pixel_format: str) -> bool:
    """Whether samples are R, G and B, or the numbers of such colours."""
    return bool(_RGB.match(pixel_format))


def is_grey(pixel_format: str) -> bool:
    """Whether samples have no colours at all, but perhaps transparency."""
    return pixel_format.startswith(("gray", "ya8", "ya16"))


def is_hd(size: Size) -> bool:
    """Whether a film of this size is of HD, whose matrix is BT.709's: larger than 1279 across or 576 down."""
    return size[0] >= 1280 or size[1] > 576
