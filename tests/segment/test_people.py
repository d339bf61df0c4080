"""Of two people the main one stays, and the other goes, also where they cross."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.segment.helpers import portraits
from vcam.frames import Frame, Map
from vcam.images import bgr_to_frame
from vcam.segment.people import LARGER, TURNS, ExaminedMainOnly, MainOnly, MainPerson, main_only
from vcam.segment.segmenter import open_segmenter
from vcam.settings import SegmentSettings
from vcam.testing import FakeSegmenter
from vcam.types import F32, U8

SIZE, SHAPE = (1280, 720), (144, 256)


def people(*places: tuple[int, int, int]) -> F32:
    """A map with a head and shoulders for each: middle, width and height in pixels of the map."""
    seen: F32 = np.zeros(SHAPE, np.float32)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    for middle, wide, tall in places:
        top = SHAPE[0] - tall
        seen[(np.abs(x - middle) < wide / 2) & (y > top + tall * 0.45)] = 0.98
        seen[((x - middle) / (wide * 0.3)) ** 2 + ((y - top - tall * 0.28) / (tall * 0.28)) ** 2 < 1] = 0.98
    return seen


def shown(person: MainPerson, seen: F32, seq: int = 0) -> F32:
    frame = Frame.allocate(*SIZE)
    frame.seq = seq
    stays = person.keep(Map.whole(seen, frame), SIZE)
    kept: F32 = seen if stays is None else seen * stays
    return kept


def same(one: F32, other: F32) -> float:
    """Intersection over union."""
    a, b = one > 0.5, other > 0.5
    return float((a & b).sum() / max((a | b).sum(), 1))


MAIN, OTHER = (110, 80, 120), (220, 36, 60)


def test_one_person_alone_is_left_as_they_are() -> None:
    seen = people(MAIN)
    np.testing.assert_array_equal(shown(MainPerson(), seen), seen)


def test_the_smaller_one_goes() -> None:
    person = MainPerson()
    assert same(shown(person, people(MAIN, OTHER)), people(MAIN)) > 0.99


def test_a_hand_beside_the_main_person_stays() -> None:
    seen = people(MAIN)
    seen[60:70, 155:163] = 0.9
    assert same(shown(MainPerson(), seen), seen) > 0.99


def test_who_passes_by_behind_is_never_seen_beside_the_main_one_and_nothing_flickers() -> None:
    person = MainPerson()
    shown(person, people(MAIN))
    before = None
    for step in range(60):
        middle = 250 - 5 * step
        now = shown(person, people(MAIN, (middle, 40, 100)), step)
        assert (now[people(MAIN) > 0.5] > 0.5).all(), step
        # no more than a rim of the other, where the two touch
        assert same(now, people(MAIN)) > 0.8, step
        assert before is None or same(now, before) > 0.8, step
        before = now
    assert same(now, people(MAIN)) > 0.99


def test_the_main_one_stays_the_main_one_when_somebody_larger_comes_and_goes() -> None:
    person = MainPerson()
    shown(person, people((60, 60, 90)))
    larger = (200, 100, 140)
    for _ in range(TURNS // 2):
        assert same(shown(person, people((60, 60, 90), larger)), people((60, 60, 90))) > 0.99
    for _ in range(TURNS + 2):
        last = shown(person, people((60, 60, 90), larger))
    # who stays is the one in front now
    assert people(larger).sum() / people((60, 60, 90)).sum() > LARGER
    assert same(last, people(larger)) > 0.99


@pytest.mark.parametrize(
    ("tall", "wide", "raised"), [(50, 24, 0), (40, 20, 60), (60, 30, 0), (100, 30, 0), (36, 16, 50)]
)
def test_somebody_far_away_who_passes_behind_is_no_hand(tall: int, wide: int, raised: int) -> None:
    person, main = MainPerson(), people(MAIN)
    shown(person, main)
    around = cv2.dilate((main > 0.5).astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    for step in range(56):
        other = np.roll(people((250 - 4 * step, wide, tall)), -raised, 0)
        now = shown(person, np.maximum(main, other), step)
        assert (now[main > 0.5] > 0.5).all(), step
        beside = (other > 0.5) & ~around
        # no more than where their outline reaches to
        assert (now[beside] > 0.5).sum() <= 0.25 * (other > 0.5).sum(), step


def test_a_hand_that_parts_from_the_main_one_stays_theirs_as_it_moves() -> None:
    person, main = MainPerson(), people(MAIN)
    for step in range(9):
        seen = main.copy()
        seen[60:74, 140 + 2 * step : 154 + 2 * step] = 0.9
        assert same(shown(person, seen, step), seen) > 0.98, step


@pytest.mark.parametrize("missed", [1, TURNS - 1])
def test_nobody_else_is_shown_in_place_of_the_main_one_whom_the_network_misses(missed: int) -> None:
    person = MainPerson()
    shown(person, people(MAIN, OTHER))
    for _ in range(missed):
        assert not (shown(person, people(OTHER)) > 0).any()
    assert same(shown(person, people(MAIN, OTHER)), people(MAIN)) > 0.99


def test_a_passer_by_who_touches_the_place_of_the_main_one_is_not_taken_for_them() -> None:
    person = MainPerson()
    shown(person, people(MAIN))
    assert not (shown(person, people((175, 60, 130))) > 0).any()


def test_a_part_of_the_main_one_is_still_them_and_so_is_who_moves() -> None:
    person = MainPerson()
    shown(person, people(MAIN))
    head = people(MAIN)
    head[90:] = 0
    assert same(shown(person, head), head) > 0.99
    for step in range(1, 12):
        moved = people((110 + 10 * step, 80, 120))
        assert same(shown(person, moved), moved) > 0.99


def test_who_comes_when_the_main_one_has_left_is_the_main_one() -> None:
    person = MainPerson()
    shown(person, people(MAIN))
    for _ in range(TURNS):
        assert not (shown(person, people(OTHER)) > 0).any()
    assert same(shown(person, people(OTHER)), people(OTHER)) > 0.99
    person.reset()
    shown(person, people(MAIN))
    for _ in range(TURNS + 1):
        shown(person, people())
    assert same(shown(person, people(OTHER)), people(OTHER)) > 0.99


def test_of_single_pictures_each_has_a_main_person_of_its_own() -> None:
    pictures = iter([people(MAIN, OTHER), people((230, 40, 110), (40, 20, 40))])
    stage = main_only(FakeSegmenter(lambda frame: next(pictures), SHAPE[::-1]), still=True)
    assert same(stage.segment(Frame.allocate(*SIZE)).probability, people(MAIN)) > 0.99
    assert same(stage.segment(Frame.allocate(*SIZE)).probability, people((230, 40, 110))) > 0.99


@pytest.mark.engine
def test_a_single_picture_shows_the_main_person_alone_as_well() -> None:
    with closing(open_segmenter(SegmentSettings(people="main"), SIZE, still=True)) as stage:
        assert isinstance(stage, MainOnly)


def test_after_a_reset_the_largest_is_the_main_one() -> None:
    person = MainPerson()
    shown(person, people((60, 60, 90)))
    person.reset()
    assert same(shown(person, people((60, 60, 90), (190, 90, 140))), people((190, 90, 140))) > 0.99


def test_the_segmenter_around_another_gives_its_maps_without_the_others() -> None:
    inner = FakeSegmenter(lambda frame: people(MAIN, OTHER), SHAPE[::-1])
    around = main_only(inner)
    assert isinstance(around, MainOnly)
    frame = Frame.allocate(*SIZE)
    assert same(around.segment(frame).probability, people(MAIN)) > 0.99
    key: U8 = np.full((360, 640), 255, np.uint8)
    stays = MainPerson().keep(Map.whole(people(MAIN, OTHER), frame), SIZE)
    assert stays is not None
    assert key.shape == (360, 640)
    around.reset()
    around.close()
    assert (inner.resets, inner.closed) == (1, 1)


def test_a_network_can_still_be_asked_what_is_known() -> None:
    pytest.importorskip("onnxruntime")
    from vcam.segment.segmenter import open_segmenter

    around = open_segmenter(SegmentSettings(people="main", backend="onnxruntime"), SIZE)
    assert isinstance(around, ExaminedMainOnly)
    around.examine(all_pictures=True)
    around.close()


def two_people(shared: Path, apart: float) -> tuple[Frame, np.ndarray, np.ndarray]:
    """A frame with a large person on the left and a small one on the right, from two portraits; and where each is.

    apart: how far the small one's middle lies from the left, as a share of the width.
    """
    (large, first), (small, second) = portraits(shared, 2)
    picture = np.full((720, 1280, 3), (150, 140, 130), np.uint8)
    found = []
    for image, mask, tall, middle in ((small, second, 300, apart), (large, first, 640, 0.3)):
        wide = round(tall * image.shape[1] / image.shape[0])
        size = (wide, tall)
        person, cut = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (image, mask.astype(np.uint8)))
        x0 = round(middle * 1280) - wide // 2
        part = np.s_[720 - tall :, x0 : x0 + wide]
        picture[part][cut > 0] = person[cut > 0]
        whole = np.zeros((720, 1280), bool)
        whole[part] = cut > 0
        found.append(whole)
    return bgr_to_frame(picture), found[1], found[0] & ~found[1]


@pytest.mark.engine
def test_of_two_people_of_portraits_the_nearer_one_stays_and_the_other_goes(shared: Path) -> None:
    settings = SegmentSettings(people="main", region=False)
    with closing(open_segmenter(settings, SIZE)) as main, closing(open_segmenter(SegmentSettings(), SIZE)) as everybody:
        for step, apart in enumerate((0.85, 0.8, 0.75, 0.7)):
            frame, near, far = two_people(shared, apart)
            frame.seq = step
            seen, all_seen = (
                cv2.resize(np.asarray(each.segment(frame).probability), SIZE) > 0.5 for each in (main, everybody)
            )
            # the network does see both
            assert all_seen[far].mean() > 0.6, step
            assert seen[near].mean() > 0.95, step
            assert seen[far].mean() < 0.05, step
