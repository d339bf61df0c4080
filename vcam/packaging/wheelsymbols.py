"""What a shared library asks of the system it is loaded on: read from its ELF file, whoever's processor it is for."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

MACHINES = {62: "x86_64", 183: "aarch64"}
"""ELF's number of a processor (e_machine), and its name in the names of wheels."""

_DYNSYM, _NEEDS, _DYNAMIC = 11, 0x6FFFFFFE, 6
_NEEDED = 1


@dataclass(frozen=True, slots=True)
class Wants:
    """machine: as in `MACHINES`; libraries: by soname; versions: as "GLIBC_2.14"; loose: symbols without a version.

    A loose symbol is had from whatever library happens to be loaded. Weak ones are not counted: nothing fails without.
    """

    machine: str
    libraries: frozenset[str]
    versions: frozenset[str]
    loose: frozenset[str]


def wants(path: Path) -> Wants:
    """Read a little-endian ELF64 library. Raises `ValueError` if it is none, or not a whole one."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{path.name} is no library of 64 bits")
    try:
        (machine,) = struct.unpack_from("<H", data, 18)
        (at,) = struct.unpack_from("<Q", data, 40)
        size, count = struct.unpack_from("<HH", data, 58)
        # name, kind, flags, address, offset, size, link, info, alignment, size of an entry
        sections = [struct.unpack_from("<IIQQQQIIQQ", data, at + number * size) for number in range(count)]
        libraries, versions, loose = set(), set(), set()
        for _, kind, _, _, offset, length, link, entries, _, _ in sections:
            if kind not in (_DYNSYM, _NEEDS, _DYNAMIC):
                continue
            words = data[sections[link][4] :][: sections[link][5]]
            if kind == _DYNAMIC:
                pairs = struct.iter_unpack("<qQ", data[offset : offset + length])
                libraries |= {_word(words, value) for tag, value in pairs if tag == _NEEDED}
            elif kind == _NEEDS:
                versions |= _versions(data, offset, entries, words)
            else:
                of_each = next((part[4] for part in sections if part[1] == 0x6FFFFFFF), None)
                loose |= _loose(data[offset : offset + length], words, data[of_each:] if of_each else b"")
    except (struct.error, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path.name} is not a whole library: {error}") from error
    return Wants(MACHINES.get(machine, str(machine)), frozenset(libraries), frozenset(versions), frozenset(loose))


def newest_glibc(versions: frozenset[str]) -> tuple[int, ...]:
    """The glibc that has all of these. Raises `ValueError` for one that no release of glibc is named after."""
    found: list[tuple[int, ...]] = [(0,)]
    for version in versions:
        if not (number := re.fullmatch(r"GLIBC_([0-9.]+)", version)):
            raise ValueError(f"no glibc is known that has {version}")
        found.append(tuple(map(int, number[1].split("."))))
    return max(found)


def _word(words: bytes, at: int) -> str:
    return words[at : words.index(b"\0", at)].decode()


def _versions(data: bytes, at: int, count: int, words: bytes) -> set[str]:
    found = set()
    for _ in range(count):
        # version, number of entries, file, where they begin, where the next begins
        _, entries, _, first, following = struct.unpack_from("<HHIII", data, at)
        entry = at + first
        for _ in range(entries):
            # hash, flags, number, name, where the next begins
            _, _, _, name, step = struct.unpack_from("<IHHII", data, entry)
            found.add(_word(words, name))
            entry += step
        at += following
    return found


def _loose(table: bytes, words: bytes, numbers: bytes) -> set[str]:
    found = set()
    for index, (name, info, _, section, _, _) in enumerate(struct.iter_unpack("<IBBHQQ", table)):
        strong, missing = info >> 4 == 1, section == 0
        version = struct.unpack_from("<H", numbers, 2 * index)[0] & 0x7FFF if numbers else 1
        if strong and missing and version <= 1:
            found.add(_word(words, name))
    return found
