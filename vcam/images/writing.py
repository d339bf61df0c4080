"""Pictures written to files."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np

from vcam.errors import OutputError, UsageError
from vcam.files import Overwriting, write_whole
from vcam.suffixes import IMAGE_SUFFIXES, JPEG_SUFFIXES
from vcam.types import U8


def write_image(
    path: str | os.PathLike[str], picture: U8, rule: Overwriting | None = None, *, mode: int | None = None
) -> None:
    """Write a BGR or grey picture under its final name only once it is complete.

    The format follows the suffix; `.pgm` holds greys alone. rule: for a file that a person named. mode: see
    `vcam.files.PartialFile`. Raises `UsageError` for an unknown suffix or where there can be no such file,
    `OutputError` if it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path.name}: {path.suffix or 'no suffix'} is not a kind of picture", "use .png or .jpg")
    # OpenCV knows fewer of JPEG's suffixes than people use
    suffix = ".jpg" if path.suffix.lower() in JPEG_SUFFIXES else path.suffix.lower()
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == ".jpg" else []
    if suffix == ".pgm" and picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    elif suffix == ".ppm" and picture.ndim == 2:
        picture = np.repeat(picture[..., np.newaxis], 3, axis=2)
    ok, data = cv2.imencode(suffix, picture, quality)
    if not ok:
        raise OutputError(f"cannot encode {path.name} as {path.suffix}", "use .png or .jpg")
    write_whole(path, lambda partial: partial.write_bytes(data.tobytes()), rule=rule, mode=mode)
