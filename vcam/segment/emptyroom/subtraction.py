"""The person as what differs from the empty room: for machines that are too weak for a network.

The room is learnt once, from frames without anybody in them. It works where camera and room stay as they are; a network
does not need that, and is the better choice wherever it runs. What moves beside the person counts as person, too.

What would show the room itself is not shown: every frame is doubted (`vcam.segment.emptyroom.doubt`), and a nudge or
another exposure is found out (`vcam.segment.emptyroom.change`).
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.errors import EngineError
from vcam.frames import Frame, Map
from vcam.segment.emptyroom.change import ChangeFinder
from vcam.segment.emptyroom.doubt import Doubt, KnownRoom
from vcam.segment.emptyroom.room import AdaptiveRoom, Room, RoomLearner, StaticRoom
from vcam.segment.emptyroom.saved import RoomFile
from vcam.segment.prepare import Preparer
from vcam.settings import SegmentSettings
from vcam.types import F32, U8, Size

STATIC_WIDTH = 256
ADAPTIVE_WIDTH = 160
"""Width of the map. The statistics of the adaptive mode cost ten times as much for each pixel."""

_LOWEST = 16
"""Lines of the map at least; at most it is twice as high as wide."""

STEP_OUT = "step out of the picture: vcam is learning the empty room"
CHANGED = "the room has changed: step out of the picture, and let vcam learn it anew.\nHas the camera been moved?"
_RELEARN = "step out of the picture and type: vcam set segment.relearn=true"

_RETRY = 5
"""Doubted frames from one search for what has changed to the next: it takes several milliseconds."""

_SURE = 3
"""Frames in a row without a doubt, after one, before somebody is shown again."""


class SubtractionSegmenter:
    """Learns the empty room, then finds what differs from it; see `vcam.segment.base.Segmenter`."""

    def __init__(
        self, settings: SegmentSettings, size: Size, source: str = "", *, store: RoomFile | None = None
    ) -> None:
        """size: of the frames to come, for the shape of the map. source: what tells this camera's room from others.

        The room is loaded if it is known; with `settings.relearn`, or if not, it is learnt from the first frames.
        """
        self._settings = settings
        width = STATIC_WIDTH if settings.subtraction == "static" else ADAPTIVE_WIDTH
        # a picture of a shape that no camera has is stretched, or its map would have millions of pixels, or one row
        self._size = (width, min(max(round(width * size[1] / size[0] / 2) * 2, _LOWEST), 2 * width))
        self._preparer = Preparer(self._size, "BGR")
        self._picture = np.empty((self._size[1], self._size[0], 3), np.uint8)
        self._shape = PersonShape(self._size)
        self._doubt = Doubt(self._size, settings.threshold)
        self._learner = RoomLearner(settings.room_frames, settings.threshold)
        self._store = store or RoomFile(source, self._size)
        known = None if settings.relearn else self._store.load()
        self._room: Room | None = None
        self._known: KnownRoom
        self._doubted = 0
        """Frames in a row, until one is shown again."""
        self._believed = _SURE
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
        picture = self._picture
        cv2.GaussianBlur(self._preparer.prepare(frame), (5, 5), 0, dst=picture)
        if self._room is None:
            self._learn(picture)
        assert self._room is not None
        probability, doubt = self._look(self._room, self._known, picture)
        if doubt and self._doubted % _RETRY == 0:
            found = self._find_change(picture)
            if found is not None:
                probability, doubt = found, ""
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
        now = self._room.follow(picture, self._shape.surroundings)
        if now is not None:
            self._known = KnownRoom(now, self._known.seen, changed=self._known.changed)
        return Map.whole(probability, frame)

    def _look(self, room: Room, known: KnownRoom, picture: U8) -> tuple[F32, str]:
        """The probability of a person, as `PersonShape.clean` gives it, and why it is not to be believed."""
        different = cv2.bitwise_and(room.differs(picture), known.seen).astype(np.uint8, copy=False)
        probability = self._shape.clean(different)
        return probability, self._doubt.about(picture, known, different, self._shape.shapes)

    def _find_change(self, picture: U8) -> F32 | None:
        """Go over to the room as it is now, if it is the known one, little changed; the map of this picture then."""
        change = self._finder.find(picture)
        if change is None:
            return None
        known = change.applied(self._learnt)
        probability, doubt = self._look(StaticRoom(known.picture, self._settings.threshold), known, picture)
        if doubt:
            return None
        self._room, self._known = self._model(known.picture), known
        return probability

    def _learn(self, picture: U8) -> None:
        room = self._learner.add(picture)
        if room is None:
            raise EngineError(STEP_OUT, "it takes two seconds; --backend auto needs no empty room")
        self._store.save(room)
        self._take(room)

    def _take(self, room: U8) -> None:
        """Begin with a room that was learnt."""
        self._learnt, self._known, self._finder = room, KnownRoom(room), ChangeFinder(room)
        self._room = self._model(room)

    def _model(self, room: U8) -> Room:
        static = self._settings.subtraction == "static"
        return StaticRoom(room, self._settings.threshold) if static else AdaptiveRoom(room)

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
