"""What a TFLite file holds: operators in the order in which they run, their options, and the constants they take.

Tensors are known by their numbers, as in the file; a number of -1 stands for one that is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.errors import ModelError

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its name in TFLite's schema, tensor numbers, and its options, typed or as raw bytes."""

    name: str
    inputs: list[int]
    outputs: list[int]
    options: Any
    custom: bytes


class TfliteGraph:
    """The one graph of a TFLite network. Whatever damaged files make the parser raise comes out of it as it is."""

    def __init__(self, data: bytes) -> None:
        """Raises `ModelError` if these bytes are no TFLite network, or one of several graphs."""
        import tflite

        if data[4:8] != b"TFL3":
            raise ModelError("this is not a TFLite network", "give a .tflite file")
        self.schema = tflite
        self._model = tflite.Model.GetRootAsModel(data, 0)
        if self._model.SubgraphsLength() != 1:
            raise ModelError("the TFLite network has several graphs", "only plain networks can be converted")
        self._graph = self._model.Subgraphs(0)
        self._builtin = {number: word for word, number in vars(tflite.BuiltinOperator).items() if type(number) is int}

    @property
    def inputs(self) -> list[int]:
        """The tensors that the network takes."""
        return [int(self._graph.Inputs(i)) for i in range(self._graph.InputsLength())]

    @property
    def outputs(self) -> list[int]:
        """The tensors that the network gives out."""
        return [int(self._graph.Outputs(i)) for i in range(self._graph.OutputsLength())]

    def operators(self) -> list[Operator]:
        """All of them, in the order in which they run."""
        return [self._operator(number) for number in range(self._graph.OperatorsLength())]

    def _operator(self, number: int) -> Operator:
        raw = self._graph.Operators(number)
        code = self._model.OperatorCodes(raw.OpcodeIndex())
        # old files have the number in a field of 8 bits, new ones in one of 32
        name = self._builtin[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        custom = b""
        if name == "CUSTOM":
            name = code.CustomCode().decode()
            custom = raw.CustomOptionsAsNumpy().tobytes() if raw.CustomOptionsLength() else b""
        inputs = [int(raw.Inputs(i)) for i in range(raw.InputsLength())]
        outputs = [int(raw.Outputs(i)) for i in range(raw.OutputsLength())]
        return Operator(name, inputs, outputs, raw.BuiltinOptions(), custom)

    def options(self, operator: Operator, kind: str) -> Any:
        """An operator's options, read as the table of that name in the schema."""
        options = getattr(self.schema, kind)()
        options.Init(operator.options.Bytes, operator.options.Pos)
        return options

    def shape(self, tensor: int) -> list[int]:
        """A tensor's sides, in TFLite's order."""
        raw = self._graph.Tensors(tensor)
        return [int(raw.Shape(i)) for i in range(raw.ShapeLength())]

    def constant(self, tensor: int) -> Array | None:
        """A tensor's values as stored, float16 widened to float32; None if the network computes it.

        Raises `ModelError` if they are quantised: `dequantised` reads those.
        """
        raw = self._graph.Tensors(tensor)
        schema = self.schema.TensorType
        types = {schema.FLOAT32: np.float32, schema.FLOAT16: np.float16, schema.INT32: np.int32}
        values = self._stored(tensor, types)
        if values is None and self._model.Buffers(raw.Buffer()).DataLength():
            raise ModelError("the network holds quantised weights", "convert its float32 or float16 variant")
        return values

    def dequantised(self, tensor: int) -> Array | None:
        """A tensor's values as float32, whether they are stored as floats or quantised; None if they are computed.

        A quantised value stands for scale * (value - zero), with one scale or one for each place along one side:
        https://ai.google.dev/edge/litert/models/quantization_spec. Raises `ModelError` for types it does not know.
        """
        raw = self._graph.Tensors(tensor)
        schema = self.schema.TensorType
        types = {schema.FLOAT32: np.float32, schema.FLOAT16: np.float16, schema.INT32: np.int32,
                 schema.INT8: np.int8, schema.UINT8: np.uint8}  # fmt: skip
        values = self._stored(tensor, types)
        if values is None:
            if self._model.Buffers(raw.Buffer()).DataLength():
                raise ModelError(f"weights of TFLite's type {raw.Type()} cannot be read", "take a float32 variant")
            return None
        quantization = raw.Quantization()
        if values.dtype == np.float32 or quantization is None or not quantization.ScaleLength():
            return values.astype(np.float32)
        scale = quantization.ScaleAsNumpy().astype(np.float64)
        zero = quantization.ZeroPointAsNumpy() if quantization.ZeroPointLength() else np.zeros(1, np.int64)
        if scale.size > 1:
            sides = [1] * values.ndim
            sides[quantization.QuantizedDimension()] = -1
            scale, zero = scale.reshape(sides), np.broadcast_to(zero, scale.size).reshape(sides)
        steps = values.astype(np.int64) - zero
        # channels that are all zeros were given any scale, even an infinite one
        return np.asarray(np.where(steps == 0, 0, scale) * steps, np.float32)

    def _stored(self, tensor: int, types: dict[int, Any]) -> Array | None:
        raw = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(raw.Buffer())
        if not buffer.DataLength() or raw.Type() not in types:
            return None
        values: Array = buffer.DataAsNumpy().view(types[raw.Type()]).reshape(self.shape(tensor))
        return values.astype(np.float32) if values.dtype == np.float16 else values
