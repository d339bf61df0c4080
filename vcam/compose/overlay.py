"""Pictures and words over the picture: drawn once into a small plate with alpha, blended in their own box."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vcam.compose.filters.base import Scene
from vcam.compose.filters.planes import LINES, Scratch
from vcam.compose.font import font_for
from vcam.errors import InputError, UsageError
from vcam.frames import NOTHING, Box, Frame
from vcam.images import MAX_PIXELS, bgr_to_frame, enough_memory, open_picture
from vcam.printable import printable
from vcam.scaling import halve
from vcam.settings import Spot
from vcam.types import U8, Size

if TYPE_CHECKING:
    from PIL import Image

_MARGIN = 0.03
"""Of the picture's height, between an overlay and the border."""


class Overlay:
    """One overlay, as a filter of pictures: S' = (1 - a) S + a O, in its box alone.

    draw: gives it for a picture of a size, uint8 (height, width, 4) RGBA; place: where it stands; snug: at the very
    border instead of a little inside.
    """

    def __init__(self, draw: Callable[[Size], U8], place: Spot, *, snug: bool = False) -> None:
        self._draw, self._place, self._snug = draw, place, snug
        self.box = NOTHING

    def prepare(self, size: Size) -> None:
        self._size = size
        self._lay(self._draw(size))

    def _lay(self, rgba: U8) -> None:
        height, width = rgba.shape[:2]
        x, y = _corner(self._place, (width, height), self._size, 0 if self._snug else round(_MARGIN * self._size[1]))
        # the box begins at even pixels and ends there: what is missing is transparent
        wide, high = min(self._size[0], (width + 1) // 2 * 2), min(self._size[1], (height + 1) // 2 * 2)
        rgba = cv2.copyMakeBorder(rgba, 0, max(0, high - height), 0, max(0, wide - width), cv2.BORDER_REPLICATE)[
            :high, :wide
        ].astype(np.uint8, copy=False)
        rgba[height:, :, 3] = 0
        rgba[:, width:, 3] = 0
        self.box = Box(x, y, x + wide, y + high)
        alpha = np.ascontiguousarray(rgba[..., 3])
        half = halve(alpha, np.empty((high // 2, wide // 2), np.uint8))
        picture = bgr_to_frame(np.ascontiguousarray(rgba[..., 2::-1]))
        self._rest, self._own = [], []
        for plane, mask in zip(picture.planes, (alpha, half, half), strict=True):
            self._rest.append((255 - mask).astype(np.uint8))
            # what the rest leaves, rounded so that both make up the whole
            self._own.append(np.rint(plane * (mask / np.float32(255))).astype(np.uint8))
        self._scratch = Scratch((wide, high))

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        for plane, rest, own in zip(picture.view(self.box).planes, self._rest, self._own, strict=True):
            cv2.multiply(plane, rest, dst=plane, scale=1 / 255)
            cv2.add(plane, own, dst=plane)


class Clock(Overlay):
    """The time of day, drawn anew when the minute changes."""

    def __init__(self, points: float, place: Spot, now: Callable[[], time.struct_time] = time.localtime) -> None:
        self._now = now
        self._points = points
        self._told = ""
        super().__init__(self._picture, place)

    def _picture(self, size: Size) -> U8:
        self._told = time.strftime("%H:%M", self._now())
        return draw_text(self._told, self._points * size[1] / LINES, size)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        if time.strftime("%H:%M", self._now()) != self._told:
            self.prepare(self._size)
        super().change(picture, box, scene)


def picture_overlay(path: Path, place: Spot, scale: float) -> Overlay:
    """A picture file, `scale` of the frame's width wide, at the very border. Raises `UsageError`, `InputError`."""
    rgba = read_rgba(path)

    def draw(size: Size) -> U8:
        height, width = rgba.shape[:2]
        wide = min(size[0], max(2, round(scale * size[0])))
        factor = min(wide / width, size[1] / height)
        target = (max(2, round(width * factor)), max(2, round(height * factor)))
        # weighted by alpha, or the colour of what cannot be seen would bleed into the edge
        alpha = rgba[..., 3:].astype(np.float32) / 255
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        cover = np.asarray(cv2.resize(alpha, target, interpolation=way), np.float32)
        colour = np.asarray(cv2.resize(rgba[..., :3] * alpha, target, interpolation=way), np.float32)
        colour /= np.maximum(cover, 1e-6)[..., np.newaxis]
        planes = np.dstack([colour, cover * 255])
        return np.rint(np.clip(planes, 0, 255)).astype(np.uint8)

    return Overlay(draw, place, snug=True)


def text_overlay(text: str, place: Spot, points: float) -> Overlay:
    """Words on a dark, half transparent card."""
    lines = printable(text.replace("\\n", "\n"), "\n")
    return Overlay(lambda size: draw_text(lines, points * size[1] / LINES, size), place)


def read_rgba(path: Path) -> U8:
    """A picture file as uint8 (height, width, 4) RGBA, upright. Raises `UsageError`, `InputError`."""
    from PIL import Image, ImageOps

    if not path.is_file():
        raise UsageError(f"there is no picture {path}", "check the path")
    try:
        with open_picture(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise InputError(f"{path} has {opened.width}x{opened.height} pixels, too many for an overlay")
            with enough_memory(path):
                return np.array(ImageOps.exif_transpose(opened).convert("RGBA"), np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{os.fspath(path)} is no picture that can lie over another: {error}", "use PNG") from error


def draw_text(text: str, points: float, space: Size) -> U8:
    """White letters on a dark card with round corners, uint8 (height, width, 4) RGBA; smaller if they would not fit."""
    from PIL import Image, ImageDraw

    layer = Image.new("RGBA", (1, 1))
    while True:
        font = font_for(text, points)
        left, top, right, bottom = ImageDraw.Draw(layer).multiline_textbbox((0, 0), text, font=font, spacing=points / 3)
        pad = 0.45 * points
        width, height = round(right - left + 2.4 * pad), round(bottom - top + 2 * pad)
        if (width <= 0.94 * space[0] and height <= 0.94 * space[1]) or points <= 6:
            break
        points *= 0.9
    layer = Image.new("RGBA", (min(width, space[0]), min(height, space[1])), (255, 255, 255, 0))
    draw = ImageDraw.Draw(layer)
    draw.rounded_rectangle((0, 0, layer.width - 1, layer.height - 1), radius=pad, fill=(16, 18, 22, 165))
    _letters(layer, text, (1.2 * pad - left, pad - top), font, points)
    return np.array(layer, np.uint8)


def _letters(layer: Image.Image, text: str, at: tuple[float, float], font: object, points: float) -> None:
    from PIL import Image, ImageDraw

    mask = Image.new("L", layer.size)
    ImageDraw.Draw(mask).multiline_text(at, text, fill=255, font=font, spacing=points / 3)  # type: ignore[arg-type]
    layer.paste((245, 245, 245, 255), (0, 0), mask)


def _corner(place: Spot, own: Size, space: Size, margin: int) -> tuple[int, int]:
    """Where the upper left corner goes, at even pixels."""
    wide, high = (min(limit, (side + 1) // 2 * 2) for side, limit in zip(own, space, strict=True))
    x = {"left": margin, "right": space[0] - wide - margin}
    y = {"top": margin, "bottom": space[1] - high - margin}
    words = place.split("-")
    column = next((x[word] for word in words if word in x), (space[0] - wide) // 2)
    row = next((y[word] for word in words if word in y), (space[1] - high) // 2)
    return max(0, min(column, space[0] - wide)) // 2 * 2, max(0, min(row, space[1] - high)) // 2 * 2
