"""What the pipeline expects of a segmentation engine."""

from __future__ import annotations

from typing import Protocol

from vcam.frames import Frame, Map
from vcam.types import F32, U8, Size


class Engine(Protocol):
    """One network, compiled for one device by one runtime.

    Engines know networks only through their cards (`vcam.segment.cards`). Not thread safe.
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


class Segmenter(Protocol):
    """From a frame to a small probability map; what the pipeline holds.

    One that needs something of whoever is in the picture may say so in words, `notice: str`; while there are any, they
    are shown in place of a frame that has no matte.
    """

    @property
    def description(self) -> str:
        """Model, runtime and device, for people."""

    @property
    def map_size(self) -> Size:
        """(width, height) of the probability map."""

    def segment(self, frame: Frame) -> Map:
        """The probability that each pixel is a person, at the map's size, of the whole frame or a part of it.

        Belongs to the segmenter until the next call. Raises `EngineError` if no engine can give one for this frame:
        the caller then shows the frame without any person.
        """

    def reset(self) -> None:
        """Forget earlier frames: the source has changed or jumped."""

    def close(self) -> None:
        """Free the engines. May be called twice."""
