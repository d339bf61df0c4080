"""What is expected of an inference engine."""

from __future__ import annotations

from typing import Protocol

from vcam.types import F32, U8


class Engine(Protocol):
    """One network, compiled for one device by one runtime.

    Engines know networks only through their cards (`vcam.models.cards`). Not thread safe.
    """

    @property
    def name(self) -> str:
        """The runtime: "openvino" or "onnxruntime"."""

    @property
    def device(self) -> str:
        """Where it runs, as the runtime names it: "CPU", "GPU", "NPU"."""

    def infer(self, picture: U8) -> F32:
        """From a picture to the probability that each pixel is a person.

        picture: uint8 (height, width, 3) at the card's input size, RGB or BGR as the card says. Returns float32
        (height, width) at the card's output size, 0..1, finite; it belongs to the engine until the next call.
        Raises `EngineError` if the runtime throws or the output has the wrong shape or holds NaN.
        """

    def reset(self) -> None:
        """Forget what is carried from frame to frame (state tensors, the previous mask)."""

    def close(self) -> None:
        """Free the network. May be called twice."""
