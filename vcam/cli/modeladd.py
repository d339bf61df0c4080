"""What `vcam models add` takes: networks with cards, SavedModels, published files, and weights of architectures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.errors import ModelError, UsageError
from vcam.printable import printable

if TYPE_CHECKING:
    from vcam.models.cards import ModelCard
    from vcam.models.catalogue import Entry
    from vcam.models.store import Check


def add_file(file: str, name: str, *, replace: bool, check: Check, agrees: Callable[[Entry], bool]) -> ModelCard:
    """Keep what says itself what it is: a network with its card, a SavedModel, a published file of the catalogue.

    agrees: whether the licence of one of those, which it shows, is taken. Raises what `vcam.models.store.add` does.
    """
    import tempfile

    from vcam import folders
    from vcam.models.published import add_published, entry_of_file
    from vcam.models.savedmodel import as_ir, folder_of
    from vcam.models.store import add as keep
    from vcam.models.store import check_name, spoken_of

    path = folders.expand(file).absolute()
    if saved := folder_of(path):
        name = name or saved.name
        check_name(name, replace)
        with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
            card = as_ir(saved, name, Path(scratch))
            with spoken_of(card.parent):
                return keep(str(card), name, replace=replace, check=check)
    # the root folder has no name
    carded = bool(path.name) and path.with_suffix(".toml").is_file()
    if not carded and (entry := entry_of_file(path)):
        return add_published(entry, path, name, replace=replace, agreed=agrees(entry), check=check)
    _refuse_weights(path)
    return keep(file, name, replace=replace, check=check)


_KERAS = "model.export('FOLDER') and vcam models add FOLDER"
_EXPORTS = {
    ".h5": _KERAS, ".hdf5": _KERAS, ".keras": _KERAS, ".pt": "torch.onnx.export", ".pth": "torch.onnx.export",
    ".json": "python -m tf2onnx.convert --tfjs FILE --output NET.onnx",
}  # fmt: skip
"""What makes a network of a file of weights, where vcam does not know it."""


def _refuse_weights(path: Path) -> None:
    """Raise `UsageError` for a file of weights, of which nobody has said what they are of."""
    suffix = path.suffix.lower()
    if suffix not in _EXPORTS or not path.is_file():
        return
    raise UsageError(
        f"{path} holds weights, and vcam runs no program that would make a network of them",
        f"--network NAME, if they are of an architecture of vcam train list; any other: {_EXPORTS[suffix]}",
    )


def add_weights(
    file: str, name: str, network: str, *, replace: bool, check: Check, quiet: bool, **card: Any
) -> ModelCard:  # fmt: skip
    """Keep a network made of weights of one of vcam's architectures. card: what `vcam.train.adopt` writes into it.

    Raises `UsageError` or `ModelError` for weights of which no network comes, and what `vcam.models.store.add` does.
    """
    import tempfile

    from rich.console import Console

    from vcam import folders
    from vcam.models.store import add as keep
    from vcam.models.store import check_name, is_name, name_like, spoken_of
    from vcam.train import forms
    from vcam.train.nets.registry import architecture

    architecture(network)
    path = folders.expand(file).absolute()
    name = name or (path.stem if is_name(path.stem) else name_like(path.name))
    check_name(name, replace)
    forms.check_extra(forms.form_of("onnx"), "--network")
    from vcam.train.adopt import adopt

    console = Console(stderr=True, quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        with console.status("loading") as status:
            made, loaded = adopt(
                path, network, name, Path(scratch), **card, tell=lambda words: status.update(printable(words))
            )
        try:
            with spoken_of(made.path.parent):
                kept = keep(str(made.path), name, replace=replace, check=check)
        except ModelError as error:
            raise ModelError(
                f"{path} does not make a {network} that finds people: {error.message}",
                "is it of this architecture? If it is right so: --unchecked WHY",
            ) from error
    if loaded.by == "shape":
        click.echo(
            f"vcam: the weights were matched by their shapes, which may be wrong: vcam models try CLIP --model {name}",
            err=True,
        )
    return kept
