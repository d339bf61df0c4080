"""The systemd unit of the service: the file that ships with vcam, with a program and its options put in."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vcam import extras, folders
from vcam.assets import data_folder

NAME = "vcam.service"

NOTIFY_RELOAD = 253
"""The first version of systemd that knows Type=notify-reload: a reload then ends when vcam says so."""

SYSTEM_UNIT = Path("/usr/lib/systemd/user", NAME)
"""The unit that a package of the system brings, for all users. One of the user's own counts before it."""

SYSTEM_PROGRAM = Path("/usr/bin/vcam")
"""The program of such a package."""


def unit_path() -> Path:
    """Where a unit of the user belongs."""
    return folders.base("config") / "systemd" / "user" / NAME


def at_login() -> Path:
    """The link by which systemd starts it at every login."""
    return unit_path().parent / "default.target.wants" / NAME


def is_installed() -> bool:
    """Whether the user has a unit of that name, and it is vcam's: another program may be called so as well."""
    return _is_ours(unit_path())


def system_unit() -> Path | None:
    """The unit of a package, where there is one and it is vcam's."""
    return SYSTEM_UNIT if _is_ours(SYSTEM_UNIT) else None


def is_hidden() -> bool:
    """Whether a unit of that name counts that is not vcam's: another program's, or a mask."""
    return (unit_path().exists() or unit_path().is_symlink()) and not is_installed()


def is_on_at_login() -> bool:
    """Whether the unit of a package is the one that starts at every login of this user."""
    shipped = system_unit()
    return shipped is not None and not is_hidden() and at_login().resolve() == shipped.resolve()


def _is_ours(path: Path) -> bool:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    ours = (data_folder("systemd") / NAME).read_text(encoding="utf-8").splitlines()
    return next(line for line in ours if line.startswith("Description=")) in lines


def program() -> list[str]:
    """The words that start vcam from anywhere, as it was started now."""
    if extras.belongs_to_the_system() and os.access(SYSTEM_PROGRAM, os.X_OK):
        return [str(SYSTEM_PROGRAM)]
    # Nix has its Python and vcam's modules in different places, which only a script of its brings together; the link to
    # it in a profile outlives an upgrade
    in_store = any(Path(path).is_relative_to("/nix/store") for path in (sys.prefix, sys.executable))
    if in_store and (found := shutil.which("vcam")):
        return [found]
    # not resolved: the link of a virtual environment is what makes it one
    beside = Path(sys.executable).parent / "vcam"
    if beside.is_file() and os.access(beside, os.X_OK):
        return [str(beside)]
    return [sys.executable, "-m", "vcam"]


def render(command: Sequence[str], environment: Mapping[str, str], version: int) -> str:
    """The text of the unit that runs a command, for a version of systemd."""
    text = (data_folder("systemd") / NAME).read_text(encoding="utf-8")
    lines = [f"Environment={quote(f'{name}={value}')}" for name, value in environment.items()]
    # the colon: no word of the command is looked up in the environment
    lines.append("ExecStart=:" + " ".join(quote(word) for word in command))
    text = re.sub(r"^ExecStart=.*$", lambda _: "\n".join(lines), text, count=1, flags=re.MULTILINE)
    own = command[: command.index("start")] if "start" in command else command[:1]
    cover = " ".join(quote(word) for word in (*own, "loopback", "cover"))
    text = re.sub(r"^ExecStopPost=.*$", lambda _: f"ExecStopPost=-:{cover}", text, count=1, flags=re.MULTILINE)
    if version >= NOTIFY_RELOAD:
        text = text.replace("Type=notify\n", "Type=notify-reload\n")
        text = re.sub(r"^ExecReload=.*\n", "", text, flags=re.MULTILINE)
    return text


def quote(word: str) -> str:
    """A word as systemd.syntax(7) reads it back, specifiers and all."""
    word = word.replace("%", "%%")
    if re.fullmatch(r"[\w@%+=:,./#-]+", word, re.ASCII):
        return word
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{word}"'
