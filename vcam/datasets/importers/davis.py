"""Clips whose frames lie in folders: DAVIS and YouTube-VOS.

    JPEGImages/480p/CLIP/00000.jpg, Annotations/480p/CLIP/00000.png      DAVIS; numbers of objects, or black and white
    JPEGImages/CLIP/00000.jpg, Annotations/CLIP/00000.png, meta.json     YouTube-VOS; meta.json says which are persons

The number 255 is a pixel that nobody has decided upon, and not a person, but in the sets of 2016, which are black and
white. DAVIS does not say which objects are persons, so all of them are taken; choose the clips. Both annotate some
frames only, YouTube-VOS every fifth; the others are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    read_json,
    white,
)
from vcam.datasets.store import listed
from vcam.errors import InputError, UsageError
from vcam.images import read_raw
from vcam.types import U8

VOID = 255

_SIZES = ("480p", "Full-Resolution", "1080p")
"""DAVIS has its frames in these, one is enough."""


class Davis:
    """The folders of DAVIS, in one of its sizes."""

    name = "davis"
    title = "DAVIS: JPEGImages/480p/CLIP/N.jpg, Annotations/480p/CLIP/N.png; every object is taken for a person"

    def recognises(self, source: Path) -> bool:
        """Whether both folders are there, with a size in them."""
        return bool(_davis(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """The frames of all clips."""
        found = _davis(source)
        if not found:
            raise InputError(
                f"{source} is not DAVIS: there are no JPEGImages/480p and Annotations/480p", "give the folder of both"
            )
        plan = Plan((), notes=["DAVIS does not say which objects are persons: all of them are taken"])
        pictures, mattes = found
        samples = [
            Sample(f"{clip}-{stem}", _reader(picture, matte, None), picture, clip, _number(stem))
            for clip, stem, picture, matte in _frames(pictures, mattes, plan)
        ]
        if not samples:
            raise InputError(f"there are no annotated frames in {source}", "unpack the set again")
        return listing(plan, samples, options.every)


class YouTubeVos:
    """One part of it, as train/, with its meta.json."""

    name = "youtube-vos"
    title = "YouTube-VOS: JPEGImages/CLIP/N.jpg, Annotations/CLIP/N.png, meta.json; objects of the class person"

    def recognises(self, source: Path) -> bool:
        """Whether meta.json lies beside both folders."""
        return bool(_youtube(source))

    def plan(self, source: Path, options: Options) -> Plan:
        """The annotated frames of clips with persons."""
        parts = _youtube(source)
        if not parts:
            raise InputError(f"there is no meta.json beside JPEGImages and Annotations in {source}", "give that folder")
        plan = Plan(())
        samples: list[Sample] = []
        for part in parts:
            people = _people(part / "meta.json")
            for clip, stem, picture, matte in _frames(part / "JPEGImages", part / "Annotations", plan):
                if numbers := people.get(clip):
                    samples.append(
                        Sample(f"{clip}-{stem}", _reader(picture, matte, numbers), picture, clip, _number(stem))
                    )
                elif clip not in plan.left.get("no person in the clip", ()):
                    plan.leave("no person in the clip", clip)
        if not samples:
            raise InputError(f"there are no frames of persons in {source}", "give the part that is annotated, train/")
        return listing(plan, samples, options.every)


def _davis(source: Path) -> tuple[Path, Path] | None:
    for root in (source, source / "DAVIS"):
        for size in _SIZES:
            both = root / "JPEGImages" / size, root / "Annotations" / size
            if all(each.is_dir() for each in both):
                return both
    return None


def _youtube(source: Path) -> list[Path]:
    if not source.is_dir():
        return []
    return [
        folder
        for folder in folders_below(source, 2)
        if all((folder / name).exists() for name in ("meta.json", "JPEGImages", "Annotations"))
    ]


def _frames(pictures: Path, mattes: Path, plan: Plan) -> list[tuple[str, str, Path, Path]]:
    """Clip, number, picture and annotation of each frame that has both."""
    frames = []
    for folder in sorted(each for each in pictures.iterdir() if each.is_dir() and not each.name.startswith(".")):
        annotations = by_stem(mattes / folder.name)
        for picture in listed(folder):
            if picture.stem in annotations:
                frames.append((folder.name, picture.stem, picture, annotations[picture.stem]))
            else:
                plan.leave("not annotated", f"{folder.name}/{picture.name}")
    return frames


def _number(stem: str) -> int:
    return int(stem) if stem.isascii() and stem.isdigit() and len(stem) < 10 else 0


def _people(path: Path) -> dict[str, tuple[int, ...]]:
    """The numbers of persons in each clip."""
    told: Any = read_json(path)
    try:
        return {
            str(clip): tuple(
                int(number) for number, each in video["objects"].items() if is_person(str(each["category"]))
            )
            for clip, video in told["videos"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} does not say of which class the objects are", "take the meta.json of YouTube-VOS"
        ) from error


def _objects(samples: np.ndarray, palette: U8 | None) -> np.ndarray:
    """Where an object is, as davis2017-evaluation reads it."""
    if samples.ndim == 3:
        return np.asarray(samples.max(axis=2) > 0)
    coloured = palette is not None and len(palette) > VOID and tuple(palette[VOID]) != (255, 255, 255)
    if coloured or np.any((samples > 0) & (samples < VOID)):
        return np.asarray((samples > 0) & (samples != VOID))
    return np.asarray(samples > 0)


def _reader(picture: Path, matte: Path, numbers: tuple[int, ...] | None) -> Read:
    """numbers: of the objects that are people, None for all of them."""

    def read() -> tuple[U8, U8]:
        try:
            raw = read_raw(matte)
        except UsageError as error:
            raise InputError(error.message, error.hint) from error
        samples = raw.samples
        if numbers is None:
            people = white(_objects(samples, raw.palette))
        elif samples.ndim == 2:
            people = white(np.isin(samples, numbers))
        else:
            raise InputError(f"{matte} has no numbers of objects, but colours", "download it again")
        if not people.any():
            raise NobodyError(matte)
        return of_one_shape(picture, matte, people)

    return read
