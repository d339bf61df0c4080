"""PFCN's portraits (Automatic Portrait Segmentation for Image Stylization, 2016), whose masks are MATLAB's files.

images_data_crop/00001.jpg       or images_data/, or beside the masks
images_mask/00001_mask.mat       an array `mask`
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.datasets.importers.base import (
    Options,
    Plan,
    Read,
    Sample,
    by_stem,
    fitted,
    folders_below,
    listing,
    matte_of_samples,
    read_bgr,
)
from vcam.datasets.importers.matfile import read_mat
from vcam.errors import InputError
from vcam.types import U8

_END = "_mask"
_PICTURES = ("images_data_crop", "images_data", "images", "img", ".")


class Pfcn:
    """A folder, or one with others in it, of masks in `.mat` and the pictures that they belong to."""

    name = "pfcn"
    title = "PFCN's portraits: images_data_crop/N.jpg, images_mask/N_mask.mat"

    def recognises(self, source: Path) -> bool:
        """Whether there are masks of that name."""
        return bool(_masks(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """Every mask with a picture."""
        masks = _masks(source)
        if not masks:
            raise InputError(f"there are no masks N_mask.mat in {source}", "give the folder that holds images_mask/")
        plan = Plan(())
        samples = []
        pictures: dict[Path, dict[str, Path]] = {}
        for mask in masks:
            stem = mask.stem.removesuffix(_END)
            for home in (each / name for each in (mask.parent, mask.parent.parent) for name in _PICTURES):
                if home.is_relative_to(source) and (picture := pictures.setdefault(home, by_stem(home)).get(stem)):
                    samples.append(Sample(stem, _reader(picture, mask), picture))
                    break
            else:
                plan.leave("no picture", str(mask.relative_to(source)))
        if not samples:
            raise InputError(f"there are no pictures to the masks in {source}", "lay them into images_data_crop/")
        return listing(plan, samples, options.every)


def _masks(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    return [path for folder in folders_below(source, 2) for path in sorted(folder.glob(f"*{_END}.mat"))]


def _reader(picture: Path, mask: Path) -> Read:
    def read() -> tuple[U8, U8]:
        arrays = read_mat(mask)
        array = arrays.get("mask")
        if array is None:
            # whatever it is called, if there is but one that could be it
            planes = [each for each in arrays.values() if each.ndim == 2 and min(each.shape) > 1]
            if len(planes) != 1:
                raise InputError(f"{mask} holds no array mask", "save the mask under that name")
            array = planes[0]
        colours = read_bgr(picture)
        matte = matte_of_samples(mask, np.ascontiguousarray(array))
        if matte.shape != colours.shape[:2]:
            raise InputError(
                f"{mask} is {matte.shape[1]}x{matte.shape[0]}, {picture.name} is {colours.shape[1]}x{colours.shape[0]}",
                "take the cropped pictures, images_data_crop",
            )
        return fitted(colours, matte)

    return read
