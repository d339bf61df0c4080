"""Small networks made on the spot, their descriptions, and engines that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Container
from pathlib import Path
from typing import Any

import numpy as np

from vcam.errors import EngineError
from vcam.infer.base import Engine, Network, Output, Picture, State, Tensor
from vcam.infer.choices import EngineChoice
from vcam.types import U8

SIDE = 32
PICTURE = Picture((SIDE, SIDE), "NCHW", mean=(0, 0, 0), scale=(1, 1, 1))
RESULT = Output((1, SIDE, SIDE))


def described(
    path: Path,
    *pictures: Picture,
    outputs: tuple[Output, ...] = (RESULT,),
    states: tuple[State, ...] = (),
    cheapest: str = "",
) -> Network:
    """The description of a network; by default of one picture and one map, both of `SIDE`."""
    return Network(path.stem, path, path.with_suffix(".toml"), pictures or (PICTURE,), outputs, states, cheapest)


def tiny_network(
    path: Path,
    nodes: list[tuple[str, list[str], list[str], dict[str, Any]]],
    inputs: dict[str, list[int]],
    outputs: dict[str, list[int]],
    constants: dict[str, Any] | None = None,
) -> Path:
    """An ONNX file of a few float32 nodes; `nodes` are (operator, inputs, outputs, attributes)."""
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(kind, ins, outs, **attributes) for kind, ins, outs, attributes in nodes],
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())
    return path


class ScriptedEngine:
    """Gives `answer` for whatever it is shown, and fails on the runs whose numbers are given.

    The run at the opening is not counted: its number is -1.
    """

    name, device = "scripted", "CPU"

    def __init__(self, answer: Callable[[U8], Tensor] | float = 0.5, failing: Container[int] = ()) -> None:
        self._answer, self.failing = answer, failing
        self.seen = -1
        self.closed = self.resets = 0

    def infer(self, *pictures: U8) -> list[Tensor]:
        self.seen += 1
        if self.seen - 1 in self.failing:
            raise EngineError("the device is gone")
        if callable(self._answer):
            return [self._answer(pictures[0])]
        return [np.full((1, *pictures[0].shape[:2]), self._answer, np.float32)]

    def reset(self) -> None:
        self.resets += 1

    def close(self) -> None:
        self.closed += 1


def choice(name: str, engine: Engine | Exception | Callable[[], Engine | Exception]) -> EngineChoice:
    """engine: what to open, what makes it, or the exception to raise instead."""

    def open_(network: Network, threads: int) -> Engine:
        made = engine() if callable(engine) else engine
        if isinstance(made, Exception):
            raise made
        return made

    return EngineChoice(name, "CPU", open_)


class Clock:
    """Stands still unless it is put forward."""

    now = 100.0

    def __call__(self) -> float:
        return self.now
