"""Rooms: office, living room, loft, library and studio, each lit by windows and lamps."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docs.drawing.light import F32, Ball, Box, Colour, Cutout, Paint, Scene, Window, developed, out_of_focus, render

OAK, DARK = (0.58, 0.42, 0.27), (0.16, 0.11, 0.08)
Thing = Box | Ball | Cutout


def photograph(scene: Scene, size: tuple[int, int], rays: int, scale: int = 3) -> NDArray[np.uint8]:
    """A room as a picture of that size, BGR uint8. It is out of focus, so that a third of the size holds all of it."""
    light = render(scene, (size[0] // scale, size[1] // scale), rays)
    large = np.maximum(cv2.resize(light, size, interpolation=cv2.INTER_LINEAR), 0).astype(np.float32)
    return developed(out_of_focus(large, 12 * size[1] / 1080), scene.exposure)


def room(wall: Colour, floor: Colour | Paint, ceiling: Colour = (0.82, 0.81, 0.79), *, back: float = 4.2,
         left: float = -2.7, right: float = 2.7, high: float = 2.75, feature: Paint | None = None) -> Box:  # fmt: skip
    """An empty room; feature: the paint of the wall that one looks at."""

    def paint(points: F32, normals: F32) -> F32:
        shares = np.empty_like(points)
        shares[:] = wall
        below, above = normals[:, 1] > 0.5, normals[:, 1] < -0.5
        shares[below] = floor(points[below], normals[below]) if callable(floor) else floor
        shares[above] = ceiling
        if feature is not None:
            far = normals[:, 2] < -0.5
            shares[far] = feature(points[far], normals[far])
        return shares

    return Box((left, 0, -2.0), (right, high, back), paint, inside=True)


def planks(colour: Colour, width: float = 0.16, axis: int = 0, seed: int = 3) -> Paint:
    """Boards of slightly different tones, side by side along an axis."""
    tones = np.random.default_rng(seed).uniform(0.78, 1.12, 97).astype(np.float32)

    def paint(points: F32, normals: F32) -> F32:
        del normals
        place = points[:, axis] / np.float32(width)
        which = np.floor(place).astype(np.int64)
        joint = np.abs(place - which - 0.5) > 0.47
        tone = tones[which % 97] * np.where(joint, 0.45, 1.0).astype(np.float32)
        return (tone[:, None] * np.array(colour, np.float32)).astype(np.float32)

    return paint


def books(seed: int, shelf: float, bottom: float, tones: NDArray[np.float32]) -> Paint:
    """Backs of books, row upon row: shelves `shelf` apart from `bottom` up, gaps here and there."""
    rng = np.random.default_rng(seed)
    edges = np.cumsum(rng.uniform(0.02, 0.055, 4000)).astype(np.float32)
    heights = rng.uniform(0.62, 0.9, 4000).astype(np.float32)
    colours = tones[rng.integers(0, len(tones), 4000)] * rng.uniform(0.7, 1.15, (4000, 1)).astype(np.float32)
    there = rng.random(4000) > 0.06

    def paint(points: F32, normals: F32) -> F32:
        del normals
        row = np.floor((points[:, 1] - bottom) / shelf)
        up = (points[:, 1] - bottom) / shelf - row
        which = np.searchsorted(edges, points[:, 0] + 6.0 + 7.3 * row).clip(0, 3999)
        inside = (up < heights[which]) & there[which]
        return np.where(inside[:, None], colours[which], np.float32(0.03)).astype(np.float32)

    return paint


def frame(x: float, y: float, z: float, wide: float, tall: float, picture: Paint | Colour,
          wood: Colour = DARK) -> list[Box]:  # fmt: skip
    """A picture on the wall at z."""
    return [
        Box((x - 0.03, y - 0.03, z - 0.04), (x + wide + 0.03, y + tall + 0.03, z), wood),
        Box((x, y, z - 0.05), (x + wide, y + tall, z - 0.01), picture),
    ]


def abstract(colours: list[Colour], seed: int, scale: float = 0.35) -> Paint:
    """Soft fields of colour, as a painting."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(-3, 3, (60, 2)).astype(np.float32)
    tones = np.array(colours, np.float32)[rng.integers(0, len(colours), 60)]

    def paint(points: F32, normals: F32) -> F32:
        del normals
        apart = ((points[:, None, :2] - centres - np.array([0, 1.4], np.float32)) ** 2).sum(axis=2)
        weight = np.exp(-apart / np.float32(scale * scale))
        return ((weight @ tones + 1e-4) / (weight.sum(axis=1, keepdims=True) + 1e-4)).astype(np.float32)

    return paint


def plant(x: float, z: float, base: float, size: float, seed: int, pot: Colour = (0.72, 0.68, 0.62)) -> list[Thing]:
    """A pot, and leaves that bend outward in three layers."""
    wide = 0.13 * size
    parts: list[Thing] = [Box((x - wide, base, z - wide), (x + wide, base + 0.25 * size, z + wide), pot)]
    for layer in range(3):
        shown = leaves(seed + layer, 0.55 + 0.25 * layer)
        corner = (x - 0.42 * size, base + 0.2 * size, z + 0.06 - 0.06 * layer)
        parts.append(Cutout(corner, (0.84 * size, 0.9 * size), shown))
    return parts


def leaves(seed: int, light: float, side: int = 480) -> F32:
    """Long leaves from one root, as a picture for `Cutout`; light: of their green."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side, 4), np.float32)
    for angle in rng.uniform(-1.15, 1.15, 15):
        length = rng.uniform(0.55, 0.95) * side * np.cos(angle * 0.45)
        bend, thick = rng.uniform(0.5, 1.0) * angle, rng.uniform(0.035, 0.06) * side
        along = np.linspace(0, 1, 40)
        turn = angle * 0.55 + bend * along
        x = side / 2 + np.cumsum(np.sin(turn)) * length / 40
        y = side - 1 - np.cumsum(np.cos(turn)) * length / 40
        width = thick * np.sin(np.pi * np.clip(along * 0.93 + 0.03, 0, 1)) ** 0.8
        left, right = (
            np.stack([x - width * np.cos(turn), y - width * np.sin(turn)], 1),
            np.stack([x + width * np.cos(turn), y + width * np.sin(turn)], 1),
        )
        middle = np.stack([x, y], 1)
        tone = rng.uniform(0.7, 1.15) * light
        colour = np.array([0.105, 0.19, 0.075]) * tone
        for side_of, share in ((left, 0.86), (right, 1.12)):
            outline = np.concatenate([middle, side_of[::-1]]).astype(np.int32)
            cv2.fillPoly(picture, [outline], (*(colour * share).tolist(), 1.0))
    return picture


def sky(points: F32) -> F32:
    """What is seen in a window: bright above, green and grey below."""
    up = points[:, 1:2]
    above = np.array([0.92, 0.97, 1.05], np.float32)
    below = np.array([0.42, 0.52, 0.40], np.float32)
    mixed = np.clip((up - 0.22) / 0.22, 0, 1)
    return (below + (above - below) * mixed).astype(np.float32)


def shelves(x0: float, x1: float, z: float, bottom: float, rows: int, shelf: float, deep: float, wood: Colour,
            filled: Paint) -> list[Box]:  # fmt: skip
    """A case of shelves before the wall at z, with what stands in it."""
    top = bottom + rows * shelf
    parts = [Box((x0, bottom, z - 0.04), (x1, top, z), wood)]
    parts += [Box((x0, bottom + row * shelf - 0.02, z - deep), (x1, bottom + row * shelf + 0.015, z), wood)
              for row in range(rows + 1)]  # fmt: skip
    parts += [
        Box((x - 0.02, bottom, z - deep), (x + 0.02, top, z), wood) for x in np.arange(x0, x1 + 0.1, (x1 - x0) / 3)
    ]
    parts.append(Box((x0, bottom, z - deep * 0.72), (x1, top, z - 0.03), filled))
    return parts


def office() -> Scene:
    """White walls, oak shelves with a few books, a window to the left."""
    tones = np.array([(0.7, 0.68, 0.63), (0.25, 0.32, 0.38), (0.55, 0.3, 0.2), (0.8, 0.78, 0.74), (0.2, 0.22, 0.24),
                      (0.5, 0.52, 0.45)], np.float32)  # fmt: skip
    things: list[Thing] = [
        room((0.76, 0.75, 0.72), planks(OAK, 0.14), left=-2.9, right=2.5),
        *shelves(0.45, 2.1, 4.2, 0.85, 4, 0.36, 0.3, OAK, books(5, 0.36, 0.85, tones)),
        Box((0.4, 0, 3.75), (2.15, 0.82, 4.2), (0.74, 0.72, 0.69)),
        *frame(-1.35, 1.25, 4.2, 0.62, 0.82, abstract([(0.75, 0.72, 0.66), (0.2, 0.33, 0.42), (0.78, 0.5, 0.3)], 4)),
        Box((-1.75, 0, 3.7), (-0.35, 0.72, 4.15), OAK),
        *plant(-1.95, 3.3, 0.0, 1.45, 8),
        *plant(-0.65, 3.95, 0.72, 0.42, 3),
        Ball((-0.95, 0.835, 3.9), 0.12, (0.8, 0.78, 0.74)),
    ]
    window = Window((-2.88, 0.85, 3.7), (0, 0, -3.0), (0, 1.7, 0), (6.5, 6.8, 7.2), sky)
    return Scene(things, [window], exposure=0.62, look=(0.0, 1.3, 4.0))


def living_room() -> Scene:
    """An evening at home: a sofa, lamps, a dark wall with pictures."""
    things: list[Thing] = [
        room((0.30, 0.34, 0.36), planks((0.36, 0.22, 0.13), 0.15), (0.5, 0.5, 0.5)),
        Box((-1.5, 0.0, 3.1), (1.2, 0.42, 4.0), (0.60, 0.50, 0.40)),
        Box((-1.5, 0.4, 3.7), (1.2, 0.95, 4.05), (0.66, 0.51, 0.38)),
        Box((-1.72, 0.0, 3.1), (-1.45, 0.66, 4.0), (0.6, 0.46, 0.34)),
        Box((1.15, 0.0, 3.1), (1.42, 0.66, 4.0), (0.6, 0.46, 0.34)),
        Box((-1.25, 0.5, 3.55), (-0.8, 0.92, 3.72), (0.24, 0.36, 0.38)),
        Box((0.55, 0.5, 3.55), (1.02, 0.9, 3.72), (0.74, 0.52, 0.22)),
        *frame(
            -0.95, 1.35, 4.2, 0.55, 0.72, abstract([(0.82, 0.76, 0.66), (0.7, 0.38, 0.2), (0.2, 0.3, 0.32)], 9, 0.2)
        ),
        *frame(
            -0.25, 1.35, 4.2, 0.55, 0.72, abstract([(0.82, 0.76, 0.66), (0.25, 0.36, 0.36), (0.8, 0.6, 0.3)], 2, 0.2)
        ),
        Ball((1.95, 1.45, 3.6), 0.19, (0.9, 0.85, 0.75), (17.0, 11.0, 5.6)),
        Box((1.935, 0.0, 3.585), (1.965, 1.3, 3.615), DARK),
        Ball((-2.15, 1.0, 3.75), 0.14, (0.9, 0.85, 0.75), (15.0, 9.5, 4.8)),
        Box((-2.45, 0, 3.5), (-1.85, 0.62, 4.0), DARK),
        Box((-2.2, 0.6, 3.7), (-2.1, 0.9, 3.8), (0.5, 0.45, 0.4)),
        *plant(2.3, 3.0, 0.0, 1.2, 6, (0.3, 0.28, 0.26)),
    ]
    window = Window((2.68, 0.7, 0.2), (0, 0, 1.6), (0, 1.6, 0), (0.5, 0.62, 0.9))
    return Scene(things, [window], exposure=2.1, look=(0.0, 1.15, 4.0))


def loft() -> Scene:
    """Tall windows in the far wall, brick, a wooden floor."""
    rng = np.random.default_rng(11)
    tones = rng.uniform(0.72, 1.15, (64, 64)).astype(np.float32)

    def brick(points: F32, normals: F32) -> F32:
        across = np.where(np.abs(normals[:, 0]) > 0.5, points[:, 2], points[:, 0])
        row = np.floor(points[:, 1] / 0.075).astype(np.int64)
        place = across / 0.23 + 0.5 * (row % 2)
        which = np.floor(place).astype(np.int64)
        mortar = (np.abs(place - which - 0.5) > 0.47) | (np.abs(points[:, 1] / 0.075 - row - 0.5) > 0.43)
        tone = np.where(mortar, np.float32(1.0), tones[row % 64, which % 64])
        colour = np.where(mortar[:, None], np.float32(0.5), np.array([0.50, 0.28, 0.20], np.float32))
        return (tone[:, None] * colour).astype(np.float32)

    shell = room((0.5, 0.3, 0.22), planks((0.5, 0.35, 0.22), 0.18), (0.7, 0.68, 0.66), back=5.2, high=3.4,
                 left=-3.2, right=3.2)  # fmt: skip
    base = shell.paint
    assert callable(base)
    shell.paint = lambda points, normals: np.where(
        (np.abs(normals[:, 1]) < 0.5)[:, None], brick(points, normals), base(points, normals)
    ).astype(np.float32)
    things: list[Thing] = [shell]
    windows = []
    for left in (-2.5, -0.75, 1.0):
        windows.append(Window((left + 1.5, 0.75, 5.19), (-1.5, 0, 0), (0, 2.3, 0), (2.1, 2.25, 2.45), sky))
        things += [Box((left + 0.5 * k - 0.02, 0.75, 5.12), (left + 0.5 * k + 0.02, 3.05, 5.2), (0.05, 0.05, 0.055))
                   for k in range(4)]  # fmt: skip
        things += [Box((left, 0.75 + 0.766 * k - 0.02, 5.12), (left + 1.5, 0.75 + 0.766 * k + 0.02, 5.2),
                       (0.05, 0.05, 0.055)) for k in range(4)]  # fmt: skip
    things += [
        Box((-1.3, 0, 4.1), (1.5, 0.07, 4.9), (0.3, 0.28, 0.26)),
        Box((-1.2, 0.07, 4.2), (1.4, 0.4, 4.85), (0.30, 0.34, 0.36)),
        Box((-1.2, 0.4, 4.65), (1.4, 0.78, 4.9), (0.32, 0.36, 0.38)),
        *plant(2.45, 4.3, 0.0, 1.7, 14, (0.2, 0.2, 0.2)),
        *plant(-2.55, 4.5, 0.0, 1.3, 15),
    ]
    windows.append(Window((-3.18, 0.8, 2.4), (0, 0, -2.4), (0, 2.2, 0), (7.2, 7.4, 7.8)))
    return Scene(things, windows, exposure=0.8, look=(0.0, 1.42, 5.0), eye=(0, 1.35, 0))


def library() -> Scene:
    """A wall of books, and the light of a lamp."""
    tones = np.array([(0.42, 0.13, 0.09), (0.14, 0.22, 0.16), (0.12, 0.17, 0.30), (0.55, 0.42, 0.24),
                      (0.62, 0.55, 0.42),
                      (0.25, 0.12, 0.08), (0.5, 0.28, 0.12), (0.08, 0.08, 0.09)], np.float32)  # fmt: skip
    things: list[Thing] = [
        room((0.40, 0.33, 0.26), planks((0.36, 0.22, 0.13), 0.15), (0.62, 0.58, 0.52)),
        *shelves(-2.6, -0.02, 4.2, 0.3, 6, 0.4, 0.32, (0.30, 0.18, 0.10), books(21, 0.4, 0.3, tones)),
        *shelves(0.02, 2.6, 4.2, 0.3, 6, 0.4, 0.32, (0.30, 0.18, 0.10), books(22, 0.4, 0.3, tones)),
        Box((1.2, 0, 2.9), (2.3, 0.72, 3.6), (0.34, 0.2, 0.11)),
        Ball((1.75, 1.2, 3.25), 0.17, (0.9, 0.85, 0.75), (12.0, 8.2, 4.6)),
        Box((1.72, 0.7, 3.22), (1.78, 1.1, 3.28), (0.5, 0.38, 0.14)),
    ]
    window = Window((-2.68, 0.9, 3.2), (0, 0, -2.4), (0, 1.6, 0), (3.4, 3.5, 3.7), sky)
    return Scene(things, [window], exposure=1.15, look=(0.0, 1.35, 4.0))


def studio() -> Scene:
    """Slats of oak with a line of light, and a plant."""

    def slats(points: F32, normals: F32) -> F32:
        del normals
        place = points[:, 0] / np.float32(0.09)
        gap = np.abs(place - np.floor(place) - 0.5) > 0.33
        tone = np.where(gap, 0.07, 1.0).astype(np.float32)
        inside = (points[:, 0] > -0.55)[:, None]
        return np.where(inside, tone[:, None] * np.array([0.55, 0.37, 0.22], np.float32),
                        np.array([0.60, 0.58, 0.55], np.float32)).astype(np.float32)  # fmt: skip

    things: list[Thing] = [
        room((0.62, 0.60, 0.57), (0.42, 0.40, 0.38), feature=slats),
        Box((-0.62, 0, 4.12), (-0.56, 2.75, 4.2), (0.8, 0.7, 0.5), (5.0, 3.6, 2.1)),
        Box((-0.45, 0.0, 3.7), (2.4, 0.5, 4.15), (0.68, 0.66, 0.63)),
        *plant(2.05, 3.75, 0.5, 0.8, 31),
        Ball((-0.1, 0.62, 3.9), 0.12, (0.25, 0.30, 0.33)),
        Ball((0.16, 0.58, 3.85), 0.08, (0.72, 0.68, 0.62)),
        Box((0.5, 0.5, 3.85), (0.95, 0.56, 4.05), (0.3, 0.34, 0.36)),
        Box((0.53, 0.56, 3.87), (0.92, 0.61, 4.03), (0.7, 0.55, 0.4)),
        *plant(-1.95, 3.5, 0.0, 1.5, 33, (0.3, 0.3, 0.3)),
        *(Ball((-0.59, height, 4.02), 0.03, (0.9, 0.8, 0.6), (16.0, 11.0, 6.0)) for height in (0.7, 1.4, 2.1)),
    ]
    window = Window((-2.68, 0.6, 3.0), (0, 0, -2.6), (0, 1.9, 0), (4.6, 4.7, 4.8), sky)
    return Scene(things, [window], exposure=0.95, look=(0.0, 1.25, 4.0))
