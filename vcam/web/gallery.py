"""Pictures and films to stand before: those in the user's own folder, added by a drop on the page, with small pictures.

Nothing outside the folder can be named: a name is one part of a path, and what it means must lie in the folder itself.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2

from vcam import folders
from vcam.errors import InputError, UsageError, VcamError
from vcam.files import Overwriting, PartialFile, write_error
from vcam.images import frame_to_bgr, read_image
from vcam.media.ffmpeg import local_url
from vcam.media.filters import square_size
from vcam.media.probe import probe
from vcam.media.reader import VideoReader
from vcam.suffixes import VIDEO_SUFFIXES
from vcam.types import U8

MOST_OF_A_PICTURE = 40 << 20
"""Bytes of a picture; a film may have ten times as many."""
MOST_OF_A_FILM = 400 << 20
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".heic")
_WIDE = 256
_NAME = re.compile(r"[^\w .()+-]+")


def folder() -> Path:
    """Where the user's own backgrounds lie; it may not be there."""
    return folders.own("data") / "backgrounds"


def listed() -> list[dict[str, Any]]:
    """Name, path and kind of each, in the order of their names."""
    try:
        found = sorted(path for path in folder().iterdir() if path.is_file() and not path.name.startswith("."))
    except OSError:
        return []
    return [
        {"name": path.name, "path": str(path), "film": path.suffix.lower() in VIDEO_SUFFIXES}
        for path in found
        if path.suffix.lower() in (*PICTURES, *VIDEO_SUFFIXES)
    ]


def path_of(name: str) -> Path:
    """The file of that name in the folder. Raises `UsageError` for anything else."""
    path = folder() / name
    with suppress(OSError):
        # a name that is too long for a file is an error of the system
        if "/" not in name and name and not name.startswith(".") and not path.is_symlink() and path.is_file():
            return path
    raise UsageError(f"there is no background {name[:80]!r}", "add it first")


def most_bytes(name: str) -> int:
    """How large a file of that name may be. Raises `UsageError` for one that is neither picture nor film."""
    suffix = Path(name).suffix.lower()
    if suffix in PICTURES:
        return MOST_OF_A_PICTURE
    if suffix in VIDEO_SUFFIXES:
        return MOST_OF_A_FILM
    raise UsageError(f"{name[:80]} is neither a picture nor a film", f"give one of {', '.join(PICTURES[:6])}, .mp4")


class Arriving:
    """A file that comes piece by piece; kept once it could be read, else nothing of it is. A context manager."""

    def __init__(self, name: str) -> None:
        """Raises `UsageError` for a name that is none of a picture or film, `OutputError` if nothing can be written."""
        self._most = most_bytes(name)
        while True:
            path = _free(name)
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                # two of one name may come at once: the second to be whole gets another name then
                self._file = PartialFile(folders.place_to_write(path), Overwriting())
                self._stream = open(self._file.create(0o600), "wb")  # noqa: SIM115 - closed by `keep` or at the end
                break
            except OSError as error:
                raise write_error(path, error) from error
            except UsageError:
                if not os.path.lexists(path):
                    raise
        self._path, self._done = path, 0

    def add(self, piece: bytes) -> None:
        """Raises `UsageError` when it has become too large, `OutputError` when the disk is full."""
        self._done += len(piece)
        if self._done > self._most:
            raise UsageError(f"{self._path.name} is larger than {self._most >> 20} MB", "make it smaller")
        try:
            self._stream.write(piece)
        except OSError as error:
            raise write_error(self._path, error) from error

    def keep(self) -> Path:
        """Look whether vcam can show it, and put it into the folder. Raises `InputError` if not."""
        try:
            self._stream.close()
        except OSError as error:
            raise write_error(self._path, error) from error
        small(self._file.working, film=self._path.suffix.lower() in VIDEO_SUFFIXES)
        self._file.commit()
        return self._file.path

    def __enter__(self) -> Arriving:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stream.close()
        self._file.discard()


def _free(name: str) -> Path:
    """A path in the folder for a new file: no name is taken from another, nothing steers a terminal."""
    plain = Path(_NAME.sub("_", Path(name).name)).name.lstrip(". -") or "picture"
    # a name has 255 bytes at most, also with what is put behind it while the file comes
    stem = Path(plain).stem.encode("utf-8", "replace")[:120].decode("utf-8", "ignore") or "picture"
    suffix = Path(plain).suffix.lower()
    path = folder() / f"{stem}{suffix}"
    number = 2
    # a link that leads nowhere has the name as well
    while os.path.lexists(path):
        path = folder() / f"{stem} {number}{suffix}"
        number += 1
    return path


def remove(name: str) -> None:
    """Take one out of the folder. Raises `UsageError` if it is not there, `OutputError` if it cannot be."""
    path = path_of(name)
    try:
        path.unlink()
    except OSError as error:
        raise write_error(path, error) from error


def small(path: Path, *, film: bool | None = None) -> bytes:
    """A small picture of a background, as JPEG. Raises `InputError` if vcam cannot show it."""
    if film is None:
        film = path.suffix.lower() in VIDEO_SUFFIXES
    picture = _first(path) if film else read_image(path)
    height, width = picture.shape[:2]
    scale = _WIDE / max(width, 1)
    size = (_WIDE, max(1, min(4 * _WIDE, round(height * scale))))
    done, data = cv2.imencode(".jpg", cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    if not done:
        raise InputError(f"{path.name} cannot be shown", "take another picture")
    return bytes(data)


def _first(path: Path) -> U8:
    """The first picture of a film."""
    info = probe(path)
    with VideoReader(local_url(path), square_size(info), info.fps, info=info) as reader:
        frame = reader.read()
        if frame is None:
            raise InputError(f"{path.name} has no picture", "take another film")
        return frame_to_bgr(frame)


def sentence(error: VcamError) -> dict[str, str]:
    """An error for the page: what happened, and what to do."""
    return {"error": error.message, "hint": error.hint}
