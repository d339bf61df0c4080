"""What is wrong with a data set, and what it is made of."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from vcam.datasets.fingerprints import Fingerprint, fingerprint, near_pairs
from vcam.datasets.folder import Pair, fitting_matte
from vcam.datasets.mattes import collected_warnings, matte_of
from vcam.datasets.store import IMG, INDEX, MASK, SPLITS, Dataset, Entry, listed
from vcam.errors import InputError, VcamError
from vcam.images import Raw, read_raw, read_turned, write_image
from vcam.types import U8


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding. wrong: the command ends with 1 if there are any. mended: `--fix` does it. {data} is the data
    set in a cure."""

    title: str
    cure: str
    wrong: bool = True
    mended: bool = False


KINDS = {
    "broken": Kind("cannot be read", "export or download them again, or remove them"),
    "missing": Kind("no picture or no matte", "add what is missing, or remove what is left"),
    "shape": Kind("a matte of another shape", "make the mattes for these pictures again"),
    "inverted": Kind("an inverted matte: the background is 255", "vcam dataset check {data} --fix inverts them",
                     mended=True),
    "values": Kind("a matte darker than 255", "vcam dataset check {data} --fix stretches them",
                   mended=True),
    "empty": Kind("an empty matte", "remove them; or --allow empty, if nobody is in these pictures"),
    "full": Kind("a full matte", "make them again; or --allow full, if a person fills these pictures"),
    "twice": Kind("one picture under two names", "remove one of each two"),
    "leak": Kind("nearly the same picture in two splits", "vcam dataset split {data} puts them into one"),
    "split": Kind("nothing to learn from, or nothing to choose by", "vcam dataset split {data}; it takes two at least"),
    "near": Kind("nearly the same picture in one split", "nothing has to be done", wrong=False),
    "smaller": Kind("a matte smaller than the picture", "it is enlarged, and its edge is as rough", wrong=False),
    "form": Kind("a matte that is not grey of 8 bits", "vcam reads it; --fix writes it so for other programs",
                 wrong=False, mended=True),
    "small": Kind("smaller than 96 pixels", "networks look at 128 and more", wrong=False),
    "unlisted": Kind("in the folder, and not in the index", "vcam dataset import brings pictures in", wrong=False),
}  # fmt: skip
"""What is looked for, by its word, in the order in which it is told."""

_FULL = 0.98
_SMALL = 96
_BRIGHT = 200
"""The least that a matte with somebody in it has to reach."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a picture. other: of two, the second one's name."""

    kind: str
    name: str
    said: str = ""
    other: str = ""


@dataclass(slots=True)
class Look:
    """What one picture is. size is (0, 0) where it could not be read."""

    entry: Entry
    findings: list[Finding] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    share: float = 0.0
    upside: int = 0
    digest: bytes = b""
    print: Fingerprint | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings, what was mended of them, and figures for people and scripts."""

    findings: list[Finding]
    mended: list[Finding]
    statistics: dict[str, Any]

    def wrong(self, allowed: Sequence[str] = ()) -> list[Finding]:
        """The findings that are faults, but for kinds that are allowed."""
        return [one for one in self.findings if KINDS[one.kind].wrong and one.kind not in allowed]


def check(
    data: Dataset, *, fix: bool = False, workers: int = 2, progress: Callable[[int], None] = lambda done: None
) -> Verdict:
    """Look at every picture of a data set in full.

    fix: mattes that are inverted, too dark or of another form are written anew. progress: told how many are done.
    Raises `OutputError` if one cannot be written.
    """
    looks: list[Look] = []
    with collected_warnings(), ThreadPoolExecutor(workers) as pool:
        for number, look in enumerate(pool.map(_look, data.entries)):
            looks.append(look)
            progress(number + 1)
    _judge_upside(looks)
    findings = [one for look in looks for one in look.findings]
    mended: list[Finding] = []
    if fix:
        wanted = {one.name for one in findings if KINDS[one.kind].mended}
        for look in looks:
            if look.entry.name in wanted:
                _mend(look)
        mended = [one for one in findings if KINDS[one.kind].mended]
        findings = [one for one in findings if not KINDS[one.kind].mended]
    findings += _alone(data) + _doubles(looks) + _splits(data)
    order = list(KINDS)
    findings.sort(key=lambda one: order.index(one.kind))
    return Verdict(findings, mended, _statistics(looks))


def _look(entry: Entry) -> Look:
    look = Look(entry)

    def find(kind: str, said: str = "") -> None:
        look.findings.append(Finding(kind, entry.name, said))

    for what, path in (("picture", entry.picture), ("matte", entry.matte)):
        if not path.exists():
            find("missing", f"there is no {what} {path}")
    if look.findings:
        return look
    try:
        picture, turn = read_turned(entry.picture)
        raw = read_raw(entry.matte)
        matte = matte_of(entry.matte, raw)
    except VcamError as error:
        find("broken", error.message)
        return look
    look.size = picture.shape[1], picture.shape[0]
    look.digest = hashlib.sha256(entry.picture.read_bytes()).digest()
    look.print = fingerprint(picture)
    try:
        matte = fitting_matte(Pair(entry.picture, entry.matte, False), picture, turn)
    except InputError as error:
        find("shape", error.message)
        return look
    if min(look.size) < _SMALL:
        find("small", f"{look.size[0]}x{look.size[1]}")
    if matte.shape[0] < picture.shape[0]:
        find("smaller", f"{matte.shape[1]}x{matte.shape[0]} for {look.size[0]}x{look.size[1]}")
    _look_at_matte(look, matte, raw, find)
    return look


def _look_at_matte(look: Look, matte: U8, raw: Raw, find: Callable[[str, str], None]) -> None:
    person = matte >= 128
    look.share = float(person.mean())
    top = int(matte.max())
    plain = raw.samples.ndim == 2 and raw.samples.dtype == np.uint8 and raw.palette is None and raw.alpha is None
    if plain and int(raw.samples.max()) == 1:
        find("values", "0 and 1, not 0 and 255")
    elif 0 < top < _BRIGHT:
        find("values", f"nothing is brighter than {top} of 255")
    elif top == 0 or not person.any():
        find("empty", "")
    elif look.share > _FULL:
        find("full", f"{look.share:.1%} of it")
    if not plain:
        find("form", _form(raw))
    look.upside = _upside(person)


def _form(raw: Raw) -> str:
    if raw.palette is not None:
        return "a palette"
    if raw.alpha is not None:
        return "an alpha"
    return "colours" if raw.samples.ndim == 3 else f"{8 * raw.samples.dtype.itemsize} bits"


def _upside(person: np.ndarray) -> int:
    """-1 for a matte that looks inverted, 1 for one that does not, 0 if nobody can say.

    Portraits have their upper corners free, and somebody in the middle.
    """
    rows, columns = (max(1, side * 15 // 100) for side in person.shape)
    corners = np.mean([person[:rows, :columns].mean(), person[:rows, -columns:].mean()])
    height, width = person.shape
    middle = person[height // 3 :, width * 3 // 10 : width * 7 // 10 + 1].mean()
    if corners > 0.9 and middle < 0.25:
        return -1
    return 1 if corners < 0.5 else 0


def _judge_upside(looks: list[Look]) -> None:
    """Mattes of one source are made by one program: if most are inverted, all are; else those that look it."""
    sources: dict[str, list[Look]] = {}
    for look in looks:
        if look.size != (0, 0):
            sources.setdefault(look.entry.source, []).append(look)
    for group in sources.values():
        inverted = [look for look in group if look.upside < 0]
        most = len(group) > 3 and len(inverted) > 2 * sum(look.upside > 0 for look in group)
        for look in group if most and inverted else inverted:
            # what is full or empty looks so because it is inverted, or the other way round
            look.findings = [one for one in look.findings if one.kind not in ("empty", "full")]
            said = "looks inverted" if look.upside < 0 else "most of its source are inverted"
            look.findings.append(Finding("inverted", look.entry.name, said))


def _mend(look: Look) -> None:
    kinds = {one.kind for one in look.findings}
    entry = look.entry
    matte = matte_of(entry.matte, read_raw(entry.matte))
    if "values" in kinds and (top := int(matte.max())) < _BRIGHT:
        matte = np.rint(matte.astype(np.float32) * (255 / top)).astype(np.uint8)
    if "inverted" in kinds:
        matte = cv2.bitwise_not(matte).astype(np.uint8, copy=False)
    target = entry.matte.with_suffix(".png")
    write_image(target, matte)
    if target != entry.matte:
        entry.matte.unlink()


def _alone(data: Dataset) -> list[Finding]:
    """Files of a data set that belong to none of its pictures."""
    known = {entry.name for entry in data.entries}
    indexed = (data.folder / INDEX).exists()
    parts = {part: [path for path in listed(data.folder / part) if path.stem not in known]
             for part in (IMG, MASK) if (data.folder / part).is_dir()}  # fmt: skip
    if indexed:
        return [Finding("unlisted", path.stem, str(path)) for path in parts.get(IMG, [])]
    found = [Finding("missing", path.stem, f"there is no matte to {path}") for path in parts.get(IMG, [])]
    return found + [Finding("missing", path.stem, f"there is no picture to {path}") for path in parts.get(MASK, [])]


def _doubles(looks: list[Look]) -> list[Finding]:
    seen = [look for look in looks if look.print is not None]
    found: list[Finding] = []
    first: dict[bytes, Look] = {}
    same: set[tuple[str, str]] = set()
    for look in seen:
        other = first.setdefault(look.digest, look)
        if other is not look and not _one_clip(other.entry, look.entry):
            same.add((other.entry.name, look.entry.name))
            found.append(Finding("twice", other.entry.name, _where(other.entry, look.entry), look.entry.name))
    prints = [look.print for look in seen if look.print is not None]
    for one, two in near_pairs(prints, [look.entry.clip for look in seen]):
        both = seen[one].entry, seen[two].entry
        if seen[one].digest == seen[two].digest:
            continue
        kind = "near" if both[0].split == both[1].split else "leak"
        found.append(Finding(kind, both[0].name, _where(*both), both[1].name))
    return found


def _one_clip(one: Entry, two: Entry) -> bool:
    return bool(one.clip) and one.clip == two.clip


def _where(one: Entry, two: Entry) -> str:
    return one.split if one.split == two.split else f"{one.split} and {two.split}"


def _splits(data: Dataset) -> list[Finding]:
    """What training needs: something to learn from and something to choose by."""
    return [Finding("split", split, f"no picture is for {split}") for split in SPLITS[:2] if not data.part(split)]


def _statistics(looks: list[Look]) -> dict[str, Any]:
    read = [look for look in looks if look.size != (0, 0)]
    splits = {
        split: {
            "pictures": len(group),
            "clips": len({look.entry.clip for look in group if look.entry.clip}),
            "person": round(float(np.mean([look.share for look in group if look.size != (0, 0)] or [0])), 4),
        }
        for split in SPLITS
        if (group := [look for look in looks if look.entry.split == split])
    }
    sides = sorted(look.size for look in read)
    shares = [look.share for look in read]
    return {
        "pictures": len(looks),
        "read": len(read),
        "splits": splits,
        "licences": dict(Counter(look.entry.licence or "unknown" for look in looks).most_common()),
        "sources": dict(Counter(look.entry.source for look in looks).most_common()),
        "sizes": {f"{width}x{height}": count for (width, height), count in Counter(sides).most_common(5)},
        "kinds_of_sizes": len(set(sides)),
        "person": [round(float(each), 4) for each in np.percentile(shares, (0, 50, 100))] if shares else [],
    }
