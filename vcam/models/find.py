"""Which model is meant: by its name, by its path, or `auto` by the picture."""

from __future__ import annotations

import difflib
import hashlib
import logging
import os
import shlex
import tomllib
from pathlib import Path

from vcam import folders
from vcam.assets import data_folder
from vcam.errors import ModelError, UsageError
from vcam.files import no_file
from vcam.models.cards import MAX_BYTES, SUFFIXES, ModelCard, Task, read_card
from vcam.models.parts import COMPANIONS, is_saved_model, parts_of
from vcam.printable import printable
from vcam.types import Size

_log = logging.getLogger(__name__)

_told: set[Path] = set()
"""Files of which it was said that they are not checked."""

_MOST = 2 << 30
"""Bytes that a network's file may have: no more fit into the kinds that are protocol buffers."""

AUTO = "auto"
"""The name that means the best model for the picture."""

_DOES: dict[Task, str] = {"person": "finds people", "harmonise": "harmonises"}
_USE: dict[Task, str] = {
    "person": "vcam start --model takes it",
    "harmonise": "--filter harmonise takes it; vcam models list shows those that find people",
}

WIDE = 1.5
"""From this ratio of width to height on, the landscape network is the best for a film."""


def best_model(size: Size, *, still: bool = False) -> str:
    """The name of the model that fits pictures of `size` best; what `auto` means.

    still: they are pictures of their own, where time is no matter, and the network that takes more of it is the better.
    """
    width, height = size
    return "selfie-landscape" if width / height >= WIDE and not still else "selfie-general"


def find_model(name_or_path: str, frame_size: Size, *, still: bool = False, task: Task | None = "person") -> ModelCard:
    """The card of a model, its network's checksum verified.

    name_or_path: `auto` (the best for frames of `frame_size`, see `best_model`), the name of a model in one of the
    folders, or the path of a network, of its card, or of a folder with one, such as a training leaves behind.
    task: what it shall be for; None if that does not matter. Raises `UsageError` if there is no such model or file, or
    it is for something else, `ModelError` if card or network are unusable.
    """
    word = best_model(frame_size, still=still) if name_or_path == AUTO else name_or_path
    path = folders.expand(word)
    named = "/" not in word and (path.suffix not in (*SUFFIXES, ".toml") or (not path.exists() and _is_known(word)))
    if named and path.is_dir() and not _is_known(word):
        # a folder here, such as that of a training
        named = False
    card = load_model(_path_of(word, task) if named else path)
    if task and card.task != task:
        raise UsageError(
            f"{printable(card.name)} {_DOES[card.task]}: it is no network that {_DOES[task]}", _USE[card.task]
        )
    _tell_unchecked(card)
    return card


def _tell_unchecked(card: ModelCard) -> None:
    """Say once that the weights of a network in two files are not checked, where its card has no checksum of them."""
    if (suffix := COMPANIONS.get(card.file_path.suffix)) is None:
        return
    part = card.file_path.with_suffix(suffix)
    if part.name in card.parts or part in _told:
        return
    _told.add(part)
    _log.warning(
        '%s is not checked when it has changed: write parts."%s" = "%s" into %s, or vcam models add %s',
        part, part.name, checksum(part), card.path.name, shlex.quote(str(card.file_path)),
    )  # fmt: skip


def load_model(path: Path) -> ModelCard:
    """The card of the model at a path, which is that of the network, of its card, or of a folder with one.

    Raises as `find_model` does.
    """
    if os.path.isdir(path):
        path = _card_of(path)
    if not os.path.exists(path):
        raise UsageError(f"there is no model file {path}", "check the path; vcam models list shows known names")
    if other := no_file(path):
        raise UsageError(f"{path} is {other}, not a model", "give the path of a network or of its card")
    beside = path.with_suffix(".toml")
    if not os.path.isfile(beside):
        raise ModelError(f"{path} has no model card", f"write {beside.name} beside it, as docs/models.md says")
    card = read_card(beside)
    if path.name.endswith(SUFFIXES) and path.name != card.file:
        raise ModelError(
            f"{beside} is the card of {card.file}, not of {path.name}", f'write file = "{path.name}" into it'
        )
    verify(card)
    if is_saved_model(card.file_path):
        # its variables lie in files of which no card has the checksums
        raise ModelError(
            f"{path.parent} is a SavedModel, a folder of files",
            f"vcam models add {shlex.quote(str(path.parent))} makes a network of it",
        )
    return card


def _card_of(folder: Path) -> Path:
    """The card in a folder: that of its own name, or the only one. Raises `UsageError`."""
    folder = folder.absolute()
    # other files of settings have no network of their name beside them
    cards = [card for card in _cards_in(folder) if any(card.with_suffix(suffix).exists() for suffix in SUFFIXES)]
    own = next((card for card in cards if card.stem == folder.name), None)
    if own or len(cards) == 1:
        return own or cards[0]
    if cards:
        names = ", ".join(printable(card.name) for card in cards[:6]) + (", ..." if len(cards) > 6 else "")
        raise UsageError(f"{folder} holds several models: {names}", f"give one of them, such as {cards[0]}")
    if (folder / "best.pt").exists():
        raise UsageError(
            f"{folder} holds a training, and no model yet", f"vcam train export {shlex.quote(str(folder))} --to onnx"
        )
    raise UsageError(f"{folder} is a folder without a model", "give the path of a network or of its card")


def _is_known(name: str) -> bool:
    return any(path.stem == name for path in card_paths())


def _path_of(name: str, task: Task | None) -> Path:
    known = {path.stem: path for path in reversed(card_paths())}
    if name in known:
        return known[name]
    meant = {path.stem for path in card_paths(task)}
    close = difflib.get_close_matches(name, meant, 1, 0.5)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(meant)) or 'none'}"
    raise UsageError(f"there is no model {name!r}", hint)


def model_folders() -> list[Path]:
    """Where models are looked for by name: those of vcam first, then the user's own."""
    return [data_folder("models"), folders.own("data") / "models"]


def card_paths(task: Task | None = None) -> list[Path]:
    """Every card in the model folders, sorted by folder and name; of one task, where it is given."""
    paths = [path for folder in model_folders() for path in _cards_in(folder)]
    return [path for path in paths if task in (None, _task_of(path))]


def _task_of(path: Path) -> str:
    """What a card says of its task; one that cannot be read counts as that of a network for people, where it is told
    what is wrong with it."""
    try:
        if no_file(path):
            return "person"
        with path.open("rb") as file:
            table = tomllib.loads(file.read(MAX_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return "person"
    return "harmonise" if table.get("task") == "harmonise" else "person"


def _cards_in(folder: Path) -> list[Path]:
    try:
        # a hidden one is not finished, and never will be if its writer was killed
        return sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError:
        # not there, no folder, or closed to us
        return []


def checksum(file: Path) -> str:
    """The SHA-256 of a network's file as hexadecimal digits. Raises `ModelError` if it cannot be read."""
    try:
        if other := no_file(file):
            raise ModelError(f"the network {file} is {other}", "its card names it: restore the file, or mend `file`")
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise ModelError(
            f"there is no network {file}", "its card names it: restore the file, or mend `file`"
        ) from error
    except OSError as error:
        raise ModelError(f"the network {file} cannot be read: {error.strerror}", f"chmod u+r {file}") from error


def verify(card: ModelCard) -> None:
    """Raise `ModelError` unless the network's files are there, and are those that the card was written for."""
    for file in (card.file_path, *(card.path.with_name(name) for name in card.parts)):
        # before it is read: it may be somebody's disk
        if os.path.isfile(file) and file.stat().st_size > _MOST:
            raise ModelError(f"{file} is larger than {_MOST >> 30} GB", "that cannot be a network: mend `file`")
    _compare(card, card.file_path, card.sha256, "sha256")
    for part in parts_of(card):
        if not part.is_file():
            raise ModelError(f"there is no {part}", f"{card.file} has its weights there: put it beside it")
        if known := card.parts.get(part.name):
            _compare(card, part, known, f'parts."{part.name}"')


def _compare(card: ModelCard, file: Path, known: str, key: str) -> None:
    found = checksum(file)
    if found != known:
        raise ModelError(
            f"{file} is not the file of its card: its checksum differs",
            f'download it again, or if you trust it write {key} = "{found}" into {card.path.name}',
        )
