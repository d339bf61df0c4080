"""A picture's file as the samples that vcam works with."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vcam.images.kinds import Kind, kind_of
from vcam.images.opening import check_pixels, open_picture
from vcam.images.profiles import to_srgb
from vcam.images.samples import orientation, over_grey, separate, turned
from vcam.types import U8

if TYPE_CHECKING:
    from PIL import Image


def read_image(path: str | os.PathLike[str]) -> U8:
    """Read a picture as uint8 (height, width, 3) BGR in sRGB, upright as its EXIF orientation says.

    Transparent pixels are laid over mid grey. Of an animated picture it is the first. Raises `UsageError` if there is
    no such file, `InputError` if it is empty, damaged, too large or no picture.
    """
    path = Path(path)
    with open_picture(path) as image:
        return flattened(_upright(path, image), str(path))


MOVING_FORMATS = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
"""Pillow's names of the formats whose further pictures are frames in time; in others (TIFF, MPO) they are pages."""


def moves(image: Image.Image) -> bool:
    """Whether a picture, opened, holds several frames in time; it is to be `reading`."""
    return image.format in MOVING_FORMATS and bool(getattr(image, "is_animated", False))


def is_moving(path: Path) -> bool:
    """Whether a picture's file holds several frames in time. Raises as `read_image` does."""
    if kind_of(path) is Kind.HEIF:
        return False
    with open_picture(path) as image:
        return moves(image)


def read_turned(path: str | os.PathLike[str], shortest: int | None = None) -> tuple[U8, int]:
    """As `read_image`, with the orientation that EXIF gave, 1 to 8: how the stored picture was turned.

    shortest: so many pixels of the shorter side are enough. A larger JPEG is then decoded at a half, a quarter or an
    eighth of its size, as long as that gives as many.
    """
    path = Path(path)
    with open_picture(path) as image:
        stored = orientation(image)
        if shortest is not None and (less := min(image.size) // max(shortest, 1)) > 1:
            drafted = image.draft(None, (image.width // less, image.height // less))
            return flattened(_upright(path, image, drafted and drafted[1]), str(path)), stored
        return flattened(_upright(path, image), str(path)), stored


def flattened(image: Image.Image, name: str) -> U8:
    """A loaded picture as uint8 (height, width, 3) BGR in sRGB, a fresh array; transparent pixels over mid grey.

    name: its file, for people.
    """
    colour, alpha = separate(image)
    rgb = np.asarray(to_srgb(colour, image, name))
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)
    return bgr if alpha is None else over_grey(bgr, alpha)


def read_rgba(path: str | os.PathLike[str]) -> U8:
    """Read a picture as uint8 (height, width, 4) RGBA in sRGB, upright. Raises as `read_image` does."""
    path = Path(path)
    with open_picture(path) as image:
        image = _upright(path, image)
        colour, alpha = separate(image)
        rgb = np.asarray(to_srgb(colour, image, str(path)))
        return np.dstack((rgb, np.full(rgb.shape[:2], 255, np.uint8) if alpha is None else alpha))


@dataclass(frozen=True, slots=True)
class Raw:
    """A picture's samples as they are stored, for those that are no colours but numbers.

    samples: (height, width) indices or levels of any depth, or (height, width, 3) RGB; not turned. palette: RGB of each
    index, uint8 (entries, 3), None where samples are levels. alpha: uint8 (height, width), None where there is none.
    orientation: EXIF's, 1 to 8. lossy: the samples were stored about, not exactly.
    """

    samples: np.ndarray
    palette: U8 | None
    alpha: U8 | None
    orientation: int
    lossy: bool


def read_raw(path: str | os.PathLike[str]) -> Raw:
    """Read a picture's samples without any conversion of colours. Raises as `read_image` does."""
    path = Path(path)
    with open_picture(path) as image:
        image.load()
        check_pixels(path, *image.size)
        how, lossy = orientation(image), image.format in ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000", "HEIF")
        if image.mode == "P" and not image.has_transparency_data:
            palette = np.array(image.getpalette() or [0, 0, 0], np.uint8).reshape(-1, 3)
            return Raw(np.array(image), palette, None, how, lossy)
        if image.mode.startswith("I") or image.mode == "F":
            return Raw(np.array(image), None, None, how, lossy)
        colour, alpha = separate(image)
        return Raw(np.array(colour if colour.mode == "L" else colour.convert("RGB")), None, alpha, how, lossy)


def _upright(path: Path, image: Image.Image, extent: tuple[float, float, float, float] | None = None) -> Image.Image:
    """extent: what the picture fills of its pixels, where a JPEG is decoded at a part of its size, which need not be
    whole: the last pixels are of more than there is, and a matte would lie beside its person."""
    image.load()
    # some formats tell their true size only now
    check_pixels(path, *image.size)
    shown = image
    if extent and extent != (0, 0, *image.size):
        from PIL import Image

        shown = image.resize(image.size, Image.Resampling.BILINEAR, box=extent)
    upright = turned(shown, orientation(image))
    upright.format = image.format
    return upright
