"""The edge of the matte, told by the plate: difference matting, in the band where the network's map is undecided.

Where a person stands before a known room, I = a F + (1 - a) B. With a person's colours F far from the room's B, the
distance of I from B, as a share of that of F from B, is a: the difference matting of Qian and Sezan, "Video Background
Replacement without a Blue Screen", ICIP 1999. The noise is taken off, and what is near 0 or 1 becomes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.frames import Box, Frame, Planes
from vcam.segment.emptyroom.evidence import HALF_AT, LEAST, WEIGHTS
from vcam.types import F32, U8, Size

LOW, HIGH = 0.1, 0.8
"""Alphas that become 0 and 1."""
STRENGTH = 0.5
"""How much of the way the refined matte goes to what the plate says."""

_SQUARE = np.ones((3, 3), np.uint8)


def band_of(small: U8) -> U8:
    """Where a map, uint8, has its edge: 255 within a pixel of it, and softly less one further."""
    inside = cv2.erode(small, _SQUARE) < 128
    near = ((cv2.dilate(small, _SQUARE) > 127) & inside).astype(np.uint8) * np.uint8(255)
    return cv2.blur(near, (3, 3)).astype(np.uint8, copy=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one frame; valid until the next.

    probability: float32 (height, width), the corrected map. The other planes are of half the size: `drift` (3 of them),
    `residual` (of luma), `noise_luma`, `noise`, `person`, `lit` float32, see `light.Light` and `evidence.Verdict`;
    `strange` and `room` uint8, 0 or 1.
    """

    probability: F32
    gain: tuple[float, float, float]
    offset: tuple[float, float, float]
    drift: tuple[F32, F32, F32]
    residual: F32
    noise_luma: F32
    noise: F32
    person: F32
    lit: F32
    strange: U8
    room: U8
    gate: float
    agreement: float


Sharpen = Callable[[U8, Planes, Planes, U8, tuple[int, int]], None]
"""Changes the refined matte of a box in place.

The planes of frame and plate are of its size; then comes the box in the map, uint8, and the first pixel of that.
"""


class PlateEdge:
    """What a frame's plate says of edges, for the matte stage; valid until the segmenter's next frame."""

    def __init__(self, sharpen: Sharpen, plate: Callable[[Size], Frame]) -> None:
        """sharpen: of a `Finder`; plate: the whole frame's, of any size asked for."""
        self._sharpen, self._plate = sharpen, plate

    def apply(self, matte: U8, planes: Planes, small: U8, source: Box, whole: tuple[Box, Size]) -> None:
        """Change the refined matte of a box in place: uint8 (h, w), of even bounds and sides at its own size.

        planes: the frame's there; small: the map in the same box, which is `source` in the map; whole: the box, and
        (width, height) of the frame that it is in, in pixels of the matte.
        """
        box, size = whole
        if any(bound % 2 for bound in box):
            return
        plate = self._plate(size).view(box).planes
        self._sharpen(matte, planes, plate, small, (source.x0, source.y0))


def sharpen(
    finding: Finding, known: U8, matte: U8, both: tuple[Planes, Planes], band: U8, first: tuple[int, int]
) -> None:
    """Change a refined matte in place, by numpy: what the compiled loop does.

    both: the planes of frame and plate; band: as `band_of` has it.
    """
    dark = np.abs(finding.residual) / np.sqrt(finding.noise_luma)
    shade = finding.lit * np.clip((dark - 1) / 2, 0, 1)
    counts = finding.gate * finding.person / (finding.person + HALF_AT * finding.noise) * (1 - shade) * (known != 0)
    (height, width), (rows, columns) = matte.shape, band.shape
    # the map's pixel of each sample, and its half
    down, across = _owners(height, rows), _owners(width, columns)
    half = np.ix_(
        np.minimum((down + first[1]) // 2, counts.shape[0] - 1),
        np.minimum((across + first[0]) // 2, counts.shape[1] - 1),
    )
    share = STRENGTH * counts[half] * band[np.ix_(down, across)] * np.float32(1 / 255)
    squares = np.zeros(matte.shape, np.float32)
    for c, (mine, theirs) in enumerate(zip(*both, strict=True)):
        frame, room = _full(mine, matte.shape), _full(theirs, matte.shape)
        difference = frame - finding.gain[c] * room - finding.offset[c] - finding.drift[c][half]
        squares += WEIGHTS[c > 0] * difference * difference
    noise, person = finding.noise[half], finding.person[half]
    alpha = np.sqrt(np.maximum(squares - noise, 0) / np.maximum(person - noise, LEAST))
    alpha = np.clip((alpha - LOW) * (255 / (HIGH - LOW)), 0, 255)
    np.copyto(matte, (matte + share * (alpha - matte) + 0.5).astype(np.uint8))


def _owners(length: int, cells: int) -> np.typing.NDArray[np.intp]:
    """For each sample of a side the cell that it belongs to, where cell i begins at i * length // cells."""
    starts = np.arange(cells + 1) * length // cells
    return np.repeat(np.arange(cells), np.diff(starts))


def _full(plane: U8, shape: tuple[int, ...]) -> F32:
    fours = plane if plane.shape == shape else np.repeat(np.repeat(plane, 2, 0), 2, 1)
    return fours[: shape[0], : shape[1]].astype(np.float32)
