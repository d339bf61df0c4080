"""Which picture is for learning, for choosing and for judging: nearly the same pictures, and the frames of a film, stay
together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from vcam.datasets.fingerprints import Fingerprint, fingerprint, groups, near_pairs
from vcam.datasets.store import Dataset, Entry, read_entry, whose_split
from vcam.errors import InputError, UsageError

_SHORTEST = 64
"""Pixels that a fingerprint needs of a picture's shorter side."""


def split_anew(
    data: Dataset, *, val: float, test: float, seed: int = 0, workers: int = 2,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[list[Entry], list[list[str]]]:  # fmt: skip
    """The entries with their new splits, in their order, and the groups of pictures that were kept together because
    they are nearly the same. Nothing is written.

    val, test: shares of the pictures, 0..1; with the seed they decide alone, so the same data set is always split the
    same way. Raises `UsageError` for shares that cannot be.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise UsageError(
            f"--val {val:g} and --test {test:g} leave nothing to learn from", "give shares, together below 1"
        )
    prints: list[Fingerprint | None] = []
    with ThreadPoolExecutor(workers) as pool:
        for number, found in enumerate(pool.map(_fingerprint, data.entries)):
            prints.append(found)
            progress(number + 1)
    heads = _together(data.entries, prints)
    keys = [data.entries[head].clip or data.entries[head].name for head in heads]
    splits = whose_split(list(dict.fromkeys(keys)), val=val, test=test, seed=seed)
    entries = [replace(entry, split=splits[key]) for entry, key in zip(data.entries, keys, strict=True)]
    kept: dict[int, list[Entry]] = {}
    for entry, head in zip(data.entries, heads, strict=True):
        kept.setdefault(head, []).append(entry)
    # frames of one film alone are no news
    told = [group for group in kept.values() if len({entry.clip or f"/{entry.name}" for entry in group}) > 1]
    return entries, [[entry.name for entry in group] for group in told]


def _fingerprint(entry: Entry) -> Fingerprint | None:
    try:
        return fingerprint(read_entry(entry, _SHORTEST)[0])
    except InputError:
        # `check` tells of it; its split does no harm
        return None


def _together(entries: Sequence[Entry], prints: Sequence[Fingerprint | None]) -> list[int]:
    """For each entry the first one that it stays with."""
    there = [number for number, found in enumerate(prints) if found is not None]
    near = near_pairs([found for found in prints if found is not None], [entries[number].clip for number in there])
    pairs = [(there[one], there[two]) for one, two in near]
    first: dict[str, int] = {}
    for number, entry in enumerate(entries):
        if entry.clip:
            pairs.append((first.setdefault(entry.clip, number), number))
    return groups(len(entries), pairs)
