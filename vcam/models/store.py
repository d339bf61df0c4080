"""The user's own model folder: networks are put into it, from this machine or from an address."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import tomlkit

from vcam import folders
from vcam.assets import data_folder
from vcam.errors import ModelError, OutputError, UsageError, VcamError
from vcam.files import PartialFile, write_error
from vcam.infer.kinds import problem
from vcam.models.cards import MAX_BYTES, SUFFIXES, ModelCard, read_card
from vcam.models.converted import CONVERTER, as_onnx, missing_converter
from vcam.models.fetch import Progress, check_address, fetch
from vcam.models.find import AUTO, card_paths, checksum, load_model, model_folders
from vcam.models.parts import is_companion, parts_of

Check = Callable[[ModelCard], None]
"""Raises `ModelError` for a model that shall not be kept."""

_MOST_OF_A_NETWORK = 1 << 30
"""Bytes from which on a file cannot be what it should be."""
_MOST_LETTERS, _LONGEST_NAME = 100, 200
"""Letters and bytes, so that suffixes still fit into a file's name."""


def add(source: str, name: str = "", *, replace: bool = False, check: Check = lambda card: None) -> ModelCard:
    """Copy a network and its card into the user's model folder; returns the card there.

    source: the path of the network, of its card, or of a folder with one. name: what to call it, by default what the
    card is called. `replace` takes it instead of one that has the name already. TFLite that does not pass as it is, is
    kept as ONNX if its translation does. Raises what `check` does, `UsageError` for a name that is taken, `ModelError`
    for a network or card that will not do, `OutputError` if they cannot be written; then nothing is there under that
    name that was not there before.
    """
    path = folders.expand(source).absolute()
    if not source.endswith((*SUFFIXES, ".toml")) and not path.is_dir():
        raise UsageError(f"{source} is neither a network nor a card", f"give a file ending in {' '.join(SUFFIXES)}")
    card = load_model(path)
    name = name or card.name
    check_name(name, replace)
    with ExitStack() as stack:
        card = _that_works(card, check, stack)
        folder = folders.place_to_write(model_folders()[1])
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"there can be no folder {folder}: {error.strerror}", "check its permissions") from error
        put_into(folder, card, name, replace=replace)
    return read_card(folder / f"{name}.toml")


def _that_works(card: ModelCard, check: Check, stack: ExitStack) -> ModelCard:
    """The card itself, or where its network is TFLite that does not pass as it is, that of its translation.

    stack: holds the translation until it has been copied. Raises what `check` does of the network as it is,
    `ModelError` if what would translate it is missing.
    """
    try:
        check(card)
        return card
    except ModelError as error:
        if card.file_path.suffix != ".tflite" or problem(card.file_path):
            raise
        if missing := missing_converter():
            raise ModelError(f"{error.message}; vcam may translate it, but {missing} is missing", CONVERTER) from error
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()))
        try:
            translated = as_onnx(card, Path(scratch))
            check(translated)
        except ModelError:
            raise error from None
        return translated


@contextmanager
def spoken_of(scratch: Path, place: str = "") -> Iterator[None]:
    """What is raised within speaks of a place where it would speak of a folder for temporary files, gone by then."""
    try:
        yield
    except VcamError as error:
        inside = f"{scratch}/"
        raise type(error)(error.message.replace(inside, place), error.hint.replace(inside, place)) from error


def remove(name: str) -> list[Path]:
    """Remove a network of the user's own model folder, card and all; returns the files that are gone.

    Raises `UsageError` if there is none of that name, or it is vcam's own, `OutputError` if it cannot be removed.
    """
    folder = model_folders()[1]
    path = folder / f"{name}.toml"
    if not is_name(name) or path not in card_paths():
        own = any(each.stem == name for each in card_paths())
        names = ", ".join(each.stem for each in card_paths() if each.parent == folder) or "none"
        what = f"{name} comes with vcam and stays" if own else f"there is no model {name!r} in {folder}"
        raise UsageError(what, f"your own models: {names}")
    files = _files_of(path) - _files_of_others(folder, name)
    gone = [path, *(folder / file for file in sorted(files) if (folder / file).is_file() and folder / file != path)]
    try:
        # the card first: without it nobody takes what is left for a model
        for each in gone:
            each.unlink()
    except OSError as error:
        raise write_error(path, error) from error
    return gone


def put_into(folder: Path, card: ModelCard, name: str, *, replace: bool) -> None:
    """Copy card and files into a folder that is there, under a name: all of them first, and only then is anything put
    in the place of another.

    Raises `UsageError` where that would replace a file that may not be, `OutputError` if they cannot be written; then
    nothing has changed.
    """
    document = tomlkit.parse(card.path.read_text(encoding="utf-8-sig"))
    document["file"] = f"{name}{card.file_path.suffix}"
    document.pop("parts", None)
    parts = tomlkit.table()
    replaced = _files_of(folder / f"{name}.toml")
    copies: list[PartialFile] = []
    try:
        for file in (*parts_of(card), card.file_path):
            # others than these the network asks for by their own names
            named = file == card.file_path or is_companion(file, card.file_path)
            target = folder / (f"{name}{file.suffix}" if named else file.name)
            found = checksum(file)
            if (
                not (target.name in replaced or (replace and named))
                and os.path.lexists(target)
                and checksum(target) != found
            ):
                raise UsageError(
                    f"there is a file {target} already, of something else",
                    "give the model another name, or save it with its weights within it",
                )
            if file != card.file_path:
                parts[target.name] = found
            copies.append(_copy(target, partial(shutil.copyfile, file)))
        if parts:
            document["parts"] = parts
        text = tomlkit.dumps(document)
        # the card last: what has none is not there
        copies.append(_copy(folder / f"{name}.toml", lambda path: path.write_text(text, encoding="utf-8")))
        _put_in_place(copies)
    except OSError as error:
        raise write_error(folder / name, error) from error
    finally:
        for copy in copies:
            copy.discard()
    for old in replaced - {copy.path.name for copy in copies} - _files_of_others(folder, name):
        (folder / old).unlink(missing_ok=True)


def _put_in_place(copies: list[PartialFile]) -> None:
    new = [copy.path for copy in copies if not os.path.lexists(copy.path)]
    try:
        for copy in copies:
            copy.commit()
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _copy(target: Path, write: Callable[[Path], object]) -> PartialFile:
    file = PartialFile(target)
    os.close(file.create())
    try:
        write(file.working)
    except BaseException:
        file.discard()
        raise
    return file


def _files_of(path: Path) -> set[str]:
    """The names of the files of the model whose card lies there; none if there is none that can be read."""
    try:
        card = read_card(path)
        return {card.file, *(part.name for part in parts_of(card))}
    except ModelError:
        return set()


def _files_of_others(folder: Path, name: str) -> set[str]:
    return {file for card in folder.glob("*.toml") if card.stem != name for file in _files_of(card)}


_RESERVED = (AUTO, "none", "default")


def check_name(name: str, replace: bool) -> None:
    """Raise `UsageError` unless a network may be kept under that name."""
    if not is_name(name):
        raise UsageError(f"{name!r} is no name for a model", f"give another one: --name {name_like(name)}")
    shipped = {path.stem.casefold() for path in data_folder("models").glob("*.toml")}
    if name.casefold() in shipped:
        raise UsageError(f"{name} is a model of vcam itself", "give another name: --name my-network")
    own = {path.stem for path in card_paths() if path.parent == model_folders()[1]}
    if name in own:
        if not replace:
            raise UsageError(
                f"there is a model {name} already", "--replace takes this one instead, --name another name"
            )
    elif twin := next((other for other in own if other.casefold() == name.casefold()), ""):
        raise UsageError(f"there is a model {twin} already, which differs in capitals only", "--name another name")


def is_name(name: str) -> bool:
    """Whether a model can be called so: in a command, in a file's name, and never taken for a path or a word."""
    return (
        bool(name)
        and name.isprintable()
        and not set(name) & set("/\\")
        and not any(letter.isspace() for letter in name)
        and not name.startswith((".", "-", "~"))
        and not name.lower().endswith((*SUFFIXES, ".toml", "."))
        and name.casefold() not in _RESERVED
        and len(name) <= _MOST_LETTERS
        and len(os.fsencode(name)) <= _LONGEST_NAME
    )


def name_like(name: str) -> str:
    """A name that will do, as like to another as may be."""
    stem = name.rpartition("/")[2]
    while stem.lower().endswith((*SUFFIXES, ".toml")):
        stem = stem.rpartition(".")[0]
    like = re.sub(r"[^A-Za-z0-9._+-]+", "-", stem).strip("-._+")[:40]
    return like if is_name(like) else "my-network"


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
    check_name(name, replace)
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        path = Path(scratch, "card.toml")
        card_address = parts._replace(path=f"{stem}.toml").geturl()
        fetch(card_address, path, MAX_BYTES)
        with spoken_of(path.parent, f"{parts._replace(path=folder_address, query='').geturl()}/"):
            card = read_card(path)

        def fetch_file(file: Path) -> None:
            # beside the card, whatever its name looks like
            beside = parts._replace(path=f"{folder_address}/{quote(file.name, safe='')}", query="")
            fetch(beside.geturl(), file, _MOST_OF_A_NETWORK, progress)

        # the network first: it says which others it needs, and they are not asked for on behalf of a wrong one
        fetch_file(card.file_path)
        if (found := checksum(card.file_path)) != card.sha256:
            raise ModelError(
                f"{address} does not give the network of its card: its SHA-256 is {found}",
                "nothing of it was kept; try again, or tell its publisher",
            )
        with spoken_of(path.parent, f"{parts._replace(path=folder_address, query='').geturl()}/"):
            for part in parts_of(card):
                fetch_file(part)
            return add(str(path), name, replace=replace, check=check)
