"""A small translator from TFLite to ONNX, enough for convolutional segmentation networks.

TFLite lays pictures out as NHWC; ONNX operators want NCHW. Every activation is therefore kept as NCHW from the input
on, and constants are turned once, here, so that the result holds no transposition where the network reshapes nothing.
Weights stored as float16 become float32, quantised ones the floats that they stand for: so a quantised network becomes
one of floats. The same bytes in give the same bytes out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from vcam.errors import ModelError
from vcam.models.tflite_graph import Operator, TfliteGraph
from vcam.models.tflite_layouts import FROM_FILE, LAYOUTS

OPSET = 17
IR_VERSION = 8

Array = npt.NDArray[Any]


def to_onnx(tflite_bytes: bytes, name: str) -> bytes:
    """Translate a TFLite network with one picture in and one map out into an ONNX file's bytes.

    name: what the ONNX graph is called. Input "picture" is float32 (1, C, H, W), output "probability" or whatever the
    network computes is float32 (1, C, H, W), or flat if it is so in the file. A quantised network takes the values for
    which its integers stand. Raises `ModelError` for anything but such a network, naming an operator that is not known.
    """
    try:
        return _Translator(tflite_bytes).translate(name)
    except (struct.error, IndexError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ModelError(f"the TFLite network is damaged: {error}", "download it again") from error


class _Translator:
    def __init__(self, data: bytes) -> None:
        self.graph = TfliteGraph(data)
        self._schema = self.graph.schema
        self._constants: dict[int, Array] = {}
        self._ports: dict[int, str] = {}
        self._nodes: list[Any] = []
        self._initializers: list[Any] = []
        # outputs of convolutions that were put before an enlargement, and that enlargement
        self._enlarged: dict[int, Operator] = {}
        self._kinds: dict[str, Callable[[Operator], None]] = {
            "DEQUANTIZE": self._as_it_is,
            "QUANTIZE": self._as_it_is,
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
            "RESIZE_NEAREST_NEIGHBOR": self._resize_nearest,
            "TANH": self._unary("Tanh"),
            "SUB": self._binary("Sub", "SubOptions"),
            "PRELU": self._prelu,
            "MAX_POOL_2D": self._max_pool,
            **{name: partial(write, self) for name, write in LAYOUTS.items()},
        }

    def translate(self, name: str) -> bytes:
        from onnx import TensorProto, helper

        if len(self.graph.inputs) != 1 or len(self.graph.outputs) != 1:
            raise ModelError("the network must have one input and one output", "only plain networks can be converted")
        (picture,), (result,) = self.graph.inputs, self.graph.outputs
        self._ports = {picture: "picture", result: "probability"}
        for operator in self._cheaper_order(self.graph.operators()):
            if operator.name not in self._kinds:
                raise ModelError(
                    f"the operator {operator.name} cannot be converted", f"known are {', '.join(sorted(self._kinds))}"
                )
            self._kinds[operator.name](operator)
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(self.name(picture), TensorProto.FLOAT, self._nchw(picture))],
            [helper.make_tensor_value_info(self.name(result), TensorProto.FLOAT, self._sides(result))],
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
        if operator.name != "CONV_2D" or self.graph.shape(operator.inputs[1])[1:3] != [1, 1]:
            return False
        options = self.graph.options(operator, "Conv2DOptions")
        plain = options.FusedActivationFunction() == self._schema.ActivationFunctionType.NONE
        return bool(plain and options.StrideH() == 1 and options.StrideW() == 1)

    # -- reading what the graph holds

    def _nchw(self, tensor: int) -> list[int]:
        shape = self.graph.shape(tensor)
        if len(shape) != 4:
            raise ModelError(f"a tensor of shape {shape} cannot be converted", "only networks over pictures can")
        batch, height, width, channels = shape
        return [batch, channels, height, width]

    def _sides(self, tensor: int) -> list[int]:
        """A tensor's sides in the result: those of a map turned, others as they are."""
        shape = self.graph.shape(tensor)
        return self._nchw(tensor) if len(shape) == 4 else shape

    def name(self, tensor: int) -> str:
        """What a tensor is called in the result."""
        return self._ports.get(tensor, f"t{tensor}")

    def _constant(self, tensor: int) -> Array | None:
        """A tensor's values, as stored or as an operator before made them; None if the network computes it."""
        if tensor not in self._constants:
            values = self.graph.dequantised(tensor)
            if values is None:
                return None
            self._constants[tensor] = values
        return self._constants[tensor]

    def _weights(self, operator: Operator, which: int) -> Array:
        values = self._constant(operator.inputs[which])
        if values is None:
            raise ModelError(f"{operator.name} with computed weights cannot be converted")
        return values

    def integers(self, operator: Operator, which: int) -> list[int]:
        """The values of an input that is constant. Raises `ModelError` if the network computes it."""
        values = self.graph.constant(operator.inputs[which])
        if values is None:
            raise ModelError(f"{operator.name} with computed sizes cannot be converted")
        return [int(value) for value in values.reshape(-1)]

    # -- writing ONNX

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        """Add an operator."""
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, [output], name=f"{kind}_{len(self._nodes)}", **attributes))

    def initializer(self, name: str, values: Array) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        self._initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def activated(self, operator: Operator, fused: int) -> tuple[str, Callable[[], None]]:
        """Where an operator should write, and what adds the activation that TFLite fused into it."""
        output = self.name(operator.outputs[0])
        kinds = self._schema.ActivationFunctionType
        if fused == kinds.NONE:
            return output, lambda: None
        raw = f"{output}_raw"
        if fused == kinds.RELU:
            return raw, lambda: self.node("Relu", [raw], output)
        if fused == kinds.RELU6:
            low = self.initializer(f"{output}_low", np.zeros((), np.float32))
            high = self.initializer(f"{output}_high", np.full((), 6, np.float32))
            return raw, lambda: self.node("Clip", [raw, low, high], output)
        raise ModelError(f"{operator.name} with fused activation {fused} cannot be converted")

    # -- operators

    def _as_it_is(self, operator: Operator) -> None:
        source, target = operator.inputs[0], operator.outputs[0]
        values = self._constant(source)
        if values is not None:
            self._constants[target] = values
        elif target in self._ports:
            self.node("Identity", [self.name(source)], self.name(target))
        else:
            self._ports[target] = self.name(source)

    def _unary(self, kind: str) -> Callable[[Operator], None]:
        def add(operator: Operator) -> None:
            self.node(kind, [self.name(operator.inputs[0])], self.name(operator.outputs[0]))

        return add

    def _binary(self, kind: str, options: str) -> Callable[[Operator], None]:
        def add(operator: Operator) -> None:
            computed = [tensor for tensor in operator.inputs if self._constant(tensor) is None]
            if len({len(self.graph.shape(tensor)) for tensor in computed}) > 1:
                raise ModelError(f"{operator.name} of a map and a list cannot be converted")
            inputs = [
                self._widened(tensor, operator.outputs[0]) if tensor in computed else self.operand(tensor)
                for tensor in operator.inputs
            ]
            fused = self.graph.options(operator, options).FusedActivationFunction()
            output, activate = self.activated(operator, fused)
            self.node(kind, inputs, output)
            activate()

        return add

    def operand(self, tensor: int) -> str:
        """The name of an input; a constant is written into the result, turned as maps are."""
        values = self._constant(tensor)
        if values is None:
            return self.name(tensor)
        # fewer dimensions count from the last one, which is the channel in TFLite
        values = values.reshape([1] * (4 - values.ndim) + list(values.shape)).transpose(FROM_FILE)
        return self.initializer(self.name(tensor), values)

    def _widened(self, tensor: int, result: int) -> str:
        """An operand in the size of the result, where it is computed and one value for each channel; else as it is.

        ONNX would repeat that value by itself. But ONNX Runtime keeps pictures in blocks of channels, has no kernel
        for the repetition in this layout, and so would bring the whole picture into the plain layout and back. It has
        one for the enlargement.
        """
        shape = self.graph.shape(tensor)
        if len(shape) != 4 or shape[1:3] != [1, 1] or self.graph.shape(result)[1:3] == [1, 1]:
            return self.name(tensor)
        wide, sides = f"{self.name(result)}_wide", [*self._nchw(tensor)[:2], *self._nchw(result)[2:]]
        self._enlarge(self.name(tensor), wide, sides, "nearest", "asymmetric")
        return wide

    def _conv(self, operator: Operator) -> None:
        # OHWI -> OIHW
        self._convolve(operator, self.graph.options(operator, "Conv2DOptions"), (0, 3, 1, 2), depthwise=False)

    def _depthwise_conv(self, operator: Operator) -> None:
        # 1HWO -> O1HW
        self._convolve(operator, self.graph.options(operator, "DepthwiseConv2DOptions"), (3, 0, 1, 2), depthwise=True)

    def _convolve(self, operator: Operator, options: Any, order: tuple[int, ...], *, depthwise: bool) -> None:
        weights = self._weights(operator, 1).transpose(order)
        source, result = self._nchw(operator.inputs[0]), self._nchw(operator.outputs[0])
        kernel = list(weights.shape[2:])
        strides = [options.StrideH(), options.StrideW()]
        dilations = [options.DilationHFactor(), options.DilationWFactor()]
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        pads = self._pads(options.Padding(), source[2:], result[2:], strides, reach)
        output, activate = self.activated(operator, options.FusedActivationFunction())
        picture = self.name(operator.inputs[0])
        enlarge = self._enlarged.get(operator.outputs[0])
        if enlarge is not None:
            picture, output = self.name(enlarge.inputs[0]), f"{output}_small"
        inputs = [picture, self.initializer(f"{output}_w", weights)]
        if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
            inputs.append(self.initializer(f"{output}_b", self._weights(operator, 2)))
        self.node(
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
        options = self.graph.options(operator, "TransposeConvOptions")
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
        output = self.name(operator.outputs[0])
        inputs = [self.name(picture), self.initializer(f"{output}_w", weights)]
        if bias >= 0:
            values = self._constant(bias)
            if values is None:
                raise ModelError(f"{operator.name} with a computed bias cannot be converted")
            inputs.append(self.initializer(f"{output}_b", values))
        self.node(
            "ConvTranspose", inputs, output, kernel_shape=kernel, strides=strides, pads=pads, output_padding=extra
        )

    def _prelu(self, operator: Operator) -> None:
        # one slope a channel, in TFLite's order of sides
        slopes = self._weights(operator, 1)
        slopes = slopes.reshape([1] * (3 - slopes.ndim) + list(slopes.shape)).transpose(2, 0, 1)
        output = self.name(operator.outputs[0])
        self.node("PRelu", [self.name(operator.inputs[0]), self.initializer(f"{output}_slopes", slopes)], output)

    def _max_pool(self, operator: Operator) -> None:
        options = self.graph.options(operator, "Pool2DOptions")
        self._pool("MaxPool", operator, options, *self.activated(operator, options.FusedActivationFunction()))

    def _pool(self, kind: str, operator: Operator, options: Any, output: str, activate: Callable[[], None]) -> None:
        source, result = self._nchw(operator.inputs[0]), self._nchw(operator.outputs[0])
        kernel, strides = [options.FilterHeight(), options.FilterWidth()], [options.StrideH(), options.StrideW()]
        pads = self._pads(options.Padding(), source[2:], result[2:], strides, kernel)
        self.node(kind, [self.name(operator.inputs[0])], output, kernel_shape=kernel, strides=strides, pads=pads)
        activate()

    def _average_pool(self, operator: Operator) -> None:
        options = self.graph.options(operator, "Pool2DOptions")
        source, result = self._nchw(operator.inputs[0]), self._nchw(operator.outputs[0])
        output, activate = self.activated(operator, options.FusedActivationFunction())
        kernel = [options.FilterHeight(), options.FilterWidth()]
        if kernel == source[2:] and result[2:] == [1, 1]:
            self.node("GlobalAveragePool", [self.name(operator.inputs[0])], output)
            activate()
        else:
            self._pool("AveragePool", operator, options, output, activate)

    def _mean(self, operator: Operator) -> None:
        axes = sorted(side % 4 for side in self.integers(operator, 1))
        if axes != [1, 2] or not self.graph.options(operator, "ReducerOptions").KeepDims():
            raise ModelError(f"MEAN over axes {axes} cannot be converted", "only the mean over a whole picture can")
        self.node("GlobalAveragePool", [self.name(operator.inputs[0])], self.name(operator.outputs[0]))

    def _resize_bilinear(self, operator: Operator) -> None:
        self._resize(operator, self.name(operator.inputs[0]), operator.outputs[0])

    def _resize_nearest(self, operator: Operator) -> None:
        options = self.graph.options(operator, "ResizeNearestNeighborOptions")
        small, large = self._nchw(operator.inputs[0])[2:], self._nchw(operator.outputs[0])[2:]
        # counted from the centres of pixels it is the same where each is repeated a whole number of times
        uneven = any(after % before for before, after in zip(small, large, strict=True))
        if options.AlignCorners() or (options.HalfPixelCenters() and uneven):
            raise ModelError("RESIZE_NEAREST_NEIGHBOR by such a factor cannot be converted", "only by whole ones")
        source, result = self.name(operator.inputs[0]), operator.outputs[0]
        self._enlarge(source, self.name(result), self._nchw(result), "nearest", "asymmetric")

    def _resize(self, operator: Operator, source: str, result: int) -> None:
        options = self.graph.options(operator, "ResizeBilinearOptions")
        mode = "asymmetric"
        if options.AlignCorners():
            mode = "align_corners"
        elif options.HalfPixelCenters():
            mode = "half_pixel"
        self._enlarge(source, self.name(result), self._nchw(result), "linear", mode)

    def _enlarge(self, source: str, output: str, shape: list[int], mode: str, places: str) -> None:
        sizes = self.initializer(f"{output}_size", np.array(shape, np.int64))
        # rounding counts for "nearest" only; with the default, ONNX Runtime has no kernel in its blocked layout
        rounding = {"nearest_mode": "floor"} if mode == "nearest" else {}
        self.node(
            "Resize", [source, "", "", sizes], output, mode=mode, coordinate_transformation_mode=places, **rounding
        )
