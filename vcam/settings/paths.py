"""Settings that name files, made to mean the same in every folder.

A service starts in another folder than the one somebody types in, and so does a daemon that is told to change. Nothing
is asked of the rooms that read the files: `vcam set` must not load OpenCV to learn what a word means.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from vcam.folders import expand
from vcam.settings.field import Field, Paths

HERE = Path()
"""The folder in which this process works."""


def absolute(field: Field, value: str, folder: Path = HERE) -> str:
    """One value of a setting, or of a list's values one, as it is to be understood in any folder.

    `folder` is where relative paths begin. A leading `~` becomes the home folder. What is no path, or absolute already,
    comes back as it is. Files that are not there yet are told from words by `Field.paths`.
    """
    if field.paths is Paths.FILTERS:
        return _filter(field, value, folder)
    return _path(value, folder) if _is_path(field, value.strip(), folder) else value


def absolute_text(field: Field, text: str, folder: Path = HERE) -> str:
    """The same for what is written after `KEY=`, where a list is one text."""
    if not field.is_list:
        return absolute(field, text, folder)
    values = field.split(text)
    meant = [absolute(field, value, folder) for value in values]
    return field.join(meant) if meant != values else text


def named(field: Field, value: str) -> Iterator[Path]:
    """The files or folders that a value of a setting, or of a list's values one, names; they need not be there."""
    if field.paths is Paths.FILTERS:
        for part in split_parameters(_filter(field, value, HERE).partition(":")[2]):
            yield from (Path(text) for text in (part, part.partition("=")[2]) if text.startswith("/"))
    elif _is_path(field, value.strip(), HERE):
        yield Path(_path(value, HERE))


def _path(value: str, folder: Path) -> str:
    # not resolved: what a link leads to may change
    meant = expand(value.strip())
    return str(meant if meant.is_absolute() else (folder / meant).absolute())


def _is_path(field: Field, value: str, folder: Path) -> bool:
    paths = field.paths
    if paths is Paths.NEVER or not value or "://" in value:
        return False
    if field.address:
        # what few commands ask for
        from vcam.secrets import is_half_address

        if is_half_address(value):
            return False
    word = value.partition(":")[0].lower()
    if any(word == known.partition(":")[0] for known in field.words):
        return False
    if paths is Paths.ALWAYS or "/" in value or value.startswith("~") or value.lower().endswith(field.suffixes):
        return True
    if paths is Paths.FILES:
        return not value.isdecimal() and os.path.isfile(folder / value)
    return paths is Paths.ENTRIES and os.path.exists(folder / value)


def _filter(field: Field, text: str, folder: Path) -> str:
    """A filter, NAME[:PARAM=VALUE,...], with the parameter that names a file made absolute."""
    name, colon, rest = text.partition(":")
    parameter = field.parameters.get(name.strip().lower().replace("_", "-"))
    if not parameter or not colon:
        return text
    parts = []
    for part in split_parameters(rest):
        given, equals, value = part.partition("=")
        if not equals:
            # a value without a name is the first parameter's
            given, value = parameter, part
        if given.strip().lower() == parameter and value.strip():
            part = f"{given}={_path(value, folder)}" if equals else _path(value, folder)
        parts.append(part)
    return f"{name}:{','.join(parts)}"


def split_parameters(text: str) -> list[str]:
    """The parameters of a filter: parted at each comma that a `name=` follows, since a file's name may hold commas."""
    return [part.strip() for part in re.split(r",(?=\s*[a-z][a-z-]*=)", text)]
