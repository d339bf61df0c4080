"""The demo scene: a real person, swaying a little, before a cluttered room.

The person's true matte is known at every frame, so the scene serves tests as well as newcomers without a camera.
"""

from __future__ import annotations

import math
import time
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vcam.assets import asset
from vcam.camera.pace import Clock, Pacer, Sleep
from vcam.colour import BLACK, BLUE, BLUE_RANGE, CHROMA_SPAN, GREEN, LUMA_SPAN, NEUTRAL, RED, RED_RANGE
from vcam.errors import InputError
from vcam.fitting import cover
from vcam.frames import Box, Frame, check_size
from vcam.images import bgr_to_frame
from vcam.types import F32, U8, Size

PERIOD = 4.0
"""Seconds after which the motion repeats."""

# the lowest rows of the person's picture stay below the frame, so that its end never shows
_VISIBLE_SHARE = 0.94
_HEIGHT_SHARE = 0.72
_WIDTH_SHARE = 0.8
_SWAY = 0.022
_BOB = 0.006
_TURN = 1.6
_BREATH = 0.012


class DemoScene:
    """A camera that shows the scene. Frame n is a function of n, the size and the rate alone."""

    live = False
    dropped = 0

    def __init__(
        self,
        size: Size,
        fps: float = 30.0,
        paced: bool = False,
        *,
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        """paced: `read` waits for the next frame's time, as a device would; else it returns at once."""
        self._size, self._fps, self._paced = size, fps, paced
        self._clock, self._sleep = clock, sleep
        self._frames = max(2, round(PERIOD * fps))
        self._opened = False

    @property
    def description(self) -> str:
        return "the demo scene"

    @property
    def size(self) -> Size:
        return self._size

    @property
    def fps(self) -> float:
        return self._fps

    def check(self) -> None:
        """Nothing can be told beforehand."""

    def open(self) -> None:
        """Load and scale the pictures. Raises `UsageError` for a size that cannot be."""
        if self._opened:
            return
        width, height = check_size(*self._size, what="the demo scene")
        self._room = bgr_to_frame(room(self._size))
        self._full, self._half = _load_person(self._size)
        self._box = self._reach()
        self._frame = Frame.allocate(width, height)
        self._frame.copy_from(self._room)
        box, half = self._box, self._box.half()
        self._scratch = [_Scratch(box.y1 - box.y0, box.x1 - box.x0), _Scratch(half.y1 - half.y0, half.x1 - half.x0)]
        self._pacer = Pacer(self._fps, self._clock, self._sleep)
        self._seq = 0
        self._opened = True

    def read(self) -> Frame:
        """The next frame; it never ends."""
        frame = self.frame(self._seq)
        frame.timestamp = self._pacer.wait() if self._paced else self._seq / self._fps
        self._seq += 1
        return frame

    def frame(self, number: int) -> Frame:
        """Frame `number`, in the buffer that `read` uses too."""
        box = self._box
        target, clean = self._frame.view(box), self._room.view(box)
        full_move = self._motion(number, box)
        self._scratch[0].lay(self._full, full_move, (clean.y,), (target.y,))
        self._scratch[1].lay(self._half, _at_half_size(full_move), (clean.u, clean.v), (target.u, target.v))
        self._frame.seq = number
        return self._frame

    def true_alpha(self, number: int) -> U8:
        """The matte of frame `number`: uint8 (height, width), 0 room, 255 person; a fresh array."""
        alpha = np.zeros((self._size[1], self._size[0]), np.uint8)
        box = self._box
        alpha[box.y0 : box.y1, box.x0 : box.x1] = self._scratch[0].warp(self._full, self._motion(number, box))[0]
        return alpha

    def close(self) -> None:
        """Let the buffers go."""
        self._opened = False

    def _motion(self, number: int, box: Box) -> F32:
        """The affine map, float32 (2, 3), from the person's picture to the pixels of `box`.

        All turns are about the middle of the frame's lower edge, where the bust rests.
        """
        width, height = self._size
        phase = 2.0 * math.pi * (number % self._frames) / self._frames
        angle = math.radians(_TURN) * math.sin(phase + 0.7)
        scale = 1.0 + _BREATH * math.sin(2.0 * phase)
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        layer_height, layer_width = self._full.shape[:2]
        pivot_x, pivot_y = layer_width / 2, layer_height * _VISIBLE_SHARE
        to_x = width / 2 + _SWAY * height * math.sin(phase) - box.x0
        to_y = height + _BOB * height * math.cos(2.0 * phase + 0.4) - box.y0
        return np.array(
            [
                [cos, -sin, to_x - cos * pivot_x + sin * pivot_y],
                [sin, cos, to_y - sin * pivot_x - cos * pivot_y],
            ],
            np.float32,
        )

    def _reach(self) -> Box:
        """The box, its bounds even, that the person never leaves."""
        width, height = self._size
        layer_height, layer_width = self._full.shape[:2]
        corners = np.array([(x, y, 1) for x in (-1, layer_width) for y in (-1, layer_height)], np.float32)
        whole = Box(0, 0, width, height)
        spots = np.concatenate([corners @ self._motion(number, whole).T for number in range(self._frames)])
        left, top = np.floor(spots.min(axis=0)).astype(int)
        right, bottom = np.ceil(spots.max(axis=0)).astype(int)
        return Box(
            max(0, int(left) // 2 * 2),
            max(0, int(top) // 2 * 2),
            min(width, (int(right) + 1) // 2 * 2),
            min(height, (int(bottom) + 1) // 2 * 2),
        )


class _Scratch:
    """Buffers to move the person's layer and lay it over the room, for planes of one size."""

    def __init__(self, height: int, width: int) -> None:
        self._moved = np.empty((height, width, 4), np.uint8)
        self._channels = [np.empty((height, width), np.uint8) for _ in range(4)]

    def warp(self, layer: U8, motion: F32) -> list[U8]:
        """The moved layer's channels: alpha first; valid until the next call."""
        height, width = self._moved.shape[:2]
        cv2.warpAffine(layer, motion, (width, height), dst=self._moved, flags=cv2.INTER_LINEAR)
        cv2.split(self._moved, self._channels)
        return self._channels

    def lay(self, layer: U8, motion: F32, room: tuple[U8, ...], target: tuple[U8, ...]) -> None:
        """target = room (1 - alpha) + person, where the person's samples have alpha in them already."""
        alpha, *person = self.warp(layer, motion)
        see_through = cv2.bitwise_not(alpha, dst=alpha)
        for samples, behind, out in zip(person, room, target, strict=False):
            cv2.multiply(behind, see_through, dst=out, scale=1 / 255)
            cv2.add(out, samples, dst=out)


def _at_half_size(motion: F32) -> F32:
    """The same movement for planes of half the size, whose samples sit between those of luma: x = 2 x' + 1/2."""
    linear = motion[:, :2]
    shift = (linear @ np.full(2, 0.5, np.float32) - 0.5 + motion[:, 2]) / 2
    return np.column_stack([linear, shift]).astype(np.float32)


def room(size: Size) -> U8:
    """The room without the person: uint8 (height, width, 3) BGR, a fresh array."""
    picture = _load("room.jpg", cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    box = cover((width, height), size)
    shrinks = size[0] < width and size[1] < height
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(picture[box.y0 : box.y1, box.x0 : box.x1], size, interpolation=way).astype(np.uint8, copy=False)


def _load(name: str, how: int) -> U8:
    picture = cv2.imread(str(asset(name)), how)
    if picture is None:
        raise InputError(f"{asset(name)} is missing or damaged", "install vcam again")
    return picture.astype(np.uint8, copy=False)


def _load_person(size: Size) -> tuple[U8, U8]:
    """The person at the scale of a scene of `size`: for the luma plane, and for the chroma planes.

    uint8 (height, width, 4): alpha, then Y or Cb and Cr multiplied by alpha, then unused. Four channels are moved
    faster than two or three, and than one.
    """
    picture = _load("astronaut.png", cv2.IMREAD_UNCHANGED)
    rows, columns = picture.shape[:2]
    scale = min(_HEIGHT_SHARE * size[1] / (_VISIBLE_SHARE * rows), _WIDTH_SHARE * size[0] / columns)
    # even, so that the half-size layer covers the same area
    width, height = (max(2, round(side * scale / 2) * 2) for side in (columns, rows))
    share = picture.astype(np.float32) / 255.0
    share[..., :3] *= share[..., 3:]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    # cubic interpolation overshoots at edges
    share = np.clip(cv2.resize(share, (width, height), interpolation=way), 0, 1).astype(np.float32)
    blue, green, red, alpha = (share[..., index] for index in range(4))
    luma = RED * red + GREEN * green + BLUE * blue
    y = LUMA_SPAN * luma + BLACK * alpha
    u = CHROMA_SPAN / BLUE_RANGE * (blue - luma) + NEUTRAL * alpha
    v = CHROMA_SPAN / RED_RANGE * (red - luma) + NEUTRAL * alpha
    small = (width // 2, height // 2)
    u, v, alpha_half = (cv2.resize(plane, small, interpolation=cv2.INTER_AREA) for plane in (u, v, alpha))
    return _layer(alpha * 255, y), _layer(alpha_half * 255, u, v)


def _layer(*channels: npt.NDArray[Any]) -> U8:
    height, width = channels[0].shape
    layer = np.zeros((height, width, 4), np.uint8)
    for index, channel in enumerate(channels):
        layer[..., index] = np.clip(np.rint(channel), 0, 255)
    return layer
