"""Pictures turned, stood on their head and mirrored, in one pass whatever comes together."""

from __future__ import annotations

from dataclasses import dataclass

import cv2

from vcam.frames import Box
from vcam.types import U8, Size


@dataclass(frozen=True, slots=True)
class Turn:
    """How a camera's picture becomes the one that is seen: turned clockwise, then flipped, then mirrored.

    degrees: 0, 90, 180 or 270; flip: upside down; mirror: left and right. Flip and mirror together are half a turn, so
    some words mean the same.
    """

    degrees: int = 0
    flip: bool = False
    mirror: bool = False

    @property
    def lies(self) -> bool:
        """Whether width and height change places."""
        return self.degrees in (90, 270)

    @property
    def nothing(self) -> bool:
        return not (self.lies or any(self._flips))

    @property
    def _flips(self) -> tuple[bool, bool]:
        """After lines have become columns where it lies: whether left and right, and top and bottom, change places.

        A quarter clockwise is a transposed picture, mirrored.
        """
        return (self.degrees in (90, 180)) != self.mirror, (self.degrees in (180, 270)) != self.flip

    def size(self, size: Size) -> Size:
        """The size of what comes of a picture of some size, and the size of a picture that gives one."""
        return (size[1], size[0]) if self.lies else size

    def source(self, box: Box, size: Size) -> Box:
        """Which part of the camera's picture is seen in a part of the turned one, whose size that is."""
        across, down = self._flips
        x0, x1 = (size[0] - box.x1, size[0] - box.x0) if across else (box.x0, box.x1)
        y0, y1 = (size[1] - box.y1, size[1] - box.y0) if down else (box.y0, box.y1)
        return Box(y0, x0, y1, x1) if self.lies else Box(x0, y0, x1, y1)

    def write(self, plane: U8, out: U8) -> None:
        """Write a plane, uint8 (height, width), turned into another, which has its size after that."""
        match self.lies, *self._flips:
            case True, False, False:
                cv2.transpose(plane, dst=out)
            case True, True, False:
                cv2.rotate(plane, cv2.ROTATE_90_CLOCKWISE, dst=out)
            case True, False, True:
                cv2.rotate(plane, cv2.ROTATE_90_COUNTERCLOCKWISE, dst=out)
            case True, True, True:
                # the other diagonal; half a turn is the same before as after
                cv2.transpose(plane, dst=out)
                cv2.flip(out, -1, dst=out)
            case _, across, down:
                cv2.flip(plane, -1 if across and down else 1 if across else 0, dst=out)
