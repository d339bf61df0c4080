"""The empty room is learnt while the loop runs: nobody sees it, and whatever happens, the picture goes on."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import click
import numpy as np
import pytest

from tests.daemon.helpers import SETTINGS, SIZE, Daemon, LuminousCamera, Screen, Steered, run
from vcam.compose.placeholder import placeholder
from vcam.control.client import ControlClient
from vcam.control.place import socket_path
from vcam.daemon.base import State
from vcam.daemon.lesson import Lesson
from vcam.errors import CameraError, CameraStalled, DeviceError, UsageError, VcamError
from vcam.frames import Frame
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.settings import Settings

ROOM = np.random.default_rng(5).integers(50, 95, (SIZE[1], SIZE[0]))
"""Darker than what the fake network takes for a person."""
CHROMA = 100
"""Of the room, as neither placeholder nor background has it."""


@pytest.fixture(autouse=True)
def _brief(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.daemon.lesson.SECONDS", 0.1)
    monkeypatch.setattr("vcam.control.server.TICK", 0.05)


def furnish(camera: LuminousCamera, *, person: bool = False) -> None:
    """From now on it sees the room, with or without somebody."""
    frame = camera._frame
    frame.y[...], frame.u[...], frame.v[...] = ROOM, CHROMA, CHROMA
    frame.full_range = True
    if person:
        frame.y[:, :32] = 200


def remembers(daemon: Daemon) -> KeptRoom:
    """Give it a memory of the room, and wait until it has that."""
    daemon.until(lambda: daemon.life.pipeline is not None)
    pipeline, kept = daemon.life.pipeline, KeptRoom(SIZE, None, alone=False)
    assert pipeline is not None
    daemon.life.mailbox.post(lambda: pipeline.matting.exchange_room(RoomChoice(kept))).result(5)
    return kept


class Learning(Daemon):
    """A daemon that can learn the empty room it sees; all that it ever shows is looked at in the end."""

    slow = False
    """Whether the network is not there at once."""

    def __init__(self, settings: Settings = SETTINGS, **more: Any) -> None:
        super().__init__(settings, **more)
        for camera in self.cameras:
            furnish(camera)

    def camera(self, *given: Any) -> Any:
        made = super().camera(*given)
        furnish(self.cameras[-1])
        return made

    def __enter__(self) -> Learning:
        super().__enter__()
        if not self.slow:
            self.kept = remembers(self)
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__(*exc)
        assert not any(shows_room(picture) for picture in self.pictures())

    @property
    def known(self) -> float:
        return float(self.kept.status()["known"])

    def learn(self, wait: float = 0.0, **more: Any) -> Lesson:
        lesson = Lesson(wait, **more)
        self.life.learn(lesson)
        return lesson

    def begun(self, wait: float = 30.0) -> Lesson:
        """A lesson in its countdown, with the camera on."""
        lesson = self.learn(wait)
        self.until(lambda: self.life.state is State.LEARNING and self.life.keeper.ready)
        return lesson


def shows_room(picture: Frame) -> bool:
    return bool((picture.u == CHROMA).any() or (picture.v == CHROMA).any())


def is_card(picture: Frame) -> bool:
    return bool((picture.u == 130).all() and (picture.v == 127).all())


def refused(lesson: Lesson) -> VcamError:
    error = lesson.done.exception(10)
    assert isinstance(error, VcamError)
    return error


def test_the_placeholder_is_shown_all_the_while_and_then_the_picture_goes_on() -> None:
    with Learning() as daemon:
        daemon.until(lambda: daemon.life.state is State.LIVE)
        states: list[tuple[State, int]] = []
        daemon.life.observers.append(lambda state, cause: states.append((state, len(daemon.screen.frames))))
        result = daemon.learn(0.3).done.result(10)
        assert result == {"known": 100.0, "people": 0.0, "moving": 0.0, "file": ""}
        assert daemon.known == 1.0
        daemon.until(lambda: daemon.life.state is State.LIVE)
        daemon.more()
        assert [state for state, _ in states] == [State.LEARNING, State.WAITING, State.LIVE]
        shown = list(daemon.pictures())
        learning, after = shown[states[0][1] : states[1][1]], shown[states[2][1] :]
        assert len(learning) > 20
        assert all(map(is_card, learning))
        assert not any(map(is_card, after))
        assert daemon.cameras[0].opened == 1
        mine = daemon.kept._known
        assert mine is not None
        assert np.array_equal(mine.frame.y, ROOM)


def test_the_countdown_stands_on_the_placeholder() -> None:
    with Learning() as daemon:
        daemon.learn(2.0).done.result(10)
        shown = daemon.screen.frames
        for words in ("step out of the picture: 2", "step out of the picture: 1"):
            card = placeholder(SIZE, words).packed()
            assert any(np.array_equal(card, picture) for picture in shown), words


def test_nobody_has_to_watch_and_the_camera_goes_off_after_it() -> None:
    with Learning() as daemon:
        daemon.screen.watchers = False
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.until(lambda: not daemon.cameras[0].is_open)
        before = daemon.cameras[0].opened
        daemon.learn(0.1).done.result(10)
        assert daemon.life.state is State.IDLE
        daemon.until(lambda: not daemon.cameras[0].is_open)
        assert daemon.cameras[0].opened == before + 1
        assert daemon.known == 1.0


def test_somebody_in_the_picture_is_refused_and_what_was_known_stays() -> None:
    with Learning() as daemon:
        daemon.learn().done.result(10)
        before = daemon.kept._known
        furnish(daemon.cameras[0], person=True)
        error = refused(daemon.learn())
        assert (error.message, error.exit_status) == ("somebody is in the picture", 1)
        assert "--force" in error.hint
        assert daemon.kept._known is before
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.learn(force=True).done.result(10)["known"] == 100.0
        assert daemon.kept._known is not before
        # else the person, whom the network sees, would be checked for showing the room
        furnish(daemon.cameras[0])
        daemon.more()


def test_one_that_is_broken_off_leaves_nothing_and_the_picture_goes_on() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.life.break_off(lesson)
        assert "broken off" in refused(lesson).message
        daemon.until(lambda: daemon.life.state is State.LIVE, 1.0)
        assert daemon.known == 0.0
        # once more does nothing, nor to the next one
        other = daemon.begun()
        daemon.life.break_off(lesson)
        daemon.more()
        assert daemon.life.state is State.LEARNING
        daemon.life.break_off(other)


def test_only_one_at_a_time() -> None:
    with Learning() as daemon:
        first = daemon.begun(1.0)
        assert "already" in refused(daemon.learn()).message
        assert daemon.life.state is State.LEARNING
        assert first.done.result(10)["known"] == 100.0
        assert daemon.learn().done.result(10)["known"] == 100.0


def test_a_pause_ends_it_and_the_camera_stays_off() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.life.pause().result(5)
        assert daemon.life.state is State.PAUSED
        assert "paused" in refused(lesson).message
        daemon.until(lambda: not daemon.cameras[0].is_open)
        assert "vcam resume" in refused(daemon.learn()).hint
        assert not daemon.cameras[0].is_open
        daemon.life.resume().result(5)
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_the_end_of_vcam_ends_it() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.life.stop()
        assert "stopping" in refused(lesson).message
        daemon.thread.join(5)
        assert "stopping" in refused(daemon.learn()).message


def test_another_camera_ends_it() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.set(camera__source="two")
        assert "settings were changed" in refused(lesson).message
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_another_background_or_size_meanwhile_shows_no_room() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        daemon.set(background__spec="color:#c02020", matte__edge=3.0)
        assert all(map(is_card, daemon.more(10)))
        assert daemon.life.state is State.LEARNING
        daemon.life.break_off(lesson)
        refused(lesson)


def test_an_output_that_comes_meanwhile_gets_placeholders_too() -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        other = Screen()
        daemon.life.mailbox.post(lambda: daemon.life.outlets.add(other)).result(5)
        daemon.until(lambda: len(other.frames) > 5)
        assert all(is_card(Frame.wrap(packed, *SIZE)) for packed in other.frames[:5])
        # whoever writes: nothing of the room gets through
        frame = Frame.allocate(*SIZE)
        frame.u.fill(CHROMA)
        daemon.life.mailbox.post(lambda: daemon.life.outlets.write(frame)).result(5)
        daemon.life.break_off(lesson)
        refused(lesson)
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert not any(shows_room(Frame.wrap(packed, *SIZE)) for packed in other.frames)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (CameraError("it was unplugged", "plug it in"), "it was unplugged"),
        (ZeroDivisionError("a bug"), "unexpected ZeroDivisionError"),
        (None, "has ended"),
    ],
    ids=["lost", "bug", "end"],
)
def test_a_camera_that_is_lost_ends_it_and_comes_back(fault: Exception | None, said: str) -> None:
    with Learning() as daemon:
        lesson = daemon.begun()
        camera = daemon.cameras[0]
        read = camera.read

        def fails() -> Frame | None:
            camera.read = read  # type: ignore[method-assign]
            if fault is not None:
                raise fault
            return None

        camera.read = fails  # type: ignore[method-assign]
        error = refused(lesson)
        assert isinstance(error, CameraError)
        assert said in error.message
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.known == 0.0


def test_a_camera_that_hangs_shows_no_last_picture() -> None:
    with Learning(SETTINGS.replace(camera__timeout=0.3)) as daemon:
        daemon.live()
        lesson = daemon.begun()
        camera = daemon.cameras[0]
        read = camera.read

        def hangs() -> Frame:
            time.sleep(0.02)
            raise CameraStalled("late")

        camera.read = hangs  # type: ignore[method-assign,assignment]
        shown = daemon.more(4)
        assert all(map(is_card, shown))
        assert isinstance(refused(lesson), CameraStalled)
        camera.read = read  # type: ignore[method-assign]
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.life.monitor.repeated == 0


def test_a_camera_that_cannot_be_had_is_said_at_once() -> None:
    with Learning() as daemon:
        daemon.screen.watchers = False
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.cameras[0].fault = CameraError("it is in use by zoom", "close zoom")
        error = refused(daemon.learn(30.0))
        assert (error.message, error.exit_status) == ("it is in use by zoom", 69)
        daemon.until(lambda: daemon.life.state is State.IDLE)


def test_without_a_network_it_is_refused() -> None:
    with Learning(SETTINGS.replace(background__spec="none")) as daemon:
        assert isinstance(refused(daemon.learn()), UsageError)
        # what this shows is the room: a person wants it so
        daemon.life.pause().result(5)
        daemon.screen.frames.clear()


def test_what_was_seen_meanwhile_does_not_weigh_in_on_what_comes_after() -> None:
    with Learning() as daemon:
        daemon.live()
        resets = daemon.networks[0].resets
        daemon.learn().done.result(10)
        assert daemon.networks[0].resets == resets + 2


def test_a_room_that_cannot_be_taken_over_is_said() -> None:
    with Learning() as daemon:

        def told(room: Any) -> None:
            raise RuntimeError("no room for it")

        daemon.kept.told = told  # type: ignore[method-assign]
        assert "no room for it" in refused(daemon.learn()).message
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_while_the_network_is_loaded_it_is_waited_for() -> None:
    go, daemon = threading.Event(), Learning()
    opens, daemon.slow = daemon.life._open_pipeline, True

    def slowly(*given: Any) -> Any:
        go.wait(10)
        pipeline = opens(*given)
        pipeline.matting.exchange_room(RoomChoice(KeptRoom(SIZE, None, alone=False)))
        return pipeline

    daemon.life._open_pipeline = slowly
    with daemon:
        lesson = daemon.learn()
        daemon.until(lambda: daemon.life.state is State.LEARNING and len(daemon.screen.frames) > 5)
        go.set()
        assert lesson.done.result(10)["known"] == 100.0


@pytest.fixture
def teachable(steered: Steered) -> Steered:
    """A daemon that can be steered and has a memory of its room."""
    daemon = steered.daemon
    remembers(daemon)
    furnish(daemon.cameras[0])
    return steered


def goes_on(steered: Steered, seconds: float = 2.0) -> None:
    steered.daemon.until(lambda: steered.daemon.life.state is State.LIVE, seconds)


def test_a_client_hears_how_far_it_is_and_what_has_come_of_it(teachable: Steered, client: ControlClient) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    client.call("subscribe", {"events": ["learning"]})
    told = client.call("room_learn", {"wait": 1.1}, lambda *event: heard.append(event))
    assert told == {"known": 100.0, "people": 0.0, "moving": 0.0, "file": ""}
    assert {event for event, _ in heard} == {"learning"}
    assert heard[0][1] == {"step": "countdown", "left_s": 2, "done": 0.0}
    assert [told["step"] for _, told in heard][-1] == "looking"
    assert client.call("status")["state"] in ("waiting", "live")


@pytest.mark.parametrize("params", [{"wait": -1}, {"wait": 61}, {"wait": "soon"}, {"force": 1}, {"forced": True}])
def test_what_cannot_be_meant_is_refused(teachable: Steered, client: ControlClient, params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        client.call("room_learn", params)
    assert client.call("status")["state"] == "live"


def ask(**params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "room_learn", "params": params, "id": 1}).encode() + b"\n"


def connect(*lines: bytes) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(10)
    peer.connect(str(socket_path("control")))
    for line in lines:
        peer.sendall(line)
    return peer


def test_a_client_that_goes_ends_it(teachable: Steered) -> None:
    peer = connect(ask(wait=60))
    teachable.daemon.until(lambda: teachable.daemon.life.state is State.LEARNING)
    peer.close()
    goes_on(teachable)
    # as does one that has gone before it is read
    connect(ask(wait=60)).close()
    time.sleep(0.2)
    goes_on(teachable)


def test_a_client_that_has_nothing_more_to_say_is_still_there(teachable: Steered) -> None:
    with connect(ask(wait=0.5)) as peer:
        peer.shutdown(socket.SHUT_WR)
        assert json.loads(peer.makefile().readline())["result"]["known"] == 100.0


def test_a_client_that_goes_ends_no_other_s(teachable: Steered) -> None:
    with connect(ask(wait=0.6)) as peer:
        teachable.daemon.until(lambda: teachable.daemon.life.state is State.LEARNING)
        other = connect(ask(wait=60))
        assert b"already" in other.recv(4096)
        other.close()
        assert json.loads(peer.makefile().readline())["result"]["known"] == 100.0


def test_the_command_says_what_it_does_and_what_has_come_of_it(teachable: Steered) -> None:
    done = run("room", "learn", "--wait", "0")
    assert done.exception is None
    assert done.stdout == "done: 100 % known\n"
    assert "step out of the picture" in done.stderr
    assert "kept on this machine" in done.stderr
    done = run("room", "learn", "--wait", "0", "--json")
    assert json.loads(done.stdout) == {"known": 100.0, "people": 0.0, "moving": 0.0, "file": ""}
    done = run("-q", "room", "learn", "--wait", "0")
    assert (done.stdout, done.stderr) == ("done: 100 % known\n", "")


def test_the_command_tells_of_what_it_leaves_out(teachable: Steered) -> None:
    def sees(frame: Frame) -> np.ndarray:
        seen = np.zeros((SIZE[1], SIZE[0]), np.float32)
        seen[20:26, 40:46] = 0.9
        return seen

    teachable.daemon.networks[0]._script = sees
    done = run("room", "learn", "--wait", "0")
    assert done.stdout.startswith("done: ")
    assert "for somebody" in done.stderr
    assert "--force" in done.stderr
    assert run("room", "learn", "--wait", "0", "--force").stdout == "done: 100 % known\n"


def test_the_command_says_where_it_is_not_written_down(teachable: Steered, client: ControlClient) -> None:
    teachable.daemon.life.settings = teachable.daemon.life.settings.replace(segment__private=True)
    assert "not written down" in run("room", "learn", "--wait", "0").stderr


def test_the_command_s_errors(teachable: Steered) -> None:
    furnish(teachable.daemon.cameras[0], person=True)
    error = run("room", "learn", "--wait", "0").exception
    assert isinstance(error, VcamError)
    assert (error.exit_status, error.message) == (1, "somebody is in the picture")
    for wait in ("soon", "-1", "61", "nan", "inf"):
        assert isinstance(run("room", "learn", "--wait", wait).exception, click.UsageError)
    teachable.daemon.life.pause().result(5)
    assert "paused" in str(run("room", "learn", "--wait", "0").exception)


def test_a_loop_that_hangs_is_said_and_nothing_is_learnt_when_it_goes_on(
    teachable: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.daemon.watchdog.STUCK", 0.3)
    monkeypatch.setattr("vcam.daemon.watchdog.LOOK", 0.05)
    go, daemon = threading.Event(), teachable.daemon
    look = daemon.networks[0]._script

    def hangs(frame: Frame) -> np.ndarray:
        if daemon.life.state is State.LEARNING:
            go.wait(20)
        return np.asarray(look(frame))

    daemon.networks[0]._script = hangs
    done = run("room", "learn", "--wait", "0")
    assert done.return_value == 1
    assert "the loop is stuck" in done.stderr
    assert "nothing was learnt" in done.stderr
    go.set()
    goes_on(teachable)
    pipeline = daemon.life.pipeline
    assert pipeline is not None
    assert pipeline.matting.room_status["kept"] == ""


def test_without_a_daemon_the_command_says_how_to_start_one() -> None:
    error = run("room", "learn").exception
    assert isinstance(error, DeviceError)
    assert (error.exit_status, error.hint) == (69, "vcam start")


@pytest.mark.process
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_or_killed_ends_it(teachable: Steered, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "vcam", "room", "learn", "--wait", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    teachable.daemon.until(lambda: teachable.daemon.life.state is State.LEARNING, 20)
    process.send_signal(how)
    out, err = process.communicate(timeout=20)
    assert (out, b"Traceback" in err) == (b"", False)
    assert process.returncode == {signal.SIGINT: 130}.get(how, process.returncode)
    assert process.returncode
    goes_on(teachable)
