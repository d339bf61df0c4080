"""People cut out: pictures with an alpha, PNG, WebP or others, which is the matte.

The picture keeps the colours that lie under the alpha. So a pixel at the edge has the person's colour, not a mixture
with a background, and can be laid over any other. They are stored without loss for the same reason.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.datasets.importers.base import Options, Plan, Read, Sample, folders_below, listing
from vcam.datasets.store import listed
from vcam.errors import InputError, UsageError, VcamError
from vcam.images import open_picture, read_rgba
from vcam.types import U8

_LOOKED_AT = 5
"""Pictures; the first may be a preview."""


class Cutouts:
    """A folder, with others in it, of pictures with alpha; or one such picture."""

    name = "cutouts"
    title = "people cut out: PNG or WebP pictures with alpha, in folders of any depth"

    def recognises(self, source: Path) -> bool:
        """Whether one of the first pictures found has an alpha."""
        try:
            return any(_has_alpha(path) for path in _files(source)[:_LOOKED_AT])
        except VcamError:
            return False

    def plan(self, source: Path, options: Options) -> Plan:
        """Every picture; those without alpha are left out when they are read."""
        root = source if source.is_dir() else source.parent
        samples = [
            Sample(path.relative_to(root).with_suffix("").as_posix(), _reader(path), path, exact=True)
            for path in _files(source)
        ]
        if not samples:
            raise InputError(f"there are no pictures in {source}", "give a folder of PNG or WebP pictures with alpha")
        return listing(Plan(()), samples, options.every)


def _files(source: Path) -> list[Path]:
    return [path for folder in folders_below(source) for path in listed(folder)] if source.is_dir() else [source]


def _has_alpha(path: Path) -> bool:
    with open_picture(path) as image:
        return bool(image.has_transparency_data)


def _reader(path: Path) -> Read:
    def read() -> tuple[U8, U8]:
        try:
            rgba = read_rgba(path)
        except UsageError as error:
            raise InputError(error.message, error.hint) from error
        alpha = np.ascontiguousarray(rgba[..., 3])
        if int(alpha.min()) == 255:
            raise InputError(f"{path} has no alpha", "cut the person out, or give pairs of pictures and mattes")
        return cv2.cvtColor(rgba[..., :3], cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False), alpha

    return read
