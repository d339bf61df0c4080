"""People of balls and boxes, lit by a panorama's own light, and filmed by the camera that films the panorama.

There are few portraits whose rights are clear. What a network has to learn of them is how skin, hair and clothes look
in the light of a place, and that can be computed: the light that falls on a surface is the panorama's, as nine numbers
a colour (Ramamoorthi and Hanrahan, "An efficient representation for irradiance environment maps", 2001).
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Chance: TypeAlias = np.random.Generator
F32: TypeAlias = npt.NDArray[np.float32]
U8: TypeAlias = npt.NDArray[np.uint8]

SKINS = (
    (244, 208, 177), (231, 180, 143), (224, 172, 138), (210, 158, 124), (198, 134, 96), (186, 120, 81), (165, 94, 43),
    (120, 72, 48), (84, 52, 38), (60, 35, 29),
)  # fmt: skip
"""sRGB of skin in even light, from the lightest to the darkest (Fitzpatrick's six and some between)."""
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


class Panorama:
    """Linear light all around: float32 (h, 2 h, 3), R, G, B, equirectangular; up is y."""

    def __init__(self, light: F32) -> None:
        self.light = light
        small = cv2.resize(light, (128, 64), interpolation=cv2.INTER_AREA)
        rows, columns = (np.indices((64, 128), np.float32) + 0.5) / [[[64]], [[128]]]
        theta, phi = np.pi * rows, 2 * np.pi * (columns - 0.5)
        self._directions = np.stack(
            [np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], axis=-1
        ).reshape(-1, 3)
        self._weighed = small.reshape(-1, 3) * (np.sin(theta) * 2 * np.pi**2 / (64 * 128)).reshape(-1, 1)
        self.mean = self._weighed.sum(axis=0) / (4 * np.pi)

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

    def irradiance(self, normals: F32, yaw: float) -> F32:
        """The light that falls on surfaces with these normals, (h, w, 3) in the frame of a camera that looks back.

        A person who stands before the camera looks towards it: her normals' z points to the camera, against the view.
        """
        turned = self._directions @ _about(yaw)
        weights = np.pi * np.array([1, 2 / 3, 2 / 3, 2 / 3, 0.25, 0.25, 0.25, 0.25, 0.25])
        light = _harmonics(turned).T @ self._weighed * weights[:, None]
        # the camera looks along +z, normals that face it along -z
        towards = normals * np.array([1, 1, -1], np.float32)
        found = _harmonics(towards.reshape(-1, 3)) @ light
        return np.maximum(found, 0.02 * self.mean).reshape(normals.shape).astype(np.float32)


def _about(yaw: float) -> npt.NDArray[np.float64]:
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def _harmonics(d: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    x, y, z = d[:, 0], d[:, 1], d[:, 2]
    return np.stack([
        np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
        0.315392 * (3 * z**2 - 1), 1.092548 * x * z, 0.546274 * (x**2 - y**2),
    ], axis=1)  # fmt: skip


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
    skin = linear(SKINS[int(chance.integers(len(SKINS)))]) * np.exp(chance.normal(0, 0.06, 3)).astype(np.float32)
    skin = (skin * np.exp(chance.normal(0, 0.12))).astype(np.float32)
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


def filmed(chance: Chance, panorama: Panorama, size: tuple[int, int], *, person: bool) -> tuple[U8, U8]:
    """A picture, BGR, and its matte: a view of the panorama, with somebody in it or without."""
    yaw, pitch = chance.uniform(-np.pi, np.pi), chance.normal(0, 0.12)
    light = panorama.view(yaw, pitch, np.radians(chance.uniform(45, 80)), size)
    if person and chance.random() < 0.5:
        light = cv2.GaussianBlur(light, (0, 0), float(chance.uniform(0.5, 2.5)))
    matte = np.zeros(light.shape[:2], np.float32)
    facing = np.zeros((1, 9, 3), np.float32)
    facing[0] = [
        [0, 0, 1],
        [0.7, 0, 0.7],
        [-0.7, 0, 0.7],
        [0, 0.7, 0.7],
        [0, 1, 0],
        [1, 0, 0],
        [-1, 0, 0],
        [0, -0.7, 0.7],
        [0, 0, 1],
    ]
    falls = panorama.irradiance(facing, yaw).reshape(-1, 3).mean(axis=0) / np.pi
    if person:
        canvas = draw(chance, size)
        # nobody stands exactly where the panorama was taken: nearer to a lamp or farther from it
        own = np.exp(chance.normal(0, 0.3)) * np.exp(chance.normal(0, 0.04, 3))
        shaded = canvas.albedo / np.pi * panorama.irradiance(canvas.normals, yaw) * canvas.open[..., None]
        up = np.clip(canvas.normals[..., 1:2] + 0.3, 0, 1) ** 4 * (1 - canvas.normals[..., 2:])
        lit = (shaded + 0.05 * up * falls) * own
        matte = cv2.GaussianBlur(canvas.matte, (0, 0), float(chance.uniform(0.4, 1.0)))
        light = matte[..., None] * lit + (1 - matte[..., None]) * light
    picture = _developed(chance, light.astype(np.float32), falls, person=person)
    return picture, np.rint(255 * matte).astype(np.uint8)


def _developed(chance: Chance, light: F32, falls: npt.NDArray[np.floating], *, person: bool) -> U8:
    """As a camera sees it: white balance that goes most of the way, exposure by the whole picture and by the light that
    falls on faces, a curve, grain."""
    white = (falls.mean() / np.maximum(falls, 1e-6)) ** chance.uniform(0.5, 1.0)
    light = light * white.astype(np.float32)
    luma = light @ np.float32([0.2126, 0.7152, 0.0722])
    # the geometric mean, so that a sun does not make everything black
    key = float(np.log(np.clip(luma, 1e-5, None)).mean())
    if person:
        faces = float(np.log(max(0.35 * falls.mean(), 1e-5)))
        key += chance.uniform(0.2, 0.9) * (faces - key)
    key = float(np.exp(key))
    light = light / max(key, 1e-6) * np.float32(0.16 * np.exp(chance.normal(0, 0.35)))
    if chance.random() < 0.7:
        knee = np.float32(chance.uniform(1.5, 5))
        light = light * (1 + light / knee**2) / (1 + light / knee)
    shown = encoded(light)
    shown = shown + np.float32(chance.normal(0.25, 0.25)) * shown * (1 - shown) * (2 * shown - 1)
    grey = shown @ np.float32([[0.299], [0.587], [0.114]])
    shown = grey + np.float32(np.exp(chance.normal(0.05, 0.15))) * (shown - grey)
    shown = shown + chance.normal(0, chance.uniform(0, 0.012), shown.shape)
    return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)[..., ::-1].copy()
