"""Another light or another camera: what is done to a region, and to the whole picture.

Planes are float32 (3, H, W) Y, Cb, Cr of the limited range, colours float32 (H, W, 3) R, G, B from 0 to 1.
"""

from __future__ import annotations

import numpy as np

from vcam import harmony
from vcam.colour import LOWEST, SPAN, TO_RGB, TOPS, ZERO
from vcam.train.harmony.shapes import Chance
from vcam.types import F32

_FROM_RGB = np.linalg.inv(TO_RGB).astype(np.float32)
_TOPS = np.array(TOPS, np.float32)[:, None, None]


def to_planes(colours: F32) -> F32:
    """Fresh; legal samples."""
    planes = (colours @ _FROM_RGB * SPAN + ZERO).transpose(2, 0, 1)
    return np.asarray(np.clip(planes, LOWEST, _TOPS), np.float32)


def to_colours(planes: F32) -> F32:
    """Fresh, from 0 to 1."""
    return np.asarray(np.clip((planes.transpose(1, 2, 0) - ZERO) / SPAN @ TO_RGB, 0, 1), np.float32)


def disturbed(planes: F32, chance: Chance) -> F32:
    """The same under another light. Nearly half of it is what the arguments can do, the rest only comes near that."""
    strength = chance.uniform(0.35, 1.15)
    kind = chance.random()
    if kind < 0.45:
        return by_arguments(planes, chance, strength)
    colours = to_colours(planes)
    if kind < 0.75:
        return to_planes(lit(colours, chance, strength))
    return to_planes(filmed(lit(colours, chance, 0.4 * strength), chance, strength))


def by_arguments(planes: F32, chance: Chance, strength: float = 1.0) -> F32:
    """Several arguments at once."""
    arguments = chance.normal(0, 0.6 * strength, len(harmony.NAMES)) * (chance.random(len(harmony.NAMES)) < 0.55)
    y, cb, cr = planes
    return np.stack(harmony.apply(y, cb, cr, np.clip(arguments, -1, 1)))


def lit(colours: F32, chance: Chance, strength: float = 1.0) -> F32:
    """More or less light of another colour: gains in linear light, taken as gains of samples with a gamma of 2.2."""
    stops = chance.normal(0, 0.5 * strength) if chance.random() < 0.8 else 0.0
    warm, tint = chance.normal(0, 0.35 * strength), chance.normal(0, 0.1 * strength)
    gains = 2 ** (np.array([stops + warm + tint, stops, stops - warm + tint]) / 2.2)
    return np.clip(colours * gains.astype(np.float32), 0, 1)


def filmed(colours: F32, chance: Chance, strength: float = 1.0) -> F32:
    """Another camera's curves: a gamma for each channel, contrast, blacks that are grey, colours stronger or weaker."""
    gamma = np.exp(chance.normal(0, 0.25 * strength) + chance.normal(0, 0.07 * strength, 3)).astype(np.float32)
    colours = np.clip(colours, 1e-4, 1) ** gamma
    if chance.random() < 0.6:
        # an S through the middle, or its opposite
        bend = np.float32(np.clip(chance.normal(0, 0.5 * strength), -0.9, 0.9))
        colours = colours + bend * colours * (1 - colours) * (2 * colours - 1)
    if chance.random() < 0.4:
        haze = np.float32(chance.uniform(0, 0.15 * strength))
        colours = haze + (1 - haze) * colours
    if chance.random() < 0.6:
        grey = colours @ np.array([[0.299], [0.587], [0.114]], np.float32)
        colours = grey + np.float32(np.exp(chance.normal(0, 0.3 * strength))) * (colours - grey)
    return np.clip(colours, 0, 1).astype(np.float32, copy=False)


def taken_otherwise(colours: F32, chance: Chance) -> F32:
    """The whole picture as another camera sees it, which still agrees with itself."""
    if chance.random() < 0.25:
        return colours
    return filmed(lit(colours, chance, 0.7), chance, 0.6)
