"""Settings as people read and write them: a value as text, a range in words, keys and passwords hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vcam.settings.field import Field
from vcam.settings.tree import FIELDS


def as_text(key: str, value: Any) -> str:
    """A value as it is written after `KEY=`; the key may be one that only a newer daemon knows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return FIELDS[key].join(value) if key in FIELDS else ",".join(value)
    return str(value)


def as_written(value: Any) -> Any:
    """A value in the types in which a config file has it: a list for a tuple, 3 for 3.0."""
    if isinstance(value, tuple):
        return list(value)
    # as people write numbers
    return int(value) if isinstance(value, float) and value.is_integer() else value


def toml(value: Any) -> str:
    """A setting's value as it is written in a config file."""
    import tomlkit

    return str(tomlkit.item(as_written(value)).as_string())


def limits(field: Field, words: str) -> str:
    """A field's range put into words with two gaps; nothing for a field without."""
    return words.format(f"{field.minimum:g}", f"{field.maximum:g}") if field.minimum is not None else ""


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by key for people: those that may hold a key as `vcam.secrets.redact` leaves them."""
    # not needed for `as_text`, which every command asks for
    from vcam.secrets import redact

    def shown(value: Any) -> Any:
        return redact(value) if isinstance(value, str) else tuple(map(redact, value))

    return {key: shown(value) if FIELDS[key].secret else value for key, value in values.items()}
