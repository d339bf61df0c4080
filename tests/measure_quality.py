"""Prints the table of docs/quality.md: plain network / default settings, on portraits and on synthetic clips.

Constants were chosen on the first half of the portraits and on seeds 1 and 2; see docs/quality.md.

.venv/bin/python tests/measure_quality.py [FOLDER OF PORTRAITS]
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from vcam import Settings
from vcam.quality.evaluate import Evaluation, Matting, score
from vcam.quality.folder import Pair, find_pairs
from vcam.quality.meter import Scores
from vcam.quality.synthetic import Motion, synthetic_clip
from vcam.types import Size

FRAMES = 90
MOTIONS: tuple[Motion, ...] = ("still", "slow", "fast")
HALVES = {"chosen on": (1, 2), "held out": (3, 4)}


def portraits(pairs: Iterable[Pair], plain: bool) -> Scores:
    with Evaluation(Settings(), plain=plain) as evaluation:
        return Scores.mean(evaluation.run(pair).scores for pair in pairs)


def clips(size: Size, seeds: Iterable[int], motion: Motion, plain: bool) -> Scores:
    scores = []
    for seed in seeds:
        with Matting(Settings(), size, plain=plain) as matting:
            scores.append(score(synthetic_clip(size, FRAMES, seed, motion), matting))
    return Scores.mean(scores)


def row(name: str, plain: Scores, default: Scores) -> str:
    pairs = [(plain.miou, default.miou), (plain.boundary, default.boundary), (plain.mad, default.mad)]
    cells = [name, *(f"{before:.2f} / {after:.2f}" for before, after in pairs)]
    if math.isnan(plain.dtssd):
        cells += ["", ""]
    else:
        change = 100 * (default.dtssd / plain.dtssd - 1)
        cells.append(f"{plain.dtssd:.2f} / {default.dtssd:.2f} ({change:+.0f} %)")
        cells.append("" if math.isnan(default.lag) else f"{plain.lag:.2f} / {default.lag:.2f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    print("| | mIoU % | edge band % | MAD % | flicker | lag |\n|---|---|---|---|---|---|")
    if len(sys.argv) > 1:
        pairs = find_pairs(Path(sys.argv[1])).pairs
        for half, (start, stop) in zip(HALVES, pairwise((0, len(pairs) // 2, len(pairs))), strict=True):
            some = pairs[start:stop]
            print(row(f"portraits, {half}", portraits(some, True), portraits(some, False)), flush=True)
    for size in ((640, 360), (1280, 720)):
        for half, seeds in HALVES.items():
            for motion in MOTIONS:
                scores = [clips(size, seeds, motion, plain) for plain in (True, False)]
                print(row(f"synthetic {size[1]} lines, {motion}, {half}", *scores), flush=True)


if __name__ == "__main__":
    main()
