"""The file of a room, its name, and where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.segment.emptyroom.scenes import SIZE
from tests.segment.emptyroom.test_keeping import known
from vcam import folders
from vcam.segment.emptyroom.choice import choose_room
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.roomfile import RoomPlace, read_about, read_room
from vcam.settings import Settings
from vcam.types import Size


@pytest.mark.parametrize("size", [(256, 144), (18, 16), (258, 146)])
@pytest.mark.parametrize("full_range", [False, True])
def test_what_is_read_is_what_was_written(size: Size, full_range: bool, tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    written = RoomPicture.nothing(size, full_range=full_range)
    for plane in written.frame.planes:
        plane[...] = chance.integers(0, 256, plane.shape)
    written.known[...] = 255 * chance.integers(0, 2, written.known.shape)
    place = RoomPlace.of("desk", "desk", size, tmp_path)
    place.write(written, "learnt", 5.0)
    found = read_room(place.path).room
    for mine, theirs in zip((*written.frame.planes, written.known), (*found.frame.planes, found.known), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert found.frame.full_range is full_range


def test_each_camera_cut_and_shape_has_a_file_of_its_own_and_other_sizes_of_the_shape_have_not() -> None:
    def path(size: Size = (1280, 720), source: str = "auto", **changes: object) -> Path:
        chosen = choose_room(Settings().replace(**changes), size, source)
        assert chosen.kept is not None
        assert chosen.kept._place is not None
        return chosen.kept._place.path

    others = [
        path(), path((640, 480)), path(source="desk"), path(camera__mirror=True), path(camera__rotate="180"),
        path(camera__flip=True), path(camera__crop="640x360+0+0"), path(camera__zoom="200"),
    ]  # fmt: skip
    assert len(set(others)) == len(others)
    assert path((1920, 1080)) == path((640, 360)) == path()
    assert path().parent == folders.own("state") / "rooms"


def test_what_an_address_hides_is_in_no_file(tmp_path: Path) -> None:
    source = "rtsp://me:hidden@door.example/live?token=hidden"
    place = RoomPlace.of(source, f"{source} mirrored", SIZE, tmp_path)
    place.write(known(), "told", 5.0)
    assert b"hidden" not in place.path.read_bytes()
    assert (read_about(place.path).camera, read_about(place.path).cut) == ("rtsp://door.example", "mirrored")


@pytest.mark.parametrize(
    ("changes", "source", "why"),
    [
        ({"segment__room": "off"}, "auto", "off"),
        ({}, "", "camera"),
        ({"framing__auto": True}, "auto", "auto-framing"),
        ({"segment__backend": "subtraction"}, "auto", "subtraction"),
    ],
)
def test_where_there_is_no_memory_it_is_said_why(changes: dict[str, Any], source: str, why: str) -> None:
    chosen = choose_room(Settings().replace(**changes), (1280, 720), source)
    assert chosen.kept is None
    assert why in chosen.why
    chosen.close()
