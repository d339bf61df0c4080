"""What a shell offers for the values of options: names that vcam knows, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import click
from click.shell_completion import CompletionItem

from vcam.errors import VcamError

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_BACKGROUNDS = ("blur", "blur:", "pixelate", "pixelate:", "color:#", "green", "none", "screen")
_TARGETS = ("auto", "window", "null", "-")


def _offer(words: Callable[[], Iterable[str]], *, files: bool) -> Completer:
    """Words that begin as what is typed does; files as well, which the shell itself looks for."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        found = [CompletionItem(word) for word in words() if word.startswith(typed)]
        return found or ([CompletionItem(typed, type="file")] if files else [])

    return complete


def _filters() -> Iterable[str]:
    from vcam.compose.filters.registry import KINDS

    return KINDS


def _models() -> Iterable[str]:
    from vcam.models.find import card_paths

    return ("auto", *(path.stem for path in card_paths()))


def _profiles() -> Iterable[str]:
    from vcam.settings import config_path, read_profiles

    with suppress(VcamError):
        return read_profiles(config_path())[1]
    return ()


def keys(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The settings' names, those that can be set where something is to be set."""
    from vcam.settings import FIELDS

    to_set = parameter.name == "assignments"
    return [
        CompletionItem(key + "=" if to_set else key, help=known.help)
        for key, known in FIELDS.items()
        if key.startswith(typed) and (known.live or not to_set)
    ]


files = _offer(tuple, files=True)
filters = _offer(_filters, files=False)
models = _offer(_models, files=True)
backgrounds = _offer(lambda: _BACKGROUNDS, files=True)
profiles = _offer(_profiles, files=False)

BY_KEY = {
    "filters.chain": filters,
    "segment.model": models,
    "background.spec": backgrounds,
    "camera.source": _offer(lambda: ("auto", "demo"), files=True),
    "output.targets": _offer(lambda: _TARGETS, files=True),
    "overlay.front": files,
    "overlay.back": files,
}
"""The settings whose values are known beforehand or are files."""
