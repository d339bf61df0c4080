"""Weights as Keras keeps them: whole models (.keras, .h5) and weights alone (.weights.h5, older .h5).

Nothing of such a file is run. A model's description is JSON and is read as that; a Lambda layer in it is a program of
Python's, which is neither unpacked nor believed. HDF5 may point at other files of this machine: such links are refused.

Two layouts are known: that of Keras 1 to 2 (https://keras.io/2.16/api/models/model_saving_apis), where each group names
its weights, and that of Keras 3 (https://keras.io/guides/serialization_and_saving), where a layer's group is called
after its class and its weights are numbered.
"""

from __future__ import annotations

import io
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vcam.errors import ModelError
from vcam.printable import printable
from vcam.train.stored import Array, Stored, StoredNorm

MOST_VALUES = 1 << 26
"""Numbers that all weights together may be: a file may tell of more than it holds."""
_MOST_OF_A_DESCRIPTION, _MOST_OF_WEIGHTS = 1 << 24, 1 << 28
_DEEPEST, _MOST_OBJECTS = 20, 1 << 16

_SAVE_AGAIN = "save the whole model: model.save('net.keras')"
_EXPORT = "where you trust it: model.export('FOLDER'), then vcam models add FOLDER"

_LEAVES = {
    "Conv2D": ("kernel", "bias"),
    "Conv2DTranspose": ("kernel", "bias"),
    "Dense": ("kernel", "bias"),
    "DepthwiseConv2D": ("depthwise_kernel", "bias"),
    "SeparableConv2D": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "PReLU": ("alpha",),
}
"""What the weights of each kind of layer are called, in the order in which Keras 3 numbers them."""
_NORM = "BatchNormalization"
_HOMES = ("keras", "tf_keras", "keras_core", "tensorflow", "builtins")
"""Packages whose layers are known to be those of Keras."""
NORM_EPS = 1e-3
"""Keras's default, for files that do not tell."""


@dataclass(slots=True)
class _Layer:
    """A layer with weights: `kind` is its class, or "" where the file does not tell. `after`: names it takes from."""

    name: str
    kind: str
    weights: dict[str, Array]
    options: dict[str, Any] = field(default_factory=dict)
    after: tuple[str, ...] = ()


@dataclass(slots=True)
class _Described:
    """What a model's description says of a layer. `path`: where Keras 3 keeps its weights."""

    name: str
    kind: str
    path: str
    options: dict[str, Any]
    after: tuple[str, ...]


def from_keras(data: bytes) -> list[Stored]:
    """The layers of a Keras file. Raises `ModelError`, `ImportError` without h5py, or `ValueError` and its like for
    what is damaged."""
    import h5py

    description = None
    if data[:4] == b"PK\x03\x04":
        description, data = _unpacked(data)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            _check(file)
            if description is None:
                description = _text(file.attrs.get("model_config"))
            described = list(_described(json.loads(description))) if description else []
            group = file.get("model_weights", file)
            named = _names(group, "layer_names")
            layers = _of_keras_2(group, named, described) if named is not None else _of_keras_3(group, described)
    except (OSError, RuntimeError, RecursionError) as error:
        raise ValueError(str(error).splitlines()[0] if str(error) else "no file of Keras") from error
    return _stored(layers, described)


def _unpacked(data: bytes) -> tuple[str, bytes]:
    """Description and weights of a .keras file."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = []
            for member, most in (("config.json", _MOST_OF_A_DESCRIPTION), ("model.weights.h5", _MOST_OF_WEIGHTS)):
                with archive.open(member) as opened:
                    parts.append(opened.read(most + 1))
                if len(parts[-1]) > most:
                    raise ModelError(f"its {member} is larger than {most >> 20} MB", "that cannot be a network")
    except KeyError as error:
        raise ModelError("it is an archive, and none of Keras's", _SAVE_AGAIN) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    return parts[0].decode("utf-8"), parts[1]


def _check(group: Any) -> None:
    """Raises `ModelError` for what lies elsewhere or is more than can be, `ValueError` for groups without end."""
    import h5py

    values, objects, left = 0, 0, [(group, 0)]
    while left:
        held, depth = left.pop()
        for name in held:
            # a group may be its own part, and that several times
            objects += 1
            if depth > _DEEPEST or objects > _MOST_OBJECTS:
                raise ValueError("groups within groups without end")
            if not isinstance(held.get(name, getlink=True), h5py.HardLink):
                raise ModelError(f"its {printable(name)} is a link to elsewhere", _SAVE_AGAIN)
            each = held[name]
            if isinstance(each, h5py.Group):
                left.append((each, depth + 1))
            elif isinstance(each, h5py.Dataset):
                if each.external or each.is_virtual:
                    raise ModelError(f"its {printable(name)} lies in another file", _SAVE_AGAIN)
                values += int(each.size or 0)
            if values > MOST_VALUES:
                raise ModelError(
                    f"it tells of more than {MOST_VALUES >> 20} million numbers", "that cannot be a network"
                )


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _names(group: Any, key: str) -> list[str] | None:
    """A list of names among a group's attributes, which Keras cuts into several where it is long; None if it is not
    there."""
    if key in group.attrs:
        found = list(group.attrs[key])
    elif f"{key}0" in group.attrs:
        found, number = [], 0
        while f"{key}{number}" in group.attrs:
            found += list(group.attrs[f"{key}{number}"])
            number += 1
    else:
        return None
    return [_text(each) or "" for each in found]


def _described(model: dict[str, Any], path: str = "", depth: int = 0) -> Iterator[_Described]:
    """The layers of a model and of models within it. Raises `ModelError` for those that are programs."""
    if depth > _DEEPEST:
        raise ValueError("models within models without end")
    config = model["config"]
    layers = config if isinstance(config, list) else config["layers"]
    counted: dict[str, int] = {}
    before: tuple[str, ...] = ()
    for layer in layers:
        kind, options = str(layer["class_name"]), dict(layer.get("config") or {})
        name = str(options.get("name") or layer.get("name") or kind)
        _refuse_programs(layer, kind, name)
        number = counted.get(_snake(kind), 0)
        counted[_snake(kind)] = number + 1
        place = f"{path}layers/{_snake(kind)}{f'_{number}' if number else ''}"
        if isinstance(options.get("layers"), list):
            yield from _described(layer, f"{place}/", depth + 1)
            continue
        # a Sequential model has no such list: each takes from the one before
        nodes = layer.get("inbound_nodes")
        after = before if nodes is None else tuple(_sources(nodes))
        yield _Described(name, kind, place, options, after)
        before = (name,)


def _refuse_programs(layer: dict[str, Any], kind: str, name: str) -> None:
    shown, registered = printable(name), str(layer.get("registered_name") or "")
    if kind == "Lambda":
        raise ModelError(
            f"its layer {shown} is a Lambda, a program of Python's, and vcam runs no programs of others",
            f"save it without that layer; or {_EXPORT}",
        )
    home = str(layer.get("module") or "keras").partition(".")[0]
    if ">" in registered or ">" in kind or home not in _HOMES:
        raise ModelError(
            f"its layer {shown} is of a kind of its author's own, {printable(registered or kind)}",
            f"save it without that layer; or {_EXPORT}",
        )


def _sources(nodes: Any) -> Iterator[str]:
    """The names of the layers that a layer takes from: lists in Keras 2, arguments with a history in Keras 3."""
    if isinstance(nodes, dict):
        history = nodes.get("keras_history") or (nodes.get("config") or {}).get("keras_history")
        if nodes.get("class_name") == "__keras_tensor__" and history:
            yield str(history[0])
            return
        for each in nodes.values():
            yield from _sources(each)
    elif isinstance(nodes, list):
        if nodes and isinstance(nodes[0], str) and len(nodes) >= 3 and isinstance(nodes[1], int):
            yield nodes[0]
            return
        for each in nodes:
            yield from _sources(each)


def _snake(kind: str) -> str:
    """The name of a class as Keras writes it into paths: Conv2D becomes conv2d, PReLU p_re_lu."""
    kind = re.sub(r"\W+", "", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)).lower()


def _values(dataset: Any) -> Array:
    if dataset.dtype.kind not in "fiu":
        raise ValueError(f"{dataset.name} holds no numbers")
    return np.asarray(dataset[()], np.float32)


def _of_keras_2(group: Any, names: list[str], described: list[_Described]) -> list[_Layer]:
    known = {each.name: each for each in described}
    found: list[_Layer] = []
    # a file may name the same numbers again and again
    left = MOST_VALUES
    for layer in names:
        held: dict[str, dict[str, Array]] = {}
        for path in _names(group[layer], "weight_names") or []:
            before, _, leaf = path.rpartition("/")
            left -= int(group[layer][path].size or 0)
            if left < 0:
                raise ModelError(
                    f"it tells of more than {MOST_VALUES >> 20} million numbers", "that cannot be a network"
                )
            held.setdefault(before.rpartition("/")[2] or layer, {})[leaf.partition(":")[0]] = _values(
                group[layer][path]
            )
        for name, weights in held.items():
            # one that is no model within the model is called by its own name, whatever its weights are
            own = layer if len(held) == 1 else name
            told = known.get(own) or known.get(name)
            found.append(_layer(told, own, weights))
    order = {each.name: number for number, each in enumerate(described)}
    return sorted(found, key=lambda each: order.get(each.name, len(order))) if described else found


def _layer(told: _Described | None, name: str, weights: dict[str, Array]) -> _Layer:
    if told is None:
        return _Layer(name, "", weights)
    return _Layer(told.name, told.kind, weights, told.options, told.after)


def _of_keras_3(group: Any, described: list[_Described]) -> list[_Layer]:
    """Weights are numbered; what they are is told by the class, which the path tells as well."""
    found: dict[str, _Layer] = {}
    by_path = {each.path: each for each in described}
    classes = {_snake(kind): kind for kind in (*_LEAVES, _NORM)}
    for path, held in _numbered(group):
        last = path.rpartition("/")[2]
        told = by_path.get(path)
        kind = told.kind if told else classes.get(re.sub(r"_\d+\Z", "", last), "")
        options = told.options if told else {}
        layer = _layer(told, last, dict(zip(_leaves(kind, options, len(held), last), held, strict=True)))
        layer.kind = kind
        found[path] = layer
    if not described:
        # the numbers count as numbers: 2 before 10
        return [found[path] for path in sorted(found, key=_natural)]
    order = {each.path: number for number, each in enumerate(described)}
    return [found[path] for path in sorted(found, key=lambda path: order.get(path, len(order)))]


def _leaves(kind: str, options: dict[str, Any], count: int, name: str) -> tuple[str, ...]:
    if kind == _NORM:
        leaves: tuple[str, ...] = (
            *(("gamma",) if options.get("scale", True) else ()),
            *(("beta",) if options.get("center", True) else ()),
            "moving_mean", "moving_variance",
        )  # fmt: skip
    elif kind in _LEAVES:
        leaves = _LEAVES[kind]
        leaves = leaves if count == len(leaves) else leaves[:-1]
    else:
        raise _unknown(kind or name, name)
    if kind == _NORM and not options and count == 2:
        leaves = leaves[2:]
    if kind == _NORM and not options and len(leaves) != count:
        raise ModelError(f"it does not tell what the weights of {printable(name)} are", _SAVE_AGAIN)
    if len(leaves) != count:
        raise ValueError(f"{name} has {count} weights")
    return leaves


def _unknown(kind: str, name: str) -> ModelError:
    return ModelError(
        f"its layer {printable(name)} is a {printable(kind)}, which none of vcam's architectures has",
        _EXPORT,
    )


def _numbered(group: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, list[Array]]]:
    import h5py

    for name in group:
        each = group[name]
        if not isinstance(each, h5py.Group) or (not path and name == "optimizer") or name == "seed_generator":
            continue
        if name != "vars":
            yield from _numbered(each, f"{path}/{name}" if path else name, depth + 1)
        elif len(each) and path:
            yield path, [_values(each[number]) for number in sorted(each, key=_natural)]


def _natural(words: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", words)]


def _stored(layers: list[_Layer], described: list[_Described]) -> list[Stored]:
    found: list[Stored] = []
    made_by: dict[str, Stored] = {}
    for layer in layers:
        if "moving_mean" in layer.weights:
            _norm(layer, found, made_by, told=bool(described))
            continue
        made = list(_convolutions(layer))
        found += made
        made_by[layer.name] = made[-1]
    return found


def _norm(layer: _Layer, found: list[Stored], made_by: dict[str, Stored], *, told: bool) -> None:
    """A batch norm belongs to the layer that it takes from."""
    mean, variance = layer.weights["moving_mean"], layer.weights["moving_variance"]
    before = made_by.get(layer.after[0]) if told and layer.after else found[-1] if found else None
    # a kind that is not told may be a transposed one, whose outputs come second
    outputs = () if before is None else before.weight.shape[:2] if not before.kind else (before.outputs,)
    if before is None or before.norm is not None or mean.size not in outputs:
        if not told:
            raise ModelError(
                f"it does not tell after which layer the batch norm {printable(layer.name)} stands", _SAVE_AGAIN
            )
        raise ModelError(f"its batch norm {printable(layer.name)} does not follow a convolution", _EXPORT)
    before.norm = StoredNorm(
        layer.weights.get("gamma", np.ones_like(mean)), layer.weights.get("beta", np.zeros_like(mean)),
        mean, variance, float(layer.options.get("epsilon", NORM_EPS)),
    )  # fmt: skip


def _convolutions(layer: _Layer) -> Iterator[Stored]:
    held, name = layer.weights, layer.name
    bias = held.get("bias")
    if "alpha" in held:
        slope = held["alpha"]
        if slope.size != slope.shape[-1]:
            raise ModelError(f"its PReLU {printable(name)} has a slope for each place", _EXPORT)
        yield Stored(name, "prelu", slope.reshape(-1))
        return
    depthwise = held.get("depthwise_kernel")
    kernel = held.get("pointwise_kernel" if "pointwise_kernel" in held else "kernel")
    if depthwise is None and kernel is not None and (layer.kind == "DepthwiseConv2D" or _is_depthwise(layer)):
        depthwise, kernel = kernel, None
    if depthwise is None and kernel is None:
        raise _unknown(layer.kind or "layer", name)
    if depthwise is not None:
        height, width, channels, times = depthwise.shape
        weight = depthwise.transpose(2, 3, 0, 1).reshape(channels * times, 1, height, width)
        yield Stored(name, "conv", np.ascontiguousarray(weight), bias if kernel is None else None)
    if kernel is not None:
        kernel = kernel[None, None] if kernel.ndim == 2 else kernel
        # HWIO of a convolution, HWOI of a transposed one: both become PyTorch's by the same turn
        kind = {"Conv2DTranspose": "transposed", "": ""}.get(layer.kind, "conv")
        yield Stored(name, kind, np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias)


def _is_depthwise(layer: _Layer) -> bool:
    """Where no class is told, its name tells it: Keras 3 calls all kernels alike."""
    return not layer.kind and "depthwise" in layer.name.lower()
