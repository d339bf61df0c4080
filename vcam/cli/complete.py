"""What a shell offers for the values of options: names that vcam knows, and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from vcam.errors import VcamError

if TYPE_CHECKING:
    from vcam.settings import Field

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _matching(words: Iterable[str], typed: str, *, files: bool) -> list[CompletionItem]:
    """Words that begin as what is typed does; if there are none, files, which the shell itself looks for."""
    found = [CompletionItem(word) for word in words if word.startswith(typed)]
    return found or ([CompletionItem(typed, type="file")] if files else [])


def _offer(words: Callable[[], Iterable[str]], *, files: bool) -> Completer:
    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        return _matching(words(), typed, files=files)

    return complete


def _filters() -> Iterable[str]:
    from vcam.compose.filters.registry import KINDS

    return KINDS


def _models() -> Iterable[str]:
    from vcam.models.find import card_paths

    return (path.stem for path in card_paths("person"))


def _all_models() -> Iterable[str]:
    from vcam.models.find import card_paths

    return (path.stem for path in card_paths())


def _catalogue() -> Iterable[str]:
    from vcam.models.catalogue import catalogue

    return catalogue()


def _formats() -> Iterable[str]:
    from vcam.frames import PixelFormat

    return (format_.name.lower() for format_ in PixelFormat)


def _profiles() -> Iterable[str]:
    from vcam.settings import config_path, read_profiles

    with suppress(VcamError):
        return read_profiles(config_path())[1]
    return ()


def _importers() -> Iterable[str]:
    from vcam.datasets.importers.registry import AUTO, IMPORTERS

    return (AUTO, *IMPORTERS)


def _findings() -> Iterable[str]:
    from vcam.datasets.check import KINDS

    return KINDS


def _streams() -> Iterable[str]:
    from vcam.control.client import ControlClient

    with suppress(VcamError), ControlClient(timeout=1.0) as client:
        return [output["name"] for output in client.call("status")["outputs"] if output.get("kind") == "stream"]
    return ()


_NAMES: dict[str, Callable[[], Iterable[str]]] = {
    "": tuple, "filters": _filters, "formats": _formats, "models": _models,
}  # fmt: skip
"""Where the names are that a setting's `names` speaks of."""


def setting(key: str) -> Completer:
    """What the setting's own description offers: its words, the names it goes by, and files if it takes paths."""

    def complete(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        from vcam.settings import FIELDS

        return _values(FIELDS[key], typed)

    return complete


def more_outputs(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """What may become an output while vcam runs: no window, and not its standard output."""
    offered = setting("output.targets")(context, parameter, typed)
    return [item for item in offered if item.value not in ("window", "-")] or [CompletionItem(typed, type="file")]


def _values(field: Field, typed: str) -> list[CompletionItem]:
    from vcam.settings import Paths

    words = ("true", "false") if field.type is bool else field.choices
    return _matching((*words, *field.words, *_NAMES[field.names]()), typed, files=field.paths is not Paths.NEVER)


def backgrounds(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """What a background may be, and the words of `vcam background`."""
    own = [CompletionItem(word) for word in ("list", "next", "previous") if word.startswith(typed)]
    others = setting("background.spec")(context, parameter, typed)
    return own + [item for item in others if not own or item.type != "file"]


def keys(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The settings' names."""
    from vcam.settings import FIELDS

    return [CompletionItem(key, help=field.help) for key, field in FIELDS.items() if key.startswith(typed)]


def assignments(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """KEY=VALUE: the key, and after it what the setting offers. As an argument, of a vcam that runs, only settings that
    may change then."""
    from vcam.settings import FIELDS

    live = isinstance(parameter, click.Argument)

    key, equals, value = typed.partition("=")
    if equals:
        found = _values(FIELDS[key], value) if key in FIELDS else []
        return [item if item.type == "file" else CompletionItem(f"{key}={item.value}") for item in found]
    return [
        CompletionItem(f"{key}=", help=field.help)
        for key, field in FIELDS.items()
        if (field.live or not live) and key.startswith(typed)
    ]


def _running_outputs() -> Iterable[str]:
    from vcam.control.client import ControlClient

    with suppress(VcamError), ControlClient(timeout=1.0) as daemon:
        return [output["target"] for output in daemon.call("status")["outputs"] if output["target"]]
    return ()


files = _offer(tuple, files=True)
running_outputs = _offer(_running_outputs, files=False)
rooms = _offer(lambda: ("learn",), files=True)
filters = _offer(_filters, files=False)
models = setting("segment.model")
all_models = _offer(lambda: ("auto", *_all_models()), files=True)
catalogue = _offer(_catalogue, files=False)
importers = _offer(_importers, files=False)
findings = _offer(_findings, files=False)
profiles = _offer(_profiles, files=False)
streams = _offer(_streams, files=False)
profile_words = _offer(lambda: (*_profiles(), "list", "next", "previous", "none"), files=False)


def architectures(context: click.Context, parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Those that can be trained."""
    from vcam.train.nets.registry import ARCHITECTURES

    found = [(name, kind.good_for) for name, kind in ARCHITECTURES.items() if name.startswith(typed)]
    return [CompletionItem(name, help=words) for name, words in found]
