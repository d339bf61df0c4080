"""Prints what room memory gains, and what it loses when the room has changed.

.venv/bin/python -m tests.measurements.room FOLDER [--set tuning|held] [--stress NAME,...] [--how told|kept|passive]
    [--scenes PERSON,...]

FOLDER: portraits with masks. Their people are cut out and moved before a room that stands still, under a camera's
noise; the plate is told from two seconds of the empty room. Each scene and each stress is scored with the default
settings, without room memory and with it; the first second is not scored.

--how: told is as above; kept is a plate that does not learn; passive is nothing told, but 20 seconds learnt before in
which the person moves: as in the clip, or slowly where the clip's person sits still. Another day is that day then, and
another room is that one. A person in the plate is one who sat still, and of whom the network missed what is left of the
middle.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.measurements.quality import cut_out
from tests.places import SHARED
from vcam import Settings
from vcam.assets import asset
from vcam.datasets.folder import Pair, find_pairs
from vcam.datasets.synthetic import _PATHS, Grain, _cover, _cutout, _motion, _premultiplied
from vcam.frames import Frame, Map
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.matting import open_matting
from vcam.measure.meter import Meter, Scores
from vcam.pipeline import tune_process
from vcam.segment.emptyroom.memory import RoomMemory, mean_room
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import F32, U8, Size

BACKGROUNDS = SHARED / "data" / "backgrounds"
ROOMS = {
    "room": asset("room.jpg"),
    "dusk": asset("dusk.jpg"),
    "arch": BACKGROUNDS / "volcomix_architecture-5082700_1280.jpg",
    "porch": BACKGROUNDS / "volcomix_porch-691330_1280.jpg",
    "street": BACKGROUNDS / "volcomix_shibuyasky-4768679_1280.jpg",
}
SETS = {
    "tuning": [
        (3, "still", "room"), (17, "still", "arch"), (10, "slow", "dusk"), (25, "slow", "room"),
        (40, "slow", "porch"), (22, "fast", "room"), (52, "fast", "dusk"), (None, "slow", "room"),
    ],
    "held": [
        (63, "still", "dusk"), (77, "still", "room"), (70, "slow", "street"), (85, "slow", "arch"),
        (91, "slow", "room"), (100, "slow", "porch"), (82, "fast", "street"), (112, "fast", "room"),
    ],
}  # fmt: skip
STRESSES = (
    "none", "exposure", "white balance", "lamp", "bump 3", "bump 10", "bump 40", "zoom", "chair", "second", "shirt",
    "near shirt", "shadow", "another day", "another room", "person in plate", "jpeg", "noise 6", "plain wall",
    "television",
)  # fmt: skip
SUDDEN = ("white balance", "lamp", "bump 3", "bump 10", "bump 40", "zoom", "second")
"""Of these nothing is to be seen in the time before."""
BEFORE = 600
"""Frames of that time."""
BEGIN = 30
"""Frames that are not scored; what happens suddenly happens then."""
SPARE = 1.3


@dataclass
class Scene:
    """Somebody before a room that stands still."""

    person: int | None
    motion: str
    room: str
    pairs: list[Pair]
    size: Size = (640, 360)

    def __post_init__(self) -> None:
        picture = _cutout() if self.person is None else cut_out(self.pairs[self.person])
        self.layer = _premultiplied(picture, self.size, 0.85)
        self.seed = self.person or 0
        self.start = np.random.default_rng(self.seed).uniform(0, 2 * math.pi)
        wide = (math.ceil(self.size[0] * SPARE), math.ceil(self.size[1] * SPARE))
        self.wide = _cover(read_image(ROOMS[self.room]), wide)

    def __str__(self) -> str:
        return f"{'demo' if self.person is None else self.person} {self.motion} {self.room}"

    def shown(self, number: int) -> tuple[F32, F32]:
        """The person, BGR times alpha, and alpha."""
        path = _PATHS[self.motion]
        move = _motion(path, 2 * math.pi * number / path.period + self.start, self.layer, self.size)
        moved = cv2.warpAffine(self.layer, move, self.size, flags=cv2.INTER_LINEAR)
        return moved[..., :3], moved[..., 3]

    def behind(self, x: float = 0, y: float = 0, zoom: float = 1) -> F32:
        """The room, the camera moved by so many pixels."""
        (width, height), (rows, columns) = self.size, self.wide.shape[:2]
        left, top = (columns - width) / 2, (rows - height) / 2
        move = np.float32(
            [[1 / zoom, 0, left - x + (1 - 1 / zoom) * width / 2], [0, 1 / zoom, top - y + (1 - 1 / zoom) * height / 2]]
        )
        return cv2.warpAffine(self.wide, move, self.size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


class Shoot:
    """The frames of one scene under one stress."""

    def __init__(self, scene: Scene, stress: str) -> None:
        self.scene, self.stress = scene, stress
        self.earlier = False
        """Whether it is the time before what happens suddenly."""
        self.size = scene.size
        width, height = scene.size
        self.down, self.across = np.mgrid[0:height, 0:width].astype(np.float32)
        self.room = scene.behind()
        self.before = self._other() if stress in ("another room", "another day") else self.room
        if stress in ("shirt", "near shirt", "plain wall"):
            self.room = cv2.GaussianBlur(self.room, (0, 0), 25)
        shape = (scene.shown(0)[1][: 3 * height // 4] > 0.5).any(0)
        self.right = int(np.flatnonzero(shape)[-1]) if shape.any() else width // 2
        noise = 6.0 if stress == "noise 6" else 3.0
        self.grains = {
            again: Grain(self.size, noise, np.random.default_rng(1000 * scene.seed + again)) for again in (1, 7)
        }

    def clip(self, count: int) -> Iterator[tuple[Frame, U8]]:
        for number in range(count):
            person, alpha = self._person(number)
            room = self._room(number)
            if self.stress == "shadow":
                width = self.size[0]
                cast = cv2.warpAffine(alpha, np.float32([[1, 0, 0.07 * width], [0, 1, 0.03 * width]]), self.size)
                room = room * (1 - 0.45 * cv2.GaussianBlur(cast, (0, 0), 0.02 * width)[..., None])
            picture = self._light(person + (1 - alpha[..., None]) * room, number)
            yield self._developed(picture, number, 1), np.rint(alpha * 255).astype(np.uint8)

    def empty(self, count: int) -> Iterator[Frame]:
        """What stepping out of the picture shows."""
        for number in range(count):
            if self.stress in ("another room", "another day"):
                picture = self._other()
            elif self.stress == "person in plate":
                person, alpha = self.scene.shown(0)
                picture = person + (1 - alpha[..., None]) * self._room(0)
            else:
                picture = self._room(0)
            yield self._developed(picture, number, 7)

    def _person(self, number: int) -> tuple[F32, F32]:
        person, alpha = self.scene.shown(number)
        height, width = alpha.shape
        if self.stress in ("shirt", "near shirt"):
            near = self.stress == "near shirt"
            below = np.clip((np.arange(height, dtype=np.float32) - 0.52 * height) / (0.06 * height), 0, 1)[
                :, None, None
            ]
            detail = (person - cv2.GaussianBlur(person, (0, 0), 4)) * (1.0 if near else 0.4)
            shirt = (self.room * (0.95 if near else 1) + detail) * alpha[..., None]
            person = person * (1 - below) + shirt * below
        elif self.stress == "second" and number >= BEGIN and not self.earlier:
            layer = _premultiplied(cut_out(self.scene.pairs[25]), self.size, 0.8)
            at = width * (1.25 - 0.5 * min((number - BEGIN) / 30, 1))
            move = np.float32([[1, 0, at - layer.shape[1] / 2], [0, 1, height - layer.shape[0] * 0.94]])
            other = cv2.warpAffine(layer, move, self.size, flags=cv2.INTER_LINEAR)
            person = person + other[..., :3] * (1 - alpha[..., None])
            alpha = alpha + other[..., 3] * (1 - alpha)
        return person, alpha

    def _other(self) -> F32:
        """Another room, or this one on another day."""
        if self.stress == "another room":
            other = "dusk" if self.scene.room != "dusk" else "arch"
            return Scene(self.scene.person, "still", other, self.scene.pairs).behind()
        light = 1 + 0.25 * np.cos(self.across / self.size[0] * 3 + 0.5) * np.cos(self.down / self.size[1] * 2)
        picture = self.scene.behind(0.8, 0.5) * light[..., None] * np.float32([1.08, 1, 0.93])
        return self._chair(picture, 0.7 * self.size[0], 0.5 * self.size[1])

    def _room(self, number: int) -> F32:
        late = number >= BEGIN and not self.earlier
        if self.earlier and self.stress in ("another room", "another day"):
            return self.before
        if self.stress.startswith("bump") and late:
            pixels = float(self.stress.split()[1])
            return self.scene.behind(0.8 * pixels, 0.6 * pixels)
        if self.stress == "television":
            return self._television(number)
        if self.stress == "zoom":
            return self.scene.behind(zoom=1 + 0.01 * min(max(number - 10, 0) / 30, 1))
        if self.stress == "chair":
            width, height = self.size
            x, y = (self.right - 0.06 * width, 0.42 * height) if late else (0.02 * width, 0.45 * height)
            return self._chair(self.room, x, y)
        return self.room

    def _television(self, number: int) -> F32:
        """A screen beside the person, dark at first in the told room, on which pictures pass and are cut."""
        width, height = self.size
        x, y = int(min(self.right + 0.02 * width, 0.78 * width)), int(0.2 * height)
        right, bottom = x + int(0.2 * width), y + int(0.2 * width * 9 / 16)
        picture = self.room.copy()
        picture[y:bottom, x:right] = 20
        if number > 0:
            other = read_image(ROOMS[("street", "arch", "porch")[number // 20 % 3]])
            columns = other.shape[1]
            left, span = int(columns * (0.1 + 0.02 * (number % 20))), columns // 2
            shown = cv2.resize(other[: span * 9 // 16, left : left + span], (right - x, bottom - y))
            picture[y:bottom, x:right] = shown
        return picture

    def _chair(self, picture: F32, x: float, y: float) -> F32:
        width, height = self.size
        other = read_image(ROOMS["porch"])
        rows, columns = other.shape[:2]
        side = int(0.16 * width), int(0.5 * height)
        cut = other[rows // 3 : rows // 3 + rows // 2, columns // 8 : columns // 8 + columns // 5]
        chair = cv2.resize(cut, side, interpolation=cv2.INTER_AREA).astype(np.float32) * 0.55
        alpha = np.zeros(side[::-1], np.float32)
        cv2.rectangle(alpha, (3, 3), (side[0] - 4, side[1] - 1), 1.0, -1)
        alpha = cv2.GaussianBlur(alpha, (0, 0), 1.2)[..., None]
        left, top = int(x), int(y)
        right, bottom = min(left + side[0], width), min(top + side[1], height)
        part = np.s_[: bottom - top, : right - left]
        picture = picture.copy()
        picture[top:bottom, left:right] = (
            picture[top:bottom, left:right] * (1 - alpha[part]) + chair[part] * alpha[part]
        )
        return picture

    def _light(self, picture: F32, number: int) -> F32:
        if self.stress == "exposure":
            return picture * np.float32(1 + 0.15 * math.sin(2 * math.pi * number / 60))
        if self.stress == "white balance":
            by = 0.1 * min(max((number - 10) / 40, 0), 1)
            return picture * np.float32([1 + by, 1, 1 - by])
        if self.stress == "lamp" and number >= BEGIN and not self.earlier:
            width, height = self.size
            x, y = self.right + 0.1 * width, 0.35 * height
            far = np.sqrt(((self.across - x) / (0.25 * width)) ** 2 + ((self.down - y) / (0.45 * height)) ** 2)
            return picture * (1 + 0.5 * np.clip(1.6 - 1.6 * far, 0, 1))[..., None]
        return picture

    def _developed(self, picture: F32, number: int, again: int) -> Frame:
        frame = bgr_to_frame(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        self.grains[again].add(frame)
        if self.stress == "jpeg":
            data = cv2.imencode(".jpg", frame_to_bgr(frame), [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
            frame = bgr_to_frame(cv2.imdecode(data, cv2.IMREAD_COLOR))
        frame.seq, frame.timestamp = number, number / 30
        return frame


class Recorded:
    """A segmenter that hands out the maps of before, so that a network looks once at each frame."""

    description, map_size = "recorded", (0, 0)

    def __init__(self, maps: list[Map], memory: RoomMemory | None, size: Size) -> None:
        self.maps, self.memory, self.size = maps, memory, size

    def segment(self, frame: Frame) -> Map:
        seen = self.maps[frame.seq]
        return seen if self.memory is None else self.memory.correct(seen, frame)

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


def recorded(frames: list[Frame], size: Size) -> list[Map]:
    with open_matting(Settings(), size) as matting:
        found = []
        for frame in frames:
            seen = matting.look(frame)
            pyramid = tuple(Frame(*(plane.copy() for plane in step.planes)) for step in seen.pyramid)
            found.append(Map(seen.probability.copy(), seen.box, seen.seq, seen.seq, pyramid))
        return found


def scored(frames: list[tuple[Frame, U8]], maps: list[Map], memory: RoomMemory | None) -> Scores:
    size = frames[0][0].size
    with open_matting(Settings(), size) as matting:
        matting.exchange(Recorded(maps, memory, size), None).close()
        meter = Meter()
        for frame, true in frames:
            picture = matting.picture(frame)
            if frame.seq >= BEGIN:
                meter.add(picture, true)
        return meter.scores


learnt: dict[tuple[str, str], RoomPicture] = {}
"""What was learnt in the time before, by scene and stress."""


def remembered(how: str, scene: Scene, shoot: Shoot) -> RoomMemory:
    """Told by an empty room; or learnt in 20 seconds in which the person moves."""
    if how != "passive":
        # whoever tells vcam the room is looked for in it; here nobody has, so that the memory has to notice
        vouched = shoot.stress != "person in plate"
        room = mean_room(list(shoot.empty(60)))
        return RoomMemory(scene.size, full_range=False, room=room, learns=how == "told", vouched=vouched)
    stress = "none" if shoot.stress in SUDDEN else shoot.stress
    if (str(scene), stress) not in learnt:
        memory = RoomMemory(scene.size, full_range=False)
        for seen, frame in watched(scene, stress):
            memory.correct(seen, frame)
        learnt[str(scene), stress] = memory.room
    return RoomMemory(scene.size, full_range=False, room=learnt[str(scene), stress])


def watched(scene: Scene, stress: str) -> Iterator[tuple[Map, Frame]]:
    """The time before a clip, of which the room is learnt; each map and frame is valid until the next."""
    sits = stress == "person in plate"
    # who sits still for as long as that shows nothing of what is behind
    motion = scene.motion if sits or scene.motion != "still" else "slow"
    before = Shoot(Scene(scene.person, "still" if sits else motion, scene.room, scene.pairs), stress)
    before.earlier = True
    with open_matting(Settings(), scene.size) as matting:
        for frame, true in before.clip(BEFORE):
            seen = matting.look(frame)
            if sits:
                middle = float(np.flatnonzero((true > 127).any(0)).mean())
                seen.probability[:, : round((middle - seen.box.x0) / seen.box.size[0] * seen.probability.shape[1])] = 0
            yield seen, frame


def row(name: str, scores: Scores) -> str:
    numbers = (scores.miou, scores.boundary, scores.mad, scores.dtssd, scores.lag)
    return f"{name:16s} " + " ".join(f"{number:7.2f}" for number in numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", choices=SETS, default="tuning")
    parser.add_argument("--stress", default=",".join(STRESSES))
    parser.add_argument("--frames", type=int, default=90)
    parser.add_argument("--scenes", help="the persons of these scenes alone, separated by commas")
    parser.add_argument("--how", choices=("told", "kept", "passive"), default="told")
    given = parser.parse_args()
    tune_process()
    pairs = find_pairs(given.folder).pairs
    wanted = given.scenes and given.scenes.split(",")
    chosen = [each for each in SETS[given.set] if not wanted or str(each[0]) in wanted]
    for stress in given.stress.split(","):
        before, after, worst, worst_band = [], [], (0.0, ""), (0.0, "")
        worst_flicker, worst_lag = (0.0, ""), (0.0, "")
        for person, motion, room in chosen:
            scene = Scene(person, motion, room, pairs)
            shoot = Shoot(scene, stress)
            frames = list(shoot.clip(given.frames))
            maps = recorded([frame for frame, _ in frames], scene.size)
            alone = scored(frames, maps, None)
            helped = scored(frames, maps, remembered(given.how, scene, shoot))
            before.append(alone)
            after.append(helped)
            worst = min(worst, (helped.miou - alone.miou, str(scene)))
            worst_band = min(worst_band, (helped.boundary - alone.boundary, str(scene)))
            worst_flicker = max(worst_flicker, (helped.dtssd / max(alone.dtssd, 1e-6) * 100 - 100, str(scene)))
            worst_lag = max(worst_lag, (helped.lag - alone.lag, str(scene)))
        print(row(stress, Scores.mean(before)))
        print(row("  with memory", Scores.mean(after)), f" worst mIoU {worst[0]:.2f} {worst[1]}", end="")
        print(f"; worst band {worst_band[0]:.2f} {worst_band[1]}", end="")
        print(
            f"; flicker {worst_flicker[0]:+.0f} % {worst_flicker[1]}; lag {worst_lag[0]:+.2f} {worst_lag[1]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
