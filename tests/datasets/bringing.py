"""A source brought in, and what the data set holds then."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.datasets.importers.base import Options
from vcam.datasets.importers.registry import find_importer
from vcam.datasets.importing import Report, bring_in
from vcam.datasets.store import Dataset, open_dataset, read_entry


def brought(
    source: Path, data: Path, word: str = "auto", expected: str = "", **options: object
) -> tuple[Dataset, Report]:
    importer = find_importer(word, source)
    assert importer.name == (expected or word)
    how = {name: options.pop(name) for name in ("every", "clips") if name in options}
    report = bring_in(importer.plan(source, Options(**how)), data, source="source", **options)
    return open_dataset(data), report


def mattes(data: Dataset) -> dict[str, np.ndarray]:
    return {entry.name: read_entry(entry)[1] for entry in data.entries}


def pictures(data: Dataset) -> dict[str, np.ndarray]:
    return {entry.name: read_entry(entry)[0] for entry in data.entries}
