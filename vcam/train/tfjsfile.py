"""Weights of TensorFlow.js graph models: a `model.json` with the graph, and files beside it with the numbers.

The form is described at https://github.com/tensorflow/tfjs/tree/master/tfjs-converter. npm has networks in it that
nothing else has. Nothing of the graph is run.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from vcam.errors import ModelError
from vcam.files import no_file
from vcam.printable import printable
from vcam.train.kerasfiles import MOST_VALUES
from vcam.train.stored import Array, Stored, StoredNorm

_DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "?", "uint8": "<u1", "uint16": "<u2", "float16": "<f2"}

_MOST_BYTES = 4 * MOST_VALUES
"""Of all files of weights."""
_MOST_OF_A_GRAPH = 1 << 26

_KINDS = {
    "Conv2D": "conv",
    "_FusedConv2D": "conv",
    "DepthwiseConv2dNative": "depthwise",
    "FusedDepthwiseConv2dNative": "depthwise",
    "Conv2DBackpropInput": "transposed",
}
_NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_SUMS = ("BiasAdd", "Add", "AddV2")
_PASSING = ("Identity", "BatchToSpaceND")
"""A dilated convolution stands between SpaceToBatchND and BatchToSpaceND, its bias behind them."""
_NORM_EPS = 1e-3
"""TensorFlow's, where a node does not tell."""


def from_tfjs(data: bytes, folder: Path) -> list[Stored]:
    """The layers, in the order in which the graph lists them. folder: where the files of the manifest are.

    Raises `ModelError` for another form and for files that are not there, `ValueError` and its kin for damage.
    """
    if len(data) > _MOST_OF_A_GRAPH:
        raise ModelError(
            f"its graph has more than {_MOST_OF_A_GRAPH >> 20} MB", "that cannot be a network for portraits"
        )
    held = json.loads(data)
    if not isinstance(held, dict) or held.get("format", "graph-model") != "graph-model" or "modelTopology" not in held:
        raise ModelError(
            "it is no graph model of TensorFlow.js", "give the model.json of a graph model, with its .bin files beside"
        )
    nodes = held["modelTopology"].get("node")
    if not isinstance(nodes, list):
        raise ModelError("it is a layers model", "tensorflowjs_converter makes a graph model or an .h5 file of it")
    return _layers(nodes, _weights(held["weightsManifest"], folder))


def parts_of(path: Path) -> list[Path]:
    """The files of weights beside a graph model that was read."""
    return [path.parent / name for group in json.loads(path.read_bytes())["weightsManifest"] for name in group["paths"]]


def _weights(manifest: list[Any], folder: Path) -> dict[str, Array]:
    """All constants by their names, float32."""
    found: dict[str, Array] = {}
    total, left = 0, _MOST_BYTES
    for group in manifest:
        data, place = bytearray(), 0
        for name in group["paths"]:
            # a file may be named any number of times
            part = _part(folder, name, left)
            data += part
            left -= len(part)
        for entry in group["weights"]:
            count = math.prod(int(side) for side in entry["shape"])
            total += count
            if total > MOST_VALUES or count < 0:
                raise ModelError(
                    f"it tells of more than {MOST_VALUES >> 20} million numbers", "that cannot be a network"
                )
            packed = entry.get("quantization", {})
            if entry["dtype"] not in _DTYPES:
                raise ModelError(f"it holds {printable(str(entry['dtype']))}", "only plain networks can be read")
            dtype = np.dtype(_DTYPES[packed.get("dtype", entry["dtype"])])
            values = np.frombuffer(data, dtype, count, place).astype(np.float32)
            place += count * dtype.itemsize
            if "scale" in packed:
                values = values * np.float32(float(packed["scale"])) + np.float32(float(packed.get("min", 0)))
            found[str(entry["name"])] = values.reshape(entry["shape"])
    return found


def _part(folder: Path, name: str, most: int) -> bytes:
    """A file of the manifest. One that lies elsewhere than beside the model is not looked for."""
    parts = PurePosixPath(name).parts
    shown = printable(name)
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        raise ModelError(f"its weights are to be in {shown}, which is not beside it", "fetch or make it again")
    path = folder.joinpath(*parts)
    try:
        if other := no_file(path):
            raise ModelError(f"{shown} beside it is {other}", "fetch or make it again")
        if path.stat().st_size > most:
            raise ModelError(f"with {shown} it is too large for a network", "give the weights of the network alone")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{shown} is missing beside it", "a graph model is a .json and .bin files") from error
    except OSError as error:
        raise ModelError(f"{shown} cannot be read: {error.strerror}", "check its permissions") from error


def _layers(nodes: list[Any], constants: dict[str, Array]) -> list[Stored]:
    found: list[Stored] = []
    # what a bias or a norm may follow: convolutions without an activation, and what passes them on
    made_by: dict[str, Stored] = {}
    later = {str(node["name"]) for node in nodes}
    for node in nodes:
        kind, name, options = str(node["op"]), str(node["name"]), node.get("attr", {})
        later.discard(name)
        sources = [str(each).split(":")[0] for each in node.get("input", []) if not str(each).startswith("^")]
        if not later.isdisjoint(sources):
            raise ModelError("its graph is not written in the order in which it runs", "convert it anew")
        values = [constants.get(each) for each in sources]
        if kind in _KINDS:
            fused = _fused(options)
            made = _layer(name, _KINDS[kind], values, fused)
            found += made
            if set(fused) <= {"BiasAdd"}:
                made_by[name] = made[0]
        elif kind in _NORMS:
            before = made_by.get(sources[0])
            scale, shift, mean, variance = values[1:5]
            if before is None or scale is None or shift is None or mean is None or variance is None:
                raise ModelError("a batch norm does not follow a convolution", "only plain networks can be read")
            for each in (scale, shift, mean, variance):
                _check_channels(each, before, name)
            eps = float(options.get("epsilon", {}).get("f", _NORM_EPS))
            before.norm = StoredNorm(scale, shift, mean, variance, eps)
        elif kind in _SUMS and len(sources) == 2:
            if (layer := _with_bias(sources, values, made_by)) is not None:
                made_by[name] = layer
        elif kind == "Mul" and _scales(sources, values, made_by):
            raise ModelError(f"{printable(name)} is a part of a batch norm", "only plain networks can be read")
        elif kind == "Identity" and values and values[0] is not None:
            constants[name] = values[0]
        elif kind in _PASSING and sources and sources[0] in made_by:
            made_by[name] = made_by[sources[0]]
    return found


def _check_channels(values: Array, layer: Stored, name: str) -> None:
    """Raise `ModelError` for a bias or a part of a norm that is not one number for each channel."""
    if values.shape != (layer.outputs,):
        raise ModelError(f"{printable(name)} has {values.size} numbers for {layer.outputs} channels", "fetch it again")


def _scales(sources: list[str], values: list[Array | None], made_by: Mapping[str, Stored]) -> bool:
    """Whether a layer is multiplied by a constant for each channel."""
    return len(sources) == 2 and any(
        constant is not None and other in made_by and constant.size == made_by[other].outputs > 1
        for constant, other in ((values[0], sources[1]), (values[1], sources[0]))
    )


def _fused(options: Mapping[str, Any]) -> list[str]:
    """What a fused node does behind its convolution, such as BiasAdd and Relu6."""
    listed = options.get("fused_ops", {}).get("list", {}).get("s", [])
    return [base64.b64decode(each).decode(errors="replace") for each in listed]


def _layer(name: str, kind: str, values: list[Array | None], fused: list[str]) -> list[Stored]:
    # a transposed convolution is given its shape, its weights and its picture
    weight = values[1] if len(values) > 1 else None
    if weight is None:
        raise ModelError(f"{printable(name)} has computed weights", "only plain networks can be read")
    if kind == "depthwise":
        height, width, channels, factor = weight.shape
        weight = weight.transpose(2, 3, 0, 1).reshape(channels * factor, 1, height, width)
    else:
        # HWIO; of a transposed one HWOI, whose inputs come first in PyTorch
        weight = weight.transpose(3, 2, 0, 1)
    if "FusedBatchNorm" in fused:
        raise ModelError(f"{printable(name)} holds a batch norm that was not folded", "only plain networks can be read")
    made = [Stored(name, "transposed" if kind == "transposed" else "conv", np.ascontiguousarray(weight))]
    # in this order, behind picture and weights
    for what, held in zip((each for each in fused if each in ("BiasAdd", "Prelu")), values[2:], strict=False):
        if held is None:
            raise ModelError(f"{printable(name)} has a computed {what}", "only plain networks can be read")
        if what == "Prelu":
            made.append(Stored(f"{name} slope", "prelu", held.reshape(-1)))
        else:
            _check_channels(held, made[0], name)
            made[0].bias = held
    return made


def _with_bias(sources: list[str], values: list[Array | None], made_by: Mapping[str, Stored]) -> Stored | None:
    """The layer that gets a constant added: that is its bias. None for other sums."""
    for constant, other in ((values[0], sources[1]), (values[1], sources[0])):
        layer = made_by.get(other)
        if constant is not None and layer is not None and layer.norm is None and constant.size == layer.outputs:
            bias = constant.reshape(-1)
            layer.bias = bias if layer.bias is None else layer.bias + bias
            return layer
    return None
