"""What is known of an empty room corrects a map, and cannot do harm where it is wrong."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from tests.segment.emptyroom.scenes import PERSON, SHELF, SIZE, known, map_of, memory, room, shot, with_person
from vcam.assets import asset
from vcam.frames import Box, Frame, Map
from vcam.images import bgr_to_frame, read_image
from vcam.segment.emptyroom.align import moved_room, shifted
from vcam.segment.emptyroom.edge import PlateEdge
from vcam.segment.emptyroom.layers import Layers
from vcam.segment.emptyroom.memory import EVERY, NEED, SETTLED, TAKEN, RoomMemory, mean_room
from vcam.segment.emptyroom.picture import RoomPicture, picture_size
from vcam.segment.prepare import Preparer


@pytest.mark.usefixtures("both_ways")
def test_what_looks_like_the_room_is_no_person_however_sure_the_network_is() -> None:
    picture = room()
    remembers = memory(picture)
    for number in range(3):
        frame = shot(with_person(picture), number)
        seen = map_of(frame)
        corrected = remembers.correct(seen, frame)
    assert corrected.probability[SHELF].max() < 0.3
    assert corrected.probability[60:140, 100:160].min() > 0.95
    assert remembers.finding is not None
    assert remembers.finding.gate == 1


@pytest.mark.usefixtures("both_ways")
def test_what_differs_close_to_the_person_is_the_person() -> None:
    picture = room()
    remembers = memory(picture)
    frame = shot(with_person(picture))
    seen = map_of(frame, shelf=False)
    doubted = np.s_[60:70, 160:170]
    seen.probability[doubted] = 0.4
    assert remembers.correct(seen, frame).probability[doubted].mean() > 0.8


@pytest.mark.usefixtures("both_ways")
def test_a_shirt_of_the_colour_of_a_flat_wall_stays() -> None:
    picture = cv2.GaussianBlur(room(), (0, 0), 25).astype(np.uint8)
    seen = with_person(picture)
    shirt = np.s_[80:144, 100:160]
    seen[shirt] = picture[shirt]
    remembers = memory(picture)
    for number in range(4):
        frame = shot(seen, number)
        said = map_of(frame, shelf=False)
        said.probability[shirt] = 0.8
        corrected = remembers.correct(said, frame)
    assert remembers.finding is not None
    assert remembers.finding.gate > 0.9
    assert corrected.probability[90:140, 110:150].min() > 0.75


@pytest.mark.usefixtures("both_ways")
def test_a_plate_with_the_person_in_it_is_not_believed_until_the_person_has_long_been_away() -> None:
    empty = room()
    person = empty.copy()
    # somebody with texture, unlike the room
    person[PERSON] = 255 - np.roll(empty, 40, 1)[PERSON]
    remembers = memory(person)
    for number in range(4):
        frame = shot(person, number)
        seen = map_of(frame, shelf=False)
        assert np.array_equal(remembers.correct(seen, frame).probability, seen.probability)
    assert remembers.finding is not None
    assert remembers.finding.gate == 0
    # the trust comes back slowly, and by itself
    for number in range(4):
        frame = shot(person, number)
        nobody = np.zeros_like(seen.probability)
        # the part of the frame that the network looks at has changed meanwhile
        box, preparer = Box(64, 0, 256, 144), Preparer(SIZE, "RGB")
        preparer.shrink(frame.view(box))
        remembers.correct(Map(nobody, box, number, number, preparer.pyramid), frame)
        assert remembers.finding is not None
        assert remembers.finding.gate < 0.05


@pytest.mark.usefixtures("both_ways")
def test_what_looks_like_a_room_that_was_judged_to_be_empty_is_furniture() -> None:
    picture = room()
    chair = np.s_[40:110, 90:150]
    # flat walls say nothing, and a chair is none
    picture[chair] = np.random.default_rng(3).integers(60, 200, (14, 12, 3), np.uint8).repeat(5, 0).repeat(5, 1)
    remembers = RoomMemory(SIZE, full_range=False, room=mean_room([shot(picture)]), learns=False, vouched=True)
    for number in range(4):
        frame = shot(picture, number)
        said = map_of(frame, shelf=False)
        said.probability[:] = 0
        said.probability[chair] = 0.97
        corrected = remembers.correct(said, frame)
    assert np.mean(corrected.probability[chair] < 0.5) > 0.8


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("white", [True, False])
def test_black_before_white_says_something_and_white_before_white_nothing(white: bool) -> None:
    picture = room()
    place = np.s_[60:80, 170:182]
    picture[place] = 255
    seen = with_person(picture)
    seen[place] = 255 if white else 0
    frame = shot(seen, noise=0)
    said = map_of(frame, shelf=False)
    said.probability[place] = 0.4
    corrected = memory(picture).correct(said, frame).probability[62:78, 172:178]
    assert (corrected == np.float32(0.4)).all() if white else corrected.mean() > 0.8


def test_no_frame_bears_a_whole_step_of_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.segment.emptyroom.memory.RENEWED", 2)
    remembers, done = memory(room(), learns=True), []
    for owner, name in ((Layers, "learn"), (Layers, "picture"), (RoomPicture, "plate")):
        real = getattr(owner, name)

        def told(*given: object, name: str = name, real: Callable[..., object] = real) -> object:
            done.append((frame.seq, name))
            return real(*given)

        monkeypatch.setattr(owner, name, told)
    for number in range(40):
        frame = shot(with_person(room()), number)
        remembers.correct(map_of(frame, shelf=False), frame)
    later = [(number, name) for number, name in done if number]
    assert [name for _, name in later[:5]] == ["learn", "picture", "learn", "picture", "plate"]
    assert len({number for number, _ in later}) == len(later)


def test_a_told_room_that_is_as_it_was_is_learnt_now_and_then_and_one_that_changes_at_each_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    learn = Layers.learn
    monkeypatch.setattr(Layers, "learn", lambda *given: (steps.append(number), learn(*given))[1])
    picture = room()
    remembers = RoomMemory(SIZE, full_range=False, room=known(picture), vouched=True)
    changed = EVERY * (2 * SETTLED + 2)
    moved = picture.copy()
    moved[20:60, 10:50] = (30, 30, 200)
    for number in range(1, changed + 4 * EVERY):
        frame = shot(with_person(picture if number <= changed else moved), number)
        remembers.correct(map_of(frame, shelf=False), frame)
    # the first one shows that nothing has changed
    assert steps[:4] == [EVERY, *(EVERY + EVERY * SETTLED * count for count in (1, 2)), changed + EVERY]
    assert np.diff([step for step in steps if step > changed]).tolist() == [EVERY, EVERY]
    # who has not been told vcam the room has it learnt all the time
    steps.clear()
    remembers = RoomMemory(SIZE, full_range=False, room=known(picture))
    for number in range(1, 4 * EVERY + 1):
        frame = shot(with_person(picture), number)
        remembers.correct(map_of(frame, shelf=False), frame)
    assert steps == [EVERY, 2 * EVERY, 3 * EVERY, 4 * EVERY]


def test_what_becomes_known_is_compared_with_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.segment.emptyroom.memory.RENEWED", 1000)
    picture = known(room())
    picture.known[:20, :20] = 0
    remembers = RoomMemory(SIZE, full_range=False, room=picture)
    for number in range(EVERY * NEED + TAKEN):
        frame = shot(with_person(room()), number)
        before = remembers.room.known[:20, :20].any()
        remembers.correct(map_of(frame, shelf=False), frame)
    assert not before
    assert np.mean(remembers.room.known[:20, :20] != 0) > 0.9


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("plate", ["dusk.jpg", "noise"])
def test_the_plate_of_another_room_changes_nothing_bit_for_bit(plate: str) -> None:
    chance = np.random.default_rng(5)
    other = chance.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8) if plate == "noise" else room(plate)
    remembers = memory(other)
    for number in range(4):
        frame = shot(with_person(room()), number)
        seen = map_of(frame)
        assert remembers.correct(seen, frame) is seen
    assert remembers.finding is None


@pytest.mark.usefixtures("both_ways")
def test_nothing_is_told_where_nothing_is_known_or_in_view() -> None:
    picture = room()
    frame = shot(with_person(picture))
    seen = map_of(frame)
    assert memory(None).correct(seen, frame) is seen
    everywhere = Map(np.ones_like(seen.probability), seen.box, 0, 0, seen.pyramid)
    assert memory(picture).correct(everywhere, frame) is everywhere


@pytest.mark.usefixtures("both_ways")
def test_maps_and_frames_that_do_not_fit_are_left_as_they_are() -> None:
    picture = room()
    remembers = memory(picture)
    frame = shot(with_person(picture))
    seen = map_of(frame)
    bare = Map(seen.probability, seen.box, 0, 0)
    assert remembers.correct(bare, frame) is bare
    frame.full_range = True
    assert remembers.correct(seen, frame) is seen
    other = Frame.allocate(128, 72)
    assert remembers.correct(seen, other) is seen


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("light", [0.85, 1.15, "lamp", "warm"])
def test_another_light_is_no_person(light: float | str) -> None:
    picture = room().astype(np.float32)
    if light == "lamp":
        across = np.linspace(1, 1.4, SIZE[0], dtype=np.float32)[None, :, None]
        lit = picture * across
    elif light == "warm":
        lit = picture * np.float32([0.93, 1, 1.07])
    else:
        lit = picture * np.float32(light)
    remembers = memory(room())
    frame = shot(np.clip(lit, 0, 255).astype(np.uint8))
    seen = map_of(frame, shelf=False)
    seen.probability[:] = 0
    seen.probability[60:100, 40:60] = 0.3
    corrected = remembers.correct(seen, frame)
    assert corrected.probability.max() < 0.15


@pytest.mark.usefixtures("both_ways")
def test_the_evidence_is_bounded_and_far_from_anybody_speaks_for_nobody() -> None:
    picture = room()
    changed = with_person(picture)
    # something as unlike the room as can be, far from the person
    changed[5:30, 5:40] = (255, 0, 255)
    frame = shot(changed)
    seen = map_of(frame)
    corrected = memory(picture).correct(seen, frame)
    assert corrected.probability[5:30, 5:40].max() < 0.05


@pytest.mark.usefixtures("both_ways")
def test_the_edge_follows_the_person_and_not_the_map() -> None:
    picture = room()
    remembers = memory(picture)
    frame = shot(with_person(picture))
    seen = map_of(frame, shelf=False)
    # the map is two pixels too wide at the right
    seen.probability[60:130, 170:172] = 0.9
    corrected = remembers.correct(seen, frame)
    assert isinstance(corrected.edge, PlateEdge)
    matte = np.rint(corrected.probability * 255).astype(np.uint8)
    wide = matte.copy()
    wide[60:130, 170:172] = 220
    target = wide.copy()
    everything = Box(0, 0, *SIZE)
    corrected.edge.apply(target, frame.planes, wide, everything, (everything, SIZE))
    assert target[65:125, 170:172].mean() < wide[65:125, 170:172].mean() - 40
    assert np.array_equal(target[:, :60], wide[:, :60])
    odd = wide.copy()
    corrected.edge.apply(odd, frame.planes, wide, everything, (Box(1, 0, *SIZE), SIZE))
    assert np.array_equal(odd, wide)


@pytest.mark.parametrize("move", [(6.0, 4.0), (-9.0, 3.0)])
def test_a_nudged_camera_is_found_again(move: tuple[float, float]) -> None:
    wide = cv2.resize(read_image(asset("room.jpg")), (SIZE[0] + 60, SIZE[1] + 60)).astype(np.uint8)
    still = wide[30:-30, 30:-30]
    x, y = (round(way) for way in move)
    nudged = wide[30 - y : 30 - y + SIZE[1], 30 - x : 30 - x + SIZE[0]]
    picture = known(still)
    frame = shot(with_person(np.ascontiguousarray(nudged)))
    seen = map_of(frame, shelf=False)
    place = (seen.box, SIZE)
    plate = picture.plate(*place, seen.probability.shape)
    moved = moved_room(picture, plate, seen.probability, seen.pyramid[-1].planes, place)
    assert moved is not None
    inside = np.s_[20:-20, 20:-20]
    apart = np.abs(moved.frame.y.astype(int) - bgr_to_frame(np.ascontiguousarray(nudged)).y)[inside]
    assert np.median(apart) < 6
    assert not moved.known.all()
    same = moved_room(
        moved, moved.plate(*place, seen.probability.shape), seen.probability, seen.pyramid[-1].planes, place
    )
    assert same is None


def test_what_comes_into_view_of_a_moved_room_is_not_known() -> None:
    moved = shifted(known(room()), 8, -4)
    assert not moved.known[:, :3].any()
    assert not moved.known[-1].any()
    assert moved.known[10:60, 10:].all()


@pytest.mark.long
@pytest.mark.usefixtures("both_ways")
def test_a_room_is_learnt_from_nothing_and_corrects_then() -> None:
    picture = room()
    remembers = memory(None, learns=True)
    for number in range(127):
        frame = shot(picture, number)
        seen = map_of(frame, shelf=False)
        seen.probability[:] = 0
        remembers.correct(seen, frame)
    assert np.mean(remembers.room.known != 0) > 0.98
    frame = shot(with_person(picture), 500)
    assert remembers.correct(map_of(frame), frame).probability[SHELF].max() < 0.3


@pytest.mark.long
@pytest.mark.usefixtures("both_ways")
def test_somebody_who_sits_still_never_becomes_the_room() -> None:
    picture = with_person(room())
    remembers = memory(None, learns=True)
    for number in range(200):
        frame = shot(picture, number)
        remembers.correct(map_of(frame, shelf=False), frame)
    assert not remembers.room.known[30:, 46:84].any()
    assert np.mean(remembers.room.known[:, :25] != 0) > 0.99


def test_the_picture_of_a_frame_is_halved_until_it_is_small() -> None:
    assert picture_size((1280, 720)) == (640, 360)
    assert picture_size((1920, 1080)) == (480, 270)
    assert picture_size((640, 480)) == (640, 480)
    assert picture_size((1366, 768)) == (1366, 768)


def test_a_room_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="instead of"):
        RoomMemory((640, 480), full_range=False, room=known(room()))
