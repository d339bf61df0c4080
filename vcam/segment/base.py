"""What the pipeline expects of a segmentation engine."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vcam.frames import Frame, Map
from vcam.types import Size


class Segmenter(Protocol):
    """From a frame to a small probability map; what the pipeline holds. Some can do more: `TellsPeople`, `Examined`,
    `OwnMemory`."""

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


@runtime_checkable
class TellsPeople(Protocol):
    """A segmenter that may need something of whoever is in the picture."""

    notice: str
    """What, in words; empty if nothing. While there are any, they are shown in place of a frame that has no matte."""


@runtime_checkable
class Examined(Protocol):
    """A segmenter that could be wrong without knowing, and is asked what is known beforehand."""

    def examine(self, *, all_pictures: bool = False) -> None:
        """Raise `EngineError` if an answer is wrong. Leaves the last map as it is."""

    def idle(self) -> None:
        """Called between two frames, when there is time. Raises nothing."""


@runtime_checkable
class OwnMemory(Protocol):
    """A segmenter that may know more than one frame: then nothing that is known of the room goes with its maps."""

    own_memory: str
    """What it remembers, in words; empty if nothing."""
