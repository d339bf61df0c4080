"""Places without walls, and plain ones: mountains, forest, sea, city, and soft colours."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docs.drawing.light import F32, Colour, developed

Size = tuple[int, int]
Picture = NDArray[np.uint8]


def mountains(size: Size) -> Picture:
    """Ridges behind each other in the haze of a morning."""
    width, height = size
    rng = np.random.default_rng(4)
    up = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    picture = ramp(up, [(0.0, (0.95, 0.52, 0.32)), (0.45, (0.95, 0.56, 0.38)), (0.66, (0.72, 0.62, 0.62)),
                        (1.0, (0.20, 0.32, 0.56))], width)  # fmt: skip
    picture += glow(size, (0.66, 0.52), 0.30, (0.55, 0.34, 0.14)) + glow(size, (0.66, 0.52), 0.06, (0.9, 0.7, 0.45))
    picture += 0.05 * clouds(size, rng, 3.0, 6)[..., None] * np.array([1.0, 0.9, 0.8], np.float32)
    haze, dark = np.array([0.80, 0.52, 0.40], np.float32), np.array([0.018, 0.050, 0.085], np.float32)
    count = 7
    for number in range(count):
        near = number / (count - 1)
        crest = 0.40 + 0.47 * near**1.25
        line = crest - (0.17 - 0.08 * near) * ridge(width, rng, 2.2 + 1.5 * near)
        colour = haze + (dark - haze) * near**0.72
        below = (np.linspace(0, 1, height, dtype=np.float32)[:, None] - line[None]) * height
        cover = np.clip(below + 0.5, 0, 1)[..., None].astype(np.float32)
        mist = np.clip(below / (height * (0.17 + 0.1 * near)), 0, 1)[..., None] * np.float32(0.55 * (1 - near) ** 0.6)
        layer = colour + (haze * 0.98 - colour) * mist
        if near > 0.55:
            cover = cv2.GaussianBlur(cover, (0, 0), 1 + 7 * (near - 0.5) * height / 1080)[..., None]
        picture += (layer - picture) * cover
    return developed(cv2.GaussianBlur(picture, (0, 0), 2.6 * height / 1080), 0.62)


def forest(size: Size) -> Picture:
    """Trunks and leaves far out of focus, and the sun between them."""
    width, height = size
    rng = np.random.default_rng(12)
    up = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    picture = ramp(up, [(0.0, (0.07, 0.11, 0.035)), (0.28, (0.20, 0.29, 0.09)), (0.55, (0.42, 0.56, 0.22)),
                        (1.0, (0.26, 0.40, 0.13))], width)  # fmt: skip
    picture += glow(size, (0.42, 0.36), 0.34, (0.75, 0.72, 0.30)) + glow(size, (0.42, 0.34), 0.12, (0.7, 0.65, 0.35))
    for depth in range(3):
        layer = picture.copy()
        tone = (0.36, 0.2, 0.1)[depth]
        for _ in range((9, 6, 3)[depth]):
            x = (
                rng.uniform(-0.05, 1.05)
                if depth < 2
                else rng.choice([rng.uniform(-0.02, 0.16), rng.uniform(0.82, 1.0)])
            )
            wide = rng.uniform(0.010, 0.018) * (1.0, 2.0, 4.2)[depth]
            lean = rng.uniform(-0.03, 0.03)
            base = np.array([[x - wide, 1.0], [x + wide, 1.0], [x + wide * 0.8 + lean, 0], [x - wide * 0.8 + lean, 0]])
            outline = (base * [width, height]).astype(np.int32)
            cv2.fillPoly(layer, [outline], (0.24 * tone, 0.20 * tone, 0.12 * tone))
        picture = cv2.GaussianBlur(layer, (0, 0), (16, 20, 26)[depth] * height / 1080)
        leafy = clouds(size, rng, (9, 6, 4)[depth], 4)
        cover = np.clip((leafy - 0.52) * 4, 0, 1) * np.clip(1.6 * up - 0.35 + 0.2 * depth, 0, 1)
        green = np.array([(0.40, 0.58, 0.16), (0.24, 0.42, 0.10), (0.07, 0.16, 0.04)][depth], np.float32)
        soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), (10, 14, 20)[depth] * height / 1080)
        picture += (green - picture) * (0.55 * soft)[..., None]
    lights = bokeh(size, rng, 95, (0.010, 0.030), lambda: (rng.beta(2.2, 2.6), rng.beta(1.8, 3.0)),
                   [(0.55, 0.62, 0.16), (0.75, 0.72, 0.30), (0.40, 0.55, 0.16)])  # fmt: skip
    lights = cv2.GaussianBlur(lights, (0, 0), 3.5 * height / 1080)
    return developed(picture + 0.34 * lights, 0.66)


def sea(size: Size) -> Picture:
    """The sun low over calm water."""
    width, height = size
    rng = np.random.default_rng(9)
    horizon = round(0.60 * height)
    up = np.linspace(1, 0, horizon, dtype=np.float32)[:, None]
    above = ramp(up, [(0.0, (1.0, 0.60, 0.34)), (0.22, (1.0, 0.68, 0.48)), (0.55, (0.62, 0.60, 0.72)),
                      (1.0, (0.22, 0.34, 0.58))], width)  # fmt: skip
    bands = clouds((width, horizon), rng, 2.0, 6, stretch=5.0)
    cover = np.clip((bands - 0.5) * 3.0, 0, 1)[..., None] * np.float32(0.5)
    above += (np.array([0.95, 0.52, 0.42], np.float32) - above) * cover * np.clip(1.3 - up, 0.25, 1)[..., None]
    picture = np.zeros((height, width, 3), np.float32)
    picture[:horizon] = above
    depth = np.linspace(0, 1, height - horizon, dtype=np.float32)[:, None]
    water = ramp(1 - depth, [(0.0, (0.03, 0.09, 0.15)), (0.6, (0.10, 0.20, 0.28)), (1.0, (0.74, 0.50, 0.40))], width)
    waves = np.zeros((height - horizon, width), np.float32)
    for row in range(height - horizon):
        far = 1 / (0.02 + row / (height - horizon))
        waves[row] = np.interp(np.arange(width) * far * 0.05 + 37.7 * row, np.arange(4096),
                               rng.standard_normal(4096), period=4096)  # fmt: skip
    waves = cv2.GaussianBlur(waves, (0, 0), sigmaX=9 * height / 1080, sigmaY=1.6 * height / 1080)
    waves /= waves.std()
    x = np.linspace(0, 1, width, dtype=np.float32)[None]
    path = np.exp(-(((x - 0.36) / (0.035 + 0.11 * depth)) ** 2))
    sparkle = np.clip(waves * 0.5 + 0.35, 0, 2) * path
    water += 0.055 * waves[..., None] * np.array([0.8, 0.7, 0.7], np.float32)
    water += sparkle[..., None] * np.array([1.25, 0.72, 0.40], np.float32) * (1 - 0.55 * depth)[..., None]
    picture[horizon:] = np.maximum(water, 0.01)
    spot = (0.36, 0.555)
    picture[:horizon] += (glow(size, spot, 0.28, (0.6, 0.30, 0.10)) + glow(size, spot, 0.028, (6.0, 4.2, 2.2)))[
        :horizon
    ]
    return developed(cv2.GaussianBlur(picture, (0, 0), 3.4 * height / 1080), 0.86, 0.12)


def city(size: Size) -> Picture:
    """A town at night, seen from high up: its lights are discs."""
    width, height = size
    rng = np.random.default_rng(17)
    up = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    picture = ramp(up, [(0.0, (0.020, 0.020, 0.035)), (0.40, (0.075, 0.060, 0.085)), (0.52, (0.20, 0.12, 0.13)),
                        (0.64, (0.085, 0.085, 0.16)), (1.0, (0.014, 0.022, 0.055))], width)  # fmt: skip
    line = np.full(width, 0.52, np.float32)
    at = 0
    while at < width:
        step = int(rng.uniform(0.02, 0.06) * width)
        line[at : at + step] = 0.53 - rng.beta(1.3, 3.0) * 0.32
        at += step
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    towers = cv2.GaussianBlur((rows > line[None]).astype(np.float32), (0, 0), 10 * height / 1080)
    picture += (np.array([0.028, 0.030, 0.055], np.float32) - picture) * (0.9 * towers)[..., None]

    def window() -> tuple[float, float]:
        x = rng.random()
        top = float(line[min(int(x * width), width - 1)])
        return x, top + 0.02 + rng.beta(1.1, 1.6) * (0.78 - top)

    warm = [
        (1.0, 0.62, 0.26),
        (1.0, 0.74, 0.42),
        (0.95, 0.45, 0.18),
        (0.55, 0.72, 1.0),
        (0.95, 0.9, 0.8),
        (1.0, 0.25, 0.2),
    ]
    lights = bokeh(size, rng, 210, (0.005, 0.011), window, warm)
    lights += bokeh(size, rng, 26, (0.012, 0.020), lambda: (rng.random(), rng.uniform(0.62, 0.95)), warm)
    return developed(picture + 0.5 * lights, 0.9, 0.1)


def dawn(size: Size) -> Picture:
    """Soft colours from peach to blue."""
    spots = [
        ((0.10, 0.92), (1.0, 0.52, 0.36)), ((0.55, 0.98), (0.98, 0.66, 0.50)), ((0.95, 0.82), (0.80, 0.48, 0.56)),
        ((0.08, 0.35), (0.62, 0.46, 0.66)), ((0.55, 0.42), (0.70, 0.62, 0.76)), ((0.98, 0.30), (0.34, 0.42, 0.70)),
        ((0.30, 0.02), (0.24, 0.34, 0.62)), ((0.85, 0.0), (0.16, 0.26, 0.52)),
    ]  # fmt: skip
    return blended(size, spots, 5)


def slate(size: Size) -> Picture:
    """A photographer's backdrop: painted canvas in grey and blue, a light behind the person."""
    height = size[1]
    rng = np.random.default_rng(23)
    mottled = 0.6 * clouds(size, rng, 3.0, 3) + 0.4 * clouds(size, rng, 9.0, 4)
    colour = np.array([0.115, 0.145, 0.175], np.float32) * (0.62 + 0.8 * mottled)[..., None]
    light = 0.42 + glow(size, (0.5, 0.46), 0.42, (1.15, 1.12, 1.08))
    return developed(cv2.GaussianBlur(colour * light, (0, 0), 5 * height / 1080), 0.8)


def wall(size: Size) -> Picture:
    """Warm plaster in the afternoon, and the shadow of leaves before a window."""
    width, height = size
    rng = np.random.default_rng(29)
    plaster = np.array([0.66, 0.57, 0.47], np.float32) * (0.95 + 0.1 * clouds(size, rng, 5.0, 5))[..., None]
    panes = np.zeros((height, width), np.float32)
    for column in range(2):
        for row in range(3):
            offset = np.array([0.33 + 0.20 * column, 0.04 + 0.28 * row])
            corner = np.array([[0.0, 0.0], [0.17, 0.0], [0.17, 0.24], [0.0, 0.24]]) + offset
            corner[:, 0] -= 0.30 * (corner[:, 1] - 0.45)
            corner[:, 1] += 0.22 * (corner[:, 0] - 0.5)
            cv2.fillPoly(panes, [(corner * [width, height]).astype(np.int32)], 1.0)
    panes = cv2.GaussianBlur(panes, (0, 0), 11 * height / 1080)
    shadow = np.ones((height, width), np.float32)
    for _ in range(9):
        root = np.array([rng.uniform(0.30, 0.62), rng.uniform(0.75, 1.15)])
        angle = rng.uniform(-0.5, 0.6)
        for number in range(16):
            along = 0.08 + 0.043 * number
            stem = root + along * np.array([np.sin(angle) * 0.6, -np.cos(angle)])
            for hand in (-1, 1):
                turned = np.degrees(angle) + hand * (55 - 1.2 * number) - 90
                long = 0.095 * (1 - 0.035 * number)
                middle = stem + 0.5 * long * np.array([np.cos(np.radians(turned)) * 0.5625, np.sin(np.radians(turned))])
                axes = (max(int(0.5 * long * height), 1), max(int(0.085 * long * height), 1))
                cv2.ellipse(
                    shadow, tuple((middle * [width, height]).astype(int).tolist()), axes, turned, 0, 360, 0.12, -1
                )
    shadow = cv2.GaussianBlur(shadow, (0, 0), 7 * height / 1080)
    sun = np.array([0.95, 0.72, 0.46], np.float32) * (panes * shadow)[..., None]
    fall = 0.44 + glow(size, (0.30, 0.35), 0.65, (0.26, 0.25, 0.24))
    return developed(plaster * (fall + sun), 0.92)


def ramp(up: F32, stops: list[tuple[float, Colour]], width: int) -> F32:
    """Colours that follow each other, for rows at heights of 0..1."""
    places = [place for place, _ in stops]
    column = np.stack([np.interp(up[:, 0], places, [colour[k] for _, colour in stops]) for k in range(3)], axis=1)
    return np.repeat(column[:, None], width, axis=1).astype(np.float32)


def glow(size: Size, middle: tuple[float, float], spread: float, colour: Colour) -> F32:
    """A round light: spread as a share of the width."""
    width, height = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    square = ((x / width - middle[0]) ** 2 + ((y / height - middle[1]) * height / width) ** 2) / spread**2
    return (np.exp(-square)[..., None] * np.array(colour, np.float32)).astype(np.float32)


def clouds(size: Size, rng: np.random.Generator, scale: float, octaves: int, stretch: float = 1.0) -> F32:
    """Fractal noise of 0..1 about: sums of smooth noise, each twice as fine and half as strong."""
    width, height = size
    total = np.zeros((height, width), np.float32)
    strength = 0.0
    for octave in range(octaves):
        across = max(2, round(scale * 2**octave))
        grid = rng.random((max(2, round(across * height / width * stretch)), across)).astype(np.float32)
        total += cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC) * 0.5**octave
        strength += 0.5**octave
    return np.clip((total / strength - 0.5) * 1.5 + 0.5, 0, 1).astype(np.float32)


def ridge(width: int, rng: np.random.Generator, scale: float) -> F32:
    """The line of a mountain range, 0..1."""
    total = np.zeros(width, np.float32)
    x = np.linspace(0, scale, width)
    for octave in range(9):
        knots = rng.random(int(scale * 2**octave) + 3)
        values = np.interp(x * 2**octave, np.arange(len(knots)), knots)
        total += ((1 - np.abs(2 * values - 1)) if octave < 4 else values).astype(np.float32) * 0.52**octave
    return ((total - total.min()) / (total.max() - total.min())).astype(np.float32)


def bokeh(size: Size, rng: np.random.Generator, count: int, radii: tuple[float, float], place: object,
          colours: list[Colour]) -> F32:  # fmt: skip
    """Points of light far out of focus: discs with a brighter rim, adding up."""
    width, height = size
    total = np.zeros((height, width, 3), np.float32)
    assert callable(place)
    for _ in range(count):
        x, y = place()
        radius = rng.uniform(*radii) * width
        colour = np.array(colours[rng.integers(len(colours))], np.float32) * rng.uniform(0.25, 1.0) ** 1.5
        disc = np.zeros((height, width), np.uint8)
        cv2.circle(disc, (int(x * width * 8), int(y * height * 8)), int(radius * 8), 200, -1, cv2.LINE_AA, 3)
        cv2.circle(
            disc, (int(x * width * 8), int(y * height * 8)), int(radius * 8), 255, max(1, height // 500), cv2.LINE_AA, 3
        )
        x0, x1 = max(int(x * width - radius - 4), 0), min(int(x * width + radius + 5), width)
        y0, y1 = max(int(y * height - radius - 4), 0), min(int(y * height + radius + 5), height)
        if x0 < x1 and y0 < y1:
            total[y0:y1, x0:x1] += (disc[y0:y1, x0:x1, None] / np.float32(255)) * colour
    return cv2.GaussianBlur(total, (0, 0), 1.6 * height / 1080)


def blended(size: Size, spots: list[tuple[tuple[float, float], Colour]], seed: int) -> Picture:
    """Spots of colour that run into each other along curved lines."""
    width, height = size
    small = (width // 4, height // 4)
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: small[1], : small[0]].astype(np.float32)
    x = x / small[0] + 0.22 * (clouds(small, rng, 2.0, 2) - 0.5)
    y = y / small[1] + 0.30 * (clouds(small, rng, 2.0, 2) - 0.5)
    weights = np.stack([np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.055) for (a, b), _ in spots], axis=2) + 1e-6
    colours = np.array([colour for _, colour in spots], np.float32) ** 1.6
    mixed = (weights @ colours) / weights.sum(axis=2, keepdims=True)
    large = cv2.resize(cv2.GaussianBlur(mixed.astype(np.float32), (0, 0), 12), size, interpolation=cv2.INTER_CUBIC)
    return developed(large.astype(np.float32), 0.9, 0.0)
