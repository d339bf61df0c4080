"""Backgrounds made from the frame itself: blurred, in blocks, or as it is."""

from __future__ import annotations

import math

import cv2
import numpy as np

from vcam.colour import to_limited
from vcam.compose.backgrounds.behind import LINES, Behind, Fill, gaussian
from vcam.compose.base import Plate
from vcam.frames import Alpha, Frame
from vcam.scaling import enlarge
from vcam.types import Size

STRENGTHS = (1.0, 100.0)
DEFAULT_STRENGTH = 50.0
BLOCKS = (4.0, 128.0)
DEFAULT_BLOCKS = 24.0

_SIGMA_AT_1, _SIGMA_AT_100 = 3.0, 38.0
# in squares of a reduced pixel: the box of reducing and the tents of LINEAR, the 3x3 filter in between
_VARIANCE = 1 / 12 + 1 / 6
_VARIANCE_HALFWAY = 1 / 12 + 1 / 6 + 1 / 8 + 1 / 24


def sigma_of(strength: float) -> float:
    """The blur's standard deviation in lines of a 720-line picture, for a strength of 1..100."""
    low, high = STRENGTHS
    return _SIGMA_AT_1 + (strength - low) / (high - low) * (_SIGMA_AT_100 - _SIGMA_AT_1)


class BlurBackground:
    """The room behind the person, out of focus. `strength`: 1 (readable) to 100 (mere light and shade)."""

    needs_alpha = True

    def __init__(self, strength: float = DEFAULT_STRENGTH) -> None:
        self.description = f"blur:{strength:g}"
        self._strength = strength
        self._plate: Plate | None = None

    def prepare(self, size: Size) -> None:
        if self._plate is not None and self._plate.frame.size == size:
            return
        sigma = sigma_of(self._strength) * size[1] / LINES
        factor = next((factor for factor in (16, 8) if sigma >= 1.1 * factor), 4)
        self._behind = Behind(size, factor)
        self._fill = Fill(self._behind.size)
        width, height = self._behind.size
        # a blur that spans hardly more than a reduced pixel would show their grid if it were enlarged in one go
        halfway = factor > 4 and sigma < 1.8 * factor
        self._double = np.empty((2 * height, 2 * width), np.uint8) if halfway else None
        # reducing and enlarging blur as well; variances add up
        own = (sigma / factor) ** 2 - (_VARIANCE_HALFWAY if halfway else _VARIANCE)
        self._kernel = gaussian(max(0.5, math.sqrt(max(0.0, own))))
        self._plate = Plate(Frame.allocate(*size), 0, scratch=True, own_room=True)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        plate, behind = self._plate, self._behind
        assert plate is not None, "prepare comes first"
        behind.update(frame, alpha)
        for plane in (*behind.samples, behind.weight):
            cv2.sepFilter2D(plane, -1, self._kernel, self._kernel, dst=plane, borderType=cv2.BORDER_REPLICATE)
        planes = self._fill.update(behind.samples, behind.weight, frame.full_range)
        for small, full in zip(planes, plate.frame.planes, strict=True):
            if self._double is not None:
                cv2.resize(small, self._double.shape[::-1], dst=self._double, interpolation=cv2.INTER_LINEAR)
                cv2.GaussianBlur(self._double, (3, 3), 0, dst=self._double)
                small = self._double
            enlarge(small, full)
        plate.version += 1
        return plate

    def without_person(self, now: float) -> None:
        return None

    def close(self) -> None:
        self._plate = None


class PixelateBackground:
    """The room behind the person in square blocks of `blocks` lines of a 720-line picture, 4 to 128."""

    needs_alpha = True

    def __init__(self, blocks: float = DEFAULT_BLOCKS) -> None:
        self.description = f"pixelate:{blocks:g}"
        self._blocks = blocks
        self._plate: Plate | None = None

    def prepare(self, size: Size) -> None:
        if self._plate is not None and self._plate.frame.size == size:
            return
        block = self._blocks * size[1] / LINES
        factor = next((factor for factor in (16, 8) if block >= factor), 4)
        self._behind = Behind(size, factor)
        grid = tuple(
            min(limit, max(1, round(side / block))) for side, limit in zip(size, self._behind.size, strict=True)
        )
        self._grid: Size = (grid[0], grid[1])
        self._sums = [np.empty((grid[1], grid[0]), np.float32) for _ in range(4)]
        self._fill = Fill(self._grid)
        frame = Frame.allocate(*size)
        self._rows = [np.empty((grid[1], plane.shape[1]), np.uint8) for plane in frame.planes]
        self._which = [np.arange(plane.shape[0]) * grid[1] // plane.shape[0] for plane in frame.planes]
        self._plate = Plate(frame, 0, scratch=True, own_room=True)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        plate, behind = self._plate, self._behind
        assert plate is not None, "prepare comes first"
        behind.update(frame, alpha)
        for plane, mean in zip((*behind.samples, behind.weight), self._sums, strict=True):
            cv2.resize(plane, self._grid, dst=mean, interpolation=cv2.INTER_AREA)
        blocks = self._fill.update(self._sums[:3], self._sums[3], frame.full_range)
        for block, row, which, full in zip(blocks, self._rows, self._which, plate.frame.planes, strict=True):
            # NEAREST across, then whole rows copied: four times as fast as NEAREST both ways
            cv2.resize(block, row.shape[::-1], dst=row, interpolation=cv2.INTER_NEAREST)
            np.take(row, which, axis=0, out=full, mode="clip")
        plate.version += 1
        return plate

    def without_person(self, now: float) -> None:
        return None

    def close(self) -> None:
        self._plate = None


class NoBackground:
    """The room as it is: the user asked for it. Nothing is cut out, so no network has to run."""

    description = "none"
    needs_alpha = False

    def __init__(self) -> None:
        self._plate: Plate | None = None

    def prepare(self, size: Size) -> None:
        if self._plate is None or self._plate.frame.size != size:
            self._plate = Plate(Frame.allocate(*size), 0, scratch=True, own_room=True)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        plate = self._plate
        assert plate is not None, "prepare comes first"
        if frame.full_range:
            for index, (source, target) in enumerate(zip(frame.planes, plate.frame.planes, strict=True)):
                scale, offset = to_limited(True, index > 0)
                cv2.convertScaleAbs(source, dst=target, alpha=scale, beta=offset)
        else:
            plate.frame.copy_from(frame)
        plate.frame.full_range = False
        plate.version += 1
        return plate

    def without_person(self, now: float) -> None:
        return None

    def close(self) -> None:
        self._plate = None
