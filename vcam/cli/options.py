"""Command-line options made from the tree of settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vcam.cli import complete
from vcam.errors import UsageError
from vcam.files import no_folder
from vcam.folders import expand
from vcam.settings import FIELDS, Field, Loaded, load

F = TypeVar("F", bound=Callable[..., Any])


overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Overwrite a file that exists; never one that vcam reads."
)


room_option = click.option(
    "--room", metavar="learn|FILE|DIR", shell_complete=complete.rooms,
    help="What is known of the room behind, where the camera stands still: its empty picture, a folder of them by the "
    "names of the films, or learn: each film begins with the empty room.",
)  # fmt: skip


class Named(click.Path):
    """An argument that is a path as somebody typed it; `~` means what it means in settings.

    A name that ends in a slash is that of a folder.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Raises `UsageError` for a home folder that is not there, and for a folder that is a file, or missing where a
        file is to go into it."""
        text = os.fsdecode(value)
        path = expand(text)
        if text.endswith("/") and not os.path.isdir(path):
            if os.path.lexists(path):
                raise UsageError(f"{path} is no folder", "leave the slash away, or give another name")
            # the results of a folder go into one that is made for them; what is not there to be read, the command tells
            if ctx and param and param.name == "output" and os.path.isfile(ctx.params.get("input") or ""):
                raise no_folder(path)
        return path


OF_A_CAMERA = ("segment.room", "segment.private")
"""What is kept of a camera's room; films and pictures in files have `room_option` in their place."""


def settings_options(
    *sections: str, but: tuple[str, ...] = (), defaults: dict[str, Any] | None = None, profile: bool = True
) -> Callable[[F], F]:
    """Give a command the options of some sections, `--set`, and `--profile` unless it has no use for the config file.

    The command receives them as keyword arguments; `load_settings` turns these into settings. but: keys that have no
    option here. `defaults` lie under everything else that a person sets.
    """
    options = (field for field in FIELDS.values() if field.option and field.key not in but)
    fields = [field for field in options if field.key.split(".")[0] in sections]
    defaults = defaults or {}

    def decorate(command: F) -> F:
        if profile:
            command = click.option(
                "--profile", default="", metavar="NAME", help="Use a profile of the config file.",
                shell_complete=complete.profiles,
            )(command)  # fmt: skip
        command = click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set anything else, as matte.edge=3.",
            shell_complete=complete.assignments,
        )(command)
        for field in reversed(fields):
            command = _option(field, defaults.get(field.key, field.default))(command)
        return command

    return decorate


def _option(field: Field, default: Any) -> Callable[[F], F]:
    name = field.key.replace(".", "__")
    help_ = field.help
    if field.minimum is not None:
        help_ += f" From {field.minimum:g} to {field.maximum:g}."
    shown: dict[str, Any] = {"help": help_, "default": None, "show_default": _shown(default)}
    if field.type is bool:
        return click.option(f"{field.option}/--no-{field.option[2:]}", name, **shown)
    if field.choices:
        return click.option(field.option, name, type=click.Choice(field.choices, case_sensitive=False), **shown)
    shown |= {"metavar": field.metavar, "multiple": field.is_list, "shell_complete": complete.setting(field.key)}
    words = [field.short, field.option] if field.short else [field.option]
    return click.option(*words, name, **shown)


def _shown(default: Any) -> str | bool:
    if isinstance(default, tuple):
        return ", ".join(default) or False
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default) or False


def load_settings(options: dict[str, Any], profile: str = "", assignments: tuple[str, ...] = ()) -> Loaded:
    """Settings from the options that `settings_options` gave a command, and from everything below them."""
    return load(given(options), assignments=assignments, profile=profile)


def load_isolated(options: dict[str, Any], assignments: tuple[str, ...], defaults: dict[str, Any]) -> Loaded:
    """Settings from options and `defaults` alone, whatever this user's config file and environment say.

    For commands that show or measure something of their own.
    """
    nothing = Path(os.devnull)
    return load(given(options), assignments=assignments, defaults=defaults, environ={}, path=nothing, alone=True)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """What was given on the command line, by the settings' keys."""
    return {
        name.replace("__", "."): value for name, value in options.items() if "__" in name and value not in (None, ())
    }
