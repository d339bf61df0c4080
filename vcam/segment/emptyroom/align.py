"""A camera that was nudged: how far the room has moved in its picture, by phase correlation."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.frames import Box, Frame, Planes
from vcam.segment.emptyroom.light import LEAST, Plate, correlation, high_pass, sure_room
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import F32, Size

BETTER = 0.05
"""How much better the textures must agree afterwards."""
STILL = 0.4
"""Pixels of the frame up to which nothing has moved."""
SOFT = 3.0
"""Pixels of the map over which the weight of the sure room falls off: a sharp border would be found itself."""


def moved_room(
    room: RoomPicture, plate: Plate, probability: F32, planes: Planes, place: tuple[Box, Size]
) -> RoomPicture | None:
    """The room moved to where a frame shows it; None if that does not make it agree better.

    plate: the room in the map's box; planes: the frame's there; place: the box and (width, height) of the frame.
    """
    box, size = place
    height, width = probability.shape
    sure = sure_room(probability, plate.known)
    if np.count_nonzero(sure) < LEAST * sure.size:
        return None
    where = np.repeat(np.repeat(sure, 2, 0), 2, 1)
    mine = high_pass(planes[0])
    weight = cv2.GaussianBlur(where.astype(np.float32), (0, 0), SOFT)
    window = cv2.createHanningWindow((width, height), cv2.CV_64F)
    theirs = (plate.texture * weight).astype(np.float64)
    (x, y), _ = cv2.phaseCorrelate(theirs, (mine * weight).astype(np.float64), window)
    # in pixels of the frame
    across, down = x * box.size[0] / width, y * box.size[1] / height
    if abs(across) < STILL and abs(down) < STILL:
        return None
    moved = shifted(room, across * room.frame.width / size[0], down * room.frame.height / size[1])
    new = moved.plate(box, size, probability.shape)
    known = np.repeat(np.repeat(sure & new.known, 2, 0), 2, 1)
    if np.count_nonzero(known) < 4 * LEAST * sure.size:
        return None
    before = correlation(mine, plate.texture, where)
    return moved if correlation(mine, new.texture, known) > before + BETTER else None


def shifted(room: RoomPicture, x: float, y: float) -> RoomPicture:
    """The room so many of its own pixels further to the right and down; what comes into view is not known."""
    planes = []
    for plane, step in zip(room.frame.planes, (1, 2, 2), strict=True):
        move = np.array([[1, 0, x / step], [0, 1, y / step]], np.float32)
        border = cv2.BORDER_REPLICATE
        planes.append(cv2.warpAffine(plane, move, plane.shape[::-1], borderMode=border).astype(np.uint8, copy=False))
    move = np.array([[1, 0, x / 2], [0, 1, y / 2]], np.float32)
    known = cv2.warpAffine(room.known, move, room.known.shape[::-1], flags=cv2.INTER_NEAREST)
    frame = Frame(planes[0], planes[1], planes[2], full_range=room.frame.full_range)
    return RoomPicture(frame, known.astype(np.uint8, copy=False))
