"""Whether what differs from the empty room can be a person, or is the room itself, changed.

A person hides the room behind, and leaves it as it was all round. A camera that was nudged, a lamp, another exposure do
neither: textures of the room come through what differs, or the room beside it is not what it was. Whatever is doubted
is not shown, since it would be the room. A network's map needs none of this: nothing of it comes from the room.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.frames import Planes
from vcam.segment.emptyroom.edge import Finding
from vcam.segment.emptyroom.evidence import WINDOW, power
from vcam.segment.emptyroom.light import BELIEF, Plate, high_pass
from vcam.types import BOOL, F32, U8, Size

MOST = 0.7
"""Share of the picture from which on shapes are not a person any more; somebody close to the camera fills 0.6."""

ALL_ROUND = 0.3
"""Share of the left, of the right and of the upper edge, from which on in all three it is no person that differs."""

STRAY = 0.02
"""Share of the picture that may differ away from the shapes."""

ENOUGH = 0.1
"""Share of the picture that must surely be the room, for the rest to be believed."""

RIM = 0.4
"""Parts of the threshold that the room may differ by, in the mean, just beside the shapes."""

COLOURS = (1.16, 2.0, 1.6)
"""Levels of a colour, of 255, for one of luma, of Cb and of Cr, the most that there are; BT.601, limited range."""

TEXTURED = 2.5
"""Levels that luma deviates by within a window for its texture to be known again."""

AGREES = 0.7
"""Correlation of two windows from which on they show the same; of a person's and the room's it is about 0."""

THROUGH = 0.004
"""Share of the picture in which the room may be seen within the shapes; specks do not count."""

CONTRAST = 3.0
"""How many times the energy of the room's texture, or which part of it, the same may have in another light."""

GONE = 0.3
"""Share of the texture beside the shapes that may be missing: hidden by soft edges, shadows and noise."""

FEW = 0.004
"""Share of the picture from which on its texture tells anything."""

MOVED = 0.45
"""Share of the texture in the shapes that may be that of the room, if the room has moved as a whole."""

ELSEWHERE = 0.15
"""Height of the peak of the phase correlation, 1 for the same picture, from which on the room may have moved there."""

_EDGE = 2


class Doubt:
    """Looks at one picture after the other; buffers for maps of one size."""

    def __init__(self, size: Size, threshold: float) -> None:
        """threshold: levels from which on a sample counts as different."""
        self._threshold = threshold
        self._near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        self._block = np.ones((5, 5), np.uint8)
        self._pixels = size[0] * size[1]
        self._plate: Plate | None = None
        self._half = (0, 0)
        self._window: cv2.typing.MatLike
        self._energy: F32
        self._textured: BOOL

    def about(
        self, planes: Planes, plate: Plate, finding: Finding, different: U8, shapes: U8
    ) -> str:
        """Why the shapes cannot be a person, in words; empty if they can.

        planes: the frame's, at the map's size; finding: what it showed of the room; different, shapes: uint8 (height,
        width), not 0 where it differs from the plate, and where a person is said to be.  Nobody at all is always believed: then nothing is shown.
        """
        count = cv2.countNonZero(shapes)
        if not count:
            return ""
        if count > MOST * self._pixels:
            return "nearly all of the picture differs"
        sides = (shapes[:, :_EDGE], shapes[:, -_EDGE:], shapes[:_EDGE])
        if min(np.count_nonzero(side) / side.size for side in sides) > ALL_ROUND:
            return "it differs all round"
        if finding.agreement < BELIEF:
            return "the room beside the shapes is another"
        if cv2.countNonZero(finding.room) < ENOUGH * finding.room.size:
            return "too little of the room is as it was"
        near = cv2.dilate(shapes, self._near).astype(np.uint8, copy=False)
        known = cv2.resize(plate.known, shapes.shape[::-1], interpolation=cv2.INTER_NEAREST)
        beside = cv2.bitwise_and(cv2.compare(near, 0, cv2.CMP_EQ), known)
        if cv2.countNonZero(cv2.bitwise_and(different, beside)) > STRAY * self._pixels:
            return "it differs in many places"
        far = cv2.dilate(near, self._near).astype(np.uint8, copy=False)
        if self._of_rim(planes, plate, finding, cv2.bitwise_and(far, beside)) > RIM * self._threshold:
            return "it differs beside the shapes, too"
        return self._of_texture(planes, plate, shapes, far)

    def _of_rim(self, planes: Planes, plate: Plate, finding: Finding, rim: cv2.typing.MatLike) -> float:
        """Levels that the room differs by there, in the light of the whole: a drift is a lamp, or a shadow."""
        half = cv2.resize(rim, plate.size, interpolation=cv2.INTER_NEAREST)
        y = finding.residual + finding.drift[0]
        u, v = (
            planes[c] - (np.float32(finding.gain[c]) * room + np.float32(finding.offset[c]))
            for c, room in ((1, plate.u), (2, plate.v))
        )
        return max(
            level * cv2.mean(cv2.absdiff(rest, 0.0), half)[0]
            for level, rest in zip(COLOURS, (y, u, v), strict=True)
        )

    def _of_texture(self, planes: Planes, plate: Plate, shapes: U8, far: U8) -> str:
        if plate is not self._plate:
            self._plate, self._energy = plate, power(plate)
            known = cv2.resize(plate.known, shapes.shape[::-1], interpolation=cv2.INTER_NEAREST)
            self._textured = (self._energy > TEXTURED * TEXTURED) & (cv2.erode(known, np.ones((9, 9))) > 0)
        textured, mine = self._textured, high_pass(planes[0])
        same = _alike(mine, plate.texture, self._energy)
        inside = textured & (cv2.erode(shapes, self._block, borderValue=255) > 0)
        through = cv2.morphologyEx((same & inside).astype(np.uint8), cv2.MORPH_OPEN, self._block)
        if cv2.countNonZero(through) > THROUGH * self._pixels:
            return "the room is seen through the shapes"
        outside = textured & (far == 0)
        count = np.count_nonzero(outside)
        if count > FEW * self._pixels and np.count_nonzero(same & outside) <= (1 - GONE) * count:
            return "the room beside the shapes is another"
        if self._has_moved(mine, plate, shapes):
            return "the shapes are the room, moved"
        return ""

    def _has_moved(self, mine: F32, plate: Plate, shapes: U8) -> bool:
        """Whether the texture of the room is in the shapes, but elsewhere than it was."""
        half = plate.size
        if half != self._half:
            self._half, self._window = half, cv2.createHanningWindow(half, cv2.CV_32F)
        now = cv2.resize(mine, half, interpolation=cv2.INTER_AREA)
        was = cv2.resize(plate.texture, half, interpolation=cv2.INTER_AREA)
        (x, y), peak = cv2.phaseCorrelate(was, now, self._window)
        # a pixel of the small picture, or less, is none of the shapes' size
        if not peak > ELSEWHERE or not max(abs(x), abs(y)) >= 1:
            return False
        move = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved, known = (cv2.warpAffine(part, move, half) for part in (was, plate.known))
        there = (cv2.resize(shapes, half, interpolation=cv2.INTER_NEAREST) > 0) & (known > 0)
        energy = _mean(moved * moved)
        there &= energy > TEXTURED * TEXTURED
        count = np.count_nonzero(there)
        if count <= FEW * there.size:
            return False
        return np.count_nonzero(_alike(now, moved, energy) & there) > MOVED * count


def _alike(mine: F32, theirs: F32, their_energy: F32) -> BOOL:
    """bool (height, width): where a frame has the plate's texture; of no meaning where there is none."""
    together, energy = _mean(mine * theirs), _mean(mine * mine)
    alike = (together > 0) & (together * together > AGREES * AGREES * their_energy * energy)
    return np.asarray(alike & (energy > their_energy / CONTRAST) & (energy < their_energy * CONTRAST))


def _mean(values: F32) -> F32:
    return cv2.blur(values, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)
