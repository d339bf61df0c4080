"""What frame and plate say of one map, by the compiled loop where there is one."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from vcam import native
from vcam.frames import Planes
from vcam.native import room as loop
from vcam.segment.emptyroom import edge, evidence, light
from vcam.segment.emptyroom.edge import Finding
from vcam.segment.emptyroom.evidence import Evidence, corrected, without_ghosts
from vcam.segment.emptyroom.light import LightMeter, Plate
from vcam.types import F32, U8


class Finder(Protocol):
    """Compares the maps of one source, frame by frame, with the plate of one part of its frames."""

    @property
    def agreement(self) -> float:
        """How far the textures of the last frame and the plate agreed, -1 to 1; 1 if too little of it was in view."""

    @property
    def trust(self) -> float:
        """How far the plate is believed to be empty, 0 to 1."""

    def use(self, plate: Plate) -> None:
        """Go on with another state of the same plate."""

    def find(self, probability: F32, planes: Planes) -> Finding | None:
        """What is found, valid until the next call.

        None if nothing can be told: too little of the room is in view, or it is another one.

        probability: float32 (height, width) of the plate's shape; planes: the frame's, at that size.
        """

    def sharpen(self, matte: U8, planes: Planes, plate: Planes, small: U8, first: tuple[int, int]) -> None:
        """Change a refined matte in place by what was found last; see `edge.Sharpen`."""


class PlainFinder:
    """By numpy and OpenCV: what the loop does, in passes."""

    def __init__(self, plate: Plate, *, full_range: bool, trust: float = 1.0, doubts: bool = True) -> None:
        self._plate, self._full_range = plate, full_range
        self._meter, self._evidence = LightMeter(), Evidence(trust, doubts=doubts)
        # from what is all there nothing rises: the first map is not held down
        self._out = np.ones(plate.y.shape, np.float32)
        self._last: Finding

    @property
    def agreement(self) -> float:
        """See `Finder`."""
        return self._meter.agreement

    @property
    def trust(self) -> float:
        """See `Finder`."""
        return self._evidence.trust

    def use(self, plate: Plate) -> None:
        """See `Finder`."""
        self._plate = plate

    def find(self, probability: F32, planes: Planes) -> Finding | None:
        """See `Finder`."""
        seen = self._meter.measure(probability, planes, self._plate)
        if seen is None:
            self._evidence.reset()
            self._out = probability.copy()
            return None
        verdict = self._evidence.weigh(probability, planes, self._plate, seen, full_range=self._full_range)
        self._out = without_ghosts(corrected(probability, verdict.evidence), self._out, verdict.evidence)
        self._last = Finding(
            self._out, seen.gain, seen.offset, seen.drift,
            seen.residual[0], seen.noise[0], verdict.noise, verdict.person, verdict.lit, verdict.strange, seen.room,
            seen.gate * verdict.trust, seen.agreement,
        )  # fmt: skip
        return self._last

    def sharpen(self, matte: U8, planes: Planes, plate: Planes, small: U8, first: tuple[int, int]) -> None:
        """See `Finder`."""
        edge.sharpen(self._last, self._plate.known, matte, (planes, plate), edge.band_of(small), first)


class LoopFinder:
    """By the compiled loop."""

    def __init__(
        self, kernels: native.Kernels, plate: Plate, *, full_range: bool, trust: float = 1.0, doubts: bool = True
    ) -> None:
        """Raises `ValueError` for a plate of odd sides."""
        self._kernels = kernels
        self.use(plate)
        self._terms = terms(full_range=full_range, doubts=doubts)
        shape, half = plate.y.shape, plate.u.shape
        self._before, self._out = np.zeros(shape, np.float32), np.ones(shape, np.float32)
        self._found, self._told = np.zeros((loop.FOUND, *half), np.float32), np.zeros(loop.TOLD, np.float32)
        self._strange, self._room = np.zeros(half, np.uint8), np.zeros(half, np.uint8)
        self._told[loop.BELIEVED], self._told[loop.TRUST], self._told[loop.AGREEMENT] = -1, trust, 1

    @property
    def agreement(self) -> float:
        """See `Finder`."""
        return float(self._told[loop.AGREEMENT]) if self._told[loop.BELIEVED] >= 0 else 1.0

    @property
    def trust(self) -> float:
        """See `Finder`."""
        return float(self._told[loop.TRUST])

    def use(self, plate: Plate) -> None:
        """See `Finder`. Raises `ValueError` for a plate of odd sides."""
        full = plate.y, plate.texture, evidence.power(plate), plate.slopes[0]
        slopes = light.mean_of_four(plate.slopes[0]), plate.slopes[1], plate.slopes[2]
        self._table = loop.RoomTable(full, (plate.half, plate.u, plate.v, plate.known), slopes)

    def find(self, probability: F32, planes: Planes) -> Finding | None:
        """See `Finder`."""
        kept, marks = (self._before, self._found, self._told), (self._strange, self._room)
        seen = np.ascontiguousarray(probability)
        self._kernels.room.find(self._table, self._terms, (seen, planes), self._out, kept, marks)
        told, found = self._told.tolist(), self._found
        if told[loop.GATE] <= 0:
            return None
        return Finding(
            self._out, _three(told, loop.GAIN), _three(told, loop.OFFSET),
            (found[loop.DRIFT], found[loop.DRIFT + 1], found[loop.DRIFT + 2]), found[loop.RESIDUAL],
            found[loop.NOISE_LUMA], found[loop.NOISE], found[loop.PERSON], found[loop.LIT], self._strange, self._room,
            told[loop.GATE] * told[loop.TRUST], told[loop.AGREEMENT],
        )  # fmt: skip

    def sharpen(self, matte: U8, planes: Planes, plate: Planes, small: U8, first: tuple[int, int]) -> None:
        """See `Finder`."""
        self._kernels.room.sharpen(
            self._table, self._terms, (self._found, self._told), matte, (planes, plate), small, first,
            low=edge.LOW, high=edge.HIGH, strength=edge.STRENGTH,
        )  # fmt: skip


def _three(numbers: list[float], first: int) -> tuple[float, float, float]:
    return numbers[first], numbers[first + 1], numbers[first + 2]


def make_finder(plate: Plate, *, full_range: bool, trust: float = 1.0, doubts: bool = True) -> Finder:
    """The faster of the two that there is. trust, doubts: see `Evidence`."""
    kernels = native.kernels()
    if kernels is None:
        return PlainFinder(plate, full_range=full_range, trust=trust, doubts=doubts)
    return LoopFinder(kernels, plate, full_range=full_range, trust=trust, doubts=doubts)


_NEVER = 2.0
"""A share of the map that there cannot be."""


def terms(*, full_range: bool, doubts: bool = True) -> loop.RoomTerms:
    """The constants of `light` and `evidence`, for the loop. doubts: see `Evidence`."""
    low, high = evidence.CLIPPED[full_range]
    floors = [least**2 for least in light.FLOORS]
    large = evidence.LARGE if doubts else _NEVER
    return loop.RoomTerms(
        sure=light.SURE, least=light.LEAST, stiff=light.STIFF, gain_low=light.GAINS[0], gain_high=light.GAINS[1],
        medians=light.OUTLIERS[0], levels=light.OUTLIERS[1], doubt=light.DOUBT, belief=light.BELIEF,
        grain=light.GRAIN, slowly=light.SLOWLY, faint=light.FAINT, loudest=light.LOUDEST,
        floor_y=floors[0], floor_u=floors[1], floor_v=floors[2], slipped=light.SLIPPED,
        person=evidence.PERSON, luma=evidence.WEIGHTS[0], chroma=evidence.WEIGHTS[1], prior_luma=evidence.PRIOR[0],
        prior_chroma=evidence.PRIOR[1], prior_weight=evidence.PRIOR_WEIGHT, spread=evidence.SPREAD,
        least_person=evidence.LEAST, half_at=evidence.HALF_AT, middle=evidence.MIDDLE, loudest_sum=evidence.LOUDEST,
        against=float(evidence.AGAINST[0]), against_texture=float(evidence.AGAINST[1]), for_one=evidence.FOR,
        same_texture=evidence.SAME_TEXTURE, textured=evidence.TEXTURED, alike_low=evidence.ALIKE[0],
        alike_high=evidence.ALIKE[1], shade_low=evidence.SHADE[0], shade_high=evidence.SHADE[1], clip_low=low,
        clip_high=high, dark=evidence.DARK, black=evidence.DARKEST[full_range], close=evidence.CLOSE,
        hold=evidence.HOLD, calm=evidence.CALM, change=evidence.CHANGE, most=evidence.MOST, large=large,
        contradicts=evidence.CONTRADICTS, usual=evidence.USUAL, too_much=evidence.TOO_MUCH,
        recovery=evidence.RECOVERY, ghost=evidence.GHOST, steady=evidence.STEADY,
        guard=light.GUARD, reach=evidence.REACH,
    )  # fmt: skip
