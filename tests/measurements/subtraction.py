"""Prints the table of docs/models.md: how much of the room background subtraction shows when the room has changed.

.venv/bin/python -m tests.measurements.subtraction [--person] [--plain]

The room of the demo scene is learnt, then the camera is nudged, its exposure changes, or a lamp is switched on, with
nobody there. What counts as shown is what is in the output as it was in the frame, though the background is another.
--person: the same with somebody there, and how much of them is found (intersection over union), where they are shown.
--plain: before a bare wall with one shelf.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from vcam.camera.demo import DemoScene, room
from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.composer import PlateComposer
from vcam.compose.placeholder import placeholder
from vcam.frames import Frame
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline
from vcam.segment.emptyroom.roomfile import RoomPlace
from vcam.segment.emptyroom.subtraction import SubtractionSegmenter
from vcam.settings import Settings
from vcam.testing import FakeCamera, RecordingOutput
from vcam.types import U8

SIZE = (640, 360)
MARGIN = 60
GREEN = (0, 255, 0)
LEARN, TRY = 12, 12
METHODS = ("static", "adaptive")

Scene = Callable[[int], U8]
"""The picture of a frame's number, uint8 (height, width, 3), with a margin all round."""


@dataclass
class Change:
    """What happens to the room; `light` to levels as float32 BGR."""

    move: tuple[int, int] = (0, 0)
    gain: float = 1.0
    light: Callable[[np.ndarray], np.ndarray] | None = None
    turn: float = 0.0
    zoom: float = 1.0


@dataclass
class Trial:
    """What was shown, as shares of the picture at most, and of how many frames nothing was to be believed."""

    shown: float = 0.0
    refused: int = 0
    notices: set[str] = field(default_factory=set)
    overlaps: list[float] = field(default_factory=list)


def glow(height: float, place: tuple[float, float], reach: float) -> Callable[[np.ndarray], np.ndarray]:
    """A lamp: light added round a place."""

    def light(picture: np.ndarray) -> np.ndarray:
        rows, columns = np.indices(picture.shape[:2])
        distance = (columns - place[0]) ** 2 + (rows - place[1]) ** 2
        return picture + height * np.exp(-distance / (2 * reach**2))[..., None]

    return light


def shade(strength: float, soft: float, middle: float = 0.5) -> Callable[[np.ndarray], np.ndarray]:
    """A shadow over the left of the picture up to its `middle`; soft: pixels over which it ends."""

    def light(picture: np.ndarray) -> np.ndarray:
        across = (np.arange(picture.shape[1]) - middle * picture.shape[1]) / soft
        return picture * (1 - strength / (1 + np.exp(np.clip(4 * across, -60, 60))))[None, :, None]

    return light


CHANGES = {
    "nothing": Change(),
    **{f"nudged {x} px": Change((x, y)) for x, y in ((2, 0), (4, 0), (8, 4), (16, 8), (40, 20), (60, 60))},
    **{f"exposure {round(100 * gain - 100):+} %": Change(gain=gain) for gain in (1.12, 1.25, 1.5, 0.6, 0.3)},
    "lamp on": Change(light=glow(105, (500, 120), 160)),
    "lamp on, small": Change(light=glow(105, (320, 200), 60)),
    "lamp on, left": Change(light=glow(70, (60, 300), 220)),
    "lamp off": Change(light=glow(-70, (450, 100), 200)),
    "half in shadow": Change(light=shade(0.4, 80)),
    "half in deep shadow": Change(light=shade(0.6, 30)),
    "a third in shadow": Change(light=shade(0.3, 40, 0.35)),
    "turned by 2 degrees": Change(turn=2),
    "turned by 6 degrees": Change(turn=6),
    "zoomed by 5 %": Change(zoom=1.05),
    "nudged 8 px, lamp on": Change((8, 4), light=glow(105, (500, 120), 160)),
    "nudged 4 px, +12 %": Change((4, 2), gain=1.12),
}


def scenes(person: bool, plain: bool = False) -> Scene:
    """plain: a bare wall with one shelf."""
    wide = (SIZE[0] + 2 * MARGIN, SIZE[1] + 2 * MARGIN)
    empty = room(wide)
    if plain:
        shelf = empty[100:380, 440:640].copy()
        empty[:] = (np.linspace(130, 160, wide[0])[None, :, None] * (1.0, 0.95, 0.9)).astype(np.uint8)
        empty[100:380, 440:640] = shelf
    if not person:
        return lambda number: empty
    scene = DemoScene(wide)
    scene.open()
    if not plain:
        return lambda number: frame_to_bgr(scene.frame(number))

    def picture(number: int) -> U8:
        share = scene.true_alpha(number)[..., None] / 255
        return np.rint(share * frame_to_bgr(scene.frame(number)) + (1 - share) * empty).astype(np.uint8)

    return picture


def seen(picture: U8, change: Change, chance: np.random.Generator, noise: float = 2.0) -> Frame:
    """The picture as the camera has it."""
    if change.turn or change.zoom != 1:
        middle = (picture.shape[1] / 2, picture.shape[0] / 2)
        turn = cv2.getRotationMatrix2D(middle, change.turn, change.zoom)
        picture = cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT)
    x, y = MARGIN + change.move[0], MARGIN + change.move[1]
    part = picture[y : y + SIZE[1], x : x + SIZE[0]].astype(np.float32) * change.gain
    part = change.light(part) if change.light else part
    part = part + chance.normal(0, noise, part.shape)
    return bgr_to_frame(np.clip(part, 0, 255).astype(np.uint8))


def attempt(
    method: str, change: Change, folder: Path, *, person: bool = False, plain: bool = False, back: int = 0
) -> Trial:
    """Learn the room, and go on with it changed; `back`: frames after that in which it is as it was."""
    settings = Settings().replace(segment__backend="subtraction", segment__subtraction=method,
                                  segment__room_frames=LEARN - 2).segment  # fmt: skip
    place = RoomPlace.of("camera", f"{method} {change}", SIZE, folder)
    segmenter = SubtractionSegmenter(settings, SIZE, place=place)
    chance = np.random.default_rng(1)
    learn, then = scenes(False, plain), scenes(person, plain)
    frames = [seen(learn(0), Change(), chance) for _ in range(LEARN)]
    frames += [seen(then(number), change, chance) for number in range(TRY)]
    frames += [seen(then(number), Change(), chance) for number in range(back)]
    background = ColorBackground(GREEN)
    background.prepare(SIZE)
    behind = int(background.without_person(0).frame.y[0, 0])
    output, trial = RecordingOutput(), Trial()
    camera = FakeCamera(frames, size=SIZE)
    scene = DemoScene((SIZE[0] + 2 * MARGIN, SIZE[1] + 2 * MARGIN))
    scene.open()
    with Pipeline(camera, segmenter, make_matte(Settings().matte), PlateComposer(background, SIZE), [output]) as line:
        for number, frame in enumerate(frames):
            line.step()
            after = number - LEARN - (TRY if back else 0)
            if after < 0:
                continue
            luma = output.frames[-1][: SIZE[0] * SIZE[1]].reshape(SIZE[::-1]).astype(int)
            same = (np.abs(luma - frame.y.astype(int)) <= 3) & (np.abs(luma - behind) > 6)
            trial.notices.add(segmenter.notice)
            if line.error is not None:
                trial.refused += 1
                # a card that is as dark as a part of the room is no part of it
                card = placeholder(SIZE, segmenter.notice).y if segmenter.notice else np.full(SIZE[::-1], behind)
                same &= luma != card
            if person:
                x, y = (0, 0) if back else change.move
                true = scene.true_alpha(after)[MARGIN + y :, MARGIN + x :][: SIZE[1], : SIZE[0]] >= 128
                room_shown = same & (cv2.dilate(true.astype(np.uint8), np.ones((31, 31))) == 0)
                trial.shown = max(trial.shown, float(room_shown.mean()))
                if line.error is None:
                    trial.overlaps.append(float((same & true).sum() / (same | true).sum()))
            else:
                trial.shown = max(trial.shown, float(same.mean()))
    return trial


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--person", action="store_true")
    parser.add_argument("--plain", action="store_true")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    print("| what happens |" + "".join(f" {method}: shown | nothing believed |" for method in METHODS))
    print("|---|" + "---|---|" * len(METHODS))
    with tempfile.TemporaryDirectory() as folder:
        for name, change in CHANGES.items():
            cells = []
            for method in METHODS:
                trial = attempt(method, change, Path(folder), person=arguments.person, plain=arguments.plain)
                overlap = f", IoU {np.mean(trial.overlaps):.2f}" if trial.overlaps else ""
                cells.append(f" {100 * trial.shown:.1f} %{overlap} | {trial.refused} of {TRY} |")
            print(f"| {name} |" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
