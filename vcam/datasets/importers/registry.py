"""The table of formats, in the order in which they are tried."""

from __future__ import annotations

from pathlib import Path

from vcam.datasets.importers.aisegment import AISegment
from vcam.datasets.importers.base import Importer, folders_below
from vcam.datasets.importers.coco import Coco
from vcam.datasets.importers.cutouts import Cutouts
from vcam.datasets.importers.davis import Davis, YouTubeVos
from vcam.datasets.importers.keyed import Keyed
from vcam.datasets.importers.own import Own
from vcam.datasets.importers.pairs import Pairs
from vcam.datasets.importers.pfcn import Pfcn
from vcam.datasets.importers.stacks import Stacks
from vcam.datasets.importers.supervisely import Supervisely
from vcam.datasets.importers.voc import PascalVoc
from vcam.datasets.store import listed
from vcam.errors import InputError, UsageError
from vcam.suffixes import FILM_SUFFIXES

# those that say more of themselves come first: folders of pairs are in several of them, too
IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (
        Own(), AISegment(), Supervisely(), Coco(), YouTubeVos(), Davis(), PascalVoc(), Pfcn(), Stacks(), Pairs(),
        Cutouts(), Keyed(),
    )
}  # fmt: skip
"""By the word for `--from`."""

AUTO = "auto"

_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"})


def _films(source: Path) -> bool:
    if source.is_dir():
        return any(path.suffix.lower() in FILM_SUFFIXES for path in source.iterdir())
    return source.suffix.lower() in FILM_SUFFIXES


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
    if source.suffix.lower() in _ARCHIVES:
        raise InputError(f"{source} is an archive", "unpack it and give the folder")
    if _films(source):
        raise InputError(
            f"the films of {source} are before no green or blue screen, and have no mattes",
            "vcam mask NAME.mp4 NAME.matte.mkv makes some; lay them beside the films",
        )
    if count := sum(len(listed(folder)) for folder in folders_below(source, 2)) if source.is_dir() else 0:
        raise InputError(
            f"{source} holds {count} pictures, but nothing that vcam knows for their mattes",
            "lay NAME.png into masks/ beside images/NAME.jpg; docs/data.md shows what else there may be",
        )
    raise InputError(
        f"{source} is of no format that vcam knows",
        f"--from NAME says which it is: {', '.join(IMPORTERS)}; docs/data.md shows how each lies on the disk",
    )
