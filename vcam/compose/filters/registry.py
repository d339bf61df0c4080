"""All filters by name, and how they are written: NAME[:PARAM=VALUE,...]."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from vcam.compose.filters import alpha, clone, colour, cube, edge, harmonise, light, look, transfer
from vcam.compose.filters.base import Kind, Pace, Parameter, Place, Placed, Values
from vcam.errors import UsageError
from vcam.settings.paths import split_parameters

KINDS: dict[str, Kind] = {
    kind.name: kind
    for module in (alpha, transfer, harmonise, clone, edge, colour, light, look, cube) for kind in module.KINDS
}  # fmt: skip
"""Every filter, in the order in which help lists them."""

_OTHER_NAMES = {
    "gray": "grey", "color": "color-transfer", "colour": "color-transfer", "colormap": "color-map",
    "gaussian": "alpha", "clahe": "low-light", "colour-transfer": "color-transfer", "colour-map": "color-map",
    "harmonize": "harmonise",
}  # fmt: skip

MOST = 16
"""Filters in one chain; more is a mistake."""


def find_kind(name: str) -> Kind:
    """The filter of a name, or of another word for it. Raises `UsageError` if there is none."""
    name = name.strip().lower().replace("_", "-")
    kind = KINDS.get(_OTHER_NAMES.get(name, name))
    if kind is None:
        close = difflib.get_close_matches(name, KINDS, 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else f"the filters are {', '.join(KINDS)}"
        raise UsageError(f"there is no filter {name!r}", f"{hint}; vcam filters describes them")
    return kind


def parse_filter(text: str, *, still: bool = False, live: bool = False) -> Placed:
    """The filter that the words name, ready for `prepare`.

    A value without a name is the first parameter's. still: for a picture that has no others after it, so that quality
    comes before time. live: for pictures that do not wait. Raises `UsageError` for an unknown name or a value that
    cannot be, `InputError` for a file, `ModelError` for a network.
    """
    name, colon, rest = text.strip().partition(":")
    kind = find_kind(name)
    values: dict[str, float | str] = {parameter.name: parameter.default for parameter in kind.all_parameters}
    if still and "quality" in values:
        values["quality"] = "full"
    given: set[str] = set()
    for part in split_parameters(rest) if colon else ():
        parameter, value = _read(kind, part)
        if parameter.name in given:
            raise UsageError(f"{kind.name}: {parameter.name} is given twice", "give it once")
        given.add(parameter.name)
        values[parameter.name] = value
    place = Place(str(values.pop("on", kind.places[0].value)))
    pace = Pace.STILL if still else Pace.LIVE if live else Pace.FILM
    return Placed(kind.make(Values(values, pace)), place, Place.PICTURE in kind.places)


def parse_filters(chain: Iterable[str], *, still: bool = False, live: bool = False) -> list[Placed]:
    """The filters of a chain, in its order; see `parse_filter`."""
    chain = list(chain)
    if len(chain) > MOST:
        raise UsageError(f"{len(chain)} filters are too many", f"take at most {MOST}")
    return [parse_filter(text, still=still, live=live) for text in chain]


def _read(kind: Kind, part: str) -> tuple[Parameter, float | str]:
    parameters = {parameter.name: parameter for parameter in kind.all_parameters}
    if not parameters:
        raise UsageError(f"{kind.name}:{part} is not valid: {kind.name} takes no value", f"write {kind.name}")
    name, equals, value = part.partition("=")
    if not equals:
        name, value = next(iter(parameters)), part
    name = name.strip().lower()
    parameter = parameters.get(name)
    if parameter is None:
        close = difflib.get_close_matches(name, parameters, 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(parameters)}"
        raise UsageError(f"the filter {kind.name} has no parameter {name!r}", hint)
    try:
        return parameter, parameter.read(value.strip())
    except ValueError:
        raise UsageError(
            f"{kind.name}: {name}={value.strip()} is not valid",
            f"give {parameter.range}, for example {kind.name}:{name}={_example(parameter)}",
        ) from None


def _example(parameter: Parameter) -> str:
    return f"{parameter.default:g}" if isinstance(parameter.default, float) else parameter.default or "VALUE"
