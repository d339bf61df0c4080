"""Pictures of mattes: what of their samples is the matte, whichever way they hold it.

    grey, 1 to 16 bits or floats      the matte; samples of only 0 and 1 are stretched
    palette of greys                  the matte, as its greys
    palette of colours                objects as DAVIS and PASCAL VOC number them: all but number 0 are people
    RGB of one grey                   the matte
    RGB of black and few colours      objects, as in a palette
    with alpha                        the alpha, of a cut-out; what is inside may be any picture

Anything else is refused: a score against what is no matte would look like one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import numpy as np

from vcam.errors import InputError
from vcam.images import Raw, levels, turned_samples
from vcam.types import U8

_log = logging.getLogger(__name__)

_MAKE = "make a grey picture of it: 0 for the background, 255 for the person"
_GREY = 10
"""Levels by which the colours of a grey picture may differ: JPEG is not exact."""

_MOST_OBJECTS = 64
_VOID = (224, 224, 192)
"""The colour of PASCAL VOC for pixels that nobody has decided upon, number 255."""


@contextmanager
def collected_warnings() -> Iterator[list[str]]:
    """While inside, warnings of single mattes are collected and not shown: of thousands nobody reads each."""
    said: list[str] = []

    def collect(record: logging.LogRecord) -> bool:
        if record.levelno == logging.WARNING:
            said.append(record.getMessage())
        return record.levelno != logging.WARNING

    loggers = [_log, logging.getLogger("vcam.datasets.folder")]
    for logger in loggers:
        logger.addFilter(collect)
    try:
        yield said
    finally:
        for logger in loggers:
            logger.removeFilter(collect)


def matte_of(path: Path, raw: Raw) -> U8:
    """The matte that a picture's samples hold as uint8 (height, width), 0..255, upright. `path` is for people.

    Raises `InputError` for what is no matte.
    """
    if raw.alpha is not None and int(raw.alpha.min()) != int(raw.alpha.max()):
        matte = _of_alpha(path, raw, raw.alpha)
    elif raw.palette is not None:
        matte = _of_palette(path, raw.samples, raw.palette)
    elif raw.samples.ndim == 3:
        matte = _of_colours(path, raw)
    else:
        matte = _of_levels(path, raw.samples, raw.lossy)
    return np.ascontiguousarray(turned_samples(matte, raw.orientation))


def _of_levels(path: Path, samples: np.ndarray, lossy: bool) -> U8:
    top = float(np.nanmax(samples, initial=0))
    if samples.dtype.kind != "f" and top == 1:
        return samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype.itemsize > 1 and samples.dtype.kind != "f" and top <= 255:
        # 8 bits that were saved as more
        samples = samples.astype(np.uint8)
    if samples.dtype == np.uint8:
        if not lossy and 2 <= top <= 31 and _few(samples):
            raise InputError(
                f"{path} is no matte: nothing in it is brighter than {top:g} of 255",
                f"if these are the numbers of objects, {_MAKE}",
            )
        return samples
    return levels(samples)


def _few(samples: np.ndarray) -> bool:
    """Whether there are hard edges between a few numbers, as there are none in a soft matte in which nobody is."""
    steps = np.abs(np.diff(samples.astype(np.int16), axis=1))
    return len(np.unique(samples)) <= 3 or int(steps.max(initial=0)) > 1


def _of_palette(path: Path, indices: np.ndarray, palette: U8) -> U8:
    used = np.unique(indices)
    # an index beyond the palette is black
    entries = np.zeros((256, 3), np.uint8)
    entries[: len(palette)] = palette[:256]
    if _greys(entries[used]):
        return _of_levels(path, entries[indices][..., 1], lossy=False)
    if 255 in used and tuple(entries[255]) == _VOID:
        raise InputError(f"{path} leaves pixels undecided (number 255 of its palette), and no score can", _MAKE)
    _say_objects(path, len(used) - (0 in used))
    return np.where(indices != 0, np.uint8(255), np.uint8(0))


def _of_colours(path: Path, raw: Raw) -> U8:
    rgb = raw.samples
    if _greys(rgb):
        return _of_levels(path, rgb[..., 1], raw.lossy)
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours = np.unique(packed)
    if raw.lossy or len(colours) > _MOST_OBJECTS or 0 not in colours:
        raise InputError(f"{path} is no matte, but a picture in colours", _MAKE)
    _say_objects(path, len(colours) - 1)
    return np.where(packed != 0, np.uint8(255), np.uint8(0))


def _of_alpha(path: Path, raw: Raw, alpha: U8) -> U8:
    """The alpha of a cut-out, unless what it covers looks like another matte."""
    colour = raw.samples if raw.samples.ndim == 3 else raw.samples[..., np.newaxis]
    seen = colour[alpha > 0]
    grey = colour[..., 0].astype(np.int16)
    dark, light = seen[:, 0] <= _GREY, seen[:, 0] >= 255 - _GREY
    if _greys(colour) and dark.any() and light.any() and np.mean(dark | light) > 0.9:
        # black and white within the alpha as well: two mattes, alike only if all that is white is what is seen
        shown = grey * (alpha > 0)
        if np.mean(np.abs(shown - alpha.astype(np.int16)) > 127) > 0.001:
            raise InputError(f"{path} holds two mattes that differ, its grey and its alpha", _MAKE)
    return alpha


def _greys(colours: np.ndarray) -> bool:
    low, high = colours.min(axis=-1), colours.max(axis=-1)
    return int((high - low).max(initial=0)) <= _GREY


@lru_cache(maxsize=1024)
def _say_objects(path: Path, count: int) -> None:
    if count > 1:
        _log.warning("%s holds %d objects: all of them are taken for people", path, count)
