"""A small path tracer for rooms made of boxes and balls: soft daylight and real shadows.

Rays are followed from the eye through diffuse bounces (Kajiya, "The Rendering Equation", 1986). At each hit one of
the lights is sampled directly, so that few rays are enough. All of it in float32 NumPy, one operation for all rays.
Lengths are in metres: x to the right, y up, z away from the camera.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Colour = tuple[float, float, float]
Paint = Callable[[F32, F32], F32]
"""From points (n, 3) and normals (n, 3) to what share of red, green and blue they give back (n, 3)."""

FAR = np.float32(1e6)
_NEAR = np.float32(1e-3)


@dataclass
class Box:
    """A box with sides along the axes. inside: a room, whose walls are seen from within."""

    low: Colour
    high: Colour
    paint: Colour | Paint
    glow: Colour = (0.0, 0.0, 0.0)
    inside: bool = False


@dataclass
class Ball:
    """A ball; one that glows is a lamp, and lights the room."""

    middle: Colour
    radius: float
    paint: Colour | Paint
    glow: Colour = (0.0, 0.0, 0.0)


@dataclass
class Cutout:
    """A thin shape that stands upright and faces the camera, as the leaves of a plant.

    picture: float32 (rows, columns, 4), red, green, blue and whether something is there.
    """

    corner: Colour
    size: tuple[float, float]
    picture: F32

    def at(self, points: F32) -> F32:
        """The picture at points (n, 3), float32 (n, 4); nothing beside it."""
        rows, columns = self.picture.shape[:2]
        across = ((points[:, 0] - self.corner[0]) / self.size[0]).clip(-1, 2)
        down = (1 - (points[:, 1] - self.corner[1]) / self.size[1]).clip(-1, 2)
        inside = (across >= 0) & (across < 1) & (down >= 0) & (down < 1)
        row = (down * rows).astype(np.int32).clip(0, rows - 1)
        column = (across * columns).astype(np.int32).clip(0, columns - 1)
        return np.where(inside[:, None], self.picture[row, column], np.float32(0)).astype(np.float32)

    def meets(self, origin: F32, away: F32) -> F32:
        """The distance at which rays meet it; FAR where they pass."""
        distance = (self.corner[2] - origin[:, 2]) / np.where(np.abs(away[:, 2]) < 1e-6, 1e-6, away[:, 2])
        there = self.at(origin + away * distance[:, None].astype(np.float32))[:, 3] > 0.5
        return np.where(there & (distance > 0), distance, FAR).astype(np.float32)


@dataclass
class Window:
    """A bright rectangle: a corner and two sides; it shines to the side that `across` x `up` points to."""

    corner: Colour
    across: Colour
    up: Colour
    light: Colour
    view: Callable[[F32], F32] | None = None
    """What is seen in it, for points (n, 2) of 0..1 along the sides; its light otherwise."""


@dataclass
class Scene:
    """What there is, and from where it is looked at."""

    things: Sequence[Box | Ball | Cutout]
    windows: Sequence[Window] = ()
    eye: Colour = (0.0, 1.3, 0.0)
    look: Colour = (0.0, 1.25, 4.0)
    angle: float = 58.0
    """Of view, across, in degrees."""
    exposure: float = 1.0
    lamps: list[Ball] = field(init=False)

    def __post_init__(self) -> None:
        self.lamps = [thing for thing in self.things if isinstance(thing, Ball) and any(thing.glow)]


def render(scene: Scene, size: tuple[int, int], rays: int, seed: int = 1) -> F32:
    """The light that comes to each pixel, float32 (height, width, 3) in RGB, with so many rays for each.

    What shines on things is made smooth by itself, and painted afterwards: so few rays are enough, and no line is lost.
    """
    rng = np.random.default_rng(seed)
    width, height = size
    eye, look = np.array(scene.eye, np.float32), np.array(scene.look, np.float32)
    ahead = _unit((look - eye)[None])[0]
    right = _unit(np.cross(np.array([0, 1, 0], np.float32), ahead)[None])[0]
    up = np.cross(ahead, right)
    half = np.float32(np.tan(np.radians(scene.angle) / 2))
    grid_y, grid_x = np.mgrid[:height, :width].astype(np.float32)
    sums = [np.zeros((height * width, count), np.float32) for count in (3, 3, 3, 4)]
    for turn in range(rays):
        across = (grid_x + rng.random(grid_x.shape, np.float32)) * (2 / width) - 1
        down = (grid_y + rng.random(grid_y.shape, np.float32)) * (2 / width) - height / width
        away = ahead + half * (across[..., None] * right - down[..., None] * up)
        away = _unit(away.reshape(-1, 3))
        origin = np.broadcast_to(eye, away.shape).astype(np.float32)
        for total, part in zip(sums, _follow(scene, origin, away, rng, turn), strict=True):
            total += part
    glow, paint, shine, guide = (total.reshape(height, width, -1) / np.float32(rays) for total in sums)
    return glow + paint * smoothed(shine, guide)


def smoothed(shine: F32, guide: F32) -> F32:
    """What shines on things without its noise: holes of growing width (Dammertz and others, 2010), kept within what the
    guide, of the directions of surfaces and how far away they are, shows as one."""
    height, width = shine.shape[:2]
    shine = np.log1p(shine)
    for step in (1, 2, 4, 8):
        total, weights = np.zeros_like(shine), np.zeros((height, width, 1), np.float32)
        for y in (-1, 0, 1):
            for x in (-1, 0, 1):
                rows, columns = np.arange(height) + y * step, np.arange(width) + x * step
                rows, columns = rows.clip(0, height - 1), columns.clip(0, width - 1)
                apart = ((guide[rows][:, columns] - guide) ** 2).sum(axis=2, keepdims=True)
                near = np.float32((2 - abs(x)) * (2 - abs(y)))
                weight = near * np.exp(-apart * np.float32(14))
                total += weight * shine[rows][:, columns]
                weights += weight
        shine = total / weights
    return np.expm1(shine).astype(np.float32)


def out_of_focus(light: F32, radius: float) -> F32:
    """What a lens makes of what is behind the one that it is set to: every point a disc. In light, not in samples."""
    side = 2 * int(np.ceil(radius)) + 1
    y, x = np.mgrid[:side, :side].astype(np.float32) - side // 2
    disc = np.clip(radius + 0.5 - np.sqrt(x * x + y * y), 0, 1)
    spread: F32 = cv2.filter2D(light, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT).astype(np.float32)
    return spread


def developed(light: F32, exposure: float, bloom: float = 0.06) -> NDArray[np.uint8]:
    """A photograph of the light: glare of what is bright, a film's curve, BGR uint8."""
    light = light * np.float32(exposure)
    glare = cv2.GaussianBlur(np.maximum(light - 1.0, 0), (0, 0), light.shape[1] / 40)
    light = light + np.float32(bloom) * glare
    # Narkowicz's fit of the ACES curve, 2015
    shown = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0, 1)
    picture: NDArray[np.uint8] = np.rint(255 * shown ** (1 / 2.2)).astype(np.uint8)[..., ::-1].copy()
    return picture


def _follow(scene: Scene, origin: F32, away: F32, rng: np.random.Generator, turn: int, bounces: int = 2) -> list[F32]:
    """Along rays: what glows by itself, the paint of what is met, what shines on it, and the guide for `smoothed`."""
    shine = np.zeros_like(origin)
    share = np.ones_like(origin)
    first: list[F32] = []
    for bounce in range(bounces + 1):
        distance, normal, paint, glow, looked = _hit(scene, origin, away)
        if bounce == 0:
            seen = np.minimum(glow + looked, 8.0)
            first = [seen, paint, np.concatenate([normal, distance[:, None] * np.float32(0.5)], axis=1)]
        else:
            share = share * paint
        point = origin + away * distance[:, None] + normal * _NEAR
        shine += share * _direct(scene, point, normal, rng, turn + bounce)
        if bounce < bounces:
            origin, away = point, _scattered(normal, rng)
    return [first[0], first[1], np.minimum(shine, 8.0), first[2]]


def _hit(scene: Scene, origin: F32, away: F32) -> tuple[F32, F32, F32, F32, F32]:
    """Distance, normal, paint and glow of what each ray meets, and the light of a window in front of it."""
    count = len(origin)
    nearest = np.full(count, FAR, np.float32)
    which = np.full(count, -1, np.int32)
    normal = np.zeros((count, 3), np.float32)
    inverse = 1 / np.where(np.abs(away) < 1e-6, np.float32(1e-6), away)
    for index, thing in enumerate(scene.things):
        if isinstance(thing, Box):
            distance, axis = _box(thing, origin, inverse)
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            which[closer] = index
            rows = np.nonzero(closer)[0]
            normal[rows] = 0
            normal[rows, axis[rows]] = -np.sign(away[rows, axis[rows]])
        elif isinstance(thing, Cutout):
            distance = thing.meets(origin, away)
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            which[closer] = index
            normal[closer] = (0, 0.35, -0.937)
        else:
            distance = _ball(thing, origin, away)
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            which[closer] = index
            rows = np.nonzero(closer)[0]
            middle = np.array(thing.middle, np.float32)
            normal[rows] = (origin[rows] + away[rows] * distance[rows, None] - middle) / np.float32(thing.radius)
    looked = np.zeros((count, 3), np.float32)
    for window in scene.windows:
        distance, place = _pane(window, origin, away)
        # a pane lies in its wall
        front = distance < nearest + 0.02
        if front.any():
            light = np.array(window.light, np.float32)
            looked[front] = light if window.view is None else light * window.view(place[front])
    nearest = np.minimum(nearest, FAR)
    point = origin + away * nearest[:, None]
    paint = np.zeros((count, 3), np.float32)
    glow = np.zeros((count, 3), np.float32)
    for index, thing in enumerate(scene.things):
        rows = np.nonzero(which == index)[0]
        if len(rows) and isinstance(thing, Cutout):
            paint[rows] = thing.at(point[rows])[:, :3]
        elif len(rows) and not isinstance(thing, Cutout):
            colour = thing.paint
            paint[rows] = colour(point[rows], normal[rows]) if callable(colour) else np.array(colour, np.float32)
            glow[rows] = thing.glow
    return nearest, normal, paint, glow, looked


def _box(box: Box, origin: F32, inverse: F32) -> tuple[F32, NDArray[np.intp]]:
    """Slabs (Kay and Kajiya, 1986): the distance to a box, FAR if it is missed, and the axis of the side."""
    one = (np.array(box.low, np.float32) - origin) * inverse
    two = (np.array(box.high, np.float32) - origin) * inverse
    entries, exits = np.minimum(one, two), np.maximum(one, two)
    if box.inside:
        return exits.min(axis=1), exits.argmin(axis=1)
    enter, leave = entries.max(axis=1), exits.min(axis=1)
    return np.where((enter < leave) & (enter > 0), enter, FAR).astype(np.float32), entries.argmax(axis=1)


def _ball(ball: Ball, origin: F32, away: F32) -> F32:
    apart = origin - np.array(ball.middle, np.float32)
    along = np.einsum("ij,ij->i", apart, away)
    under = along * along - np.einsum("ij,ij->i", apart, apart) + np.float32(ball.radius**2)
    distance = -along - np.sqrt(np.maximum(under, 0))
    return np.where((under > 0) & (distance > 0), distance, FAR).astype(np.float32)


def _pane(window: Window, origin: F32, away: F32) -> tuple[F32, F32]:
    corner, across, up = (np.array(each, np.float32) for each in (window.corner, window.across, window.up))
    normal = _unit(np.cross(across, up)[None])[0]
    facing = away @ normal
    distance = ((corner - origin) @ normal) / np.where(np.abs(facing) < 1e-6, np.float32(1e-6), facing)
    there = origin + away * distance[:, None] - corner
    place = np.stack([there @ across / (across @ across), there @ up / (up @ up)], axis=1)
    inside = (place >= 0).all(axis=1) & (place <= 1).all(axis=1) & (distance > 0) & (facing < 0)
    return np.where(inside, distance, FAR).astype(np.float32), place.astype(np.float32)


def _direct(scene: Scene, point: F32, normal: F32, rng: np.random.Generator, turn: int) -> F32:
    """The light of one of the windows and lamps, in turn, on points; for a surface that gives back all of it."""
    lights: list[Window | Ball] = [*scene.windows, *scene.lamps]
    if not lights:
        return np.zeros_like(point)
    light = lights[turn % len(lights)]
    one, two = rng.random((len(point), 1), np.float32), rng.random((len(point), 1), np.float32)
    if isinstance(light, Window):
        corner, across, up = (np.array(each, np.float32) for each in (light.corner, light.across, light.up))
        whole = np.cross(across, up)
        area = float(np.linalg.norm(whole))
        target, facing = (
            corner + one * across + two * up,
            np.broadcast_to((whole / area).astype(np.float32), point.shape),
        )
        strength = np.array(light.light, np.float32)
    else:
        height, turned = 1 - 2 * one, 2 * np.pi * two
        flat = np.sqrt(np.maximum(1 - height * height, 0))
        facing = np.concatenate([flat * np.cos(turned), height, flat * np.sin(turned)], axis=1).astype(np.float32)
        target = np.array(light.middle, np.float32) + facing * np.float32(light.radius * 1.01)
        area, strength = 4 * np.pi * light.radius**2, np.array(light.glow, np.float32)
    way = target - point
    square = np.einsum("ij,ij->i", way, way)
    length = np.sqrt(square)
    way = way / length[:, None]
    falls = np.maximum(np.einsum("ij,ij->i", way, normal), 0) * np.maximum(-np.einsum("ij,ij->i", way, facing), 0)
    reach = _free(scene, point, way, length)
    gain = falls * reach * np.float32(area * len(lights) / np.pi) / np.maximum(square, 1e-3)
    return (gain[:, None] * strength).astype(np.float32)


def _free(scene: Scene, origin: F32, away: F32, length: F32) -> F32:
    """1 where nothing stands in the way, else 0."""
    inverse = 1 / np.where(np.abs(away) < 1e-6, np.float32(1e-6), away)
    free = np.ones(len(origin), np.bool_)
    limit = length - np.float32(2e-2)
    for thing in scene.things:
        if isinstance(thing, Box):
            if not thing.inside:
                free &= _box(thing, origin, inverse)[0] > limit
        else:
            free &= (thing.meets(origin, away) if isinstance(thing, Cutout) else _ball(thing, origin, away)) > limit
    return free.astype(np.float32)


def _scattered(normal: F32, rng: np.random.Generator) -> F32:
    """Directions from a matt surface: more of them the steeper (Lambert)."""
    ball = rng.standard_normal(normal.shape).astype(np.float32)
    return _unit(normal + _unit(ball) * np.float32(0.999))


def _unit(vectors: F32) -> F32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)
