"""Room memory: the map of a network, corrected by what is known of the empty room, which is learnt meanwhile."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from vcam.frames import Box, Frame, Map, Planes
from vcam.scaling import Reducer
from vcam.segment.emptyroom.align import moved_room
from vcam.segment.emptyroom.edge import Finding, PlateEdge
from vcam.segment.emptyroom.evidence import PERSON
from vcam.segment.emptyroom.finding import Finder, make_finder
from vcam.segment.emptyroom.layers import CHROMA, LUMA, SAME, Layers, Lines
from vcam.segment.emptyroom.light import Plate
from vcam.segment.emptyroom.picture import RoomPicture, picture_size
from vcam.types import BOOL, F32, U8, Size

EVERY = 11
"""Frames from one step of learning to the next: a third of a second, and no part of one in which people or lamps move
to and fro, or the same moments would be seen again and again."""
SETTLED = 3
"""Of so many steps one is done while a told room is as it was: a mean hardly changes then, and a step takes as long as
several frames do. A change is noticed within a second, or at once if something strange is seen."""
DRAWN, TAKEN = 3, 6
"""Frames after a step in which the room's new picture is made, and compared with from then on: none bears it all."""
ANEW, RENEWED = 64, 6
"""Pixels of the picture, at chroma size, whose being known has changed, from which on it is compared with at once; else
after so many steps, since what is averaged hardly changes."""
NEED = 8
"""Steps until what differs becomes the room."""
SURE, GUARD = 0.03, 13
"""The probability of a person up to which the room is learnt, if it is so for so many pixels of the map around."""
CLOSE = 3
"""So many pixels around are enough where somebody was seen a moment ago, and while she moves: what was behind her has
become free, and does not move with her.

A shoulder that the network misses lies as close to her as the wall does, and stays there for as long as she sits."""
HEAD, CHIN, SHOULDERS = 0.15, 3.0, 2.0
"""Of the map's height that her head surely is; then, in halves of the head's width, how far below the top of it she has
shoulders, and how wide these are to either side at least."""
SEEN, TOUCH = 0.5, 2
"""The probability from which on somebody is seen, and how many pixels of the map around her count as behind her."""
INNER = 3
"""Pixels within her outline from which on what she looks like is remembered: what becomes free looks otherwise."""
MOMENT = 60
"""Steps, 20 seconds, for which what was behind somebody may be learnt so close to her."""
AGREES = 0.9
"""The correlation of the textures below which the camera may have been moved: it is searched for."""
STRANGER = 0.7
"""That below which nothing is learnt, for a while: what is in view may be another room, or this one moved."""
REST = 6
"""Steps for which nothing is learnt of a stranger, after which it is the room; and from one search to the next."""


class RoomMemory:
    """Corrects the maps of one camera's frames, one after the other, and learns its room."""

    def __init__(
        self,
        size: Size,
        *,
        full_range: bool,
        room: RoomPicture | None = None,
        learns: bool = True,
        vouched: bool = False,
    ) -> None:
        """size: (width, height) of the frames to come; room: what is known of it already, of `picture_size`.

        learns: whether it is learnt, or kept as it is. vouched: the room was told and judged to be empty
        (`vcam.segment.emptyroom.telling`). What looks like it then is a thing that the network takes for a person; else
        it may be a person who was in the picture of the room. Raises `ValueError` for a room of another size or range.
        """
        self._size, self._full_range, self._learns, self._vouched = size, full_range, learns, vouched
        self._room = room or RoomPicture.nothing(size, full_range=full_range)
        self._layers = Layers(picture_size(size), full_range=full_range, need=NEED)
        self._layers.begin(self._room)
        self._behind = np.zeros(self._layers.known.shape, np.uint8)
        self._outline: tuple[Box, U8] | None = None
        self._looked = tuple(np.zeros(self._layers.known.shape, np.uint8) for _ in range(3))
        """The three planes as they were where somebody was seen last."""
        self._small = Frame.allocate(*picture_size(size))
        self._small.full_range = full_range
        self._reducers = Reducer(), Reducer(), Reducer()
        self._place: tuple[Box, tuple[int, ...]] | None = None
        self._plate: Plate
        self._finder: Finder | None = None
        self._frames = self._steps = 0
        self._rest = REST
        self._learnt: RoomPicture | None = None
        self._drawn = True
        self._waiting = self._left_out = 0
        self._settled = False
        """Whether nothing was doubted after the last step."""
        self.finding: Finding | None = None
        """What the last frame showed of the room; None if nothing could be told of it."""

    @property
    def room(self) -> RoomPicture:
        """What is known of the room now."""
        return self._room

    @property
    def agreement(self) -> float | None:
        """See `Finder.agreement`; None before a map was compared."""
        return None if self._finder is None else self._finder.agreement

    def correct(self, seen: Map, frame: Frame) -> Map:
        """The map of a frame, corrected; the map itself, bit for bit, where nothing can be told.

        It belongs to the memory until the next call. A map without its pyramid, or with odd sides, and frames of
        another size or range are left as they are.
        """
        self.finding = None
        small = seen.pyramid[-1] if seen.pyramid else None
        fits = frame.size == self._size and frame.full_range == self._full_range
        if not fits or small is None or small.y.shape != seen.probability.shape:
            return seen
        finder = self._compared_at(seen)
        self.finding = finder.find(seen.probability, small.planes)
        if self._learns:
            self._learn(seen, frame, small, finder)
        if self.finding is None:
            return seen
        return replace(seen, probability=self.finding.probability, edge=PlateEdge(finder.sharpen, self._room.at))

    def reset(self) -> None:
        """What comes next has nothing to do with what was before."""
        self._place = None

    def _compared_at(self, seen: Map) -> Finder:
        """The comparison for the part of the frame that a map shows."""
        place = seen.box, seen.probability.shape
        if self._finder is None or place != self._place:
            self._place = place
            self._plate = self._room.plate(seen.box, self._size, seen.probability.shape)
            # whether somebody was in the plate does not depend on the part of it
            trust = 1.0 if self._finder is None else self._finder.trust
            self._finder = make_finder(self._plate, full_range=self._full_range, trust=trust, doubts=not self._vouched)
        return self._finder

    def _take(self, room: RoomPicture, finder: Finder) -> None:
        """Go on with another state of the room from the next frame on."""
        self._room, self._learnt = room, None
        assert self._place is not None
        self._plate = room.plate(self._place[0], self._size, self._place[1])
        finder.use(self._plate)

    def _learn(self, seen: Map, frame: Frame, small: Frame, finder: Finder) -> None:
        self._frames += 1
        since = self._frames % EVERY
        if since == DRAWN and not self._drawn:
            self._learnt, self._drawn = self._news(), True
        elif since == TAKEN and self._learnt is not None:
            self._take(self._learnt, finder)
        if since:
            return
        if finder.agreement >= STRANGER:
            self._rest = REST
        if finder.agreement < AGREES and self._steps % REST == 0:
            moved = moved_room(self._room, self._plate, seen.probability, small.planes, (seen.box, self._size))
            if moved is not None:
                self._layers.begin(moved)
                self._settled = False
                self._behind[...] = 0
                self._take(moved, finder)
                return
        self._steps += 1
        if finder.agreement < STRANGER and (self._vouched or self._rest > 0):
            # what was told to be the room is not given up for another
            self._rest = max(0, self._rest - 1)
            return
        if self._is_settled(finder):
            self._left_out += 1
            return
        left_out, self._left_out = self._left_out, 0
        for reducer, plane, target in zip(self._reducers, frame.planes, self._small.planes, strict=True):
            reducer.reduce(plane, target)
        sure, strange = self._marks(seen, left_out)
        found = self.finding
        lines: Lines = SAME if found is None else (found.gain, found.offset)
        self._layers.learn(self._small, sure, strange, lines)
        if found is not None and not self._vouched:
            self._layers.forget(self._overruled(seen, found.probability))
        self._drawn = False

    def _is_settled(self, finder: Finder) -> bool:
        """Whether a step can be left out."""
        found = self.finding
        if not self._vouched or not self._settled or found is None or self._left_out >= SETTLED - 1:
            return False
        return finder.agreement >= AGREES and not found.strange.any()

    def _news(self) -> RoomPicture | None:
        """The room as it is known now, if that is worth a new plate, which takes several times what a frame does."""
        learnt = self._layers.picture()
        self._settled = not self._layers.doubted
        self._waiting += 1
        if self._waiting < RENEWED and np.count_nonzero(learnt.known != self._room.known) < ANEW:
            return None
        self._waiting = 0
        return learnt

    def _marks(self, seen: Map, left_out: int) -> tuple[U8, U8]:
        """Where surely nobody is, see `Layers.learn`, and where something strange is. Outside of the box is nobody.

        left_out: steps since the last one, which count for how long ago it is that somebody was there.
        """
        shape = self._layers.known.shape
        sure, strange = np.full(shape, 1, np.uint8), np.zeros(shape, np.uint8)
        x0, y0, x1, y1 = self._part(seen.box)
        part, size = np.s_[y0:y1, x0:x1], (x1 - x0, y1 - y0)
        anybody, somebody = ((seen.probability > least).view(np.uint8) for least in (SURE, SEEN))
        # along her edge there is room as well
        inner = cv2.erode(somebody, np.ones((2 * INNER + 1, 2 * INNER + 1), np.uint8)).astype(np.uint8, copy=False)
        near, close, behind, here = (
            cv2.resize(marks, size, interpolation=cv2.INTER_NEAREST)
            for marks in (_wider(anybody, GUARD), _wider(anybody, CLOSE), _wider(somebody, TOUCH), inner)
        )
        self._behind -= np.minimum(self._behind, 1 + left_out)
        self._behind[part][behind != 0] = MOMENT
        moved = cv2.resize(self._moved(seen, somebody), size, interpolation=cv2.INTER_NEAREST)
        planes = self._halved()
        free = (close == 0) & (self._behind[part] != 0) & (moved != 0) & self._is_other(planes, part)
        # what was told to be the room is learnt anew there as well
        sure[part] = (near == 0) | free
        if not self._vouched:
            missed = cv2.resize(body(somebody), size, interpolation=cv2.INTER_NEAREST) != 0
            sure[part][(near == 0) & ~free & missed] = 2
        for plane, was in zip(planes, self._looked, strict=True):
            np.copyto(was[part], plane[part], where=here != 0)
        if self.finding is not None:
            odd = cv2.dilate(self.finding.strange, np.ones((5, 5), np.uint8))
            strange[part] = cv2.resize(odd, size, interpolation=cv2.INTER_NEAREST)
        return sure, strange

    def _overruled(self, seen: Map, corrected: F32) -> BOOL:
        """Where the room speaks against somebody deep within her, of the layers' size: she is in it, missed once."""
        against = cv2.erode(
            (seen.probability > PERSON).view(np.uint8), np.ones((2 * INNER + 1, 2 * INNER + 1), np.uint8)
        )
        against = _wider((against != 0) & (corrected < SEEN), INNER)
        where = np.zeros(self._layers.known.shape, np.bool_)
        x0, y0, x1, y1 = self._part(seen.box)
        where[y0:y1, x0:x1] = cv2.resize(against, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
        return where

    def _part(self, box: Box) -> Box:
        """A box of the frame in the layers."""
        height, width = self._layers.known.shape
        x0, x1 = (round(bound * width / self._size[0]) for bound in (box.x0, box.x1))
        y0, y1 = (round(bound * height / self._size[1]) for bound in (box.y0, box.y1))
        return Box(x0, y0, x1, y1)

    def _halved(self) -> Planes:
        """The frame that is learnt from, of the layers' half size."""
        y, u, v = self._small.planes
        return cv2.resize(y, u.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False), u, v

    def _is_other(self, planes: Planes, part: tuple[slice, slice]) -> BOOL:
        """Where it looks otherwise than when somebody was seen there: what looks the same is her, and missed.

        Where nobody was ever seen it is so as well.
        """
        y, u, v = (
            cv2.absdiff(now[part], was[part]) > level
            for now, was, level in zip(planes, self._looked, (LUMA, CHROMA, CHROMA), strict=True)
        )
        return np.asarray(y | u | v)

    def _moved(self, seen: Map, somebody: U8) -> U8:
        """Around where the outline of whom the network sees is another than in the last step, of the map's size."""
        before, self._outline = self._outline, (seen.box, somebody)
        if before is None or before[0] != seen.box or before[1].shape != somebody.shape:
            return np.zeros_like(somebody)
        changed = cv2.erode(before[1] ^ somebody, np.ones((2, 2), np.uint8)).astype(np.uint8, copy=False)
        return _wider(changed, GUARD)


def body(somebody: U8) -> U8:
    """Where whoever is seen must be too, whatever the network says, 0 or 1.

    The other half of her is as wide as the one that is seen, and so is what lies below: a shoulder that the network
    misses is as still as the room.
    """
    height, width = somebody.shape
    rows = np.flatnonzero(somebody.any(1))
    if not rows.size:
        return np.zeros_like(somebody)
    first, last = somebody.argmax(1), width - 1 - somebody[:, ::-1].argmax(1)
    head = rows[rows <= rows[0] + HEAD * height]
    middle, half = float((first[head] + last[head]).mean()) / 2, float((last[head] - first[head]).max() + 1) / 2
    reach = np.full(height, -1.0)
    reach[rows] = np.maximum(middle - first[rows], last[rows] - middle)
    reach = np.maximum.accumulate(reach)
    reach[rows[0] + round(CHIN * half) :] = np.maximum(reach[rows[0] + round(CHIN * half) :], SHOULDERS * half)
    return np.asarray(np.abs(np.arange(width) - middle) <= reach[:, None]).view(np.uint8)


def _wider(marks: U8 | BOOL, by: int) -> U8:
    """What is marked, not 0, and so many pixels around it."""
    return cv2.dilate(marks.view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8)).astype(np.uint8, copy=False)


def mean_room(frames: list[Frame]) -> RoomPicture:
    """The room as frames of it, empty, show it on average; all of it is known. Frames are of one size and range."""
    size = picture_size(frames[0].size)
    total: list[F32] = []
    reducers = Reducer(), Reducer(), Reducer()
    small = Frame.allocate(*size)
    for frame in frames:
        for reducer, plane, target in zip(reducers, frame.planes, small.planes, strict=True):
            reducer.reduce(plane, target)
        planes = [plane.astype(np.float32) for plane in small.planes]
        total = [a + b for a, b in zip(total, planes, strict=True)] if total else planes
    y, u, v = (np.rint(plane / len(frames)).astype(np.uint8) for plane in total)
    return RoomPicture(Frame(y, u, v, full_range=frames[0].full_range), np.full(u.shape, 255, np.uint8))
