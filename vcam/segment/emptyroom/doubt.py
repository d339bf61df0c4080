"""Whether what differs from the empty room can be a person, or is the room itself, changed.

A person hides the room behind, and leaves it as it was all round. A camera that was nudged, a lamp, another exposure do
neither: textures of the room come through what differs, or the room beside it is not what it was. Whatever is doubted
is not shown, since it would be the room.
"""

from __future__ import annotations

import cv2
import numpy as np

from vcam.types import BOOL, F32, U8, Size

MOST = 0.7
"""Share of the picture from which on shapes are not a person any more; somebody close to the camera fills 0.6."""

LEAST = 0.03
"""Share of the picture that shapes must have before a room that was found to have changed, which leaves rests."""

ALL_ROUND = 0.3
"""Share of the left, of the right and of the upper edge, from which on in all three it is no person that differs."""

STRAY = 0.02
"""Share of the picture that may differ away from the shapes."""

RIM = 0.4
"""Parts of the threshold that the room may differ by, in the mean, just beside the shapes."""

TEXTURED = 2.5
"""Levels that luma deviates by within a window for its texture to be known again."""

AGREES = 0.7
"""Correlation of two windows from which on they show the same; of a person's and the room's it is about 0."""

THROUGH = 0.004
"""Share of the picture in which the room may be seen within the shapes; specks do not count."""

MOVED = 0.45
"""Share of the texture behind the shapes that may be seen in them, if the room has moved as a whole."""

CONTRAST = 3.0
"""How many times the energy of the room's texture, or which part of it, the same may have in another light."""

GONE = 0.3
"""Share of the texture beside the shapes that may be missing: hidden by soft edges, shadows and noise."""

FEW = 0.004
"""Share of the picture from which on its texture tells anything."""

ELSEWHERE = 0.15
"""Height of the peak of the phase correlation, 1 for the same picture, from which on the room may have moved there."""

_WINDOW = 9
_BROAD = 15
_EDGE = 2


class Doubt:
    """Looks at one picture after the other; buffers for maps of one size."""

    def __init__(self, size: Size, threshold: float) -> None:
        """threshold: levels from which on a sample counts as different."""
        width, height = size
        self._threshold = threshold
        self._near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        self._block = np.ones((5, 5), np.uint8)
        self._far = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
        self._difference = np.empty((height, width, 3), np.uint8)
        self._pixels = width * height
        self._half = (max(width // 2, 2), max(height // 2, 2))
        self._window = cv2.createHanningWindow(self._half, cv2.CV_32F)

    def about(self, picture: U8, room: KnownRoom, different: U8, shapes: U8) -> str:
        """Why the shapes cannot be a person, in words; empty if they can.

        picture: uint8 (height, width, 3), blurred; different, shapes: uint8 (height, width), not 0 where it differs
        from the room, and where a person is said to be. Nobody at all is always believed: then nothing is shown.
        """
        count = cv2.countNonZero(shapes)
        if not count:
            return ""
        if room.changed and count < LEAST * self._pixels:
            return "what differs is too small for a person"
        if count > MOST * self._pixels:
            return "nearly all of the picture differs"
        sides = (shapes[:, :_EDGE], shapes[:, -_EDGE:], shapes[:_EDGE])
        if min(np.count_nonzero(side) / side.size for side in sides) > ALL_ROUND:
            return "it differs all round"
        near = cv2.dilate(shapes, self._near).astype(np.uint8, copy=False)
        beside = cv2.bitwise_and(cv2.bitwise_not(near), room.seen)
        if cv2.countNonZero(cv2.bitwise_and(different, beside)) > STRAY * self._pixels:
            return "it differs in many places"
        far = cv2.dilate(near, self._far).astype(np.uint8, copy=False)
        rim = cv2.bitwise_and(far, beside)
        cv2.absdiff(picture, room.picture, dst=self._difference)
        if max(cv2.mean(self._difference, rim)[:3]) > RIM * self._threshold:
            return "it differs beside the shapes, too"
        return self._of_texture(picture, room, shapes, far)

    def _of_texture(self, picture: U8, room: KnownRoom, shapes: U8, far: U8) -> str:
        seen = detail(picture)
        same = room.same_texture(seen)
        inside = room.textured & (cv2.erode(shapes, self._block, borderValue=255) > 0)
        through = cv2.morphologyEx((same & inside).astype(np.uint8), cv2.MORPH_OPEN, self._block)
        if cv2.countNonZero(through) > THROUGH * self._pixels:
            return "the room is seen through the shapes"
        outside = room.textured & (far == 0)
        if np.count_nonzero(outside) > FEW * self._pixels and not self._is_most(same, outside, 1 - GONE):
            return "the room beside the shapes is another"
        moved = self._moved(seen, room)
        if moved is not None and self._is_most(moved.same_texture(seen), moved.textured & (shapes > 0), MOVED):
            return "the shapes are the room, moved"
        return ""

    def _is_most(self, same: BOOL, there: BOOL, share: float) -> bool:
        count = np.count_nonzero(there)
        return bool(count > FEW * self._pixels and np.count_nonzero(same & there) > share * count)

    def _moved(self, seen: F32, room: KnownRoom) -> KnownRoom | None:
        """The room where it may have gone as a whole, if it may have."""
        small, now = (cv2.resize(part, self._half, interpolation=cv2.INTER_AREA) for part in (room.detail, seen))
        (columns, rows), peak = cv2.phaseCorrelate(small, now, self._window)
        # a pixel of the small picture, or less, is none of the shapes' size
        if not peak > ELSEWHERE or not max(abs(columns), abs(rows)) >= 1:
            return None
        move = np.array([[1, 0, 2 * columns], [0, 1, 2 * rows]], np.float32)
        return KnownRoom(moved(room.picture, move), moved(room.seen, move))


class KnownRoom:
    """A picture of the empty room, and what of it can be known again whatever the light."""

    def __init__(self, picture: U8, seen: U8 | None = None, *, changed: bool = False) -> None:
        """picture: uint8 (height, width, 3) BGR, blurred; seen: uint8 (height, width), 255 where it is known.

        changed: it was not learnt so, but found out.
        """
        self.changed = changed
        self.picture = picture
        self.seen: U8 = np.full(picture.shape[:2], 255, np.uint8) if seen is None else seen
        self.detail = detail(picture)
        """float32 (height, width): luma less its surroundings."""
        self._energy = _mean(self.detail * self.detail)
        self.textured: BOOL = (self._energy > TEXTURED * TEXTURED) & (cv2.erode(self.seen, np.ones((9, 9))) > 0)
        """bool (height, width): where there is any."""

    def same_texture(self, other: F32) -> BOOL:
        """bool (height, width): where a picture has this one's texture; of no meaning where there is none.

        other: its `detail`.
        """
        together, energy = _mean(self.detail * other), _mean(other * other)
        alike = (together > 0) & (together * together > AGREES * AGREES * self._energy * energy)
        return alike & (energy > self._energy / CONTRAST) & (energy < self._energy * CONTRAST)


def detail(picture: U8) -> F32:
    """The luma of a picture, uint8 (height, width, 3), less that of its surroundings: float32 (height, width)."""
    luma = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.subtract(luma, cv2.blur(luma, (_BROAD, _BROAD)), out=luma)


def moved(picture: U8, move: F32) -> U8:
    """A picture, uint8 (height, width[, 3]), moved by a map, float32 (2, 3); 0 where it comes from outside."""
    return cv2.warpAffine(picture, move, picture.shape[1::-1], flags=cv2.INTER_LINEAR).astype(np.uint8, copy=False)


def _mean(values: F32) -> F32:
    return cv2.blur(values, (_WINDOW, _WINDOW)).astype(np.float32, copy=False)
