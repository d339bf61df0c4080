"""What whoever administers the machine has set for all of its users: the file below theirs, and the keys that it locks.

The first `vcam/config.toml` in the folders of `XDG_CONFIG_DIRS` counts (XDG Base Directory Specification; /etc/xdg if
there are none). `locked = ["segment.private"]` at its top keeps everybody from changing those settings, which have the
value of this file, or their default.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vcam.errors import ConfigError, UsageError
from vcam.settings.toml import key_lines, parse, read_text
from vcam.settings.tree import FIELDS, Layer, Settings, build, find_field, flatten

_log = logging.getLogger(__name__)

_CURE = "whoever administers this machine can change it there"


@dataclass(frozen=True, slots=True)
class System:
    """The file for all users. path: None where there is none."""

    path: Path | None
    layer: Layer
    locked: frozenset[str] = frozenset()


def system_path(environ: Mapping[str, str]) -> Path | None:
    """Where the file for all users is; None if there is none."""
    for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"):
        # the specification: a relative path is invalid and must be ignored
        if not os.path.isabs(folder):
            continue
        path = Path(folder, "vcam", "config.toml")
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            # there may be one that must not be passed over, and reading it tells what is wrong
            return path
        return path
    return None


def read_system(environ: Mapping[str, str]) -> System:
    """The settings for all users, and which are locked. Raises `ConfigError` for a file that is broken."""
    path = system_path(environ)
    if path is None:
        return System(None, Layer("system", {}, ConfigError))
    text = read_text(path)
    table, lines = parse(text, str(path)), key_lines(text)
    locked = table.pop("locked", [])
    if not (isinstance(locked, list) and all(isinstance(key, str) for key in locked)):
        raise ConfigError(f"{path}: locked is no list of settings", 'for example locked = ["segment.private"]')
    for key in locked:
        try:
            find_field(key)
        except UsageError as error:
            raise ConfigError(f"{path}: locked: {error.message}", error.hint) from error
    values: dict[str, Any] = {}
    for section, inner in table.items():
        if section == "profiles" or not isinstance(inner, dict):
            raise ConfigError(f"{path}: {section} cannot stand there", "it takes sections of settings, and locked")
        values |= {f"{section}.{name}": value for name, value in inner.items()}
    where = {".".join(keys): line for keys, line in lines.items() if ".".join(keys) in values}
    return System(path, Layer(str(path), values, ConfigError, where), frozenset(locked))


def without_locked(layer: Layer, system: System) -> Layer:
    """A layer of a user's without what is locked: of a command line that is an error, of a file it is said."""
    kept = {key: value for key, value in layer.values.items() if key not in system.locked}
    for key in layer.values:
        if key in kept:
            continue
        if layer.origin in ("option", "--set"):
            raise _refusal(key, system.path)
        _log.warning("%s: %s is locked in %s: it does not count", layer.where(key), key, system.path)
    return layer if len(kept) == len(layer.values) else replace(layer, values=kept)


def refuse_locked(keys: Iterable[str], environ: Mapping[str, str] | None = None) -> None:
    """Raise `UsageError` if one of these settings is locked."""
    system = read_system(os.environ if environ is None else environ)
    for key in keys:
        if key in system.locked:
            raise _refusal(key, system.path)


def refuse_locked_changes(changes: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> None:
    """Raise `UsageError` if a locked setting would get another value than the one that it is locked to.

    changes: values by key, as `flatten` gives them. What was locked while vcam ran may go over to what it should be.
    """
    system = read_system(os.environ if environ is None else environ)
    touched = [key for key in changes if key in system.locked]
    if not touched:
        return
    wanted = flatten(build([system.layer, Layer("default", locked_defaults(system))]).settings)
    for key in touched:
        if changes[key] != wanted[key]:
            raise _refusal(key, system.path)


def _refusal(key: str, path: Path | None) -> UsageError:
    return UsageError(f"{key} is locked in {path}", _CURE)


def locked_defaults(system: System) -> dict[str, Any]:
    """The values of what is locked and not set in the file."""
    defaults = flatten(Settings())
    return {key: defaults[key] for key in FIELDS if key in system.locked and key not in system.layer.values}
