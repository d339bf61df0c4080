"""`vcam room` without a vcam that runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from vcam import folders
from vcam.cli.main import cli
from vcam.errors import InputError, UsageError
from vcam.images import read_image
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.roomfile import RoomPlace

SIZE = (1280, 720)


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, ["room", *words], standalone_mode=False)


def keep(source: str, name: str = "", known: float = 1.0) -> Path:
    """A room of a camera, on disk: grey, and green where it is known."""
    room = RoomPicture.nothing(SIZE, full_range=False)
    room.frame.fill(120, 60, 60)
    room.known[:, : round(known * room.known.shape[1])] = 255
    place = RoomPlace.of(source, name or source, SIZE)
    place.write(room, "told", 1795000000.0)
    return place.path


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings that name a camera, and what no room can be known with."""
    path = tmp_path / "config.toml"
    path.write_text('[camera]\nsource = "desk"\nmirror = true\n[framing]\nauto = true\n')
    monkeypatch.setenv("VCAM_CONFIG", str(path))


def test_where_nothing_is_kept_it_is_said_where_that_would_be() -> None:
    place = folders.own("state") / "rooms"
    assert run("show").output == f"nothing is kept in {place}\n"
    assert json.loads(run("show", "--json").output) == {"rooms": [], "now": None}
    assert run("forget").output == "nothing was kept\n"
    assert run("forget", "--all").output == "nothing was kept\n"
    assert not place.exists()


@pytest.mark.usefixtures("config")
def test_all_that_is_kept_is_listed_and_that_of_the_settings_is_marked() -> None:
    mine, other = keep("desk", "desk mirrored", 0.5), keep("rtsp://me:hidden@door.example/live")
    output = run("show").output
    assert "hidden" not in output
    lines = {line.partition(":")[0]: line for line in output.splitlines()}
    assert lines["desk mirrored"].endswith(f"kB in {mine} (used)")
    assert "told on 2026-11-" in lines["desk mirrored"]
    assert "50% known, 640x360" in lines["desk mirrored"]
    assert "rtsp://door.example: told on" in output
    assert output.count("(used)") == 1
    found = {row["file"]: row for row in json.loads(run("show", "--json").output)["rooms"]}
    assert found[str(mine)]["used"] is True
    assert found[str(other)]["used"] is False
    assert (found[str(mine)]["camera"], found[str(mine)]["cut"], found[str(mine)]["known"]) == ("desk", "mirrored", 0.5)
    assert found[str(mine)]["bytes"] == mine.stat().st_size


@pytest.mark.usefixtures("config")
def test_the_picture_is_written_for_its_owner_with_stripes_where_nothing_is_known(tmp_path: Path) -> None:
    keep("desk", "desk mirrored", 0.5)
    file = tmp_path / "room.png"
    output = run("show", str(file)).output
    assert str(file) in output
    assert file.stat().st_mode & 0o777 == 0o600
    picture = read_image(file)
    assert picture.shape == (360, 640, 3)
    assert len(np.unique(picture[:, :320].reshape(-1, 3), axis=0)) == 1
    # green
    assert picture[0, 0, 1] > picture[0, 0, 2]
    assert len(np.unique(picture[:, 320:].reshape(-1, 3), axis=0)) == 2
    error = run("show", str(file)).exception
    assert isinstance(error, UsageError)
    assert "exists" in str(error)
    assert run("show", str(file), "--overwrite").exception is None


@pytest.mark.usefixtures("config")
def test_the_room_itself_is_never_written_over(tmp_path: Path) -> None:
    path = keep("desk", "desk mirrored")
    before = path.read_bytes()
    link = tmp_path / "room.png"
    link.symlink_to(path)
    assert isinstance(run("show", str(link), "--overwrite").exception, UsageError)
    assert path.read_bytes() == before


@pytest.mark.usefixtures("config")
def test_that_of_the_settings_is_forgotten_or_all_of_them() -> None:
    mine, other, third = keep("desk", "desk mirrored"), keep("desk"), keep("door")
    assert run("forget").output == "the room is forgotten\n"
    assert [path.exists() for path in (mine, other, third)] == [False, True, True]
    (other.parent / "a-256x144.png").write_bytes(b"of subtraction")
    (other.parent / ".b.part-99999999-0.room").write_bytes(b"half written")
    assert json.loads(run("forget", "--all", "--json").output) == {"removed": 4}
    assert not list(other.parent.iterdir())


@pytest.mark.usefixtures("config")
def test_what_is_damaged_is_named_and_can_be_forgotten(tmp_path: Path) -> None:
    path = keep("desk", "desk mirrored")
    path.write_bytes(b"\x1b[2J" * 30)
    assert f"{path} is damaged" in run("show").output
    assert "\x1b" not in run("show").output
    error = run("show", str(tmp_path / "room.png")).exception
    assert isinstance(error, InputError)
    assert "vcam room forget" in error.hint
    assert not (tmp_path / "room.png").exists()
    assert run("forget").output == "the room is forgotten\n"
    assert isinstance(run("show", str(tmp_path / "room.png")).exception, UsageError)


def test_a_folder_that_cannot_be_read_is_an_error_and_one_that_is_none_holds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = folders.own("state") / "rooms"
    place.parent.mkdir(parents=True)
    place.write_text("a file")
    assert run("show").output == f"nothing is kept in {place}\n"

    def refuses(folder: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuses)
    error = run("show").exception
    assert isinstance(error, InputError)
    assert "Permission denied" in str(error)


def test_the_room_of_a_camera_with_full_range_is_shown_in_its_colours(tmp_path: Path) -> None:
    room = RoomPicture.nothing(SIZE, full_range=True)
    room.frame.fill(255, 128, 128)
    room.known[:] = 255
    RoomPlace.of("auto", "auto", SIZE).write(room, "told", 1795000000.0)
    assert run("show", str(tmp_path / "room.png")).exit_code == 0
    assert read_image(tmp_path / "room.png").min() >= 253
