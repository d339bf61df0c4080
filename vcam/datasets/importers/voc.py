"""Pascal VOC's segmentation, and what is laid out like it.

    JPEGImages/2007_000032.jpg
    SegmentationClass/2007_000032.png     numbers of classes with a palette: 15 is person, 255 is undecided
    ImageSets/Segmentation/*.txt          not needed

What is undecided, a rim around every object, goes to whatever is nearest.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from vcam.datasets.importers.base import (
    NobodyError,
    Options,
    Plan,
    Read,
    Sample,
    by_stem,
    fitted,
    folders_below,
    listing,
    read_bgr,
    white,
)
from vcam.datasets.store import listed
from vcam.errors import InputError, UsageError
from vcam.images import Raw, read_raw, turned_samples
from vcam.types import U8

PERSON, VOID = 15, 255
_COLOURS = {PERSON: (192, 128, 128), VOID: (224, 224, 192)}
"""VOC's own colours, RGB, of those numbers; for programs that have lost the palette."""

_CLASSES = ("SegmentationClass", "SegmentationClassAug")


class PascalVoc:
    """One devkit, or folders that hold one: VOCdevkit/VOC2012."""

    name = "voc"
    title = "Pascal VOC: JPEGImages/X.jpg, SegmentationClass/X.png, whose class 15 is person"

    def recognises(self, source: Path) -> bool:
        """Whether the two folders are there, at most two levels down."""
        return bool(_roots(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """Every picture with a segmentation; those without a person are left out when they are read."""
        plan = Plan(())
        samples = []
        for root in _roots(source):
            pictures = by_stem(root / "JPEGImages")
            prefix = "" if root == source else f"{root.name}_"
            for name in _CLASSES:
                if not (root / name).is_dir():
                    continue
                for matte in listed(root / name):
                    if matte.stem in pictures:
                        picture = pictures[matte.stem]
                        samples.append(Sample(f"{prefix}{matte.stem}", _reader(picture, matte), picture))
                    else:
                        plan.leave("no picture", str(matte.relative_to(source)))
                break
        if not samples:
            raise InputError(
                f"there are no segmentations in {source}", "give the folder of JPEGImages and SegmentationClass"
            )
        return listing(plan, samples, options.every)


def _roots(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    return [
        folder
        for folder in folders_below(source, 2)
        if (folder / "JPEGImages").is_dir() and any((folder / name).is_dir() for name in _CLASSES)
    ]


def _reader(picture: Path, matte: Path) -> Read:
    def read() -> tuple[U8, U8]:
        try:
            raw = read_raw(matte)
        except UsageError as error:
            raise InputError(error.message, error.hint) from error
        person = _person(matte, raw)
        if not person.any():
            raise NobodyError(matte)
        return fitted(read_bgr(picture), np.ascontiguousarray(turned_samples(person, raw.orientation)))

    return read


def _person(path: Path, raw: Raw) -> U8:
    samples = raw.samples
    if samples.ndim == 3:
        person, void = (np.all(samples == np.array(_COLOURS[number]), axis=2) for number in (PERSON, VOID))
    elif samples.dtype.kind in "ui":
        person, void = samples == PERSON, samples == VOID
    else:
        raise InputError(f"{path} has no numbers of classes", "download it again")
    matte = white(person)
    if void.any() and person.any():
        other = ~(person | void)
        # L2 to the nearest pixel of either kind
        to_person = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, 5)
        to_other = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, 5)
        matte[void & (to_person <= to_other if other.any() else True)] = 255
    return matte
