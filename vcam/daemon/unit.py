"""The systemd unit of the service: the file that ships with vcam, with a program and its options put in."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from vcam import folders
from vcam.assets import data_folder

NAME = "vcam.service"

NOTIFY_RELOAD = 253
"""The first version of systemd that knows Type=notify-reload: a reload then ends when vcam says so."""


def unit_path() -> Path:
    """Where a unit of the user belongs."""
    return folders.base("config") / "systemd" / "user" / NAME


def is_installed() -> bool:
    """Whether there is a unit of that name, and it is vcam's: another program may be called so as well."""
    try:
        lines = unit_path().read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    ours = (data_folder("systemd") / NAME).read_text(encoding="utf-8").splitlines()
    return next(line for line in ours if line.startswith("Description=")) in lines


def program() -> list[str]:
    """The words that start vcam from anywhere, as it was started now."""
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
