"""Colour look-up tables from .cube files (Adobe, "Cube LUT specification 1.0", 2013)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from vcam import native
from vcam.colour import BLACK, HIGHEST, LOWEST, NEUTRAL, SPAN, TO_RGB, TOPS, WHITE, ZERO
from vcam.compose.filters.base import COLOURS, Kind, Number, Scene, Values, Word
from vcam.compose.filters.planes import LEVELS, Scratch
from vcam.errors import InputError, UsageError
from vcam.folders import expand
from vcam.frames import Box, Frame
from vcam.scaling import halve
from vcam.types import F32, U8, Size

MAX_BYTES = 64 << 20
MAX_SIDE = 129
_CURE = "export it again as a 3D .cube file with 17, 33 or 65 steps"


@dataclass(frozen=True, slots=True)
class Cube:
    """A table float32 (n, n, n, 3), indexed [blue, green, red], of red, green and blue; the domain it spans."""

    table: F32
    low: F32
    high: F32


def read_cube(path: Path) -> Cube:
    """Read a .cube file. Raises `UsageError` if there is none, `InputError` if it is broken, too large or flat."""
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {path}", "check the path")
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has more than {MAX_BYTES >> 20} MB", _CURE)
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", f"chmod u+r {path}") from error
    if "\0" in text[:4096]:
        raise InputError(f"{path} is no .cube file", _CURE)
    return _parse(text, path)


def _parse(text: str, path: Path) -> Cube:
    side = 0
    domain = {"DOMAIN_MIN": np.zeros(3, np.float32), "DOMAIN_MAX": np.ones(3, np.float32)}
    rows: list[str] = []
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "LUT_3D_SIZE":
            side = _side(words, path, number)
        elif words[0] == "LUT_1D_SIZE":
            raise InputError(f"{path}, line {number}: a table of one dimension", _CURE)
        elif words[0] in domain:
            domain[words[0]] = np.array(_numbers(words[1:], path, number), np.float32)
        elif words[0][0].isalpha():
            if words[0].lower() in ("nan", "inf", "infinity"):
                raise InputError(f"{path}, line {number}: {words[0]} is no colour", _CURE)
            # TITLE, and what programs add of their own
            continue
        else:
            first = first or number
            rows.append(line)
            if side and len(rows) > side**3:
                raise InputError(f"{path}, line {number}: more than the {side**3} lines that {side} steps make", _CURE)
    if not side:
        raise InputError(f"{path} has no line LUT_3D_SIZE", _CURE)
    if len(rows) < side**3:
        raise InputError(f"{path} has {len(rows)} lines of colours, but {side} steps make {side**3}", _CURE)
    if not (domain["DOMAIN_MIN"] < domain["DOMAIN_MAX"]).all():
        raise InputError(f"{path}: DOMAIN_MIN is not below DOMAIN_MAX", _CURE)
    return Cube(_table(rows, side, path), domain["DOMAIN_MIN"], domain["DOMAIN_MAX"])


def _side(words: list[str], path: Path, number: int) -> int:
    side = int(words[1]) if len(words) == 2 and words[1].isdecimal() and len(words[1]) < 9 else 0
    if not 2 <= side <= MAX_SIDE:
        raise InputError(f"{path}, line {number}: LUT_3D_SIZE must be from 2 to {MAX_SIDE}", _CURE)
    return side


def _table(rows: list[str], side: int, path: Path) -> F32:
    try:
        table = np.array([row.split("#")[0].split() for row in rows], np.float32)
        if table.shape != (side**3, 3) or not np.isfinite(table).all():
            raise ValueError
    except ValueError:
        for index, row in enumerate(rows, 1):
            _numbers(row.split("#")[0].split(), path, 0, f"colour {index}")
        raise InputError(f"{path} is broken", _CURE) from None
    return table.reshape(side, side, side, 3)


def _numbers(words: list[str], path: Path, number: int, what: str = "") -> list[float]:
    place = what or f"line {number}"
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != 3 or not np.isfinite(values).all():
        raise InputError(f"{path}, {place}: {' '.join(words)[:60]!r} is not three numbers", _CURE)
    return values


def look_up(cube: Cube, rgb: F32) -> F32:
    """Trilinear interpolation for float32 (..., 3) red, green and blue; what lies outside of the domain counts as its
    nearest colour, and keeps its distance to that."""
    side = cube.table.shape[0]
    inside = np.clip(rgb, cube.low, cube.high)
    at = (inside - cube.low) / (cube.high - cube.low) * (side - 1)
    low = np.minimum(at.astype(np.int32), side - 2)
    part = at - low
    result = np.zeros_like(rgb)
    for corner in range(8):
        bits = [(corner >> axis) & 1 for axis in range(3)]
        weight = np.prod([part[..., axis] if bit else 1 - part[..., axis] for axis, bit in enumerate(bits)], axis=0)
        red, green, blue = (low[..., axis] + bit for axis, bit in enumerate(bits))
        result += weight[..., np.newaxis] * cube.table[blue, green, red]
    return (result + (rgb - inside)).astype(np.float32)


_BITS = 6
_STEP = 256 >> _BITS
_NONE = 128
"""The byte of a left-over that changes nothing."""
_KNOTS = 8
"""Levels from one sample of the table to the next, when it is turned into planes' terms."""
_FROM_RGB = np.linalg.inv(TO_RGB).astype(np.float32)


class PlanarLut:
    """A cube on planar pictures.

    The table is turned once into planes' terms and parted: a curve for each plane, exact for greys and for pure changes
    of that plane, and what is left over, which is smooth. The left-over is looked up at half size by the six upper bits
    of Y, Cb and Cr, and added; the luma's is scaled up. So an identity leaves every sample as it is.
    """

    def __init__(self, values: Values) -> None:
        path = values.text("file")
        if not path:
            raise UsageError("lut needs a file", "for example lut:file=look.cube")
        cube = read_cube(expand(path))
        self._curves, self._rest = split(cube, np.float32(values.number("strength")))
        self._kernels = native.kernels()

    def prepare(self, size: Size) -> None:
        if self._kernels is not None:
            return
        half = (size[1] // 2, size[0] // 2)
        count = half[0] * half[1]
        self._luma = Scratch((half[1], half[0]))
        self._index = np.empty(count, np.int64)
        self._found = np.empty(count, np.uint32)
        self._parts = [np.empty(count, np.uint8) for _ in range(4)]
        self._enlarged = Scratch(size)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        part = picture.view(box)
        if self._kernels is not None:
            limits = {"luma": (BLACK, WHITE), "chroma": (LOWEST, HIGHEST)}
            self._kernels.lut(part.planes, self._curves, self._rest, bits=_BITS, none=_NONE, **limits)
            return
        left_over = self._look_up(part)
        luma = self._enlarged.like(part.y)
        cv2.resize(left_over[0], luma.shape[::-1], dst=luma, interpolation=cv2.INTER_LINEAR)
        for plane, curve, rest, top in zip(part.planes, self._curves, (luma, *left_over[1:]), TOPS, strict=True):
            cv2.LUT(plane, curve, dst=plane)
            cv2.addWeighted(plane, 1, rest, 1, -_NONE, dst=plane)
            np.clip(plane, BLACK, top, out=plane)

    def _look_up(self, part: Frame) -> list[U8]:
        shape, count = part.u.shape, part.u.size
        luma = halve(part.y, self._luma.like(part.u))
        index = self._index[:count].reshape(shape)
        # 18 bits: six of each plane
        np.right_shift(luma, 8 - _BITS, out=index)
        for plane in (part.u, part.v):
            np.left_shift(index, _BITS, out=index)
            np.bitwise_or(index, plane >> (8 - _BITS), out=index)
        found = self._found[:count].reshape(shape)
        # what is out of range cannot be, and "clip" skips the search for it
        np.take(self._rest, index, out=found, mode="clip")
        parts = [own[:count].reshape(shape) for own in self._parts]
        cv2.split(found.view(np.uint8).reshape(*shape, 4), parts)
        return parts[:3]


def split(cube: Cube, strength: np.float32) -> tuple[U8, npt.NDArray[np.uint32]]:
    """A curve for each plane, uint8 (3, 256), and the left-over of all, uint32 (2^18,): its bytes are those of Y, Cb
    and Cr plus `_NONE`."""

    def through(samples: F32) -> F32:
        rgb = (samples - ZERO) / SPAN @ TO_RGB
        return samples + strength * ((look_up(cube, rgb.astype(np.float32)) @ _FROM_RGB) * SPAN + ZERO - samples)

    curves: list[F32] = []
    for plane in range(3):
        line = np.tile(np.array([126, NEUTRAL, NEUTRAL], np.float32), (256, 1))
        line[:, plane] = LEVELS
        curves.append(np.clip(through(line)[:, plane], 0, 255))
    knots = np.arange(0, 257, _KNOTS, dtype=np.float32)
    samples = np.stack(np.meshgrid(knots, knots, knots, indexing="ij"), axis=-1)
    rest = through(samples)
    for plane in range(3):
        rest[..., plane] -= np.interp(samples[..., plane], LEVELS, curves[plane])
    # from knots to the middles of what six bits tell apart, linearly along each axis
    middle = np.arange(0, 256, _STEP) + (_STEP - 1) / 2
    spread = np.maximum(0, 1 - np.abs(middle[:, np.newaxis] - knots) / _KNOTS).astype(np.float32)
    for _ in range(3):
        # each turn takes the first axis and leaves its successor last but one
        rest = np.moveaxis(np.tensordot(spread, rest, axes=(1, 0)), 0, 2)
    packed = np.zeros((middle.size,) * 3 + (4,), np.uint8)
    packed[..., :3] = np.rint(np.clip(rest + _NONE, 0, 255))
    tables = np.rint(np.stack(curves)).astype(np.uint8)
    return tables, packed.reshape(-1, 4).view(np.uint32).reshape(-1)


KINDS = (
    Kind(
        "lut", "Colours from a 3D look-up table, a .cube file.", COLOURS,
        (
            Word("file", "the path of a .cube file"),
            Number("strength", "0 leaves it, 1 all of it", 1.0, 0, 1),
        ),
        PlanarLut,
    ),
)  # fmt: skip
