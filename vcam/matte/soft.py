"""The default matte: temporal filter and edge at the network's size, then up to the frame's size along its colours.

All decisions are taken on the small map, where a pass costs microseconds; only the person's box is ever scaled up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vcam import native
from vcam.frames import NOTHING, Alpha, Box, EdgeTeller, Frame, Map, Planes
from vcam.images import place_map
from vcam.matte.average import StillAverage
from vcam.matte.guided import RADIUS, REACH, GuidedFilter
from vcam.matte.islands import IslandFilter
from vcam.matte.temporal import TemporalFilter
from vcam.scaling import halve
from vcam.settings import MatteSettings
from vcam.types import F32, U8, Size

REFERENCE_LINES = 720
"""The height of picture that the edge offset is given for."""

REFERENCE_ROWS = 48
"""Rows of the map for each pixel of half a window's side: the constants were chosen on maps of 144 rows and more."""

REFINED_LINES = 540
"""The highest picture that the refinement is applied to at full size."""

GRAIN = 0.6
"""Standard deviation, in pixels, of a blur of three by three. Without it the noise of the luma goes into the matte.

Only for films that are refined at full size: reducing averages the noise too, and single pictures do not flicker. It
takes 3 to 4 points off the flicker, and 0.05 points off the edge band."""

CENTRE = 0.55
"""The probability that counts as the edge.

The networks draw people too large: by 0.9 pixels on portraits, by 0.5 on synthetic clips of 360 lines. With this value
the outline is right on the clips and still 0.65 pixels too far out on portraits. A probability of 0.65 gains half a
point of the edge band on portraits, and loses as much on films."""


_TOLERANCE = 1e-3
"""Beyond 0 and 1, for networks that round."""


def soft_step(softness: float) -> U8:
    """The curve from probability to matte as a table, uint8 (256,), centred on `CENTRE`.

    `softness` 1 keeps the network's own slope; towards 0 the ramp narrows to a step. The ramp is the cubic smoothstep
    3t^2 - 2t^3 (Perlin, "Hypertexture", 1989), which has no corner where the edge begins. What the network gives below
    1 % or above 99 % counts as none or all, so that a uniform area stays uniform.
    """
    width = 0.02 + 0.96 * softness
    # the ends stay ends: what lies below the centre is stretched, what lies above is compressed
    centred = np.interp(np.arange(256) / 255.0, (0.0, CENTRE, 1.0), (0.0, 0.5, 1.0))
    t = np.clip((centred - 0.5) / width + 0.5, 0.0, 1.0)
    return np.rint(255.0 * (t * t * (3.0 - 2.0 * t))).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of the small map whose borders fall on even pixels of the frame, so that a box of cells scales exactly."""

    cell: Size
    """(width, height) of a cell in the small map."""
    pixels: Size
    """(width, height) of the same cell in the frame."""

    @classmethod
    def between(cls, small: Size, full: Size, unit: int = 2) -> Grid:
        """`unit`: cells are a multiple of so many pixels, where the frame's size allows it, and always even."""
        columns, rows = (math.gcd(small[axis], full[axis] // (2 if full[axis] % unit else unit)) for axis in (0, 1))
        return cls((small[0] // columns, small[1] // rows), (full[0] // columns, full[1] // rows))

    def around(self, box: Box) -> Box:
        """The smallest box of whole cells that holds `box`, counted in cells."""
        (w, h) = self.cell
        return Box(box.x0 // w, box.y0 // h, -(-box.x1 // w), -(-box.y1 // h))

    def scaled(self, box: Box, cell: Size) -> Box:
        return Box(box.x0 * cell[0], box.y0 * cell[1], box.x1 * cell[0], box.y1 * cell[1])


class SoftMatte:
    """Temporal filter, soft step, signed edge offset; then guided refinement, or bilinear enlargement without it."""

    def __init__(self, settings: MatteSettings) -> None:
        self._temporal = TemporalFilter(settings.temporal)
        self._step = soft_step(settings.softness)
        self._islands = IslandFilter(settings.islands)
        self._edge = settings.edge
        self._guided = GuidedFilter() if settings.refine else None
        self._average = StillAverage(settings.temporal) if settings.refine and settings.temporal else None
        self._kernels = native.kernels()
        self._layout: tuple[Size, Size, Box] | None = None
        self._origin: int | None = None

    def update(self, seen: Map, frame: Frame) -> Alpha:
        probability = seen.probability
        # should anything fail from here on, the last matte is not to be used again
        origin, self._origin = self._origin, None
        _check(probability)
        _check_place(seen, frame)
        if seen.origin != seen.seq and seen.origin == origin:
            # found to be like the frame that the last matte was made from: nothing is to be done but to say so
            self._alpha.seq, self._origin = frame.seq, origin
            return self._alpha
        layout = ((int(probability.shape[1]), int(probability.shape[0])), frame.size, seen.box)
        if self._layout != layout:
            self._allocate(*layout)
        self._alpha.cleaned = seen.cleaned
        if seen.key is not None:
            return self._keyed(seen.key, seen)
        part = frame.view(seen.box)
        # what the segmenter has reduced already need not be reduced again
        luma = (seen.pyramid[-1] if seen.pyramid else part).y
        # to bytes: 1/255 is finer than the network is sure of, and tables and morphology are cheap on bytes
        cv2.convertScaleAbs(self._temporal.update(probability, luma), dst=self._bytes, alpha=255.0)
        if self._average is not None:
            self._average.look(self._bytes, self._temporal.begins)
        cv2.LUT(self._bytes, self._step, dst=self._small)
        self._islands.apply(self._small)
        self._move_edge()
        box = self._scale_up(part, seen)
        if self._alpha.small is not self._small:
            place_map(self._small, seen.box, frame.size, self._alpha.small)
        self._alpha.box = NOTHING if box.empty else box.moved(seen.box.x0, seen.box.y0)
        self._alpha.seq, self._origin = frame.seq, seen.origin
        return self._alpha

    def _keyed(self, key: U8, seen: Map) -> Alpha:
        """The matte of a key that is as fine as the frame's chroma: islands go, and it is enlarged; no more.

        The edge is moved by what its offset differs from the default, which is made for networks.
        """
        alpha = self._alpha
        if key.shape != alpha.half.shape or seen.box.size != alpha.full.shape[::-1]:
            raise ValueError(f"a key of {key.shape} for a frame of {alpha.full.shape}")
        self._islands.apply(key)
        offset = (self._edge - MatteSettings().edge) * key.shape[0] / REFERENCE_LINES
        if radius := round(abs(offset)):
            (cv2.dilate if offset > 0 else cv2.erode)(key, _disc(radius), dst=key)
        cv2.convertScaleAbs(seen.probability, dst=self._small, alpha=255.0)
        x, y, w, h = cv2.boundingRect(key)
        alpha.seq, self._origin, alpha.box = seen.seq, seen.origin, NOTHING
        if w:
            # the interpolation runs out to zero one pixel further
            rows, columns = key.shape
            small = Box(max(x - 1, 0), max(y - 1, 0), min(x + w + 1, columns), min(y + h + 1, rows))
            part, inner = key[small.y0 : small.y1, small.x0 : small.x1], Box(*(2 * bound for bound in small))
            full = alpha.full[inner.y0 : inner.y1, inner.x0 : inner.x1]
            half = alpha.half[small.y0 : small.y1, small.x0 : small.x1]
            if self._kernels is not None:
                self._kernels.enlarge(part, full, half)
            else:
                cv2.resize(part, full.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)
                np.copyto(half, part)
            alpha.box = inner
        return alpha

    def reset(self) -> None:
        self._temporal.reset()
        if self._average is not None:
            self._average.reset()
        self._origin = None

    def _allocate(self, small: Size, frame: Size, part: Box) -> None:
        """Buffers for maps of a part of the frame; what the temporal filter knows of another part is taken along."""
        if self._layout is not None and self._layout[:2] == (small, frame):
            self._temporal.carry(self._layout[2], part)
        else:
            self._temporal.reset()
        (w, h), full = small, (part.x1 - part.x0, part.y1 - part.y0)
        width, height = full
        if self._layout is None or self._layout[:2] != (small, frame):
            planes = [np.zeros((frame[1] // scale, frame[0] // scale), np.uint8) for scale in (1, 2)]
            self._small = np.zeros((h, w), np.uint8)
            self._alpha = Alpha(planes[0], planes[1], self._small, NOTHING, 0)
            self._bytes, self._moved = np.zeros_like(self._small), np.zeros_like(self._small)
        half = part.half()
        self._full = self._alpha.full[part.y0 : part.y1, part.x0 : part.x1]
        self._half = self._alpha.half[half.y0 : half.y1, half.x0 : half.x1]
        self._alpha.small = self._small if full == frame else np.zeros_like(self._small)
        self._layout = (small, frame, part)
        self._scale = working_scale(frame[1], frame[0]) if self._guided else 1
        self._grid = Grid.between(small, full, 2 * self._scale)
        self._working = np.zeros((height // self._scale, width // self._scale), np.uint8) if self._scale > 1 else None
        by = self._scale
        if self._average is not None:
            self._average.allocate((h, w), (height // by, width // by))
        u, v = (np.zeros((height // by // 2, width // by // 2), np.uint8) for _ in range(2))
        self._reduced = Frame(np.zeros((height // by, width // by), np.uint8), u, v)
        # an offset of a whole number of small pixels is a dilation; the rest is a mixture of two of them
        radius = abs(self._edge) * h / REFERENCE_LINES * frame[1] / height
        self._whole, self._rest = int(radius), radius - int(radius)
        self._discs = [_disc(self._whole), _disc(self._whole + 1)]

    def _move_edge(self) -> None:
        if self._edge == 0:
            return
        grow = cv2.dilate if self._edge > 0 else cv2.erode
        nearer, further = self._discs
        if self._rest:
            grow(self._small, further, dst=self._moved)
            if self._whole:
                grow(self._small, nearer, dst=self._small)
            cv2.addWeighted(self._moved, self._rest, self._small, 1 - self._rest, 0, dst=self._small)
        else:
            grow(self._small, nearer, dst=self._moved)
            np.copyto(self._small, self._moved)

    def _scale_up(self, frame: Frame, seen: Map) -> Box:
        x, y, w, h = cv2.boundingRect(self._small)
        if not w:
            return NOTHING
        rows, columns = self._small.shape
        # the interpolation runs out to zero one pixel further; what the guided filter gives beyond its reach is so
        # little that its contrast makes it zero
        margin = REACH if self._guided else 1
        touched = Box(max(x - margin, 0), max(y - margin, 0), min(x + w + margin, columns), min(y + h + margin, rows))
        cells = self._grid.around(touched)
        source = self._grid.scaled(cells, self._grid.cell)
        box = self._grid.scaled(cells, self._grid.pixels)
        small = self._small[source.y0 : source.y1, source.x0 : source.x1]
        full = self._full[box.y0 : box.y1, box.x0 : box.x1]
        half = box.half()
        means = self._half[half.y0 : half.y1, half.x0 : half.x1]
        if self._guided is not None:
            small = self._refine(self._guided, small, frame, full, (source, box), seen)
        if self._kernels is not None and small.shape == means.shape:
            self._kernels.enlarge(small, full, means)
            return box
        if small is not full:
            cv2.resize(small, full.shape[::-1], dst=full, interpolation=cv2.INTER_LINEAR)
        # averaging the full-size matte is cheaper than scaling the small one up again, and exact
        halve(full, means)
        return box

    def _refine(self, guided: GuidedFilter, small: U8, frame: Frame, full: U8, boxes: tuple[Box, Box], seen: Map) -> U8:
        """The box's refined matte at working size, which is `full` itself where that is the frame's.

        boxes: where the person is, in the map and in the frame.
        """
        source, box = boxes
        part, rows = frame.view(box), self._small.shape[0]
        # where the person or the map is small, wide windows would blur their outline away
        radius = min(RADIUS if 2 * small.shape[0] >= rows else RADIUS // 2, max(rows // REFERENCE_ROWS, 1))
        guide = _of_size(seen.pyramid, self._small.shape, source)
        inner = Box(*(bound // self._scale for bound in box))
        target = full if self._working is None else self._working[inner.y0 : inner.y1, inner.x0 : inner.x1]
        planes = self._working_planes(part, inner, seen.pyramid)
        guided.refine(small, planes, target, radius, reduced=guide)
        if seen.edge is not None:
            self._tell_edge(seen.edge, target, planes, small, (source, inner))
        if self._average is not None:
            self._average.apply(target, source, inner)
        return target

    def _tell_edge(self, edge: EdgeTeller, target: U8, planes: Planes, small: U8, boxes: tuple[Box, Box]) -> None:
        """boxes: where `small` is in the map, and the target in the part of the frame at working size."""
        assert self._layout is not None
        _, frame, part = self._layout
        by, (source, inner) = self._scale, boxes
        whole = inner.moved(part.x0 // by, part.y0 // by)
        if part.x0 % by == part.y0 % by == 0:
            edge.apply(target, planes, small, source, (whole, (frame[0] // by, frame[1] // by)))

    def _working_planes(self, part: Frame, inner: Box, pyramid: Sequence[Frame]) -> Planes:
        """The box's planes at working size."""
        reduced = self._reduced.view(inner)
        if self._working is None:
            if self._average is None:
                return part.planes
            cv2.GaussianBlur(part.y, (3, 3), GRAIN, dst=reduced.y)
            return reduced.y, part.u, part.v
        planes = _of_size(pyramid, self._working.shape, inner)
        if planes is not None:
            return planes
        for plane, smaller in zip(part.planes, reduced.planes, strict=True):
            cv2.resize(plane, smaller.shape[::-1], dst=smaller, interpolation=cv2.INTER_AREA)
        return reduced.planes


def _of_size(pyramid: Sequence[Frame], shape: tuple[int, ...], box: Box) -> Planes | None:
    """That part of the step whose luma has this shape; None if there is none, or the box does not fit its chroma."""
    if any(bound % 2 for bound in box):
        return None
    return next((step.view(box).planes for step in pyramid if step.y.shape == shape), None)


def working_scale(height: int, width: int) -> int:
    """How many times smaller than the frame the refinement works: above 540 lines half the size is enough.

    Of a frame that is high and narrow some columns are left, of chroma as well.
    """
    scale = 1
    while height > REFINED_LINES * scale and width >= 8 * scale:
        scale *= 2
    return scale


def _check(probability: F32) -> None:
    # OpenCV drops a `dst` that does not fit without a word: the matte would stay that of an earlier frame
    if probability.ndim != 2 or not probability.size or probability.dtype != np.float32:
        raise ValueError(f"a probability map cannot be {probability.dtype} {probability.shape}")
    # NaN fails both comparisons. What lies below zero would become a person: the way to bytes drops the sign
    if not (float(probability.min()) >= -_TOLERANCE and float(probability.max()) <= 1 + _TOLERANCE):
        raise ValueError("the probability map holds samples that are no probabilities")


def _check_place(seen: Map, frame: Frame) -> None:
    whole = Box(0, 0, *frame.size)
    odd = any(side % 2 for side in seen.box)
    if seen.seq != frame.seq or seen.box.empty or odd or seen.box.union(whole) != whole:
        raise ValueError(f"a map of {seen.box} of frame {seen.seq} is none of frame {frame.seq}, {frame.size}")


def _disc(radius: int) -> U8:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return kernel.astype(np.uint8, copy=False)
