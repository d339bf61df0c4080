"""Clips whose true matte is known: a cut-out person moved over a moving background, with a camera's noise.

for frame, matte in synthetic_clip((640, 360), 90, seed=1, motion="fast"):
    ...
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from vcam.assets import asset
from vcam.colour import BLACK, TOPS
from vcam.errors import InputError
from vcam.frames import Frame, check_size
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.types import F32, U8, Size

Motion = Literal["still", "slow", "fast"]


@dataclass(frozen=True, slots=True)
class _Path:
    """How the person moves. Lengths in heights of the picture, turns in degrees, period in frames."""

    sway: float
    bob: float
    turn: float
    breath: float
    period: float


_PATHS: dict[str, _Path] = {
    "still": _Path(0, 0, 0, 0, 1),
    # at 720 lines about 2 pixels a frame at most: somebody listening
    "slow": _Path(0.04, 0.01, 2.0, 0.012, 90),
    # at 720 lines about 18 pixels a frame at most: somebody leaning over
    "fast": _Path(0.24, 0.03, 6.0, 0.06, 60),
}

_VISIBLE = 0.94
_ZOOM = 1.2
_BACKGROUND_PERIOD = 150.0
_NOISE_TILES = 6


def synthetic_clip(
    size: Size,
    frames: int,
    seed: int = 0,
    motion: Motion = "slow",
    noise: float = 3.0,
    *,
    person: U8 | None = None,
    background: U8 | None = None,
    share: float = 0.85,
) -> Iterator[tuple[Frame, U8]]:
    """Frames (limited range, 30 a second) with their true mattes, uint8 (height, width); fresh arrays, yours to keep.

    `noise` is its standard deviation in levels of 8-bit luma; half of its power has the grain of two pixels, as webcams
    have it. `person`: uint8 (height, width, 4) BGRA, by default the demo's; `background`: BGR, by default one of the
    demo's, chosen by `seed`, which also decides where the motions begin; `share`: how much of the picture's height the
    person takes. The same arguments give the same clip.
    """
    check_size(*size, what="a synthetic clip")
    layer = _premultiplied(_cutout() if person is None else person, size, share)
    chance = np.random.default_rng(seed)
    start = chance.uniform(0, 2 * math.pi)
    stage = _Stage(size, seed, noise, chance, background)
    for number in range(frames):
        move = _motion(_PATHS[motion], 2 * math.pi * number / _PATHS[motion].period + start, layer, size)
        moved = cv2.warpAffine(layer, move, size, flags=cv2.INTER_LINEAR).astype(np.float32, copy=False)
        yield stage.show(number, moved[..., :3], moved[..., 3:])


def recomposed(
    clip: Iterable[tuple[Frame, U8]], seed: int = 0, noise: float = 3.0, *, background: U8 | None = None
) -> Iterator[tuple[Frame, U8]]:
    """People of a film, cut out with the mattes that are given, before a moving background; else as `synthetic_clip`.

    The mattes are true for what comes out, whatever they were for what went in. Frames are of one size.
    """
    stage: _Stage | None = None
    for number, (frame, matte) in enumerate(clip):
        if stage is None:
            stage = _Stage(frame.size, seed, noise, np.random.default_rng(seed), background)
        alpha: F32 = np.float32(1 / 255) * matte[..., np.newaxis].astype(np.float32)
        yield stage.show(number, (frame_to_bgr(frame) * alpha).astype(np.float32), alpha)


class _Stage:
    """The moving background, and the camera's noise over all."""

    def __init__(self, size: Size, seed: int, noise: float, chance: np.random.Generator, background: U8 | None) -> None:
        if background is None:
            background = read_image(asset(("room.jpg", "dusk.jpg")[seed % 2]))
        self._size = size
        self._wide = _cover(background, (math.ceil(size[0] * _ZOOM), math.ceil(size[1] * _ZOOM)))
        self._start = chance.uniform(0, 2 * math.pi)
        self._grain = Grain(size, noise, chance)

    def show(self, number: int, person: F32, alpha: F32) -> tuple[Frame, U8]:
        """person: float32 (height, width, 3), 0..255 times alpha; alpha: float32 (height, width, 1)."""
        pan = _pan(self._wide, 2 * math.pi * number / _BACKGROUND_PERIOD + self._start, self._size)
        picture = person + (1 - alpha) * cv2.warpAffine(self._wide, pan, self._size, flags=cv2.INTER_LINEAR)
        frame = bgr_to_frame(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        self._grain.add(frame)
        frame.seq, frame.timestamp = number, number / 30
        return frame, np.rint(alpha[..., 0] * 255).astype(np.uint8)


def _cutout() -> U8:
    picture = cv2.imread(str(asset("astronaut.png")), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.shape[2] != 4:
        raise InputError(f"{asset('astronaut.png')} is missing or damaged", "install vcam again")
    return picture.astype(np.uint8, copy=False)


def _premultiplied(person: U8, size: Size, share: float) -> F32:
    """The person at the clip's scale: float32 (height, width, 4), BGR 0..255 times alpha, alpha 0..1."""
    rows, columns = person.shape[:2]
    scale = min(share * size[1] / rows, 0.9 * size[0] / columns)
    layer = person.astype(np.float32)
    layer[..., 3] /= 255
    layer[..., :3] *= layer[..., 3:]
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(layer, (round(columns * scale), round(rows * scale)), interpolation=way).astype(np.float32)


def _motion(path: _Path, phase: float, layer: F32, size: Size) -> F32:
    """The affine map, float32 (2, 3), from the person's layer to the picture; turns are about its lower edge."""
    width, height = size
    angle = math.radians(path.turn) * math.sin(phase + 0.7)
    scale = 1 + path.breath * math.sin(2 * phase)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    pivot_x, pivot_y = layer.shape[1] / 2, layer.shape[0] * _VISIBLE
    to_x = width / 2 + path.sway * height * math.sin(phase)
    # never above the lower edge, where the cut-out ends
    to_y = height + path.bob * height * (1 + math.cos(2 * phase)) / 2
    return np.array(
        [
            [cos, -sin, to_x - cos * pivot_x + sin * pivot_y],
            [sin, cos, to_y - sin * pivot_x - cos * pivot_y],
        ],
        np.float32,
    )


def _pan(wide: F32, phase: float, size: Size) -> F32:
    spare_x, spare_y = wide.shape[1] - size[0], wide.shape[0] - size[1]
    left, top = spare_x * (1 + math.sin(phase)) / 2, spare_y * (1 + math.cos(phase)) / 2
    return np.array([[1, 0, -left], [0, 1, -top]], np.float32)


def _cover(picture: U8, size: Size) -> F32:
    height, width = picture.shape[:2]
    factor = max(size[0] / width, size[1] / height)
    scaled = (max(size[0], round(width * factor)), max(size[1], round(height * factor)))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    large = cv2.resize(picture, scaled, interpolation=way)
    return large[: size[1], : size[0]].astype(np.float32)


class Grain:
    """A camera's noise from a few tiles, shifted by chance: fresh noise for each frame would take longer than the rest.

    noise: its standard deviation in levels of luma, half of that in chroma.
    """

    def __init__(self, size: Size, noise: float, chance: np.random.Generator) -> None:
        self._chance, self._noise = chance, noise
        if noise <= 0:
            return
        width, height = size
        self._tiles = [
            [_noise_plane((w, h), strength, chance) for w, h, strength in (
                (width, height, noise), (width // 2, height // 2, noise / 2), (width // 2, height // 2, noise / 2),
            )]
            for _ in range(_NOISE_TILES)
        ]  # fmt: skip

    def add(self, frame: Frame) -> None:
        """Lay other noise over a limited-range frame of that size, in place."""
        if self._noise <= 0:
            return
        tile = self._tiles[int(self._chance.integers(_NOISE_TILES))]
        for plane, grain, top in zip(frame.planes, tile, TOPS, strict=True):
            shift = [int(self._chance.integers(side)) for side in plane.shape]
            noisy = plane.astype(np.float32) + np.roll(grain, shift, (0, 1))
            np.copyto(plane, np.clip(np.rint(noisy), BLACK, top), casting="unsafe")


def _noise_plane(size: Size, strength: float, chance: np.random.Generator) -> F32:
    width, height = size
    fine = chance.standard_normal((height, width), np.float32)
    coarse = chance.standard_normal(((height + 1) // 2, (width + 1) // 2), np.float32)
    coarse = np.repeat(np.repeat(coarse, 2, 0), 2, 1)[:height, :width]
    return (strength * math.sqrt(0.5) * (fine + coarse)).astype(np.float32)
