"""`segment.people=main`: whoever is largest stays, and passers-by go.

The people of a map are its connected parts. The main one is the largest at first, and from then on the one that
overlaps most with where it was: somebody else has to be much larger for a second to take its place. Where a passer-by
touches the main person the two are one part; then what lies beyond the main person's last own outline, and a little
more, is cut off, until they part again or have stayed together for long.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from vcam.frames import Frame, Map
from vcam.segment.base import Examined, Segmenter
from vcam.types import U8, Size

PERSON = 0.3
"""Probability from which a pixel belongs to somebody."""

GRID = (160, 90)
"""Columns and rows of the frame in which it is noted where people are, whatever part of it a map covers."""

LEAST, MARK = 0.15, 0.02
"""A part that is smaller than the first share of the main one may be a hand of theirs; below the second it is nobody.

It is a hand if it lies where the main person, or a hand of theirs, was in the frame before. Somebody far away who comes
along behind them does not."""

OWN = 0.3
"""Share of a hand that must lie there."""

NEAR, GROWS = 0.12, 0.06
"""What counts as near, and how far an outline may grow while two are one: shares of the main person's width."""

LARGER, TURNS = 1.7, 30
"""How many times larger somebody else has to be, and for how many frames, to become the main person."""

OVERLAP = 0.15
"""Share of the smaller of two outlines that both must have in common to be the same person's."""

TOGETHER = 90
"""Frames for which two may be one before both are shown."""

ALIKE = 1.06
"""How many times larger the main person may become from one frame to the next, while somebody may be hidden there."""


class MainPerson:
    """Tells the main person from others in the maps of one source; `reset` when that changes."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next map has nothing to do with the last."""
        self._main: U8 | None = None
        self._hands: U8 | None = None
        self._others, self._area = 0.0, 0
        self._larger = self._guard = self._away = 0

    def keep(self, seen: Map, size: Size) -> U8 | None:
        """What of a map is to stay: uint8 of its shape, not 0 there; None for all of it. size: the frame's."""
        shape = seen.probability.shape
        binary = (seen.probability > PERSON).view(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(binary)
        if count == 1:
            self._is_away()
            return None
        areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
        areas[0] = 0
        chosen = self._choose(labels, areas, seen, size)
        if not chosen:
            return np.zeros(shape, np.uint8)
        main = (labels == chosen).view(np.uint8)
        x, _, wide = (int(stats[chosen, at]) for at in (cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH))
        margin = max(round(NEAR * wide), 2)
        there = _on_grid(main, seen, size)
        before = self._main
        hands = self._hands_of(labels, areas, chosen, seen, size)
        small = [label for label in range(1, count) if label != chosen and areas[label] < LEAST * areas[chosen]]
        # in the first frame nothing is known but what is near
        sides = {label: (int(stats[label, cv2.CC_STAT_LEFT]), int(stats[label, cv2.CC_STAT_WIDTH])) for label in small}
        near = {label for label, (x0, w) in sides.items() if x0 < x + wide + margin and x0 + w > x - margin}
        hands = near & (set(small) if hands is None else hands)
        others = [areas[label] for label in range(1, count) if label != chosen and label not in hands]
        others = [area for area in others if area >= MARK * areas[chosen]]
        if others:
            self._guard, self._others = TOGETHER, min(others) / areas[chosen]
        else:
            self._guard = max(self._guard - 1, 0)
        same = before is not None and bool((there & before).any())
        # who is half hidden makes them larger by as much as can be seen
        alike = 1 + min(ALIKE - 1, max(self._others / 4, MARK / 2))
        grown = before is not None and int(there.sum()) > alike * self._area
        if self._guard and same and grown and before is not None:
            # somebody was near a moment ago, and is a part of this one now: what the main person had, and a little more
            own = cv2.dilate(before, np.ones((3, max(2 * round(GROWS * _width(before)), 2) + 1), np.uint8))
            main &= _off_grid(own.astype(np.uint8, copy=False), shape, seen, size)
        else:
            self._main = there
            if others or not self._guard:
                # else somebody may come out from behind them, bit by bit
                self._area = int(there.sum())
        theirs = np.isin(labels, list(hands)).view(np.uint8)
        self._hands = _on_grid(theirs, seen, size) if hands else None
        main |= theirs
        return cv2.dilate(main, np.ones((5, 5), np.uint8)).astype(np.uint8, copy=False)

    def _hands_of(self, labels: np.ndarray, areas: np.ndarray, chosen: int, seen: Map, size: Size) -> set[int] | None:
        """The labels of what lies where the main person was; None where that is not known."""
        if self._main is None:
            return None
        own = self._main if self._hands is None else self._main | self._hands
        place = _off_grid(own, labels.shape, seen, size)
        common = np.bincount(labels[place > 0], minlength=len(areas))
        return {
            int(label) for label in np.flatnonzero(common >= OWN * np.maximum(areas, 1)) if label not in (0, chosen)
        }

    def _is_away(self) -> bool:
        """Whether the main person, who is not seen, may be back soon: `TURNS` frames are waited for them."""
        self._away += 1
        if self._away > TURNS:
            self.reset()
        return self._main is not None

    def _choose(self, labels: np.ndarray, areas: np.ndarray, seen: Map, size: Size) -> int:
        """The label of the main person; 0 while they are away, when nobody else is shown in their place."""
        largest = int(areas.argmax())
        if self._main is None:
            return largest
        before = _off_grid(self._main, labels.shape, seen, size)
        common = np.bincount(labels[before > 0], minlength=len(areas)).astype(np.float64)
        common[0] = 0
        same = int(common.argmax())
        if common[same] <= OVERLAP * min(np.count_nonzero(before), areas[same]):
            return 0 if self._is_away() else largest
        self._away = 0
        self._larger = self._larger + 1 if areas[largest] > LARGER * areas[same] else 0
        if self._larger > TURNS:
            self._larger = 0
            return largest
        return same


def _on_grid(mask: U8, seen: Map, size: Size) -> U8:
    """A mask of a map, 0 or 1, as one of the frame on the grid."""
    grid = np.zeros(GRID[::-1], np.uint8)
    x0, y0, x1, y1 = _place(seen, size)
    grid[y0:y1, x0:x1] = cv2.resize(mask, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return grid


def _off_grid(grid: U8, shape: tuple[int, ...], seen: Map, size: Size) -> U8:
    """The other way."""
    x0, y0, x1, y1 = _place(seen, size)
    part = cv2.resize(grid[y0:y1, x0:x1], (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return part.astype(np.uint8, copy=False)


def _place(seen: Map, size: Size) -> tuple[int, int, int, int]:
    box = seen.box
    x0, y0 = box.x0 * GRID[0] // size[0], box.y0 * GRID[1] // size[1]
    return x0, y0, max(-(-box.x1 * GRID[0] // size[0]), x0 + 1), max(-(-box.y1 * GRID[1] // size[1]), y0 + 1)


def _width(grid: U8) -> int:
    return int(cv2.boundingRect(grid)[2])


class MainOnly:
    """A segmenter of which the main person alone is left; see `vcam.segment.base.Segmenter`."""

    own_memory = "the main person alone is shown"

    def __init__(self, inner: Segmenter, *, still: bool = False) -> None:
        """Takes it over. still: each frame is a picture of its own."""
        self._inner, self._main, self._still = inner, MainPerson(), still

    @property
    def description(self) -> str:
        return self._inner.description

    @property
    def map_size(self) -> Size:
        return self._inner.map_size

    @property
    def notice(self) -> str:
        """See `TellsPeople`."""
        return getattr(self._inner, "notice", "")

    @notice.setter
    def notice(self, words: str) -> None:
        raise AttributeError(words)

    def segment(self, frame: Frame) -> Map:
        seen = self._inner.segment(frame)
        if self._still:
            self._main.reset()
        stays = self._main.keep(seen, frame.size)
        if stays is None:
            return seen
        key = None
        if seen.key is not None:
            height, width = seen.key.shape
            key = cv2.multiply(seen.key, cv2.resize(stays, (width, height), interpolation=cv2.INTER_NEAREST)).astype(
                np.uint8, copy=False
            )
        return replace(seen, probability=seen.probability * stays, key=key)

    def reset(self) -> None:
        self._inner.reset()
        self._main.reset()

    def close(self) -> None:
        self._inner.close()


class ExaminedMainOnly(MainOnly):
    """The same of a segmenter that can be asked what is known."""

    def __init__(self, inner: Segmenter, examined: Examined, *, still: bool = False) -> None:
        super().__init__(inner, still=still)
        self._examined = examined

    def examine(self, *, all_pictures: bool = False) -> None:
        """See `Examined`."""
        self._examined.examine(all_pictures=all_pictures)

    def idle(self) -> None:
        """See `Examined`."""
        self._examined.idle()


def main_only(inner: Segmenter, *, still: bool = False) -> Segmenter:
    """A segmenter of which the main person alone is left. still: each frame is a picture of its own."""
    if isinstance(inner, Examined):
        return ExaminedMainOnly(inner, inner, still=still)
    return MainOnly(inner, still=still)
