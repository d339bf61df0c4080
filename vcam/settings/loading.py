"""Settings from all places where somebody may have written them.

Precedence, strongest first: command-line option, environment `VCAM_SECTION_KEY`, profile, config file, the file for
all users of the machine, default. What that file locks nobody else can set.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vcam import folders
from vcam.errors import ConfigError, UsageError
from vcam.printable import printable
from vcam.settings.locked import locked_defaults, read_system, without_locked
from vcam.settings.paths import named
from vcam.settings.toml import KeyPath, key_lines, parse, read_text
from vcam.settings.tree import FIELDS, SECTIONS, Layer, Loaded, Settings, build, flatten

_log = logging.getLogger(__name__)


def config_path() -> Path:
    """Where the config file is looked for: `VCAM_CONFIG`, else config.toml in the user's config folder."""
    if chosen := os.environ.get("VCAM_CONFIG"):
        return Path(chosen)
    return folders.own("config") / "config.toml"


def read_config(path: Path, profile: str = "") -> list[Layer]:
    """The layers of a config file: its own settings, and those of `[profiles.NAME]` if asked for.

    A file that is not there gives no layers. Raises `ConfigError` for one that is unreadable or no TOML, or that
    `VCAM_CONFIG` names and that is not there, and `UsageError` for a profile that it does not have.
    """
    base, profiles = read_profiles(path)
    if not profile:
        return [base]
    if profile not in profiles:
        raise UsageError(
            f"there is no profile {profile!r} in {path}", f"profiles there: {', '.join(profiles) or 'none'}"
        )
    return [base, profiles[profile]]


def read_profiles(path: Path) -> tuple[Layer, dict[str, Layer]]:
    """The layer of a config file's own settings, and that of each of its profiles by name; raises `ConfigError`."""
    try:
        text = read_text(path)
    except FileNotFoundError as error:
        if (named := os.environ.get("VCAM_CONFIG")) and path == Path(named):
            # the usual one need not be there, but somebody has named this one
            raise ConfigError(
                f"there is no config file {path}, which VCAM_CONFIG names", "unset it, or make one: vcam config edit"
            ) from error
        text = ""
    table = parse(text, str(path))
    lines = key_lines(text)
    tables = table.pop("profiles", {})
    if not isinstance(tables, dict):
        line = lines.get(("profiles",), 1)
        raise ConfigError(f"{path}, line {line}: profiles is no table", "write [profiles.NAME.SECTION]")
    profiles = {name: _layer(values, path, ("profiles", name), lines) for name, values in tables.items()}
    return _layer(table, path, (), lines), profiles


def _layer(table: Any, path: Path, at: KeyPath, lines: Mapping[KeyPath, int]) -> Layer:
    origin = f"{path} [{'.'.join(at)}]" if at else str(path)
    flat: dict[str, Any] = {}
    for section, values in table.items() if isinstance(table, dict) else ((at[-1], table),):
        if not isinstance(values, dict):
            line = lines.get((*at, section), lines.get(at, 1))
            raise ConfigError(f"{origin}, line {line}: {section} stands outside a section", _section_for(section))
        flat.update({f"{section}.{name}": value for name, value in values.items()})
    here = {".".join(keys[len(at) :]): line for keys, line in lines.items() if keys[: len(at)] == at}
    return Layer(origin, flat, ConfigError, {key: here[key] for key in flat if key in here})


def _section_for(name: str) -> str:
    """Where a setting that stands outside of all sections belongs."""
    homes = [f"[{key.partition('.')[0]}]" for key in FIELDS if key.partition(".")[2] == name]
    if len(homes) == 1:
        return f"write {homes[0]} above it, or take away the # before that"
    return f"write it under one of {', '.join(homes or (f'[{section}]' for section in SECTIONS))}"


_WRITTEN = frozenset(("output.targets", "stream.record"))


def files_read(settings: Settings) -> Iterator[Path]:
    """Every file and folder that vcam reads where these settings count, the config file included.

    They need not be there. What they name is never overwritten: see `vcam.files.Overwriting`.
    """
    yield config_path()
    for key, value in flatten(settings).items():
        field = FIELDS[key]
        if key in _WRITTEN or not value or field.type not in (str, tuple[str, ...]):
            continue
        for text in value if field.is_list else (value,):
            # a home folder that there is not holds nothing
            with suppress(UsageError):
                yield from named(field, text)


_OTHER_VARIABLES = frozenset(
    ("VCAM_CONFIG", "VCAM_PROFILE", "VCAM_FFMPEG", "VCAM_RTMP_KEY", "VCAM_JPEG", "VCAM_NATIVE")
)


def unknown_variables(environ: Mapping[str, str]) -> list[ConfigError]:
    """One error for each variable whose name begins with that of a section of vcam's and is no setting: mistyped ones.

    Others that begin with VCAM_ may be somebody else's.
    """
    names = {field.environment for field in FIELDS.values()} | _OTHER_VARIABLES
    begins = tuple(f"VCAM_{section.upper()}_" for section in SECTIONS)
    found = []
    for name in sorted(environ):
        near = get_close_matches(name, names, 1, 0.8) if name.startswith("VCAM_") and name not in names else []
        if near or (name.startswith(begins) and name not in names):
            cure = f"did you mean {near[0]}?" if near else "vcam config show lists the settings"
            found.append(ConfigError(f"{printable(name)} in the environment is no setting of vcam", cure))
    return found


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """The settings among the environment's variables."""
    names = {field.environment: key for key, field in FIELDS.items()}
    return Layer("environment", {names[name]: value for name, value in environ.items() if name in names}, ConfigError)


def parse_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` words as given to `--set`. Raises `UsageError`."""
    values = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"{assignment!r} is not KEY=VALUE", "for example matte.edge=3")
        values[key.strip()] = value.strip()
    return values


def load(
    options: Mapping[str, Any] | None = None,
    *,
    assignments: Sequence[str] = (),
    profile: str = "",
    defaults: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    path: Path | None = None,
    alone: bool = False,
) -> Loaded:
    """Settings from all places, in the order of precedence; `defaults` are a command's own, above the tree's.

    alone: without the file for all users, for what shows or measures something of its own.

    Without a `profile`, the one that `VCAM_PROFILE` names.
    """
    environ = os.environ if environ is None else environ
    for error in unknown_variables(environ):
        _log.warning("%s: %s", error.message, error.hint)
    system = read_system({"XDG_CONFIG_DIRS": os.devnull} if alone else environ)
    layers = read_config(path or config_path(), profile or environ.get("VCAM_PROFILE", ""))
    layers += [environment_layer(environ), Layer("--set", parse_assignments(assignments))]
    layers = [without_locked(layer, system) for layer in (*layers, Layer("option", options or {}))]
    below = [Layer("default", defaults or {}), system.layer, Layer("default", locked_defaults(system))]
    return build([*below, *layers])
