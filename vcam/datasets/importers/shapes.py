"""Shapes of objects as lists of annotations have them: polygons, and runs of pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vcam.errors import InputError
from vcam.images import MAX_PIXELS
from vcam.types import U8

_SHIFT = 4
"""Bits of a pixel's fraction to which OpenCV is told corners."""


def fill_polygons(mask: U8, polygons: list[Any], value: int = 255) -> None:
    """Fill polygons into a mask, uint8 (height, width), in place. Each is a sequence of corners (x, y) in pixels, or of
    numbers x, y, x, y; outside of the mask nothing is drawn. Raises `ValueError` for what is no polygon."""
    rings = []
    for polygon in polygons:
        corners = np.asarray(polygon, np.float64).reshape(-1, 2)
        if len(corners) < 3:
            continue
        if not np.isfinite(corners).all():
            raise ValueError("a corner is no number")
        # corners far outside would not fit OpenCV's fixed point
        corners = np.clip(corners, -32768, 32768)
        rings.append(np.rint(corners * (1 << _SHIFT)).astype(np.int32))
    for ring in rings:
        # one by one: where two of them overlap both are filled
        cv2.fillPoly(mask, [ring], (value,), shift=_SHIFT)


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
