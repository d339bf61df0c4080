"""Prints what taking the old room's colour out of the person's edge gains, and what it costs.

.venv/bin/python -m tests.measurements.rim FOLDER [--every N]

FOLDER: portraits with masks. Their people, and the demo's, are cut out and moved before a room; what vcam makes of that
is compared with the same people before a new background: the mean error in levels of BGR within 8 pixels of the edge.
The cost is that of the blend, and what the edge adds to it, in turns on the same frames, with other memory touched
between them.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import cv2
import numpy as np

from tests.measurements.quality import cut_out
from tests.measurements.room import ROOMS
from vcam import Settings
from vcam.compose.blend import PlanarBlender
from vcam.compose.filters.base import Values
from vcam.compose.filters.rim import Decontaminate
from vcam.datasets.folder import find_pairs
from vcam.datasets.synthetic import _PATHS, Grain, _cover, _cutout, _motion, _premultiplied
from vcam.frames import Frame
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.matting import open_matting
from vcam.pipeline import tune_process
from vcam.types import F32, U8

SIZE = (1280, 720)
FRAMES = 12
REACH = 17
LEAST = 150
"""Columns of a person's box below which nobody was found."""
TURNS = 40


def bytes_of(picture: F32) -> U8:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=5, help="of so many portraits one is taken")
    given = parser.parse_args()
    tune_process()
    pairs = find_pairs(given.folder).pairs
    rooms = [_cover(read_image(path), SIZE) for path in ROOMS.values()]
    plain = [np.full((SIZE[1], SIZE[0], 3), colour, np.float32) for colour in ((230,) * 3, (60, 160, 40), (20,) * 3)]
    rim, blender, other = Decontaminate(Values({"strength": 1.0})), PlanarBlender(SIZE), np.zeros(20 << 20, np.uint8)
    rim.prepare(SIZE)
    errors, costs = [], []
    for number, person in enumerate([None, *range(2, len(pairs), given.every)]):
        layer = _premultiplied(_cutout() if person is None else cut_out(pairs[person]), SIZE, 0.85)
        path = _PATHS[("still", "slow", "fast")[number % 3]]
        room, grain = rooms[number % len(rooms)], Grain(SIZE, 3.0, np.random.default_rng(number))
        with open_matting(Settings(), SIZE) as matting:
            for step in range(FRAMES):
                move = _motion(path, 2 * math.pi * step / path.period + number, layer, SIZE)
                shown = cv2.warpAffine(layer, move, SIZE, flags=cv2.INTER_LINEAR)
                frame = bgr_to_frame(bytes_of(shown[..., :3] + (1 - shown[..., 3:]) * room))
                grain.add(frame)
                frame.seq = step
                alpha = matting.alpha(frame)
            if alpha.box.x1 - alpha.box.x0 < LEAST:
                continue
            edge = ((shown[..., 3] > 0.02) & (shown[..., 3] < 0.98)).astype(np.uint8)
            band = cv2.dilate(edge, np.ones((REACH, REACH), np.uint8)) > 0
            mine = []
            for behind in (*(each for each in rooms if each is not room), *plain):
                plate, out = bgr_to_frame(bytes_of(behind)), Frame.allocate(*SIZE)
                true = shown[..., :3] + (1 - shown[..., 3:]) * behind
                out.copy_from(plate)
                blender.blend(frame, alpha, plate, 0, out)
                before = np.abs(frame_to_bgr(out) - true)[band].mean()
                rim.finish(out, frame, alpha)
                mine.append((before, np.abs(frame_to_bgr(out) - true)[band].mean()))
            errors.append(np.mean(mine, axis=0))
            took = []
            for _ in range(TURNS):
                other += 1
                times = [time.thread_time()]
                blender.blend(frame, alpha, plate, 0, out)
                times.append(time.thread_time())
                other += 1
                times.append(time.thread_time())
                blender.blend(frame, alpha, plate, 0, out, rim)
                times.append(time.thread_time())
                blend, _, both = np.diff(times)
                took.append((blend, both - blend))
            costs.append(np.median(took, axis=0))
        before, after = errors[-1]
        print(f"{'demo' if person is None else person!s:5s} {before:6.2f} {after:6.2f}", flush=True)
    (before, after), gains = np.mean(errors, axis=0), [one[0] - one[1] for one in errors]
    print(f"mean  {before:6.2f} {after:6.2f}, better in {sum(gain > 0 for gain in gains)} of {len(gains)}, ", end="")
    print(f"worst {min(gains):+.2f}")
    blend, cost = 1e3 * np.mean(costs, axis=0)
    print(f"milliseconds of CPU, medians of {TURNS}: blend {blend:.2f}, edge {cost:.2f}")


if __name__ == "__main__":
    main()
