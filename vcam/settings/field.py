"""How one setting is described: its help and limits, and all that commands, files and shells ask of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from msgspec import Meta, Struct


class Paths(Enum):
    """Which values of a setting are paths of files. Whatever can be one is made absolute before another folder counts.

    The words of a setting, addresses and the empty text are never paths.
    """

    NEVER = "never"
    ALWAYS = "always"
    """Every other value."""
    LOOKS = "looks"
    """What looks like one: with a slash, with a tilde in front, or with one of the setting's suffixes."""
    FILES = "files"
    """What looks like one, or is a file of the present folder; a number is none."""
    ENTRIES = "entries"
    """What looks like one, or is a file or folder of the present folder."""
    FILTERS = "filters"
    """The parameters of filters that the setting names in `parameters`."""


def setting(
    help_: str,
    *,
    live: bool = False,
    unit: str = "",
    option: str = "",
    short: str = "",
    metavar: str = "",
    separator: str = ",",
    words: Sequence[str] = (),
    names: Literal["", "models", "filters", "formats"] = "",
    paths: Paths = Paths.NEVER,
    suffixes: Sequence[str] = (),
    parameters: Mapping[str, str] | None = None,
    secret: bool = False,
    address: bool = False,
    **limits: Any,
) -> Meta:
    """What is known of one setting beside its type and default; see `Field`. `limits` are msgspec's."""
    about = {
        "live": live, "unit": unit, "option": option, "short": short, "metavar": metavar, "separator": separator,
        "words": tuple(words), "names": names, "paths": paths, "suffixes": tuple(suffixes),
        "parameters": parameters or {}, "secret": secret, "address": address,
    }  # fmt: skip
    return Meta(description=help_, extra=about, **limits)


class Field(Struct, frozen=True):
    """All that is known of one setting. `key` is "section.name"; `type` as written, without its limits."""

    key: str
    type: Any
    default: Any
    help: str
    minimum: float | None
    maximum: float | None
    unit: str
    live: bool
    """It may change while vcam runs."""
    option: str
    """Its option on the command line, and a short one for it; empty for none."""
    short: str
    metavar: str
    """What stands for the value in the help of the option."""
    separator: str
    """What stands between the values of a list in a text."""
    words: tuple[str, ...]
    """Words that have a meaning of their own, for shells to offer. A colon says that a value follows: `blur:`."""
    names: str
    """What else shells offer, where another room knows it: the names of models, of filters or of formats."""
    paths: Paths
    suffixes: tuple[str, ...]
    """In small letters, with the dot: what ends so looks like a path."""
    parameters: Mapping[str, str]
    """Filters that read a file: the name of the parameter that is its path, which is their first."""
    secret: bool
    """It may hold a key that nobody but its owner is to see."""
    address: bool
    """It may be an address, of which nobody but its owner is to see more than scheme and host."""

    @classmethod
    def of(cls, key: str, annotation: Any, default: Any) -> Field:
        """The field of an annotation `Annotated[type, setting(...)]`."""
        type_, meta = get_args(annotation)[:2]
        about = {**meta.extra}
        if type_ is not bool and get_origin(type_) is not Literal:
            about["metavar"] = about["metavar"] or ("NUMBER" if type_ in (int, float) else "TEXT")
        return cls(key, type_, default, meta.description or "", meta.ge, meta.le, **about)

    @property
    def choices(self) -> tuple[str, ...]:
        return get_args(self.type) if get_origin(self.type) is Literal else ()

    @property
    def environment(self) -> str:
        return "VCAM_" + self.key.upper().replace(".", "_")

    @property
    def is_list(self) -> bool:
        return get_origin(self.type) is tuple

    def split(self, text: str) -> list[str]:
        """The values of a list that is written as one text."""
        return [part.strip() for part in text.split(self.separator) if part.strip()]

    def join(self, values: Iterable[str]) -> str:
        """A list as one text."""
        return self.separator.join(values)
