"""A small translator from TFLite to ONNX, enough for convolutional segmentation networks.

TFLite lays pictures out as NHWC; ONNX operators want NCHW. Every activation is therefore kept as NCHW from the input
on, and constants are turned once, here, so that the result holds no transposition at all. Weights stored as float16
become float32. The same bytes in give the same bytes out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.errors import ModelError
from vcam.models.tflite_graph import Operator, TfliteGraph

OPSET = 17
IR_VERSION = 8

Array = npt.NDArray[Any]


def to_onnx(tflite_bytes: bytes, name: str) -> bytes:
    """Translate a TFLite network with one picture in and one map out into an ONNX file's bytes.

    name: what the ONNX graph is called. Input "picture" is float32 (1, C, H, W), output "probability" or whatever the
    network computes is float32 (1, C, H, W). Raises `ModelError` for anything but such a network, naming the operator
    that is not known.
    """
    try:
        return _Translator(tflite_bytes).translate(name)
    except (struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ModelError(f"the TFLite network is damaged: {error}", "download it again") from error


class _Translator:
    def __init__(self, data: bytes) -> None:
        self._graph = TfliteGraph(data)
        self._schema = self._graph.schema
        self._constants: dict[int, Array] = {}
        self._ports: dict[int, str] = {}
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        # outputs of convolutions that were put before an enlargement, and that enlargement
        self._enlarged: dict[int, Operator] = {}
        self._kinds: dict[str, Callable[[Operator], None]] = {
            "DEQUANTIZE": self._dequantize,
            "CONV_2D": self._conv,
            "DEPTHWISE_CONV_2D": self._depthwise_conv,
            "TRANSPOSE_CONV": self._transpose_conv,
            "Convolution2DTransposeBias": self._transpose_conv_bias,
            "RELU": self._unary("Relu"),
            "HARD_SWISH": self._unary("HardSwish"),
            "LOGISTIC": self._unary("Sigmoid"),
            "ADD": self._binary("Add", "AddOptions"),
            "MUL": self._binary("Mul", "MulOptions"),
            "AVERAGE_POOL_2D": self._average_pool,
            "MEAN": self._mean,
            "RESIZE_BILINEAR": self._resize_bilinear,
        }

    def translate(self, name: str) -> bytes:
        from onnx import TensorProto, helper

        if len(self._graph.inputs) != 1 or len(self._graph.outputs) != 1:
            raise ModelError("the network must have one input and one output", "only plain networks can be converted")
        (picture,), (result,) = self._graph.inputs, self._graph.outputs
        self._ports = {picture: "picture", result: "probability"}
        for operator in self._cheaper_order(self._graph.operators()):
            if operator.name not in self._kinds:
                raise ModelError(
                    f"the operator {operator.name} cannot be converted", f"known are {', '.join(sorted(self._kinds))}"
                )
            self._kinds[operator.name](operator)
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(self._name(picture), TensorProto.FLOAT, self._nchw(picture))],
            [helper.make_tensor_value_info(self._name(result), TensorProto.FLOAT, self._nchw(result))],
            self._initializers,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="vcam")
        # the default follows the installed version of onnx, and the file's bytes must not
        model.ir_version = IR_VERSION
        return bytes(model.SerializeToString(deterministic=True))

    def _cheaper_order(self, operators: list[Operator]) -> list[Operator]:
        """The operators with every 1x1 convolution that follows an enlargement put before it.

        Both are linear, the one acts on channels and the other on places, and the weights of an interpolation sum to
        one, so the bias passes through as well: the result is the same, with a quarter of the multiplications.
        """
        users: dict[int, list[Operator]] = {}
        for operator in operators:
            for tensor in operator.inputs:
                users.setdefault(tensor, []).append(operator)
        ordered: list[Operator] = []
        for operator in operators:
            if operator.name == "RESIZE_BILINEAR":
                follower = users.get(operator.outputs[0], [])
                if len(follower) == 1 and self._is_pointwise(follower[0]):
                    self._enlarged[follower[0].outputs[0]] = operator
                    continue
            ordered.append(operator)
        return ordered

    def _is_pointwise(self, operator: Operator) -> bool:
        if operator.name != "CONV_2D" or self._graph.shape(operator.inputs[1])[1:3] != [1, 1]:
            return False
        options = self._graph.options(operator, "Conv2DOptions")
        plain = options.FusedActivationFunction() == self._schema.ActivationFunctionType.NONE
        return bool(plain and options.StrideH() == 1 and options.StrideW() == 1)

    # -- reading what the graph holds

    def _nchw(self, tensor: int) -> list[int]:
        shape = self._graph.shape(tensor)
        if len(shape) != 4:
            raise ModelError(f"a tensor of shape {shape} cannot be converted", "only networks over pictures can")
        batch, height, width, channels = shape
        return [batch, channels, height, width]

    def _name(self, tensor: int) -> str:
        return self._ports.get(tensor, f"t{tensor}")

    def _constant(self, tensor: int) -> Array | None:
        """A tensor's values, as stored or as an operator before made them; None if the network computes it."""
        if tensor not in self._constants:
            values = self._graph.constant(tensor)
            if values is None:
                return None
            self._constants[tensor] = values
        return self._constants[tensor]

    def _weights(self, operator: Operator, which: int) -> Array:
        values = self._constant(operator.inputs[which])
        if values is None:
            raise ModelError(f"{operator.name} with computed weights cannot be converted")
        return values

    # -- writing ONNX

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{len(self._nodes)}", **attributes))

    def _initializer(self, name: str, values: Array) -> str:
        from onnx import numpy_helper

        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _activated(self, operator: Operator, fused: int) -> tuple[str, Callable[[], None]]:
        """Where an operator should write, and what adds the activation that TFLite fused into it."""
        output = self._name(operator.outputs[0])
        kinds = self._schema.ActivationFunctionType
        if fused == kinds.NONE:
            return output, lambda: None
        raw = f"{output}_raw"
        if fused == kinds.RELU:
            return raw, lambda: self._node("Relu", [raw], output)
        if fused == kinds.RELU6:
            low = self._initializer(f"{output}_low", np.zeros((), np.float32))
            high = self._initializer(f"{output}_high", np.full((), 6, np.float32))
            return raw, lambda: self._node("Clip", [raw, low, high], output)
        raise ModelError(f"{operator.name} with fused activation {fused} cannot be converted")

    # -- operators

    def _dequantize(self, operator: Operator) -> None:
        self._constants[operator.outputs[0]] = self._weights(operator, 0)

    def _unary(self, kind: str) -> Callable[[Operator], None]:
        def add(operator: Operator) -> None:
            self._node(kind, [self._name(operator.inputs[0])], self._name(operator.outputs[0]))

        return add

    def _binary(self, kind: str, options: str) -> Callable[[Operator], None]:
        def add(operator: Operator) -> None:
            inputs = []
            for tensor in operator.inputs:
                values = self._constant(tensor)
                if values is None:
                    inputs.append(self._widened(tensor, operator.outputs[0]))
                    continue
                # fewer dimensions count from the last one, which is the channel in TFLite
                values = values.reshape([1] * (4 - values.ndim) + list(values.shape)).transpose(0, 3, 1, 2)
                inputs.append(self._initializer(self._name(tensor), values))
            fused = self._graph.options(operator, options).FusedActivationFunction()
            output, activate = self._activated(operator, fused)
            self._node(kind, inputs, output)
            activate()

        return add

    def _widened(self, tensor: int, result: int) -> str:
        """An operand in the size of the result, where it is computed and one value for each channel; else as it is.

        ONNX would repeat that value by itself. But ONNX Runtime keeps pictures in blocks of channels, has no kernel
        for the repetition in this layout, and so would bring the whole picture into the plain layout and back. It has
        one for the enlargement.
        """
        shape = self._graph.shape(tensor)
        if len(shape) != 4 or shape[1:3] != [1, 1] or self._graph.shape(result)[1:3] == [1, 1]:
            return self._name(tensor)
        wide, sides = f"{self._name(result)}_wide", [*self._nchw(tensor)[:2], *self._nchw(result)[2:]]
        self._enlarge(self._name(tensor), wide, sides, "nearest", "asymmetric")
        return wide

    def _conv(self, operator: Operator) -> None:
        # OHWI -> OIHW
        self._convolve(operator, self._graph.options(operator, "Conv2DOptions"), (0, 3, 1, 2), depthwise=False)

    def _depthwise_conv(self, operator: Operator) -> None:
        # 1HWO -> O1HW
        self._convolve(operator, self._graph.options(operator, "DepthwiseConv2DOptions"), (3, 0, 1, 2), depthwise=True)

    def _convolve(self, operator: Operator, options: Any, order: tuple[int, ...], *, depthwise: bool) -> None:
        weights = self._weights(operator, 1).transpose(order)
        source, result = self._nchw(operator.inputs[0]), self._nchw(operator.outputs[0])
        kernel = list(weights.shape[2:])
        strides = [options.StrideH(), options.StrideW()]
        dilations = [options.DilationHFactor(), options.DilationWFactor()]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        pads = self._pads(options.Padding(), source[2:], result[2:], strides, reach)
        output, activate = self._activated(operator, options.FusedActivationFunction())
        picture = self._name(operator.inputs[0])
        enlarge = self._enlarged.get(operator.outputs[0])
        if enlarge is not None:
            picture, output = self._name(enlarge.inputs[0]), f"{output}_small"
        inputs = [picture, self._initializer(f"{output}_w", weights)]
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            inputs.append(self._initializer(f"{output}_b", self._weights(operator, 2)))
        self._node(
            "Conv", inputs, output, kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations,
            group=source[1] if depthwise else 1,
        )  # fmt: skip
        activate()
        if enlarge is not None:
            self._resize(enlarge, output, operator.outputs[0])

    def _pads(
        self, padding: int, source: list[int], result: list[int], strides: list[int], reach: list[int]
    ) -> list[int]:
        """ONNX's top, left, bottom, right of TFLite's SAME or VALID; an odd pixel goes to the bottom and right."""
        if padding == self._schema.Padding.VALID:
            return [0, 0, 0, 0]
        total = [max((r - 1) * s + k - n, 0) for n, r, s, k in zip(source, result, strides, reach, strict=True)]
        before = [t // 2 for t in total]
        return before + [t - b for t, b in zip(total, before, strict=True)]

    def _transpose_conv(self, operator: Operator) -> None:
        # inputs: output shape, weights, picture[, bias]
        options = self._graph.options(operator, "TransposeConvOptions")
        bias = operator.inputs[3] if len(operator.inputs) > 3 else -1
        strides = [options.StrideH(), options.StrideW()]
        self._deconvolve(operator, operator.inputs[2], bias, options.Padding(), strides)

    def _transpose_conv_bias(self, operator: Operator) -> None:
        # MediaPipe's own: inputs picture, weights, bias; options are TfLiteTransposeConvParams, whose padding
        # counts from 1 (SAME), unlike that of the schema
        if len(operator.custom) < 12:
            raise ModelError(f"{operator.name} has no options", "download the network again")
        padding, stride_w, stride_h = struct.unpack_from("<iii", operator.custom)
        self._deconvolve(operator, operator.inputs[0], operator.inputs[2], padding - 1, [stride_h, stride_w])

    def _deconvolve(self, operator: Operator, picture: int, bias: int, padding: int, strides: list[int]) -> None:
        # OHWI -> IOHW
        weights = self._weights(operator, 1).transpose(3, 0, 1, 2)
        kernel = list(weights.shape[2:])
        source, result = self._nchw(picture), self._nchw(operator.outputs[0])
        # the padding is that of the convolution of which this one is the gradient
        pads = self._pads(padding, result[2:], source[2:], strides, kernel)
        extra = [
            n - ((m - 1) * s + k - before - after)
            for n, m, s, k, before, after in zip(
                result[2:], source[2:], strides, kernel, pads[:2], pads[2:], strict=True
            )
        ]
        output = self._name(operator.outputs[0])
        inputs = [self._name(picture), self._initializer(f"{output}_w", weights)]
        if bias >= 0:
            values = self._constant(bias)
            if values is None:
                raise ModelError(f"{operator.name} with a computed bias cannot be converted")
            inputs.append(self._initializer(f"{output}_b", values))
        self._node(
            "ConvTranspose", inputs, output, kernel_shape=kernel, strides=strides, pads=pads, output_padding=extra
        )

    def _average_pool(self, operator: Operator) -> None:
        options = self._graph.options(operator, "Pool2DOptions")
        source, result = self._nchw(operator.inputs[0]), self._nchw(operator.outputs[0])
        output, activate = self._activated(operator, options.FusedActivationFunction())
        kernel = [options.FilterHeight(), options.FilterWidth()]
        if kernel == source[2:] and result[2:] == [1, 1]:
            self._node("GlobalAveragePool", [self._name(operator.inputs[0])], output)
        else:
            strides = [options.StrideH(), options.StrideW()]
            pads = self._pads(options.Padding(), source[2:], result[2:], strides, kernel)
            self._node(
                "AveragePool", [self._name(operator.inputs[0])], output, kernel_shape=kernel, strides=strides, pads=pads
            )
        activate()

    def _mean(self, operator: Operator) -> None:
        axes = sorted(int(axis) % 4 for axis in self._weights(operator, 1).reshape(-1))
        if axes != [1, 2] or not self._graph.options(operator, "ReducerOptions").KeepDims():
            raise ModelError(f"MEAN over axes {axes} cannot be converted", "only the mean over a whole picture can")
        self._node("GlobalAveragePool", [self._name(operator.inputs[0])], self._name(operator.outputs[0]))

    def _resize_bilinear(self, operator: Operator) -> None:
        self._resize(operator, self._name(operator.inputs[0]), operator.outputs[0])

    def _resize(self, operator: Operator, source: str, result: int) -> None:
        options = self._graph.options(operator, "ResizeBilinearOptions")
        mode = "asymmetric"
        if options.AlignCorners():
            mode = "align_corners"
        elif options.HalfPixelCenters():
            mode = "half_pixel"
        self._enlarge(source, self._name(result), self._nchw(result), "linear", mode)

    def _enlarge(self, source: str, output: str, shape: list[int], mode: str, places: str) -> None:
        sizes = self._initializer(f"{output}_size", np.array(shape, np.int64))
        # rounding counts for "nearest" only; with the default, ONNX Runtime has no kernel in its blocked layout
        rounding = {"nearest_mode": "floor"} if mode == "nearest" else {}
        self._node(
            "Resize", [source, "", "", sizes], output, mode=mode, coordinate_transformation_mode=places, **rounding
        )
