"""Whether what differs from the empty room can be a person, or is the room itself, changed.

A person hides the room behind, and leaves it as it was all round. A camera that was nudged, a lamp, another exposure do
neither: textures of the room come through what differs, or the room beside it is not what it was. Whatever is doubted
is not shown, since it would be the room. A network's map needs none of this: nothing of it comes from the room.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.segment.emptyroom.edge import Finding
from vcam.segment.emptyroom.evidence import DARKEST
from vcam.segment.emptyroom.light import BELIEF, Plate, correlation, high_pass
from vcam.types import BOOL, F32, U8, Size

MOST = 0.7
"""Share of the picture from which on shapes are not a person any more; somebody close to the camera fills 0.6."""

ALL_ROUND = 0.3
"""Share of the left, of the right and of the upper edge, from which on in all three it is no person that differs."""

STRAY = 0.02
"""Share of the picture that may differ away from the shapes."""

ENOUGH, ENOUGH_MOVED = 0.1, 0.25
"""Share of the picture that must surely be the room, for the rest to be believed; and where it was searched for."""

BELIEF_MOVED = 0.9
"""The agreement of textures below which a room is not believed that was searched for: it may only look alike there."""

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

BETTER = 0.1
"""How much better the textures agree elsewhere, if the room has moved there as a whole."""

ELSEWHERE = 0.15
"""Height of the peak of the phase correlation, 1 for the same picture, from which on the room may have moved there."""

LIT = 0.25
"""Share of the shapes from which on the room in another light, without an edge of its own, is no part of somebody: of
people it is below 0.1, since even a grey shirt before a grey wall has folds and another tint."""

LIT_RATIOS = (0.1, 3.0)
"""Of the luma of a shadow, and of what a lamp shines on, to that of before."""

LIT_COLOUR = 3.0
"""Levels of chroma by which that differs from the room's in the same light."""

_WINDOW = 5
_EDGE = 2


class Doubt:
    """Looks at one picture after the other; buffers for maps of one size."""

    def __init__(self, size: Size, threshold: float) -> None:
        """threshold: levels from which on a sample counts as different."""
        self._threshold = threshold
        self._near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        self._square, self._reach = np.ones((3, 3), np.uint8), np.ones((5, 5), np.uint8)
        self._pixels = size[0] * size[1]
        self._plate: Plate | None = None
        self._texture: F32
        self._window: cv2.typing.MatLike
        self._energy: F32
        self._textured: BOOL

    def about(
        self,
        half: U8,
        plate: Plate,
        finding: Finding,
        different: tuple[U8, tuple[F32, F32, F32]],
        shapes: U8,
        *,
        changed: bool = False,
        full_range: bool = False,
    ) -> str:
        """Why the shapes cannot be a person, in words; empty if they can.

        half: the frame's luma at half the map's size; finding: what it showed of the room; different: where it differs,
        and by what, as `Difference` has found it; shapes: uint8 (height, width), not 0 where a person is said to be.
        full_range: of the planes. changed: it is not the room as it was learnt, but moved, as it was searched for: more
        of it must agree.
        Nobody at all is always believed: then nothing is shown.
        """
        count, (odd, rests) = cv2.countNonZero(shapes), different
        if not count:
            return ""
        if count > MOST * self._pixels:
            return "nearly all of the picture differs"
        sides = (shapes[:, :_EDGE], shapes[:, -_EDGE:], shapes[:_EDGE])
        if min(np.count_nonzero(side) / side.size for side in sides) > ALL_ROUND:
            return "it differs all round"
        if finding.agreement < (BELIEF_MOVED if changed else BELIEF):
            return "the room beside the shapes is another"
        if cv2.countNonZero(finding.room) < (ENOUGH_MOVED if changed else ENOUGH) * finding.room.size:
            return "too little of the room is as it was"
        near = cv2.dilate(shapes, self._near).astype(np.uint8, copy=False)
        known = cv2.resize(plate.known, shapes.shape[::-1], interpolation=cv2.INTER_NEAREST)
        beside = cv2.bitwise_and((near == 0).view(np.uint8), known)
        if cv2.countNonZero(cv2.bitwise_and(odd, beside)) > STRAY * self._pixels:
            return "it differs in many places"
        far = cv2.dilate(near, self._near).astype(np.uint8, copy=False)
        if self._of_rim(rests, cv2.bitwise_and(far, beside)) > RIM * self._threshold:
            return "it differs beside the shapes, too"
        if self._is_lit(half, plate, finding, rests, shapes, DARKEST[full_range]):
            return "it is the room in another light"
        small, around = (
            np.asarray(cv2.resize(part, plate.size, interpolation=cv2.INTER_NEAREST), np.uint8)
            for part in (shapes, far)
        )
        return self._of_texture(half, plate, small, around)

    @staticmethod
    def _of_rim(rests: tuple[F32, F32, F32], rim: cv2.typing.MatLike) -> float:
        """Levels that the room differs by there, in the light of the whole: a drift is a lamp, or a shadow."""
        half = cv2.resize(rim, rests[1].shape[::-1], interpolation=cv2.INTER_NEAREST)
        means = (cv2.mean(np.abs(rest), there)[0] for rest, there in zip(rests, (rim, half, half), strict=True))
        return max(level * mean for level, mean in zip(COLOURS, means, strict=True))

    @staticmethod
    def _is_lit(
        luma: U8, plate: Plate, finding: Finding, rests: tuple[F32, F32, F32], shapes: U8, black: float
    ) -> bool:
        """Whether much of the shapes is a shadow, or lit by a lamp: a shade of the room's own colours, and smooth."""
        room = [
            gain * plane.astype(np.float32) + offset
            for gain, offset, plane in zip(finding.gain, finding.offset, (plate.half, plate.u, plate.v), strict=True)
        ]
        inside = cv2.resize(shapes, plate.size, interpolation=cv2.INTER_NEAREST) != 0
        rest = cv2.resize(rests[0], plate.size, interpolation=cv2.INTER_AREA)
        ratio = 1 + rest / np.maximum(room[0] - black, 1)
        lit = (ratio > LIT_RATIOS[0]) & (ratio < LIT_RATIOS[1])
        for chroma, there in zip(rests[1:], room[1:], strict=True):
            lit &= np.abs(chroma + (1 - ratio) * (there - 128)) < LIT_COLOUR
        own = high_pass(luma) - ratio * finding.gain[0] * high_pass(plate.half)
        lit &= _mean((own * own).astype(np.float32)) < TEXTURED * TEXTURED
        return bool(np.count_nonzero(lit & inside) > LIT * np.count_nonzero(inside))

    def _of_texture(self, luma: U8, plate: Plate, shapes: U8, far: U8) -> str:
        if plate is not self._plate:
            self._know(plate)
        now, pixels = high_pass(luma), luma.size
        same = _alike(now, self._texture, self._energy)
        inside = self._textured & (cv2.erode(shapes, self._square, borderValue=255) > 0)
        through = cv2.morphologyEx((same & inside).view(np.uint8), cv2.MORPH_OPEN, self._square)
        if cv2.countNonZero(through) > THROUGH * pixels:
            return "the room is seen through the shapes"
        outside = self._textured & (far == 0)
        count = np.count_nonzero(outside)
        if count > FEW * pixels and np.count_nonzero(same & outside) <= (1 - GONE) * count:
            return "the room beside the shapes is another"
        return "the shapes are the room, moved" if self._has_moved(now, plate) else ""

    def _know(self, plate: Plate) -> None:
        """What of a plate can be known again, at half of the map's size, whatever the light."""
        self._plate, self._texture = plate, high_pass(plate.half)
        self._energy = _mean(self._texture * self._texture)
        there = (self._energy > TEXTURED * TEXTURED).view(np.uint8)
        self._textured = (cv2.bitwise_and(there, cv2.erode(plate.known, np.ones((5, 5), np.uint8))) > 0).view(np.bool_)
        self._window = cv2.createHanningWindow(plate.size, cv2.CV_32F)

    def _has_moved(self, now: F32, plate: Plate) -> bool:
        """Whether the room is in the picture elsewhere than it was, before somebody or not."""
        # it writes the window into what it is given
        (x, y), peak = cv2.phaseCorrelate(self._texture.copy(), now.copy(), self._window)
        # a pixel of the small picture, or less, is none of the shapes' size
        if not peak > ELSEWHERE or not max(abs(x), abs(y)) >= 1:
            return False
        move = np.array([[1, 0, x], [0, 1, y]], np.float32)
        moved = np.asarray(cv2.warpAffine(self._texture, move, plate.size), np.float32)
        known = cv2.warpAffine(plate.known, move, plate.size)
        before, after = (
            correlation(now, part, (there & (_mean(part * part) > TEXTURED * TEXTURED)).view(np.uint8))
            for part, there in ((self._texture, plate.known > 0), (moved, known > 0))
        )
        return after > before + BETTER


def _alike(mine: F32, theirs: F32, their_energy: F32) -> BOOL:
    """bool (height, width): where a frame has the plate's texture; of no meaning where there is none."""
    together, energy = _mean(mine * theirs), _mean(mine * mine)
    alike = (together > 0) & (together * together > AGREES * AGREES * their_energy * energy)
    return np.asarray(alike & (energy > their_energy / CONTRAST) & (energy < their_energy * CONTRAST))


def _mean(values: F32) -> F32:
    return cv2.blur(values, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE).astype(np.float32, copy=False)
