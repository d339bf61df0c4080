"""What a compiled library asks of the system: the libraries it needs, and the versions of glibc it was linked against.

Read from the file itself, so that a package for another processor or Python can be made without its tools.
https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vcam.errors import VcamError

_MACHINES = {62: "amd64", 183: "arm64"}
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _SONAME = 1, 5, 14


@dataclass(frozen=True, slots=True)
class Library:
    """architecture: as Debian names it. needed: sonames. glibc: the newest version asked for, (0, 0) if none is."""

    architecture: str
    soname: str
    needed: tuple[str, ...]
    glibc: tuple[int, int]


def read(path: Path) -> Library | None:
    """What a file says; None if it is no library or program for 64-bit machines with the lowest byte first.

    Raises `VcamError` for one that is cut short or belongs to a processor that vcam has no packages for.
    """
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        return None
    try:
        return _parse(data)
    except (struct.error, ValueError, StopIteration) as error:
        raise VcamError(f"{path} is damaged, or for another machine: {error}", "rm -r ~/.cache/pip") from error


def _parse(data: bytes) -> Library:
    (machine,) = struct.unpack_from("<H", data, 18)
    if machine not in _MACHINES:
        raise ValueError(f"a library for the processor {machine}")
    (headers,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    segments = [struct.unpack_from("<IIQQQQ", data, headers + number * size) for number in range(count)]
    loads = [(address, offset, length) for kind, _, offset, address, _, length in segments if kind == _LOAD]
    entries: list[tuple[int, int]] = []
    for kind, _, offset, _, _, length in segments:
        if kind == _DYNAMIC:
            entries += struct.iter_unpack("<QQ", data[offset : offset + length])
    if not entries:
        return Library(_MACHINES[machine], "", (), (0, 0))
    table = next(value for tag, value in entries if tag == _STRTAB)
    start = next(table - address + offset for address, offset, length in loads if address <= table < address + length)

    def text(place: int) -> str:
        return data[start + place : data.index(b"\0", start + place)].decode("ascii", "replace")

    return Library(
        _MACHINES[machine],
        next((text(value) for tag, value in entries if tag == _SONAME), ""),
        tuple(text(value) for tag, value in entries if tag == _NEEDED),
        max(_glibc(data), default=(0, 0)),
    )


def _glibc(data: bytes) -> Iterator[tuple[int, int]]:
    # the names of versions stand among those of the symbols
    for found in re.finditer(rb"\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)", data):
        yield int(found[1]), int(found[2])
