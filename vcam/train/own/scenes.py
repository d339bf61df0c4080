"""What a network is shown that learns one person and one room: frames of them, changed by chance, and other people.

All pictures are at the network's size. Each sample depends on the seed and its number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vcam.assets import BACKGROUNDS, asset, background_picture
from vcam.datasets.store import Entry, read_entry
from vcam.errors import InputError
from vcam.images import read_image, read_rgba
from vcam.train.augment import Chance, cropped, filmed, placed, recoloured, warped
from vcam.train.backdrops import CutOut, cut_out, made_up, out_of_focus, peopled, room
from vcam.types import F32, U8

ELSEWHERE, GUESTS, EMPTY = 0.12, 0.06, 0.04
"""Shares of the user's samples: in other rooms, somebody else in the user's room, the room empty."""
CROPPED, FILMED = 0.15, 0.3
"""Shares of the frames that are cut to a part, as vcam shows a network small people, and in other light. With more of
them it learns next to nothing of the room as it is."""
NARROW = 1.25
"""How far a whole frame is zoomed in at most."""
STILLS = 24
"""Frames out of which the user is cut."""
MOST = 400
"""Pictures of others that are kept in memory."""
NOBODY = 0.1


@dataclass(frozen=True, slots=True)
class Taught:
    """A frame of the user: BGR uint8 (height, width, 3), and what is to be learnt of it, uint8 (height, width)."""

    picture: U8
    target: U8


class Rooms:
    """Rooms without people that come with vcam, in two halves: to learn with, and to judge by."""

    def __init__(self, *, judging: bool) -> None:
        names = [background_picture(name) for name in BACKGROUNDS]
        files = [*names[int(judging) :: 2], asset("dusk.jpg" if judging else "room.jpg")]
        self._pictures = [read_image(path) for path in files]

    def one(self, chance: Chance, shape: tuple[int, int]) -> U8:
        """A part of one of them, or of nothing but chance: BGR of `shape` (height, width)."""
        if chance.random() < 0.3:
            return made_up(chance, shape)
        return room(chance, self._pictures[int(chance.integers(len(self._pictures)))], shape)


class Others:
    """Other people, in other rooms."""

    def __init__(
        self, entries: Sequence[Entry], shape: tuple[int, int], *, judging: bool, seed: int
    ) -> None:  # fmt: skip
        """entries: pictures with mattes; without any there is one person alone, of vcam's demo. shape: (height, width).

        judging: scenes to judge by, with no room of those that are learnt with.
        Raises `InputError` if none of the entries can be read.
        """
        self._shape, self._seed, self._rooms = shape, seed, Rooms(judging=judging)
        self._whole: list[tuple[U8, U8]] = []
        self.broken: list[str] = []
        step = max(1, -(-len(entries) // MOST))
        for entry in entries[::step]:
            try:
                self._whole.append(read_entry(entry, round(1.25 * max(shape))))
            except InputError as error:
                self.broken.append(error.message)
        if entries and not self._whole:
            raise InputError("none of the pictures of others can be read", self.broken[0])
        self.people = [one for one in (cut_out(*each) for each in self._whole) if one]
        """Those that are set into rooms."""
        if not self.people:
            demo = read_rgba(asset("astronaut.png"))
            found = cut_out(np.ascontiguousarray(demo[..., 2::-1]), np.ascontiguousarray(demo[..., 3]))
            assert found is not None
            self.people = [found]

    def scene(self, number: int) -> tuple[U8, U8]:
        """The sample of that number: RGB uint8 (height, width, 3), and the matte, uint8 (height, width)."""
        chance = np.random.default_rng([self._seed, 7, number])
        if self._whole and chance.random() < 0.4:
            picture, matte = self._whole[int(chance.integers(len(self._whole)))]
            matrix = cropped(chance, (matte.shape[1], matte.shape[0]), self._shape)
            picture, matte = (warped(each, matrix, self._shape) for each in (picture, matte))
        else:
            backdrop = out_of_focus(self._rooms.one(chance, self._shape), chance)
            if chance.random() < NOBODY:
                picture, matte = backdrop, np.zeros(self._shape, np.uint8)
            else:
                picture, matte = self._with_people(backdrop, chance)
        return cv2.cvtColor(filmed(picture, chance), cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False), matte

    def _with_people(self, backdrop: U8, chance: Chance) -> tuple[U8, U8]:
        people = self.people
        first = people[int(chance.integers(len(people)))]
        if len(self.people) == 1:
            # one and the same person says little: at least not in one and the same colours
            colours = np.ascontiguousarray(first.layer[..., :3])
            layer = np.dstack((_other_colours(colours, chance), first.layer[..., 3]))
            first = CutOut(layer, first.box, first.below, first.above, first.left, first.right)
        beside = [] if chance.random() < 0.75 else [people[int(chance.integers(len(people)))]]
        return peopled(backdrop, first, beside, chance)


def _other_colours(picture: U8, chance: Chance) -> U8:
    """Another tint and light all over."""
    hsv = cv2.cvtColor(recoloured(picture, chance), cv2.COLOR_BGR2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + int(chance.integers(180))) % 180
    shown = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return shown.astype(np.uint8, copy=False) if chance.random() < 0.6 else picture


class Mine:
    """The user, mostly in the user's room."""

    def __init__(self, taught: Sequence[Taught], shape: tuple[int, int], *, seed: int, plate: U8 | None = None) -> None:
        """shape: (height, width). plate: the empty room, BGR, if it is known."""
        self._taught, self._shape, self._seed, self._plate = list(taught), shape, seed, plate
        places = np.linspace(0, len(taught) - 1, min(STILLS, len(taught))).round().astype(int)
        cut = (cut_out(taught[place].picture, taught[place].target) for place in places)
        self.cut_outs = [one for one in cut if one]
        self._rooms = Rooms(judging=False)
        self._guests = Others([], shape, judging=False, seed=seed).people

    def sample(self, number: int) -> tuple[U8, F32]:
        """The sample of that number: RGB uint8 (height, width, 3), and its target, float32 (height, width), 0..1."""
        chance = np.random.default_rng([self._seed, 3, number])
        kind = chance.random()
        if kind < ELSEWHERE and self.cut_outs:
            backdrop = out_of_focus(self._rooms.one(chance, self._shape), chance)
            picture, target = peopled(backdrop, self._one(self.cut_outs, chance), [], chance)
        elif self._plate is not None and kind < ELSEWHERE + GUESTS + EMPTY:
            picture = warped(self._plate, self._whole(chance, self._plate), self._shape)
            target = np.zeros(self._shape, np.uint8)
            if kind < ELSEWHERE + GUESTS:
                picture, target = peopled(picture, self._one(self._guests, chance), [], chance)
        else:
            taught = self._taught[int(chance.integers(len(self._taught)))]
            matrix = self._whole(chance, taught.picture)
            if chance.random() < CROPPED:
                matrix = cropped(chance, taught.picture.shape[1::-1], self._shape, _box(taught.target))
            picture, target = (warped(each, matrix, self._shape) for each in (taught.picture, taught.target))
        if chance.random() < FILMED:
            picture = filmed(picture, chance)
        shown = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
        return shown, target.astype(np.float32) / np.float32(255)

    def _whole(self, chance: Chance, picture: U8) -> np.typing.NDArray[np.float64]:
        """Next to the whole frame, as it will be seen: a little nearer, turned, shifted, now and then mirrored."""
        height, width = picture.shape[:2]
        rows, columns = self._shape
        zoom = 1 + (NARROW - 1) * chance.random() ** 2
        spare = (1 - 1 / zoom) / 2
        middle = [0.5 + chance.uniform(-spare, spare) for _ in range(2)]
        return placed(
            (middle[0] * width, middle[1] * height), (columns / 2, rows / 2),
            (zoom * columns / width, zoom * rows / height), chance.normal(0, 0.02), bool(chance.random() < 0.3),
        )  # fmt: skip

    @staticmethod
    def _one(people: Sequence[CutOut], chance: Chance) -> CutOut:
        return people[int(chance.integers(len(people)))]


def _box(target: U8) -> tuple[int, int, int, int] | None:
    x, y, width, height = cv2.boundingRect((target >= 128).view(np.uint8))
    return (x, y, x + width, y + height) if width else None
