"""Which files are pictures: by their first bytes, and by their suffix only where those tell nothing."""

from __future__ import annotations

import os
import re
from enum import Enum
from pathlib import Path

from vcam.errors import InputError, UsageError
from vcam.files import no_file
from vcam.suffixes import IMAGE_SUFFIXES, PICTURE_SUFFIXES

_MOVING_JPEG = frozenset({".mjpg", ".mjpeg"})
LOOK = 4096
"""Bytes at a file's beginning that tell what it is."""


class Kind(Enum):
    """What a file is."""

    PICTURE = "a picture that Pillow reads"
    GIF = "a picture, or a film if it holds several"
    HEIF = "a picture that a program of its own decodes"
    SVG = "a drawing"
    JXL = "a JPEG XL picture"
    OTHER = "a film, or anything else"


_STARTS = re.compile(
    rb"""\xff\xd8\xff | \x89PNG\r\n\x1a\n | II\*\x00 | MM\x00\* | II\+\x00 | MM\x00\+
    | BM.{4}\x00\x00\x00\x00 | BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00
    | P[1-6][\s\#] | P[Ff]\s | 8BPS\x00\x01 | qoif | DDS\ \x7c\x00\x00\x00 | \x01\xda[\x00\x01][\x01\x02]
    | \x00\x00\x00\x0cjP\ \ | \xff\x4f\xff\x51\x00 | \x00\x00\x01\x00[\x01-\x40]\x00 | RIFF.{4}WEBP""",
    re.DOTALL | re.VERBOSE,
)
_FILMS = re.compile(
    rb"""\x1aE\xdf\xa3 | RIFF.{4}AVI\  | FLV\x01 | OggS\x00 | \x00\x00\x01[\xba\xb3] | YUV4MPEG2\  | \x30\x26\xb2\x75
    | .{4}(?:moov|mdat|wide|free|skip|pnot) | \x47.{187}\x47""",
    re.DOTALL | re.VERBOSE,
)
_DRAWING = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!DOCTYPE\s+svg|<svg|<svg:svg)", re.IGNORECASE)
_SVG = re.compile(rb"<(svg:)?svg[\s/>]", re.IGNORECASE)
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf"}
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})


def kind_of(path: Path) -> Kind:
    """What a file is, by its content, then by its suffix.

    Raises `UsageError` if there is no such file, `InputError` if it is a folder or may not be read.
    """
    try:
        if (other := no_file(path)) and not path.is_dir():
            # a pipe would be waited for without an end
            raise InputError(f"{path} is {other}, not a picture or video", "give the path of a file")
        with path.open("rb") as file:
            start = file.read(LOOK)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder, not a picture or video", "name a file in it") from error
    except PermissionError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", f"chmod u+r {path}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', error)}", "check the path") from error
    return _kind(start, path.suffix.lower())


def _kind(start: bytes, suffix: str) -> Kind:
    if start.startswith(b"\xff\xd8\xff") and suffix in _MOVING_JPEG:
        # a stream of JPEG pictures begins as its first picture does
        return Kind.OTHER
    if _STARTS.match(start):
        return Kind.PICTURE
    if start.startswith((b"GIF87a", b"GIF89a")):
        return Kind.GIF
    if start[4:8] == b"ftyp":
        return _of_brands(start)
    if _FILMS.match(start):
        return Kind.OTHER
    if start.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return Kind.JXL
    if suffix in (".svg", ".svgz") or (_DRAWING.match(start) and _SVG.search(start)):
        return Kind.SVG
    if suffix in (".heic", ".heif", ".hif", ".heics"):
        return Kind.HEIF
    return Kind.PICTURE if suffix in PICTURE_SUFFIXES else Kind.OTHER


def _of_brands(start: bytes) -> Kind:
    """The kind of a file of boxes, as films, HEIC and AVIF are, by the names of what it conforms to (ISO 14496-12)."""
    length = min(int.from_bytes(start[:4], "big"), len(start))
    brands = {start[8:12], *(start[at : at + 4] for at in range(16, length - 3, 4))}
    if start[8:12] in _AVIF_BRANDS or (start[8:12] in _HEIF_BRANDS and brands & _AVIF_BRANDS):
        return Kind.PICTURE
    return Kind.HEIF if start[8:12] in _HEIF_BRANDS else Kind.OTHER


def pictures_in(folder: Path, *, gifs: bool = False) -> list[Path]:
    """The files of a folder that are pictures, in the order of their names. gifs: GIFs as well, which may be films.

    A file without a picture's suffix is looked into. Left out are hidden files, as the halves that macOS writes beside
    each picture (`._photo.jpg`), and drawings. Raises `OSError` for a folder that cannot be read.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and _may_be(entry, gifs))
    return [folder / name for name in names]


def _may_be(entry: os.DirEntry[str], gifs: bool) -> bool:
    try:
        if not entry.is_file():
            return False
        suffix = os.path.splitext(entry.name)[1].lower()
        if suffix in PICTURE_SUFFIXES:
            return True
        with open(entry.path, "rb") as file:
            # a suffix of none of vcam's kinds tells nothing of the content
            kind = _kind(file.read(64), "")
        return kind in (Kind.PICTURE, Kind.HEIF) or (gifs and kind is Kind.GIF)
    except OSError:
        return False


def written_suffix(path: Path) -> str:
    """The suffix for what is made of a picture: its own, or that of a kind that vcam writes."""
    suffix = path.suffix.lower()
    # what is made of greys may have colours
    if suffix in IMAGE_SUFFIXES - {".pgm"}:
        return path.suffix
    try:
        with path.open("rb") as file:
            return ".jpg" if not suffix and file.read(3) == b"\xff\xd8\xff" else ".png"
    except OSError:
        return ".png"
