"""The compiled comparison with the empty room finds what numpy finds."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.segment.emptyroom.scenes import SIZE, known, map_of, room, shot, with_person
from vcam import native
from vcam.frames import Box
from vcam.segment.emptyroom import edge, evidence
from vcam.segment.emptyroom.finding import Finder, Finding, LoopFinder, PlainFinder
from vcam.segment.prepare import Preparer
from vcam.types import F32, U8


@pytest.mark.parametrize("box", [Box(0, 0, 256, 144), Box(64, 16, 192, 144), Box(62, 18, 190, 142)])
def test_the_loop_finds_what_numpy_finds(kernels: native.Kernels, box: Box) -> None:
    picture = known(room())
    frame = shot(with_person((room() * np.float32(0.93)).astype(np.uint8)), 3)
    whole = map_of(frame)
    preparer = Preparer(SIZE, "RGB")
    preparer.shrink(frame.view(box))
    planes = preparer.pyramid[-1].planes
    probability = cv2.resize(whole.probability[box.y0 : box.y1, box.x0 : box.x1], SIZE).astype(np.float32)
    plate = picture.plate(box, SIZE, probability.shape)
    finders: list[Finder] = [PlainFinder(plate, full_range=False), LoopFinder(kernels, plate, full_range=False)]
    mine, theirs = (repeated(finder, probability, planes) for finder in finders)
    assert mine.agreement == pytest.approx(theirs.agreement, abs=1e-4)
    assert mine.gate == pytest.approx(theirs.gate, abs=1e-3)
    assert mine.gain == pytest.approx(theirs.gain, rel=1e-4)
    assert mine.offset == pytest.approx(theirs.offset, abs=1e-2)
    for name in ("residual", "noise_luma", "noise", "person", "lit"):
        a, b = getattr(mine, name), getattr(theirs, name)
        assert np.abs(a - b).max() <= 1e-3 * max(1.0, float(np.abs(a).max())), name
    for name in ("strange", "room"):
        assert np.array_equal(getattr(mine, name), getattr(theirs, name)), name
    apart = np.abs(mine.probability - theirs.probability)
    assert apart.mean() < 1e-4
    assert apart.max() < 0.1
    small = np.rint(probability * 255).astype(np.uint8)
    for size in (SIZE, (640, 360)):
        room_planes, frame_planes = (
            tuple(cv2.resize(each, (size[0] // by, size[1] // by)) for each, by in zip(some, (1, 2, 2), strict=True))
            for some in ((plate.y, plate.u, plate.v), planes)
        )
        matte = cv2.resize(small, size)
        results = []
        for finder in finders:
            target = matte.copy()
            finder.sharpen(target, frame_planes, room_planes, small, (0, 0))
            results.append(target.astype(int))
        assert np.abs(results[0] - results[1]).max() <= 1
        changed = np.abs(results[0] - matte)
        assert changed.max() > 20
        # only where the map has an edge
        down, across = edge._owners(size[1], SIZE[1]), edge._owners(size[0], SIZE[0])
        assert not changed[edge.band_of(small)[np.ix_(down, across)] == 0].any()


@pytest.mark.parametrize("how", [PlainFinder, LoopFinder])
def test_the_first_map_is_not_held_down(kernels: native.Kernels, how: type, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = shot(with_person(room()), 3)
    seen = map_of(frame)
    plate = known(room()).plate(Box(0, 0, *SIZE), SIZE, seen.probability.shape)

    def first() -> F32:
        given = (plate,) if how is PlainFinder else (kernels, plate)
        found = how(*given, full_range=False).find(seen.probability, seen.pyramid[-1].planes)
        assert found is not None
        return found.probability.copy()

    calm = first()
    monkeypatch.setattr(evidence, "STEADY", 1.0)
    assert np.array_equal(calm, first())


@pytest.mark.parametrize("shape", [(2, 2), (1, 7), (30, 41)])
def test_the_loop_finds_the_edges_of_any_map(kernels: native.Kernels, shape: tuple[int, int]) -> None:
    picture = known(room())
    frame = shot(with_person(room()), 3)
    seen = map_of(frame)
    planes = seen.pyramid[-1].planes
    plate = picture.plate(Box(0, 0, *SIZE), SIZE, seen.probability.shape)
    finders: list[Finder] = [PlainFinder(plate, full_range=False), LoopFinder(kernels, plate, full_range=False)]
    for finder in finders:
        repeated(finder, seen.probability, planes)
    # blots as large as a few pixels, with borders in them
    noise = np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)
    small = np.rint(cv2.blur(noise, (3, 3))).astype(np.uint8)
    height, width = 2 * shape[0], 2 * shape[1]
    # the part of the map that begins at (40, 60)
    frames, rooms = (
        (y[60 : 60 + height, 40 : 40 + width], *(each[30 : 30 + shape[0], 20 : 20 + shape[1]] for each in (u, v)))
        for y, u, v in (planes, (plate.y, plate.u, plate.v))
    )
    results = []
    for finder in finders:
        target = np.full((height, width), 128, np.uint8)
        finder.sharpen(target, frames, rooms, small, (40, 60))
        results.append(target.astype(int))
    assert np.abs(results[0] - results[1]).max() <= 1
    assert np.abs(results[0] - 128).max() > 20 or shape[0] < 3


def repeated(finder: Finder, probability: F32, planes: tuple[U8, U8, U8]) -> Finding:
    for _ in range(3):
        found = finder.find(probability, planes)
    assert found is not None
    return found
