"""Pascal VOC's segmentation, and what is laid out like it.

    JPEGImages/2007_000032.jpg
    SegmentationClass/2007_000032.png     numbers of classes with a palette: 15 is person, 255 is undecided
    ImageSets/Segmentation/*.txt          not needed
    labelmap.txt                          of other programs: name:red,green,blue::, where colours are other ones

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
    folders_below,
    is_person,
    listing,
    of_one_shape,
    white,
)
from vcam.datasets.store import listed
from vcam.errors import InputError, UsageError
from vcam.images import Raw, read_raw, turned_samples
from vcam.types import U8

PERSON, VOID = 15, 255
_COLOURS = {PERSON: (192, 128, 128), VOID: (224, 224, 192)}
"""VOC's own colours, RGB, of those numbers; for programs that have lost the palette."""

_CLASSES = ("SegmentationClass", "SegmentationClassAug", "SegmentationClassPNG")


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
            colours = _labels(root / "labelmap.txt")
            prefix = "" if root == source else f"{root.name}_"
            seen: set[str] = set()
            for name in (each for each in _CLASSES if (root / each).is_dir()):
                # SegmentationClassAug has more pictures, and coarser ones of those that were there
                new = [matte for matte in listed(root / name) if matte.stem not in seen]
                seen.update(matte.stem for matte in new)
                for matte in new:
                    if matte.stem in pictures:
                        picture = pictures[matte.stem]
                        samples.append(Sample(f"{prefix}{matte.stem}", _reader(picture, matte, colours), picture))
                    else:
                        plan.leave("no picture", str(matte.relative_to(source)))
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


def _labels(path: Path) -> list[tuple[int, int, int]] | None:
    """The colours, RGB, of classes that are people, None where no file says them. Raises `InputError`."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    found = []
    for number, line in enumerate(lines, 1):
        name, _, rest = line.partition(":")
        if line.startswith("#") or not is_person(name):
            continue
        try:
            red, green, blue = (int(level) for level in rest.split(":")[0].split(","))
        except ValueError as error:
            raise InputError(f"{path}, line {number}: there is no colour", "write name:red,green,blue::") from error
        found.append((red, green, blue))
    return found


def _reader(picture: Path, matte: Path, colours: list[tuple[int, int, int]] | None) -> Read:
    def read() -> tuple[U8, U8]:
        try:
            raw = read_raw(matte)
        except UsageError as error:
            raise InputError(error.message, error.hint) from error
        person = _person(matte, raw) if colours is None else _of_colours(matte, raw, colours)
        if not person.any():
            raise NobodyError(matte)
        return of_one_shape(picture, matte, np.ascontiguousarray(turned_samples(person, raw.orientation)))

    return read


def _of_colours(path: Path, raw: Raw, colours: list[tuple[int, int, int]]) -> U8:
    samples = raw.samples
    if samples.ndim == 2:
        if raw.palette is None:
            raise InputError(f"{path} has no colours, as labelmap.txt says it has", "export it again")
        entries = np.zeros((256, 3), np.uint8)
        entries[: len(raw.palette)] = raw.palette[:256]
        samples = entries[samples]
    person = np.zeros(samples.shape[:2], np.bool_)
    for colour in colours:
        person |= np.all(samples == np.array(colour), axis=2)
    return white(person)


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
