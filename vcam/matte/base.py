"""What the pipeline expects of a matting stage."""

from __future__ import annotations

from typing import Protocol

from vcam.frames import Alpha, Frame
from vcam.types import F32


class Matte(Protocol):
    """From a small probability map to a full-size alpha."""

    def update(self, probability: F32, frame: Frame) -> Alpha:
        """The alpha of `frame`.

        probability: float32 (height, width) at the network's size, 0..1, made from this very frame. Returns an
        `Alpha` with the frame's size and number; it belongs to the matte until the next call. Raises `ValueError` for a
        map of another kind, or with samples that are not finite.
        """

    def reset(self) -> None:
        """Forget earlier frames: a cut, another camera, or single pictures."""
