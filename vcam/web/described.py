"""Settings and filters as the page needs them: one widget for each, made from what the tree says of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from vcam.compose.filters.base import Number, Parameter
from vcam.compose.filters.registry import KINDS, find_kind
from vcam.errors import UsageError
from vcam.settings import FIELDS, Field
from vcam.settings.paths import split_parameters

USED_MOST = (
    "matte.edge", "matte.softness", "matte.temporal", "matte.refine", "matte.islands", "filters.light_wrap",
    "filters.decontaminate", "segment.model", "segment.people", "segment.room", "segment.skip_still",
)  # fmt: skip
"""The eleven settings of the matte that people change; the page has these by themselves, before all others."""
FRAMED = ("framing.auto", "framing.zoom", "camera.mirror", "camera.rotate")
"""Those of how the person stands in the picture, which the page has by themselves as well."""


def settings_described(locked: Collection[str] = ()) -> list[dict[str, Any]]:
    """Every setting in the order of the tree: key, kind of widget, help, default, and what it may be.

    locked: those that whoever administers the machine has locked.
    """
    return [_setting(field) | {"locked": field.key in locked} for field in FIELDS.values()]


def _setting(field: Field) -> dict[str, Any]:
    return {
        "key": field.key,
        "kind": _kind(field),
        "help": field.help,
        "default": list(field.default) if field.is_list else field.default,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "unit": field.unit,
        "choices": list(field.choices),
        "words": list(field.words),
        "live": field.live,
        "whole": field.type is int,
        "secret": field.secret,
        "used_most": USED_MOST.index(field.key) + 1 if field.key in USED_MOST else 0,
        "framed": field.key in FRAMED,
    }


def _kind(field: Field) -> str:
    if field.type is bool:
        return "switch"
    if field.choices:
        return "choice"
    if field.is_list:
        return "list"
    if field.type in (int, float):
        bounded = field.minimum is not None and field.maximum is not None and field.maximum <= 10_000
        return "slider" if bounded else "number"
    return "text"


def filters_described() -> list[dict[str, Any]]:
    """Every filter with its parameters, as sliders and choices."""
    return [
        {
            "name": kind.name,
            "help": kind.help,
            "parameters": [_parameter(parameter) for parameter in kind.all_parameters],
        }
        for kind in KINDS.values()
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    common = {"name": parameter.name, "help": parameter.help, "default": parameter.default}
    if isinstance(parameter, Number):
        return common | {
            "kind": "slider",
            "minimum": parameter.low,
            "maximum": parameter.high,
            "unit": parameter.unit,
        }
    return common | {"kind": "choice" if parameter.choices else "text", "choices": list(parameter.choices)}


def chain_described(chain: list[str]) -> list[dict[str, Any]]:
    """Filters as they are written, taken apart: name and values. One that is none has no values, as it stands."""
    return [_filter(text) for text in chain]


def _filter(text: str) -> dict[str, Any]:
    name, colon, rest = text.strip().partition(":")
    try:
        kind = find_kind(name)
        values = _values(kind.all_parameters, rest) if colon else {}
    except (UsageError, ValueError, StopIteration):
        return {"text": text, "name": name, "values": {}, "known": False}
    return {"text": text, "name": kind.name, "values": values, "known": True}


def _values(parameters: tuple[Parameter, ...], rest: str) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in parameters}
    found: dict[str, Any] = {}
    for part in split_parameters(rest):
        name, equals, value = part.partition("=")
        if not equals:
            # a value without a name is the first parameter's
            name, value = next(iter(known)), part
        parameter = known.get(name.strip().lower())
        if parameter is None:
            raise ValueError(name)
        found[parameter.name] = parameter.read(value)
    return found


def chain_written(chain: list[dict[str, Any]]) -> list[str]:
    """What `chain_described` took apart, put together; what is as by default is left out. Raises `UsageError`."""
    return [_written(entry) for entry in chain]


def _written(entry: dict[str, Any]) -> str:
    try:
        name, values = str(entry["name"]), dict(entry.get("values") or {})
    except (TypeError, KeyError, ValueError) as error:
        raise UsageError("that is no filter", "give name and values") from error
    if not entry.get("known", True):
        return str(entry.get("text", name))
    kind = find_kind(name)
    defaults = {parameter.name: parameter.default for parameter in kind.all_parameters}
    parts = [f"{key}={_plain(value)}" for key, value in values.items() if key in defaults and value != defaults[key]]
    return f"{kind.name}:{','.join(parts)}" if parts else kind.name


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
