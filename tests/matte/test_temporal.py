"""The temporal filter: what moves is followed, what only flickers is damped, and a cut forgets."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.frames import Box, Frame, Map
from vcam.matte.guided import GuidedFilter
from vcam.matte.soft import SoftMatte
from vcam.matte.temporal import TemporalFilter
from vcam.settings import MatteSettings
from vcam.types import F32, U8

pytestmark = pytest.mark.usefixtures("both_ways")

SIZE = (256, 144)
DEFAULT = MatteSettings().temporal


def texture(seed: int, size: tuple[int, int] = (640, 360), low: float = 60, high: float = 200) -> U8:
    """A picture with grain of all sizes, so that its motion can be seen."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((4 * n, 7 * n), np.float32), size, interpolation=cv2.INTER_CUBIC) for n in (1, 4, 12)
    ]
    picture = sum(layers) / len(layers)
    return np.clip(low + (high - low) * picture, 16, 235).astype(np.uint8)


WALL, SKIN, OTHER = texture(1), texture(2, low=100, high=240), texture(3, low=140, high=280)


def hand(left: float, top: float = 40, soft: float = 2.0) -> F32:
    """The map of a hand, 48 by 56 pixels, with the slope that a network gives its edge."""
    box = np.float32([[1, 0, left], [0, 1, top]])
    person = cv2.warpAffine(np.ones((56, 48), np.float32), box, SIZE, flags=cv2.INTER_LINEAR)
    return np.asarray(0.9 * cv2.GaussianBlur(person, (0, 0), soft), np.float32)


def shown(left: float, wall: U8 = WALL) -> U8:
    """The picture with that hand in it, 2.5 times as large as the map; the skin moves along."""
    move = np.float32([[1, 0, 2.5 * left], [0, 1, 100]])
    mask = cv2.warpAffine(np.ones((140, 120), np.float32), move, wall.shape[::-1], flags=cv2.INTER_LINEAR)
    skin = cv2.warpAffine(SKIN[:140, :120], move, wall.shape[::-1], flags=cv2.INTER_LINEAR)
    return np.rint(mask * skin + (1 - mask) * wall).astype(np.uint8)


def edges(matte: F32) -> tuple[float, float]:
    """Where the middle row of the hand passes one half, left and right, in pixels of the map."""
    row = matte[68]
    above = np.flatnonzero(row >= 0.45)
    first, last = int(above[0]), int(above[-1])
    left = first - (row[first] - 0.45) / (row[first] - row[first - 1])
    return left, last + (row[last] - 0.45) / (row[last] - row[last + 1])


def lag_of_a_hand(speed: float, *, seen: bool = True) -> float:
    """In pixels of the map, the mean of its two edges; not `seen`: the maps move and the picture does not."""
    filtered = TemporalFilter(DEFAULT)
    for number in range(24):
        left = 30 + speed * number
        matte = filtered.update(hand(left), shown(left) if seen else WALL)
    return sum(there - here for there, here in zip(edges(hand(left)), edges(matte), strict=True)) / 2


@pytest.mark.parametrize("speed", [2.0, 4.0])
def test_a_moving_hand_is_followed_without_lag(speed: float) -> None:
    assert abs(lag_of_a_hand(speed)) < 0.5 * speed


@pytest.mark.parametrize("speed", [0.5, 1.0])
def test_a_slow_hand_takes_its_average_along(speed: float) -> None:
    """So slowly, what changes from frame to frame looks like flicker; only the picture tells that it is motion."""
    unseen = lag_of_a_hand(speed, seen=False)
    assert unseen > 1.0
    assert abs(lag_of_a_hand(speed)) < 0.8 * unseen


def test_a_still_shoulder_does_not_flicker_before_a_moving_wall() -> None:
    rng = np.random.default_rng(4)
    filtered, raw, smooth = TemporalFilter(DEFAULT), [], []
    for number in range(40):
        noise = cv2.GaussianBlur(rng.normal(0, 1, SIZE[::-1]).astype(np.float32), (0, 0), 2)
        map_ = np.clip(hand(100) + 0.5 * noise, 0, 1)
        raw.append(map_)
        smooth.append(filtered.update(map_, shown(100, np.roll(WALL, 2 * number, 1))).copy())
    flicker = [np.abs(np.diff(maps[10:], axis=0)).mean() for maps in (raw, smooth)]
    assert flicker[1] < 0.5 * flicker[0]


def test_a_cut_to_another_scene_forgets() -> None:
    filtered = TemporalFilter(DEFAULT)
    for _ in range(5):
        filtered.update(np.full(SIZE[::-1], 0.6, np.float32), WALL)
    after = np.full(SIZE[::-1], 0.4, np.float32)
    assert np.array_equal(filtered.update(after, OTHER), after)
    # and goes on from there
    assert filtered.update(np.full(SIZE[::-1], 0.6, np.float32), OTHER).max() < 0.5


def test_light_that_drifts_and_somebody_who_waves_are_no_cut() -> None:
    filtered = TemporalFilter(DEFAULT)
    before = np.full(SIZE[::-1], 0.6, np.float32)
    filtered.update(before, shown(40))
    after = filtered.update(np.full(SIZE[::-1], 0.4, np.float32), cv2.add(shown(44), 2))
    assert np.median(after) > 0.55


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
def test_a_still_picture_gives_the_same_matte_again_and_again(size: tuple[int, int], refine: bool) -> None:
    frame = Frame.allocate(*size)
    np.copyto(frame.y, cv2.resize(shown(60), size))
    matte = SoftMatte(MatteSettings(refine=refine))
    first = matte.update(Map.whole(hand(60), frame), frame).full.copy()
    for _ in range(10):
        assert np.array_equal(matte.update(Map.whole(hand(60), frame), frame).full, first)


@given(
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 2**31),
    st.sampled_from([0.1, 0.9, 1.0]),
    st.sampled_from(["noise", "black", "white", "steps"]),
)
@settings(max_examples=60, deadline=None)
def test_maps_of_any_size_stay_probabilities(size: tuple[int, int], seed: int, strength: float, kind: str) -> None:
    rng = np.random.default_rng(seed)
    filtered = TemporalFilter(strength)
    for number in range(4):
        luma = {
            "noise": rng.integers(0, 256, (72, 96)),
            "black": np.zeros((72, 96)),
            "white": np.full((72, 96), 255),
            "steps": np.indices((72, 96)).sum(axis=0) // 8 % 2 * 90 + 10 * number,
        }[kind].astype(np.uint8)
        result = filtered.update(rng.random(size, np.float32), luma)
        assert result.shape == size
        assert np.isfinite(result).all()
        assert result.min() >= 0
        assert result.max() <= 1 + 1e-6


@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.integers(1, 6),
    st.integers(0, 2**31),
    st.sampled_from(["noise", "same", "extreme"]),
)
@settings(max_examples=60, deadline=None)
def test_where_all_are_of_one_mind_refinement_changes_nothing(
    size: tuple[int, int], times: int, seed: int, kind: str
) -> None:
    """Nobody stays nobody and a person who fills the box stays whole, whatever the colours do."""
    rng = np.random.default_rng(seed)
    (h, w), guided = size, GuidedFilter()
    shapes = [(2 * times * h, 2 * times * w), (times * h, times * w), (times * h, times * w)]
    if kind == "noise":
        planes = [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]
    elif kind == "same":
        # all planes alike: the system of three has no unique solution but for eps
        one = rng.integers(0, 256, shapes[1]).astype(np.uint8)
        planes = [np.repeat(np.repeat(one, 2, 0), 2, 1), one, one]
    else:
        planes = [(rng.integers(0, 2, shape) * 255).astype(np.uint8) for shape in shapes]
    target = np.full(shapes[0], 77, np.uint8)
    for value in (0, 255):
        guided.refine(np.full(size, value, np.uint8), (planes[0], planes[1], planes[2]), target)
        assert np.abs(target.astype(int) - value).max() <= 1


WHOLE, PART = Box(0, 0, 640, 360), Box(64, 40, 448, 360)


def part_of(map_: F32, part: Box) -> F32:
    """What a network of the map's size would say of a part of the frame."""
    rows, columns = map_.shape
    across, down = (part.x1 - part.x0) / 640, (part.y1 - part.y0) / 360
    move = np.float32(
        [[across, 0, part.x0 * columns / 640 + (across - 1) / 2], [0, down, part.y0 * rows / 360 + (down - 1) / 2]]
    )
    return np.asarray(
        cv2.warpAffine(map_, move, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), np.float32
    )


@pytest.mark.parametrize(("before", "now"), [(WHOLE, PART), (PART, WHOLE), (PART, Box(0, 8, 512, 360))])
def test_what_two_parts_of_the_frame_both_show_is_still_known_in_the_other(before: Box, now: Box) -> None:
    filtered = TemporalFilter(DEFAULT)
    person = hand(90)
    for _ in range(10):
        filtered.update(part_of(person, before), shown(90)[before.y0 : before.y1, before.x0 : before.x1])
    filtered.carry(before, now)
    # the network says otherwise by so little that it may be flicker
    other = part_of(person, now) + np.float32(0.1)
    found = filtered.update(other.copy(), shown(90)[now.y0 : now.y1, now.x0 : now.x1])
    assert not filtered.begins
    both = np.zeros_like(person, np.bool_)
    x0, x1 = (round((bound - now.x0) * 256 / (now.x1 - now.x0)) for bound in (before.x0, before.x1))
    y0, y1 = (round((bound - now.y0) * 144 / (now.y1 - now.y0)) for bound in (before.y0, before.y1))
    both[max(y0 + 2, 0) : y1 - 2, max(x0 + 2, 0) : x1 - 2] = True
    kept = np.abs(found - (other - 0.1))
    # a fifth of the difference is taken; half a pixel off would be 0.03 at the hand's edge
    assert kept[both].mean() < 0.0195
    assert kept[both & (np.abs(other - 0.55) < 0.3)].mean() < 0.025
    outside = ~cv2.dilate(both.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)
    if outside.any():
        assert np.abs(found - other)[outside].max() < 1e-6


def test_a_matte_is_not_begun_anew_when_the_network_sees_another_part() -> None:
    """What the network now gives is below the edge, but by so little that the average still is above it."""
    matte = SoftMatte(MatteSettings(refine=False, edge=0, islands=0))
    frame = Frame.allocate(640, 360)
    frame.y[:], frame.u[:], frame.v[:] = WALL, 128, 128
    for part, certainty in [*[(WHOLE, 0.62)] * 10, (PART, 0.5)]:
        frame.seq += 1
        probability = np.full(SIZE[::-1], certainty, np.float32)
        found = matte.update(Map(probability, part, frame.seq, frame.seq), frame).full
    assert found[100:300, 120:400].min() > 127
    matte.reset()
    again = matte.update(Map(np.full(SIZE[::-1], 0.5, np.float32), PART, frame.seq, frame.seq), frame).full
    assert again[100:300, 120:400].max() < 128
