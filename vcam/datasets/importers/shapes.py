"""Shapes of objects as lists of annotations have them: polygons, and runs of pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from vcam.errors import InputError
from vcam.images import MAX_PIXELS
from vcam.types import U8

_FINER = 4
"""Polygons are drawn so many times as large and then made smaller: OpenCV fills every pixel that an edge touches."""

_MOST_FINE = 48_000_000
"""Pixels of such a drawing; larger ones are drawn less fine."""

_FAR = 1 << 24
"""Pixels that a corner may lie away; further ones would not fit OpenCV's numbers."""

_SHIFT = 4
"""Bits of a pixel's fraction to which OpenCV is told corners."""


def fill_polygons(mask: U8, polygons: Iterable[Any], holes: Iterable[Any] = (), *, corner: float = 0.5) -> None:
    """Lay polygons into a mask, uint8 (height, width), in place; a pixel at an edge has the share that is covered.

    Each is a sequence of corners (x, y) in pixels, or of numbers x, y, x, y; outside of the mask nothing is drawn.
    corner: where the middle of the first pixel is, 0.5 where a picture goes from 0 to its width, else 0. Raises
    `ValueError` for what is no polygon.
    """
    rings, gaps = ([ring for each in part if (ring := _ring(each, corner)) is not None] for part in (polygons, holes))
    if not rings:
        return
    height, width = mask.shape
    every = np.concatenate(rings)
    low = np.clip(np.floor(every.min(axis=0)).astype(int), 0, (width, height))
    high = np.clip(np.ceil(every.max(axis=0)).astype(int) + 1, 0, (width, height))
    if (high <= low).any():
        return
    columns, rows = (int(side) for side in high - low)
    finer = _FINER
    while finer > 1 and columns * rows * finer**2 > _MOST_FINE:
        finer //= 2
    canvas = np.zeros((rows * finer, columns * finer), np.uint8)
    for ring, value in (*((ring, 255) for ring in rings), *((gap, 0) for gap in gaps)):
        # one by one: where two of them overlap both are filled
        points = np.clip((ring - low + 0.5) * finer - 0.5, -_FAR, _FAR)
        cv2.fillPoly(canvas, [np.rint(points * (1 << _SHIFT)).astype(np.int32)], (value,), shift=_SHIFT)
    part = mask[low[1] : high[1], low[0] : high[0]]
    drawn = canvas if finer == 1 else cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA)
    np.maximum(part, drawn.astype(np.uint8, copy=False), out=part)


def _ring(polygon: Any, corner: float) -> np.ndarray | None:
    corners = np.asarray(polygon, np.float64).reshape(-1, 2)
    if len(corners) < 3:
        return None
    if not np.isfinite(corners).all():
        raise ValueError("a corner is no number")
    return corners - corner


def decode_runs(size: Any, counts: Any) -> U8:
    """A mask of COCO's runs as uint8 (height, width), 0 or 255.

    size: [height, width]. counts: lengths of runs of 0 and 1 in turns, down the columns, as a list, or as a string in
    which each is a number of 5 bits a letter, less the one two before it (`rleFrString` and `rleDecode` of
    cocodataset/cocoapi, common/maskApi.c). Raises `ValueError` for what is neither.
    """
    height, width = (int(side) for side in size)
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"a mask of {width}x{height}")
    lengths = _lengths(counts) if isinstance(counts, str | bytes) else [int(count) for count in counts]
    if any(length < 0 for length in lengths) or sum(lengths) > height * width:
        raise ValueError("its runs are longer than the picture")
    values = np.zeros(len(lengths), np.uint8)
    values[1::2] = 255
    flat = np.zeros(height * width, np.uint8)
    runs = np.repeat(values, lengths)
    flat[: len(runs)] = runs
    return np.ascontiguousarray(flat.reshape(width, height).T)


def _lengths(text: str | bytes) -> list[int]:
    letters = text.encode("ascii", "replace") if isinstance(text, str) else text
    lengths: list[int] = []
    value = shift = 0
    for letter in letters:
        five = letter - 48
        if not 0 <= five < 64:
            raise ValueError("its runs have letters that there cannot be")
        value |= (five & 31) << shift
        shift += 5
        if five & 32:
            continue
        if five & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("its runs end within a number")
    return lengths


def broken(what: str, error: Exception) -> InputError:
    """The error for an annotation that is not as its format has it."""
    said = f": {error}" if str(error) and not isinstance(error, KeyError) else ""
    return InputError(f"the annotation of {what} is damaged{said}", "download or export it again")
