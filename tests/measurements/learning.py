"""What `vcam learn` gains: the figures of docs/learn.md.

    python -m tests.measurements.learning FOLDER --teacher CARD [--clips NAME...] [--threads 1]

FOLDER: films of one person each, such as ../shared/data/clips. Each is learnt from its first half and measured on its
second, against the mattes of Robust Video Matting (../shared/models), which teaches nothing here; before / after. The
others are portraits that nothing was learnt from, cut out and set into other rooms (../shared/data). CPU is that of the
whole lesson.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.measurements.quality import mattes as robust_mattes
from tests.places import SHARED
from vcam import Settings
from vcam.datasets.folder import find_pairs, read_pair
from vcam.frames import Frame
from vcam.images import frame_to_bgr, read_image
from vcam.infer.choices import engine_choices
from vcam.learn import keeping
from vcam.learn.footage import Footage, read_footage
from vcam.learn.labels import plain
from vcam.learn.lesson import Wish, learn
from vcam.matting import open_matting
from vcam.measure.evaluate import open_scored, score
from vcam.measure.meter import Scores
from vcam.measure.metrics import miou
from vcam.models.cards import ModelCard, read_card
from vcam.models.find import find_model
from vcam.segment.network import PersonNetwork
from vcam.train.augment import filmed
from vcam.train.backdrops import cut_out, out_of_focus, peopled, room
from vcam.types import U8

MIXED = 240


def mixed_pictures(shape: tuple[int, int], count: int = MIXED) -> list[tuple[U8, U8]]:
    """Portraits that nobody learns from in rooms that nobody learns from: RGB (height, width, 3) and mask."""
    people = []
    for pair in find_pairs(SHARED / "data" / "portraits").pairs:
        ((frame, mask),) = read_pair(pair, None)
        height, width = mask.shape
        found = cut_out(frame_to_bgr(frame)[:height, :width], mask)
        people += [found] if found else []
    rooms = [read_image(path) for path in sorted((SHARED / "data" / "backgrounds").iterdir())]
    made = []
    for number in range(count):
        chance = np.random.default_rng([17, number])
        backdrop = out_of_focus(room(chance, rooms[number % len(rooms)], shape), chance)
        beside = [] if number % 4 else [people[(number * 7 + 3) % len(people)]]
        picture, mask = peopled(backdrop, people[number % len(people)], beside, chance)
        shown = cv2.cvtColor(filmed(picture, chance), cv2.COLOR_BGR2RGB)
        made.append((shown.astype(np.uint8), mask))
    return made


def on_others(card: ModelCard, pictures: Sequence[tuple[U8, U8]]) -> float:
    """The plain network's mIoU in percent."""
    network = PersonNetwork(card, engine_choices(card.network(), "onnxruntime", "CPU"))
    try:
        found = [(255 * network.find(picture)).astype(np.uint8) for picture, _ in pictures]
        return 100 * float(np.mean([miou(one, true) for one, (_, true) in zip(found, pictures, strict=True)]))
    finally:
        network.close()


def truth(film: Footage) -> list[U8]:
    """The mattes of the frames kept back; the frames before are shown as well, for the state."""
    every = robust_mattes(film.frames, SHARED / "models" / "rvm_mnv3_512x512_d1.onnx")
    return every[len(film.learnt) :]


def scored(card: ModelCard, frames: Sequence[Frame], true: Sequence[U8], *, bare: bool) -> Scores:
    settings = Settings().replace(segment__model=str(card.path), segment__backend="onnxruntime")
    with open_scored(settings, frames[0].size, plain=bare) as matting:
        return score(zip(frames, true, strict=True), matting)


def milliseconds(card: ModelCard, frames: Sequence[Frame]) -> float:
    """CPU of a frame, with the default settings."""
    settings = Settings().replace(segment__model=str(card.path), segment__backend="onnxruntime")
    with open_matting(plain(settings, str(card.path)), frames[0].size) as matting:
        for frame in frames[:5]:
            matting.alpha(frame)
        began = time.process_time()
        for frame in frames:
            matting.alpha(frame)
        return 1000 * (time.process_time() - began) / len(frames)


def row(name: str, before: Scores, after: Scores, others: tuple[float, float], cpu: float, note: str) -> None:
    cells = [
        name, *(f"{one:.2f} / {two:.2f} ({two - one:+.2f})" for one, two in (
            (before.miou, after.miou), (before.boundary, after.boundary),
        )),
        f"{before.dtssd:.2f} / {after.dtssd:.2f} ({100 * (after.dtssd / before.dtssd - 1):+.0f} %)",
        f"{others[0]:.2f} / {others[1]:.2f} ({others[1] - others[0]:+.2f})", f"{cpu:.0f}", note,
    ]  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", required=True, help="a model's name, or the path of its card")
    parser.add_argument("--clips", nargs="+", default=[], help="these alone, by their stems")
    parser.add_argument("--others", type=Path, default=None, help="as for vcam learn")
    parser.add_argument("--room", type=Path, default=None)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    clips = sorted(path for path in options.folder.iterdir() if path.suffix in (".mkv", ".mp4"))
    clips = [path for path in clips if not options.clips or path.stem in options.clips]
    print("| film | mIoU % | edge band % | flicker | others, mIoU % | CPU s | |\n|---|---|---|---|---|---|---|")
    every: list[tuple[Scores, Scores]] = []
    sets: dict[tuple[int, int], list[tuple[U8, U8]]] = {}
    for path in clips:
        with tempfile.TemporaryDirectory() as home:
            os.environ.update(XDG_STATE_HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)
            wish = Wish((path,), options.teacher, room=options.room, others=options.others, minutes=options.minutes)
            work = Path(home, "work")
            work.mkdir()
            with keeping.working():
                outcome = learn(wish, Settings(), work, lambda words, done: None)
            start, card = find_model(outcome.start, (16, 9)), read_card(work / "made" / "mine.toml")
            film = read_footage(path)
            true = truth(film)
            both = tuple(scored(one, film.held, true, bare=False) for one in (start, card))
            bare = tuple(scored(one, film.held, true, bare=True) for one in (start, card))
            shape = start.input.size[1], start.input.size[0]
            pictures = sets.setdefault(shape, mixed_pictures(shape))
            others = on_others(start, pictures), on_others(card, pictures)
            costs = milliseconds(start, film.held), milliseconds(card, film.held)
        every.append((both[0], both[1]))
        verdict = "kept" if outcome.verdict.accepted else "; ".join(outcome.verdict.reasons)
        guard = f"own guard {outcome.before.others:.2f} / {outcome.after.others:.2f}, share {outcome.share:g}"
        note = f"{verdict}; {guard}; {costs[0]:.1f} / {costs[1]:.1f} ms"
        row(path.stem, both[0], both[1], others, outcome.cpu_s, note)
        row(f"{path.stem}, plain", bare[0], bare[1], others, outcome.cpu_s, "")
    if every:
        one, two = (Scores.mean(side) for side in zip(*every, strict=True))
        row("mean", one, two, (float("nan"), float("nan")), float("nan"), "")


if __name__ == "__main__":
    main()
