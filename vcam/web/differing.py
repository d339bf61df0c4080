"""What a vcam that runs has otherwise than its config file, as far as it may be written there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vcam.secrets import HIDDEN
from vcam.settings import FIELDS, Field, load
from vcam.settings.shown import without_secrets
from vcam.settings.tree import flatten


def differing(values: Mapping[str, Any], path: Path, profile: str) -> tuple[dict[str, Any], list[str]]:
    """Of values by key, as `get` gives them: those that differ from the file with that profile, or without one.

    Live ones alone. Besides the changes, the keys of those that differ and are not known whole here, as an address
    without its password: they cannot be written.
    """
    # the file for all users counts as well, the other variables do not
    system = {name: os.environ[name] for name in ("XDG_CONFIG_DIRS",) if name in os.environ}
    shown = without_secrets(flatten(load(profile=profile, environ=system, path=path).settings))
    differ = {
        key: value
        for key, value in values.items()
        if (field := FIELDS.get(key)) and field.live and _differs(value, shown[key])
    }
    changes = {key: value for key, value in differ.items() if is_whole(FIELDS[key], value)}
    return changes, [key for key in differ if key not in changes]


def is_whole(field: Field, value: Any) -> bool:
    """Whether a value is shown as it is: a path or a word is, an address may be without its password."""
    return not field.secret and not (field.address and ("://" in str(value) or HIDDEN in str(value)))


def _differs(value: Any, written: Any) -> bool:
    return (list(value) if isinstance(value, list | tuple) else value) != (
        list(written) if isinstance(written, list | tuple) else written
    )
