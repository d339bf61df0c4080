"""The empty room as it is told: some frames of it, judged one by one, and their mean.

Whoever tells vcam the room has stepped out. That is not taken on trust: a person in the plate would be taken for the
room. What the network sees must be nobody, nothing but little may move, and there must be light. What is too small to
be refused, a ghost of the network or a clock, is left unknown.

Memory is bounded whatever the number of frames: three sums, two averages and two planes of counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vcam.errors import EngineError, VcamError
from vcam.frames import Frame, Map
from vcam.scaling import Reducer, halve
from vcam.segment.emptyroom.light import GRAIN, WINDOW
from vcam.segment.emptyroom.picture import RoomPicture, fault_of, filled, picture_size
from vcam.types import F32, U8, Size

PERSON, THERE = 0.5, 0.25
"""Probabilities from which a pixel counts as somebody, and from which on it is left unknown."""
SOMEBODY = 0.01
"""Share of the picture from which on what the network sees is somebody: a person who stands far away has twice that."""
FEW = 4
"""Frames that may show somebody, or move: networks flicker. They are not used. One more, and it is told at once."""
LEAST = 8
"""Frames that are used, at least."""
FIRST = 5
"""Frames whose mean the later ones are compared with."""
RECENT = 0.3
"""How much the newest frame weighs in the average of the last ones."""

MOVES, NOISES, NOISIEST = 8.0, 6.0, 24.0
"""Levels, and multiples of the noise, from which on a difference between two frames is no noise; and so many levels are
no noise of any camera."""
NEARBY, FLICKER = 3, 12.0
"""Part of the picture's height over which the light is taken to change alike, and by how many levels at most."""
MUCH = 0.1
"""Share of the picture that may move, as a screen or a curtain does; it is left unknown."""
PARTS, REACH = 4, 12
"""Parts of a side of the room's picture, and pixels within which each is searched for: was the camera moved?"""
ALIKE, BETTER = 0.5, 0.05
"""The correlation at least of its texture there, and by how much it must be better than where it was."""

BLACK, DARK = 10.0, 40.0
"""Luma, of 255, that nearly all of the picture stays below where the lens is covered, and where the light is out."""
NEARLY = 95
"""Per cent of the pixels."""
WHITE, WHITEST = 250.0, 0.4
"""Luma, of 255, that is taken to be clipped, and the share of the picture that may be."""
FLAT = 2.0
"""Deviation of luma within a picture that shows nothing."""
DRIFT = 8.0
"""Levels by which the mean luma may change meanwhile."""
TWICE = 2
"""Frames in which a pixel is somebody, or moves, before it is left unknown."""
GHOST, TREMBLE = 17, 9
"""Sides of the squares, in pixels of chroma, that are left unknown around such pixels."""
ENOUGH = 0.5
"""Share of the picture that must be known in the end."""

_STILL = "let nobody pass, draw the curtain, switch the screen off, and try again"
FORCE = "--force if it is a picture of a person, or a ghost of the network"


@dataclass(frozen=True, slots=True)
class Told:
    """The room that was told. The others are shares of the picture, 0 to 1: what is known, and what is left unknown."""

    room: RoomPicture
    known: float
    people: float
    """Where the network saw somebody, though little."""
    moving: float


class RoomTelling:
    """Takes frames of one empty room, one after the other; `finish` gives the room."""

    def __init__(self, size: Size, *, full_range: bool, force: bool = False) -> None:
        """size: (width, height) of the frames to come. force: what the network calls somebody is the room, too."""
        self._frame_size, self._full_range, self._force = size, full_range, force
        width, height = picture_size(size)
        self._small = Frame.allocate(width, height)
        self._reducers = Reducer(), Reducer(), Reducer()
        self._sums = [np.zeros(plane.shape, np.uint32) for plane in self._small.planes]
        half = (height // 2, width // 2)
        self._half = np.empty(half, np.uint8)
        self._first, self._recent = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
        self._reference = np.zeros(half, np.float32)
        self._people, self._moving = np.zeros(half, np.uint16), np.zeros(half, np.uint16)
        self._peopled = self._unquiet = 0
        self.looked = self.used = 0
        """Frames so far, and those of them that are in the mean."""

    def add(self, seen: Map, frame: Frame) -> None:
        """One more frame, with what the network alone sees in it; nothing of it is kept but in sums.

        Raises `EngineError` for what is no map of this frame, which may be a hiccup; else `VcamError`, once it is sure
        that this is no empty room, or not at rest: no more may be added then.
        """
        if fault := fault_of(seen, frame):
            raise EngineError(f"the network's map {fault}")
        if frame.size != self._frame_size or frame.full_range != self._full_range:
            raise VcamError("the camera's picture has changed its form meanwhile", "try again")
        self.looked += 1
        if not self._force and not self._is_empty(seen):
            self._peopled += 1
            if self._peopled > FEW:
                raise _somebody()
            return
        small = self._small
        for reducer, plane, target in zip(self._reducers, frame.planes, small.planes, strict=True):
            reducer.reduce(plane, target)
        halve(small.y, self._half)
        if self.used >= FIRST and not self._is_at_rest():
            self._unquiet += 1
            if self._unquiet > FEW:
                raise self._unrest(small.y.astype(np.float32))
            return
        self._average()
        for total, plane in zip(self._sums, small.planes, strict=True):
            total += plane
        self.used += 1

    def finish(self) -> Told:
        """The room. Raises `VcamError` if the frames do not tell it."""
        if self._peopled > self.looked // 10 + 1:
            raise _somebody()
        if self.used < LEAST:
            raise VcamError(
                f"only {self.used} frames could be used, of {self.looked}", "try again, with more light if it is dark"
            )
        y, u, v = (np.rint(total / self.used).astype(np.uint8) for total in self._sums)
        _refuse_light(_levels(y, full_range=self._full_range))
        scale = 1.0 if self._full_range else 255 / 219
        if abs(float(self._first.mean()) - float(self._recent.mean())) * scale > DRIFT:
            raise VcamError("the light changes, or the camera has yet to set its exposure", "try again: --wait 10")
        if is_moved(self._first, self._recent):
            raise _moved()
        people, moving = _around(self._people, GHOST), _around(self._moving, TREMBLE)
        known = np.where(people | moving, 0, 255).astype(np.uint8)
        share = float(np.mean(known != 0))
        if share < ENOUGH:
            cure = FORCE if people.sum() > moving.sum() else _STILL
            raise VcamError(f"only {100 * share:.0f} % of the picture shows an empty room at rest", cure)
        # what is not known is not kept either: somebody may be there
        where = (known != 0).view(np.uint8)
        fours = np.repeat(np.repeat(where, 2, 0), 2, 1)
        frame = Frame(filled(y, fours), filled(u, where), filled(v, where), full_range=self._full_range)
        room = RoomPicture(frame, known)
        return Told(room, share, float(people.mean()), float(moving.mean()))

    def _is_empty(self, seen: Map) -> bool:
        """Whether the network sees nobody, or so little that it is only left unknown."""
        wide, tall = seen.box.size
        width, height = self._frame_size
        p = seen.probability
        share = np.count_nonzero(p > PERSON) / p.size * (wide * tall) / (width * height)
        if share > SOMEBODY:
            return False
        rows, columns = self._people.shape
        x0, x1 = seen.box.x0 * columns // width, -(-seen.box.x1 * columns // width)
        y0, y1 = seen.box.y0 * rows // height, -(-seen.box.y1 * rows // height)
        part = cv2.resize(np.ascontiguousarray(p, np.float32), (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        self._people[y0:y1, x0:x1] += part > THERE
        return True

    def _is_at_rest(self) -> bool:
        """Whether nothing but little differs from the first frames, beyond noise and light."""
        reference = self._reference
        gain = np.median((self._half + np.float32(1)) / (reference + np.float32(1)))
        difference = np.subtract(self._half, gain * reference, dtype=np.float32)
        side = self._half.shape[0] // NEARBY | 1
        # what moves must not be smeared over what is around it
        light = np.clip(difference, -FLICKER, FLICKER)
        difference -= cv2.blur(light, (side, side), borderType=cv2.BORDER_REFLECT)
        np.abs(difference, out=difference)
        # the median of the absolute value, for normal noise
        noise = float(np.median(difference)) * 1.48
        moving = (difference > min(max(MOVES, NOISES * noise), NOISIEST)).view(np.uint8)
        moving = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)).astype(np.uint8, copy=False)
        if np.count_nonzero(moving) > MUCH * moving.size:
            return False
        self._moving += moving
        return True

    def _average(self) -> None:
        """Take the reduced frame into the averages of the first ones and of the last ones."""
        y, weight = self._small.y, np.float32(1 / (self.used + 1))
        if self.used < FIRST:
            self._first += weight * (y - self._first)
            self._reference += weight * (self._half - self._reference)
        self._recent += max(weight, np.float32(RECENT)) * (y - self._recent)

    def _unrest(self, now: F32) -> VcamError:
        if is_moved(self._first, now):
            return _moved()
        return VcamError("something moves in the picture, or the light changes", _STILL)


def is_moved(one: F32, other: F32) -> bool:
    """Whether a picture moved as a whole, or grew: most of its textured parts are found elsewhere in the other.

    float32 (height, width) of one size, in levels of luma.
    """
    height, width = one.shape[0] // PARTS, one.shape[1] // PARTS
    reach = min(REACH, height // 4, width // 4)
    first, second = _texture(one), _texture(other)
    textured = elsewhere = 0
    for top in range(0, PARTS * height, height):
        for left in range(0, PARTS * width, width):
            inner = first[top + reach : top + height - reach, left + reach : left + width - reach]
            if float(np.mean(inner * inner)) < GRAIN:
                continue
            textured += 1
            scores = cv2.matchTemplate(
                second[top : top + height, left : left + width], np.ascontiguousarray(inner), cv2.TM_CCOEFF_NORMED
            )
            best = float(scores.max())
            elsewhere += best > ALIKE and best > float(scores[reach, reach]) + BETTER
    return elsewhere > max(textured / 2, 2)


def _texture(luma: F32) -> F32:
    return (luma - cv2.blur(luma, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)).astype(np.float32, copy=False)


def _around(counts: npt.NDArray[np.uint16], side: int) -> npt.NDArray[np.bool_]:
    """Where a pixel was counted more than once, and close to that."""
    marked = (counts >= TWICE).view(np.uint8)
    return np.asarray(cv2.dilate(marked, np.ones((side, side), np.uint8)) != 0)


def _levels(luma: U8, *, full_range: bool) -> F32:
    """Luma from 0 to 255, whatever the range."""
    values = luma.astype(np.float32)
    return values if full_range else np.clip((values - 16) * np.float32(255 / 219), 0, 255).astype(np.float32)


def _refuse_light(luma: F32) -> None:
    """Raise `VcamError` for a picture in whose light no room can be told."""
    brightest = float(np.percentile(luma, NEARLY))
    if brightest < BLACK:
        raise VcamError("the picture is black", "open the camera's shutter, switch the light on, and try again")
    if brightest < DARK:
        raise VcamError("it is too dark to tell the room", "switch the light on, as in a call, and try again")
    if float(luma.std()) < FLAT:
        raise VcamError("the picture is the same everywhere", "is the lens covered? Uncover it, and try again")
    if np.count_nonzero(luma >= WHITE) > WHITEST * luma.size:
        raise VcamError(
            "much of the picture is overexposed, and white tells nothing",
            "less light, or less exposure (camera.exposure), and try again",
        )


def _somebody() -> VcamError:
    return VcamError("somebody is in the picture", f"step out and try again ({FORCE})")


def _moved() -> VcamError:
    return VcamError(
        "the camera was moved, or it zooms or follows by itself",
        "let it stand still, switch its auto-framing off, and try again",
    )
