"""Room memory: the map of a network, corrected by what is known of the empty room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vcam.frames import Box, Map
from vcam.segment.emptyroom.evidence import Evidence, Verdict, corrected
from vcam.segment.emptyroom.light import Light, LightMeter, Plate
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import Size


class RoomMemory:
    """Corrects the maps of one camera's frames, one after the other."""

    def __init__(self, room: RoomPicture) -> None:
        self._room = room
        self._meter, self._evidence = LightMeter(), Evidence()
        self._place: tuple[Box, Size, tuple[int, int]] | None = None
        self._plate: Plate
        self.light: Light | None = None
        """What the last frame showed of the room; None if nothing could be told of it."""
        self.verdict: Verdict | None = None

    def correct(self, seen: Map, size: Size) -> Map:
        """The map of a frame of `size`, corrected; the map itself, bit for bit, where nothing can be told.

        A map without its pyramid, or with odd sides, is left as it is.
        """
        self.light = self.verdict = None
        small = seen.pyramid[-1] if seen.pyramid else None
        if small is None or small.y.shape != seen.probability.shape or small.full_range != self._room.frame.full_range:
            return seen
        place = seen.box, size, seen.probability.shape
        if place != self._place:
            self._place, self._plate = place, self._room.plate(*place)
            self._meter.reset()
            self._evidence.reset()
        self.light = self._meter.measure(seen.probability, small.planes, self._plate)
        if self.light is None:
            self._evidence.reset()
            return seen
        self.verdict = self._evidence.weigh(
            seen.probability, small.planes, self._plate, self.light, full_range=small.full_range
        )
        probability = corrected(seen.probability, self.verdict.evidence)
        return replace(seen, probability=np.ascontiguousarray(probability))

    def reset(self) -> None:
        """What comes next has nothing to do with what was before."""
        self._place = None
