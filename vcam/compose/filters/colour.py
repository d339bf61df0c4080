"""Filters that change each sample by itself: curves on luma, gains and tints on chroma."""

from __future__ import annotations

import cv2
import numpy as np

from vcam.colour import (
    BLACK,
    BLUE,
    CHROMA_SPAN,
    FULL,
    GREEN,
    HIGHEST,
    LOWEST,
    LUMA_SPAN,
    NEUTRAL,
    PER_BLUE,
    PER_RED,
    RED,
    TOPS,
)
from vcam.compose.filters.base import COLOURS, Kind, Number, Place, Scene, Values, Word
from vcam.compose.filters.planes import LEVELS, Scratch, luma_table, plane_table
from vcam.frames import Box, Frame
from vcam.scaling import halve
from vcam.types import U8, Size


class Tables:
    """One table, uint8 (256,), for each plane; None leaves it as it is."""

    def __init__(self, luma: U8 | None, cb: U8 | None = None, cr: U8 | None = None) -> None:
        self._tables = (luma, cb, cr)

    def prepare(self, size: Size) -> None:
        """Tables need no buffers."""

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        for plane, table in zip(picture.view(box).planes, self._tables, strict=True):
            if table is not None:
                cv2.LUT(plane, table, dst=plane)


class Tint:
    """Chroma that follows luma: C' = keep * (C - 128) + 128 + share * (Y - 16), for Cb and Cr.

    Black stays black, whatever the tint.
    """

    def __init__(self, keep: float, shares: tuple[float, float]) -> None:
        self._keep, self._shares = keep, shares

    def prepare(self, size: Size) -> None:
        self._luma = Scratch((size[0] // 2, size[1] // 2))

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        part = picture.view(box)
        if not any(self._shares) and not self._keep:
            part.u.fill(NEUTRAL)
            part.v.fill(NEUTRAL)
            return
        luma = halve(part.y, self._luma.like(part.u))
        for plane, share in zip((part.u, part.v), self._shares, strict=True):
            offset = NEUTRAL * (1 - self._keep) - BLACK * share
            cv2.addWeighted(plane, self._keep, luma, share, offset, dst=plane)
            np.clip(plane, LOWEST, HIGHEST, out=plane)


class ByLuma:
    """Each sample taken from a table by the luma alone."""

    def __init__(self, luma: U8, cb: U8, cr: U8) -> None:
        self._tables = luma, cb, cr

    def prepare(self, size: Size) -> None:
        self._luma = Scratch((size[0] // 2, size[1] // 2))

    def change(self, picture: Frame, box: Box, scene: Scene | None) -> None:
        part = picture.view(box)
        luma = halve(part.y, self._luma.like(part.u))
        cv2.LUT(luma, self._tables[1], dst=part.u)
        cv2.LUT(luma, self._tables[2], dst=part.v)
        cv2.LUT(part.y, self._tables[0], dst=part.y)


def _brightness(values: Values) -> Tables:
    """Y' = Y + value."""
    return Tables(luma_table(lambda light: light + values.number("value") / 100))


def _contrast(values: Values) -> Tables:
    """Y' = gain * (Y - 1/2) + 1/2, and the same gain on chroma, so that colours keep their strength."""
    gain = values.number("gain")
    chroma = plane_table(gain, NEUTRAL, NEUTRAL, True)
    return Tables(luma_table(lambda light: gain * (light - 0.5) + 0.5), chroma, chroma)


def _gamma(values: Values) -> Tables:
    """Y' = Y^(1/value), as the gamma of displays is given."""
    return Tables(luma_table(lambda light: light ** (1 / values.number("value"))))


def _saturation(values: Values) -> Tables:
    """C' = gain * (C - 128) + 128."""
    table = plane_table(values.number("gain"), NEUTRAL, NEUTRAL, True)
    return Tables(None, table, table)


# steps of chroma for one of luma
_CB, _CR = PER_BLUE * CHROMA_SPAN / LUMA_SPAN, PER_RED * CHROMA_SPAN / LUMA_SPAN


def _temperature(values: Values) -> Tint:
    """Red times 1 + k, blue times 1 - k, at unchanged luma; exact for greys, within the gain's slope for the rest."""
    k = 0.3 * values.number("value") / 100
    return Tint(1.0, (-_CB * k, _CR * k))


def _grey(values: Values) -> Tint:
    """C' = (1 - amount) * (C - 128) + 128."""
    return Tint(1 - values.number("amount"), (0.0, 0.0))


def _sepia(values: Values) -> Tint:
    """The hue that the usual sepia matrix (Microsoft, ".NET Matters", 2005) gives a grey of the same luma."""
    amount = values.number("amount")
    red, green, blue = 0.393 + 0.769 + 0.189, 0.349 + 0.686 + 0.168, 0.272 + 0.534 + 0.131
    luma = RED * red + GREEN * green + BLUE * blue
    return Tint(1 - amount, (amount * _CB * (blue / luma - 1), amount * _CR * (red / luma - 1)))


def _dim(values: Values) -> Tables:
    """Y' = (1 - amount) * Y, chroma likewise: less light on the same colours."""
    keep = 1 - values.number("amount")
    chroma = plane_table(keep, NEUTRAL, NEUTRAL, True)
    return Tables(plane_table(keep, BLACK, BLACK, False), chroma, chroma)


_MAPS = (
    "viridis", "inferno", "magma", "plasma", "turbo", "jet", "hot", "cool", "bone", "ocean", "autumn", "winter",
    "spring", "summer", "pink", "parula", "twilight", "cividis", "rainbow", "deepgreen",
)  # fmt: skip


def _color_map(values: Values) -> ByLuma:
    """Y, Cb and Cr of the map's colour for the luma (the maps are OpenCV's)."""
    code = getattr(cv2, "COLORMAP_" + values.text("name").upper())
    bgr = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, np.newaxis], code).reshape(256, 3).astype(np.float64)
    # indices are the light of a pixel, not its sample
    light = np.clip((LEVELS - BLACK) / LUMA_SPAN * FULL, 0, FULL)
    blue, green, red = (np.interp(light, LEVELS, bgr[:, channel]) / 255 for channel in range(3))
    luma = RED * red + GREEN * green + BLUE * blue
    cb, cr = CHROMA_SPAN * PER_BLUE * (blue - luma), CHROMA_SPAN * PER_RED * (red - luma)
    planes = (BLACK + LUMA_SPAN * luma, NEUTRAL + cb, NEUTRAL + cr)
    tables = [np.rint(np.clip(plane, BLACK, top)).astype(np.uint8) for plane, top in zip(planes, TOPS, strict=True)]
    return ByLuma(*tables)


_AMOUNT = Number("amount", "0 none, 1 all of it", 1.0, 0, 1)

KINDS = (
    Kind("brightness", "Lighter or darker.", COLOURS,
         (Number("value", "added to the luma", 10.0, -100, 100, "%"),), _brightness),
    Kind("contrast", "More or less contrast.", COLOURS, (Number("gain", "1 leaves it", 1.2, 0, 3),), _contrast),
    Kind("gamma", "Lighter or darker in the middle, black and white stay.", COLOURS,
         (Number("value", "above 1 lighter", 1.3, 0.2, 5),), _gamma),
    Kind("saturation", "Stronger or weaker colours.", COLOURS,
         (Number("gain", "0 grey, 1 leaves it", 1.3, 0, 3),), _saturation),
    Kind("temperature", "Warmer or cooler light.", COLOURS,
         (Number("value", "above 0 warmer", 30.0, -100, 100, "%"),), _temperature),
    Kind("grey", "Without colours.", COLOURS, (_AMOUNT,), _grey),
    Kind("sepia", "Brown, as an old photograph.", COLOURS, (_AMOUNT,), _sepia),
    Kind("color-map", "Colours by brightness alone.", COLOURS,
         (Word("name", "the colour map", "viridis", _MAPS),), _color_map),
    Kind("dim", "Less light on the background.", (Place.BACKGROUND, Place.PICTURE),
         (Number("amount", "0 leaves it, 1 black", 0.4, 0, 1),), _dim),
)  # fmt: skip
