"""Animated pictures: their rate, and a decoder for those that ffmpeg does not read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcam.compose.backgrounds.fit import fit_picture
from vcam.errors import InputError
from vcam.fitting import Fit
from vcam.frames import Frame
from vcam.images import MAX_PIXELS, bgr_to_frame, enough_memory, open_picture
from vcam.types import Size

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = frozenset({"GIF", "PNG", "WEBP", "AVIF"})
"""Formats whose further pictures are frames in time; in others (TIFF, MPO) they are pages or views."""

_PILLOW_ONLY = frozenset({"WEBP", "AVIF"})
_LOOK_AT = 32
_DEFAULT_DELAY = 100  # ms, what browsers take where a picture says 0 or next to nothing
_BROKEN = (OSError, SyntaxError, ValueError, EOFError)


@dataclass(frozen=True, slots=True)
class Animation:
    """What an animated picture holds; `rate` is frames a second, high enough to meet every delay."""

    size: Size
    rate: Fraction
    needs_pillow: bool


def look_at_animation(path: Path) -> Animation | None:
    """Look into a picture; None if it does not move, is no picture, or is not there."""
    from PIL import Image

    try:
        with open_picture(path) as image:
            if image.format not in _FORMATS or not getattr(image, "is_animated", False):
                return None
            needs_pillow = image.format in _PILLOW_ONLY
            common = 0
            for index in range(min(_LOOK_AT, getattr(image, "n_frames", 1))):
                image.seek(index)
                # the delay of some formats is known only then
                image.load()
                common = math.gcd(common, _delay(image))
            return Animation(image.size, Fraction(1000, common or _DEFAULT_DELAY), needs_pillow)
    except (*_BROKEN, Image.DecompressionBombError, MemoryError):
        return None


def _delay(image: Image.Image) -> int:
    """How long the picture is shown, in ms."""
    delay = round(float(image.info.get("duration") or 0))
    return delay if delay > 10 else _DEFAULT_DELAY


class AnimationReader:
    """Frames of an animated picture at a constant rate, looped; as `vcam.media.reader.VideoReader`, but by Pillow."""

    def __init__(self, path: Path, size: Size, rate: Fraction, fit: Fit) -> None:

        self._path, self._size, self._rate, self._fit = path, size, rate, fit
        try:
            self._image: Image.Image | None = open_picture(path)
        except _BROKEN as error:
            raise InputError(f"{path} is damaged: {error}", "download the picture again") from error
        if self._image.width * self._image.height > MAX_PIXELS:
            raise InputError(f"{path} has {self._image.width}x{self._image.height} pixels, too many to load")
        self._index = -1
        self._until = 0.0
        self._count = 0
        self._frame = Frame.allocate(*size)

    def read(self) -> Frame | None:
        if self._image is None:
            return None
        now = float(self._count * 1000 / self._rate)
        try:
            with enough_memory(self._path):
                while now >= self._until:
                    self._advance(self._image)
        except _BROKEN as error:
            raise InputError(f"{self._path} is damaged: {error}", "download the picture again") from error
        self._count += 1
        return self._frame

    def _advance(self, image: Image.Image) -> None:
        self._index = (self._index + 1) % getattr(image, "n_frames", 1)
        image.seek(self._index)
        rgba = np.asarray(image.convert("RGBA"))
        self._until += _delay(image)
        cover = rgba[..., 3:].astype(np.float32) / 255
        bgr = (rgba[..., 2::-1] * cover + 128 * (1 - cover)).round().astype(np.uint8)
        self._frame = bgr_to_frame(fit_picture(bgr, self._size, self._fit))

    def close(self) -> None:
        if self._image is not None:
            self._image.close()
            self._image = None
