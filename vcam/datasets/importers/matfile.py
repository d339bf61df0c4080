"""Numbers in files of MATLAB, level 5: MAT-File Format (The MathWorks), chapter 1.

Only what masks are: full arrays of numbers, whether packed or not. Everything else in such a file is passed over.
scipy reads the rest, and weighs 143 MB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vcam.errors import InputError

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""NumPy's types of miINT8 and so on."""

_MATRIX, _PACKED = 14, 15
_NUMBERS = range(6, 16)
"""Classes of arrays that are numbers: mxDOUBLE_CLASS to mxUINT64_CLASS."""

_COMPLEX = 0x0800
_HEAD = 128
_MOST = 1 << 30
"""Bytes of a file, and of an array that was packed."""

_HDF5 = b"\x89HDF\r\n"


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """The real arrays of numbers in a file, by their names, as they are shaped there.

    Raises `InputError` for what is no such file, damaged, or of another level.
    """
    try:
        if path.stat().st_size > _MOST:
            raise InputError(f"{path} is too large a file", "save its masks one by one")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", f"ls -l {path}") from error
    if _HDF5 in data[:1024] or data.startswith(b"MATLAB 7.3"):
        raise InputError(f"{path} is of MATLAB 7.3, which vcam does not read", "save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise InputError(f"{path} is no file of MATLAB's level 5", "save it with -v7")
    found: dict[str, np.ndarray] = {}
    try:
        for kind, body in _elements(data[_HEAD:], order):
            if kind == _PACKED:
                unpacked = zlib.decompressobj().decompress(body, _MOST)
                kind, body = next(_elements(unpacked, order))
            if kind == _MATRIX and (array := _array(body, order)) is not None:
                found[array[0]] = array[1]
    except (struct.error, zlib.error, ValueError, StopIteration, IndexError) as error:
        raise InputError(f"{path} is damaged", "download it again") from error
    return found


def _elements(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Type and content of each element; a small one has both of its tag in four bytes, and four of content."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        if kind >> 16:
            size, kind = kind >> 16, kind & 0xFFFF
            body = data[at + 4 : at + 4 + size]
            at += 8
        else:
            body = data[at + 8 : at + 8 + size]
            # packed elements alone are not filled up to eight bytes
            at += 8 + size + (-size % 8 if kind != _PACKED else 0)
        if len(body) < size:
            raise ValueError("an element ends early")
        yield kind, body


def _array(body: bytes, order: str) -> tuple[str, np.ndarray] | None:
    parts = _elements(body, order)
    flags = struct.unpack_from(f"{order}I", next(parts)[1])[0]
    if (flags & 0xFF) not in _NUMBERS or flags & _COMPLEX:
        return None
    shape = np.frombuffer(next(parts)[1], f"{order}i4").tolist()
    name = next(parts)[1].decode("ascii", "replace")
    kind, numbers = next(parts)
    # down the columns
    return name, np.frombuffer(numbers, f"{order}{_TYPES[kind]}").reshape(shape, order="F")
