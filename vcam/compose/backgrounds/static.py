"""Backgrounds that stay as they are: one colour, one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vcam.compose.backgrounds.fit import fit_picture
from vcam.compose.base import Plate
from vcam.errors import UsageError
from vcam.fitting import Fit
from vcam.frames import Alpha, Frame
from vcam.images import bgr_to_frame, enough_memory, read_image
from vcam.types import U8, Size

GREEN = (0, 255, 0)
"""What OBS Studio's chroma key looks for as it comes, so that `green` there needs no setting at all."""


def parse_color(text: str) -> tuple[int, int, int]:
    """(red, green, blue) of #RRGGBB, #RGB or a CSS name. Raises `UsageError`."""
    from PIL import ImageColor

    error = UsageError(f"{text!r} is not a color", "write it as #RRGGBB, for example color:#203040, or as a CSS name")
    try:
        color = ImageColor.getrgb(text.strip())
    except ValueError:
        raise error from None
    if len(color) != 3:
        raise error
    return color[0], color[1], color[2]


class ColorBackground:
    """One colour, given as 8-bit red, green and blue."""

    needs_alpha = True

    def __init__(self, rgb: tuple[int, int, int]) -> None:
        self.description = "color:#{:02x}{:02x}{:02x}".format(*rgb)
        self._bgr = rgb[::-1]
        self._plate: Plate | None = None

    def prepare(self, size: Size) -> None:
        if self._plate is None or self._plate.frame.size != size:
            # by the same conversion as pictures, so that a picture of this colour looks the same
            patch = bgr_to_frame(np.full((2, 2, 3), self._bgr, np.uint8))
            frame = Frame.allocate(*size)
            frame.fill(*(int(plane[0, 0]) for plane in patch.planes))
            self._plate = Plate(frame, 0)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        return self.without_person(now)

    def without_person(self, now: float) -> Plate:
        assert self._plate is not None, "prepare comes first"
        return self._plate

    def close(self) -> None:
        self._plate = None


class ImageBackground:
    """One picture from a file."""

    needs_alpha = True

    def __init__(self, path: Path, fit: Fit = "cover", name: str = "") -> None:
        """name: what it is called, if not by its path."""
        self.description = name or str(path)
        self._path, self._fit = path, fit
        self._plate: Plate | None = None

    def prepare(self, size: Size) -> None:
        if self._plate is None or self._plate.frame.size != size:
            self._plate = Plate(load_picture(self._path, size, self._fit), 0)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        return self.without_person(now)

    def without_person(self, now: float) -> Plate:
        assert self._plate is not None, "prepare comes first"
        return self._plate

    def close(self) -> None:
        self._plate = None


def load_picture(path: Path, size: Size, fit: Fit) -> Frame:
    """A picture file as a frame of `size`, its own. Raises `InputError`, `UsageError`."""
    with enough_memory(path):
        picture: U8 = read_image(path)
        return bgr_to_frame(fit_picture(picture, size, fit))
