"""Calls the compiled loops with planes of every size and order, and with numbers that are none.

python tests/native/fuzz_loops.py LIBRARY SEED ROUNDS; for a library that was built with a sanitizer.
"""

from __future__ import annotations

import ctypes
import random
import sys
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from vcam.frames import Box
from vcam.native import Kernels
from vcam.native.room import FOUND, TOLD, LayerTable, LearnTerms, RoomTable
from vcam.segment.emptyroom.finding import terms

SIDES = (1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65)
NONSENSE = (np.nan, np.inf, -np.inf, 1e30, -1e30, 3e9)


def main(library: str, seed: int, rounds: int) -> None:
    kernels, rnd, chance = Kernels(ctypes.CDLL(library)), random.Random(seed), np.random.default_rng(seed)

    def plane(height: int, width: int) -> np.ndarray:
        pad = rnd.choice((0, 0, 1, 7))
        whole = chance.integers(0, 256, (2 * height, width + pad), dtype=np.uint8)
        whole = rnd.choice((whole[:height], whole[height:][::-1], whole[::2]))
        return whole[:, pad:] if rnd.random() < 0.5 else whole[:, :width]

    def numbers(*shape: int, low: float = 0, high: float = 1) -> np.ndarray:
        made = (chance.random(shape, np.float32) * (high - low) + low).astype(np.float32)
        if rnd.random() < 0.4:
            flat = made.reshape(-1)
            for _ in range(rnd.choice((1, 3, flat.size))):
                flat[rnd.randrange(flat.size)] = rnd.choice(NONSENSE)
        return made

    def calls() -> list[Callable[[], None]]:
        h, w, rows, columns = (rnd.choice((*SIDES, rnd.randrange(1, 70))) for _ in range(4))
        factor, radius = rnd.choice(kernels.magnified), rnd.choice((1, 2, 3, 3, 4, 8))
        follow = {"floor": 0.1, "slope": 1.28, "still": 0.15, "doubt": (6, 18), "nobody": 0.003}
        model = {"epsilon": 65.0, "flat": 1.0, "blind": 6, "contrast": 1.6, "sure": 24}
        guide = (plane(h, w), plane(h, w), plane(h, w))
        i420 = (plane(2 * h, 2 * w), plane(h, w), plane(h, w))
        dense = np.ascontiguousarray(chance.integers(0, 256, (h, w, 3), dtype=np.uint8))
        result = np.empty((2 * h, 2 * w), np.float32)
        side = rnd.choice(kernels.rim.sides)
        cells = (-(-h // side), -(-w // side))
        goals = (plane(*cells), plane(*cells), plane(*cells))
        marks = chance.integers(0, 2, (cells[0], -(-cells[1] // kernels.rim.block)), dtype=np.uint8)
        bounds = sorted(rnd.randrange(w + 1) for _ in range(2)), sorted(rnd.randrange(h + 1) for _ in range(2))
        inside = Box(bounds[0][0], bounds[1][0], bounds[0][1], bounds[1][1])
        small = (plane(rows, columns), plane(rows, columns))
        other = rnd.choice((i420, (plane(2 * h, 2 * w), plane(h, w), plane(h, w))))
        return [
            lambda: kernels.rim.goal(i420, plane(h, w), inside, side, goals, marks, most=40.0, trace=32.0, low=16,
                                     high=(235, 240, 240)),
            lambda: kernels.rim.apply(*guide[:2], goals[0], plane(h, w), inside, side, marks,
                                      blended=rnd.random() < 0.5, strength=1.0, low=16, high=235,
                                      behind=rnd.choice((guide[2], None)), scale=rnd.choice((1.0, 0.86)), lift=16),
            lambda: kernels.scale(dense, np.empty((3, h, w), np.float32), numbers(3), numbers(3)),
            lambda: kernels.blend(*guide, plane(h, w), scale=rnd.choice((1.0, 0.86, 0.0)), lift=rnd.choice((0, 16))),
            lambda: kernels.enlarge(plane(h, w), plane(2 * h, 2 * w), plane(h, w)),
            lambda: kernels.magnify(plane(h, w), plane(factor * h, factor * w), factor),
            lambda: kernels.model(plane(h, w), guide, np.empty((4, h, w), np.float32), radius, **model),
            lambda: kernels.apply(numbers(4, rows, columns, low=-300, high=300), i420, plane(2 * h, 2 * w)),
            lambda: kernels.steady(plane(h, w), plane(h, w), small, least=0.1, moved=(6, 20)),
            lambda: kernels.follow(numbers(2 * h, 2 * w), numbers(2 * h, 2 * w), result,
                                   numbers(h, w, 2, low=-40, high=40), guide[:2], **follow),
            lambda: kernels.screen.key(guide[:2], (numbers(h, w), numbers(h, w)), numbers(5), guide[2],
                                       (plane(h, w), plane(h, w)), low=0.2, gain=1.7),
            lambda: kernels.harmony.relight(i420, other, plane(2 * h, 2 * w) * rnd.randrange(2),
                                            curve=np.arange(256, dtype=np.uint8), gain=rnd.random() * 2,
                                            shares=(rnd.random(), -rnd.random()), offsets=(128.0, 128.0),
                                            luma=(16, 235), chroma=(16, 240), copied=rnd.random() < 0.5,
                                            behind=rnd.choice((None, (plane(h, w), other)))),
            lambda: kernels.shade(*guide),
            lambda: kernels.lighten(*guide[:2], most=2.0, black=16, white=235),
            lambda: kernels.reducer([(h, w)], [[plane(rows, columns)]])([plane(h, w)]),
        ]  # fmt: skip

    def room_calls() -> list[Callable[[], None]]:
        h, w, rows, columns = (rnd.choice((*SIDES, rnd.randrange(1, 70))) for _ in range(4))
        full, half = (2 * h, 2 * w), (h, w)
        i420 = [(plane(*full), plane(*half), plane(*half)) for _ in range(2)]
        dense = [np.ascontiguousarray(plane(*half)) for _ in range(12)]
        marks = [np.ascontiguousarray(plane(*half)) for _ in range(2)]
        out, kept = np.empty(full, np.float32), (numbers(*full), numbers(FOUND, *half), numbers(TOLD))
        kinds, learning = terms(full_range=rnd.random() < 0.5), LearnTerms(*numbers(8, low=0, high=9), 4, 10, 3)
        layers = LayerTable(
            [chance.integers(0, 65536, size, dtype=np.uint16) for size in (full, half, half)], dense[4:7], dense[7:11]
        )

        def plate() -> RoomTable:
            luma = np.ascontiguousarray(plane(*full))
            wholes = luma, numbers(*full, low=-99, high=99), numbers(*full), numbers(*full)
            return RoomTable(wholes, tuple(dense[:4]), (numbers(*half), numbers(*half), numbers(*half)))

        return [
            lambda: kernels.room.find(plate(), kinds, (numbers(*full), i420[0]), out, kept, (marks[0], marks[1])),
            lambda: kernels.room.sharpen(
                plate(), kinds, kept[1:], plane(*full), (i420[0], i420[1]), plane(rows, columns),
                (rnd.randrange(99), rnd.randrange(99)), low=0.1, high=0.8, strength=0.5,
            ),
            lambda: kernels.room.learn(layers, learning, i420[0], marks[0], marks[1], numbers(6).tolist()),
        ]  # fmt: skip

    done = 0
    for _ in range(rounds):
        for call in calls() + room_calls():
            # what a loop cannot do it has to refuse
            with suppress(ValueError):
                call()
                done += 1
    print(done, "calls")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
