"""An exported network on the runtimes that are to run it: what it answers there, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from vcam.errors import VcamError
from vcam.infer.base import Engine
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.openvino import OpenVinoEngine
from vcam.models.cards import ModelCard
from vcam.segment.heads import Head
from vcam.train.forms import Form
from vcam.types import F32, U8

Finds = Callable[[U8], F32]
"""From a picture, uint8 (height, width, channels), to a map, float32 (height, width), 0..1, the caller's own."""

ROUNDS, WARM_UP = 15, 3


@contextmanager
def runtimes(form: Form, card: ModelCard, scratch: Path) -> Iterator[tuple[dict[str, Finds], dict[str, str]]]:
    """The runtimes for a form, the one that it was made for first, each open until the end.

    Besides those that will not run it, each with the reason. Raises what the first one raises.
    """
    network, head = card.network(), Head(card)
    with ExitStack() as stack:
        finds: dict[str, Finds] = {}
        refused: dict[str, str] = {}

        def opened(engine: Engine) -> Finds:
            stack.callback(engine.close)
            return lambda picture: head.decode(engine.infer(picture)).copy()

        if form.target == "onnx":
            finds["onnxruntime"] = opened(OnnxRuntimeEngine(network))
        elif form.target == "tflite":
            finds["litert"] = _litert(card)
        try:
            finds["openvino"] = opened(OpenVinoEngine(network, cache=scratch))
        except VcamError as error:
            if not finds:
                raise
            refused["openvino"] = error.message
        yield finds, refused


def _litert(card: ModelCard) -> Finds:
    """By the runtime of phones, in float32 at both ends."""
    from ai_edge_litert.interpreter import Interpreter

    from vcam.train.tflitefile import silenced

    with silenced():
        interpreter = Interpreter(model_path=str(card.file_path), num_threads=1)
        interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    mean, scale = np.array(card.input.mean, np.float32), np.array(card.input.scale, np.float32)
    width, height = card.output.size

    def find(picture: U8) -> F32:
        interpreter.set_tensor(taken["index"], ((picture.astype(np.float32) - mean) / scale)[np.newaxis])
        interpreter.invoke()
        found: F32 = interpreter.get_tensor(given["index"]).reshape(height, width).copy()
        return found

    return find


def milliseconds(find: Finds, picture: U8) -> float:
    """CPU milliseconds of one picture, the median of a few."""
    taken = []
    for number in range(WARM_UP + ROUNDS):
        before = time.process_time()
        find(picture)
        if number >= WARM_UP:
            taken.append(1000 * (time.process_time() - before))
    return float(np.median(taken))
