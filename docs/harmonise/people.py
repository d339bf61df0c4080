"""People of balls and boxes, before any picture: how skin, hair and clothes look in an ordinary photograph.

There are few portraits whose rights are clear. What a network for `harmonise` has to learn of them is the colours of
people where a camera has balanced the light and exposed for the face, and those can be computed.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Chance: TypeAlias = np.random.Generator
F32: TypeAlias = npt.NDArray[np.float32]
U8: TypeAlias = npt.NDArray[np.uint8]

SKIN_GROUPS = ((0.62, 66, 4.5), (0.22, 58, 5.0), (0.16, 41, 7.0))
"""Share, lightness and its spread, in CIELAB: chosen, near what is measured of skin in daylight."""
REDNESS, YELLOWNESS = (11, 2.6), (15.5, 2.6)
"""Mean and spread of a* and b*."""
HAIRS = (
    (18, 14, 12), (30, 22, 18), (58, 38, 25), (96, 66, 42), (150, 112, 70), (190, 156, 108), (120, 58, 30),
    (150, 148, 145),
)  # fmt: skip
"""sRGB of black, brown, blond, red and grey hair."""


def linear(srgb: npt.ArrayLike) -> F32:
    """sRGB 0..255 as linear light 0..1."""
    value = np.asarray(srgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(light: F32) -> F32:
    """Linear light 0..1 as sRGB 0..1."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


_FROM_XYZ = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


class Panorama:
    """Linear light all around: float32 (h, 2 h, 3), R, G, B, equirectangular; up is y."""

    def __init__(self, light: F32) -> None:
        self.light = light
        rows = np.sin(np.pi * (np.arange(64, dtype=np.float32) + 0.5) / 64)
        small = cv2.resize(light, (128, 64), interpolation=cv2.INTER_AREA)
        self.mean = (small.mean(axis=1) * rows[:, None]).sum(axis=0) / rows.sum()

    def view(self, yaw: float, pitch: float, across: float, size: tuple[int, int]) -> F32:
        """What a camera sees that looks there; across: its angle from left to right, radians."""
        width, height = size
        x, y = np.meshgrid(np.arange(width) + 0.5 - width / 2, height / 2 - np.arange(height) - 0.5)
        z = np.full_like(x, width / 2 / np.tan(across / 2))
        y, z = y * np.cos(pitch) + z * np.sin(pitch), z * np.cos(pitch) - y * np.sin(pitch)
        length = np.sqrt(x**2 + y**2 + z**2)
        phi, theta = np.arctan2(x, z) + yaw, np.arccos(y / length)
        high, wide = self.light.shape[:2]
        u = ((phi / (2 * np.pi) + 0.5) % 1) * wide - 0.5
        v = theta / np.pi * high - 0.5
        seen = cv2.remap(
            self.light, u.astype(np.float32), v.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        return np.asarray(seen, np.float32)


class _Canvas:
    """Surfaces laid over each other: normals, what they reflect, how open they are, and where anything is."""

    def __init__(self, size: tuple[int, int], chance: Chance) -> None:
        width, height = size
        self.chance = chance
        self.y, self.x = (each.astype(np.float32) / height for each in np.indices((height, width)))
        self.normals = np.zeros((height, width, 3), np.float32)
        self.normals[..., 2] = 1
        self.albedo = np.zeros((height, width, 3), np.float32)
        self.open = np.ones((height, width), np.float32)
        self.matte = np.zeros((height, width), np.float32)
        self._pixel = 1.0 / height
        self.skin = np.full(3, 0.3, np.float32)

    def ball(self, centre: tuple[float, float], radii: tuple[float, float], colour: F32, where: npt.ArrayLike = True,
             grain: float = 0.05) -> npt.NDArray[np.bool_]:  # fmt: skip
        """A ball that is stretched; the pixels that it took."""
        u, v = (self.x - centre[0]) / radii[0], (self.y - centre[1]) / radii[1]
        inside = np.asarray((u**2 + v**2 < 1) & where)
        w = np.sqrt(np.clip(1 - u**2 - v**2, 0.01, 1))
        self._lay(inside, np.stack([u, -v, w], axis=-1), colour, grain)
        return inside

    def box(self, left: float, right: float, top: float, bottom: float, colour: F32, grain: float = 0.05) -> None:
        """Upright and round from left to right."""
        middle, half = (left + right) / 2, (right - left) / 2
        u = (self.x - middle) / half
        inside = (np.abs(u) < 1) & (self.y > top) & (self.y < bottom)
        w = np.sqrt(np.clip(1 - u**2, 0.05, 1))
        self._lay(inside, np.stack([u, 0 * u + 0.1, w], axis=-1), colour, grain)

    def _lay(self, inside: npt.NDArray[np.bool_], normals: npt.NDArray[np.floating], colour: F32, grain: float) -> None:
        normals = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
        self.normals[inside] = normals[inside]
        self.albedo[inside] = (colour * self.noise(grain)[..., None])[inside]
        self.matte[inside] = 1

    def noise(self, spread: float) -> F32:
        """Around 1, coarse and fine."""
        shape = self.matte.shape
        total = np.zeros(shape, np.float32)
        for cells in (4, 16, 64):
            rough = self.chance.normal(0, 1, (cells, cells)).astype(np.float32)
            total += cv2.resize(rough, shape[::-1], interpolation=cv2.INTER_CUBIC)
        return np.exp(spread * total).astype(np.float32)

    def shade(self, centre: tuple[float, float], radius: float, depth: float) -> None:
        """Less open around a place: under a chin."""
        far = ((self.x - centre[0]) ** 2 + ((self.y - centre[1]) * 1.5) ** 2) / radius**2
        self.open *= 1 - depth * np.exp(-far).astype(np.float32)


def skin_of(chance: Chance) -> F32:
    """What somebody's skin reflects, linear R, G, B."""
    group = SKIN_GROUPS[int(chance.choice(len(SKIN_GROUPS), p=[share for share, _, _ in SKIN_GROUPS]))]
    lightness, red, yellow = (chance.normal(*each) for each in (group[1:], REDNESS, YELLOWNESS))
    f = (lightness + 16) / 116 + np.array([red / 500, 0, -yellow / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9505, 1, 1.089]
    return np.clip(_FROM_XYZ @ xyz, 0.01, 0.95).astype(np.float32)


def cloth(chance: Chance) -> F32:
    """What clothes reflect: often dark or white, now and then of a colour."""
    kind = chance.random()
    if kind < 0.35:
        return np.float32(np.exp(chance.uniform(-4.2, -2.4))) * np.exp(chance.normal(0, 0.15, 3)).astype(np.float32)
    if kind < 0.55:
        return np.float32(chance.uniform(0.45, 0.8)) * np.exp(chance.normal(0, 0.05, 3)).astype(np.float32)
    grey = np.exp(chance.uniform(-3, -0.9))
    return np.clip(grey * np.exp(chance.normal(0, 0.55, 3)), 0.01, 0.85).astype(np.float32)


def draw(chance: Chance, size: tuple[int, int]) -> _Canvas:
    """Somebody from the head to the chest, at any place and of any nearness."""
    canvas = _Canvas(size, chance)
    wide = size[0] / size[1]
    skin = canvas.skin = skin_of(chance)
    hair = linear(HAIRS[int(chance.integers(len(HAIRS)))]) * np.float32(np.exp(chance.normal(0, 0.3)))
    coat, shirt = cloth(chance), cloth(chance)
    r = float(np.exp(chance.uniform(np.log(0.09), np.log(0.24))))
    tall = r * chance.uniform(1.2, 1.42)
    x = wide * float(np.clip(chance.normal(0.5, 0.14), 0.2, 0.8))
    y = float(np.clip(chance.normal(0.38, 0.08), tall * 0.7, 0.6))
    shoulder, neck = r * chance.uniform(2.1, 2.9), r * chance.uniform(0.5, 0.68)
    chin = y + tall * 0.95
    long_hair, bald = chance.random() < 0.4, chance.random() < 0.08
    if long_hair:
        canvas.ball((x, y + 0.2 * tall), (r * 1.22, tall * chance.uniform(1.2, 1.7)), hair, grain=0.2)
    top = chin + r * 0.35
    canvas.ball((x, top + shoulder * 0.55), (shoulder, shoulder * 0.6), coat)
    canvas.box(x - shoulder, x + shoulder, top + shoulder * 0.55, 2.0, coat)
    if chance.random() < 0.5:
        inner = np.abs(canvas.x - x) < np.clip((1.6 * r + top - canvas.y) * 0.5, 0, r)
        canvas.ball((x, top + shoulder * 0.5), (shoulder * 0.6, shoulder * 0.6), shirt, inner)
    if chance.random() < 0.25:
        stripes = 1 + 0.5 * np.sign(np.sin(canvas.y * chance.uniform(60, 200)))
        below = (canvas.y > top) & (canvas.matte > 0)
        canvas.albedo[below] *= np.float32(stripes[..., None])[below]
    canvas.box(x - neck, x + neck, y, top + r * 0.3, skin)
    canvas.shade((x, chin + 0.15 * r), r * 0.9, 0.5)
    canvas.ball((x, y), (r, tall), skin, grain=0.04)
    if not bald:
        line = y - tall * chance.uniform(0.35, 0.6)
        fringe = canvas.y < line + 0.25 * r * (canvas.noise(0.2) - 1)
        side = (np.abs(canvas.x - x) > r * 0.84) & (canvas.y < y + 0.1 * tall)
        canvas.ball((x, y - 0.05 * tall), (r * 1.08, tall * 1.08), hair, fringe | side, grain=0.2)
    if chance.random() < 0.25:
        beard = canvas.y > y + tall * 0.35
        canvas.ball((x, y), (r * 1.01, tall * 1.01), (0.6 * hair + 0.4 * skin).astype(np.float32), beard, grain=0.15)
    for sign in (-1, 1):
        eye = (x + sign * 0.36 * r, y - 0.08 * tall)
        canvas.ball(eye, (0.15 * r, 0.06 * r), np.float32([0.35, 0.33, 0.32]))
        canvas.ball(eye, (0.06 * r, 0.06 * r), np.float32([0.03, 0.02, 0.015]))
        canvas.ball((eye[0], eye[1] - 0.2 * r), (0.22 * r, 0.04 * r), hair)
    canvas.ball((x, y + 0.52 * tall), (0.3 * r, 0.08 * r), (skin * [1.0, 0.62, 0.6]).astype(np.float32))
    return canvas


def seen(chance: Chance, panorama: Panorama, size: tuple[int, int]) -> U8:
    """A view of the panorama, BGR, as a camera has it that balances and exposes by the whole picture."""
    yaw, pitch = chance.uniform(-np.pi, np.pi), chance.normal(0, 0.12)
    light = panorama.view(yaw, pitch, np.radians(chance.uniform(45, 80)), size)
    white = (panorama.mean.mean() / np.maximum(panorama.mean, 1e-6)) ** chance.uniform(0.5, 1.0)
    light = light * white.astype(np.float32)
    luma = light @ np.float32([0.2126, 0.7152, 0.0722])
    # the geometric mean, so that a sun does not make everything black
    key = float(np.exp(np.log(np.clip(luma, 1e-5, None)).mean()))
    return _bytes(
        _developed(chance, light / max(key, 1e-6) * np.float32(0.16 * np.exp(chance.normal(0, 0.35)))), chance
    )


def wall(chance: Chance, size: tuple[int, int], light: npt.NDArray[np.floating]) -> U8:
    """A plain wall, BGR: grey or of a colour, a little lighter on one side."""
    kind = chance.random()
    level = (
        chance.uniform(0.05, 0.95)
        if kind < 0.5
        else chance.uniform(0.75, 1)
        if kind < 0.75
        else chance.uniform(0.02, 0.22)
    )
    base = level * np.exp(chance.normal(0, 0.03 + 0.15 * chance.random() ** 2, 3)) * light ** (0.5 / 2.2)
    across, down = (np.linspace(-1, 1, each, dtype=np.float32) for each in size)
    slope = np.exp(chance.normal(0, 0.2) * across[None, :] + chance.normal(0, 0.12) * down[:, None])
    return _bytes((base * slope[..., None]).astype(np.float32), chance)


def portrait(chance: Chance, behind: U8 | None, size: tuple[int, int]) -> tuple[U8, U8]:
    """A picture, BGR, and its matte: somebody before a picture, or before a wall; in one light and exposed for her."""
    canvas = draw(chance, size)
    # what is left of the light's colour once the camera has balanced it
    warm, tint = chance.normal(0, 0.07), chance.normal(0, 0.018)
    light = np.exp(np.array([warm, tint, -warm]))
    towards = np.array([chance.normal(0, 0.8), chance.uniform(0, 0.9), chance.uniform(0.25, 1.25)])
    ambient = chance.uniform(0.25, 0.85)
    falls = np.clip(canvas.normals @ (towards / np.linalg.norm(towards)), 0, None)
    shading = (ambient + (1 - ambient) * 1.3 * falls) * canvas.open
    half = towards / np.linalg.norm(towards) + np.array([0, 0, 1])
    shine = chance.uniform(0, 0.08) * np.clip(canvas.normals @ (half / np.linalg.norm(half)), 0, None) ** 12
    shine = shine * (canvas.albedo.mean(axis=-1) > 0.05)
    lit = (canvas.albedo * shading[..., None] + shine[..., None]) * light
    # exposed for the face: dark skin comes out darker, but by less than it is
    own = float(canvas.skin @ np.float32([0.2126, 0.7152, 0.0722]))
    key = 0.30 * (own / 0.36) ** 0.55 * np.exp(chance.normal(0, 0.28)) / own / 0.72
    person = _developed(chance, (lit * key).astype(np.float32))
    if behind is None:
        behind = wall(chance, size, light)
    elif chance.random() < 0.5:
        behind = cv2.GaussianBlur(behind, (0, 0), float(chance.uniform(0.5, 4))).astype(np.uint8)
    matte = cv2.GaussianBlur(canvas.matte, (0, 0), float(chance.uniform(0.4, 1.0)))[..., None]
    picture = matte * person + (1 - matte) * (behind[..., ::-1].astype(np.float32) / 255)
    return _bytes(picture.astype(np.float32), chance), np.rint(255 * matte[..., 0]).astype(np.uint8)


def _developed(chance: Chance, light: F32) -> F32:
    """Linear light as a camera shows it, R, G, B 0..1: a shoulder, a curve, colours stronger or weaker."""
    if chance.random() < 0.8:
        knee = np.float32(chance.uniform(1.6, 5.6))
        light = light * (1 + light / knee**2) / (1 + light / knee) * (1 + 0.5 / knee)
    shown = encoded(light)
    shown = shown + np.float32(chance.normal(0.25, 0.25)) * shown * (1 - shown) * (2 * shown - 1)
    grey = shown @ np.float32([[0.299], [0.587], [0.114]])
    return np.asarray(grey + np.float32(np.exp(chance.normal(-0.05, 0.14))) * (shown - grey), np.float32)


def _bytes(colours: F32, chance: Chance) -> U8:
    """BGR with a camera's grain."""
    grained = colours + chance.normal(0, chance.uniform(0, 0.012), colours.shape)
    return np.rint(255 * np.clip(grained, 0, 1)).astype(np.uint8)[..., ::-1].copy()
