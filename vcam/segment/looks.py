"""One frame before the network: the looks at it, as a whole and in parts."""

from __future__ import annotations

from vcam.frames import Box, Frame, Planes
from vcam.segment.network import PersonNetwork
from vcam.segment.prepare import Preparer
from vcam.segment.rest import Surroundings
from vcam.types import F32


class Looks:
    """What is seen of one frame. The frame is reduced when that is first asked for, and once at most.

    A preparer each for the whole frame and for its parts: the small planes of the whole stay while parts are looked at.
    """

    def __init__(
        self, frame: Frame, network: PersonNetwork, preparers: tuple[Preparer, Preparer], surroundings: Surroundings
    ) -> None:
        """preparers: for the whole frame, and for its parts. `surroundings` is asked about them, and not changed."""
        self.whole = Box(0, 0, *frame.size)
        """The box that is all of the frame."""
        self.saw_whole = False
        """Whether the network has looked at all of it."""
        self._frame, self._network, self._surroundings = frame, network, surroundings
        self._preparer, self._partial = preparers
        self._planes: Planes | None = None
        self._part: Box | None = None

    def at(self, part: Box) -> F32:
        """What the network says of a part of the frame: float32 (height, width) 0..1, valid until the next look.

        Raises `EngineError`.
        """
        if part == self.whole:
            self.saw_whole = True
            self.planes()
            return self._network.find(self._preparer.picture())
        self._part = part
        return self._network.find(self._partial.prepare(self._frame.view(part)))

    def planes(self) -> Planes:
        """The whole frame's planes, small; the preparer's own until the next frame."""
        if self._planes is None:
            self._planes = self._preparer.shrink(self._frame)
        return self._planes

    def is_quiet_around(self, part: Box) -> bool:
        """Whether nothing has changed outside of a part since the last look at the whole that was remembered."""
        return self._surroundings.are_quiet(self.planes(), part, self._frame.size)

    def pyramid(self, part: Box) -> tuple[Frame, ...]:
        """A part of the frame reduced, as `vcam.frames.Map` has it; empty if that has not been made."""
        if part == self.whole and self._planes is not None:
            return self._preparer.pyramid
        return self._partial.pyramid if part == self._part else ()
