"""`vcam preview`, `vcam snapshot` and `vcam output` at a daemon that runs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.daemon.helpers import PERSON, SIZE, Screen, Steered, run
from tests.output.encoded.helpers import until
from vcam.assets import BACKGROUNDS
from vcam.control.client import ControlClient
from vcam.control.viewers import Viewers
from vcam.control.viewing import Viewer
from vcam.control.wishes import Besides, Wish
from vcam.daemon.base import State
from vcam.errors import DeviceError, EngineError, OutputDeviceError, UsageError
from vcam.frames import Frame
from vcam.output.window import WindowOutput
from vcam.testing import FakeSegmenter


def test_a_preview_is_opened_and_closed_at_will_and_what_is_there_stays(steered: Steered) -> None:
    life, screen = steered.daemon.life, steered.daemon.screen
    before = len(screen.numbers)
    for _ in range(20):
        with Viewer() as viewer:
            shown = viewer.next(30)
            assert shown is not None
            assert shown.frame.y[30, 10] == pytest.approx(PERSON["one"], abs=4)
            assert {output["kind"] for output in life.outlets.states if "kind" in output} == {"preview"}
        steered.daemon.until(lambda: len(life.outlets.outputs) == 1)
    assert life.state is State.LIVE
    assert steered.daemon.cameras[0].opened == 1
    # none of the others has missed a frame for it
    numbers = screen.numbers[before:]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_somebody_who_looks_has_the_camera_on(quick: None, tmp_path: Path) -> None:
    screen = Screen()
    screen.watchers = False
    steered = Steered(tmp_path, screen=screen)
    with steered.control, steered.daemon as daemon:
        daemon.until(lambda: daemon.life.state is State.IDLE)
        with Viewer() as viewer:
            daemon.until(lambda: (shown := viewer.next(30)) is not None and shown.composited)
            daemon.until(lambda: daemon.life.state is State.LIVE)
        daemon.until(lambda: daemon.life.state is State.IDLE)


def test_during_a_pause_the_card_is_seen_and_nothing_else(steered: Steered, client: ControlClient) -> None:
    client.call("pause")
    with Viewer() as viewer:
        for _ in range(3):
            shown = viewer.next(30)
            assert shown is not None
            assert not shown.composited


def test_the_room_and_the_matte_are_seen_by_who_asks_and_by_nobody_else(
    steered: Steered, client: ControlClient
) -> None:
    def told() -> int:
        return next(each["see_the_room"] for each in client.call("status")["outputs"] if each.get("kind") == "preview")

    with Viewer() as viewer, Viewer() as other:
        shown = viewer.next(30, Besides.ROOM)
        assert shown is not None
        assert shown.room is not None
        assert shown.room.seq == shown.frame.seq
        # where nobody is: the room there, the background here
        assert shown.room.y[30, 80] == 40
        assert shown.frame.y[30, 80] > 60
        assert told() == 1
        assert "1 of them looking at the room" in run("status").output.replace("\n", " ")
        shown = viewer.next(30, Besides.MATTE)
        assert shown is not None
        assert shown.matte is not None
        assert (int(shown.matte[30, 10]), int(shown.matte[30, 80])) == (255, 0)
        plain = other.next(30)
        assert plain is not None
        assert (plain.room, plain.matte) == (None, None)
        assert told() == 0
    assert not any((Frame.wrap(packed, *SIZE).y[30, 80] == 40) for packed in steered.daemon.screen.frames)


def test_in_a_pause_nobody_sees_the_room(steered: Steered, client: ControlClient) -> None:
    with Viewer() as viewer:
        shown = viewer.next(30, Besides.ROOM)
        assert shown is not None
        assert shown.room is not None
        client.call("pause")
        # one that was on its way before the pause may come first
        for number in range(5):
            shown = viewer.next(30, Besides.ROOM)
            assert shown is not None
            assert number == 0 or (shown.room is None and not shown.composited)


def test_where_no_matte_can_be_made_nobody_sees_the_room(quick: None, tmp_path: Path) -> None:
    steered = Steered(tmp_path, finds=lambda: FakeSegmenter(lambda frame: EngineError("it is broken"), SIZE))
    with steered.control, steered.daemon as daemon, Viewer() as viewer:
        daemon.until(lambda: daemon.life.pipeline is not None and daemon.life.pipeline.failed_in_a_row > 2)
        for besides in (Besides.ROOM, Besides.MATTE):
            for _ in range(3):
                shown = viewer.next(30, besides)
                assert shown is not None
                assert (shown.room, shown.matte) == (None, None)


def test_preview_and_snapshot_never_ask_for_the_room(
    steered: Steered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set()
    ask = Viewers.ask

    def spy(viewers: Viewers, viewer: Any, wish: Wish) -> None:
        asked.add(wish)
        ask(viewers, viewer, wish)

    monkeypatch.setattr(Viewers, "ask", spy)
    assert run("snapshot", str(tmp_path / "me.png")).exception is None
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("DISPLAY", ":none")
    monkeypatch.setattr(WindowOutput, "write", lambda window, frame: setattr(window, "finished", True))
    assert run("preview").exception is None
    assert asked == {Wish()}


def test_a_change_and_a_pause_are_seen_in_the_next_picture(
    steered: Steered, client: ControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    hurry = Viewers.hurry

    def spy(viewers: Viewers) -> None:
        made.append({"mirror": steered.daemon.life.settings.camera.mirror, "state": steered.daemon.life.state})
        hurry(viewers)

    monkeypatch.setattr(Viewers, "hurry", spy)
    with Viewer() as viewer:
        # once a second, and the first at once
        viewer.ask(Wish(rate=1))
        steered.daemon.until(lambda: viewer.take() is not None)
        viewer.ask(Wish(rate=1))
        steered.daemon.more(20)
        assert viewer.take() is None
        mirror = steered.daemon.life.settings.camera.mirror
        client.call("set", {"camera.mirror": not mirror})
        assert made[0] == {"mirror": not mirror, "state": State.LIVE}
        steered.daemon.until(lambda: viewer.take() is not None)
        client.call("pause")
        assert made[-1]["state"] is State.PAUSED


def test_a_preview_alone_does_not_keep_vcam_alive(steered: Steered) -> None:
    with Viewer() as viewer:
        viewer.next(30)
        steered.daemon.screen.fail = OSError("not one of vcam's")
        steered.daemon.screen._enough = 0
        steered.daemon.thread.join(30)
        assert not steered.daemon.thread.is_alive()


def test_a_snapshot_is_what_others_see(steered: Steered, tmp_path: Path) -> None:
    file = tmp_path / "me.png"
    told = run("snapshot", str(file), "--json")
    assert json.loads(told.output) == {"file": str(file), "size": list(SIZE), "composited": True}
    picture = cv2.imread(str(file))
    assert picture is not None
    # the background of the daemon, where the person is not: #204080
    assert picture[30, 80].tolist() == pytest.approx([0x80, 0x40, 0x20], abs=6)
    error = run("snapshot", str(file)).exception
    assert isinstance(error, UsageError)
    assert "exists" in error.message
    assert run("snapshot", str(file), "--overwrite").exception is None
    for name in ("me.gif", "me", "me.mp4"):
        assert isinstance(run("snapshot", str(tmp_path / name)).exception, UsageError)


def test_a_snapshot_of_a_pause_says_so(steered: Steered, client: ControlClient, tmp_path: Path) -> None:
    client.call("pause")
    told = run("snapshot", str(tmp_path / "pause.jpg"))
    assert "placeholder" in told.output
    assert (tmp_path / "pause.jpg").exists()


def test_without_a_display_the_preview_says_what_to_do_instead(
    steered: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    error = run("preview").exception
    assert isinstance(error, OutputDeviceError)
    assert (error.exit_status, "vcam snapshot" in error.hint) == (69, True)


def test_without_a_vcam_there_is_nothing_to_preview(tmp_path: Path) -> None:
    for words in (["preview"], ["snapshot", str(tmp_path / "x.png")], ["output", "list"], ["output", "add", "null"]):
        assert isinstance(run(*words).exception, DeviceError)


@pytest.mark.parametrize("mirror", [False, True])
def test_the_preview_shows_the_picture_in_a_window_until_it_is_closed(
    steered: Steered, monkeypatch: pytest.MonkeyPatch, mirror: bool
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("DISPLAY", ":none")
    seen = []

    def write(window: WindowOutput, frame: object) -> None:
        seen.append((window.description, frame.y[30, 10], frame.y[30, 85]))  # type: ignore[attr-defined]
        window.finished = len(seen) >= 3

    monkeypatch.setattr(WindowOutput, "write", write)
    told = run("preview", *(["--mirror"] if mirror else []))
    assert told.exception is None
    left, right = seen[-1][1:]
    person, place = (right, left) if mirror else (left, right)
    assert person == pytest.approx(PERSON["one"], abs=4)
    assert place < 100
    assert steered.daemon.life.state is State.LIVE


def test_the_preview_ends_with_vcam(quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("DISPLAY", ":none")
    steered = Steered(tmp_path)
    monkeypatch.setattr(WindowOutput, "write", lambda window, frame: steered.daemon.life.stop())

    def serve() -> None:
        with steered.control:
            steered.daemon.thread.join(30)

    serving = threading.Thread(target=serve)
    with steered.daemon:
        serving.start()
        told = run("preview")
    serving.join(30)
    assert told.exception is None
    assert "vcam has ended" in told.output


def test_outputs_come_and_go_while_vcam_runs(steered: Steered, tmp_path: Path) -> None:
    file = tmp_path / "talk.y4m"
    assert "started" in run("output", "add", str(file)).output
    listed = json.loads(run("output", "list", "--json").output)
    assert [each["target"] for each in listed] == ["null", str(file)]
    steered.daemon.more(20)
    # by another name of the same file
    os.symlink(tmp_path, tmp_path / "other")
    assert "stopped" in run("output", "remove", str(tmp_path / "other" / "talk.y4m")).output
    assert file.stat().st_size > SIZE[0] * SIZE[1]
    assert len(steered.daemon.life.outlets.outputs) == 1
    assert str(file) not in run("output", "list").output


def test_streams_and_recordings_have_commands_of_their_own_and_keys_are_not_repeated(
    steered: Steered, tmp_path: Path
) -> None:
    address = "rtmp://127.0.0.1:1/live/SECRETKEY"
    error = run("output", "add", address).exception
    assert (error.message, "stream start" in error.hint) == (
        "rtmp://127.0.0.1:1/live/*** is the address of a stream, and no output",
        True,
    )
    error = run("output", "remove", address).exception
    assert error.message == "rtmp://127.0.0.1:1/live/*** is no output of this vcam"
    run("stream", "start", f"main={address}")
    run("record", "start", str(tmp_path / "talk.mkv"))
    until(lambda: str(tmp_path / "talk.mkv") in str(steered.daemon.life.outlets.states))
    for target, hint in (("main", "vcam stream stop main"), (str(tmp_path / "talk.mkv"), "vcam record stop")):
        assert run("output", "remove", target).exception.hint == hint
    assert len(steered.daemon.life.outlets.outputs) == 3


def test_what_cannot_be_added_or_removed_is_said_with_its_cure(steered: Steered, tmp_path: Path) -> None:
    (tmp_path / "here.mkv").write_bytes(b"of value")
    for words, hint in (
        (["add", "window"], "preview"), (["add", "-"], "y4m"), (["add", "null"], "list"), (["add", "x.doc"], "use"),
        (["add", str(tmp_path / "here.mkv")], "overwrite"), (["remove", "/dev/video77"], "list"),
        (["add", "/dev/video99"], ""),
    ):  # fmt: skip
        error = run("output", *words).exception
        assert error is not None, words
        assert hint in getattr(error, "hint", ""), words
    assert (tmp_path / "here.mkv").read_bytes() == b"of value"
    assert len(steered.daemon.life.outlets.outputs) == 1


def test_a_background_by_name_and_the_next(steered: Steered) -> None:
    names = list(BACKGROUNDS)
    assert run("background", names[0]).exception is None
    for words, name in ((["next"], names[1]), (["next"], names[2]), (["previous"], names[1])):
        told = run("background", *words)
        assert f"background.spec = {name}" in told.output
        assert steered.settings["background.spec"] == name
    run("background", "blur")
    assert f"background.spec = {names[-1]}" in run("background", "previous").output


def test_the_backgrounds_are_listed_without_a_vcam() -> None:
    for words in ([], ["list"]):
        assert all(name in run("background", *words).output for name in BACKGROUNDS)
    listed = json.loads(run("background", "list", "--json").output)
    assert [each["name"] for each in listed] == list(BACKGROUNDS)
    assert all(Path(each["file"]).is_file() for each in listed)
