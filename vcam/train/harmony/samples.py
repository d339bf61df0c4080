"""Pictures of a folder as samples: a place as it is, a region of it, and that region disturbed."""

from __future__ import annotations

import os
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from torch.utils.data import Dataset

from vcam.errors import InputError, UsageError, VcamError
from vcam.images import pictures_in, read_turned
from vcam.printable import printable
from vcam.train.harmony.disturb import disturbed, taken_otherwise, to_planes
from vcam.train.harmony.shapes import Chance, region
from vcam.types import F32, U8

IMG, MASK = "img", "mask"
KEPT_SIDE = 384
"""Pixels of a picture's shorter side that are kept in memory."""
KEPT = 640 << 20
"""Bytes of decoded pictures that are kept, over all workers."""
AS_IT_IS = 0.15
"""Share of the samples in which nothing is disturbed."""
PERSON = 0.85
"""Share of the samples of a picture with a matte in which the region is that person."""
VAL_EVERY = 10
"""One group of pictures of so many is for validation."""
FLAT = 2.0
"""Levels: a picture whose samples spread less has nothing to teach."""
_LIGHTEST = 0.02
"""Share of a crop that the person has to fill."""
_MATTES = 400
"""Mattes that regions are taken from."""

Sample: TypeAlias = dict[str, Any]
"""uint8 "picture" (4, H, W): Y, Cb, Cr and matte as the network sees them; uint8 "true" (3, H, W): the planes before;
"changed": whether anything was disturbed; "number": the sample's own; "broken": pairs of a path and the reason."""


@dataclass(frozen=True, slots=True)
class Source:
    """A picture, and its matte if there is one. group: pictures of one group are in one split."""

    picture: Path
    matte: Path | None
    group: str


def sources(folder: Path) -> list[Source]:
    """All pictures of a folder and the folders in it, in the order of their names.

    `…/img/NAME.*` with `…/mask/NAME.*`, as data sets of vcam have them, is a picture with its person. Names that are
    alike before `--` are one group. Raises `UsageError` if there is no such folder, `InputError` without pictures.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", "give a folder of pictures")
    found: list[Source] = []
    try:
        for here, inside, _ in os.walk(folder, onerror=_raise, followlinks=False):
            place = Path(here)
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            mattes: dict[str, Path] = {}
            if IMG in inside and MASK in inside:
                inside.remove(MASK)
            if place.name == IMG and (place.parent / MASK).is_dir():
                mattes = {each.stem: each for each in pictures_in(place.parent / MASK)}
            for picture in pictures_in(place):
                name = f"{place.relative_to(folder)}/{picture.stem}"
                found.append(Source(picture, mattes.get(picture.stem), name.partition("--")[0]))
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}", f"ls -ld {folder}") from error
    if not found:
        raise InputError(f"there are no pictures in {folder}", "give a folder of photographs, with people or without")
    return found


def _raise(error: OSError) -> None:
    raise error


def split(found: Sequence[Source]) -> tuple[list[Source], list[Source]]:
    """To train with and to validate with: one group of ten, by its name. Raises `InputError` if there is but one."""
    groups = sorted({each.group for each in found})
    if len(groups) < 2:
        what = "one picture" if len(found) == 1 else "one group of pictures"
        raise InputError(f"there is {what}: nothing is left to validate with", "give pictures of more places")
    held = {name for name in groups if zlib.crc32(name.encode("utf-8", "surrogateescape")) % VAL_EVERY == 0}
    if not held or len(held) == len(groups):
        held = {groups[0]}
    return [each for each in found if each.group not in held], [each for each in found if each.group in held]


@dataclass(slots=True)
class _Kept:
    picture: U8
    matte: U8 | None


class Samples(Dataset[Sample]):
    """Samples by number, without end. One depends on seed and number alone, not on the worker that makes it."""

    def __init__(self, found: Sequence[Source], side: int, seed: int, *, share: int = 1) -> None:
        """side: of the network's picture. share: how many processes keep pictures beside each other."""
        self.sources, self.side, self.seed, self.share = list(found), side, seed, share
        self._mattes = [each for each in self.sources if each.matte][:: max(1, len(self.sources) // _MATTES)]
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._failed: dict[int, str] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.sources)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": OrderedDict(), "_bytes": 0}

    def __getitems__(self, numbers: list[int]) -> list[Sample | VcamError]:
        """Those of a batch, for PyTorch. What is raised is handed over: a worker's error loses its words."""
        try:
            return [self[number] for number in numbers]
        except VcamError as error:
            return [error]

    def __getitem__(self, number: int) -> Sample:
        """A broken picture is replaced by another one. Raises `InputError` if all are broken, or of one colour."""
        chance = np.random.default_rng([self.seed, number])
        broken: list[tuple[Path, str]] = []
        first = int(chance.integers(len(self.sources)))
        for step in range(len(self.sources)):
            kept = self._read((first + step) % len(self.sources), broken)
            if kept is not None:
                picture, true, changed = self._made(kept, chance)
                return {"picture": picture, "true": true, "changed": changed, "number": number, "broken": broken}
        raise InputError(
            f"none of {len(self.sources)} pictures is of use: {next(iter(self._failed.values()), 'unknown')}",
            "give photographs of places, in a format that vcam reads",
        )

    def _made(self, kept: _Kept, chance: Chance) -> tuple[U8, U8, bool]:
        colours, matte = self._cut(kept, chance)
        if matte is None:
            matte = region(chance, self.side, self._other_mattes(chance))
        if chance.random() < 0.5:
            matte = cv2.GaussianBlur(matte, (0, 0), float(np.exp(chance.uniform(-0.7, 0.9)))).astype(np.uint8)
        true = np.rint(to_planes(taken_otherwise(colours, chance)))
        changed = chance.random() >= AS_IT_IS
        shown = true
        if changed:
            share = matte.astype(np.float32) / 255
            shown = np.rint(share * disturbed(true, chance) + (1 - share) * true)
        picture = np.concatenate([shown, matte[None]]).astype(np.uint8)
        return picture, true.astype(np.uint8), bool(changed)

    def _cut(self, kept: _Kept, chance: Chance) -> tuple[F32, U8 | None]:
        """A part of a picture, RGB 0..1, squeezed to the network's shape, and its matte if the person is meant."""
        height, width = kept.picture.shape[:2]
        person = kept.matte is not None and chance.random() < PERSON
        size, corner = (width, height), (0, 0)
        for _ in range(6):
            aspect = float(np.exp(chance.uniform(np.log(0.9), np.log(1.9))))
            across = min(width, height * aspect) * (chance.uniform(0.55, 1) if person else chance.uniform(0.35, 1))
            size = max(2, round(across)), max(2, min(height, round(across / aspect)))
            corner = int(chance.integers(width - size[0] + 1)), int(chance.integers(height - size[1] + 1))
            if not person or float(_part(kept.matte, corner, size).mean()) / 255 > _LIGHTEST:
                break
        else:
            size, corner = (width, height), (0, 0)
        target = (self.side, self.side)
        part = cv2.resize(_part(kept.picture, corner, size), target, interpolation=cv2.INTER_AREA)
        mirrored = chance.random() < 0.5
        colours = part[:, ::-1] if mirrored else part
        matte: U8 | None = None
        if person:
            cut = cv2.resize(_part(kept.matte, corner, size), target, interpolation=cv2.INTER_AREA)
            matte = np.ascontiguousarray(cut[:, ::-1] if mirrored else cut, np.uint8)
        return np.ascontiguousarray(colours[..., ::-1], np.float32) / np.float32(255), matte

    def _other_mattes(self, chance: Chance) -> list[U8]:
        """The matte of one other picture, if there is any."""
        if not self._mattes:
            return []
        path = self._mattes[int(chance.integers(len(self._mattes)))].matte
        assert path is not None
        try:
            return [_small(_grey(path))]
        except VcamError:
            return []

    def _read(self, index: int, broken: list[tuple[Path, str]]) -> _Kept | None:
        if index in self._failed:
            return None
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        source = self.sources[index]
        try:
            picture, _ = read_turned(source.picture, KEPT_SIDE)
            kept = _Kept(_small(picture), None)
            if kept.picture.std() < FLAT:
                raise InputError(f"{source.picture.name} is of one colour", "leave it out")
            if source.matte is not None:
                matte = _grey(source.matte)
                kept.matte = cv2.resize(matte, kept.picture.shape[1::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
                if kept.matte.mean() < 255 * _LIGHTEST:
                    kept.matte = None
        except VcamError as error:
            self._failed[index] = printable(error.message)
            broken.append((source.picture, printable(error.message)))
            return None
        self._keep(index, kept)
        return kept

    def _keep(self, index: int, kept: _Kept) -> None:
        self._kept[index] = kept
        self._bytes += _bytes(kept)
        while self._bytes > KEPT // max(self.share, 1) and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._bytes -= _bytes(old)


def _bytes(kept: _Kept) -> int:
    return kept.picture.nbytes + (kept.matte.nbytes if kept.matte is not None else 0)


def _grey(path: Path) -> U8:
    return np.ascontiguousarray(read_turned(path, KEPT_SIDE)[0][..., 1])


def _small(samples: U8) -> U8:
    """At most `KEPT_SIDE` pixels on the shorter side."""
    height, width = samples.shape[:2]
    less = KEPT_SIDE / min(height, width)
    if less >= 1:
        return samples
    size = max(1, round(width * less)), max(1, round(height * less))
    return cv2.resize(samples, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _part(samples: U8 | None, corner: tuple[int, int], size: tuple[int, int]) -> U8:
    assert samples is not None
    return samples[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
