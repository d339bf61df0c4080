"""Smaller numbers for a network that is trained: float16, 8 bits for the weights, 8 bits for everything.

ONNX and OpenVINO share what is made here: float32 operators between QuantizeLinear and DequantizeLinear, which both
runtimes replace by their own of whole numbers (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam import extras, folders, silent
from vcam.errors import UsageError
from vcam.train.onnxfile import PICTURE, PROBABILITY
from vcam.types import F32

SMALL = 256
"""Tensors of fewer values, such as biases, stay as they are."""

CALIBRATION = 128
"""Pictures at most; more do not change the ranges by anything that could be measured."""


def with_float16(model: Any) -> Any:
    """The same network with its weights stored as float16; every runtime makes float32 of them as it loads."""
    from onnx import TensorProto, helper, numpy_helper

    def store(values: npt.NDArray[Any], name: str) -> tuple[list[Any], list[Any]]:
        half = np.clip(values, np.finfo(np.float16).min, np.finfo(np.float16).max).astype(np.float16)
        node = helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_widened", to=TensorProto.FLOAT)
        return [numpy_helper.from_array(half, f"{name}_half")], [node]

    return _with_stored(model, store, least=1)


def with_int8_weights(model: Any) -> Any:
    """The same network with the weights of its convolutions stored as 8 bits, a scale for each channel that comes out.

    It is computed in float32. Symmetric: value = scale * int8, from -127 to 127. As a product, not as DequantizeLinear:
    ONNX Runtime does a product of constants once, but would do that operator for every picture.
    """
    from onnx import TensorProto, helper, numpy_helper

    axes = {node.input[1]: int(node.op_type == "ConvTranspose") for node in _convolutions(model.graph)}

    def store(values: npt.NDArray[Any], name: str) -> tuple[list[Any], list[Any]]:
        if name not in axes:
            return [], []
        rest = tuple(each for each in range(values.ndim) if each != axes[name])
        most = np.abs(values).max(rest, keepdims=True)
        scale = np.where(most > 0, most / 127, 1).astype(np.float32)
        whole = np.rint(values / scale).astype(np.int8)
        stored = [numpy_helper.from_array(whole, f"{name}_int8"), numpy_helper.from_array(scale, f"{name}_scale")]
        return stored, [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_steps"], name=f"{name}_widened", to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}_steps", f"{name}_scale"], [name], name=f"{name}_scaled"),
        ]

    return _with_stored(model, store, least=SMALL)


def _convolutions(graph: Any) -> Iterator[Any]:
    return (node for node in graph.node if node.op_type in ("Conv", "ConvTranspose"))


def _with_stored(model: Any, store: Any, *, least: int) -> Any:
    import onnx
    from onnx import numpy_helper

    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph, nodes, stored = changed.graph, [], []
    for each in list(graph.initializer):
        values = numpy_helper.to_array(each)
        made: tuple[list[Any], list[Any]] = ([], [])
        if values.dtype == np.float32 and values.size >= least:
            made = store(values, each.name)
        stored += made[0] or [each]
        nodes += made[1]
    nodes += list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(stored)
    graph.node.extend(nodes)
    onnx.checker.check_model(changed)
    return changed


def with_int8(model: Any, pictures: Sequence[F32]) -> Any:
    """The same network computed in whole numbers, the ranges of its maps found out on some pictures.

    pictures: float32 (1, C, H, W) each, scaled as the network takes them. What comes out last, the probability, stays
    float32. Raises `UsageError` if a package is missing.
    """
    import onnx

    try:
        quantization = silent.onnxruntime_quantization()
    except ImportError as error:
        raise UsageError(f"networks cannot be quantised: {error}", extras.command("train")) from error

    base: Any = quantization.CalibrationDataReader

    class Reader(base):
        def __init__(self) -> None:
            self._left = iter(pictures)

        def get_next(self) -> dict[str, F32] | None:
            values = next(self._left, None)
            return None if values is None else {PICTURE: values}

    last = [node.name for node in model.graph.node if PROBABILITY in node.output]
    root = logging.getLogger()
    before = root.level
    with tempfile.TemporaryDirectory(prefix="vcam-", dir=folders.scratch()) as scratch:
        source, target = Path(scratch, "float.onnx"), Path(scratch, "int8.onnx")
        onnx.save(model, str(source))
        try:
            # it tells its own users to prepare the network, which has been done
            root.setLevel(logging.ERROR)
            quantization.quantize_static(
                str(source), str(target), Reader(), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
                activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8,
                calibrate_method=quantization.CalibrationMethod.MinMax, nodes_to_exclude=last,
                extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
            )  # fmt: skip
        finally:
            root.setLevel(before)
        return onnx.load(str(target))
