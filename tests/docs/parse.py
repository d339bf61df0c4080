"""A command as the program itself would take it: options, settings and their values, without doing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vcam.cli.main import cli
from vcam.cli.options import given, load_isolated
from vcam.cli.train import TrainGroup
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.filters.registry import parse_filter
from vcam.daemon.rounds import STEPS
from vcam.errors import InputError, UsageError, VcamError
from vcam.output.encoded.address import parse_address
from vcam.output.factory import make_output
from vcam.settings import BackgroundSettings, Settings, find_field, parse_assignments
from vcam.suffixes import OUTPUT_SUFFIXES, PICTURE_SUFFIXES, VIDEO_SUFFIXES

FILLED_IN = {
    "PORT": "9100", "N": "20", "KEY": "matte.edge", "KEY=VALUE": "matte.edge=3", "KEY=VALUE...": "matte.edge=3",
    "SPEC": "blur", "URL": "rtmp://host/live/name", "rtmp://SERVER/LiveApp/me": "rtmp://server/LiveApp/me",
}  # fmt: skip
"""What stands for what people fill in, where a value of its kind is looked at."""


def resolve(words: list[str]) -> tuple[click.Command | None, list[str], click.Context]:
    """The command that words name, None for what only groups are asked; the words behind it, and its parent."""
    group: click.Group = cli
    context = click.Context(cli, info_name="vcam")
    words = [word for word in words if word != "--debug"]
    while words and words[0] not in ("-h", "--help", "--version"):
        name, *words = words
        command = group.get_command(context, name)
        if command is None and isinstance(group, TrainGroup):
            # what is no command's name is the training's first word
            return group.own, [name, *words], context
        if command is None:
            raise click.UsageError(f"there is no command {name}")
        if not isinstance(command, click.Group):
            return command, words, context
        group, context = command, click.Context(command, info_name=name, parent=context)
    return None, words, context


def complain(words: list[str]) -> str:
    """What is wrong with a command; empty if it would run. Words in capitals stand for what people fill in."""
    words = [FILLED_IN.get(word, word) for word in words]
    if words and words[0].isupper():
        return ""
    try:
        command, rest, parent = resolve(words)
        if command is None or "--help" in rest:
            return ""
        options = [word for word in rest if word.startswith("-")]
        if len(options) == len(rest) and command.params and not options:
            # a command that is only spoken of
            return ""
        context = command.make_context(command.name, rest, parent=parent)
        check_values(command, context.params)
    except click.MissingParameter:
        # spoken of with an option, but without what it is for
        return ""
    except click.UsageError as error:
        return error.format_message()
    except VcamError as error:
        return str(error)
    return ""


def settings_of(params: dict[str, Any]) -> Settings:
    """The settings of a command that takes them as options. Raises `UsageError`."""
    options = {name: value for name, value in params.items() if "__" in name}
    assignments = tuple(FILLED_IN.get(word, word) for word in params.get("assignments") or ())
    return load_isolated(options, assignments, {}).settings


def check_values(command: click.Command, params: dict[str, Any]) -> None:
    """Raise `VcamError` for a value that could not be meant. Files need not be there."""
    settings = settings_of(params)
    for spec in filter(None, (settings.background.spec, params.get("spec"))):
        if spec not in ("list", *STEPS):
            check_background(str(spec))
    for filter_ in settings.filters.chain:
        try:
            parse_filter(filter_)
        except (InputError, UsageError) as error:
            # a file that is not here is not looked for
            if "there is no file" not in error.message:
                raise
    if given({name: value for name, value in params.items() if name == "output__targets"}):
        for target in settings.output.targets:
            make_output(target, live=True)
    if params.get("target"):
        make_output(params["target"], live=True)
    for url in (*settings.stream.rtmp, *filter(None, [params.get("url")])):
        parse_address(url, "a-key")
    if params.get("key"):
        find_field(params["key"])
    if command.name == "set":
        for key in parse_assignments(params["assignments"]):
            find_field(key)


def check_background(spec: str) -> None:
    """Raise `UsageError` for what is neither a word of backgrounds, with a value that fits, nor looks like a file."""
    file = "/" in spec or Path(spec).suffix in {*PICTURE_SUFFIXES, *VIDEO_SUFFIXES, *OUTPUT_SUFFIXES}
    if spec != "screen" and not file:
        parse_background(spec, BackgroundSettings()).close()
