"""The card of an exported network, and the files of both under the names that they will have."""

from __future__ import annotations

import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit

from vcam.files import write_whole
from vcam.infer.base import Picture
from vcam.models.cards import ModelCard, read_card
from vcam.models.find import checksum
from vcam.printable import printable
from vcam.segment.known import PICTURES, grid, picture
from vcam.train.forms import Form
from vcam.train.nets.registry import Architecture
from vcam.train.trial import Finds

PROBABILITY_FORM = "probability"


def write_card(
    file: Path, form: Form, kind: Architecture, way: Picture, *, title: str, licence: str, origin: str
) -> ModelCard:
    """Write the card of a network's file beside it, without what has to be measured; returns it as vcam reads it."""
    layout = "NHWC" if form.target == "tflite" else "NCHW"
    document = tomlkit.document()
    for key, value in (
        ("title", title), ("file", file.name), ("sha256", checksum(file)), ("licence", licence), ("origin", origin),
    ):  # fmt: skip
        document.add(key, value)
    taken: dict[str, Any] = {
        "layout": layout, "size": list(way.size), "channels": kind.order,
        "mean": list(way.mean), "scale": list(way.scale),
    }  # fmt: skip
    if way.channels == 4:
        taken["previous_mask"] = True
    document.add("input", _table(taken))
    document.add("output", _table({"form": PROBABILITY_FORM, "size": list(way.size), "layout": layout}))
    path = file.with_suffix(".toml")
    _save(path, document)
    return read_card(path)


def complete(
    card: ModelCard, finds: dict[str, Finds], ms: dict[str, float], mmac: float, tolerance: int
) -> ModelCard:  # fmt: skip
    """Add to a card what was measured: what its network finds in the known pictures, and what it costs."""
    document = tomlkit.parse(card.path.read_text(encoding="utf-8"))
    costs = {f"{name}_ms": round(value, 2) for name, value in ms.items() if name in ("openvino", "onnxruntime")}
    measured = {"measured_on": f"{processor()}, one thread, when it was exported", **costs, "mmac": round(mmac, 1)}
    document.add("cost", _table(measured))
    known = _table({"tolerance": tolerance})
    find = next(iter(finds.values()))
    for name in PICTURES:
        rows = tomlkit.array()
        for row in np.rint(grid(find(picture(name, card)))).astype(int).tolist():
            rows.add_line(row)
        rows.add_line(indent="")
        known.add(name, rows)
    document.add("known", known)
    _save(card.path, document)
    return read_card(card.path)


def processor() -> str:
    """What this machine computes with, as the kernel names it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return printable(line.partition(":")[2].strip()) or platform.machine()
    return platform.machine() or "an unknown processor"


def _table(values: dict[str, Any]) -> Any:
    table = tomlkit.table()
    for key, value in values.items():
        table.add(key, value)
    return table


def _save(path: Path, document: Any) -> None:
    write_whole(path, lambda working: working.write_text(tomlkit.dumps(document), encoding="utf-8"))
