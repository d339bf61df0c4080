"""Region of interest and skipping with the real network, on people before real rooms."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from vcam.assets import asset
from vcam.datasets.synthetic import Grain, synthetic_clip
from vcam.frames import Box, Frame
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.matting import Matting, open_matting
from vcam.measure.metrics import boundary_accuracy, miou
from vcam.segment.region import EVERY
from vcam.segment.rest import MOST_SKIPPED, SETTLE
from vcam.settings import Settings
from vcam.types import U8

SIZE = (1280, 720)
WHOLE = Box(0, 0, *SIZE)
SETTINGS = Settings().replace(segment__backend="onnxruntime", segment__model="selfie-landscape")

pytestmark = pytest.mark.engine


def covered(matting: Matting) -> Box:
    """What the last map covered."""
    return matting.segmenter._map.box  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("share", [0.35, 0.5])
def test_of_a_small_person_the_edge_is_found_more_exactly(share: float) -> None:
    scores = {}
    for region in (False, True):
        with open_matting(SETTINGS.replace(segment__region=region), SIZE, still=True) as matting:
            pairs = []
            for seed in (1, 2):
                frame, true = next(iter(synthetic_clip(SIZE, 1, seed=seed, motion="still", share=share)))
                matting.reset()
                found = matting.picture(frame)
                pairs.append((miou(found, true), boundary_accuracy(found, true)))
                assert (covered(matting) != WHOLE) is region
            scores[region] = np.mean(pairs, axis=0)
    assert scores[True][0] > scores[False][0] + 0.003
    assert scores[True][1] > scores[False][1] + 0.015


def test_a_close_up_is_left_as_it_is() -> None:
    frame = next(iter(synthetic_clip(SIZE, 1, seed=1, motion="still", share=1.1)))[0]
    mattes = []
    for region in (False, True):
        with open_matting(SETTINGS.replace(segment__region=region), SIZE, still=True) as matting:
            mattes.append(matting.picture(frame))
    assert np.array_equal(*mattes)


def test_a_newcomer_beside_a_small_person_is_shown_within_half_a_second() -> None:
    frame = next(iter(synthetic_clip(SIZE, 1, seed=1, motion="still", share=0.45)))[0]
    alone = frame_to_bgr(frame)
    both = alone.copy()
    both[:, 60:380] = alone[:, 480:800]
    with open_matting(SETTINGS, SIZE) as matting:
        for _ in range(20):
            before = matting.picture(bgr_to_frame(alone))
        assert covered(matting).x0 > 380
        for _ in range(EVERY + 1):
            after = matting.picture(bgr_to_frame(both))
    assert before[420:, 60:380].max() == 0
    assert np.mean(after[:, 60:380] > 127) > 0.8 * np.mean(after[:, 480:800] > 127)


def test_an_empty_room_stays_empty() -> None:
    for name in ("room.jpg", "dusk.jpg"):
        frame = bgr_to_frame(cv2.resize(read_image(asset(name)), SIZE).astype(np.uint8))
        with open_matting(SETTINGS, SIZE) as matting:
            for _ in range(2 * EVERY):
                found = matting.picture(frame)
            assert np.mean(found > 127) < 0.005
            assert covered(matting) == WHOLE


@pytest.mark.parametrize("share", [0.4, 1.1], ids=["small", "close up"])
def test_what_comes_reduced_with_a_map_is_its_own_part_of_its_own_frame(share: float) -> None:
    origin, offered = Frame.allocate(*SIZE), 0
    origin.copy_from(next(iter(synthetic_clip(SIZE, 1, seed=1, motion="still", share=share)))[0])
    with open_matting(SETTINGS.replace(segment__skip_still=True), SIZE) as matting:
        skipped = 0
        for seq in range(SETTLE + MOST_SKIPPED + EVERY):
            frame = Frame.allocate(*SIZE)
            frame.copy_from(origin)
            frame.seq = seq
            # a little brighter each time, so that an older frame would be told from this one
            cv2.add(origin.y, seq % 3 + 1, dst=frame.y)
            seen = matting.segmenter.segment(frame)
            skipped += seen.origin != seen.seq
            for step in seen.pyramid:
                offered += 1
                for reduced, plane in zip(step.planes, frame.view(seen.box).planes, strict=True):
                    wanted = cv2.resize(plane, reduced.shape[::-1], interpolation=cv2.INTER_AREA)
                    assert abs(float(reduced.mean()) - float(wanted.mean())) < 0.3
                    assert np.mean(np.abs(reduced.astype(int) - wanted)) < 3
        assert skipped
        assert (covered(matting) == WHOLE) is (share > 1)
    assert offered


class Sitting:
    """A camera before somebody who sits still; `picture` may be changed."""

    def __init__(self) -> None:
        self.picture = frame_to_bgr(next(iter(synthetic_clip(SIZE, 1, seed=1, motion="still", noise=0)))[0])
        self._grain = Grain(SIZE, 2.0, np.random.default_rng(3))
        self._seq = 0

    def frames(self, count: int) -> Iterator[Frame]:
        for _ in range(count):
            frame = bgr_to_frame(self.picture)
            self._grain.add(frame)
            self._seq += 1
            frame.seq = self._seq
            yield frame


def hand(person: U8) -> U8:
    """The person's face, the size of a small hand."""
    return cv2.resize(person[190:310, 590:690], (60, 72), interpolation=cv2.INTER_AREA).astype(np.uint8)


def test_the_network_rests_while_nothing_moves_and_sees_the_hand_that_comes_up() -> None:
    camera = Sitting()
    with (
        open_matting(SETTINGS.replace(segment__skip_still=True, matte__temporal=0), SIZE) as skipping,
        open_matting(SETTINGS.replace(matte__temporal=0), SIZE) as always,
    ):
        maps = []
        for frame in camera.frames(SETTLE + 1 + MOST_SKIPPED + 1 + 6):
            seen = skipping.segmenter.segment(frame)
            assert seen.seq == frame.seq
            skipping.matte.update(seen, frame)
            maps.append(seen)
        assert sum(seen.origin != seen.seq for seen in maps) == MOST_SKIPPED + 6
        camera.picture = camera.picture.copy()
        # beside the shoulder, where the whole arm would be
        skin = hand(camera.picture)
        camera.picture[500 : 500 + skin.shape[0], 900 : 900 + skin.shape[1]] = skin
        for frame in camera.frames(2):
            seen = skipping.segmenter.segment(frame)
            assert seen.origin == seen.seq == frame.seq
            fresh = always.segmenter.segment(frame)
            assert np.array_equal(seen.probability, fresh.probability)


@pytest.mark.parametrize("speed", [0.2, 1.0, 3.0])
def test_the_matte_of_somebody_who_drifts_is_never_far_from_a_fresh_one(speed: float) -> None:
    camera = Sitting()
    start = camera.picture
    # what part of the frame the two see is another matter
    settings = SETTINGS.replace(matte__temporal=0, segment__region=False)
    with (
        open_matting(settings.replace(segment__skip_still=True), SIZE) as skipping,
        open_matting(settings, SIZE) as always,
    ):
        for frame in camera.frames(SETTLE + 3):
            skipping.picture(frame)
            always.picture(frame)
        for step in range(1, 40):
            move = np.array([[1, 0, speed * step], [0, 1, 0]], np.float32)
            camera.picture = cv2.warpAffine(start, move, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
            frame = next(camera.frames(1))
            # what noise does to a fresh one is within this, too
            assert miou(skipping.picture(frame), always.picture(frame)) > 0.985, step
