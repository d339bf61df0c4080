"""Operators of TFLite that move, join, cut or sum values, written as ONNX.

Maps are NCHW in the result and NHWC in the file, so sides are counted anew; what has not four sides stays as it is. A
RESHAPE means the file's order of values: the map is turned to it and back, and engines take such turns out again where
two of them meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from vcam.errors import ModelError
from vcam.models.tflite_graph import Operator, TfliteGraph

TO_FILE = (0, 2, 3, 1)
"""How the sides of NCHW are turned to become NHWC."""
FROM_FILE = (0, 3, 1, 2)
"""And back."""


class Writer(Protocol):
    """What writes the ONNX graph."""

    graph: TfliteGraph

    def name(self, tensor: int) -> str:
        """What a tensor is called in the result."""

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Add an operator."""

    def initializer(self, name: str, values: npt.NDArray[Any]) -> str:
        """Add a constant; returns its name."""

    def integers(self, operator: Operator, which: int) -> list[int]:
        """The values of an input that is constant. Raises `ModelError` if the network computes it."""

    def operand(self, tensor: int) -> str:
        """The name of an input, which may be a constant."""

    def activated(self, operator: Operator, fused: int) -> tuple[str, Callable[[], None]]:
        """Where an operator should write, and what adds the activation that was fused into it."""


def axis(number: int, rank: int) -> int:
    """Where a side of the file's order stands in the result's."""
    number %= rank
    return FROM_FILE.index(number) if rank == 4 else number


def by_side(values: Sequence[int], rank: int) -> list[int]:
    """One value for each side, in the result's order."""
    return [values[side] for side in FROM_FILE] if rank == 4 else list(values)


def _rank(writer: Writer, tensor: int) -> int:
    return len(writer.graph.shape(tensor))


def reshape(writer: Writer, operator: Operator) -> None:
    """The values in the file's order, in another shape."""
    source, target = writer.name(operator.inputs[0]), writer.name(operator.outputs[0])
    shape = writer.graph.shape(operator.outputs[0])
    if _rank(writer, operator.inputs[0]) == 4:
        writer.node("Transpose", [source], f"{target}_file", perm=list(TO_FILE))
        source = f"{target}_file"
    sides = writer.initializer(f"{target}_shape", np.array(shape, np.int64))
    if len(shape) == 4:
        writer.node("Reshape", [source, sides], f"{target}_reshaped")
        writer.node("Transpose", [f"{target}_reshaped"], target, perm=list(FROM_FILE))
    else:
        writer.node("Reshape", [source, sides], target)


def transpose(writer: Writer, operator: Operator) -> None:
    """Sides changed about: the turn to the file's order, its own, and the one back are one."""
    turned = np.array(writer.integers(operator, 1))
    rank = turned.size
    if rank == 4:
        turned = np.arange(4)[list(TO_FILE)][turned][list(FROM_FILE)]
    elif rank != _rank(writer, operator.inputs[0]):
        raise ModelError(f"TRANSPOSE of {rank} sides cannot be converted")
    writer.node("Transpose", [writer.name(operator.inputs[0])], writer.name(operator.outputs[0]), perm=turned.tolist())


def pad(writer: Writer, operator: Operator) -> None:
    """Zeros around it."""
    rank = _rank(writer, operator.inputs[0])
    pairs = np.array(writer.integers(operator, 1)).reshape(rank, 2)
    before, after = (by_side(pairs[:, end].tolist(), rank) for end in (0, 1))
    target = writer.name(operator.outputs[0])
    pads = writer.initializer(f"{target}_pads", np.array([*before, *after], np.int64))
    writer.node("Pad", [writer.name(operator.inputs[0]), pads], target)


def concatenate(writer: Writer, operator: Operator) -> None:
    """Several maps as one."""
    options = writer.graph.options(operator, "ConcatenationOptions")
    target, activate = writer.activated(operator, options.FusedActivationFunction())
    side = axis(options.Axis(), _rank(writer, operator.outputs[0]))
    writer.node("Concat", [writer.operand(tensor) for tensor in operator.inputs], target, axis=side)
    activate()


def softmax(writer: Writer, operator: Operator) -> None:
    """Over the last side of the file's order; `beta` is a factor before it."""
    options = writer.graph.options(operator, "SoftmaxOptions")
    source, target = writer.name(operator.inputs[0]), writer.name(operator.outputs[0])
    if options.Beta() != 1:
        beta = writer.initializer(f"{target}_beta", np.array(options.Beta(), np.float32))
        writer.node("Mul", [source, beta], f"{target}_scaled")
        source = f"{target}_scaled"
    writer.node("Softmax", [source], target, axis=axis(-1, _rank(writer, operator.inputs[0])))


def total(writer: Writer, operator: Operator) -> None:
    """The sum over some sides."""
    if not writer.graph.options(operator, "ReducerOptions").KeepDims():
        raise ModelError("SUM that leaves out sides cannot be converted", "only one that keeps them can")
    rank, target = _rank(writer, operator.inputs[0]), writer.name(operator.outputs[0])
    sides = sorted(axis(side, rank) for side in writer.integers(operator, 1))
    axes = writer.initializer(f"{target}_axes", np.array(sides, np.int64))
    writer.node("ReduceSum", [writer.name(operator.inputs[0]), axes], target, keepdims=1)


def strided_slice(writer: Writer, operator: Operator) -> None:
    """A part of it: places from, to, and each how many; a bit of a mask says that one end is the map's own."""
    options = writer.graph.options(operator, "StridedSliceOptions")
    shape = writer.graph.shape(operator.inputs[0])
    if options.EllipsisMask() or options.NewAxisMask():
        raise ModelError("STRIDED_SLICE with new sides cannot be converted", "only plain cuts can")
    begin, end, step = (writer.integers(operator, which) for which in (1, 2, 3))
    if len(begin) != len(shape) or min(step) < 1:
        raise ModelError("STRIDED_SLICE of some sides, or backwards, cannot be converted", "only plain cuts can")
    for side, length in enumerate(shape):
        bit = 1 << side
        begin[side] = 0 if options.BeginMask() & bit else begin[side]
        end[side] = length if options.EndMask() & bit else end[side]
        if options.ShrinkAxisMask() & bit:
            end[side] = begin[side] + 1 if begin[side] != -1 else length
    rank, target = len(shape), writer.name(operator.outputs[0])
    shrinks = bool(options.ShrinkAxisMask())
    cut = f"{target}_cut" if shrinks else target
    ends = [by_side(values, rank) for values in (begin, end, list(range(rank)), step)]
    ends[2] = list(range(rank))
    parts = [
        writer.initializer(f"{target}_{what}", np.array(values, np.int64))
        for what, values in zip(("from", "to", "sides", "steps"), ends, strict=True)
    ]
    writer.node("Slice", [writer.name(operator.inputs[0]), *parts], cut)
    if shrinks:
        # a map of one channel, or the like, without that side: in the file's order the values are the same
        if rank == 4:
            writer.node("Transpose", [cut], f"{target}_file", perm=list(TO_FILE))
            cut = f"{target}_file"
        shape = writer.graph.shape(operator.outputs[0])
        if len(shape) == 4:
            raise ModelError("STRIDED_SLICE of five sides cannot be converted")
        sides = writer.initializer(f"{target}_shape", np.array(shape, np.int64))
        writer.node("Reshape", [cut, sides], target)


LAYOUTS: dict[str, Callable[[Writer, Operator], None]] = {
    "RESHAPE": reshape,
    "TRANSPOSE": transpose,
    "PAD": pad,
    "CONCATENATION": concatenate,
    "SOFTMAX": softmax,
    "SUM": total,
    "STRIDED_SLICE": strided_slice,
}
"""Operators by their names in TFLite's schema."""
