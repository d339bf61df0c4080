"""A TOML file as tables, and the line on which each of its keys stands.

`tomllib` tells lines only of what it cannot parse. A person who mistyped a value needs the line as well.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vcam.errors import ConfigError

MAX_BYTES = 1 << 18
"""A file of settings is a few thousand bytes long; anything larger than this is something else."""

LONGEST = 200
"""Lines of one value."""

_DEEPEST = 50
"""Tables within tables; a profile's setting is the fourth."""

KeyPath: TypeAlias = tuple[str, ...]
"""The names that lead to a key: ("profiles", "work", "matte", "edge")."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A header or an assignment; lines are counted from 1. `header` is where following assignments belong, if one."""

    first: int
    last: int
    keys: tuple[KeyPath, ...]
    header: KeyPath | None


def read_text(path: Path) -> str:
    """The text of a file of settings, with the line ends it has.

    Raises `FileNotFoundError`, and `ConfigError` for what is no readable text file of a sensible size.
    """
    try:
        if stat.S_ISFIFO(path.stat().st_mode):
            # opening it would wait for somebody to write
            raise ConfigError(f"{path} is a pipe", "a configuration is read more than once: give the path of a file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"{path} is larger than {MAX_BYTES >> 10} kB", "that cannot be a file of settings")
        return data.decode("utf-8-sig")
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        # below a file there is nothing either
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line} is not UTF-8 text", "save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", "it must be a file that you may read") from error


def parse(text: str, origin: str) -> dict[str, Any]:
    """The tables of a text; `origin` is its name in errors. Raises `ConfigError`, naming line and key."""
    try:
        tables = tomllib.loads(text)
        if _is_deep(tables):
            # dots make tables within tables without any recursion; whoever goes through them would pay for it
            raise RecursionError
    except tomllib.TOMLDecodeError as error:
        where, what = _syntax_error(text, str(error))
        hint = "each may be there once" if "twice" in what else "mend that line, or move the file away"
        raise ConfigError(f"{origin}{where} is not valid TOML: {what}", hint) from error
    except RecursionError as error:
        raise ConfigError(
            f"{origin} is not valid: brackets within brackets, or tables within tables", "no setting is a nested list"
        ) from error
    except ValueError as error:
        # Python refuses numbers of thousands of digits
        raise ConfigError(f"{origin} is not valid: a number of thousands of digits", "no setting is one") from error
    return tables


def _is_deep(tables: Mapping[str, Any]) -> bool:
    layer: list[Any] = [tables]
    for _ in range(_DEEPEST):
        inner = [part for part in layer if isinstance(part, list | dict)]
        layer = [value for part in inner for value in (part.values() if isinstance(part, dict) else part)]
        if not layer:
            return False
    return True


def _syntax_error(text: str, said: str) -> tuple[str, str]:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", said)
    if not found:
        return "", said[:1].lower() + said[1:]
    line = int(found[1] or text.rstrip().count("\n") + 1)
    what = said[: found.start()]
    if "overwrite" in what or "twice" in what:
        what = "this is given twice"
    written = text.splitlines()[line - 1 : line]
    shown = f": {written[0].strip()[:60]}" if written and written[0].strip() else ""
    return f", line {line}", what[:1].lower() + what[1:] + shown


def statements(text: str) -> Iterator[Statement]:
    """The headers and assignments of a valid text, in order.

    Each is the shortest run of lines that is valid TOML by itself, so that every way of writing is understood: quoted
    and dotted keys, tables in one line, texts and lists over several lines. Ends early before one of more than
    `LONGEST` lines, which no setting is.
    """
    header: KeyPath = ()
    chunk: list[str] = []
    for number, line in enumerate(re.split(r"\r?\n", text), 1):
        if not chunk and (not line.strip() or line.lstrip().startswith("#")):
            continue
        chunk.append(line)
        if len(chunk) > LONGEST:
            # looking for its end would take ever longer
            return
        # only these can end what began on an earlier line
        if len(chunk) > 1 and not any(mark in line for mark in ("]", '"""', "'''", "}")):
            continue
        try:
            table = tomllib.loads("\n".join(chunk))
        except tomllib.TOMLDecodeError:
            continue
        first = number - len(chunk) + 1
        if chunk[0].lstrip().startswith("["):
            header = _deepest(table)
            yield Statement(first, number, (header,), header)
        else:
            yield Statement(first, number, tuple(header + path for path in _leaves(table)), None)
        chunk = []


def _deepest(table: Any) -> KeyPath:
    path: KeyPath = ()
    while table:
        if isinstance(table, list):
            table = table[0]
            continue
        name, table = next(iter(table.items()))
        path += (name,)
    return path


def _leaves(table: Mapping[str, Any]) -> Iterator[KeyPath]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield (name,)
            yield from ((name, *path) for path in _leaves(value))
        else:
            yield (name,)


def key_lines(text: str) -> dict[KeyPath, int]:
    """The line on which each key of a valid text is first written."""
    lines: dict[KeyPath, int] = {}
    for statement in statements(text):
        for path in statement.keys:
            for depth in range(1, len(path) + 1):
                lines.setdefault(path[:depth], statement.first)
    return lines
