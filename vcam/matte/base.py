"""What the pipeline expects of a matting stage."""

from __future__ import annotations

from typing import Protocol

from vcam.frames import Alpha, Frame, Map


class Matte(Protocol):
    """From a small probability map to a full-size alpha."""

    def update(self, seen: Map, frame: Frame) -> Alpha:
        """The alpha of `frame`, 0 outside of the part that the map covers.

        Returns an `Alpha` with the frame's size and number; it belongs to the matte until the next call. Raises
        `ValueError` for a map of another frame, of another kind, or with samples that are not finite.
        """

    def reset(self) -> None:
        """Forget earlier frames: a cut, another camera, or single pictures."""
