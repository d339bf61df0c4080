"""The files that a network is made of: most are one, some keep their weights in others beside it.

OpenVINO and Paddle have one further file, with the same stem. An ONNX network may name any number of files in which its
tensors lie ("external data", onnx.proto3, `TensorProto.external_data`); they are found without the package onnx, by
walking its protocol buffers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vcam.errors import ModelError
from vcam.infer.protobuf import fields
from vcam.models.cards import ModelCard
from vcam.printable import printable

COMPANIONS = {".xml": ".bin", ".pdmodel": ".pdiparams"}
"""Kinds of network whose weights lie in a second file."""

SAVED_MODEL = "saved_model.pb"
"""The graph of TensorFlow's SavedModel, which is a folder."""

_WITHIN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Which field of which message holds which, on the way to tensors: the numbers in onnx.proto3."""

_ENTRY, _LOCATION, _EXTERNAL = 13, 14, 1
_DEEPEST = 100


def parts_of(card: ModelCard) -> list[Path]:
    """The files beside a network's own that it needs, whether they are there or not.

    Raises `ModelError` for a network that would read files elsewhere.
    """
    file = card.file_path
    found = list(card.parts)
    if file.suffix in COMPANIONS:
        found.append(file.with_suffix(COMPANIONS[file.suffix]).name)
    if file.suffix == ".onnx":
        for name in external_files(file):
            if not name.isprintable() or set(name) & set("/\\") or name in ("", ".", ".."):
                raise ModelError(
                    f"{file} has its weights in {printable(name)[:100]!r}, which is not a file beside it",
                    "save the network again, with its weights within it or in the same folder",
                )
            found.append(name)
    if cards := [name for name in found if name.lower().endswith(".toml")]:
        raise ModelError(f"{file} has its weights in {cards[0]}, which is the name of a card", "save it again")
    return [file.with_name(name) for name in dict.fromkeys(found) if name != file.name]


def is_companion(part: Path, file: Path) -> bool:
    """Whether a part is looked for by the stem of the network, whatever that is called."""
    return part.name == file.with_suffix(COMPANIONS.get(file.suffix, file.suffix)).name


def is_saved_model(file: Path) -> bool:
    """Whether a file is the graph of a SavedModel, and not a frozen graph that is called like one.

    That one begins with the number of its schema (saved_model.proto), a frozen one with a node (graph.proto).
    """
    try:
        with file.open("rb") as opened:
            return file.name == SAVED_MODEL and opened.read(1) == b"\x08"
    except OSError:
        return False


def external_files(file: Path) -> list[str]:
    """The names of the files in which an ONNX network's tensors lie, as it gives them; none if it cannot be read."""
    try:
        data = file.read_bytes()
    except OSError:
        return []
    # the key of the entry that gives the name
    if b"location" not in data:
        return []
    names: dict[str, None] = {}
    # what is broken, the engine tells
    with suppress(ValueError, IndexError):
        for name in _walk(memoryview(data), "model", 0):
            names[name] = None
    return list(names)


def _walk(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise ValueError(depth)
    if kind == "tensor":
        yield from _location(message)
        return
    within = _WITHIN[kind]
    for number, value in fields(message):
        if number in within and isinstance(value, memoryview):
            yield from _walk(value, within[number], depth + 1)


def _location(tensor: memoryview) -> Iterator[str]:
    entries, place = [], 0
    for number, value in fields(tensor):
        if number == _ENTRY and isinstance(value, memoryview):
            entries.append({key: bytes(part) for key, part in fields(value) if isinstance(part, memoryview)})
        elif number == _LOCATION and isinstance(value, int):
            place = value
    if place == _EXTERNAL:
        for entry in entries:
            if entry.get(1) == b"location":
                yield entry.get(2, b"").decode("utf-8", "surrogateescape")
