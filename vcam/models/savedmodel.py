"""TensorFlow's SavedModel, a folder of files, made into one network that a card can speak of.

OpenVINO reads such a folder and writes its own kind, .xml and .bin. The folder's variables lie in files of a folder
within, which no card names, so vcam runs none as it lies there.
"""

from __future__ import annotations

import stat
from pathlib import Path

import tomlkit

from vcam.errors import ModelError
from vcam.files import write_error
from vcam.infer.ir import save_ir
from vcam.models.cards import read_card
from vcam.models.find import checksum
from vcam.models.parts import SAVED_MODEL, is_saved_model
from vcam.printable import printable

_MOST = 1 << 30
"""Bytes of all files together from which on it cannot be a network for portraits."""


def folder_of(path: Path) -> Path | None:
    """The SavedModel that a path means: the folder, its graph or its card; None if it means something else."""
    folder = path if path.is_dir() else path.parent if path.stem == Path(SAVED_MODEL).stem else path / "no folder"
    graph = folder / SAVED_MODEL
    return folder if graph.is_file() and is_saved_model(graph) else None


def as_ir(folder: Path, name: str, target: Path) -> Path:
    """Write the SavedModel into the folder `target`, as `name`.xml with its card; returns the card's path.

    Raises `ModelError` if there is no card beside its graph, the graph is another one, or it cannot be read,
    `OutputError` if the result cannot be written.
    """
    beside = (folder / SAVED_MODEL).with_suffix(".toml")
    if not beside.is_file():
        raise ModelError(
            f"{folder} has no model card", f"write {beside.name} beside {SAVED_MODEL}, as docs/models.md says"
        )
    card = read_card(beside)
    if card.file != SAVED_MODEL:
        raise ModelError(f"{beside} is the card of {card.file}", f'write file = "{SAVED_MODEL}" into it')
    if (found := checksum(card.file_path)) != card.sha256:
        raise ModelError(
            f"{card.file_path} is not the file of its card: its checksum differs",
            f'make it again, or if you trust it write sha256 = "{found}" into {beside.name}',
        )
    for path in folder.rglob("*"):
        # a pipe would be waited for, and a link may lead anywhere
        if not (stat.S_ISREG(kind := path.lstat().st_mode) or stat.S_ISDIR(kind)):
            raise ModelError(f"{path} is a link or no file", "copy the folder with plain files in it")
    if sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) > _MOST:
        raise ModelError(f"{folder} is larger than {_MOST >> 30} GB", "is it the right folder?")
    network = target / f"{name}.xml"
    save_ir(folder, network)
    document = tomlkit.parse(beside.read_text(encoding="utf-8-sig"))
    document["file"], document["sha256"] = network.name, checksum(network)
    document["origin"] = f"{card.origin}; made of the SavedModel {printable(folder.absolute().name)}"
    try:
        network.with_suffix(".toml").write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise write_error(network, error) from error
    return network.with_suffix(".toml")
