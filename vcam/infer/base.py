"""What is asked of an inference engine, and how a network is described to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from vcam.types import U8, Size

Layout: TypeAlias = Literal["NCHW", "NHWC"]
"""The order of a network's sides: batch, channels, height, width."""

Tensor: TypeAlias = npt.NDArray[Any]
"""What a network gives out, in whichever type it computes."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a network takes.

    Whoever uses the network gives uint8 (height, width, channels). The engine makes of it what the network wants:
    (value - mean) / scale for each channel, in the network's layout and type. `name` is that of the input; a network's
    only picture needs none.
    """

    size: Size
    layout: Layout
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    name: str = ""

    @property
    def channels(self) -> int:
        """How many there are."""
        return len(self.mean)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels), as the engine takes it."""
        return self.size[1], self.size[0], self.channels

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """The sides of the network's own input."""
        height, width, channels = self.shape
        return (1, channels, height, width) if self.layout == "NCHW" else (1, height, width, channels)


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor that is wanted of a network.

    `shape` is what the engine gives it in. The network's own may have sides of 1 more or less, or be flat. `name` is
    that of the output; without one it is the first that no state comes from.
    """

    shape: tuple[int, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A tensor that the network takes with every frame, `init` at first, and does not get from whoever uses it.

    `output` names the one that becomes it for the next frame; without one it stays as it is.
    """

    input: str
    shape: tuple[int, ...]
    output: str = ""
    init: float = 0.0


@dataclass(frozen=True, slots=True)
class Network:
    """A network as engines need to know it.

    `name` is for people. `card` is the file that says all this; errors name it where it does not fit the network.
    `cheapest`: the runtime that was measured to be the cheapest on a CPU, if that is known.
    """

    name: str
    path: Path
    card: Path
    pictures: tuple[Picture, ...]
    outputs: tuple[Output, ...]
    states: tuple[State, ...] = ()
    cheapest: str = ""

    def __post_init__(self) -> None:
        for several in (self.pictures, self.outputs):
            if len(several) > 1 and not all(each.name for each in several):
                raise ValueError("where there are several, each needs its name")

    def blank(self) -> list[U8]:
        """Black pictures, one for each that the network takes."""
        return [np.zeros(picture.shape, np.uint8) for picture in self.pictures]


class Engine(Protocol):
    """One network, compiled for one device by one runtime. Not thread safe."""

    @property
    def name(self) -> str:
        """The runtime: "openvino" or "onnxruntime"."""

    @property
    def device(self) -> str:
        """Where it runs, as the runtime names it: "CPU", "GPU", "NPU"."""

    def infer(self, *pictures: U8) -> Sequence[Tensor]:
        """Run the network once.

        pictures: uint8 (height, width, channels) each, as `Network.pictures` lists them. Returns the tensors that
        `Network.outputs` lists, in the shapes given there; they belong to the engine until the next call. Raises
        `EngineError` if the runtime throws, or an output holds another number of values than its shape. What the
        values are is for the reader to judge (see `vcam.infer.runner`).
        """

    def reset(self) -> None:
        """Forget what is carried from frame to frame."""

    def close(self) -> None:
        """Free the network. May be called twice."""
