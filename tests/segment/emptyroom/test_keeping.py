"""The memory of a camera's room keeps its file, and costs no picture whatever becomes of it."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from tests.segment.emptyroom import test_memory as scene
from tests.segment.emptyroom.scenes import SHELF, SIZE, map_of, shot, with_person
from vcam import folders
from vcam.errors import InputError, OutputError, UsageError
from vcam.frames import Box, Frame, Map
from vcam.segment.emptyroom import keeping
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.roomfile import RoomPlace, read_about, read_room
from vcam.testing import FakeClock
from vcam.types import Size


@pytest.fixture(autouse=True)
def said_anew() -> None:
    """What was said of files in other tests counts for nothing."""
    keeping._said.clear()
    folders._told.clear()


@pytest.fixture
def place(tmp_path: Path) -> RoomPlace:
    return RoomPlace.of("desk", "desk mirrored", SIZE, tmp_path / "rooms")


def kept(place: RoomPlace | None, size: Size = SIZE, **how: Any) -> KeptRoom:
    return KeptRoom(size, place, **({"alone": False} | how))


room = cache(scene.room)


@cache
def known(name: str = "room.jpg") -> RoomPicture:
    """The empty room, as it was told."""
    return scene.known(room(name))


@cache
def frame_of(number: int, name: str = "room.jpg") -> Frame:
    """One of five frames with the person in it."""
    return shot(with_person(room(name)), number)


def look(room_: KeptRoom, number: int = 0, name: str = "room.jpg") -> tuple[Map, Map]:
    """A map and what became of it."""
    frame = frame_of(number % 5, name)
    seen = map_of(frame)
    return seen, room_.correct(seen, frame)


def helps(room_: KeptRoom) -> bool:
    """Whether the shelf that the network takes for a person is known to be the room."""
    seen, corrected = look(room_)
    assert seen.probability[SHELF].min() > 0.5
    return corrected is not seen and float(corrected.probability[SHELF].max()) < 0.3


def saved(room_: KeptRoom) -> None:
    """Wait for what is being written."""
    if room_._saving:
        room_._saving.join(10)


def test_nothing_is_known_until_it_is_told_and_then_it_is_from_one_start_to_the_next(place: RoomPlace) -> None:
    first = kept(place)
    seen, left = look(first)
    assert left is seen
    assert (first.status()["kept"], first.status()["rests"]) == ("", keeping.NOT_TOLD)
    first.told(known())
    assert helps(first)
    status = first.status()
    assert (status["kept"], status["known"], status["rests"], status["file"]) == ("told", 1.0, "", str(place.path))
    assert status["agreement"] > 0.9
    assert msgspec.json.encode(status)
    first.close()
    again = kept(place)
    assert helps(again)
    assert again.status()["when"] == status["when"]


def test_the_file_is_its_owners_alone_and_says_what_it_is(place: RoomPlace) -> None:
    place.path.parent.mkdir(mode=0o755)
    os.chmod(place.path.parent, 0o755)
    first = kept(place)
    first.told(known())
    first.close()
    assert place.path.stat().st_mode & 0o777 == 0o600
    assert place.path.parent.stat().st_mode & 0o777 == 0o700
    assert [entry.name for entry in place.path.parent.iterdir()] == [place.path.name]
    about = read_about(place.path)
    assert (about.camera, about.cut, about.size, about.how, about.known) == ("desk", "mirrored", SIZE, "told", 1.0)
    assert place.path.stat().st_size < 100_000


@pytest.mark.parametrize("size", [(512, 288), (128, 72)])
def test_a_room_that_was_told_at_another_size_is_known_at_this_one(place: RoomPlace, size: Size) -> None:
    first = kept(place)
    first.told(known())
    first.close()
    other = kept(place, size)
    assert (other.status()["kept"], other.status()["known"]) == ("told", 1.0)
    with pytest.raises(UsageError, match="another size"):
        other.told(known())


def test_a_camera_that_sends_the_other_range_by_now_sees_the_same_room(place: RoomPlace) -> None:
    first = kept(place)
    first.told(known())
    frame = shot(with_person(room()))
    limited = np.arange(256)
    for plane, scale, offset in zip(frame.planes, (255 / 219, 255 / 224, 255 / 224), (16, 128, 128), strict=True):
        table = np.clip(np.rint((limited - offset) * scale + (0 if offset == 16 else 128)), 0, 255).astype(np.uint8)
        plane[...] = table[plane]
    frame.full_range = True
    corrected = first.correct(map_of(frame), frame)
    assert corrected.probability[SHELF].max() < 0.3
    memory = first._memory
    assert memory is not None
    assert memory.finding is not None
    # the room was brought into that range: nothing is left for gain and offset to do
    assert memory.finding.gain[0] == pytest.approx(1, abs=0.03)
    assert memory.finding.offset[0] == pytest.approx(0, abs=4)
    assert helps(first)


def damage(place: RoomPlace, what: str) -> str:
    """Spoil a file; words of what is said."""
    path, data = place.path, place.path.read_bytes()
    line, _, png = data.partition(b"\n")
    about = msgspec.json.decode(line)
    turned = bytearray(png)
    turned[len(png) // 2] ^= 255
    other = {
        "empty": (b"", "damaged"), "cut": (data[: len(data) // 2], "damaged"),
        "a bit": (line + b"\n" + turned, "damaged"), "no room": (b"{}\n", "damaged"),
        "noise": (bytes(range(256)), "damaged"), "no picture": (line + b"\n", "damaged"),
        "version": (msgspec.json.encode(about | {"version": 2, "size": "?"}) + b"\n" + png, "another version"),
        "size": (msgspec.json.encode(about | {"size": [128, 72]}) + b"\n" + png, "damaged"),
        "huge": (msgspec.json.encode(about | {"size": [8192, 8192]}) + b"\n" + png, "damaged"),
        "odd": (msgspec.json.encode(about | {"size": [255, 143]}) + b"\n" + png, "damaged"),
        "nested": (b"[" * 10_000, "damaged"),
        "another": (line + b"\n" + cv2.imencode(".png", np.zeros((252, 256), np.uint8))[1].tobytes(), "damaged"),
    }  # fmt: skip
    if what in other:
        path.write_bytes(other[what][0])
        return other[what][1]
    path.unlink()
    if what == "folder":
        path.mkdir()
        return "a folder"
    os.mkfifo(path)
    return "a pipe"


@pytest.mark.parametrize(
    "what",
    ["empty", "cut", "a bit", "no room", "noise", "no picture", "version", "size", "huge", "odd", "nested", "another",
     "folder", "pipe"],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_once_and_stays_until_a_room_is_told(
    what: str, place: RoomPlace, caplog: pytest.LogCaptureFixture
) -> None:
    place.path.parent.mkdir()
    place.write(known(), "told", 5.0)
    words = damage(place, what)
    before = place.path.read_bytes() if place.path.is_file() else None
    with pytest.raises(InputError, match=words):
        read_room(place.path)
    clock = FakeClock()
    for _ in range(2):
        alone = kept(place, alone=True, clock=clock)
        for number in range(100):
            look(alone, number)
        clock.now += 100
        look(alone)
        alone.close()
    assert [record.getMessage() for record in caplog.records if words in record.getMessage()] == [
        caplog.records[0].getMessage()
    ]
    assert (place.path.read_bytes() if place.path.is_file() else None) == before
    if before is not None:
        alone.told(known())
        alone.close()
        assert read_room(place.path).about.how == "told"


@pytest.mark.parametrize("trouble", ["no home", "a file", "full", "no memory", "gone wrong"])
def test_where_nothing_can_be_written_the_room_is_known_all_the_same_and_that_is_said_once(
    trouble: str, place: RoomPlace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = {
        "full": OSError(28, "No space left on device"),
        "no memory": MemoryError(),
        "gone wrong": TypeError("odd"),
    }
    if trouble == "no home":
        place = RoomPlace(folders.NOWHERE / "rooms" / "a.room", "desk", "")
    elif trouble == "a file":
        place.path.parent.write_text("in the way")
    else:

        def fails(*args: Any, **others: Any) -> None:
            raise errors[trouble]

        monkeypatch.setattr("vcam.segment.emptyroom.roomfile.write_whole", fails)
    first = kept(place)
    for _ in range(2):
        first.told(known())
        saved(first)
        assert helps(first)
    first.close()
    assert len([record for record in caplog.records if "cannot be kept" in record.getMessage()]) == 1
    assert not place.path.exists()


def test_a_disk_that_hangs_holds_up_neither_frames_nor_the_end(
    place: RoomPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr("vcam.segment.emptyroom.roomfile.write_whole", lambda *args, **others: gate.wait(30))
    monkeypatch.setattr(keeping, "CLOSING", 0.01)
    first = kept(place)
    first.told(known())
    assert helps(first)
    first.told(known())
    forgotten = first.forget()
    first.close()
    assert not forgotten.done()
    gate.set()
    assert forgotten.result(10) is False


def test_what_is_learnt_from_there_is_written_once_a_minute_and_at_the_end(place: RoomPlace) -> None:
    clock = FakeClock()
    first = kept(place, clock=clock)
    first.told(known())
    saved(first)
    writes = []
    write = RoomPlace.write

    def count(self: RoomPlace, *what: Any) -> None:
        writes.append(what)
        write(self, *what)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RoomPlace, "write", count)
        # time for a plate made anew: it comes with every sixth step of learning, of which two of three are left out
        for number in range(240):
            look(first, number)
            clock.now += 0.23
        assert not writes
        clock.now += 10
        look(first)
        saved(first)
        assert len(writes) == 1
        # nothing was learnt by so few frames
        look(first)
        clock.now += 100
        look(first)
        saved(first)
        assert len(writes) == 1
        for number in range(240):
            look(first, number)
        first.close()
        first.close()
        assert len(writes) == 2
    assert {what[1] for what in writes} == {"told"}
    assert read_about(place.path).when == writes[0][2]


def test_auto_learns_by_itself_and_keeps_that_and_told_does_not_use_it(place: RoomPlace) -> None:
    first = kept(place, alone=True)
    for number in range(120):
        look(first, number)
    status = first.status()
    assert status["kept"] == "learnt"
    assert 0.2 < status["known"] < 1
    first.close()
    assert read_about(place.path).how == "learnt"
    assert kept(place, alone=True).status()["known"] == status["known"]
    assert kept(place).status()["kept"] == ""


def test_private_uses_what_is_there_and_writes_nothing(place: RoomPlace) -> None:
    first = kept(place, private=True)
    first.told(known())
    assert helps(first)
    assert (first.status()["kept"], first.status()["file"]) == ("told", "")
    first.close()
    assert not place.path.parent.exists()
    told = kept(place)
    told.told(known())
    told.close()
    before = place.path.read_bytes()
    second = kept(place, private=True)
    assert helps(second)
    for number in range(100):
        look(second, number)
    second.close()
    assert place.path.read_bytes() == before


def test_what_is_forgotten_is_not_known_and_not_on_disk_even_if_it_was_just_being_written(
    place: RoomPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept(place)
    first.told(known())
    saved(first)
    assert first.forget().result(10) is True
    seen, left = look(first)
    assert left is seen
    assert first.status()["rests"] == keeping.NOT_TOLD
    assert first.forget().result(10) is False
    writes: list[Any] = []
    with monkeypatch.context() as patch, keeping._LOCK:
        patch.setattr(RoomPlace, "write", lambda self, *what: writes.append(what))
        # another one is being written, so to say: both threads wait, and nobody knows which comes first
        first.told(known())
        writing = first._saving
        assert writing is not None
        done = first.forget()
        keeping._LOCK.release()
        writing.join(10)
        assert done.result(10) is False
        keeping._LOCK.acquire()
    first.close()
    assert not writes
    assert not place.path.exists()


def test_what_cannot_be_removed_is_an_error_with_its_cure(place: RoomPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = kept(place)
    first.told(known())
    saved(first)

    def refuses(self: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuses)
    with pytest.raises(OutputError, match="Operation not permitted") as error:
        first.forget().result(10)
    assert "rm " in error.value.hint


def test_another_room_is_said_and_never_written_over_the_told_one(place: RoomPlace) -> None:
    first = kept(place)
    first.told(known())
    saved(first)
    for number in range(300):
        look(first, number, "dusk.jpg")
        if number == 30:
            assert first.status()["rests"] == keeping.OTHER_ROOM
    first.close()
    assert read_room(place.path).about.how == "told"
    assert helps(kept(place))
    # back at the desk, when the camera is switched on anew
    first.reset()
    assert helps(first)


def test_a_memory_that_fails_leaves_the_maps_as_they_are_until_the_camera_is_switched_on_anew(
    place: RoomPlace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept(place)
    first.told(known())
    with monkeypatch.context() as patch:

        def fails(*args: Any) -> Map:
            raise MemoryError

        patch.setattr("vcam.segment.emptyroom.memory.RoomMemory.correct", fails)
        for number in range(3):
            seen, left = look(first, number)
            assert left is seen
    assert "MemoryError" in first.status()["rests"]
    assert len([record for record in caplog.records if "is not used" in record.getMessage()]) == 1
    seen, left = look(first)
    assert left is seen
    first.reset()
    assert helps(first)


def test_maps_that_cannot_be_compared_and_rooms_that_are_hidden_are_told_apart(place: RoomPlace) -> None:
    first = kept(place)
    first.told(known())
    assert first.status()["rests"] == keeping.NO_FRAME
    frame = shot(with_person(room()))
    assert first.correct(Map.whole(map_of(frame).probability, frame), frame).edge is None
    assert first.status()["rests"] == keeping.UNLIKE
    seen = map_of(frame)
    seen.probability[...] = 1
    assert first.correct(seen, frame) is seen
    assert first.status()["rests"] == keeping.LITTLE


def test_frames_of_another_size_are_left_as_they_are(place: RoomPlace) -> None:
    first = kept(place)
    first.told(known())
    frame = Frame.allocate(128, 72)
    seen = Map.whole(np.zeros((72, 128), np.float32), frame)
    assert first.correct(seen, frame) is seen
    assert helps(first)


@pytest.mark.parametrize("what", ["of another frame", "of no part", "odd", "NaN", "below zero", "of another type"])
def test_a_map_that_is_none_is_left_for_the_matte_to_refuse_and_nothing_is_learnt_of_it(
    what: str, place: RoomPlace
) -> None:
    first = kept(place)
    first.told(known())
    memory = first._memory
    assert memory is not None
    for number in range(30):
        frame = frame_of(number % 5)
        seen = map_of(frame)
        if what == "of another frame":
            seen = replace(seen, seq=frame.seq + 1)
        elif what == "of no part":
            seen = replace(seen, box=seen.box.moved(frame.width, 0))
        elif what == "odd":
            seen = replace(seen, box=Box(1, 1, 101, 101))
        elif what == "NaN":
            seen.probability[3, 3] = np.nan
        elif what == "below zero":
            seen.probability[...] -= 1
        else:
            seen = replace(seen, probability=seen.probability.astype(np.float64))  # type: ignore[arg-type]
        assert first.correct(seen, frame) is seen
    assert memory.agreement is None
    assert first.status()["rests"] == keeping.NO_FRAME
    assert helps(first)
