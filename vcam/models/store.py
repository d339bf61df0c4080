"""The user's own model folder: networks are put into it, from this machine or from an address."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import tomlkit

from vcam import folders
from vcam.assets import data_folder
from vcam.errors import ModelError, OutputError, UsageError
from vcam.files import write_whole
from vcam.models.cards import SUFFIXES, ModelCard, read_card
from vcam.models.fetch import Progress, check_address, fetch
from vcam.models.find import AUTO, load_model, model_folders

Check = Callable[[ModelCard], None]
"""Raises `ModelError` for a model that shall not be kept."""

_COMPANIONS = {".xml": ".bin", ".pdmodel": ".pdiparams"}
"""Kinds of network whose weights lie in a second file."""
_MOST_OF_A_CARD, _MOST_OF_A_NETWORK = 1 << 16, 1 << 30
"""Bytes from which on a file cannot be what it should be."""


def add(source: str, name: str = "", *, replace: bool = False, check: Check = lambda card: None) -> ModelCard:
    """Copy a network and its card into the user's model folder; returns the card there.

    source: the path of the network or of its card. name: what to call it, by default what the card is called. `replace`
    takes it instead of one that has the name already. Raises what `check` does, `UsageError` for a name that is taken,
    `ModelError` for a network or card that will not do, `OutputError` if they cannot be written; then nothing is there
    under that name that was not there before.
    """
    if not source.endswith((*SUFFIXES, ".toml")):
        raise UsageError(f"{source} is neither a network nor a card", f"give a file ending in {' '.join(SUFFIXES)}")
    card = load_model(folders.expand(source).absolute())
    name = name or card.name
    _check_name(name, replace)
    check(card)
    folder = folders.place_to_write(model_folders()[1])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"there can be no folder {folder}: {error.strerror}", "check its permissions") from error
    document = tomlkit.parse(card.path.read_text(encoding="utf-8"))
    document["file"] = f"{name}{card.file_path.suffix}"
    target = folder / f"{name}.toml"
    new: list[Path] = []
    try:
        for file in _files(card):
            if not file.is_file():
                raise ModelError(f"there is no {file}", f"{card.file} needs it: put it there")
            copy = folder / f"{name}{file.suffix}"
            if not copy.exists():
                new.append(copy)
            write_whole(copy, partial(shutil.copyfile, file))
        # the card last: what has none is not there
        write_whole(target, lambda path: path.write_text(tomlkit.dumps(document), encoding="utf-8"))
    except BaseException:
        for copy in new:
            copy.unlink(missing_ok=True)
        raise
    return read_card(target)


def _files(card: ModelCard) -> list[Path]:
    """The files of a network, its own last: before that one is there, nobody looks for the others."""
    file = card.file_path
    weights = _COMPANIONS.get(file.suffix)
    return [file.with_suffix(weights), file] if weights else [file]


def _check_name(name: str, replace: bool) -> None:
    sane = name.isprintable() and not name.startswith((".", "-")) and not set(name) & set("/\\") and len(name) <= 100
    if not name or name == AUTO or not sane:
        raise UsageError(f"{name!r} is no name for a model", "give another one: --name my-network")
    if (data_folder("models") / f"{name}.toml").exists():
        raise UsageError(f"{name} is a model of vcam itself", "give another name: --name my-network")
    if (model_folders()[1] / f"{name}.toml").exists() and not replace:
        raise UsageError(f"there is a model {name} already", "--replace takes this one instead, --name another name")


def pull(
    address: str,
    name: str = "",
    *,
    replace: bool = False,
    check: Check = lambda card: None,
    progress: Progress = lambda done, of: None,
) -> ModelCard:
    """Fetch a card and its network into the user's model folder; returns the card there.

    address: http or https, of the card, or of a network beside which the card lies. The network must be the one whose
    checksum the card has. Raises what `add` raises, `ModelError` too for what cannot be fetched.
    """
    address = check_address(address)
    parts = urlsplit(address)
    stem, dot, suffix = parts.path.rpartition(".")
    if dot + suffix not in (*SUFFIXES, ".toml"):
        raise UsageError(f"{address} is neither a network nor a card", f"it must end in .toml or {' '.join(SUFFIXES)}")
    folder_address, _, last = stem.rpartition("/")
    name = name or unquote(last)
    _check_name(name, replace)
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        path = Path(scratch, "card.toml")
        fetch(parts._replace(path=f"{stem}.toml").geturl(), path, _MOST_OF_A_CARD)
        card = read_card(path)
        for file in _files(card):
            # beside the card, whatever its name looks like
            beside = parts._replace(path=f"{folder_address}/{quote(file.name, safe='')}", query="")
            fetch(beside.geturl(), file, _MOST_OF_A_NETWORK, progress)
        return add(str(path), name, replace=replace, check=check)
