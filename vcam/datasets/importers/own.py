"""Another data set of vcam: its licences and its films stay known, and what was kept to judge by is not learnt."""

from __future__ import annotations

from pathlib import Path

from vcam.datasets.importers.base import Options, Plan, Sample, file_pair, listing
from vcam.datasets.store import INDEX, open_dataset
from vcam.errors import InputError


class Own:
    """A folder with an index."""

    name = "vcam"
    title = "another data set of vcam: img/, mask/ and index.csv"

    def recognises(self, source: Path) -> bool:
        """Whether there is an index beside pictures."""
        return (source / INDEX).is_file() and (source / "img").is_dir()

    def plan(self, source: Path, options: Options) -> Plan:
        """Every entry of the index."""
        if not self.recognises(source):
            raise InputError(f"{source} has no {INDEX}, as data sets of vcam do", "--from pairs takes img/ and mask/")
        samples = [
            Sample(entry.name, file_pair(entry.picture, entry.matte), entry.picture, entry.clip, entry.frame,
                   entry.licence, split=entry.split)
            for entry in open_dataset(source).entries
        ]  # fmt: skip
        return listing(Plan(()), samples, options.every)
