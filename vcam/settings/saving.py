"""Writing the config file: settings saved among a person's own lines, never a half-written file."""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vcam.errors import ConfigError, UsageError, VcamError
from vcam.files import replace_file
from vcam.folders import place_to_write
from vcam.settings.loading import environment_layer, read_profiles, unknown_variables
from vcam.settings.locked import read_system
from vcam.settings.shown import as_written, limits, toml
from vcam.settings.toml import KeyPath, parse, read_text, statements
from vcam.settings.tree import FIELDS, Layer, Settings, build, flatten


def save(path: Path, changes: Mapping[str, Any], profile: str = "") -> None:
    """Write settings into a config file, into `[profiles.NAME]` if a profile is named; None takes one out.

    Everything else in the file stays as it is: comments, order, blank lines, line ends. The file and the profile are
    made if they are not there. Raises `UsageError` for an unknown key or a bad value, `ConfigError` for a file that
    is broken already, `OutputError` for one that cannot be written; the file is untouched then.
    """
    wanted = {key: value for key, value in changes.items() if value is not None}
    unknown = dict.fromkeys(key for key in changes if key not in FIELDS)
    checked = flatten(build([Layer("saved", unknown | wanted)]).settings)
    try:
        text = read_text(path)
    except FileNotFoundError:
        text = ""
    windows = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    if windows:
        text = text.replace("\r\n", "\n")
    parse(text, str(path))
    prefix = ("profiles", profile) if profile else ()
    for key in changes:
        section, name = key.split(".")
        text = _put(text, (*prefix, section, name), as_written(checked[key]) if key in wanted else None, path)
    replace_file(place_to_write(path), text.replace("\n", "\r\n") if windows else text)


def save_where_they_count(path: Path, changes: Mapping[str, Any], profile: str = "") -> str:
    """Write settings as `save` does: those that the profile in use has into it, others above. Where, for people."""
    profiles = read_profiles(path)[1]
    own = {key: value for key, value in changes.items() if profile in profiles and key in profiles[profile].values}
    common = {key: value for key, value in changes.items() if key not in own}
    for part, name in ((own, profile), (common, "")):
        if part:
            save(path, part, name)
    return f"{path} [profiles.{profile}]" if own else str(path)


def remove_profile(path: Path, name: str) -> None:
    """Take `[profiles.NAME]` and all below it out of a config file; everything else stays as it is.

    Raises `UsageError` if there is none of that name, `ConfigError` for a file that is broken or written in a way in
    which it cannot be taken out, `OutputError` if it cannot be written; the file is untouched then.
    """
    import tomlkit

    profiles = list(read_profiles(path)[1])
    if name not in profiles:
        raise UsageError(f"there is no profile {name!r} in {path}", f"profiles there: {', '.join(profiles) or 'none'}")
    text = read_text(path)
    wanted = parse(text, str(path))
    del wanted["profiles"][name]
    with contextlib.suppress(ConfigError, ValueError, KeyError):
        document: Any = tomlkit.parse(text)
        del document["profiles"][name]
        changed = tomlkit.dumps(document)
        found = parse(changed, str(path))
        # with the last of them the table of all goes as well
        if {"profiles": {}} | found == wanted:
            replace_file(place_to_write(path), changed)
            return
    raise ConfigError(f"{path}: the profile {name} cannot be taken out", f"do it by hand: {path}")


def _put(text: str, keys: KeyPath, value: Any, path: Path) -> str:
    """The text with one setting changed, added or, for None, taken out."""
    wanted = _with(parse(text, str(path)), keys, value)
    for attempt in (_change,) if value is None else (_change, _insert, _change_anyhow):
        # an unusual way of writing must not cost anybody a setting
        with contextlib.suppress(ConfigError, ValueError):
            changed = attempt(text, keys, value)
            if changed is not None and parse(changed, str(path)) == wanted:
                return changed
    raise ConfigError(f"{path}: {'.'.join(keys)} cannot be saved", f"write it by hand: {path}")


def _with(table: dict[str, Any], keys: KeyPath, value: Any) -> dict[str, Any]:
    inner = table
    for name in keys[:-1]:
        # what is not there needs no table to be taken out of
        deeper = inner.get(name, {}) if value is None else inner.setdefault(name, {})
        if not isinstance(deeper, dict):
            raise ConfigError(f"{name} is no table in the config file", "vcam config check shows where")
        inner = deeper
    if value is None:
        inner.pop(keys[-1], None)
    else:
        inner[keys[-1]] = value
    return table


def _change(text: str, keys: KeyPath, value: Any) -> str | None:
    """Change a value where it stands, or take it out."""
    import tomlkit

    document = tomlkit.parse(text)
    inner: Any = document
    for name in keys[:-1]:
        inner = inner.get(name, {})
    if keys[-1] not in inner:
        return text if value is None else None
    if value is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return tomlkit.dumps(document)


def _insert(text: str, keys: KeyPath, value: Any) -> str:
    """Add a line: below one that has the setting as a comment, else below the section's last; else a new section."""
    import tomlkit

    assignment = f"{keys[-1]} = {tomlkit.item(value).as_string()}"
    lines = text.split("\n")
    here = _place(text, lines, keys)
    if here:
        above = lines[here - 1]
        indent = above[: len(above) - len(above.lstrip())]
        return "\n".join([*lines[:here], indent + assignment, *lines[here:]])
    header = ".".join(tomlkit.key(name).as_string() for name in keys[:-1])
    if (offered := f"#[{header}]") in lines:
        lines[lines.index(offered)] = f"[{header}]"
        return _insert("\n".join(lines), keys, value)
    above = text.rstrip("\n")
    return (f"{above}\n\n" if above else "") + f"[{header}]\n{assignment}\n"


def _place(text: str, lines: list[str], keys: KeyPath) -> int:
    """The number of the line below which a setting belongs; 0 if its section is not there."""
    last = end = 0
    inside = False
    for statement in statements(text):
        if statement.header is not None:
            if inside:
                end = statement.first - 1
            inside = statement.header == keys[:-1]
        if inside:
            last = statement.last
    for number in range(last, end if end >= last else len(lines)) if last else ():
        if lines[number].startswith("#["):
            # a section that is offered
            break
        if re.match(rf"\s*#\s?{re.escape(keys[-1])}\s*=", lines[number]):
            return number + 1
    return last


def _change_anyhow(text: str, keys: KeyPath, value: Any) -> str:
    """For sections written in one line or with dotted keys."""
    import tomlkit

    document = tomlkit.parse(text)
    inner: Any = document
    for name in keys[:-1]:
        inner = inner.setdefault(name, {})
    inner[keys[-1]] = value
    return tomlkit.dumps(document)


_MOST_PROBLEMS = 50
"""Nobody reads more at once, and each unknown name is compared with all that are known."""


def problems(path: Path, environ: Mapping[str, str] | None = None) -> list[VcamError]:
    """All that is wrong with a config file, its profiles included, and with the environment's settings if given."""
    found: list[VcamError] = []
    layers: list[Layer] = []
    if environ is not None:
        try:
            layers.append(read_system(environ).layer)
        except ConfigError as error:
            found.append(error)
    try:
        base, profiles = read_profiles(path)
        layers += [base, *profiles.values()]
    except ConfigError as error:
        found.append(error)
    if environ is not None:
        layers.append(environment_layer(environ))
        found += unknown_variables(environ)
    for layer in layers:
        for key, value in layer.values.items():
            try:
                build([Layer(layer.origin, {key: value}, layer.error, layer.lines)])
            except VcamError as error:
                found.append(error)
                if len(found) == _MOST_PROBLEMS:
                    return found
    return found


def template() -> str:
    """A config file that sets nothing: every setting with its help and default, commented out.

    The sections' heads are commented out, too: a section may be given only once, and people paste whole ones.
    """
    blocks = [
        "# Settings of vcam. Take the # away from a [section] and from what you want to change in it, or write your\n"
        "# own lines below; vcam config reference tells more.\n"
        "# What is written under [profiles.work.background] counts only with: vcam start --profile work\n"
    ]
    section = ""
    for field in FIELDS.values():
        here, name = field.key.split(".")
        if here != section:
            section = here
            title = (type(getattr(Settings(), section)).__doc__ or "").strip()
            blocks.append(f"\n# {title}\n#[{section}]\n")
        told = field.help + limits(field, " From {} to {}.") + (f" Unit: {field.unit}." if field.unit else "")
        if field.choices:
            told += f" One of: {', '.join(field.choices)}."
        comment = textwrap.fill(told, 100, initial_indent="# ", subsequent_indent="# ")
        blocks.append(f"{comment}\n#{name} = {toml(field.default)}\n")
    return "".join(blocks)
