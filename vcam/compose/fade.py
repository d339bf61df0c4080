"""From one background to the next, not at once."""

from __future__ import annotations

import cv2

from vcam.compose.base import Plate
from vcam.frames import Frame

FRESH = 0.05
"""Seconds for which the picture before counts as that of now: a fade that begins then shows in its first picture."""


class Fade:
    """One background fading into another, from the first picture on that is asked for, or the one right before it.

    Only pictures that hold nothing of any frame take part: what is faded out is older than the frame before it.
    """

    def __init__(self, old: Frame, seconds: float, version: int = -1, shown: float = float("-inf")) -> None:
        """old: what was shown last, its own copy, and `shown` when. version: of the first mixture; below 0, as those of
        no plate are."""
        self._old, self._seconds, self._was_shown = old, seconds, shown
        self._mixed = Plate(Frame.allocate(*old.size), version)
        self._began: float | None = None
        self.over = False

    @property
    def shown(self) -> Frame:
        """The mixture of the moment; before the first one what fades out."""
        return self._old if self._began is None else self._mixed.frame

    @property
    def began(self) -> bool:
        """Whether there has been a mixture."""
        return self._began is not None

    @property
    def version(self) -> int:
        """Of the last mixture."""
        return self._mixed.version

    def mix(self, new: Plate, now: float) -> Plate:
        """The picture between old and new at this moment, which is the new one itself once the fade is over."""
        if self._began is None:
            self._began = self._was_shown if 0 <= now - self._was_shown <= FRESH else now
        share = (now - self._began) / self._seconds
        if share >= 1 or new.scratch or new.frame.size != self._old.size:
            self.over = True
            return new
        # quick at first, for whoever has just clicked, and slow at the end
        share = share * (2 - share)
        mixed = self._mixed
        for old, target, plane in zip(self._old.planes, new.frame.planes, mixed.frame.planes, strict=True):
            cv2.addWeighted(old, 1 - share, target, share, 0, dst=plane)
        mixed.version -= 1
        return mixed
