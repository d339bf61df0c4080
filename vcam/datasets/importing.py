"""Pictures of a source brought into a data set, so that it can be ended at any moment and gone on with later.

A picture is in the data set once its matte, its own file and its line in the index are written, in this order and each
whole. What the index has of this source is not made again.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import cv2
import numpy as np

from vcam.datasets.importers.base import NobodyError, Plan, Sample
from vcam.datasets.mattes import collected_warnings
from vcam.datasets.store import (
    IMG,
    INDEX,
    MASK,
    VAL,
    Entry,
    entry_of,
    open_dataset,
    read_index,
    safe_name,
    whose_split,
    write_index,
)
from vcam.errors import InputError, UsageError
from vcam.files import write_error, write_whole
from vcam.images import open_picture, write_image
from vcam.images.samples import orientation
from vcam.suffixes import IMAGE_SUFFIXES
from vcam.types import U8, Size

UNKNOWN = "unknown"
"""The licence of what nobody has said anything of."""

_UNDER_WAY = ".importing"
"""Lies in a data set while pictures of a source are brought in, and after an end that was none."""

_INDEX_EVERY = 2.0
"""Seconds after which the index is written again, and no sooner than twenty times what that takes."""

_WORKERS = min(4, os.cpu_count() or 1)
_COPIED = {"JPEG": ".jpg", "PNG": ".png"}


@dataclass(slots=True)
class Report:
    """What became of a source. left: what is left out, by the reason."""

    made: int = 0
    there: int = 0
    empty: int = 0
    left: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave(self, why: str, what: str) -> None:
        """Count something that is left out."""
        self.left.setdefault(why, []).append(what)


def bring_in(
    plan: Plan,
    data: Path,
    *,
    source: str,
    licence: str = "",
    size: int | None = None,
    limit: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Report:
    """Bring the samples of a plan into the data set in `data`, which is made if it is not there.

    source: what the index shall say of where they come from; pictures of one source that have the same name are the
    same. licence: of those that bring none of their own. size: the longest side, larger ones are made smaller. limit:
    how many at most. progress: told how many are done.

    Raises `UsageError` for a folder that is no data set or that another import is at work in, `InputError` if nothing
    could be used, `OutputError` if the system refuses to write; what was done by then is in the index.
    """
    with _alone(data):
        return _brought(plan, data, source, licence, size, limit, progress)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """No other process brings anything into a data set meanwhile: its index would lack what this one adds."""
    if data.exists() and not data.is_dir():
        raise UsageError(f"{data} is not a folder", "give the data set another name")
    try:
        data.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(data, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise write_error(data, error) from error
    try:
        # a file system without locks has none
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"something else is being brought into {data}", "wait until that has ended") from error
        yield
    finally:
        os.close(descriptor)


def _brought(
    plan: Plan, data: Path, source: str, licence: str, size: int | None, limit: int | None,
    progress: Callable[[int], None],
) -> Report:  # fmt: skip
    entries = _begun(data)
    report = Report(notes=plan.notes)
    names = _Names(entries, source, _others(data, entries, source))
    index = _Index(data, entries)
    done = False
    try:
        with collected_warnings() as said:
            _run(plan, _Work(data, names, index, report, source, licence, size, limit), progress)
        done = True
    finally:
        # what went wrong is told, not that the disk is still full
        with suppress(*(() if done else (Exception,))):
            index.write()
    with suppress(OSError):
        (data / _UNDER_WAY).unlink()
    if said:
        report.notes.append(said[0] + (f" ({len(said) - 1} more like this)" if len(said) > 1 else ""))
    for why, what in plan.left.items():
        report.left.setdefault(why, []).extend(what)
    _demand(report, source)
    return report


@dataclass(frozen=True, slots=True)
class _Work:
    """What is the same for all samples of a run."""

    data: Path
    names: _Names
    index: _Index
    report: Report
    source: str
    licence: str
    size: int | None
    limit: int | None

    def room(self) -> int:
        """How many more there may be."""
        return 1 << 30 if self.limit is None else self.limit - self.report.made - self.report.there


def _run(plan: Plan, work: _Work, progress: Callable[[int], None]) -> None:
    report = work.report
    made = _ahead(_wanted(plan.samples, work.names), lambda one: _made(one, work.data, work.size), work.room)
    for number, (sample, result) in enumerate(made):
        progress(number + 1)
        if isinstance(result, InputError):
            report.leave("no person" if isinstance(result, NobodyError) else "cannot be read", result.message)
        elif result is None:
            report.there += 1
            work.index.licensed(sample.name, work.licence or sample.licence)
        else:
            report.made += 1
            report.empty += not result
            licence = work.licence or sample.licence or UNKNOWN
            work.index.add(
                entry_of(work.data, sample.name, sample.split, licence, work.source, sample.clip, sample.frame)
            )  # fmt: skip


def _demand(report: Report, source: str) -> None:
    if report.made + report.there == 0:
        whys = ", ".join(f"{len(what)} {why}" for why, what in report.left.items()) or "it holds none"
        example = next((what[0] for what in report.left.values()), "")
        raise InputError(
            f"no picture of {source} could be used: {whys}" + (f"; the first: {example}" if example else ""),
            "vcam dataset import --help shows the formats; --from NAME says which it is",
        )
    if report.made and report.empty == report.made:
        report.notes.append("every matte is empty: nobody is in any of these pictures, or the mattes are other files")


def _begun(data: Path) -> dict[str, Entry]:
    """The entries of a data set by their names; its folders are made."""
    try:
        for part in (IMG, MASK):
            (data / part).mkdir(parents=True, exist_ok=True)
        bare = not any((data / IMG).iterdir())
    except OSError as error:
        raise write_error(data / IMG, error) from error
    if (data / INDEX).exists():
        return {entry.name: entry for entry in read_index(data)}
    entries = () if bare else open_dataset(data).entries
    # what is written from now on is not a data set without an index, whenever this ends
    write_index(data, entries)
    return {entry.name: entry for entry in entries}


def _others(data: Path, entries: dict[str, Entry], source: str) -> frozenset[str]:
    """Names of files that the index has not and that are not to be written over.

    They are somebody's own, or another source's; those that an ended import of this source has left are made again.
    """
    marker = data / _UNDER_WAY
    try:
        told = json.loads(marker.read_bytes())
        if told["source"] == source:
            return frozenset(map(str, told["others"]))
    except (OSError, ValueError, TypeError, KeyError):
        pass
    found = {path.stem for part in (IMG, MASK) for path in (data / part).iterdir()} - entries.keys()
    text = json.dumps({"source": source, "others": sorted(found)}).encode()
    write_whole(marker, lambda working: working.write_bytes(text))
    return frozenset(found)


class _Names:
    """Gives each sample the name it has in the data set, the same on every run."""

    def __init__(self, entries: dict[str, Entry], source: str, others: Collection[str] = ()) -> None:
        """others: names that are nobody's to take."""
        self._entries, self._source = entries, source
        self._given: set[str] = set(others)
        self._others = {entry.clip for entry in entries.values() if entry.source != source}

    def clip(self, words: str) -> str:
        """The name of a clip, which no other source has; "" for a still."""
        stem = words and safe_name(words)
        return next(name for name in _numbered(stem) if not stem or name not in self._others)

    def give(self, words: str) -> tuple[str, bool]:
        """A name, and whether its picture is there."""
        for name in _numbered(safe_name(words)):
            entry = self._entries.get(name)
            if name in self._given or (entry and entry.source != self._source):
                continue
            self._given.add(name)
            return name, entry is not None and entry.picture.exists() and entry.matte.exists()
        raise AssertionError(words)


def _wanted(samples: Iterable[Sample], names: _Names) -> Iterator[tuple[Sample, bool]]:
    for sample in samples:
        name, there = names.give(sample.name)
        yield replace(sample, name=name, clip=names.clip(sample.clip)), there


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def _ahead(
    samples: Iterable[tuple[Sample, bool]], make: Callable[[Sample], bool], room: Callable[[], int]
) -> Iterator[tuple[Sample, bool | InputError | None]]:
    """Each sample with what `make` gave or raised, None where it was there; several are made at a time, in order.

    room: for how many there is room; no more are begun.
    """
    waiting: deque[tuple[Sample, Future[bool] | None]] = deque()
    with ThreadPoolExecutor(_WORKERS) as pool:
        try:
            for sample, there in samples:
                # those of films hold their pictures: not too many at a time
                while waiting and len(waiting) >= min(2 * _WORKERS, room()):
                    yield _outcome(*waiting.popleft())
                if room() <= 0:
                    return
                waiting.append((sample, None if there else pool.submit(make, sample)))
            while waiting:
                yield _outcome(*waiting.popleft())
        finally:
            for _, future in waiting:
                if future is not None:
                    future.cancel()


def _outcome(sample: Sample, future: Future[bool] | None) -> tuple[Sample, bool | InputError | None]:
    try:
        return sample, None if future is None else future.result()
    except InputError as error:
        return sample, error


def _made(sample: Sample, data: Path, size: int | None) -> bool:
    """Write a sample's files; returns whether anybody is in its matte."""
    picture, matte = sample.read()
    copied = _copied(sample, picture, size)
    if size is not None and max(picture.shape[:2]) > size:
        picture, matte = _smaller(picture, matte, size, sample.exact)
    suffix = copied or (".png" if sample.exact else ".jpg")
    for part, own in ((MASK, ".png"), (IMG, suffix)):
        # of another run, which wrote it in another form: one name is one file
        for other in IMAGE_SUFFIXES - {own}:
            path = data / part / f"{sample.name}{other}"
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise write_error(path, error) from error
    write_image(data / MASK / f"{sample.name}.png", matte)
    if copied and sample.file:
        file = sample.file
        write_whole(data / IMG / f"{sample.name}{suffix}", lambda working: working.write_bytes(file.read_bytes()))
    else:
        write_image(data / IMG / f"{sample.name}{suffix}", picture)
    return bool((matte >= 128).any())


def _copied(sample: Sample, picture: U8, size: int | None) -> str:
    """The suffix of a picture whose file is taken as it is, "" for one that is written anew."""
    if sample.file is None or (size is not None and max(picture.shape[:2]) > size):
        return ""
    with open_picture(sample.file) as image:
        plain = image.mode in ("RGB", "L") and not image.has_transparency_data and orientation(image) == 1
        return _COPIED.get(image.format or "", "") if plain else ""


def _smaller(picture: U8, matte: U8, size: int, weighted: bool) -> tuple[U8, U8]:
    """Both with that longest side. weighted: by the matte, as what lies beside the person is no part of the picture."""
    height, width = matte.shape
    scale = size / max(height, width)
    to: Size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, to, interpolation=cv2.INTER_AREA)
    less = cv2.resize(matte, to, interpolation=cv2.INTER_AREA)
    if weighted:
        alpha = matte.astype(np.float32)
        share = cv2.resize(alpha, to, interpolation=cv2.INTER_AREA)[..., np.newaxis]
        light = cv2.resize(picture * alpha[..., np.newaxis], to, interpolation=cv2.INTER_AREA)
        small = np.where(share > 0.5, np.rint(light / np.maximum(share, 0.5)), small)
    return np.clip(small, 0, 255).astype(np.uint8), less.astype(np.uint8, copy=False)


class _Index:
    """The index while pictures are added: those that were there keep their split."""

    def __init__(self, data: Path, entries: dict[str, Entry]) -> None:
        self._data, self._entries = data, entries
        self._new: dict[str, Entry] = {}
        self._changed = False
        self._due = time.monotonic() + _INDEX_EVERY

    def add(self, entry: Entry) -> None:
        """Add a picture; the index is written now and then. One that was lost comes back to where it was."""
        if (old := self._entries.get(entry.name)) is not None:
            licence = entry.licence if old.licence in ("", UNKNOWN) else old.licence
            entry = replace(entry, split=old.split, licence=licence)
        self._new[entry.name] = entry
        if time.monotonic() > self._due:
            began = time.monotonic()
            self.write()
            took = time.monotonic() - began
            self._due = time.monotonic() + max(_INDEX_EVERY, 20 * took)

    def licensed(self, name: str, licence: str) -> None:
        """Note the licence of a picture that was there, if nobody has said any of it so far."""
        entry = self._entries[name]
        if licence and entry.licence in ("", UNKNOWN):
            self._entries[name] = replace(entry, licence=licence)
            self._changed = True

    def write(self) -> None:
        """Write all of it, if there is anything new."""
        if not self._new and not self._changed:
            return
        clips = {entry.clip: entry.split for entry in self._entries.values() if entry.clip}
        for entry in self._new.values():
            if entry.clip and entry.split:
                clips.setdefault(entry.clip, entry.split)
        keys = list(dict.fromkeys(entry.clip or entry.name for entry in self._new.values() if not entry.split))
        splits = whose_split(keys, val=VAL)
        placed = {
            name: replace(entry, split=clips.get(entry.clip) or entry.split or splits[entry.clip or name])
            for name, entry in self._new.items()
        }
        write_index(self._data, {**self._entries, **placed}.values())
