"""A data set on disk: pictures with their mattes, and an index that says of each where it belongs.

    DATA/img/NAME.jpg     the picture, in any format that vcam reads
    DATA/mask/NAME.png    its matte, 8 bits of grey, 255 where the person is
    DATA/index.csv        name,split,licence,source,clip,frame

The index is UTF-8, one line a picture. Frames of one film share their `clip` and are in one split; stills have none.
A folder without an index is a data set as well: `whose_split` decides by the names, a quarter is for validation.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vcam.datasets.folder import Pair, fitting_matte, scaled
from vcam.errors import InputError, UsageError
from vcam.files import write_whole
from vcam.images import pictures_in, read_turned
from vcam.printable import few, printable
from vcam.types import U8

SPLITS = ("train", "val", "test")
"""To learn from; to choose by while learning; to judge by at the end."""

COLUMNS = ("name", "split", "licence", "source", "clip", "frame")
INDEX = "index.csv"
IMG, MASK = "img", "mask"

VAL = 0.25
"""The share for validation of a folder without an index."""

_LONGEST_NAME = 200
"""Bytes: a suffix, and what vcam adds while it writes, go with it into the 255 that file systems take."""

_HEADER = f"its first line has to be {','.join(COLUMNS)}"


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture with its matte. The files need not be there; `read_entry` says so.

    split: one of `SPLITS`. clip: "" for stills. frame: its number in the clip, 0 for stills.
    """

    name: str
    picture: Path
    matte: Path
    split: str
    licence: str
    source: str
    clip: str
    frame: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """What `open_dataset` found, in the order of the index, or of the names where there is none."""

    folder: Path
    entries: tuple[Entry, ...]

    def part(self, *splits: str) -> list[Entry]:
        """The entries of these splits."""
        return [entry for entry in self.entries if entry.split in splits]


def open_dataset(folder: Path) -> Dataset:
    """The data set in a folder; no picture is read.

    Raises `UsageError` if there is no such folder, `InputError` with the cure if it holds no data set, or its index
    says what cannot be.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", "check the path")
    if (folder / INDEX).exists():
        entries = read_index(folder)
    else:
        names = _unlisted(folder)
        splits = whose_split(names, val=VAL)
        entries = [entry_of(folder, name, splits[name], "", folder.name) for name in names]
        entries = _with_files(folder, entries)
    if not entries:
        count = len(listed(folder / IMG)) if (folder / IMG).is_dir() else 0
        raise InputError(
            f"{folder / IMG} holds {count} pictures, of which none has a matte in {folder / MASK}"
            if count and not (folder / INDEX).exists()
            else f"there are no pictures with mattes in {folder}",
            f"vcam dataset import SOURCE {shlex.quote(str(folder))} fills it; "
            "or lay NAME.jpg into img/ and NAME.png into mask/",
        )
    return Dataset(folder, tuple(entries))


def _unlisted(folder: Path) -> list[str]:
    """Names of the pairs of a folder without an index."""
    if not ((folder / IMG).is_dir() and (folder / MASK).is_dir()):
        return []
    mattes = {path.stem for path in listed(folder / MASK)}
    return list(dict.fromkeys(path.stem for path in listed(folder / IMG) if path.stem in mattes))


def listed(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names. Raises `InputError` for one that cannot be read."""
    try:
        return pictures_in(folder, gifs=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}", f"ls -ld {shlex.quote(str(folder))}") from error


def entry_of(
    folder: Path, name: str, split: str, licence: str = "", source: str = "", clip: str = "", frame: int = 0
) -> Entry:
    """An entry whose files have the names that vcam gives them, whether they are there or not."""
    return Entry(name, folder / IMG / f"{name}.jpg", folder / MASK / f"{name}.png", split, licence, source, clip, frame)


def _with_files(folder: Path, entries: Iterable[Entry]) -> list[Entry]:
    """Entries with the files that are there, whatever their suffixes."""
    entries = list(entries)
    names = {entry.name for entry in entries}
    pictures, mattes = (_by_name(folder / part, names) for part in (IMG, MASK))
    return [
        replace(
            entry, picture=pictures.get(entry.name, entry.picture), matte=mattes.get(entry.name, entry.matte)
        )
        for entry in entries
    ]  # fmt: skip


def _by_name(folder: Path, names: set[str]) -> dict[str, Path]:
    """The file of each of these names. Raises `InputError` where nobody can say which of several it is."""
    if not folder.is_dir():
        return {}
    found: dict[str, Path] = {}
    twice = set()
    for path in listed(folder):
        if path.stem in names and found.setdefault(path.stem, path) is not path:
            twice.add(path.stem)
    if twice:
        raise InputError(f"{folder} holds several pictures named {few(sorted(twice))}", "rename all but one of each")
    return found


def read_index(folder: Path) -> list[Entry]:
    """The entries of a folder's index, possibly none.

    Raises `InputError`, which names the line, for an index that cannot be read or says what cannot be.
    """
    path = folder / INDEX
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: this is not UTF-8", "save the table as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", f"ls -l {shlex.quote(str(path))}") from error
    entries: dict[str, Entry] = {}
    clips: dict[str, tuple[str, int]] = {}
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if sorted(header) != sorted(COLUMNS):
            raise InputError(f"{path}, line 1: these are not the columns of an index", _HEADER)
        for row in reader:
            if row:
                _take(folder, path, reader.line_num, dict(zip(header, row, strict=False)), len(row), entries, clips)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}", "mend that line") from error
    return _with_files(folder, entries.values())


def _take(
    folder: Path, path: Path, line: int, row: dict[str, str], count: int,
    entries: dict[str, Entry], clips: dict[str, tuple[str, int]],
) -> None:  # fmt: skip
    def wrong(why: str, cure: str) -> InputError:
        return InputError(f"{path}, line {line}: {why}", cure)

    if count != len(COLUMNS):
        raise wrong(f"{count} values, not {len(COLUMNS)}", f"a line has {','.join(COLUMNS)}")
    name, split, clip = row["name"], row["split"], row["clip"]
    if not is_name(name):
        raise wrong(f"{printable(name) or 'nothing'} is no name", "a name is that of the file in img/, without suffix")
    if name in entries:
        raise wrong(f"{name} is listed twice", "remove one of the two lines")
    if split not in SPLITS:
        raise wrong(f"{printable(split) or 'nothing'} is no split", f"write {', '.join(SPLITS[:-1])} or {SPLITS[-1]}")
    if not (row["frame"] or "0").isascii() or not (row["frame"] or "0").isdigit() or len(row["frame"]) > 9:
        raise wrong(f"{printable(row['frame'])} is no number of a frame", "write a whole number, 0 for a still")
    if clip and clips.setdefault(clip, (split, line))[0] != split:
        first, where = clips[clip]
        raise wrong(
            f"clip {printable(clip)} is in {split} here and in {first} on line {where}",
            f"vcam dataset split {shlex.quote(str(folder))} puts each clip into one split",
        )
    entries[name] = entry_of(folder, name, split, row["licence"], row["source"], clip, int(row["frame"] or 0))


def is_name(name: str) -> bool:
    """Whether files in img/ and mask/ may have this name: it stays in its folder, and is seen as it is."""
    return (
        bool(name)
        and name == name.strip()
        and not name.startswith(".")
        and not set("/\\") & set(name)
        and printable(name) == name
        and len(name.encode()) <= _LONGEST_NAME
    )


def safe_name(words: str) -> str:
    """A name made of any words, as of a path within a source: "a/b c.jpg" becomes "a_b c.jpg". Never empty."""
    kept = "".join("_" if letter in "/\\" or printable(letter) != letter else letter for letter in words)
    kept = kept.strip().lstrip(". ") or "picture"
    if len(kept.encode()) > _LONGEST_NAME:
        # what was cut off still tells one from the other
        kept = kept.encode()[: _LONGEST_NAME - 9].decode(errors="ignore").strip()
        kept += "-" + hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return kept


def write_index(folder: Path, entries: Iterable[Entry]) -> None:
    """Write a folder's index, whole or not at all. Raises `OutputError` if the system refuses."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for entry in entries:
        rows.writerow((entry.name, entry.split, entry.licence, entry.source, entry.clip, entry.frame))
    write_whole(
        folder / INDEX, lambda working: working.write_bytes(text.getvalue().encode("utf-8", "replace")), lasting=True
    )


def whose_split(keys: Sequence[str], *, val: float = VAL, test: float = 0.0, seed: int = 0) -> dict[str, str]:
    """The split of each key: names of pictures, or of clips and groups that stay together.

    A key's place depends on itself alone, so that what is added later moves nothing. Only where a split that was asked
    for would be empty, and there are keys enough, does it get the key that is nearest to it.

    val, test: shares, 0..1, together at most 1.
    """
    places = {key: _place(key, seed) for key in keys}
    order = sorted(places, key=lambda key: (places[key], key))
    splits = {
        key: "test" if place < test else "val" if place < test + val else "train" for key, place in places.items()
    }
    wanted = [split for split, share in (("val", val), ("test", test), ("train", 1 - val - test)) if share > 1e-9]
    for split in wanted:
        if split in splits.values() or len(order) < len(wanted):
            continue
        many = max(wanted, key=list(splits.values()).count)
        candidates = [key for key in order if splits[key] == many]
        splits[candidates[-1] if split == "train" else candidates[0]] = split
    return splits


def _place(key: str, seed: int) -> float:
    """0..1, the same on every machine."""
    digest = hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def read_entry(entry: Entry, shortest: int | None = None) -> tuple[U8, U8]:
    """The picture as BGR uint8 (height, width, 3), and its matte, uint8 (height, width), 0..255; fresh arrays.

    shortest: both are made smaller, so that the shorter side has that many pixels; what is smaller stays. It is the
    cheap way: a large JPEG is not decoded in full. Raises `InputError`, which names the file, for a picture or matte
    that is missing, damaged, or of another shape than the other one.
    """
    try:
        picture, turn = read_turned(entry.picture, shortest)
        matte = fitting_matte(Pair(entry.picture, entry.matte, False), picture, turn)
    except UsageError as error:
        raise InputError(error.message, error.hint) from error
    height, width = picture.shape[:2]
    if shortest is not None and min(height, width) > shortest:
        scale = shortest / min(height, width)
        width, height = max(1, math.floor(width * scale + 0.5)), max(1, math.floor(height * scale + 0.5))
    return scaled(picture, (width, height)), scaled(matte, (width, height))
