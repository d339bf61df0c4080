"""Prints the tables of docs/quality.md: plain network / default settings.

Constants were chosen on the first half of each kind; see docs/quality.md.

.venv/bin/python -m tests.measurements.quality portraits FOLDER
.venv/bin/python -m tests.measurements.quality moved FOLDER
.venv/bin/python -m tests.measurements.quality synthetic
.venv/bin/python -m tests.measurements.quality region FOLDER
.venv/bin/python -m tests.measurements.quality films FOLDER MATTING_MODEL

portraits: pictures with masks, one by one. moved: the people of some of them, cut out, as those of synthetic clips.
synthetic: the same with the demo's person. region: people of portraits of several heights, default settings without and
with the region. films: those of FOLDER/*.mkv before another room, cut out by an ONNX model
of Robust Video Matting (its TensorFlow form, one ratio), which takes minutes.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from vcam import Settings, silent
from vcam.camera.file import VideoFile
from vcam.datasets.folder import Pair, find_pairs, read_pair
from vcam.datasets.synthetic import Motion, recomposed, synthetic_clip
from vcam.frames import Frame
from vcam.images import frame_to_bgr
from vcam.measure.evaluate import Evaluation, open_scored, score
from vcam.measure.meter import Scores
from vcam.types import F32, U8, Size

FRAMES = 90
MOTIONS: tuple[Motion, ...] = ("still", "slow", "fast")
HALVES = {"chosen on": (1, 2), "held out": (3, 4)}
MOVED = {"still": range(7, 60, 10), "slow": range(0, 60, 5), "fast": range(2, 60, 10)}
"""Which portraits of a half move how."""
RIM = 3
"""Pixels that masks and mattes are taken in by, so that nothing of the first room is labelled as person."""

Clip = Iterable[tuple[Frame, U8]]
Both = tuple[Scores, Scores]


def halves(pairs: list[Pair]) -> Iterator[tuple[str, list[Pair]]]:
    for half, (start, stop) in zip(HALVES, pairwise((0, len(pairs) // 2, len(pairs))), strict=True):
        yield half, pairs[start:stop]


def pictures(pairs: Iterable[Pair], plain: bool) -> Scores:
    with Evaluation(Settings(), plain=plain) as evaluation:
        return Scores.mean(evaluation.run(pair).scores for pair in pairs)


def clip_scores(clip: Clip, size: Size, *, region: bool = False) -> Both:
    """Of the plain network, or with `region` of the settings without it, and of the default settings."""
    frames = list(clip)
    both = []
    for first in (True, False):
        settings = Settings().replace(segment__region=not (region and first))
        with open_scored(settings, size, plain=first and not region) as matting:
            both.append(score(frames, matting))
    return both[0], both[1]


def taken_in(mask: U8) -> U8:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * RIM + 1, 2 * RIM + 1))
    return cv2.erode(mask, disc).astype(np.uint8)


def cut_out(pair: Pair) -> U8:
    """The person of a portrait, BGRA, with an edge as soft as a camera's."""
    ((frame, mask),) = read_pair(pair, None)
    height, width = mask.shape
    soft = cv2.GaussianBlur(taken_in(np.where(mask > 127, 255, 0).astype(np.uint8)), (0, 0), 1.5)
    return np.dstack([frame_to_bgr(frame)[:height, :width], soft])


def mattes(film: list[Frame], model: Path) -> list[U8]:
    """Those of Robust Video Matting, which carries its state from frame to frame."""
    session = silent.onnxruntime().InferenceSession(str(model), providers=["CPUExecutionProvider"])
    picture, *states = session.get_inputs()
    memory: dict[str, F32] = {state.name: np.zeros(state.shape, np.float32) for state in states}
    found: list[U8] = []
    # a few times the first one, for it to come to rest
    for frame in [*film[:1] * 3, *film]:
        small = cv2.resize(frame_to_bgr(frame), picture.shape[2:], interpolation=cv2.INTER_AREA)
        rgb = np.ascontiguousarray(small[..., ::-1].transpose(2, 0, 1)[np.newaxis], np.float32) / 255
        _, alpha, *now = session.run(None, {picture.name: rgb, **memory})
        memory = dict(zip(memory, now, strict=True))
        large = cv2.resize(alpha.reshape(picture.shape[2:]), frame.size)
        found.append(np.rint(255 * np.clip(large, 0, 1)).astype(np.uint8))
    return found[3:]


def read(path: Path) -> list[Frame]:
    camera, frames = VideoFile(path), []
    camera.open()
    try:
        while len(frames) < FRAMES and (frame := camera.read()) is not None:
            frames.append(Frame.allocate(*frame.size))
            frames[-1].copy_from(frame)
    finally:
        camera.close()
    return frames


def row(name: str, scores: Iterable[Both]) -> None:
    plain, default = (Scores.mean(some) for some in zip(*scores, strict=True))
    pairs = [(plain.miou, default.miou), (plain.boundary, default.boundary), (plain.mad, default.mad)]
    cells = [name, *(f"{before:.2f} / {after:.2f}" for before, after in pairs)]
    if math.isnan(plain.dtssd):
        cells += ["", ""]
    else:
        change = 100 * (default.dtssd / plain.dtssd - 1)
        cells.append(f"{plain.dtssd:.2f} / {default.dtssd:.2f} ({change:+.0f} %)")
        cells.append("" if math.isnan(default.lag) else f"{plain.lag:.2f} / {default.lag:.2f}")
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("portraits", "moved", "synthetic", "region", "films"))
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    print("| | mIoU % | edge band % | MAD % | flicker | lag |\n|---|---|---|---|---|---|")
    if options.kind == "portraits":
        for half, some in halves(find_pairs(options.files[0]).pairs):
            row(f"portraits, {half}", [(pictures(some, True), pictures(some, False))])
    elif options.kind == "moved":
        size = (640, 360)
        for half, some in halves(find_pairs(options.files[0]).pairs):
            for motion in MOTIONS:
                clips = [
                    synthetic_clip(size, FRAMES, number, motion, person=cut_out(some[number]))
                    for number in MOVED[motion]
                ]
                row(f"{len(clips)} people, {motion}, {half}", [clip_scores(clip, size) for clip in clips])
    elif options.kind == "region":
        size = (640, 360)
        for half, some in halves(find_pairs(options.files[0]).pairs):
            for share, motion in itertools.product((0.4, 0.6, 0.8), MOTIONS):
                people = ((number, cut_out(some[number])) for number in MOVED["fast"])
                clips = [
                    synthetic_clip(size, FRAMES, number, motion, person=person, share=share)
                    for number, person in people
                ]
                row(f"{share:.0%}, {motion}, {half}", [clip_scores(clip, size, region=True) for clip in clips])
    elif options.kind == "synthetic":
        for size in ((640, 360), (1280, 720)):
            for half, seeds in HALVES.items():
                for motion in MOTIONS:
                    both = [clip_scores(synthetic_clip(size, FRAMES, seed, motion), size) for seed in seeds]
                    row(f"{size[1]} lines, {motion}, {half}", both)
    else:
        folder, model = options.files
        scores = []
        for seed, path in enumerate(sorted(folder.glob("*.mkv"))):
            film = read(path)
            masks = [taken_in(matte) for matte in mattes(film, model)]
            scores.append(clip_scores(recomposed(zip(film, masks, strict=True), seed), film[0].size))
            row(path.stem, scores[-1:])
        for half, some in zip(HALVES, (scores[: len(scores) // 2], scores[len(scores) // 2 :]), strict=True):
            row(f"{len(some)} films, {half}", some)


if __name__ == "__main__":
    main()
