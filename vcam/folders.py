"""Where vcam's own files lie, as the XDG base directory specification has it; decided here and nowhere else.

A service, a container or a cron job may have no home folder, or variables that mean nothing. Such a variable is passed
over, and what has no place is not kept: `NOWHERE` stands for it, so that reading finds nothing and writing fails as it
does in a home that is read-only. Only `place_to_write`, `scratch` and `expand` raise.
"""

from __future__ import annotations

import logging
import os
import pwd
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

from vcam.errors import ConfigError, UsageError, VcamError

_log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["config", "cache", "data", "state"]

_PLACES: dict[Kind, tuple[str, str]] = {
    "config": ("XDG_CONFIG_HOME", ".config"),
    "cache": ("XDG_CACHE_HOME", ".cache"),
    "data": ("XDG_DATA_HOME", ".local/share"),
    "state": ("XDG_STATE_HOME", ".local/state"),
}

NOWHERE = Path("/dev/null/no-home-folder")
"""The home folder of who has none: nothing is there, and nobody can make it."""

CURE = "set HOME to a folder of your own"
"""For what cannot be done without a home folder."""

_told: set[str] = set()


def home() -> Path | None:
    """The user's home folder: HOME if that is an absolute path, else that of the account, else None."""
    if os.path.isabs(path := os.environ.get("HOME", "")):
        return Path(path)
    try:
        path = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    return Path(path) if os.path.isabs(path) else None


def base(kind: Kind) -> Path:
    """The folder in which programs have folders of their own for one kind of file."""
    variable, below = _PLACES[kind]
    # the specification: a relative path is invalid and must be ignored
    if os.path.isabs(path := os.environ.get(variable, "")):
        return Path(path)
    return (home() or NOWHERE) / below


def own(kind: Kind) -> Path:
    """vcam's folder for one kind of file. It may not be there, or be no folder."""
    return base(kind) / "vcam"


def place_to_write(path: Path) -> Path:
    """A path in one of these folders, given back. Raises `ConfigError` if it is nowhere."""
    if path.is_relative_to(NOWHERE):
        raise ConfigError("there is no home folder to write to", CURE)
    return path


def videos() -> Path:
    """The user's folder of videos, as the desktop has it (xdg-user-dirs), or ~/Videos; the home folder without one."""
    here = home() or NOWHERE
    places = [here / "Videos"]
    with suppress(OSError, ValueError):
        text = (base("config") / "user-dirs.dirs").read_text(encoding="utf-8")
        if found := re.search(r'^XDG_VIDEOS_DIR="(.+)"$', text, re.M):
            places.insert(0, Path(found[1].replace("$HOME", str(here))))
    return next((place for place in places if place.is_dir()), here)


def runtime() -> Path:
    """The folder of sockets: `$XDG_RUNTIME_DIR/vcam`; it may not be there yet.

    Where there is no such variable, as under cron or in a container: in the folder that systemd makes for the user, or
    else in /tmp.
    """
    uid = os.getuid()
    place = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    if os.path.isabs(place) and os.path.isdir(place):
        return Path(place, "vcam")
    return Path(f"/tmp/vcam-{uid}")


def expand(path: str) -> Path:
    """A path as somebody typed it, with the home folder in the place of a leading `~` or `~name`.

    Raises `UsageError` if there is no such folder, or no such user and no file of that name either.
    """
    if not path.startswith("~"):
        return Path(path)
    first, _, rest = path.partition("/")
    if first == "~":
        place = home()
    else:
        try:
            place = Path(pwd.getpwnam(os.fsencode(first[1:]).decode("utf-8")).pw_dir)
        except (KeyError, ValueError):
            # a file may have such a name
            if os.path.lexists(first):
                return Path(path)
            raise UsageError(f"{path}: there is no user {first[1:]}", "give the whole path") from None
    if place is None:
        raise UsageError(f"{path}: there is no home folder", f"give the whole path, or {CURE}")
    return place / rest


def scratch() -> str:
    """The folder for temporary files. Raises `VcamError` if there is none that can be written to."""
    try:
        return tempfile.gettempdir()
    except OSError as error:
        raise VcamError("there is no folder for temporary files", "set TMPDIR to one that can be written to") from error


def cannot_keep(what: str, where: Path, why: str) -> None:
    """Say that something is not kept, once for each thing. `what` begins the sentence, `why` is for people."""
    if what in _told:
        return
    _told.add(what)
    if where.is_relative_to(NOWHERE):
        _log.warning("%s cannot be kept: there is no home folder (%s)", what, CURE)
    else:
        _log.warning("%s cannot be kept in %s: %s", what, where, why)
