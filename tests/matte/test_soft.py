from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vcam.frames import Box, Frame, Map
from vcam.matte.factory import make_matte
from vcam.matte.soft import CENTRE, SoftMatte, soft_step
from vcam.segment.prepare import Preparer
from vcam.settings import MatteSettings
from vcam.types import F32

pytestmark = pytest.mark.usefixtures("both_ways")

PLAIN = MatteSettings(temporal=0, edge=0, softness=0.6, refine=False)


def square(x0: int, y0: int, x1: int, y1: int, size: tuple[int, int] = (256, 144)) -> F32:
    probability = np.zeros(size[::-1], np.float32)
    probability[y0:y1, x0:x1] = 1
    return probability


def whole(alpha, frame: Frame) -> np.ndarray:
    """The alpha as everyone has to read it: zero outside its box."""
    result = np.zeros_like(frame.y)
    x0, y0, x1, y1 = alpha.box
    result[y0:y1, x0:x1] = alpha.full[y0:y1, x0:x1]
    return result


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 480), (854, 480), (362, 240), (256, 144), (128, 72)])
@pytest.mark.parametrize("where", [(0, 0, 256, 144), (100, 40, 160, 144), (0, 0, 3, 3), (250, 140, 256, 144)])
def test_the_box_loses_nothing_against_scaling_the_whole_map(size, where) -> None:
    frame = Frame.allocate(*size)
    alpha = SoftMatte(PLAIN).update(Map.whole(square(*where), frame), frame)
    assert all(edge % 2 == 0 for edge in alpha.box)
    expected = cv2.resize(alpha.small, size, interpolation=cv2.INTER_LINEAR)
    if size[0] < 256:
        # scaling down, neighbours beyond the box weigh in; only the region matters there
        assert np.abs(whole(alpha, frame).astype(int) - expected).mean() < 1
    else:
        assert np.abs(whole(alpha, frame).astype(int) - expected).max() <= 1


def test_half_is_the_average_of_full_inside_the_box() -> None:
    frame = Frame.allocate(1280, 720)
    alpha = SoftMatte(PLAIN).update(Map.whole(square(80, 30, 150, 144), frame), frame)
    x0, y0, x1, y1 = alpha.box
    full = alpha.full[y0:y1, x0:x1].astype(float)
    mean = full.reshape(full.shape[0] // 2, 2, full.shape[1] // 2, 2).mean(axis=(1, 3))
    assert np.abs(alpha.half[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2] - mean).max() <= 0.51


def test_nobody_gives_an_empty_box_and_the_next_person_a_fresh_one() -> None:
    matte, frame = SoftMatte(PLAIN), Frame.allocate(640, 360)
    matte.update(Map.whole(square(10, 10, 100, 100), frame), frame)
    assert matte.update(Map.whole(square(0, 0, 0, 0), frame), frame).box.empty
    alpha = matte.update(Map.whole(square(200, 100, 220, 120), frame), frame)
    assert not whole(alpha, frame)[:200, :400].any()


def test_alpha_carries_the_number_of_its_own_frame() -> None:
    matte, frame = SoftMatte(MatteSettings()), Frame.allocate(640, 360)
    for seq in (3, 4, 9):
        frame.seq = seq
        assert matte.update(Map.whole(square(0, 0, 50, 50), frame), frame).seq == seq


def test_a_positive_edge_grows_the_person_and_a_negative_one_shrinks_it_evenly() -> None:
    frame = Frame.allocate(1280, 720)
    areas = []
    for edge in (-10.0, -2.5, 0.0, 2.5, 10.0):
        matte = SoftMatte(MatteSettings(temporal=0, edge=edge, softness=0.6, refine=False))
        areas.append(
            whole(matte.update(Map.whole(square(100, 40, 150, 100), frame), frame), frame).astype(float).sum() / 255
        )
    assert areas == sorted(areas)
    side_by_side = 2 * (250 + 300)
    for edge, area in zip((-10.0, -2.5, 2.5, 10.0), [areas[0], areas[1], areas[3], areas[4]], strict=True):
        grown = (area - areas[2]) / side_by_side
        assert grown == pytest.approx(edge, rel=0.25), f"edge {edge} moved the outline by {grown:.1f} px"


@given(st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_the_soft_step_is_monotonic_keeps_the_ends_and_has_its_middle_at_the_edge(softness: float) -> None:
    curve = soft_step(softness).astype(int)
    assert curve[0] == 0
    assert curve[255] == 255
    assert (np.diff(curve) >= 0).all()
    edge = CENTRE * 255
    assert curve[int(edge) - 1] < 128 <= curve[int(edge) + 2]


def test_a_still_picture_carries_nothing_over() -> None:
    matte, frame = make_matte(MatteSettings(), still=True), Frame.allocate(640, 360)
    first = square(100, 40, 150, 100)
    matte.update(Map.whole(first, frame), frame)
    faint = first * 0.96
    expected = whole(make_matte(MatteSettings(), still=True).update(Map.whole(faint, frame), frame), frame)
    assert np.array_equal(whole(matte.update(Map.whole(faint, frame), frame), frame), expected)


def test_reset_forgets() -> None:
    matte, frame = SoftMatte(MatteSettings(temporal=1)), Frame.allocate(640, 360)
    person = square(100, 40, 150, 100) * 0.55
    for _ in range(5):
        matte.update(Map.whole(person, frame), frame)
    matte.reset()
    weaker = person - np.float32(0.04) * (person > 0)
    expected = whole(SoftMatte(MatteSettings(temporal=1)).update(Map.whole(weaker, frame), frame), frame)
    assert np.array_equal(whole(matte.update(Map.whole(weaker, frame), frame), frame), expected)


def edge_column(picture: np.ndarray) -> float:
    """Where the middle row passes one half, in columns."""
    row = picture[picture.shape[0] // 2].astype(float) / 255
    first = int(np.argmax(row >= 0.5))
    return first - (row[first] - 0.5) / max(row[first] - row[first - 1], 1e-6)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (640, 360)])
@pytest.mark.parametrize("off", [-2, 2])
def test_refinement_moves_the_edge_to_where_the_picture_has_one(size: tuple[int, int], off: int) -> None:
    """The network's edge lies `off` of its pixels beside the luma's."""
    frame = Frame.allocate(*size)
    unit = size[0] / 256
    frame.y[...] = 60
    frame.y[:, round(120 * unit) :] = 180
    soft = cv2.GaussianBlur(square(120 + off, 0, 256, 144), (0, 0), 1.5)
    found = {}
    for refine in (False, True):
        matte = SoftMatte(MatteSettings(temporal=0, edge=0, softness=0.3, refine=refine))
        found[refine] = edge_column(whole(matte.update(Map.whole(soft, frame), frame), frame)) / unit - 120
    assert abs(found[False] - off) < 0.7
    assert abs(found[True]) < 0.45 * abs(found[False]), found


@pytest.mark.parametrize("size", [(1280, 720), (640, 360)])
def test_refinement_follows_an_edge_that_only_the_colour_has(size: tuple[int, int]) -> None:
    """Orange before purple: both equally bright."""
    frame = Frame.allocate(*size)
    unit = size[0] / 256
    frame.fill(120, 150, 110)
    frame.u[:, round(60 * unit) :] = 90
    frame.v[:, round(60 * unit) :] = 180
    soft = cv2.GaussianBlur(square(122, 0, 256, 144), (0, 0), 1.5)
    found = {}
    for refine in (False, True):
        matte = SoftMatte(MatteSettings(temporal=0, edge=0, softness=0.3, refine=refine))
        found[refine] = edge_column(whole(matte.update(Map.whole(soft, frame), frame), frame)) / unit - 120
    assert abs(found[True]) < 0.45 * abs(found[False]), found


@pytest.mark.parametrize("level", [16, 128, 235])
def test_refinement_keeps_the_matte_where_the_picture_is_flat(level: int) -> None:
    frame = Frame.allocate(1280, 720)
    frame.y[...] = level
    plain, refined = (
        whole(
            SoftMatte(MatteSettings(temporal=0, edge=0, softness=0.3, refine=refine)).update(
                Map.whole(person, frame), frame
            ),
            frame,
        )
        for refine in (False, True)
        for person in [square(90, 40, 170, 144)]
    )
    assert np.abs(plain.astype(int) - refined).mean() < 3
    assert refined[500, 640] == 255
    assert refined[50, 640] == 0


def test_refinement_stays_within_its_box_and_leaves_no_seam() -> None:
    """At the box's border the matte must have run out to nothing, also before a noisy, patterned wall."""
    rng = np.random.default_rng(3)
    frame = Frame.allocate(1280, 720)
    wall = 110 + 60 * np.sign(np.sin(np.indices(frame.y.shape).sum(axis=0) / 9))
    frame.y[...] = np.clip(wall + rng.normal(0, 8, wall.shape), 16, 235)
    alpha = SoftMatte(MatteSettings()).update(Map.whole(square(90, 40, 170, 110), frame), frame)
    x0, y0, x1, y1 = alpha.box
    inside = alpha.full[y0:y1, x0:x1]
    assert max(inside[0].max(), inside[-1].max(), inside[:, 0].max(), inside[:, -1].max()) <= 2


def person_with(*squares: tuple[int, int, int, int], value: float = 1.0) -> F32:
    probability = square(90, 50, 170, 144)
    for x0, y0, x1, y1 in squares:
        probability[y0:y1, x0:x1] = value
    return probability


def small_matte(probability: F32, islands: float = 0.15) -> np.ndarray:
    settings_ = MatteSettings(temporal=0, edge=0, refine=False, islands=islands)
    return (
        SoftMatte(settings_).update(Map.whole(probability, Frame.allocate(1280, 720)), Frame.allocate(1280, 720)).small
    )


def test_small_islands_and_holes_go_with_their_soft_rims() -> None:
    clean = small_matte(person_with())
    spotted = cv2.GaussianBlur(person_with((20, 20, 25, 25), (230, 90, 236, 94)), (3, 3), 0.8)
    spotted[100:104, 120:124] = 0.1
    assert np.array_equal(small_matte(spotted)[:, :80], clean[:, :80])
    assert not small_matte(spotted)[:, 200:].any()
    assert small_matte(spotted)[98:106, 118:126].min() == 255
    assert small_matte(spotted, islands=0)[22, 22] > 200


def test_a_raised_hand_and_the_space_under_an_arm_stay() -> None:
    hand = (200, 30, 216, 48)
    gap = person_with(hand)
    gap[90:110, 100:112] = 0
    matte = small_matte(gap)
    assert matte[32:46, 202:214].min() == 255
    assert matte[92:108, 102:110].max() == 0


def test_a_single_distant_person_is_no_island() -> None:
    assert small_matte(square(100, 60, 106, 68))[64, 103] == 255


PART = Box(640, 320, 1280, 720)


@pytest.mark.parametrize("refine", [False, True])
@pytest.mark.parametrize(("size", "part"), [((1280, 720), PART), ((1920, 1080), Box(960, 480, 1920, 1080)),
                                            ((854, 480), Box(0, 160, 320, 480))])  # fmt: skip
def test_a_map_of_a_part_gives_the_matte_of_that_part_and_nothing_outside(size, part, refine) -> None:
    settings_ = MatteSettings(temporal=0, refine=refine)
    rng = np.random.default_rng(1)
    frame = Frame.allocate(*size)
    frame.y[...] = rng.integers(16, 236, frame.y.shape, np.uint8)
    probability = square(60, 30, 190, 144)
    matte = SoftMatte(settings_)
    # what an earlier map left must not show
    matte.update(Map.whole(square(0, 0, 256, 144), frame), frame)
    alpha = matte.update(Map(probability, part, frame.seq, frame.seq), frame)
    assert all(edge % 2 == 0 for edge in alpha.box)
    found = whole(alpha, frame)
    inside = found[part.y0 : part.y1, part.x0 : part.x1]
    # an edge offset is in pixels of the frame, whatever the part
    settings_ = MatteSettings(temporal=0, refine=refine, edge=settings_.edge * size[1] / (part.y1 - part.y0))
    alone = frame.view(part)
    if not refine or size == (854, 480):
        # in larger frames the refinement's working size goes by the whole frame
        assert np.array_equal(inside, whole(SoftMatte(settings_).update(Map.whole(probability, alone), alone), alone))
    assert inside[-40:, 130 * inside.shape[1] // 256].min() == 255
    found[part.y0 : part.y1, part.x0 : part.x1] = 0
    assert not found.any()


def test_the_small_matte_is_of_the_whole_frame_also_for_a_part() -> None:
    frame = Frame.allocate(1280, 720)
    alpha = SoftMatte(PLAIN).update(Map(square(64, 36, 192, 108), PART, 0, 0), frame)
    ys, xs = np.nonzero(alpha.small > 127)
    # 640 + 64 * 640 / 256 pixels are at 160 of 256, and so on
    assert np.abs(np.array([xs.min(), xs.max() + 1, ys.min(), ys.max() + 1]) - [160, 224, 84, 124]).max() <= 1


@pytest.mark.parametrize(
    ("box", "seq"),
    [(PART, 6), (Box(0, 0, 1280, 720), 8), (Box(641, 320, 1280, 720), 7), (Box(640, 320, 1282, 720), 7),
     (Box(-2, 0, 640, 720), 7), (Box(640, 320, 640, 720), 7)],
    ids=["of an earlier frame", "of a later frame", "odd", "too wide", "outside", "empty"],
)  # fmt: skip
def test_a_map_that_does_not_belong_to_the_frame_is_refused(box, seq) -> None:
    matte, frame = SoftMatte(MatteSettings()), Frame.allocate(1280, 720)
    frame.seq = 7
    with pytest.raises(ValueError, match="none of frame 7"):
        matte.update(Map(square(0, 0, 50, 50), box, seq, seq), frame)


def test_a_map_that_is_used_once_more_gives_the_same_matte_with_the_number_of_its_frame() -> None:
    matte, frame = SoftMatte(MatteSettings()), Frame.allocate(640, 360)
    frame.seq = 1
    first = whole(matte.update(Map(square(40, 30, 150, 144), Box(0, 0, 640, 360), 1, 1), frame), frame)
    frame.seq = 2
    alpha = matte.update(Map(square(40, 30, 150, 144), Box(0, 0, 640, 360), 2, 1), frame)
    assert alpha.seq == 2
    assert np.array_equal(whole(alpha, frame), first)


@pytest.mark.parametrize("after", ["a reset", "a map that was refused"])
def test_a_map_of_an_earlier_frame_is_worked_out_after(after: str) -> None:
    """A source that begins anew counts from 0 again: the number alone does not say that the matte is the right one."""
    matte, frame = SoftMatte(MatteSettings(temporal=0)), Frame.allocate(640, 360)
    area, again = Box(0, 0, 640, 360), Map(square(40, 30, 150, 144), Box(0, 0, 640, 360), 2, 1)
    frame.seq = 1
    matte.update(Map(square(200, 0, 256, 144), area, 1, 1), frame)
    if after == "a reset":
        matte.reset()
    else:
        with pytest.raises(ValueError, match="no probabilities"):
            matte.update(Map(np.full((144, 256), np.nan, np.float32), area, 1, 1), frame)
    frame.seq = 2
    expected = whole(SoftMatte(MatteSettings(temporal=0)).update(again, frame), frame)
    assert np.array_equal(whole(matte.update(again, frame), frame), expected)


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (1920, 1080), (854, 480)], ids=str)
@pytest.mark.parametrize("part", [False, True], ids=["whole", "part"])
def test_what_the_segmenter_has_reduced_gives_the_matte_that_the_frame_gives(size, part) -> None:
    rows, columns = np.indices((size[1], size[0]))
    inside = np.hypot(columns / size[0] - 0.5, rows / size[1] - 0.6) < 0.25
    quarter = (size[0] // 8 * 2, size[1] // 8 * 2)
    box = Box(*quarter, *(3 * side for side in quarter)) if part else Box(0, 0, *size)
    mattes = [make_matte(MatteSettings()) for _ in range(2)]
    for seq in range(3):
        frame = Frame.allocate(*size)
        frame.y[...] = np.where(np.roll(inside, 4 * seq, axis=1), 180, 60)
        frame.u[...] = np.where(np.roll(inside, 4 * seq, axis=1)[::2, ::2], 110, 150)
        frame.seq = seq
        preparer = Preparer((256, 144), "RGB")
        preparer.prepare(frame.view(box))
        found = (preparer.pyramid[-1].y > 120).astype(np.float32)
        plain = whole(mattes[0].update(Map(found, box, seq, seq), frame), frame).astype(int)
        shared = whole(mattes[1].update(Map(found, box, seq, seq, preparer.pyramid), frame), frame)
        assert 0.05 < shared.mean() / 255 < 0.4
        assert np.mean(np.abs(plain - shared) > 16) < 0.002
