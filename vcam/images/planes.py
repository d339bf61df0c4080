"""Pictures as planes and back, and small maps laid into those of whole pictures."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.errors import UsageError
from vcam.frames import Box, Frame
from vcam.types import F32, U8, Size


def bgr_to_frame(picture: U8) -> Frame:
    """A BGR picture as a limited-range frame of its own; odd sides are padded by repeating the last row or column.

    picture: uint8 (height, width, 3), as OpenCV reads it. Raises `UsageError` for all else.
    """
    _check(picture)
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
            np.uint8, copy=False
        )
        height, width = picture.shape[:2]
    packed = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    return Frame.wrap(packed.reshape(-1).astype(np.uint8, copy=False), width, height)


def _check(picture: object) -> None:
    """Raise `UsageError` for what is no array of a picture."""
    if picture is None:
        raise UsageError(
            "there is no picture: None was given", "cv2.imread gives None for a file that is not there or not readable"
        )
    kind = "give uint8 (height, width, 3), BGR"
    if not isinstance(picture, np.ndarray):
        raise UsageError(f"a picture cannot be of the type {type(picture).__name__}", kind)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise UsageError(f"a picture cannot be {picture.dtype} {picture.shape}", kind)
    if not picture.size:
        raise UsageError(f"the picture is empty: {picture.shape}", kind)


def frame_to_bgr(frame: Frame) -> U8:
    """A limited-range frame as uint8 (height, width, 3) BGR, a fresh array."""
    if frame.full_range:
        raise ValueError("a full-range frame must be composited before it is shown")
    packed = frame.packed().reshape(frame.height * 3 // 2, frame.width)
    return cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420).astype(np.uint8, copy=False)


def place_map(part: U8 | F32, box: Box, size: Size, whole: U8 | F32) -> None:
    """Write a small map (height, width) of a part of a picture into one of the whole, of any size, that is else 0.

    size: of the picture that `box` is a part of. Bounds are rounded outward to pixels of the map.
    """
    rows, columns = whole.shape
    x0, x1 = box.x0 * columns // size[0], -(-box.x1 * columns // size[0])
    y0, y1 = box.y0 * rows // size[1], -(-box.y1 * rows // size[1])
    whole.fill(0)
    target = whole[y0:y1, x0:x1]
    cv2.resize(part, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)


def between_maps(box: Box, shape: tuple[int, ...], other: Box, other_shape: tuple[int, ...]) -> F32:
    """The affine map, float32 (2, 3), from pixels of a map of one box to those of a map of another.

    Boxes are parts of one picture, shapes (height, width) those of the maps.
    """
    rows, columns = shape
    across, down = (box.x1 - box.x0) / columns, (box.y1 - box.y0) / rows
    wide, tall = (other.x1 - other.x0) / other_shape[1], (other.y1 - other.y0) / other_shape[0]
    # centres lie half a pixel inside
    return np.array(
        [
            [across / wide, 0, (0.5 * across + box.x0 - other.x0) / wide - 0.5],
            [0, down / tall, (0.5 * down + box.y0 - other.y0) / tall - 0.5],
        ],
        np.float32,
    )
