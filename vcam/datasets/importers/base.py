"""What an importer is: it looks into a source and plans which pictures there are, without reading them yet."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np

from vcam.datasets.folder import Pair, alike, fitting_matte
from vcam.datasets.mattes import matte_of
from vcam.datasets.store import listed
from vcam.errors import InputError, UsageError
from vcam.images import Raw, read_image, read_turned
from vcam.types import U8

PERSON_WORDS = frozenset({"person", "people", "human", "humans", "man", "woman", "boy", "girl", "child", "pedestrian"})
"""Names of classes that are people, in small letters; `is_person` knows more of how they are written."""

Read: TypeAlias = Callable[[], tuple[U8, U8]]
"""Gives a picture, BGR uint8 (height, width, 3), with its matte of the same size, uint8 (height, width), 0..255."""

_MOST_JSON = 4 << 30


@dataclass(frozen=True, slots=True)
class Options:
    """every: every so many pictures of a clip, or of the stills together. clips: each folder of pictures is a film."""

    every: int = 1
    clips: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture that can be had. `read` raises `InputError` for what it cannot give.

    name: what its name is made of. file: the picture's own file, None where it is made of something else. exact: it is
    kept without loss, because a JPEG would smear what lies beside the person. split: where the source has it, "" if
    that is to be decided.
    """

    name: str
    read: Read
    file: Path | None = None
    clip: str = ""
    frame: int = 0
    licence: str = ""
    exact: bool = False
    split: str = ""


@dataclass(slots=True)
class Plan:
    """What a source holds. `samples` is gone through once; total: how many there will be, None if nobody knows.

    left: what is left out, by the reason; more may come while the samples are gone through. notes: what a person should
    know of how this source was understood.
    """

    samples: Iterable[Sample]
    total: int | None = None
    left: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave(self, why: str, what: str) -> None:
        """Count something that is left out; `why` is a few words that several things share."""
        self.left.setdefault(why, []).append(what)


class NobodyError(InputError):
    """A picture in which its annotation has no person."""

    def __init__(self, where: Path | str) -> None:
        super().__init__(f"{where} has no person", "it is left out")


class Importer(Protocol):
    """One format of sources."""

    @property
    def name(self) -> str:
        """The word for `--from`."""

    @property
    def title(self) -> str:
        """For people: what it is, and how it lies on the disk."""

    def recognises(self, source: Path) -> bool:
        """Whether a source, a folder or a file that is there, looks like this format. It is quick and never raises."""

    def plan(self, source: Path, options: Options) -> Plan:
        """What the source holds. Raises `InputError` with the cure for one that is not of this format."""


def is_person(title: str) -> bool:
    """Whether the name of a class is that of people: "person", "Person_bmp", "man standing"."""
    words = title.lower().replace("_", " ").replace("-", " ").split()
    return bool(words) and any(word in PERSON_WORDS for word in words)


def listing(plan: Plan, samples: list[Sample], every: int) -> Plan:
    """Put these samples into a plan, every so many of each clip, and of the stills together."""
    if every > 1:
        seen: dict[str, int] = {}
        kept = []
        for sample in samples:
            number = seen[sample.clip] = seen.get(sample.clip, -1) + 1
            if number % every == 0:
                kept.append(sample)
        samples = kept
    plan.samples, plan.total = samples, len(samples)
    return plan


def file_pair(picture: Path, matte: Path) -> Read:
    """A `read` for a picture's file with that of its matte, which may be smaller."""

    def read() -> tuple[U8, U8]:
        try:
            colours, turn = read_turned(picture)
            return fitted(colours, fitting_matte(Pair(picture, matte, False), colours, turn))
        except UsageError as error:
            raise InputError(error.message, error.hint) from error

    return read


def fitted(picture: U8, matte: U8) -> tuple[U8, U8]:
    """Both in the picture's size."""
    size = (picture.shape[1], picture.shape[0])
    if matte.shape[1::-1] != size:
        smaller = matte.shape[0] > picture.shape[0]
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        matte = cv2.resize(matte, size, interpolation=way).astype(np.uint8, copy=False)
    return picture, matte


def of_one_shape(picture: Path, where: Path, matte: U8) -> tuple[U8, U8]:
    """A picture's file with its matte, in the picture's size. Raises `InputError` if they are of two shapes."""
    colours = read_bgr(picture)
    own, other = (matte.shape[1], matte.shape[0]), (colours.shape[1], colours.shape[0])
    if not alike(own, other):
        sizes = f"{where} is {own[0]}x{own[1]}, {picture.name} is {other[0]}x{other[1]}"
        raise InputError(sizes, "download both again")
    return fitted(colours, matte)


def matte_of_samples(where: Path, samples: np.ndarray) -> U8:
    """A matte of numbers from no picture, (height, width[, 1]); `where` is for people. Raises `InputError`."""
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if samples.ndim != 2 or samples.dtype.kind not in "buif" or 0 in samples.shape:
        shape = "x".join(str(side) for side in samples.shape)
        raise InputError(f"{where} holds no matte, but {shape} of {samples.dtype}", "a matte is a plane of numbers")
    if samples.dtype.kind == "b":
        return white(samples)
    if float(np.nanmax(samples)) == 1 and np.isin(samples, (0, 1)).all():
        return white(samples == 1)
    return matte_of(where, Raw(samples, None, None, 1, False))


def white(where: np.ndarray) -> U8:
    """A mask of yes and no as uint8, 255 and 0."""
    return np.where(where, np.uint8(255), np.uint8(0))


def read_bgr(path: Path) -> U8:
    """As `vcam.images.read_image`; a missing file is an `InputError`, too: a list may name what is not there."""
    try:
        return read_image(path)
    except UsageError as error:
        raise InputError(error.message, error.hint) from error


def read_json(path: Path) -> Any:
    """What a file of JSON holds. Raises `InputError`, which names the file, and the line where it is broken."""
    try:
        if path.stat().st_size > _MOST_JSON:
            raise InputError(f"{path} is too large a file", "split it")
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}", "download or export it again") from error
    except (ValueError, RecursionError) as error:
        # not UTF-8, or a number of thousands of digits
        raise InputError(f"{path} is no JSON", "download or export it again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", f"ls -l {path}") from error


def inside(folder: Path, name: str) -> Path | None:
    """The path of a file that a list in a folder names, None if it would be outside of that folder."""
    if not name or "\0" in name:
        return None
    parts = Path(name.replace("\\", "/")).parts
    return None if ".." in parts or parts[0] == "/" else folder.joinpath(*parts)


def folders_below(folder: Path, depth: int = 4) -> Iterator[Path]:
    """A folder and those in it, in the order of their names, hidden ones left out. Links are followed, in no circle."""
    yield from _below(folder, depth, frozenset())


def _below(folder: Path, depth: int, way: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in way:
        return
    yield folder
    if depth == 0:
        return
    try:
        inner = sorted(each for each in folder.iterdir() if not each.name.startswith(".") and each.is_dir())
    except OSError:
        return
    for each in inner:
        yield from _below(each, depth - 1, way | {real})


def by_stem(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their names without suffix, none if there is no such folder."""
    return {path.stem: path for path in listed(folder)} if folder.is_dir() else {}
