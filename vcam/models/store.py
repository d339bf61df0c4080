"""The user's own model folder: networks are put into it, from this machine or from an address."""

from __future__ import annotations

import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import tomlkit

from vcam import folders
from vcam.assets import data_folder
from vcam.errors import ModelError, OutputError, UsageError
from vcam.files import write_whole
from vcam.models.cards import SUFFIXES, ModelCard, read_card
from vcam.models.find import AUTO, load_model, model_folders

Progress = Callable[[int, int | None], None]
"""Told while a network is fetched: how many bytes there are, and of how many if that is known."""

Check = Callable[[ModelCard], None]
"""Raises `ModelError` for a model that shall not be kept."""

_COMPANIONS = {".xml": ".bin", ".pdmodel": ".pdiparams"}
"""Kinds of network whose weights lie in a second file."""
_MOST_OF_A_CARD, _MOST_OF_A_NETWORK = 1 << 16, 1 << 30
"""Bytes from which on a file cannot be what it should be."""
_PATIENCE = 30.0
"""Seconds without an answer."""
_PIECE = 1 << 18
"""Bytes that are fetched at once."""
_BY_HAND = "or download network and card by hand, then: vcam models add FILE"


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
    for file in _files(card):
        if not file.is_file():
            raise ModelError(f"there is no {file}", f"{card.file} needs it: put it there")
        write_whole(folder / f"{name}{file.suffix}", partial(shutil.copyfile, file))
    document = tomlkit.parse(card.path.read_text(encoding="utf-8"))
    document["file"] = f"{name}{card.file_path.suffix}"
    # the card last: what has none is not there
    target = folder / f"{name}.toml"
    write_whole(target, lambda path: path.write_text(tomlkit.dumps(document), encoding="utf-8"))
    return read_card(target)


def _files(card: ModelCard) -> list[Path]:
    """The files of a network, its own last: before that one is there, nobody looks for the others."""
    file = card.file_path
    weights = _COMPANIONS.get(file.suffix)
    return [file.with_suffix(weights), file] if weights else [file]


def _check_name(name: str, replace: bool) -> None:
    if not name or name.startswith((".", "-")) or name == AUTO or set(name) & set("/\\\0") or len(name) > 100:
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
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(
            f"{address!r} is not the address of a model",
            "give the https:// address of its card or network; vcam models add takes what is on this machine",
        )
    stem, dot, suffix = parts.path.rpartition(".")
    if dot + suffix not in (*SUFFIXES, ".toml"):
        raise UsageError(f"{address} is neither a network nor a card", f"it must end in .toml or {' '.join(SUFFIXES)}")
    card_address = parts._replace(path=f"{stem}.toml").geturl()
    with tempfile.TemporaryDirectory(dir=folders.scratch()) as scratch:
        folder = Path(scratch)
        path = folder / card_address.rpartition("/")[2].partition("?")[0]
        _fetch(card_address, path, _MOST_OF_A_CARD)
        card = read_card(path)
        for file in _files(card):
            _fetch(urljoin(card_address, file.name), file, _MOST_OF_A_NETWORK, progress)
        return add(str(path), name, replace=replace, check=check)


def _fetch(address: str, target: Path, most: int, progress: Progress = lambda done, of: None) -> None:
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE) as answer, target.open("wb") as file:
            length = answer.headers.get("Content-Length")
            total = int(length) if length and length.isdecimal() else None
            done = 0
            while piece := answer.read(_PIECE):
                done += len(piece)
                if max(done, total or 0) > most:
                    raise ModelError(f"{address} is larger than {most >> 10} kB", "is it the right address?")
                file.write(piece)
                progress(done, total)
    except urllib.error.HTTPError as error:
        # it is the answer as well, and holds the connection
        error.close()
        raise ModelError(f"{address}: {error.code} {error.reason}", f"check the address, {_BY_HAND}") from error
    except (OSError, HTTPException, ValueError) as error:
        why = getattr(error, "reason", None) or error
        raise ModelError(f"{address} cannot be fetched: {why}", f"check address and network, {_BY_HAND}") from error
    if total is not None and done < total:
        raise ModelError(f"{address} broke off after {done} of {total} bytes", "try again")
