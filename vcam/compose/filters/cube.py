"""Colour look-up tables from .cube files (Adobe, "Cube LUT specification 1.0", 2013)."""

from __future__ import annotations

import re
import shlex
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
from vcam.files import no_file
from vcam.folders import expand
from vcam.frames import Box, Frame
from vcam.scaling import halve
from vcam.types import F32, U8, Size

MAX_BYTES = 64 << 20
MAX_SIDE = 129
MAX_STEPS = 65_536
_HIGHEST = float(np.finfo(np.float32).max)
_CURE = "export it again as a 3D .cube file with 17, 33 or 65 steps"


@dataclass(frozen=True, slots=True)
class Cube:
    """A table float32 (n, n, n, 3), indexed [blue, green, red], of red, green and blue; the domain it spans.

    shaper: what is done to each channel beforehand, float32 (n, 3) over its own domain. video_in, video_out: the table
    takes or gives the limited range of video, black at 64 of 1023 and white at 940.
    """

    table: F32
    low: F32
    high: F32
    shaper: F32 | None = None
    shaper_low: F32 | None = None
    shaper_high: F32 | None = None
    video_in: bool = False
    video_out: bool = False


_ANY = MAX_SIDE**3 + MAX_STEPS
_ZEROS, _ONES = np.zeros(3, np.float32), np.ones(3, np.float32)
_VIDEO_BLACK, _VIDEO_SPAN = np.float32(64 / 1023), np.float32(876 / 1023)


def read_cube(path: Path) -> Cube:
    """Read a .cube file. Raises `UsageError` if there is none, `InputError` if it is broken, too large or flat."""
    try:
        if other := no_file(path):
            raise UsageError(f"{path} is {other}", "give the path of a .cube file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", "check the path") from error
    except OSError as error:
        cure = f"chmod u+r {shlex.quote(str(path))}"
        raise InputError(f"{path} cannot be read: {error.strerror}", cure) from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES >> 20} MB", _CURE)
    # Windows' "Unicode" has a mark that says so; titles may be in any other encoding
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = data.decode(encoding, "replace")
    if "\0" in text[:4096]:
        raise InputError(f"{path} is not a .cube file", _CURE)
    return _Parser(path).parse(text)


class _Parser:
    """Adobe's keywords, and those of DaVinci Resolve: P. Chamberlain, "Resolve LUT Info", Blackmagic forum, 2015."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._side = self._steps = 0
        self._domain: dict[str, F32] = {}
        self._video: set[str] = set()
        self._rows: list[str] = []
        self._line_of_steps = 0
        self._most = _ANY

    def parse(self, text: str) -> Cube:
        # not splitlines(): a title may hold other ends of lines
        for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
            line = line.partition("#")[0].strip()
            if line[:1].isdigit() and len(self._rows) < self._most:
                # most lines are this, and there may be two million
                self._rows.append(line)
                continue
            # `//` and `;` begin comments for some programs
            words = line.split()
            if words and not words[0].startswith(("//", ";")):
                self._take(words, number)
        return self._cube()

    def _take(self, words: list[str], number: int) -> None:
        path, word = self._path, words[0].upper()
        if word == "LUT_3D_SIZE":
            self._side = _size(words, MAX_SIDE, path, number)
            self._most = self._count
        elif word == "LUT_1D_SIZE":
            self._steps = _size(words, MAX_STEPS, path, number)
            self._line_of_steps = number
            self._most = self._count if self._side else _ANY
        elif word in ("DOMAIN_MIN", "DOMAIN_MAX"):
            self._domain[word] = np.array(_numbers(words[1:], path, number), np.float32)
        elif word in ("LUT_3D_INPUT_RANGE", "LUT_1D_INPUT_RANGE"):
            low, high = _numbers(words[1:], path, number, count=2)
            self._domain[f"{word} low"], self._domain[f"{word} high"] = (
                np.float32(low) * _ONES,
                np.float32(high) * _ONES,
            )
        elif word in ("LUT_IN_VIDEO_RANGE", "LUT_OUT_VIDEO_RANGE"):
            self._video.add(word)
        elif word[0].isalpha() or word[0] in '_"':
            if word.lower() in ("nan", "inf", "infinity"):
                raise InputError(f"{path}, line {number}: {words[0]} is not a colour", _CURE)
            # TITLE, and what programs add of their own
        else:
            self._rows.append(" ".join(words))
            if len(self._rows) > self._most:
                raise InputError(
                    f"{path}, line {number}: more than the {self._count} lines that {self._side} steps make", _CURE
                )

    @property
    def _count(self) -> int:
        return self._steps + self._side**3

    def _cube(self) -> Cube:
        path, side, rows = self._path, self._side, self._rows
        if self._steps and not side:
            raise InputError(f"{path}, line {self._line_of_steps}: a table of one dimension", _CURE)
        if not side:
            raise InputError(f"{path} has no line LUT_3D_SIZE", _CURE)
        if len(rows) != self._count:
            raise InputError(f"{path} has {len(rows)} lines of colours, but {side} steps make {self._count}", _CURE)
        shaper_low, shaper_high = self._range("LUT_1D_INPUT_RANGE", domain=bool(self._steps))
        low, high = self._range("LUT_3D_INPUT_RANGE", domain=not self._steps)
        return Cube(
            _table(rows[self._steps :], side**3, path, self._steps).reshape(side, side, side, 3), low, high,
            _table(rows[: self._steps], self._steps, path, 0) if self._steps else None, shaper_low, shaper_high,
            "LUT_IN_VIDEO_RANGE" in self._video, "LUT_OUT_VIDEO_RANGE" in self._video,
        )  # fmt: skip

    def _range(self, word: str, *, domain: bool) -> tuple[F32, F32]:
        """The domain of a table: by Resolve's line, else, for the table that comes first, by Adobe's two."""
        found, low, high = self._domain, _ZEROS, _ONES
        name = word
        if f"{word} low" in found:
            low, high = found[f"{word} low"], found[f"{word} high"]
        elif domain:
            low, high, name = found.get("DOMAIN_MIN", low), found.get("DOMAIN_MAX", high), "DOMAIN_MIN"
        if not (low < high).all():
            what = "DOMAIN_MIN is not below DOMAIN_MAX" if name == "DOMAIN_MIN" else f"{name} goes down, not up"
            raise InputError(f"{self._path}: {what}", _CURE)
        return low, high


def _size(words: list[str], most: int, path: Path, number: int) -> int:
    size = int(words[1]) if len(words) == 2 and words[1].isdecimal() and len(words[1]) < 9 else 0
    if not 2 <= size <= most:
        raise InputError(f"{path}, line {number}: {words[0]} must be from 2 to {most}", _CURE)
    return size


def _table(rows: list[str], count: int, path: Path, before: int) -> F32:
    """Float32 (count, 3); `before` so many lines of colours."""
    try:
        with np.errstate(over="ignore"):
            table = np.loadtxt(rows, np.float32, comments=None, ndmin=2)
        if table.shape != (count, 3) or not np.isfinite(table).all():
            raise ValueError
    except ValueError:
        for index, row in enumerate(rows, before + 1):
            _numbers(row.split(), path, 0, f"colour {index}")
        raise InputError(f"{path} is broken", _CURE) from None
    return table


def _numbers(words: list[str], path: Path, number: int, what: str = "", *, count: int = 3) -> list[float]:
    place = what or f"line {number}"
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    # as float32, in which they are kept
    if len(values) != count or not all(abs(value) < _HIGHEST for value in values):
        wanted = {2: "two", 3: "three"}[count]
        raise InputError(f"{path}, {place}: {' '.join(words)[:60]!r} is not {wanted} numbers", _CURE)
    return values


def look_up(cube: Cube, rgb: F32) -> F32:
    """Trilinear interpolation for float32 (..., 3) red, green and blue; what lies outside of the domain counts as its
    nearest colour, and keeps its distance to that."""
    if cube.video_in:
        rgb = _VIDEO_BLACK + _VIDEO_SPAN * rgb
    if cube.shaper is not None:
        rgb = _shaped(cube, rgb)
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
    result += rgb - inside
    if cube.video_out:
        result = (result - _VIDEO_BLACK) / _VIDEO_SPAN
    return result.astype(np.float32)


def _shaped(cube: Cube, rgb: F32) -> F32:
    """Each channel by its own curve, linearly between the steps, float32 (..., 3)."""
    assert cube.shaper is not None
    assert cube.shaper_low is not None
    assert cube.shaper_high is not None
    inside = np.clip(rgb, cube.shaper_low, cube.shaper_high)
    shaped = rgb - inside
    for channel in range(3):
        knots = np.linspace(cube.shaper_low[channel], cube.shaper_high[channel], len(cube.shaper))
        shaped[..., channel] += np.interp(inside[..., channel], knots, cube.shaper[:, channel])
    return shaped.astype(np.float32)


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
            Word("file", "the path of a .cube file", file=True),
            Number("strength", "0 leaves it, 1 all of it", 1.0, 0, 1),
        ),
        PlanarLut,
    ),
)  # fmt: skip
