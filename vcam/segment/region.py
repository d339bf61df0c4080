"""Which part of the frame the network sees: where people are small, their surroundings instead of the whole frame.

A network sees its picture at one size, so in half of the frame it sees a person four times as large. Where the person
is, is known from its own maps. It looks at the whole frame besides, every `EVERY` frames, for whoever has come; such a
look decides on the region and is not shown, so that the edge does not alternate between two resolutions.

The network finds people in many an empty corner once that fills its picture: in 103 of 360 parts of six pictures
without people, but in only one of the six as a whole. So a region begins only where the whole frame shows somebody, and
lasts only as long as the whole frame shows at least a trace of them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from functools import reduce

import cv2
import numpy as np

from vcam.backoff import Backoff
from vcam.frames import NOTHING, Box
from vcam.images import between_maps
from vcam.types import F32, U8, Size

EVERY = 15
"""Frames from one look at the whole frame to the next: half a second."""
PAUSE, LONGEST_PAUSE = 60, 1920
"""Frames for which the whole frame is shown after a region that came to nothing; twice as many each time that it was
given up for ghosts (see `LARGE`)."""
PATIENCE = 3
"""Looks in a row without a trace of whoever the region shows, after which it is given up."""

PERSON, TRACE = 0.5, 0.25
"""Probabilities from which a pixel counts as a person, and as a trace of one."""
LEAST = 0.0015
"""Share of the picture from which an island in the whole frame counts as somebody who has come."""

MARGIN = 0.15
"""Space left around the people, as a share of their width and height. With twice as much they would be small again."""
STRETCH = 1.5
"""The most that the region's shape differs from the frame's: beyond it people look too stretched."""
ENTER, LEAVE = 0.7, 0.85
"""Shares of the frame's area up to which a region begins, and from which on it is given up for the whole frame."""
LARGE = 0.45
"""Share of the frame above which a region is checked for ghosts: furniture that the network takes for a person.

People who need so large a region are found in the whole frame as well. What only the region's map shows is a ghost."""
GHOSTS = 0.03
"""How many ghosts may be: pixels that only the region's map shows, as a share of those of people in the map of the
whole frame. If there are more, the region is given up. Without this rule the maps of 10 of 42 clips were worse
with a region than without; 9 of these 10 had so many ghosts, and 6 of the other 32."""
SLACK = 1.4
"""How many times too large a region may become before it is made smaller."""
PERIODS = 4
"""Of `EVERY` frames each: where people have been for so long counts, lest the region follow somebody to and fro."""
SAMPLE = 5
"""Frames from one to the next of which is noted where people are, while nobody reaches a border."""
JUMP = 0.25
"""Share of the people's pixels by which their number changes when they are others, or elsewhere."""
GROWTHS = 3
"""How often a region grows for one frame, until nobody in it is cut off any more."""
RESTS = 8
"""Looks at the whole frame that may be left out in a row, while nothing changes outside of the region."""

Look = Callable[[Box], F32]
"""What the network says of a part of the frame: float32 (height, width) 0..1, valid until the next look."""
Quiet = Callable[[Box], bool]
"""Whether nothing has changed outside of a part of the frame since the last look at the whole of it."""

_SPECK = np.ones((3, 3), np.uint8)


class RegionTracker:
    """Follows the people of one source; with pictures that have nothing to do with each other it is reset for each."""

    def __init__(self, sight: Size) -> None:
        """sight: (width, height) of the network's picture. No region is smaller, for there would be nothing to gain."""
        self._sight = sight
        self._size: Size = (0, 0)
        self._kept = np.empty((0, 0), np.float32)
        self._ghosts = Backoff(PAUSE, LONGEST_PAUSE)
        self.reset()

    def reset(self) -> None:
        """Begin with the whole frame, and with a decision on the region."""
        self._region = NOTHING
        self._people = NOTHING
        self._since = EVERY
        self._doubts = self._rests = self._count = 0
        self._ghosts.reset()
        self._places: deque[Box] = deque([NOTHING], PERIODS)

    @property
    def region(self) -> Box:
        """What the last map shows."""
        return self._region

    def find(self, size: Size, look: Look, quiet: Quiet = lambda region: False) -> tuple[F32, Box]:
        """The map to show for a frame of `size`, and the part of the frame that it covers, with even bounds.

        The map is valid until the next call. Raises what `look` raises, and then begins anew.
        """
        whole = Box(0, 0, *size)
        if size != self._size:
            self.reset()
            self._size, self._whole, self._step = size, whole, _step(size[1])
        if self._region.empty:
            self._region = whole
        try:
            return self._from_whole(look) if self._region == whole else self._from_region(look, quiet)
        except BaseException:
            self.reset()
            raise

    def _from_whole(self, look: Look) -> tuple[F32, Box]:
        seen = look(self._whole)
        self._since += 1
        # as often as in a region only in a pause, at whose end everything must be known
        if self._since > EVERY or (self._since <= 0 and self._since % SAMPLE == 0):
            self._note(self._islands(seen))
        if self._since <= EVERY:
            return seen, self._whole
        target = self._around(self._lately())
        self._begin_period()
        if target.empty or self._share(target) > ENTER:
            return seen, self._whole
        # the next look at the whole is not left out
        self._region, self._doubts, self._rests = target, 0, RESTS
        kept = self._keep(seen)
        seen, box = self._settle(look, look(target))
        return (seen, box) if box == self._whole else self._unless_ghosts(seen, kept)

    def _from_region(self, look: Look, quiet: Quiet) -> tuple[F32, Box]:
        seen, before = look(self._region), self._people
        self._since += 1
        if self._since <= EVERY and self._since % SAMPLE and self._is_calm(seen):
            return seen, self._region
        people = self._extent(seen)
        if people.empty or self._touches(people):
            return self._settle(look, seen)
        self._people = people
        self._note(people)
        usual = _overlap(people, before) > 0.5
        if usual and self._since <= EVERY:
            return seen, self._region
        if usual and self._rests < RESTS and self._fits(self._around(self._lately())) and quiet(self._region):
            self._rests += 1
            self._begin_period()
            return seen, self._region
        self._rests = 0
        return self._check(look, self._keep(seen))

    def _check(self, look: Look, seen: F32) -> tuple[F32, Box]:
        """Look at the whole frame, and go on with the map of the region or with that of another."""
        whole = look(self._whole)
        others = self._islands(whole)
        self._doubts = 0 if self._traced(whole) else self._doubts + 1
        if self._doubts:
            # those who may be none are looked for again soon
            self._rests = RESTS
        if self._doubts >= PATIENCE:
            return self._give_up(look)
        everybody = self._lately().union(others)
        self._begin_period()
        target = self._around(everybody)
        if _holds(self._region, everybody) and self._fits(target):
            return self._unless_ghosts(seen, whole)
        if self._share(target) > LEAVE:
            return self._give_up(look)
        self._region, self._rests = target, RESTS
        return self._settle(look, look(target))

    def _unless_ghosts(self, seen: F32, whole: F32) -> tuple[F32, Box]:
        """The region, unless it is large and its map holds ghosts; then the whole frame, for a while."""
        if self._share(self._region) <= LARGE or _ghosts(seen, self._region, whole, self._whole) <= GHOSTS:
            return seen, self._region
        self._leave(int(self._ghosts.failed()))
        return whole, self._whole

    def _settle(self, look: Look, seen: F32) -> tuple[F32, Box]:
        """Let the region grow until nobody is cut off; the whole frame if nobody is in it, or it grows too large."""
        for growth in range(GROWTHS + 1):
            self._people = self._extent(seen)
            if self._people.empty:
                break
            if growth == GROWTHS or not self._touches(self._people):
                return seen, self._region
            self._region, self._rests = self._region.union(self._around(self._people)), RESTS
            if self._share(self._region) > LEAVE:
                break
            seen = look(self._region)
        return self._give_up(look)

    def _give_up(self, look: Look) -> tuple[F32, Box]:
        self._leave(PAUSE)
        return look(self._whole), self._whole

    def _leave(self, pause: int) -> None:
        self._region, self._people, self._since = self._whole, NOTHING, EVERY - pause
        # the pause is long enough to learn anew where they are
        self._places = deque([NOTHING], PERIODS)

    def _note(self, people: Box) -> None:
        self._places[-1] = self._places[-1].union(people)

    def _lately(self) -> Box:
        """Where people were in the last periods."""
        return reduce(Box.union, self._places)

    def _begin_period(self) -> None:
        self._places.append(NOTHING)
        self._since = 0

    def _keep(self, seen: F32) -> F32:
        if self._kept.shape != seen.shape:
            self._kept = np.empty_like(seen)
        np.copyto(self._kept, seen)
        return self._kept

    def _extent(self, seen: F32) -> Box:
        """Where the people of a map of the region are in the frame; specks do not count."""
        return self._placed(_bounds(seen), seen, self._region)

    def _islands(self, whole: F32) -> Box:
        """Where people are in a map of the whole frame, small islands left out."""
        count, _, stats, _ = cv2.connectedComponentsWithStats(_person(whole))
        found = NOTHING
        for x, y, w, h, area in stats[1:count]:
            if area >= LEAST * whole.size:
                found = found.union(Box(int(x), int(y), int(x + w), int(y + h)))
        return self._placed(found, whole, self._whole)

    def _placed(self, cells: Box, seen: F32, region: Box) -> Box:
        """A box of a map's pixels as one of the frame's."""
        if cells.empty:
            return NOTHING
        rows, columns = seen.shape
        width, height = region.x1 - region.x0, region.y1 - region.y0
        return Box(
            region.x0 + cells.x0 * width // columns,
            region.y0 + cells.y0 * height // rows,
            region.x0 - (-cells.x1 * width // columns),
            region.y0 - (-cells.y1 * height // rows),
        )

    def _traced(self, whole: F32) -> bool:
        """Whether a map of the whole frame shows a trace of somebody where the people of the region are."""
        rows, columns = whole.shape
        x0, y0, x1, y1 = self._people
        width, height = self._size
        part = whole[y0 * rows // height : -(-y1 * rows // height), x0 * columns // width : -(-x1 * columns // width)]
        return bool(np.count_nonzero(part > TRACE) >= _SPECK.size)

    def _is_calm(self, seen: F32) -> bool:
        """Whether as much as before is people and nobody is near a border of the region: cheaper than `_extent`."""
        region, whole = self._region, self._whole
        borders = (
            (seen[:, 0], region.x0 > whole.x0), (seen[:, -1], region.x1 < whole.x1),
            (seen[0], region.y0 > whole.y0), (seen[-1], region.y1 < whole.y1),
        )  # fmt: skip
        reached = any(inside and np.count_nonzero(line > PERSON) > 1 for line, inside in borders)
        before, self._count = self._count, int(np.count_nonzero(seen > PERSON))
        return not reached and abs(self._count - before) < JUMP * self._count

    def _touches(self, people: Box) -> bool:
        """Whether somebody reaches a border of the region that is not the frame's own."""
        region, whole = self._region, self._whole
        return (
            (people.x0 <= region.x0 > whole.x0)
            or (people.y0 <= region.y0 > whole.y0)
            or (people.x1 >= region.x1 < whole.x1)
            or (people.y1 >= region.y1 < whole.y1)
        )

    def _fits(self, target: Box) -> bool:
        """Whether the region is not much larger than it need be."""
        return self._share(self._region) <= SLACK * self._share(target)

    def _share(self, box: Box) -> float:
        return _area(box) / _area(self._whole)

    def _around(self, people: Box) -> Box:
        """The region for people at this place, on a coarse grid so that it changes seldom."""
        if people.empty:
            return NOTHING
        width, height = self._size
        across = _widened(people.x0, people.x1, width)
        down = _widened(people.y0, people.y1, height)
        wide, tall = (across[1] - across[0]) / width, (down[1] - down[0]) / height
        x0, x1 = _on_grid(_stretched(across, max(self._sight[0], width * tall / STRETCH), width), self._step, width)
        y0, y1 = _on_grid(_stretched(down, max(self._sight[1], height * wide / STRETCH), height), self._step, height)
        return Box(x0, y0, x1, y1)


def _person(seen: F32) -> U8:
    """Where a map shows people, without specks: uint8, 0 or 1."""
    return cv2.morphologyEx((seen > PERSON).view(np.uint8), cv2.MORPH_OPEN, _SPECK).astype(np.uint8, copy=False)


def _ghosts(seen: F32, region: Box, whole: F32, frame: Box) -> float:
    """How many pixels only the map of a region shows, as a share of those of people in the map of the whole frame."""
    move = between_maps(frame, whole.shape, region, seen.shape)
    there = cv2.warpAffine(seen, move, whole.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    more = int(np.count_nonzero((there > PERSON) & (whole < TRACE)))
    return more / max(int(np.count_nonzero(whole > PERSON)), 1)


def _bounds(seen: F32) -> Box:
    """The bounds of what `_person` gives, in less time: those of the eroded map, one pixel further out."""
    x, y, w, h = cv2.boundingRect(cv2.erode((seen > PERSON).view(np.uint8), _SPECK))
    rows, columns = seen.shape
    return Box(max(x - 1, 0), max(y - 1, 0), min(x + w + 1, columns), min(y + h + 1, rows)) if w else NOTHING


def _step(height: int) -> int:
    """Pixels of the grid: the matte's cells stay small where sides are multiples of these."""
    step = 16
    while height >= 34 * step:
        step *= 2
    return step


def _widened(low: float, high: float, end: int) -> tuple[float, float]:
    margin = MARGIN * (high - low)
    return max(0.0, low - margin), min(float(end), high + margin)


def _stretched(span: tuple[float, float], least: float, end: int) -> tuple[float, float]:
    """The span made `least` long about its middle, moved into 0..end."""
    length = min(max(span[1] - span[0], least), float(end))
    low = min(max((span[0] + span[1] - length) / 2, 0.0), end - length)
    return low, low + length


def _on_grid(span: tuple[float, float], step: int, end: int) -> tuple[int, int]:
    return math.floor(span[0] / step) * step, min(math.ceil(span[1] / step) * step, end)


def _area(box: Box) -> int:
    return 0 if box.empty else (box.x1 - box.x0) * (box.y1 - box.y0)


def _holds(outer: Box, inner: Box) -> bool:
    return inner.empty or outer.union(inner) == outer


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    common = Box(max(one.x0, other.x0), max(one.y0, other.y0), min(one.x1, other.x1), min(one.y1, other.y1))
    both = _area(common)
    return both / max(_area(one) + _area(other) - both, 1)
