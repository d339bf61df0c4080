"""What a filter is: its description, and what the chain expects of it.

A filter acts in one place on the way of a picture:

    alpha        on the matte, before anything is blended
    person       on the frame, where the person is, before blending
    background   on the plate behind the person
    picture      on the finished picture

Pictures are planar 4:2:0, limited range, in every place; a filter leaves legal samples legal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeAlias

from vcam.errors import UsageError
from vcam.frames import Alpha, Box, Frame
from vcam.types import Size


class Place(Enum):
    """Where a filter acts."""

    ALPHA = "alpha"
    PERSON = "person"
    BACKGROUND = "background"
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Number:
    """A parameter that is a number from `low` to `high`."""

    name: str
    help: str
    default: float
    low: float
    high: float
    unit: str = ""

    @property
    def range(self) -> str:
        return f"a number from {self.low:g} to {self.high:g}" + (f" {self.unit}" if self.unit else "")

    def read(self, text: str) -> float:
        """Raises `ValueError` for what is no number of the range; NaN is none."""
        number = float(text)
        if math.isnan(number) or not self.low <= number <= self.high:
            raise ValueError(text)
        return number


@dataclass(frozen=True, slots=True)
class Word:
    """A parameter that is one of some words, or any text if there are none to choose from."""

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        return f"one of {', '.join(self.choices)}" if self.choices else self.help

    def read(self, text: str) -> str:
        """Raises `ValueError` for what is none of the choices."""
        if self.choices and text.lower() not in self.choices:
            raise ValueError(text)
        return text.lower() if self.choices else text


class Values(Mapping[str, "float | str"]):
    """The parameters of one filter by name."""

    def __init__(self, values: Mapping[str, float | str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> float | str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def number(self, name: str) -> float:
        return float(self._values[name])

    def text(self, name: str) -> str:
        return str(self._values[name])


@dataclass(slots=True)
class Scene:
    """What a filter of the person may look at beside the person."""

    frame: Frame
    """As the camera gave it, of either range."""
    alpha: Alpha
    plate: Frame
    version: tuple[int, int]
    """The plate's: the same numbers mean the same samples."""
    now: float
    """Seconds; never decreases."""


class AlphaFilter(Protocol):
    """Changes mattes."""

    def prepare(self, size: Size) -> None:
        """Get buffers for mattes of `size`."""

    def change(self, alpha: Alpha) -> None:
        """Change `full`, `half` and `box` in place; the buffers are the caller's, `small` is not to be touched."""


class PictureFilter(Protocol):
    """Changes pictures."""

    def prepare(self, size: Size) -> None:
        """Get buffers for pictures of `size`."""

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        """Change the samples inside `box` in place; those outside may hold anything.

        `scene` is given for the person only. The bounds of `box` are multiples of `CELL` or the picture's own.
        """


AnyFilter: TypeAlias = AlphaFilter | PictureFilter
Parameter: TypeAlias = Number | Word


@dataclass(frozen=True, slots=True)
class Kind:
    """One filter of the registry. The first of `places` is where it acts unless its parameter `on` says otherwise."""

    name: str
    help: str
    places: tuple[Place, ...]
    parameters: tuple[Parameter, ...]
    make: Callable[[Values], AnyFilter]
    """May raise `UsageError` for values that do not go together and `InputError` for files."""

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Those of its own and `on`, where there is a choice of places."""
        if len(self.places) == 1:
            return self.parameters
        places = tuple(place.value for place in self.places)
        return (*self.parameters, Word("on", "what it acts on", places[0], places))


@dataclass(frozen=True, slots=True)
class Placed:
    """A filter with the place where it acts. `anywhere`: it needs no matte, so it may act on the whole picture."""

    filter: AnyFilter
    place: Place
    anywhere: bool


COLOURS = (Place.PICTURE, Place.PERSON, Place.BACKGROUND)
"""The places of what changes colours alone: all of the picture, unless one says otherwise."""

CELL = 16


def ordered(name: str, low: float, high: float) -> None:
    """Raise `UsageError` unless low < high."""
    if not low < high:
        raise UsageError(f"{name}: low={low:g} is not below high={high:g}", f"for example {name}:low=0.2,high=0.8")
