"""The original selfie networks in an interpreter that is not vcam's, for comparison.

LiteRT lacks MediaPipe's own operator Convolution2DTransposeBias. It is the ordinary TRANSPOSE_CONV with its inputs in
another order, so the file is edited: the operator is renamed and gets its output's shape as a constant.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np


def ordinary(network: bytes) -> bytes:
    """The network with every Convolution2DTransposeBias written as TRANSPOSE_CONV."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(network, 0)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE_CONV
    code.version = 3  # the first with a bias
    model.operatorCodes.append(code)
    (graph,) = model.subgraphs
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].customCode != b"Convolution2DTransposeBias":
            continue
        buffer = schema.BufferT()
        buffer.data = np.asarray(graph.tensors[operator.outputs[0]].shape, np.int32).view(np.uint8)
        model.buffers.append(buffer)
        shape = schema.TensorT()
        shape.shape, shape.type, shape.buffer = [4], schema.TensorType.INT32, len(model.buffers) - 1
        shape.name = b"output_shape"
        graph.tensors.append(shape)
        picture, weights, bias = operator.inputs
        operator.inputs = [len(graph.tensors) - 1, weights, picture, bias]
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.customOptions = None
        options = schema.TransposeConvOptionsT()
        options.padding, options.strideW, options.strideH = schema.Padding.SAME, 2, 2
        operator.builtinOptionsType = schema.BuiltinOptions.TransposeConvOptions
        operator.builtinOptions = options
    builder = flatbuffers.Builder(len(network) + 4096)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class Reference:
    """A selfie network run by LiteRT, float32."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter = Interpreter(model_content=ordinary(path.read_bytes()), num_threads=1)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]

    def infer(self, picture):
        """uint8 (h, w, 3) RGB -> float32 (h, w)."""
        self._interpreter.set_tensor(self._input["index"], (picture / np.float32(255)).astype(np.float32)[np.newaxis])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output["index"])[0, ..., 0]
