"""What a compiled library asks of the system it is loaded on, read from its ELF file, whoever's processor it is for.

By pyelftools, which is imported when a file is read: whoever lists what can be made does not need it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
"""ELF's name of a processor, and that in the names of wheels."""

_MARKS = {"GLIBC_ABI_DT_RELR": (2, 36)}
"""Versions that are not called after a glibc, and the first that has each: a linker packed relocations."""


@dataclass(frozen=True, slots=True)
class Library:
    """machine: as in `MACHINES`, otherwise ELF's own name; libraries: by soname; versions: as "GLIBC_2.14"."""

    machine: str
    libraries: frozenset[str]
    versions: frozenset[str]


def is_library(path: Path) -> bool:
    """Whether it is a library or program for 64-bit machines with the lowest byte first, by its first bytes."""
    with path.open("rb") as file:
        return file.read(6) == b"\x7fELF\x02\x01"


def read(path: Path) -> Library:
    """Read a library. Raises `ValueError` if it is none, or not a whole one."""
    with _opened(path) as elf:
        if not elf.num_sections():
            raise ValueError("it has no sections")
        dynamic = [tag for part in elf.iter_segments("PT_DYNAMIC") for tag in part.iter_tags("DT_NEEDED")]
        needs = list(elf.iter_sections("SHT_GNU_verneed"))
        versions = {each.name for part in needs for _, entries in part.iter_versions() for each in entries}
        machine = elf["e_machine"]
        return Library(
            MACHINES.get(machine, str(machine)), frozenset(tag.needed for tag in dynamic), frozenset(versions)
        )


def loose(path: Path) -> set[str]:
    """The symbols that a library has from whatever library happens to be loaded: they name no version.

    Weak ones are not counted: nothing fails without. Raises as `read`.
    """
    with _opened(path) as elf:
        numbers = next(iter(elf.iter_sections("SHT_GNU_versym")), None)
        return {
            symbol.name
            for part in elf.iter_sections("SHT_DYNSYM")
            for index, symbol in enumerate(part.iter_symbols())
            if symbol["st_info"]["bind"] == "STB_GLOBAL"
            and symbol["st_shndx"] == "SHN_UNDEF"
            # otherwise the number of a version; these are 0 and 1
            and (numbers is None or isinstance(numbers.get_symbol(index)["ndx"], str))
        }


@contextmanager
def _opened(path: Path) -> Iterator[ELFFile]:
    from elftools.elf.elffile import ELFFile

    if not is_library(path):
        raise ValueError(f"{path.name} is no library of 64 bits")
    with path.open("rb") as file:
        try:
            yield ELFFile(file)
        except Exception as error:
            # pyelftools takes the numbers in a damaged file at their word: nearly anything may come of that
            raise ValueError(f"{path.name} is not a whole library: {error}") from error


def newest_glibc(versions: Iterable[str]) -> tuple[int, ...]:
    """The glibc that has all of these, (0,) for none. Raises `ValueError` for one that no glibc is known to have."""
    found: list[tuple[int, ...]] = [(0,)]
    for version in versions:
        number = re.fullmatch(r"GLIBC_([0-9.]+)", version)
        if not number and version not in _MARKS:
            raise ValueError(f"no glibc is known that has {version}")
        found.append(tuple(map(int, number[1].split("."))) if number else _MARKS[version])
    return max(found)
