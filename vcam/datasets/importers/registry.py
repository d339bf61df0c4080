"""The table of formats, in the order in which they are tried."""

from __future__ import annotations

from pathlib import Path

from vcam.datasets.importers.aisegment import AISegment
from vcam.datasets.importers.base import Importer
from vcam.datasets.importers.coco import Coco
from vcam.datasets.importers.cutouts import Cutouts
from vcam.datasets.importers.davis import Davis, YouTubeVos
from vcam.datasets.importers.keyed import Keyed
from vcam.datasets.importers.pairs import Pairs
from vcam.datasets.importers.pfcn import Pfcn
from vcam.datasets.importers.stacks import Stacks
from vcam.datasets.importers.supervisely import Supervisely
from vcam.datasets.importers.voc import PascalVoc
from vcam.errors import InputError, UsageError

# those that say more of themselves come first: folders of pairs are in several of them, too
IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        AISegment(), Supervisely(), Coco(), YouTubeVos(), Davis(), PascalVoc(), Pfcn(), Stacks(), Pairs(), Cutouts(),
        Keyed(),
    )
}  # fmt: skip
"""By the word for `--from`."""

AUTO = "auto"


def find_importer(word: str, source: Path) -> Importer:
    """The importer of that name, or with `auto` the first that recognises the source.

    Raises `UsageError` for a name that is none and a source that is not there, `InputError` if nothing recognises it.
    """
    if not source.exists():
        raise UsageError(f"there is no {source}", "check the path")
    if word != AUTO:
        try:
            return IMPORTERS[word]
        except KeyError:
            raise UsageError(f"{word} is no format", f"--from {'|'.join((AUTO, *IMPORTERS))}") from None
    for importer in IMPORTERS.values():
        if importer.recognises(source):
            return importer
    raise InputError(
        f"{source} is of no format that vcam knows",
        f"--from NAME says which it is: {', '.join(IMPORTERS)}; docs/data.md shows how each lies on the disk",
    )
