"""What stands before the samples of a JPEG picture, and what is wrong with one: ITU-T T.81, annex B.

Cameras are careless. They put zeros in front of the picture or behind it, leave the end marker out, or send another
size than they said. All of that is told here from damage, for a few microseconds a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from vcam.types import U8, Size

_SEARCHED = 4096
"""Bytes in front of a picture, or behind it, that are searched at once."""

_SOI, _EOI, _SOS, _DHT, _APP14, _TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0xEE, 0x01
_RESTARTS = range(0xD0, 0xD8)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_MOST_MARKERS = 1000

_SHORT = 64
"""Bytes that are no picture of anything, whatever they are."""

_ZEROS = bytes(16)
"""More of them at its end than the samples of any usual picture have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a picture cannot be shown: what the camera sends, in words that follow its name, and what helps."""

    words: str
    hint: str


_CABLE = "check its cable and its USB port"
CUT = Fault("sends pictures that are cut short", _CABLE)
DAMAGED = Fault("sends damaged pictures", _CABLE)
NO_JPEG = Fault("sends something else than the JPEG pictures it promised", "vcam devices shows its other formats")


def other_size(size: Size, agreed: Size) -> Fault:
    """The fault of a picture that is much larger or smaller than agreed."""
    sent = f"{size[0]}x{size[1]}"
    return Fault(
        f"sends pictures of {sent} instead of the {agreed[0]}x{agreed[1]} it agreed to",
        f"vcam start --size {sent} asks it for those",
    )


@dataclass(frozen=True, slots=True)
class Head:
    """start, samples: where the picture begins, and its entropy-coded part. components: 1 is grey, 3 are colours, 4 are
    CMYK. tables: it brings Huffman tables. adobe: written by Adobe's rules, by which CMYK is inverted.
    """

    start: int
    samples: int
    size: Size
    components: int
    tables: bool
    adobe: bool


def read_head(coded: U8) -> Head | Fault:
    """The head of a picture, uint8 (bytes,), or why there is none."""
    start = _start(coded)
    if start is None:
        return NO_JPEG if coded.size > _SHORT else CUT
    data = coded.data
    at, components, tables, adobe = start + 2, 0, False, False
    size: Size | None = None
    try:
        for _ in range(_MOST_MARKERS):
            # stray bytes in front of a marker, and as many fill bytes as one likes
            while data[at] != 0xFF:
                at += 1
            while data[at] == 0xFF:
                at += 1
            marker = data[at]
            at += 1
            if marker in (0, _TEM, _SOI) or marker in _RESTARTS:
                continue
            if marker == _EOI:
                return CUT
            length = data[at] << 8 | data[at + 1]
            if marker == _SOS:
                if size is None or components not in (1, 3, 4):
                    return DAMAGED
                return Head(start, at + length, size, components, tables, adobe)
            if marker in _FRAMES:
                size = data[at + 5] << 8 | data[at + 6], data[at + 3] << 8 | data[at + 4]
                components = data[at + 7]
            elif marker == _DHT:
                tables = True
            elif marker == _APP14 and bytes(data[at + 2 : at + 7]) == b"Adobe":
                adobe = True
            at += length
    except IndexError:
        return CUT
    return DAMAGED


def _start(coded: U8) -> int | None:
    """Where the picture begins: mostly at once."""
    if coded.size > 2 and coded[0] == 0xFF and coded[1] == _SOI:
        return 0
    found = coded[:_SEARCHED].tobytes().find(b"\xff\xd8\xff")
    return found if found >= 0 else None


def has_end(coded: U8, head: Head) -> bool:
    """Whether there is an end marker behind the samples, whatever follows it."""
    samples = coded[head.samples :]
    return (
        samples[-_SEARCHED:].tobytes().rfind(b"\xff\xd9") >= 0
        or samples[: 1 - _SEARCHED].tobytes().rfind(b"\xff\xd9") >= 0
    )


def with_end(coded: U8) -> bytes | None:
    """A picture whose end marker is missing, with one; None if it is plainly cut short.

    A decoder tells whether there were samples enough. It could take zeros for samples, though.
    """
    data = coded.tobytes()
    return None if data.endswith(_ZEROS) else data + b"\xff\xd9"
