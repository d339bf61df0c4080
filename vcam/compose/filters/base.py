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
from typing import Protocol, TypeAlias, runtime_checkable

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
    """A parameter that is one of some words, or any text if there are none to choose from.

    `file`: whether such a text is the path of a file; else it is a name that vcam knows.
    """

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    file: bool = False

    @property
    def range(self) -> str:
        return f"one of {', '.join(self.choices)}" if self.choices else self.help

    def read(self, text: str) -> str:
        """Raises `ValueError` for what is none of the choices."""
        if self.choices and text.lower() not in self.choices:
            raise ValueError(text)
        return text.lower() if self.choices else text


class Pace(Enum):
    """How the pictures come that a filter is for."""

    LIVE = "live"
    """From a camera that does not wait: nothing may take longer than a frame does."""
    FILM = "film"
    """One after the other, as fast as they are worked off; the same film shall become the same every time."""
    STILL = "still"
    """Each is a picture of its own."""


class Values(Mapping[str, "float | str"]):
    """The parameters of one filter by name, and what it is for."""

    def __init__(self, values: Mapping[str, float | str], pace: Pace = Pace.FILM) -> None:
        self._values, self.pace = dict(values), pace

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
    own_room: bool = False
    """Whether the plate is made from the frame itself, as a blurred room is."""


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


@runtime_checkable
class Dresses(Protocol):
    """A filter of the person that reads the frame itself, where it is the first one: that spares a copy."""

    def dress(self, frame: Frame, picture: Frame, box: Box, scene: Scene) -> bool:
        """Write what it makes of the frame, of either range, into `picture`, limited range, inside `box`.

        The rest is as for `PictureFilter.change`. Returns False if it would change nothing, and has written nothing.
        """


@runtime_checkable
class InBlend(Protocol):
    """A filter of the person that can act as she is blended, where it is the only one: that spares the loop a person
    of the filter's own, which is written and read again."""

    @property
    def in_blend(self) -> bool:
        """Whether it can here."""

    def ready(self, scene: Scene) -> bool:
        """Get ready for a frame that is about to be blended; whether there is something to be done."""

    def blend(
        self, frame: Frame, alpha: Alpha, plate: Frame, out: Frame, *, scales: tuple[float, float, float], lift: int
    ) -> bool:
        """Do what `PlanarBlender.blend` does, and what is to be done, in one; False if that is for `finish`.

        scales: by which luma, Cb and Cr come into the limited range; lift: what is added then.
        """

    def finish(self, picture: Frame, frame: Frame, alpha: Alpha) -> None:
        """Change a picture in place, limited range, into which a frame was blended by `alpha` as it is."""


@runtime_checkable
class Inherits(Protocol):
    """A filter that goes on where another of its kind was, when the chain is replaced by one of other values."""

    def inherit(self, before: object) -> None:
        """Take over what `before`, a filter of the same class, has found out."""


@runtime_checkable
class Closes(Protocol):
    """A filter that something of may still be at work."""

    def close(self) -> None:
        """Wait until nothing is, but not for long. May be called twice."""


@runtime_checkable
class MayRest(Protocol):
    """A filter that can be such that it does nothing at all."""

    @property
    def rests(self) -> bool:
        """Whether it may as well be left out."""


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
