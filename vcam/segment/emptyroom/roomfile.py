"""A known room on disk: a line of JSON that says what it is, then its planes as a grey picture, PNG.

It is small, but sharp enough to recognise the room. Only its owner may read it, and it goes nowhere else.
"""

from __future__ import annotations

import hashlib
import math
import shlex
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import msgspec
import numpy as np
from msgspec import Meta, Struct

from vcam import folders
from vcam.errors import InputError, OutputError
from vcam.files import no_file, write_error, write_whole
from vcam.frames import MAX_SIDE, MIN_SIDE, Frame
from vcam.printable import encodable
from vcam.secrets import show_address
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import U8, Size

FORM: Final = "vcam room"
VERSION = 1
SUFFIX = ".room"
MOST_BYTES = 64 << 20
"""From which on a file cannot be a room."""

How = Literal["told", "watched", "learnt"]
"""Told: somebody stepped out, and the network saw nobody. Watched: the same for background subtraction, with no network
that could see whether it is empty. Learnt: by itself."""

_CURE = "vcam room forget removes it, vcam room learn makes another"

Side = Annotated[int, Meta(ge=MIN_SIDE, le=MAX_SIDE, multiple_of=2)]


class About(Struct, frozen=True):
    """The line at the beginning."""

    form: Literal["vcam room"]
    version: int
    camera: str
    """As it was asked for, without what is secret in an address."""
    cut: str
    """How its picture is turned and cut, in words."""
    size: tuple[Side, Side]
    """(width, height) of the picture that is kept."""
    full_range: bool
    how: How
    """Whether somebody told vcam that the room was empty, or it was learnt alone."""
    when: Annotated[float, Meta(ge=0, le=1e11)]
    """Seconds since 1970: when it was told, or learning began."""
    known: Annotated[float, Meta(ge=0, le=1)]
    """Share of it that is known."""
    crc: int
    """CRC-32 of the PNG."""


class _Version(Struct):
    form: Literal["vcam room"]
    version: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A room as it is kept."""

    about: About
    room: RoomPicture


@dataclass(frozen=True, slots=True)
class RoomPlace:
    """The file of one camera, and of one cut and shape of its picture."""

    path: Path
    camera: str
    cut: str

    @classmethod
    def of(cls, source: str, name: str, size: Size, folder: Path | None = None) -> RoomPlace:
        """source: the camera's; name: of `saved.room_name`; size: of the frames, of which only the shape counts."""
        key = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        by = math.gcd(*size)
        path = (folder or rooms_folder()) / f"{key}-{size[0] // by}x{size[1] // by}{SUFFIX}"
        return cls(path, show_address(source), name.removeprefix(source).strip())

    def write(self, room: RoomPicture, how: How, when: float) -> None:
        """Raises `VcamError` if it cannot be written; what was there before is still there then."""
        png = cv2.imencode(".png", _sheet(room))[1].tobytes()
        about = About(
            FORM, VERSION, encodable(self.camera), self.cut, room.frame.size, room.frame.full_range, how, when,
            known_share(room), zlib.crc32(png),
        )  # fmt: skip
        data = msgspec.json.encode(about) + b"\n" + png
        folder = folders.place_to_write(self.path.parent)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # what was made before, by whatever umask, or by the mkdir of a parent
            if folder.stat().st_mode & 0o077:
                folder.chmod(0o700)
        except OSError as error:
            raise write_error(self.path, error) from error
        write_whole(self.path, lambda working: working.write_bytes(data), mode=0o600)

    def remove(self) -> bool:
        """Whether there was one. Raises `OutputError` if it stays."""
        return remove(self.path)


def remove(path: Path) -> bool:
    """Remove a room's file; whether there was one. Raises `OutputError` if it stays."""
    try:
        # what a writer that was killed has left
        for half in path.parent.glob(f".{path.stem}.part-*{SUFFIX}"):
            half.unlink(missing_ok=True)
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise OutputError(f"cannot remove {path}: {error.strerror or error}", f"rm {shlex.quote(str(path))}") from error
    return True


def rooms_folder() -> Path:
    """Where rooms are kept; it may not be there."""
    return folders.own("state") / "rooms"


def known_share(room: RoomPicture) -> float:
    """How much of it is known, 0 to 1."""
    return round(cv2.countNonZero(room.known) / room.known.size, 4)


def read_about(path: Path) -> About:
    """What a file says of itself. Raises as `read_room`."""
    return _split(path)[0]


def read_room(path: Path) -> Kept:
    """The room in a file. Raises `FileNotFoundError`, and `InputError` for what cannot be read or is no room."""
    about, png = _split(path)
    width, height = about.size
    shape = (-(-width * height * 7 // 4 // width), width)
    # a picture that says to be larger is not decoded
    fits = png[12:16] == b"IHDR" and png[16:24] == shape[1].to_bytes(4, "big") + shape[0].to_bytes(4, "big")
    sheet = None
    if fits and zlib.crc32(png) == about.crc:
        sheet = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if sheet is None or sheet.shape != shape or sheet.dtype != np.uint8:
        raise InputError(f"{path} is damaged", _CURE)
    flat = np.ascontiguousarray(sheet, np.uint8).reshape(-1)
    frame = Frame.wrap(flat, width, height)
    frame.full_range = about.full_range
    samples = width * height
    known = flat[samples * 3 // 2 : samples * 7 // 4].reshape(height // 2, width // 2)
    return Kept(about, RoomPicture(frame, np.where(known > 127, np.uint8(255), np.uint8(0))))


def _split(path: Path) -> tuple[About, bytes]:
    """The first line and what follows."""
    try:
        if what := no_file(path):
            raise InputError(f"{path} is {what}", "remove it")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES)
    except NotADirectoryError as error:
        raise FileNotFoundError(*error.args) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", _CURE) from error
    line, _, png = data.partition(b"\n")
    try:
        version = msgspec.json.decode(line, type=_Version).version
        if version != VERSION:
            raise InputError(f"{path} was written by another version of vcam", _CURE)
        return msgspec.json.decode(line, type=About), png
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged", _CURE) from error


def _sheet(room: RoomPicture) -> U8:
    """All planes one after the other, and what is known, uint8 (rows, width)."""
    frame = room.frame
    flat = np.concatenate([plane.reshape(-1) for plane in (*frame.planes, room.known)])
    width = frame.width
    rows = -(-flat.size // width)
    return np.pad(flat, (0, rows * width - flat.size)).reshape(rows, width)
