"""A network of PyTorch's as ONNX: what both runtimes read, without anything of the machine on which it was made.

The exporter is PyTorch's own, the one that stands on `torch.export`. The older one is deprecated, and leaves hundreds
of operators for the sizes of paddings, which are constants here. Its result is tidied: what TensorFlow's SAME padding
cuts off a transposed convolution becomes that one's own padding, and traces of the source are removed.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from vcam import extras
from vcam.errors import ModelError, UsageError
from vcam.printable import printable
from vcam.train.nets.layers import ConvBlock, WithProbability
from vcam.train.norms import folded

OPSET = 18
"""Read by ONNX Runtime from 1.14 on and by OpenVINO from 2023.1 on."""
IR_VERSION = 8

PICTURE, PROBABILITY = "picture", "probability"


def ready(net: nn.Module) -> nn.Module:
    """A copy of a network as it is exported: batch norms folded, one channel of probability out, in eval mode.

    Two logits become their difference in the last convolution, whose sigmoid is their softmax.
    """
    twin = folded(net)
    last = [each for each in twin.segment.modules() if isinstance(each, nn.Conv2d | nn.ConvTranspose2d)][-1]
    if last.out_channels == 2:
        transposed = isinstance(last, nn.ConvTranspose2d)
        with torch.no_grad():
            first, second = last.weight.unbind(1 if transposed else 0)
            last.weight = nn.Parameter((second - first).unsqueeze(1 if transposed else 0))
            if last.bias is not None:
                last.bias = nn.Parameter(last.bias[1:] - last.bias[:1])
        last.out_channels = 1
        for block in twin.segment.modules():
            if isinstance(block, ConvBlock) and block.conv is last:
                block.norm = nn.Identity()
    return WithProbability(twin).eval()


def without_mask(net: nn.Module) -> nn.Module:
    """A copy of a network with four channels, trained with an empty fourth: it has three, and computes the same.

    Else vcam would give it masks, of which it has learnt nothing.
    """
    twin = copy.deepcopy(net)
    first = next(each for each in twin.modules() if isinstance(each, nn.Conv2d))
    first.weight = nn.Parameter(first.weight.detach()[:, :3].clone())
    first.in_channels, twin.channels = 3, 3
    return twin


def sample(net: nn.Module) -> torch.Tensor:
    """A black picture for a network, (1, C, H, W)."""
    width, height = net.size
    return torch.zeros(1, net.channels, height, width)


def to_onnx(net: nn.Module, name: str) -> Any:
    """A network as `ready` gives it as an ONNX model: "picture" (1, C, H, W) in, "probability" (1, 1, H, W) out.

    Raises `UsageError` if the exporter's packages are missing, `ModelError` if it fails.
    """
    return written(net, sample(net.net), PICTURE, PROBABILITY, name)


def written(net: nn.Module, given: torch.Tensor, inward: str, outward: str, name: str) -> Any:
    """Any network of one tensor in and one out as an ONNX model of that batch; raises as `to_onnx` does."""
    try:
        import onnx
        import onnxscript  # noqa: F401 - what the exporter stands on
    except ImportError as error:
        raise UsageError(f"networks cannot be exported: {error}", extras.command("train")) from error
    with _silenced():
        try:
            program = torch.onnx.export(
                copy.deepcopy(net), (given,), dynamo=True, verbose=False, opset_version=OPSET,
                input_names=[inward], output_names=[outward], external_data=False,
            )  # fmt: skip
        except RuntimeError as error:
            told = printable(str(error).strip().partition("\n")[0])
            raise ModelError(f"PyTorch cannot write {name} as ONNX: {told}", "another version of it may") from error
        model = onnx.load_model_from_string(program.model_proto.SerializeToString())
    _cut_off(model.graph)
    _forget(model)
    model.graph.name, model.ir_version, model.producer_name, model.producer_version = name, IR_VERSION, "vcam", ""
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    onnx.checker.check_model(model)
    return model


@contextmanager
def _silenced() -> Iterator[None]:
    """Without what the exporter tells its developers, on every channel that it has."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    before = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)


def _forget(model: Any) -> None:
    """Leave out where in which file of this machine each node came from."""
    model.doc_string = ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string = ""
    del graph.metadata_props[:]
    for each in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        each.doc_string = ""
        if hasattr(each, "metadata_props"):
            del each.metadata_props[:]
    del graph.value_info[:]


def constants(graph: Any) -> dict[str, Any]:
    """The initialisers of a graph by name, as arrays."""
    from onnx import numpy_helper

    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def _cut_off(graph: Any) -> None:
    """Slices of the two sides right behind a transposed convolution become its padding."""
    from onnx import helper

    held = constants(graph)
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    gone = []
    for node in graph.node:
        if node.op_type != "ConvTranspose":
            continue
        options = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        pads = list(options.get("pads") or [0, 0, 0, 0])
        while len(after := users.get(node.output[0], [])) == 1 and after[0].op_type == "Slice":
            more = _cut_by(after[0], held, _sides(graph, node.output[0]))
            if more is None:
                break
            pads = [old + new for old, new in zip(pads, more, strict=True)]
            gone.append(after[0])
            node.output[0] = after[0].output[0]
        options |= {"pads": pads, "kernel_shape": list(held[node.input[1]].shape[2:])}
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(key, value) for key, value in sorted(options.items()))
    for cut in gone:
        graph.node.remove(cut)
    taken = {name for node in graph.node for name in node.input}
    for unused in [each for each in graph.initializer if each.name not in taken]:
        graph.initializer.remove(unused)


def _cut_by(cut: Any, held: dict[str, Any], sides: list[int] | None) -> list[int] | None:
    """How much a slice takes off: top, left, bottom, right; None if it does anything else."""
    starts, ends, axes, *steps = (held.get(name) for name in cut.input[1:])
    if sides is None or starts is None or ends is None or axes is None or min(axes) < 2:
        return None
    if steps and (steps[0] is None or (steps[0] != 1).any()):
        return None
    taken = [0, 0, 0, 0]
    for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist(), strict=True):
        low, high, _ = slice(start, end).indices(sides[axis])
        taken[axis - 2], taken[axis] = low, sides[axis] - high
    return taken


def _sides(graph: Any, name: str) -> list[int] | None:
    """The shape of a tensor as the exporter noted it; None if it did not."""
    for each in graph.value_info:
        if each.name == name:
            sides = [side.dim_value for side in each.type.tensor_type.shape.dim]
            return sides if all(sides) else None
    return None


def multiplications(model: Any) -> float:
    """Millions of multiplications and additions of the convolutions, which are nearly all there are."""
    shapes = {
        each.name: [side.dim_value for side in each.type.tensor_type.shape.dim]
        for each in (*model.graph.value_info, *model.graph.input, *model.graph.output)
    }
    weights = {each.name: list(each.dims) for each in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        if node.op_type in ("Conv", "ConvTranspose") and node.input[1] in weights:
            # each place of the output, or with the transposed one of the input, meets a filter of all others
            places = shapes[node.output[0] if node.op_type == "Conv" else node.input[0]][1:]
            total += int(np.prod(places)) * int(np.prod(weights[node.input[1]][1:]))
    return total / 1e6
