"""`vcam room show` and `vcam room forget`: the rooms that are kept on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli.control import _common as daemon_options
from vcam.cli.control import tell_stuck
from vcam.cli.options import Named, overwrite_option
from vcam.errors import DeviceError, InputError, UsageError, VcamError
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from vcam.types import U8


@click.command()
@click.argument("file", type=Named(), required=False)
@overwrite_option
@daemon_options
def show(file: Path | None, overwrite: bool, name: str, as_json: bool) -> int:
    """Say what is kept of the rooms behind you, and where; with FILE write the picture of it, for you alone.

    FILE gets the room of the camera of the running vcam, else of the one in the settings. Stripes mark what is not
    known.

    \b
    vcam room show
    vcam room show room.png
    """
    if file is not None:
        return _write(file, overwrite, name, as_json)
    found = [_row(path) for path in _files()]
    status = _ask(name, "status")
    own = str(status["room"]["file"]) if status else str(_place())
    for row in found:
        row["used"] = row["file"] == own
    if as_json:
        click.echo(json_text({"rooms": found, "now": status["room"] if status else None}, indent=2))
        return 0
    if status:
        from vcam.cli.statusview import room_words

        click.echo(printable(f"now: {room_words(status['room'])}"))
    for row in found:
        click.echo(printable(_words(row)))
    if not found:
        click.echo(printable(f"nothing is kept in {_folder()}"))
    return 0


@click.command()
@click.option("--all", "everything", is_flag=True, help="The rooms of all cameras.")
@daemon_options
def forget(everything: bool, name: str, as_json: bool) -> int:
    """Remove what is kept of the room behind you.

    It is the room of the camera of the running vcam, else of the one in the settings. With --all every vcam that runs
    forgets its own, too.
    """
    from vcam.segment.emptyroom.roomfile import remove

    told = _ask(name, "room_forget")
    if told:
        tell_stuck(told)
        if told.get("stuck"):
            return 1
    removed, status = int(bool(told and told.get("forgotten"))), 0
    if everything:
        for other in _others(name):
            count = _forgotten_by(other)
            removed, status = removed + (count or 0), 1 if count is None else status
        removed += sum([remove(path) for path in _files(every=True)])
    elif told is None:
        removed += remove(_place())
    if as_json:
        click.echo(json_text({"removed": removed}))
    else:
        click.echo({0: "nothing was kept", 1: "the room is forgotten"}.get(removed, f"{removed} rooms are forgotten"))
    return status


def _others(name: str) -> list[str]:
    """The names of the daemons that run beside the one of that name."""
    from vcam.control.client import running_names

    return [other for other in running_names() if other != name]


def _forgotten_by(name: str) -> int | None:
    """How many files another daemon has removed; None, and a word on it, if it may still know its room."""
    try:
        told = _ask(name, "room_forget") or {}
        why = str(told.get("stuck") or "")
    except VcamError as error:
        told, why = {}, error.message
    if not why:
        return int(bool(told.get("forgotten")))
    words = f"vcam: the vcam named {name} may still know its room: {why}; vcam room forget --name {name}"
    click.echo(printable(words), err=True)
    return None


def _ask(name: str, method: str) -> dict[str, Any] | None:
    """What the running vcam says; None if there is none."""
    from vcam.control.client import ControlClient

    try:
        daemon = ControlClient(name)
    except DeviceError:
        return None
    with daemon:
        found: dict[str, Any] = daemon.call(method)
    return found


def _folder() -> Path:
    from vcam.segment.emptyroom.roomfile import rooms_folder

    return rooms_folder()


def _files(*, every: bool = False) -> list[Path]:
    """The files of rooms, the oldest first; every: those of background subtraction, and what was left half-written."""
    from vcam.segment.emptyroom.roomfile import SUFFIX

    suffixes = (SUFFIX, ".png") if every else (SUFFIX,)
    try:
        entries = [entry for entry in os.scandir(_folder()) if _is_room(entry, suffixes, every)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"cannot read {_folder()}: {error.strerror}", f"ls -ld {_folder()}") from error
    return [Path(entry.path) for entry in sorted(entries, key=lambda entry: entry.name)]


def _is_room(entry: os.DirEntry[str], suffixes: tuple[str, ...], every: bool) -> bool:
    return entry.name.endswith(suffixes) and (every or not entry.name.startswith(".")) and not entry.is_dir()


def _place() -> Path:
    """The file of the camera that the settings name."""
    from vcam.segment.emptyroom.choice import room_name
    from vcam.segment.emptyroom.roomfile import RoomPlace
    from vcam.settings import load, parse_size

    settings = load().settings
    source = settings.camera.source
    return RoomPlace.of(source, room_name(settings, source), parse_size(settings.output.size)).path


def _row(path: Path) -> dict[str, Any]:
    from vcam.segment.emptyroom.roomfile import read_about

    try:
        about, count = read_about(path), path.stat().st_size
    except (VcamError, FileNotFoundError) as error:
        return {"file": str(path), "error": error.message if isinstance(error, VcamError) else str(error)}
    size = f"{about.size[0]}x{about.size[1]}"
    return {
        "file": str(path), "camera": about.camera, "cut": about.cut, "size": size, "kept": about.how,
        "when": about.when, "known": about.known, "bytes": count,
    }  # fmt: skip


def _words(row: dict[str, Any]) -> str:
    if "error" in row:
        return str(row["error"])
    from vcam.cli.statusview import kept_words

    camera = " ".join(part for part in (row["camera"], row["cut"]) if part)
    what = f"{kept_words(row['kept'], row['when'])}, {row['known']:.0%} known, {row['size']}"
    return f"{camera}: {what}, {row['bytes'] / 1000:.0f} kB in {row['file']}{' (used)' if row['used'] else ''}"


def _write(file: Path, overwrite: bool, name: str, as_json: bool) -> int:
    from vcam.files import Overwriting
    from vcam.images import write_image
    from vcam.segment.emptyroom.roomfile import read_room

    status = _ask(name, "status")
    if status and status["room"]["kept"] and not status["room"]["file"]:
        raise UsageError("the running vcam has not written its room down", "vcam set segment.private=false")
    path = Path(status["room"]["file"]) if status and status["room"]["file"] else _place()
    try:
        kept = read_room(path)
    except FileNotFoundError as error:
        raise UsageError(
            "nothing is kept of this camera's room", "vcam room learn; vcam room show lists all"
        ) from error
    write_image(file, picture_of(kept.room), Overwriting(overwrite).with_inputs(path), mode=0o600)
    if as_json:
        click.echo(json_text({"room": str(path), "picture": str(file)}))
    else:
        click.echo(printable(f"the room is in {file}; it is a picture of your home: remove it when you have seen it"))
    return 0


def picture_of(room: Any) -> U8:
    """The room, BGR, with stripes where it is not known."""
    import numpy as np

    from vcam.images import frame_to_bgr
    from vcam.segment.emptyroom.keeping import of_range

    picture = frame_to_bgr(of_range(room, full_range=False).frame if room.frame.full_range else room.frame)
    rows, columns = np.indices(picture.shape[:2])
    unknown = np.repeat(np.repeat(room.known == 0, 2, 0), 2, 1)
    picture[unknown] = (40, 40, 40)
    picture[unknown & ((rows + columns) % 16 < 4)] = (200, 80, 220)
    return picture
