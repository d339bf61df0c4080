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
    strength = chance.uniform(0.5, 1.15)
    kind = chance.random()
    if kind < 0.45:
        return by_arguments(planes, chance, strength)
    colours = to_colours(planes)
    if kind < 0.75:
        return to_planes(lit(colours, chance, strength))
    return to_planes(filmed(lit(colours, chance, 0.4 * strength), chance, strength))


def by_arguments(planes: F32, chance: Chance, strength: float = 1.0) -> F32:
    """All arguments at once, or half of them."""
    arguments = chance.uniform(-0.65, 0.65, len(harmony.NAMES)) * strength
    if chance.random() < 0.4:
        arguments *= chance.random(len(harmony.NAMES)) < 0.5
    y, cb, cr = planes
    return np.stack(harmony.apply(y, cb, cr, np.clip(arguments, -1, 1)))


def lit(colours: F32, chance: Chance, strength: float = 1.0) -> F32:
    """More or less light of another colour: gains in linear light, taken as gains of samples with a gamma of 2.2."""
    stops = chance.normal(0, 0.35 * strength) if chance.random() < 0.8 else 0.0
    warm, tint = chance.normal(0, 0.2 * strength), chance.normal(0, 0.06 * strength)
    gains = 2 ** (np.array([stops + warm + tint, stops, stops - warm + tint]) / 2.2)
    return np.clip(colours * gains.astype(np.float32), 0, 1)


def filmed(colours: F32, chance: Chance, strength: float = 1.0) -> F32:
    """Another camera's curves: a gamma for each channel, contrast, blacks that are grey, colours stronger or weaker."""
    gamma = np.exp(chance.normal(0, 0.12 * strength) + chance.normal(0, 0.04 * strength, 3)).astype(np.float32)
    colours = np.clip(colours, 1e-4, 1) ** gamma
    if chance.random() < 0.6:
        # an S through the middle, or its opposite
        bend = np.float32(np.clip(chance.normal(0, 0.35 * strength), -0.9, 0.9))
        colours = colours + bend * colours * (1 - colours) * (2 * colours - 1)
    if chance.random() < 0.25:
        haze = np.float32(chance.uniform(0, 0.12 * strength))
        colours = haze + (1 - haze) * colours
    if chance.random() < 0.6:
        grey = colours @ np.array([[0.299], [0.587], [0.114]], np.float32)
        colours = grey + np.float32(np.exp(chance.normal(0, 0.2 * strength))) * (colours - grey)
    return np.clip(colours, 0, 1).astype(np.float32, copy=False)


def taken_otherwise(colours: F32, chance: Chance) -> F32:
    """The whole picture as another camera or another taste has it, which still agrees with itself."""
    if chance.random() < 0.4:
        strength = chance.uniform(0.2, 0.8)
        colours = filmed(lit(colours, chance, strength), chance, strength)
    if chance.random() < 0.12:
        colours = _grey(colours, chance)
    if chance.random() < 0.12:
        # faded: black is grey
        haze = chance.uniform(0.02, 0.16)
        colours = np.clip(haze * np.exp(chance.normal(0, 0.1, 3)) + (1 - 1.3 * haze) * colours, 0, 1)
    return colours.astype(np.float32, copy=False)


def _grey(colours: F32, chance: Chance) -> F32:
    """Without colours, or with what is left of them, perhaps toned."""
    grey = colours @ np.array([[0.299], [0.587], [0.114]], np.float32)
    left = np.float32(chance.uniform(0, 0.4) if chance.random() < 0.25 else 0)
    tone = np.exp(chance.normal(0, [0.06, 0.01, 0.08])) if chance.random() < 0.4 else np.ones(3)
    return np.clip((grey + left * (colours - grey)) * tone, 0, 1).astype(np.float32)
