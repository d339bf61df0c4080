"""What was learnt, put in the place of the network that was used before, and taken out again."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit

from vcam import folders
from vcam.errors import OutputError, UsageError, VcamError
from vcam.files import write_error, write_whole
from vcam.models.cards import ModelCard, read_card
from vcam.models.find import card_paths, model_folders
from vcam.models.store import add, check_name, remove
from vcam.settings import config_path, read_profiles
from vcam.settings.locked import refuse_locked
from vcam.settings.saving import save, save_where_they_count

ORIGIN = "vcam learn"
"""What the origin of a card begins with that was made here."""
KEY = "segment.model"
SPACE = 300 << 20
"""Bytes that must be free for two films and a network."""
_WORK = "work-"
_FULL = (errno.ENOSPC, errno.EDQUOT)


def folder() -> Path:
    """Where everything of this lies: pictures of the user, for the user alone."""
    return folders.own("state") / "learn"


def sheet_path(name: str) -> Path:
    """Where the picture of before and after is kept."""
    return folder() / f"{name}.png"


def draw_folder() -> Path:
    """Where frames lie that are to be drawn on."""
    return folder() / "draw"


def note_drawings(paths: Iterable[Path]) -> None:
    """Remember how frames to be drawn on were written, so that what somebody has drawn on is told from them."""
    found = {path.name: _sum(path) for path in paths if path.parent == draw_folder()}
    with suppress(VcamError):
        write_whole(_drawings_path(), lambda path: path.write_text(json.dumps(found) + "\n"), mode=0o600)


def clear_drawings(*, drawn: bool) -> list[str]:
    """Remove the frames of an earlier lesson; the files that are gone. drawn: those too that somebody has drawn on."""
    gone = []
    written: dict[str, str] = {}
    with suppress(OSError, ValueError):
        written = dict(json.loads(_drawings_path().read_text(encoding="utf-8")))
    for path in sorted(draw_folder().glob("*")):
        with suppress(OSError):
            if drawn or written.get(path.name) == _sum(path):
                path.unlink()
                gone.append(str(path))
    with suppress(OSError):
        _drawings_path().unlink()
    with suppress(OSError):
        draw_folder().rmdir()
    return gone


def _drawings_path() -> Path:
    return folder() / "draw.json"


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _record_path(name: str) -> Path:
    return folder() / f"{name}.json"


@contextmanager
def working() -> Iterator[Path]:
    """A folder of one's own to work in, which is gone afterwards, whatever happens; one at a time.

    What a run that was killed has left is removed. Raises `VcamError` if another one is at work, `OutputError` if there
    can be no such folder, or too little space.
    """
    here = folders.place_to_write(folder())
    try:
        here.mkdir(parents=True, exist_ok=True, mode=0o700)
        here.chmod(0o700)
        lock = os.open(here / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise write_error(here, error) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise VcamError("another vcam learn is at work", "wait until it has ended") from error
        for left in here.glob(f"{_WORK}*"):
            shutil.rmtree(left, ignore_errors=True)
        if (free := shutil.disk_usage(here).free) < SPACE:
            raise OutputError(
                f"there is too little space in {here}: {free / 1e6:.0f} MB are free, {SPACE / 1e6:.0f} are needed",
                f"free some space: df -h {here} shows what is left",
            )
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=here))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        if error.errno in _FULL:
            raise write_error(here, error) from error
        raise
    finally:
        os.close(lock)


def is_learnt(card: ModelCard) -> bool:
    """Whether a network was made here."""
    return card.origin.startswith(ORIGIN)


def check_place(name: str) -> None:
    """Raise `UsageError` if nothing may be installed under that name: one is there that was not made here."""
    check_name(name, replace=True)
    path = model_folders()[1] / f"{name}.toml"
    if path in card_paths() and not is_learnt(read_card(path)):
        raise UsageError(f"there is a model {name} already, which was not learnt", "give another name: --name me")


def signed(card: ModelCard, title: str, origin: str) -> ModelCard:
    """The card with another title and origin, written in its place."""
    document = tomlkit.parse(card.path.read_text(encoding="utf-8"))
    document["title"], document["origin"] = title, f"{ORIGIN}: {origin}"
    write_whole(card.path, lambda working: working.write_text(tomlkit.dumps(document), encoding="utf-8"))
    return read_card(card.path)


def install(card: ModelCard, name: str, profile: str = "") -> tuple[ModelCard, str]:
    """Keep a network under a name, and have vcam use it; returns its card there, and where that is set.

    "" if it cannot be set, since somebody has locked that. What was set before is written down first, for `undo`.
    Raises `UsageError`, `ModelError`, `OutputError`, `ConfigError`; the network that was used stays in use then.
    """
    config = config_path()
    try:
        refuse_locked([KEY])
        where = _where_it_counts(config, profile)
    except UsageError:
        where = None
    if not _record_path(name).exists():
        before = None if where is None else _value(config, where)
        record = {"model": before if before != name else None, "profile": where, "config": str(config)}
        write_whole(_record_path(name), lambda path: path.write_text(json.dumps(record) + "\n"), mode=0o600)
    path = model_folders()[1] / f"{name}.toml"
    before_it = _bytes_of(path) if path in card_paths() else None
    try:
        kept = add(str(card.path), name, replace=True)
        return kept, "" if where is None else save_where_they_count(config, {KEY: name}, profile)
    except BaseException:
        # Ctrl-C too: what was there before is there again
        if before_it is not None:
            for file, content in before_it.items():
                with suppress(VcamError):
                    write_whole(file, partial(Path.write_bytes, data=content))
        else:
            with suppress(VcamError):
                remove(name)
            _record_path(name).unlink(missing_ok=True)
        raise


def _bytes_of(path: Path) -> dict[Path, bytes]:
    """The files of a network, its card last."""
    card = read_card(path)
    files = [card.file_path, *(card.file_path.with_name(part) for part in card.parts), path]
    return {file: file.read_bytes() for file in files if file.is_file()}


def _where_it_counts(config: Path, profile: str) -> str:
    """The profile whose own setting counts, "" for that above all profiles."""
    found = read_profiles(config)[1].get(profile)
    return profile if found is not None and KEY in found.values else ""


def _value(config: Path, profile: str) -> Any:
    """What the config file says, None if nothing."""
    base, profiles = read_profiles(config)
    layer = profiles.get(profile) if profile else base
    return None if layer is None else layer.values.get(KEY)


def undo(name: str) -> dict[str, Any]:
    """Take a network that was learnt out again, and set what was set before. Returns what was done, for people.

    Raises `UsageError` if nothing was learnt under that name.
    """
    path = model_folders()[1] / f"{name}.toml"
    learnt = path in card_paths() and is_learnt(read_card(path))
    traces = [_record_path(name), sheet_path(name), draw_folder()]
    if not learnt and not any(trace.exists() for trace in traces):
        raise UsageError(f"nothing was learnt under the name {name}", "vcam models list shows your own networks")
    record: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        record = json.loads(_record_path(name).read_text(encoding="utf-8"))
    done: dict[str, Any] = {"removed": [], "model": None, "config": None}
    config = Path(str(record.get("config") or config_path()))
    profile = record.get("profile")
    # the setting first: it must not name what is gone
    if profile is not None and _value(config, str(profile)) == name:
        save(config, {KEY: record.get("model")}, str(profile))
        done |= {"model": record.get("model") or "auto", "config": str(config)}
    if learnt:
        done["removed"] = [str(each) for each in remove(name)]
    done["removed"] += clear_drawings(drawn=True)
    for each in (_record_path(name), sheet_path(name)):
        with suppress(FileNotFoundError):
            each.unlink()
            done["removed"].append(str(each))
    return done
