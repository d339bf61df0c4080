"""Weights as files hold them: TFLite, ONNX, PyTorch, Keras, TensorFlow.js; in PyTorch's order of sides and in one list.

The list is in the order in which the network runs (PyTorch: in which its modules were written down). A batch norm that
was not folded belongs to the convolution before it. Quantised values become the floats that they stand for.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vcam import extras
from vcam.errors import ModelError, UsageError
from vcam.files import no_file
from vcam.models.tflite_graph import Operator, TfliteGraph
from vcam.printable import printable
from vcam.train.kerasfiles import MOST_VALUES, from_keras
from vcam.train.stored import Array, Stored, StoredNorm
from vcam.train.tfjsfile import from_tfjs

SUFFIXES = (".tflite", ".onnx", ".pt", ".pth", ".h5", ".hdf5", ".keras", ".json")
"""What the names of files of weights end in."""

HINT = "give a .tflite, .onnx, .pt, .h5 or .keras file, or the model.json of a graph model"
_MOST = 1 << 30
"""Bytes from which on a file holds no network for portraits."""
_DAMAGE = (struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""What the readers of damaged files raise."""


def read_weights(path: Path) -> list[Stored]:
    """All weights of a network in a file. Raises `UsageError` if there is none, `ModelError` if it cannot be read."""
    shown = printable(str(path))
    readers: dict[str, Callable[[bytes], list[Stored]]] = {
        ".tflite": _from_tflite, ".onnx": _from_onnx, ".pt": _from_torch, ".pth": _from_torch,
        ".h5": from_keras, ".hdf5": from_keras, ".keras": from_keras,
        ".json": partial(from_tfjs, folder=path.parent),
    }  # fmt: skip
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{shown} is no file of weights that vcam knows", HINT)
    try:
        if other := no_file(path):
            raise ModelError(f"{shown} is {other}", HINT)
        if path.stat().st_size > _MOST:
            raise ModelError(f"{shown} is larger than {_MOST >> 30} GB", "give the weights of the network alone")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {shown}", "check the path") from error
    except OSError as error:
        raise ModelError(f"{shown} cannot be read: {error.strerror}", HINT) from error
    try:
        # what is not a number is found below
        with np.errstate(all="ignore"):
            found = reader(data)
    except ModelError as error:
        raise ModelError(f"{shown}: {error.message}", error.hint) from error
    except ImportError as error:
        raise ModelError(f"{shown} cannot be read: {error}", extras.command("train")) from error
    except MemoryError as error:
        raise ModelError(f"{shown} tells of more numbers than there is memory for", "fetch or make it again") from error
    except (*_DAMAGE, RuntimeError) as error:
        raise ModelError(f"{shown} is damaged: {printable(str(error))}", "fetch or make it again") from error
    if not found:
        raise ModelError(f"{shown} holds no weights", HINT)
    if wrong := next((each.name for each in found if not _are_numbers(each)), None):
        raise ModelError(
            f"{shown} holds weights that are not numbers, in {printable(wrong)}", "take another checkpoint"
        )
    return found


def _are_numbers(layer: Stored) -> bool:
    values = [layer.weight, *([] if layer.bias is None else [layer.bias])]
    if layer.norm is not None:
        norm = layer.norm
        values += [norm.scale, norm.shift, norm.mean, norm.variance]
        # it is divided by its root
        if not (norm.variance + norm.eps > 0).all():
            return False
    return all(bool(np.isfinite(each).all()) for each in values)


def _from_tflite(data: bytes) -> list[Stored]:
    graph = TfliteGraph(data)
    # what DEQUANTIZE makes of constants
    constants: dict[int, Array] = {}
    made_by: dict[int, Stored] = {}
    found: list[Stored] = []

    def value(tensor: int) -> Array | None:
        return constants[tensor] if tensor in constants else graph.dequantised(tensor) if tensor >= 0 else None

    for operator in graph.operators():
        if operator.name == "DEQUANTIZE":
            values = value(operator.inputs[0])
            if values is not None:
                constants[operator.outputs[0]] = values
        elif operator.name == "ADD":
            _bias_beside(operator, made_by, value(operator.inputs[0]), value(operator.inputs[1]))
        elif places := _TFLITE.get(operator.name):
            kind, weight_at, bias_at, order = places
            weight = value(operator.inputs[weight_at])
            if weight is None:
                raise ModelError(f"{operator.name} has computed weights", "only plain networks can be read")
            bias = value(operator.inputs[bias_at]) if 0 <= bias_at < len(operator.inputs) else None
            weight = weight.reshape(-1) if kind == "prelu" else weight.transpose(order)
            layer = Stored(f"tensor {operator.outputs[0]}", kind, np.ascontiguousarray(weight), bias)
            made_by[operator.outputs[0]] = layer
            found.append(layer)
    return found


_TFLITE: dict[str, tuple[str, int, int, tuple[int, ...]]] = {
    # where weights and bias stand among the inputs, and how their sides are turned: OHWI, 1HWO, OHWI
    "CONV_2D": ("conv", 1, 2, (0, 3, 1, 2)),
    "DEPTHWISE_CONV_2D": ("conv", 1, 2, (3, 0, 1, 2)),
    "TRANSPOSE_CONV": ("transposed", 1, 3, (3, 0, 1, 2)),
    "Convolution2DTransposeBias": ("transposed", 1, 2, (3, 0, 1, 2)),
    "PRELU": ("prelu", 1, -1, ()),
}


def _bias_beside(operator: Operator, made_by: dict[int, Stored], first: Array | None, second: Array | None) -> None:
    """An ADD of a constant behind a convolution is its bias: TensorFlow 1 wrote those of transposed ones so."""
    values, source = (first, operator.inputs[1]) if first is not None else (second, operator.inputs[0])
    layer = made_by.get(source)
    if values is not None and layer is not None and values.size in (1, layer.outputs):
        bias = np.broadcast_to(values.reshape(-1), layer.outputs)
        layer.bias = bias.copy() if layer.bias is None else layer.bias + bias


def _from_onnx(data: bytes) -> list[Stored]:
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    try:
        graph = onnx.load_model_from_string(data).graph
    except DecodeError as error:
        raise ValueError(str(error)) from error
    constants: dict[str, Array] = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    made_by: dict[str, Stored] = {}
    found: list[Stored] = []
    for node in graph.node:
        options = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        taken = [constants.get(name) for name in node.input]
        made = _constant_of(node.op_type, taken, options)
        if made is not None:
            constants[node.output[0]] = made
        elif node.op_type in _ONNX:
            if taken[1] is None:
                raise ModelError(f"{node.op_type} has computed weights", "only plain networks can be read")
            kind, bias = _ONNX[node.op_type], taken[2] if len(taken) > 2 else None
            weight = np.asarray(taken[1], np.float32)
            layer = Stored(node.output[0], kind, weight.reshape(-1) if kind == "prelu" else weight, bias)
            made_by[node.output[0]] = layer
            found.append(layer)
        elif node.op_type == "BatchNormalization":
            before = made_by.get(node.input[0])
            scale, shift, mean, variance = taken[1:5]
            if before is None or scale is None or shift is None or mean is None or variance is None:
                raise ModelError("a batch norm does not follow a convolution", "only plain networks can be read")
            before.norm = StoredNorm(scale, shift, mean, variance, float(options.get("epsilon", 1e-5)))
        elif node.op_type == "Add":
            _onnx_bias(node, taken, made_by)
    return found


_ONNX = {"Conv": "conv", "ConvTranspose": "transposed", "PRelu": "prelu"}


def _constant_of(kind: str, taken: list[Array | None], options: Mapping[str, Any]) -> Array | None:
    """What a node makes of constants alone; None for others."""
    if kind == "Constant" and "value" in options:
        from onnx import numpy_helper

        values: Array = numpy_helper.to_array(options["value"])
        return values
    if not taken or any(each is None for each in taken):
        return None
    first = taken[0]
    assert first is not None
    if kind == "Identity":
        return first
    if kind == "Transpose":
        return first.transpose(options.get("perm"))
    if kind == "DequantizeLinear":
        sides = [1] * first.ndim
        scale = np.asarray(taken[1], np.float32)
        if scale.size > 1:
            sides[int(options.get("axis", 1))] = -1
        zero = np.asarray(taken[2] if len(taken) > 2 else 0, np.int64)
        shifted = first.astype(np.int64) - (zero.reshape(sides) if zero.size > 1 else zero)
        return np.asarray(shifted * (scale.reshape(sides) if scale.size > 1 else scale), np.float32)
    return None


def _onnx_bias(node: Any, taken: list[Array | None], made_by: dict[str, Stored]) -> None:
    values = taken[0] if taken[0] is not None else taken[1]
    layer = made_by.get(node.input[1] if taken[0] is not None else node.input[0])
    if values is not None and layer is not None and layer.norm is None and values.size == layer.outputs:
        bias = values.reshape(-1).astype(np.float32)
        layer.bias = bias if layer.bias is None else layer.bias + bias


def _from_torch(data: bytes) -> list[Stored]:
    return _layers(_state(data))


def _state(data: bytes) -> dict[str, Any]:
    """The tensors of a PyTorch file by their names: a state dict, or one under "state_dict", "model" or "net".

    Nothing that is no tensor, number, text or container of those is unpacked, so a file cannot run code.
    Raises `ValueError` for other files.
    """
    import torch

    if data[:4] == b"PK\x03\x04" and b"/constants.pkl" in data[-(1 << 20) :]:
        raise ModelError(
            "it is TorchScript, a program, and vcam runs no programs of others",
            "torch.save(model.state_dict(), 'net.pt') saves the weights alone; or export it to ONNX",
        )
    try:
        with warnings.catch_warnings():
            # it either reads the file or raises
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            held = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL ([\w.]+)", str(error)):
            raise ModelError(
                f"it holds more than weights, {found[1]}, and vcam unpacks nothing that could be a program",
                "torch.save(model.state_dict(), 'net.pt') saves the weights alone",
            ) from error
        raise ValueError("it is no file of PyTorch, or not all of one") from error
    except (RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error).splitlines()[0] if str(error) else "no file of PyTorch") from error
    for wrapping in ("state_dict", "model", "net"):
        if isinstance(held, Mapping) and isinstance(held.get(wrapping), Mapping):
            held = held[wrapping]
    if not isinstance(held, Mapping):
        raise ValueError("it holds no state dict")
    return {str(name): tensor for name, tensor in held.items() if isinstance(tensor, torch.Tensor)}


NORM_EPS = 1e-5
"""PyTorch's default, which a state dict does not hold."""


def _layers(state: Mapping[str, Any]) -> list[Stored]:
    """The layers of a state dict: what lies under one prefix belongs together, a norm to the layer before it."""
    if sum(each.numel() for each in state.values()) > MOST_VALUES:
        # one number may be told of a million times
        raise ModelError(f"it tells of more than {MOST_VALUES >> 20} million numbers", "that cannot be a network")
    groups: dict[str, dict[str, Array]] = {}
    for name, tensor in state.items():
        prefix, _, leaf = name.rpartition(".")
        groups.setdefault(prefix, {})[leaf] = tensor.detach().float().numpy()
    found: list[Stored] = []
    for prefix, held in groups.items():
        if "running_mean" in held:
            ones = np.ones_like(held["running_mean"])
            scale, shift = held.get("weight", ones), held.get("bias", 0 * ones)
            if found:
                found[-1].norm = StoredNorm(scale, shift, held["running_mean"], held["running_var"], NORM_EPS)
        elif "weight" in held and held["weight"].ndim in (1, 4):
            weight = held["weight"]
            found.append(Stored(prefix, "prelu" if weight.ndim == 1 else "", weight, held.get("bias")))
    return found
