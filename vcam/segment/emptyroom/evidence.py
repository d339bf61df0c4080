"""What the empty room says of each pixel of a network's map: evidence for a person or against, added to its logit.

A pixel that looks as the plate does is the room, however sure the network is of a shelf beside the collar. One that
looks otherwise, close to whom the network has found, is the person, however much it doubts the hair. The evidence is
bounded, and it counts as much as plate and frame are found to show the same room (`vcam.segment.emptyroom.light`). If
much of the person looks as the plate does, somebody was in the plate, and it is not believed for a while.

With r the difference of frame and expected plate, S its variance in the room and F its variance on a person, both
normal, the logarithm of how much likelier the person is than the room is, summed over the three planes,

    L = r^2 / 2 (1 / S - 1 / (S + F)) - ln(1 + F / S) / 2

as in Wren et al., "Pfinder: Real-Time Tracking of the Human Body", PAMI 1997, but that a person's colours are not
known: F is how much the person nearby differs from the room.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vcam.frames import Planes
from vcam.segment.emptyroom.light import (
    GRAIN,
    SLIPPED,
    Light,
    Plate,
    around,
    cells,
    full_residual,
    high_pass,
    spread,
)
from vcam.types import F32, U8

PERSON = 0.9
"""The probability from which a pixel is surely the person."""
NEAR_CELL = 4
"""Half-size pixels of a cell, within which the person is taken to differ from the room alike."""
WEIGHTS = (1.0, 9.0)
"""Of a squared difference of luma, and of chroma, whose noise is a third as large."""
PRIOR = (22.5**2, 7.5**2)
"""How much a person differs from a room, luma and chroma, in squared levels, where none is close by."""
PRIOR_WEIGHT = 0.02
"""Its weight, as a share of a cell."""
SPREAD = 2.0
"""How much wider the person's differences are taken to spread than those that were seen."""
LEAST = 100.0
"""A person differs from the room by so much at least, in weighted squared levels, or alpha would be of noise."""
HALF_AT = 25.0
"""The person must differ from the room by so many times the noise, or alpha counts half."""
MIDDLE = 0.35
"""The alpha, told by differences alone, that speaks neither for a person nor against; twice of it speaks its most."""
LOUDEST = 12.0
"""The most that one pixel's L may be."""
AGAINST = (np.float32(0), np.float32(8))
"""The most that a likeness of colour may say against a person: on a plain wall, and besides on full texture.

A shirt of the wall's colour looks as the wall does: where there is no texture the network is taken at its word. A tenth
of the gain is lost by that, and no shirt."""
FOR = 4.0
"""The most that a difference may say for one."""
SAME_TEXTURE = 8.0
"""The most that texture may say against one, which holds in a shadow as well."""
TEXTURED = 36.0
"""The mean squared texture that makes half of full texture."""
ALIKE = (0.6, 0.9)
"""Correlations within a window from which on the texture speaks, and where it says its most."""
WINDOW = 7
"""Side of that window."""
SHADE = (0.45, 1.25)
"""Ratios of luma, at the same chroma, that are a shadow or a lamp rather than a person."""
CLIPPED = {False: (18, 232), True: (3, 252)}
"""Luma below and above which nothing can be told, in the limited and in the full range."""
DARK = 32.0
"""Levels above that for which a likeness still says less against a person than in the light.

Black hair before a dark cupboard differs from it by less than the camera's noise, whatever edges are around."""
DARKEST = {False: 16.0, True: 0.0}
"""The luma of black."""
CLOSE = 16.0
"""Pixels of the person around, at half size within 12, from which on a difference counts in full."""
REACH = 40
"""How far, in half-size pixels, a difference that begins in the sure room is followed: furniture, or a screen."""
HOLD = 0.95
"""How much evidence against a person stays from one frame to the next, so that what was a ghost does not come back."""
CALM, CHANGE = 0.2, 1.0
"""How much is taken of a change of the evidence that is next to nothing, and the change from which on all of it is.

What changes little from frame to frame is the camera's noise, and would be a flicker of the edge. More of it would come
late where somebody moves."""
LARGE = 0.02
"""The share of the map that is surely a person, below which so little is no sign of one in the plate."""
CONTRADICTS = -1.0
"""Evidence from which on a sure pixel counts as contradicted."""
USUAL, TOO_MUCH = 0.12, 0.25
"""Shares of the surely person that may look like the plate, and from which on somebody must have been in it."""
RECOVERY = 0.0015
"""How much of the trust in a plate comes back in a frame: all of it in 20 seconds, in which the plate may be learnt
anew."""
GHOST, STEADY = -0.2, 0.1
"""Evidence from which on a pixel is taken for a ghost, which falls at once and rises slowly; and how much it rises in a
frame at least, of what there is to rise. Of more than that it is as much as the rise is large.

Where a network is surely wrong it hardly flickers. Half taken back, its logit is where each noise of it is seen."""
MOST = 3.0
"""Beyond this logit, 95 %, a network is taken at its word no more: it can be overruled.

It often is surer than that and at times is not, and nobody sees it; weighed against the room it would be a flicker."""


@dataclass(slots=True)
class Verdict:
    """What was found of one frame; the arrays are fresh.

    evidence: float32 (height, width), to be added to the logit. The others are float32 of half the size: `person`, the
    weighted square by which the person nearby differs from the room; `noise`, the same of the room itself; `lit`, how
    much a pixel is like the room in another light, 0 to 1. strange: uint8, 1 where something is that is no part of the
    person.
    """

    evidence: F32
    person: F32
    noise: F32
    lit: F32
    strange: U8
    trust: float


class Evidence:
    """Weighs the frames of one source, one after the other. A likeness to the room is held for a while: what was called
    a ghost once does not flicker back."""

    def __init__(self, trust: float = 1.0, *, doubts: bool = True) -> None:
        """trust: how far the plate is believed to be empty; doubts: whether that may become less."""
        self._before: F32 | None = None
        self.trust, self._doubts = trust, doubts

    def reset(self) -> None:
        """What comes next has nothing to do with what was before: it is not held any more."""
        self._before = None

    @staticmethod
    def _trusted(probability: F32, found: F32) -> float:
        """How far the plate is believed to be empty: less, the more of the person looks as it does."""
        sure = probability > PERSON
        number = np.count_nonzero(sure)
        if number < LARGE * sure.size:
            return 1.0
        share = np.count_nonzero(sure & (found < CONTRADICTS)) / number
        return min(max((TOO_MUCH - share) / (TOO_MUCH - USUAL), 0.0), 1.0)

    def weigh(self, probability: F32, planes: Planes, plate: Plate, light: Light, *, full_range: bool) -> Verdict:
        """The evidence of one frame; arguments as for `LightMeter.measure`, which has found `light`."""
        p = probability
        lowest = np.minimum(np.minimum(p[::2, ::2], p[::2, 1::2]), np.minimum(p[1::2, ::2], p[1::2, 1::2]))
        highest = np.maximum(np.maximum(p[::2, ::2], p[::2, 1::2]), np.maximum(p[1::2, ::2], p[1::2, 1::2]))
        ry, ru, rv = light.residual
        nearby = _Nearby.of((lowest > PERSON).astype(np.float32), light.residual, plate)
        # the likelihoods of chroma, at half the size, and all three logarithms
        sy, su, sv = light.noise[0], *(light.noise[c] + SLIPPED * plate.slopes[c] for c in (1, 2))
        fy, fu, fv = np.maximum(nearby.luma, sy), np.maximum(nearby.chroma, su), np.maximum(nearby.chroma, sv)
        likelihood = (ru * ru / 2) * (1 / su - 1 / (su + fu)) + (rv * rv / 2) * (1 / sv - 1 / (sv + fv))
        likelihood -= np.log((1 + fu / su) * (1 + fv / sv) * (1 + fy / sy)) / 2
        colour = WEIGHTS[1] * (ru * ru + rv * rv)
        noise = WEIGHTS[1] * (su + sv) + sy
        lit = _lit(light, plate, (su, sv), DARKEST[full_range])
        differs = ry * ry + colour - noise > MIDDLE**2 * np.maximum(nearby.person - noise, LEAST)
        strange = _strange(light.room, lit, differs & (highest < PERSON))
        lit = np.where(strange != 0, np.float32(1), lit)
        # at the map's size
        r = full_residual(planes[0], plate, light.gain[0], light.offset[0], light.drift[0])
        s, f = _twice(sy) + SLIPPED * plate.slopes[0], _twice(fy)
        each = np.clip(_between(likelihood) + (r * r / 2) * (1 / s - 1 / (s + f)), -LOUDEST, LOUDEST)
        sums, squared = _mean(each, 3), _mean(r * r + _between(colour), 3)
        d, n = _twice(nearby.person), _twice(noise)
        alpha = np.sqrt(np.maximum(squared - n, 0) / np.maximum(d - n, LEAST))
        says = np.clip((alpha - MIDDLE) / MIDDLE, -1, 1) * d / (d + HALF_AT * n)
        textured, same = _texture(planes[0], plate)
        against = -np.minimum(np.maximum(-sums, 0), AGAINST[0] + AGAINST[1] * textured)
        speaks = FOR * says * _twice((1 - lit) * nearby.close) * (1 - same)
        found = np.where(says < 0, against, speaks) - SAME_TEXTURE * same * same
        found *= light.gate * _twice((plate.known != 0).astype(np.float32))
        brighter = np.maximum(planes[0], plate.y).astype(np.float32)
        dark = np.clip((brighter - CLIPPED[full_range][0]) / DARK, 0, 1)
        found = np.where(found < 0, found * dark, found)
        before = np.zeros_like(found) if self._before is None else self._before
        change = found - before
        found = before + change * np.clip(np.abs(change) / CHANGE, CALM, 1)
        found = np.where((says < 0) & (sums < 0), np.minimum(found, HOLD * before), found)
        found[_blind(planes[0], plate.y, CLIPPED[full_range])] = 0
        self._before = found.astype(np.float32)
        if self._doubts:
            self.trust = min(self._trusted(p, self._before), self.trust + RECOVERY)
        found = self._before * np.float32(self.trust)
        return Verdict(found, nearby.person, noise.astype(np.float32), lit.astype(np.float32), strange, self.trust)


def corrected(probability: F32, evidence: F32) -> F32:
    """The probability with the evidence added to its logit, a fresh array; bit for bit the same where there is none."""
    surely = np.float32(1 / (1 + np.exp(-MOST)))
    bounded = np.where(evidence < 0, np.minimum(probability, surely), np.maximum(probability, 1 - surely))
    odds = bounded * np.exp(evidence)
    result = np.where(evidence == 0, probability, odds / (odds + 1 - bounded))
    return np.asarray(result, np.float32)


def without_ghosts(corrected: F32, before: F32, evidence: F32) -> F32:
    """The corrected map, a fresh array, but that ghosts rise slowly from `before`, which is that of the last frame."""
    rise = corrected - before
    slow = np.clip(evidence / np.float32(GHOST), 0, 1) * (1 - np.maximum(rise, np.float32(STEADY)))
    return np.ascontiguousarray(np.where(rise > 0, corrected - slow * rise, corrected), np.float32)


def power(plate: Plate) -> F32:
    """The mean squared texture around each pixel of the plate, float32 (height, width)."""
    return _mean(plate.texture * plate.texture, WINDOW)


@dataclass(frozen=True, slots=True)
class _Nearby:
    """How the person around each pixel differs from the room, float32 planes of half the size.

    `person` is the weighted square of it, `luma` and `chroma` what its differences spread by; close: how much of a
    person is there at all, 0 to 1.
    """

    person: F32
    luma: F32
    chroma: F32
    close: F32

    @classmethod
    def of(cls, person: F32, residual: tuple[F32, F32, F32], plate: Plate) -> _Nearby:
        """person: 1 where surely one is, else 0."""
        (ry, ru, rv), side, size = residual, NEAR_CELL, plate.size
        count = around(cells(person, side))
        faint = np.float32(PRIOR_WEIGHT * 9 * side * side)
        luma = (around(cells(person * ry * ry, side)) + faint * np.float32(PRIOR[0])) / (count + faint)
        chroma = around(cells((person * (ru * ru + rv * rv) / 2).astype(np.float32), side))
        chroma = (chroma + faint * np.float32(PRIOR[1])) / (count + faint)
        return cls(
            spread((WEIGHTS[0] * luma + 2 * WEIGHTS[1] * chroma).astype(np.float32), side, size),
            spread(np.minimum(luma * SPREAD, 4 * PRIOR[0]).astype(np.float32), side, size),
            spread(np.minimum(chroma * SPREAD, 4 * PRIOR[1]).astype(np.float32), side, size),
            spread(np.minimum(count / CLOSE, 1).astype(np.float32), side, size),
        )


def _lit(light: Light, plate: Plate, noise: tuple[F32, F32], black: float) -> F32:
    """How much each half-size pixel is the room in a shadow or under a lamp: the same colour, brighter or darker.

    The likeness falls off as 1 / (1 + z / 16 + 0.003 z^2), z the squared distance of the chroma in its noise: about
    exp(-z / 8), which costs more.
    """
    ry, ru, rv = light.residual
    above = np.maximum(plate.half - np.float32(black), 1)
    ratio = np.clip((ry + above) / above, 0, 2)
    u = ru + (1 - ratio) * (plate.u - np.float32(128))
    v = rv + (1 - ratio) * (plate.v - np.float32(128))
    z = u * u / noise[0] + v * v / noise[1]
    bounds = np.clip((ratio - SHADE[0]) * 10, 0, 1) * np.clip((SHADE[1] - ratio) * 10, 0, 1)
    return np.asarray(bounds / (1 + z / 16 + 0.003 * z * z), np.float32)


def _strange(room: U8, lit: F32, differs: npt.NDArray[np.bool_]) -> U8:
    """Where something is that begins in the sure room, uint8 0 or 1: a chair that was moved, a screen, no person."""
    square = np.ones((3, 3), np.uint8)
    seeds = ((room != 0) & differs & (lit < 0.5)).view(np.uint8)
    grown = cv2.erode(seeds, square, borderType=cv2.BORDER_CONSTANT, borderValue=0).astype(np.uint8, copy=False)
    if not grown.any():
        return np.zeros_like(seeds)
    allowed = differs.view(np.uint8)
    for _ in range(REACH):
        larger = cv2.dilate(grown, square).astype(np.uint8, copy=False) & allowed
        if np.array_equal(larger, grown):
            break
        grown = larger
    return cv2.dilate(grown, square).astype(np.uint8, copy=False)


def _texture(luma: U8, plate: Plate) -> tuple[F32, F32]:
    """How much texture the plate has around each pixel, and how much of it the frame has too; float32, 0 to 1."""
    mine, theirs, mean_square = high_pass(luma), plate.texture, power(plate)
    textured = mean_square / (mean_square + TEXTURED)
    both = np.sqrt(_mean(mine * mine, WINDOW) * mean_square + GRAIN * GRAIN + 1e-3)
    likeness = _mean(mine * theirs, WINDOW) / both
    return textured, textured * np.clip((likeness - ALIKE[0]) / (ALIKE[1] - ALIKE[0]), 0, 1)


def _blind(luma: U8, plate: U8, ends: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Where both are clipped white, or both black."""
    low, high = ends
    return np.asarray(((luma < low) & (plate < low)) | ((luma > high) & (plate > high)))


def _mean(plane: npt.NDArray[Any], side: int) -> F32:
    """Of a window around each pixel; beyond the border it repeats."""
    plane = plane.astype(np.float32, copy=False)
    return cv2.blur(plane, (side, side), borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)


def _twice(plane: npt.NDArray[Any]) -> F32:
    """Each pixel as four."""
    return np.asarray(np.repeat(np.repeat(plane, 2, 0), 2, 1), np.float32)


def _between(plane: npt.NDArray[Any]) -> F32:
    """At twice the size, bilinear."""
    plane = plane.astype(np.float32, copy=False)
    size = 2 * plane.shape[1], 2 * plane.shape[0]
    return cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
