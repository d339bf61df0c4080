"""Which room counts where there are several: the told one, a newer one, one that was removed, and another camera's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.segment.emptyroom.scenes import SIZE, map_of, room, shot, with_person
from tests.segment.emptyroom.scenes import known as shown
from vcam.errors import VcamError
from vcam.frames import Box, Map
from vcam.segment.emptyroom import keeping
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.segment.emptyroom.roomfile import RoomPlace, read_room
from vcam.segment.emptyroom.telling import RoomTelling


@pytest.fixture
def place(tmp_path: Path) -> RoomPlace:
    return RoomPlace.of("desk", "desk", SIZE, tmp_path / "rooms")


def look(kept: KeptRoom, name: str, count: int = 1) -> None:
    for number in range(count):
        frame = shot(with_person(room(name)), number)
        kept.correct(map_of(frame), frame)


def level(kept: KeptRoom) -> float:
    assert kept._memory is not None
    return float(kept._memory.room.frame.y.mean())


def test_what_was_told_last_is_tried_again_even_if_it_is_in_no_file(place: RoomPlace) -> None:
    place.write(shown(room("room.jpg") // 2), "told", 1.0)
    kept = KeptRoom(SIZE, place, alone=False, private=True)
    kept.told(shown(room("room.jpg")))
    wanted = level(kept)
    look(kept, "dusk.jpg", keeping.ANOTHER + 1)
    kept.reset()
    look(kept, "room.jpg")
    assert level(kept) == pytest.approx(wanted, abs=1)


def test_a_told_room_is_not_given_up_for_another_one_that_the_camera_sees(place: RoomPlace) -> None:
    kept = KeptRoom(SIZE, place, alone=False)
    kept.told(shown(room("room.jpg")))
    before = level(kept)
    look(kept, "dusk.jpg", 2 * keeping.ANOTHER)
    assert level(kept) == pytest.approx(before, abs=0.5)
    assert (kept.status()["kept"], kept.status()["rests"]) == ("told", keeping.OTHER_ROOM)


def test_where_rooms_are_learnt_alone_another_one_is_learnt_as_such(place: RoomPlace) -> None:
    kept = KeptRoom(SIZE, place, alone=True)
    kept.told(shown(room("room.jpg")))
    look(kept, "dusk.jpg", 3 * keeping.ANOTHER)
    assert kept.status()["kept"] == "learnt"
    assert kept.status()["known"] < 1


def test_a_told_room_outlasts_what_is_learnt_while_the_camera_sees_another(place: RoomPlace) -> None:
    kept = KeptRoom(SIZE, place, alone=True)
    kept.told(shown(room("room.jpg")))
    wanted, told = level(kept), place.path.read_bytes()
    look(kept, "dusk.jpg", 3 * keeping.ANOTHER)
    assert (kept.status()["kept"], kept.status()["file"]) == ("learnt", "")
    kept.close()
    assert place.path.read_bytes() == told
    # and it is known again once it is back in view
    look(kept, "room.jpg", keeping.ANOTHER + 1)
    assert (kept.status()["kept"], kept.status()["file"]) == ("told", str(place.path))
    assert level(kept) == pytest.approx(wanted, abs=1)


def test_what_was_told_is_tried_first_when_the_camera_is_switched_on_anew(place: RoomPlace) -> None:
    kept = KeptRoom(SIZE, place, alone=True)
    kept.told(shown(room("room.jpg")))
    look(kept, "dusk.jpg", 3 * keeping.ANOTHER)
    kept.reset()
    look(kept, "room.jpg")
    assert (kept.status()["kept"], kept.status()["rests"]) == ("told", "")


def test_a_file_that_somebody_has_removed_does_not_come_back(place: RoomPlace) -> None:
    kept = KeptRoom(SIZE, place, alone=False)
    kept.told(shown(room("room.jpg")))
    assert kept.status()["file"] == str(place.path)
    place.path.unlink()
    look(kept, "room.jpg", 40)
    kept.close()
    assert not place.path.exists()
    kept.told(shown(room("room.jpg")))
    assert place.path.exists()


def test_nothing_is_said_to_be_kept_that_could_not_be_written(place: RoomPlace) -> None:
    place.path.parent.write_text("no folder")
    kept = KeptRoom(SIZE, place, alone=False)
    kept.told(shown(room("room.jpg")))
    assert kept.status()["file"] == ""


def test_under_other_settings_the_same_room_stays_what_it_is_by_now(place: RoomPlace) -> None:
    first = KeptRoom(SIZE, place, alone=False, private=True)
    first.told(shown(room("room.jpg")))
    second = KeptRoom(SIZE, place, alone=False, private=True)
    second.inherit(first)
    assert second.status()["kept"] == "told"
    assert level(second) == level(first)
    # what was learnt alone is none of a memory that has to be told
    learnt = KeptRoom(SIZE, place, alone=True, private=True)
    look(learnt, "room.jpg", 40)
    third = KeptRoom(SIZE, place, alone=False, private=True)
    third.inherit(learnt)
    assert third.status()["kept"] == ""


def test_one_that_becomes_private_is_not_written_when_it_is_let_go(place: RoomPlace) -> None:
    kept = KeptRoom(SIZE, place, alone=True)
    look(kept, "room.jpg", 100)
    assert kept._is_new
    kept.keep_private()
    kept.close()
    assert not place.path.exists()


def test_what_is_not_used_now_is_forgotten_too_with_what_a_killed_writer_has_left(
    place: RoomPlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("vcam.segment.emptyroom.roomfile.rooms_folder", lambda: tmp_path / "rooms")
    place.write(shown(room("room.jpg")), "told", 1.0)
    half = place.path.parent / f".{place.path.stem}.part-1-0.room"
    half.write_bytes(b"half")
    choice = RoomChoice(None, "segment.room is off", ("desk", "desk", SIZE))
    assert choice.forget().result() is True
    assert not place.path.exists()
    assert not half.exists()
    assert choice.forget().result() is False
    assert RoomChoice(None).forget().result() is False


def test_what_is_left_unknown_is_not_in_the_picture_either(place: RoomPlace) -> None:
    """Somebody in the background whom the network sees a little."""
    picture = room("room.jpg").copy()
    somebody = np.s_[60:72, 200:208]
    picture[somebody] = (255, 0, 255)
    telling = RoomTelling(SIZE, full_range=False)
    for number in range(20):
        frame = shot(picture, number)
        seen = map_of(frame, shelf=False)
        probability = np.zeros_like(seen.probability)
        probability[somebody] = 0.9
        telling.add(Map(probability, Box(0, 0, *SIZE), number, number, seen.pyramid), frame)
    told = telling.finish()
    assert told.people > 0
    place.write(told.room, "told", 1.0)
    kept = read_room(place.path).room.frame
    assert np.ptp(kept.u[30:36, 100:104].astype(int)) < 12
    assert abs(int(kept.v[33, 102]) - int(kept.v[33, 112])) < 25


def test_a_file_of_a_time_that_there_never_is_is_damaged(place: RoomPlace) -> None:
    place.write(shown(room("room.jpg")), "told", 1e300)
    with pytest.raises(VcamError, match="damaged"):
        read_room(place.path)
