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
    """Settings by key for people: those that may hold a key as `vcam.secrets.redact` leaves them, and those that may be
    an address as `vcam.secrets.show_address` does. Keys that are not known are left as they are."""
    return {key: _without_secret(key, value) for key, value in values.items()}


def _without_secret(key: str, value: Any) -> Any:
    field = FIELDS.get(key)
    if field is None or not (field.secret or field.address):
        return value
    # not needed for `as_text`, which every command asks for
    from vcam.secrets import redact, show_address

    show = redact if field.secret else show_address
    return show(value) if isinstance(value, str) else tuple(map(show, value))


def as_meant(changes: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Changes in which what `without_secrets` shows of a present setting means that setting, keys and all: whoever
    writes back what was read changes nothing."""

    def meant(key: str, value: Any) -> Any:
        if key not in present:
            return value
        shown = _without_secret(key, present[key])
        return present[key] if shown != present[key] and value in (shown, as_text(key, shown)) else value

    return {key: meant(key, value) for key, value in changes.items()}
