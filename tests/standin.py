"""A network that harmonises, of a few nodes: its arguments are a linear map of the means of the four channels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.infer.helpers import tiny_network
from vcam.harmony import NAMES

SIDE = 64


def arguments(**values: float) -> list[float]:
    """All eight, those that are not named 0."""
    assert set(values) <= set(NAMES)
    return [values.get(name, 0.0) for name in NAMES]


def stand_in(
    folder: Path,
    name: str = "harmonise",
    *,
    always: Sequence[float] = (0.0,) * 8,
    by_means: np.ndarray | None = None,
    card: str = "",
) -> Path:
    """The card of a network, both in `folder`, which is made.

    always: the arguments for a black picture without a person. by_means: (4, 8), what is added for each of the means
    of Y, Cb, Cr and matte, 0 to 1. card: more keys of it, before its tables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = np.zeros((4, 8)) if by_means is None else by_means
    path = tiny_network(
        folder / f"{name}.onnx",
        [
            ("ReduceMean", ["picture"], ["means"], {"axes": [2, 3], "keepdims": 0}),
            ("MatMul", ["means", "weights"], ["seen"], {}),
            ("Add", ["seen", "always"], ["arguments"], {}),
        ],
        {"picture": [1, 4, SIDE, SIDE]},
        {"arguments": [1, 8]},
        {"weights": weights.astype(np.float32), "always": np.array([always], np.float32)},
    )
    target = path.with_suffix(".toml")
    target.write_text(
        f'title = "Stand-in"\ntask = "harmonise"\nfile = "{path.name}"\nlicence = "CC0-1.0"\norigin = "tests"\n'
        f'sha256 = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n{card}\n'
        f'[input]\nlayout = "NCHW"\nsize = [{SIDE}, {SIDE}]\nchannels = "YCbCrA"\n'
        "mean = [0, 0, 0, 0]\nscale = [255, 255, 255, 255]\n"
        '[output]\nform = "arguments"\n'
        '[cost]\nmeasured_on = "nowhere"\nonnxruntime_ms = 0.1\nopenvino_ms = 0.2\n'
    )
    return target
