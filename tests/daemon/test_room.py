"""What is known of the room while the daemon runs and its settings change."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from tests.daemon.helpers import SETTINGS, SIZE, Daemon, Screen, Steered, refused, run
from vcam import folders
from vcam.camera.shape import ShapedCamera
from vcam.cli.statusview import status_table
from vcam.control.client import ControlClient
from vcam.errors import UsageError, VcamError
from vcam.frames import Box, Frame, Map
from vcam.pipeline import Pipeline
from vcam.segment.emptyroom import evidence
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.roomfile import read_about
from vcam.testing import FakeSegmenter

SHELF = np.s_[10:30, 40:52]
"""What the network takes for a part of the person, who is at the left third."""

MIRRORED = np.s_[10:30, 44:56]


def with_shelf(frame: Frame) -> np.ndarray:
    found = (frame.y > 100).astype(np.float32)
    found[SHELF if found[0, 0] else MIRRORED] = 0.9
    return found


class Sees(FakeSegmenter):
    """A network whose maps come with what it saw."""

    def segment(self, frame: Frame) -> Map:
        found = super().segment(frame)
        return Map(found.probability, Box(0, 0, *SIZE), frame.seq, frame.seq, (frame,))


def empty() -> RoomPicture:
    frame = Frame.allocate(*SIZE)
    frame.fill(40, 128, 128)
    return RoomPicture(frame, np.full((SIZE[1] // 2, SIZE[0] // 2), 255, np.uint8))


def parts() -> dict[str, Any]:
    return {"finds": lambda: Sees(with_shelf, SIZE), "screen": Screen()}


@pytest.fixture
def steered(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Steered]:
    # the room of these frames is flat, which else says nothing
    monkeypatch.setattr(evidence, "AGAINST", (8.0, 0.0))
    steered = Steered(tmp_path, {"matte.edge": 0, "matte.temporal": 0}, **parts())
    with steered.control, steered.daemon:
        steered.daemon.live()
        yield steered


def pipeline(daemon: Daemon) -> Pipeline:
    assert daemon.life.pipeline
    return daemon.life.pipeline


def tell(daemon: Daemon, room: RoomPicture | None = None) -> None:
    daemon.life.mailbox.post(lambda: pipeline(daemon).matting.told(room or empty())).result(5)


def shelf(daemon: Daemon) -> bool:
    """Whether the shelf is shown, which is darker than the background."""
    picture = daemon.more(4)[-1]
    return bool(picture.y[20, 45] < 50 or picture.y[20, 50] < 50)


def rests() -> str:
    with ControlClient() as client:
        return str(client.call("status")["room"]["rests"])


def until_written(daemon: Daemon) -> Path:
    """Where the room of the daemon is kept, once it is."""
    daemon.until(lambda: bool(pipeline(daemon).matting.room_status["file"]))
    path = Path(pipeline(daemon).matting.room_status["file"])
    assert path.exists()
    return path


def test_a_room_that_is_told_is_used_from_the_next_frame_on_and_the_status_tells_of_it(steered: Steered) -> None:
    daemon = steered.daemon
    assert shelf(daemon)
    assert rests() == "no room is known: vcam room learn"
    tell(daemon)
    assert not shelf(daemon)
    with ControlClient() as client:
        status = client.call("status")
    told = status["room"]
    assert (told["setting"], told["kept"], told["known"], told["rests"]) == ("told", "told", 1.0, "")
    assert told["agreement"] > 0.9
    assert read_about(until_written(daemon)).camera == "one"
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(status_table(status))
    table = console.export_text()
    assert "told on 20" in table
    assert "100% known; agrees by" in table


def test_other_settings_leave_it_and_another_cut_has_its_own(steered: Steered) -> None:
    daemon = steered.daemon
    tell(daemon)
    until_written(daemon)
    kept = pipeline(daemon).matting.room.kept
    networks = len(daemon.networks)
    daemon.set(segment__model="other", matte__softness=0.7, background__spec="color:#208040")
    assert len(daemon.networks) == networks + 1
    assert pipeline(daemon).matting.room.kept is kept
    assert not shelf(daemon)
    daemon.set(camera__mirror=True)
    assert rests() == "no room is known: vcam room learn"
    assert shelf(daemon)
    daemon.set(camera__mirror=False)
    assert not shelf(daemon)
    daemon.set(camera__source="two")
    assert shelf(daemon)
    assert len(daemon.networks) == networks + 1


def test_switching_it_off_and_on_needs_no_other_network(steered: Steered) -> None:
    daemon = steered.daemon
    tell(daemon)
    path = until_written(daemon)
    networks = len(daemon.networks)
    daemon.set(segment__room="off")
    assert pipeline(daemon).matting.room.kept is None
    assert (shelf(daemon), rests()) == (True, "segment.room is off")
    daemon.set(segment__room="auto", segment__private=True)
    assert not shelf(daemon)
    with ControlClient() as client:
        # what is kept is used, and nothing is written
        assert client.call("status")["room"]["file"] == str(path)
    assert len(daemon.networks) == networks


def test_auto_framing_lets_it_rest(steered: Steered) -> None:
    daemon = steered.daemon
    tell(daemon)
    until_written(daemon)
    daemon.set(framing__auto=True)
    assert (shelf(daemon), rests()) == (True, "auto-framing moves the picture")
    daemon.set(framing__auto=False)
    assert (shelf(daemon), rests()) == (False, "")


def test_a_change_that_is_refused_leaves_the_room_that_was_known(
    steered: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = steered.daemon
    tell(daemon)
    kept = pipeline(daemon).matting.room.kept
    refused(daemon, camera__mirror=True, segment__model="broken")
    assert pipeline(daemon).matting.room.kept is kept

    use = ShapedCamera.use

    def fails(self: ShapedCamera, shape: Any) -> None:
        if shape.turn.mirror:
            raise VcamError("not now")
        use(self, shape)

    with monkeypatch.context() as patch:
        patch.setattr("vcam.camera.shape.ShapedCamera.use", fails)
        with pytest.raises(VcamError, match="not now"):
            daemon.set(camera__mirror=True)
    assert pipeline(daemon).matting.room.kept is kept
    assert not shelf(daemon)


def test_the_room_of_the_camera_is_shown_and_forgotten_by_commands(steered: Steered, tmp_path: Path) -> None:
    daemon = steered.daemon
    tell(daemon)
    path = until_written(daemon)
    output = run("room", "show").output
    assert "now: told on" in output
    assert "one: told on" in output
    assert f"{path} (used)" in output
    found = json.loads(run("room", "show", "--json").output)
    assert [(row["camera"], row["kept"], row["used"]) for row in found["rooms"]] == [("one", "told", True)]
    assert found["now"]["kept"] == "told"
    picture = tmp_path / "room.png"
    assert "remove it" in run("room", "show", str(picture)).output
    assert picture.stat().st_mode & 0o777 == 0o600
    assert run("room", "forget").output == "the room is forgotten\n"
    assert not path.exists()
    assert shelf(daemon)
    assert json.loads(run("room", "forget", "--json").output) == {"removed": 0}
    assert isinstance(run("room", "show", str(tmp_path / "none.png")).exception, UsageError)


def test_all_rooms_are_forgotten_whatever_camera_is_used(steered: Steered) -> None:
    daemon = steered.daemon
    tell(daemon)
    until_written(daemon)
    daemon.set(camera__mirror=True)
    tell(daemon)
    until_written(daemon)
    folder = folders.own("state") / "rooms"
    (folder / "0123456789abcdef-256x144.png").write_bytes(b"of subtraction")
    assert len(list(folder.iterdir())) == 3
    assert run("room", "forget", "--all").output == "3 rooms are forgotten\n"
    assert not list(folder.iterdir())
    assert shelf(daemon)


def test_all_rooms_are_forgotten_by_every_daemon(steered: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = steered.daemon
    tell(daemon)
    path = until_written(daemon)
    assert run("room", "forget", "--name", "elsewhere").output == "nothing was kept\n"
    assert not shelf(daemon)
    assert run("room", "forget", "--all", "--name", "elsewhere").output == "the room is forgotten\n"
    assert shelf(daemon)
    assert not path.exists()

    def hangs(name: str, method: str) -> dict[str, Any] | None:
        return None if name == "elsewhere" else {"stuck": "a frame"}

    monkeypatch.setattr("vcam.cli.keptroom._ask", hangs)
    found = run("room", "forget", "--all", "--name", "elsewhere")
    assert found.return_value == 1
    assert "vcam room forget --name control" in found.output


def test_what_was_learnt_is_kept_when_the_daemon_ends(quick: None) -> None:
    settings = SETTINGS.replace(segment__room="auto", matte__edge=0, matte__temporal=0)
    with Daemon(settings, **parts()) as daemon:
        daemon.live()
        daemon.until(lambda: pipeline(daemon).matting.room_status["known"] > 0.2)
        kept = pipeline(daemon).matting.room.kept
        assert kept is not None
        assert kept._place is not None
        path = kept._place.path
        assert pipeline(daemon).matting.room_status["file"] == ""
        assert not path.exists()
    assert read_about(path).how == "learnt"
    with Daemon(settings, **parts()) as daemon:
        daemon.live()
        status = pipeline(daemon).matting.room_status
        assert (status["kept"], status["known"] > 0.2) == ("learnt", True)
