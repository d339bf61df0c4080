"""The person as what differs from the empty room: for machines that are too weak for a network.

The room is learnt once, from frames without anybody in them. It works where camera and room stay as they are; a network
does not need that, and is the better choice wherever it runs. What moves beside the person counts as person, too.

It is room memory without a network: plate, light, gates and learning are the same, and the map that they correct is the
difference itself. What would show the room is not shown: every frame is doubted (`vcam.segment.emptyroom.doubt`).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vcam import folders
from vcam.errors import EngineError, VcamError
from vcam.frames import Box, Frame, Map, Planes
from vcam.scaling import Reducer
from vcam.segment.emptyroom.align import moved_room
from vcam.segment.emptyroom.difference import CLIPS, Difference, Expected, common_light
from vcam.segment.emptyroom.doubt import Doubt
from vcam.segment.emptyroom.edge import Finding, PlateEdge
from vcam.segment.emptyroom.finding import Finder, make_finder
from vcam.segment.emptyroom.layers import Layers
from vcam.segment.emptyroom.learner import RoomLearner
from vcam.segment.emptyroom.light import Plate
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.roomfile import RoomPlace, known_share, read_room
from vcam.segment.prepare import Preparer
from vcam.settings import SegmentSettings
from vcam.types import F32, U8, Size

_log = logging.getLogger(__name__)

WIDTH = 256
"""Width of the map."""

_LOWEST = 16
"""Lines of the map at least; at most it is twice as high as wide."""

STEP_OUT = "step out of the picture: vcam is learning the empty room"
CHANGED = "the room has changed: step out of the picture, and let vcam learn it anew.\nHas the camera been moved?"
_RELEARN = "step out of the picture and type: vcam set segment.relearn=true"

_RETRY = 5
"""Doubted frames from one search for what has changed to the next: it takes several milliseconds."""

_SURE = 3
"""Frames in a row without a doubt, after one, before somebody is shown again."""

_MOVES = 2
"""Searches for a room that was moved, the second without the person that the first has shown."""
_STAYS = 0.93
"""Share of the picture that must still be known where the camera was nudged; a person may be in the rest."""

_LEAST = 0.03
"""Share of the picture that shapes must have before a room that was found to have changed, which leaves rests."""

_LOOKS = 3
"""The most that a frame is compared in the light that was found with it."""
_SELDOM = 10
"""Frames from one look at the light to the next while nothing differs."""
_SAME_LIGHT = 1.5
"""Levels by which two lights differ, at most, that are one."""

EVERY = 10
"""Frames from one step of learning to the next, of an adaptive room."""
NEED = 8
"""Steps until what differs becomes the room."""
_GUARD = 13
"""Pixels of the map around a shape that are not learnt."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A state of the room, and the plate of it; changed: it was not learnt so, but found out."""

    room: RoomPicture
    plate: Plate
    changed: bool = False


class SubtractionSegmenter:
    """Learns the empty room, then finds what differs from it; see `vcam.segment.base.Segmenter`."""

    def __init__(
        self, settings: SegmentSettings, size: Size, source: str = "", *, place: RoomPlace | None = None
    ) -> None:
        """size: of the frames to come, for the shape of the map. source: what tells this camera's room from others.

        The room is loaded if it is known; with `settings.relearn`, or if not, it is learnt from the first frames. It is
        kept at `place`, by default that of the source, and nowhere without one.
        """
        self._settings, self._frame_size = settings, size
        # a picture of a shape that no camera has is stretched, or its map would have millions of pixels, or one row
        self._size = (WIDTH, min(max(round(WIDTH * size[1] / size[0] / 2) * 2, _LOWEST), 2 * WIDTH))
        self._preparer = Preparer(self._size, "BGR")
        self._difference = Difference(self._size, settings.threshold)
        self._shape = PersonShape(self._size)
        self._doubt = Doubt(self._size, settings.threshold)
        self._learner = RoomLearner(settings.room_frames, settings.threshold, size)
        self._place = place or (RoomPlace.of(source, source, size) if source else None)
        self._layers: Layers | None = None
        self._learnt: _Known | None = None
        self._now: _Known
        self._finder: Finder
        self._used: _Known
        """What the finder compares with."""
        self._expected = Expected()
        self._nobody: F32 = np.zeros(self._size[::-1], np.float32)
        self._empty = self._frames = 0
        self._doubted = 0
        """Frames in a row, until one is shown again."""
        self._believed = _SURE
        known = None if settings.relearn else self._load()
        if known is not None:
            self._take(known)
        self.notice = STEP_OUT if known is None else ""
        """What to tell whoever is in the picture, empty if there is nothing to tell."""

    @property
    def description(self) -> str:
        return f"background subtraction ({self._settings.subtraction})"

    @property
    def map_size(self) -> Size:
        return self._size

    def segment(self, frame: Frame) -> Map:
        """Raises `EngineError` while the room is learnt, and where what differs from it may be the room itself."""
        self._preparer.shrink(frame)
        planes = self._preparer.pyramid[-1].planes
        if self._learnt is None:
            self._learn(frame, planes)
        probability, finding, doubt = self._look(self._now, self._expected, planes)
        if doubt and self._doubted % _RETRY == 0:
            found = self._find_change(planes)
            if found is not None:
                (probability, finding), doubt = found, ""
                self._believed = 0
        if doubt:
            self._doubted += 1
            self._believed = 0
            # what is shown would be the room itself
            self.notice = CHANGED
            raise EngineError(f"{CHANGED.splitlines()[0]} ({doubt}; was the camera moved?)", _RELEARN)
        self._doubted = 0
        self.notice = ""
        self._believed += 1
        if self._believed < _SURE and cv2.countNonZero(self._shape.shapes):
            raise EngineError("the room has changed: it is looked at once more")
        seen = replace(Map.whole(probability, frame), pyramid=self._preparer.pyramid)
        if finding is None:
            return seen
        if self._layers is not None:
            self._follow(frame, finding)
        return replace(seen, edge=PlateEdge(self._finder.sharpen, self._now.room.at))

    def _look(self, known: _Known, expected: Expected, planes: Planes) -> tuple[F32, Finding | None, str]:
        """The probability of a person, what was found of the room, and why that is not to be believed.

        Of a room without anybody it is not told every time.
        """
        if known is not self._used:
            self._used = known
            self._finder.use(known.plate)
        shapes, finding = self._shape.shapes, None
        for _ in range(_LOOKS):
            full_range = known.room.frame.full_range
            different = self._difference.find(planes, known.plate, expected, full_range=full_range)
            probability = self._shape.clean(different)
            if known.changed and cv2.countNonZero(shapes) < _LEAST * shapes.size:
                # too small for a person: it is a rest of the change
                probability.fill(0)
                shapes.fill(0)
            somebody = bool(shapes.any())
            self._empty = 0 if somebody else self._empty + 1
            if self._empty % _SELDOM:
                return probability, None, ""
            finding = self._finder.find(probability, planes)
            if finding is None:
                return probability, None, "it is another room" if somebody else ""
            before, expected = expected, Expected.of(finding)
            if not expected.is_like(Expected(), CLIPS):
                # what is clipped in this light has told the fit something wrong, and made noise of it
                light = common_light(planes, known.plate)
                expected = expected if light is None else Expected(light)
            if expected.is_like(before, _SAME_LIGHT):
                break
        assert finding is not None
        self._expected = expected
        half = cv2.resize(planes[0], known.plate.size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        doubt = self._doubt.about(
            half, known.plate, finding, (different, self._difference.rests), shapes,
            changed=known.changed, full_range=known.room.frame.full_range,
        )  # fmt: skip
        return np.minimum(probability, finding.probability), finding, doubt

    def _find_change(self, planes: Planes) -> tuple[F32, Finding | None] | None:
        """Go over to the room as it is now, if it is the known one, little changed; what this frame shows then."""
        assert self._learnt is not None
        rooms: list[_Known | None] = [self._now]
        person = self._nobody
        if self._now.changed:
            rooms.append(self._learnt)
        for number in range(len(rooms) + _MOVES):
            known = rooms[number] if number < len(rooms) else self._moved(planes, person)
            light = None if known is None else common_light(planes, known.plate)
            if known is not None and light is not None:
                probability, finding, doubt = self._look(known, Expected(light), planes)
                if not doubt:
                    self._now = known
                    if self._layers is not None:
                        self._layers.begin(known.room)
                    return probability, finding
                if known.changed:
                    # where the person is can be told better now
                    person = probability.copy()
        return None

    def _moved(self, planes: Planes, person: F32) -> _Known | None:
        """The room that was learnt, where it may have gone as a whole, with a person about there."""
        assert self._learnt is not None
        place = Box(0, 0, *self._frame_size), self._frame_size
        room = moved_room(self._learnt.room, self._learnt.plate, person, planes, place)
        if room is None:
            return None
        plate = self._plate(room)
        return _Known(room, plate, changed=True) if cv2.mean(plate.known)[0] >= _STAYS else None

    def _learn(self, frame: Frame, planes: Planes) -> None:
        room = self._learner.add(frame, planes)
        if room is None:
            raise EngineError(STEP_OUT, "it takes two seconds; --backend auto needs no empty room")
        self._save(room)
        self._take(room)

    def _load(self) -> RoomPicture | None:
        """The room that is kept, if somebody has said that it was empty, and all of it is known."""
        if self._place is None:
            return None
        try:
            kept = read_room(self._place.path)
        except FileNotFoundError:
            return None
        except VcamError as error:
            _log.warning("the empty room is learnt anew: %s", error)
            return None
        return kept.room if kept.about.how != "learnt" and known_share(kept.room) >= _STAYS else None

    def _save(self, room: RoomPicture) -> None:
        """Keep the room. That it cannot be written is told and does no harm: it is learnt anew next time."""
        if self._place is None or self._settings.private:
            return
        try:
            self._place.write(room, "watched", time.time())
        except VcamError as error:
            folders.cannot_keep("the empty room", self._place.path.parent, error.message)

    def _take(self, room: RoomPicture) -> None:
        """Begin with a room that was learnt."""
        self._learnt = self._now = _Known(room, self._plate(room))
        self._used = self._now
        self._finder = make_finder(self._now.plate, full_range=room.frame.full_range)
        if self._settings.subtraction != "static":
            self._layers = Layers(room.frame.size, full_range=room.frame.full_range, need=NEED)
            self._layers.begin(room)
            self._small = Frame.allocate(*room.frame.size)
            self._reducers = Reducer(), Reducer(), Reducer()

    def _plate(self, room: RoomPicture) -> Plate:
        return room.plate(Box(0, 0, *self._frame_size), self._frame_size, self._size[::-1])

    def _follow(self, frame: Frame, finding: Finding) -> None:
        """Learn how the room changes, where surely nobody is."""
        self._frames += 1
        if self._frames % EVERY and cv2.countNonZero(self._shape.shapes):
            return
        layers = self._layers
        assert layers is not None
        for reducer, plane, target in zip(self._reducers, frame.planes, self._small.planes, strict=True):
            reducer.reduce(plane, target)
        side = 2 * _GUARD + 1
        near = cv2.dilate(self._shape.shapes, np.ones((side, side), np.uint8))
        size = layers.known.shape[::-1]
        sure = cv2.resize((near == 0).view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        strange = cv2.resize(finding.strange, size, interpolation=cv2.INTER_NEAREST)
        layers.learn(
            self._small,
            sure.astype(np.uint8, copy=False),
            strange.astype(np.uint8, copy=False),
            (finding.gain, finding.offset),
        )
        room = layers.picture()
        self._now = _Known(room, self._plate(room), self._now.changed)
        if not self._now.changed:
            self._learnt = self._now

    def reset(self) -> None:
        """The room outlasts a camera that is switched off; only a row of frames that is being learnt is broken off."""
        self._learner.reset()

    def close(self) -> None:
        """There is nothing to free."""


class PersonShape:
    """From specks of difference to the shapes of people; buffers for maps of one size."""

    MOST = 6
    SMALLEST = 0.004
    SMALLER = 0.03
    """At most so many shapes, none smaller than these shares of the picture and of the largest: a raised hand stays."""

    def __init__(self, size: Size) -> None:
        width, height = size
        self._mask = np.empty((height, width), np.uint8)
        self._soft = np.empty((height, width), np.uint8)
        self._probability = np.empty((height, width), np.float32)
        self.shapes = self._mask
        """Not 0 where the last shapes are; valid until the next call."""
        self.surroundings = np.empty((height, width), np.uint8)
        """Not 0 where the last shapes are or reach with their edges; valid until the next call."""
        reach = width // 28 | 1
        self._speck = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        self._gap = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))

    def clean(self, difference: U8) -> F32:
        """The probability of a person, float32 (height, width) 0..1, from a map of 0 and 255; the shapes' own buffer.

        Specks go, gaps are closed, holes are filled, and only the largest shapes stay.
        """
        mask = self._mask
        cv2.morphologyEx(difference, cv2.MORPH_OPEN, self._speck, dst=mask)
        cv2.morphologyEx(mask, cv2.MORPH_CLOSE, self._gap, dst=mask)
        outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        sized = sorted(((cv2.contourArea(outline), outline) for outline in outlines), key=lambda pair: -pair[0])
        least = max(self.SMALLEST * mask.size, self.SMALLER * sized[0][0]) if sized else 0.0
        mask.fill(0)
        # an outline filled is a shape without holes
        cv2.drawContours(mask, [outline for area, outline in sized[: self.MOST] if area >= least], -1, (255,), -1)
        cv2.dilate(mask, self._gap, dst=self.surroundings)
        # the edge is not known to the pixel: it is soft, as that of a network
        cv2.GaussianBlur(mask, (5, 5), 0, dst=self._soft)
        return np.multiply(self._soft, np.float32(1 / 255), out=self._probability)
