"""The network of a run as ONNX with its card, tried on the runtimes that are here before it is kept."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tomlkit
import torch

from vcam import folders
from vcam.errors import EngineError, ModelError
from vcam.files import write_whole
from vcam.harmony import NAMES
from vcam.infer.base import Engine, Network, Output, Picture
from vcam.models.find import checksum
from vcam.models.store import is_name, name_like
from vcam.train.exportcard import processor
from vcam.train.harmony.net import CHANNELS, SIDE, Harmoniser
from vcam.train.harmony.training import load_network
from vcam.train.onnxfile import PICTURE, written
from vcam.train.trial import milliseconds
from vcam.types import F32, U8

ARGUMENTS = "arguments"
"""The name of the network's output, and the card's word for its form."""
TITLE = "The light of the background for the person"
APART = 1e-3
"""Of an argument: a runtime that is further from PyTorch computes something else."""


def export(run: Path, licence: str, *, origin: str = "vcam train harmonise") -> Path:
    """Write RUN/NAME.onnx and RUN/NAME.toml, NAME being the folder's name; the network's path.

    Raises `UsageError` or `ModelError` for a run that cannot be read, `ModelError` if a runtime computes something
    else, `OutputError` if the system refuses.
    """
    net = load_network(run)
    own = run.absolute().name
    name = own if is_name(own) else name_like(own)
    model = written(net, torch.zeros(1, CHANNELS, SIDE, SIDE), PICTURE, ARGUMENTS, "harmonise")
    data = model.SerializeToString(deterministic=True)
    with TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        aside = Path(scratch, f"{name}.onnx")
        aside.write_bytes(data)
        costs = _tried(net, aside)
        digest = checksum(aside)
    target = run / f"{name}.onnx"
    write_whole(target, lambda working: working.write_bytes(data))
    card = _card(target.name, digest, licence, origin, costs)
    write_whole(target.with_suffix(".toml"), lambda working: working.write_text(card, encoding="utf-8"))
    return target


def _card(file: str, digest: str, licence: str, origin: str, costs: dict[str, float]) -> str:
    document = tomlkit.document()
    for key, value in (
        ("title", TITLE), ("file", file), ("sha256", digest), ("licence", licence), ("origin", origin),
        ("task", "harmonise"),
    ):  # fmt: skip
        document.add(key, value)
    tables: dict[str, dict[str, Any]] = {
        "input": {
            "layout": "NCHW", "size": [SIDE, SIDE], "channels": "YCbCrA", "mean": [0] * CHANNELS,
            "scale": [255] * CHANNELS,
        },
        "output": {"form": ARGUMENTS},
        "cost": {"measured_on": f"{processor()}, one thread, when it was exported", **costs},
    }  # fmt: skip
    for name, values in tables.items():
        table = tomlkit.table()
        for key, value in values.items():
            table.add(key, value)
        document.add(name, table)
    return tomlkit.dumps(document)


def network_of(file: Path) -> Network:
    """The network as engines need to know it."""
    scale = (255.0,) * CHANNELS
    picture = Picture((SIDE, SIDE), "NCHW", (0.0,) * CHANNELS, scale)
    return Network("harmonise", file, file, (picture,), (Output((len(NAMES),)),))


def _tried(net: Harmoniser, file: Path) -> dict[str, float]:
    """CPU milliseconds of one picture by runtime. Raises `ModelError` for one that computes something else."""
    from vcam.infer.onnxruntime import OnnxRuntimeEngine
    from vcam.infer.openvino import OpenVinoEngine

    chance = np.random.default_rng(0)
    shown = [np.zeros((SIDE, SIDE, CHANNELS), np.uint8), chance.integers(0, 256, (SIDE, SIDE, CHANNELS), np.uint8)]
    shown[1][..., 3] = 255 * (np.indices((SIDE, SIDE))[0] > SIDE / 2)
    costs: dict[str, float] = {}
    for runtime, engine_of in (("onnxruntime", OnnxRuntimeEngine), ("openvino", OpenVinoEngine)):
        try:
            engine = engine_of(network_of(file))
        except (EngineError, ImportError):
            continue
        try:
            _compare(net, engine, runtime, shown)
            costs[f"{runtime}_ms"] = round(milliseconds(partial(_asked, engine), shown[1]), 2)
        finally:
            engine.close()
    return costs


def _asked(engine: Engine, picture: U8) -> F32:
    return np.asarray(engine.infer(picture)[0], np.float32)


def _compare(net: Harmoniser, engine: Engine, runtime: str, shown: list[U8]) -> None:
    for each in shown:
        (found,) = engine.infer(each)
        with torch.no_grad():
            true = net(torch.from_numpy(each.astype(np.float32).transpose(2, 0, 1)[None] / 255))[0].numpy()
        off = float(np.abs(np.asarray(found).ravel() - true).max())
        if not off <= APART:
            raise ModelError(f"{runtime} computes something else: off by {off:.4f}", "train it again")
