"""Filters that look at places and neighbours: vignette, sharpen, hologram."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.colour import BLACK, NEUTRAL, WHITE
from vcam.compose.filters.base import Kind, Number, Place, Scene, Values
from vcam.compose.filters.colour import Tint
from vcam.compose.filters.planes import LINES, Scratch, Shade, luma_table
from vcam.frames import Box, Frame
from vcam.types import U8, Size


class Vignette:
    """Light that falls off from the middle: S' = g S + (1 - g) black, g = 1 - amount * smoothstep(r).

    r is the distance from the middle, from 0 at `start` to 1 in the corners.
    """

    def __init__(self, values: Values) -> None:
        self._amount, self._start = values.number("amount"), values.number("start")
        self._shade = Shade()

    def prepare(self, size: Size) -> None:
        self._gains, self._lifts = zip(
            *(self._maps(size[0] >> down, size[1] >> down, down) for down in (0, 1)), strict=True
        )

    def _maps(self, width: int, height: int, chroma: int) -> tuple[U8, U8]:
        x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
        y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
        r = np.hypot(x, y[:, np.newaxis]) / np.sqrt(2)
        t = np.clip((r - self._start) / max(1e-3, 1 - self._start), 0, 1)
        gain = np.rint(255 * (1 - self._amount * t * t * (3 - 2 * t)))
        # rounded up for luma, so that it never falls below black
        lift = np.rint((255 - gain) / 255 * NEUTRAL) if chroma else np.ceil((255 - gain) / 255 * BLACK)
        return gain.astype(np.uint8), lift.astype(np.uint8)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        for index, plane in enumerate(picture.view(box).planes):
            part = box.half() if index else box
            where = slice(part.y0, part.y1), slice(part.x0, part.x1)
            self._shade.apply(self._gains[min(index, 1)][where], self._lifts[min(index, 1)][where], plane)


class Sharpen:
    """Unsharp mask on luma: Y' = Y + amount * (Y - G * Y), G the 3x3 binomial filter."""

    def __init__(self, values: Values) -> None:
        self._amount = values.number("amount")

    def prepare(self, size: Size) -> None:
        self._scratch = Scratch(size)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        luma = picture.view(box).y
        smooth = self._scratch.like(luma)
        cv2.GaussianBlur(luma, (3, 3), 0, dst=smooth)
        cv2.addWeighted(luma, 1 + self._amount, smooth, -self._amount, 0, dst=luma)
        np.clip(luma, BLACK, WHITE, out=luma)


_BLUE = (0.30, -0.13)  # shares of luma that Cb and Cr take on
_GHOST = 0.3
_SHIFT = 14  # lines of 720 that the ghost stands aside
_PITCH = 6  # lines of 720 from one dark line to the next


class Hologram:
    """Bluish, with dark lines and a ghost beside the figure, as films show holograms."""

    def __init__(self, values: Values) -> None:
        amount = values.number("amount")
        self._tint = Tint(1 - amount, (amount * _BLUE[0], amount * _BLUE[1]))
        self._bright = luma_table(lambda light: (1 - 0.35 * amount) * light + 0.22 * amount * np.sqrt(light))
        self._dark = luma_table(lambda light: light * (1 - 0.45 * amount))
        self._ghost = _GHOST * amount

    def prepare(self, size: Size) -> None:
        self._tint.prepare(size)
        self._scratch, self._mask = Scratch(size), Scratch(size)
        self._shift = max(1, round(_SHIFT * size[1] / LINES))
        self._pitch = max(2, round(_PITCH * size[1] / LINES))
        self._thick = max(1, self._pitch // 3)

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        part = picture.view(box)
        luma, copy = part.y, self._scratch.like(part.y)
        np.copyto(copy, luma)
        if scene is not None:
            self._cover_room(copy, box, scene)
        for plane in (luma, copy):
            cv2.LUT(plane, self._bright, dst=plane)
        shift = min(self._shift, luma.shape[1] - 1)
        cv2.addWeighted(luma[:, shift:], 1 - self._ghost, copy[:, :-shift], self._ghost, 0, dst=luma[:, shift:])
        for line in range(self._thick):
            # counted from the top of the picture, so that lines stand still while the box moves
            first = (line - box.y0) % self._pitch
            rows = luma[first :: self._pitch]
            if len(rows):
                cv2.LUT(rows, self._dark, dst=rows)
        self._tint.change(picture, box, scene)

    def _cover_room(self, luma: U8, box: Box, scene: Scene) -> None:
        """Put the new background where the person is not: the ghost must not carry the room into the figure."""
        inner = scene.alpha.box
        room = self._mask.like(luma)
        room.fill(255)
        where = slice(inner.y0 - box.y0, inner.y1 - box.y0), slice(inner.x0 - box.x0, inner.x1 - box.x0)
        cv2.threshold(
            scene.alpha.full[inner.y0 : inner.y1, inner.x0 : inner.x1], 127, 255, cv2.THRESH_BINARY_INV, dst=room[where]
        )
        cv2.copyTo(scene.plate.view(box).y, room, luma)


KINDS = (
    Kind(
        "vignette", "Darker towards the corners.", (Place.PICTURE, Place.BACKGROUND),
        (
            Number("amount", "how dark the corners become", 0.5, 0, 1),
            Number("start", "where it begins: 0 the middle, 1 the corners", 0.35, 0, 0.95),
        ),
        Vignette,
    ),
    Kind("sharpen", "Crisper detail.", (Place.PERSON, Place.BACKGROUND, Place.PICTURE),
         (Number("amount", "0 leaves it", 0.6, 0, 3),), Sharpen),
    Kind("hologram", "The person as a hologram.", (Place.PERSON, Place.PICTURE),
         (Number("amount", "0 leaves them, 1 all of it", 1.0, 0, 1),), Hologram),
)  # fmt: skip
