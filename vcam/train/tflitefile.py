"""A network of PyTorch's as TFLite, by Google's own converter and quantiser: litert-torch and ai-edge-quantizer.

They weigh 1.2 GB besides PyTorch, and so have an extra of their own, `vcam[tflite]`. Pictures are laid out NHWC, as
TFLite has them. What is made has floats as input and output in every form; where all is quantised, QUANTIZE and
DEQUANTIZE are its first and last operators.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch import nn

from vcam import extras
from vcam.errors import UsageError
from vcam.train.onnxfile import sample
from vcam.types import F32

_QUIET = {
    # the converter's own messages, written by its C++
    "TF_CPP_MIN_LOG_LEVEL": "3", "GLOG_minloglevel": "3",
    # litert-torch brings the packages of model hubs along, which are not to ask for anything
    "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
}  # fmt: skip


def to_tflite(net: nn.Module, precision: str, pictures: Sequence[F32] = ()) -> bytes:
    """A network as `ready` gives it as a TFLite file: (1, H, W, C) in, the probability (1, H, W, 1) out.

    precision: as in `forms`. pictures: for "int8", float32 (1, C, H, W) each, scaled as the network takes them.
    Raises `UsageError` if the extra is missing.
    """
    try:
        with silenced():
            import litert_torch
            from ai_edge_quantizer import quantizer
    except ImportError as error:
        raise UsageError(f"TFLite files cannot be made: {error}", extras.command("tflite")) from error
    with silenced():
        picture = sample(net.net).permute(0, 2, 3, 1).contiguous()
        wrapped = litert_torch.to_channel_last_io(net, args=[0], outputs=[0])
        plain = bytes(litert_torch.convert(wrapped.eval(), (picture,)).model_content())
        if precision == "float32":
            return plain
        maker = quantizer.Quantizer(plain, _recipe(precision))
        ranges = None
        if precision == "int8":
            (signature,) = _signatures(plain)
            given = [{signature[1]: np.ascontiguousarray(each.transpose(0, 2, 3, 1))} for each in pictures]
            ranges = maker.calibrate({signature[0]: given}, num_threads=1)
        result = maker.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
        return _with_old_numbers(bytes(result.quantized_model))


def _with_old_numbers(data: bytes) -> bytes:
    """The same file with the numbers of its operators in the field for old readers as well.

    The quantiser leaves it at 0 for those that it adds. OpenVINO goes by that field for all numbers up to 127, and so
    would take each for an addition.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
    for code in model.operatorCodes:
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _signatures(data: bytes) -> list[tuple[str, str]]:
    """The names by which the network and its one input are called."""
    from ai_edge_litert.interpreter import Interpreter

    known = Interpreter(model_content=data).get_signature_list()
    return [(name, signature["inputs"][0]) for name, signature in known.items()]


def _recipe(precision: str) -> Any:
    from ai_edge_quantizer import algorithm_manager, qtyping, recipe, recipe_manager

    if precision == "weights":
        return recipe.weight_only_wi8_afp32()
    manager = recipe_manager.RecipeManager()
    if precision == "int8":
        every = qtyping.TFLOperationName
        manager.add_static_config(
            regex=".*", operation_name=every.ALL_SUPPORTED, activation_num_bits=8, weight_num_bits=8
        )  # fmt: skip
        for port in (every.INPUT, every.OUTPUT):
            manager.add_quantization_config(
                regex=".*", operation_name=port, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
            )
        return manager.get_quantization_recipe()
    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    manager.add_quantization_config(
        regex=".*",
        operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
        op_config=qtyping.OpQuantizationConfig(
            weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT, explicit_dequantize=True
        ),
        algorithm_key=algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    return manager.get_quantization_recipe()


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Without their progress, on every channel that it takes, and without a word to anybody else."""
    os.environ.update(_QUIET)
    root = logging.getLogger()
    before = root.level
    unheard = io.StringIO()
    # their C++ writes past Python's streams
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        root.setLevel(logging.ERROR)
        os.dup2(nowhere, 2)
        with (
            contextlib.redirect_stdout(unheard), contextlib.redirect_stderr(unheard), warnings.catch_warnings()
        ):  # fmt: skip
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
        root.setLevel(before)
