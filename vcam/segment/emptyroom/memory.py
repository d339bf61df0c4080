"""Room memory: the map of a network, corrected by what is known of the empty room."""

from __future__ import annotations

from dataclasses import replace

from vcam.frames import Box, Map
from vcam.segment.emptyroom.edge import Finding, PlateEdge
from vcam.segment.emptyroom.finding import Finder, make_finder
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import Size


class RoomMemory:
    """Corrects the maps of one camera's frames, one after the other."""

    def __init__(self, room: RoomPicture) -> None:
        self._room = room
        self._place: tuple[Box, Size, tuple[int, ...]] | None = None
        self._finder: Finder | None = None
        self.finding: Finding | None = None
        """What the last frame showed of the room; None if nothing could be told of it."""

    def correct(self, seen: Map, size: Size) -> Map:
        """The map of a frame of `size`, corrected; the map itself, bit for bit, where nothing can be told.

        It belongs to the memory until the next call. A map without its pyramid, or with odd sides, is left as it is.
        """
        self.finding = None
        small = seen.pyramid[-1] if seen.pyramid else None
        if small is None or small.y.shape != seen.probability.shape or small.full_range != self._room.frame.full_range:
            return seen
        place = seen.box, size, seen.probability.shape
        if place != self._place or self._finder is None:
            self._place = place
            self._finder = make_finder(self._room.plate(*place), full_range=small.full_range)
        self.finding = self._finder.find(seen.probability, small.planes)
        if self.finding is None:
            return seen
        return replace(seen, probability=self.finding.probability, edge=PlateEdge(self._finder.sharpen, self._room.at))

    def reset(self) -> None:
        """What comes next has nothing to do with what was before."""
        self._place = None
