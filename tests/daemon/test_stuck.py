"""A loop that hangs, as in a driver: it is told, it can be steered, and the virtual camera shows a placeholder."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.daemon.helpers import SIZE, Daemon, LuminousCamera, Screen, bright, run
from vcam.compose.placeholder import placeholder
from vcam.control.client import ControlClient
from vcam.control.metrics import prometheus_text
from vcam.daemon.base import State
from vcam.daemon.methods import Control
from vcam.daemon.origin import Origin
from vcam.daemon.outlets import Outlets
from vcam.errors import UsageError
from vcam.frames import Frame
from vcam.output.encoded.record import RecordOutput
from vcam.testing import FakeSegmenter, RecordingOutput, pattern_frame


class AnyThread(Screen):
    """A virtual camera to which another thread may show placeholders."""

    any_thread = True


SOON, NEVER = 0.3, 1000.0
"""Seconds after which a loop counts as stuck: one that turns may rest for a second on a busy machine, so that this is
short only while the loop hangs."""


class Hanging(FakeSegmenter):
    """A network that hangs for as long as `go` is not set."""

    def __init__(self) -> None:
        super().__init__(bright, SIZE)
        self.go, self.hangs = threading.Event(), threading.Event()
        self.go.set()

    def segment(self, frame: Frame) -> Any:
        if not self.go.is_set():
            self.hangs.set()
            self.go.wait(60)
        return super().segment(frame)


@pytest.fixture
def network() -> Hanging:
    return Hanging()


@pytest.fixture
def daemon(quick: None, network: Hanging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon that can be steered, and whose network can be made to hang."""
    monkeypatch.setattr("vcam.daemon.watchdog.STUCK", NEVER)
    monkeypatch.setattr("vcam.daemon.watchdog.LOOK", 0.05)
    monkeypatch.setattr("vcam.daemon.watchdog.PLACEHOLDER_INTERVAL", 0.02)
    daemon = Daemon(screen=AnyThread(), finds=lambda: network)
    with Control(daemon.life, Origin({}, (), "", tmp_path / "none")), daemon:
        daemon.live()
        yield daemon
        network.go.set()


@pytest.fixture
def stuck(daemon: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    monkeypatch.setattr("vcam.daemon.methods.LOOP_PATIENCE", 0.2)
    hang(daemon, network, monkeypatch)
    return daemon


def hang(daemon: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    network.go.clear()
    assert network.hangs.wait(30)
    monkeypatch.setattr("vcam.daemon.watchdog.STUCK", SOON)
    daemon.until(lambda: bool(daemon.life.stuck))


def go_on(daemon: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    network.go.set()
    daemon.until(lambda: not daemon.life.stuck)
    monkeypatch.setattr("vcam.daemon.watchdog.STUCK", NEVER)


def card(words: str) -> np.ndarray:
    return placeholder(SIZE, words).packed()


def shows(daemon: Daemon, words: str) -> bool:
    return np.array_equal(daemon.screen.frames[-1], card(words))


def test_status_says_that_it_is_stuck_for_how_long_and_in_what(
    stuck: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ControlClient(timeout=30) as client:
        seen = client.call("status")
        assert seen["state"] == "stuck"
        first = seen["frame_age_s"]
        assert SOON <= first < 60
        assert re.fullmatch(r"no frame for \d+ s, in stage segment", seen["cause"])
        time.sleep(0.1)
        assert client.call("status")["frame_age_s"] >= first + 0.09
        text = prometheus_text(seen)
        assert 'vcam_state{state="stuck"} 1' in text
        assert f"vcam_frame_age_seconds {first}" in text
        assert re.search(r"stuck, \d+ s: no frame for \d+ s, in stage segment", run("status").output)
        go_on(stuck, network, monkeypatch)
        seen = client.call("status")
        assert (seen["state"], seen["cause"]) == ("live", "camera one")
        stuck.until(lambda: client.call("status")["frame_age_s"] < SOON)


def test_a_loop_that_turns_is_not_stuck_whatever_it_shows(daemon: Daemon) -> None:
    for wanted, ask in ((State.PAUSED, daemon.life.pause), (State.LIVE, daemon.life.resume)):
        ask().result(30)
        daemon.until(lambda wanted=wanted: daemon.life.state is wanted)  # type: ignore[misc]
        ages = []
        for _ in range(40):
            assert daemon.life.stuck == ""
            ages.append(daemon.life.monitor.frame_age or 0.0)
            time.sleep(0.02)
        # one that does not count what it shows is half a second old by then, and ever older
        assert min(ages[-15:]) < SOON


def test_the_virtual_camera_shows_a_placeholder_meanwhile_and_no_old_frame_after_it(
    stuck: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck.until(lambda: shows(stuck, "the picture hangs"))
    start = len(stuck.screen.frames)
    # it goes on to show it, as a device that nothing is written to stalls
    stuck.until(lambda: len(stuck.screen.frames) > start + 3)
    old = max(number for number in stuck.screen.numbers if number >= 0)
    start = len(stuck.screen.frames)
    go_on(stuck, network, monkeypatch)
    stuck.more(3)
    late = stuck.screen.numbers[start:]
    # the frame that was in hand is as old as the loop hung
    assert old + 1 not in late, (old, late[:5])
    assert max(late) > old + 1


def test_a_pause_is_answered_at_once_and_no_frame_leaves_after_it(
    stuck: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()
    with ControlClient(timeout=30) as client:
        assert "in stage segment" in client.call("pause")["stuck"]
        said = run("pause")
        assert "stuck" in said.stderr
        assert time.monotonic() - begun < 15
        stuck.until(lambda: shows(stuck, "paused"))
        start = len(stuck.screen.frames)
        go_on(stuck, network, monkeypatch)
        stuck.until(lambda: stuck.life.state is State.PAUSED)
        stuck.more(3)
        assert all(np.array_equal(picture, card("paused")) for picture in stuck.screen.frames[start:])
        stuck.until(lambda: not stuck.cameras[0].is_open)
        client.call("resume")
        stuck.until(lambda: stuck.life.state is State.LIVE)


def test_a_pause_that_comes_as_the_loop_begins_to_hang_is_answered_within_a_second(
    daemon: Daemon, network: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.daemon.methods.LOOP_PATIENCE", 0.2)
    network.go.clear()
    assert network.hangs.wait(30)
    with ControlClient(timeout=30) as client:
        begun = time.monotonic()
        assert client.call("pause")["stuck"] == "no answer from the loop for 0.2 s"
        assert time.monotonic() - begun < 15
        network.go.set()
        daemon.until(lambda: daemon.life.state is State.PAUSED)


def test_a_pause_of_a_loop_that_turns_says_nothing_of_that(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    # on a busy machine it takes its time
    monkeypatch.setattr("vcam.daemon.methods.LOOP_PATIENCE", 20.0)
    with ControlClient(timeout=30) as client:
        assert client.call("pause") == {}
        assert client.call("resume") == {}


@pytest.mark.parametrize(
    ("method", "params", "seen"),
    [
        ("set", {"matte.edge": "5"}, lambda life: life.settings.matte.edge == 5),
        ("background", {"spec": "color:#ff0000"}, lambda life: life.settings.background.spec == "color:#ff0000"),
        ("profile", {"name": ""}, lambda life: life.settings.matte.edge == 7),
        ("reload", {}, lambda life: life.settings.matte.edge == 7),
    ],
)
def test_a_change_is_answered_soon_and_made_when_the_loop_goes_on(
    stuck: Daemon,
    network: Hanging,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    params: dict[str, str],
    seen: Callable[[Any], bool],
) -> None:
    before = stuck.life.settings
    monkeypatch.setattr(Origin, "read", lambda origin, profile="": before.replace(matte__edge=7))
    with ControlClient(timeout=30) as client:
        begun = time.monotonic()
        assert "in stage segment" in client.call(method, params)["stuck"]
        assert time.monotonic() - begun < 20
        assert stuck.life.settings is before
    go_on(stuck, network, monkeypatch)
    stuck.until(lambda: seen(stuck.life))
    monkeypatch.setattr("vcam.daemon.methods.LOOP_PATIENCE", 20.0)
    with ControlClient(timeout=30) as client:
        assert "stuck" not in client.call("set", {"matte.edge": "2"})


def test_changes_that_wait_behind_each_other_are_answered_and_a_mistake_is_told(
    stuck: Daemon, network: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    with ControlClient(timeout=30) as client:
        with pytest.raises(UsageError, match=r"matte\.edge"):
            client.call("set", {"matte.edge": "far"})
        begun = time.monotonic()
        assert "stuck" in client.call("set", {"matte.edge": "5"})
        assert "stuck" in client.call("set", {"matte.edge": "too far"})
        assert time.monotonic() - begun < 20
        network.go.set()
        stuck.until(lambda: "asked for while the loop hung: matte.edge" in caplog.text)
    assert stuck.life.settings.matte.edge == 5


def test_the_command_says_that_a_change_waits_and_does_not_save_it(stuck: Daemon, tmp_path: Path) -> None:
    said = run("set", "matte.edge=5", "--save")
    assert said.exit_code == 0
    assert "the loop is stuck" in said.stderr
    assert "not saved" in said.stderr
    assert "saved in" not in said.stdout
    assert not (tmp_path / "none").exists()


def test_a_slow_change_of_a_loop_that_turns_is_waited_for(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.daemon.methods.LOOP_PATIENCE", 0.1)
    change = daemon.life.changer.change

    def slow(wish: Any, **words: Any) -> Any:
        def wished(current: Any) -> Any:
            time.sleep(0.5)
            return wish(current)

        return change(wished, **words)

    monkeypatch.setattr(daemon.life.changer, "change", slow)
    with ControlClient(timeout=30) as client:
        assert client.call("set", {"matte.edge": "5"})["changed"] == {"matte.edge": 5}


def test_a_recording_that_waits_for_the_loop_is_answered_too(
    stuck: Daemon, network: Hanging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ControlClient(timeout=30) as client:
        assert "in stage segment" in client.call("record_start", {"file": str(tmp_path / "talk.mkv")})["stuck"]
        go_on(stuck, network, monkeypatch)
        stuck.until(lambda: any(isinstance(output, RecordOutput) for output in stuck.life.outlets.outputs))
        client.call("record_stop")


def test_the_command_says_that_a_recording_waits(stuck: Daemon, tmp_path: Path) -> None:
    said = run("record", "start", str(tmp_path / "talk.mkv"))
    assert said.exit_code == 0
    assert "the loop is stuck (no frame for" in said.stderr
    assert not said.stdout


def test_the_frame_in_hand_does_not_leave_after_a_pause_was_asked_for(daemon: Daemon, network: Hanging) -> None:
    network.go.clear()
    assert network.hangs.wait(30)
    paused = daemon.life.pause()
    start = len(daemon.screen.frames)
    network.go.set()
    paused.result(30)
    daemon.more(2)
    assert all(np.array_equal(picture, card("paused")) for picture in daemon.screen.frames[start:])


def test_it_is_told_once_to_the_log_and_to_whoever_observes(
    daemon: Daemon, network: Hanging, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[State] = []
    daemon.life.observers.append(lambda state, cause: told.append(state))
    with caplog.at_level(logging.WARNING):
        hang(daemon, network, monkeypatch)
        daemon.until(lambda: State.STUCK in told)
        time.sleep(0.2)
        go_on(daemon, network, monkeypatch)
        daemon.until(lambda: told[-1] is State.LIVE)
    assert told.count(State.STUCK) == 1
    assert caplog.text.count("the loop is stuck: no frame for") == 1
    assert caplog.text.count("the loop goes on") == 1


def test_a_camera_that_hangs_is_told_too(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(LuminousCamera):
        go = threading.Event()

        def read(self) -> Frame | None:
            self.go.wait(60)
            return super().read()

    deaf = Deaf("one")
    deaf.is_open = True
    assert daemon.life.pipeline is not None
    daemon.life.mailbox.post(lambda: daemon.life.pipeline.exchange(camera=deaf)).result(30)  # type: ignore[union-attr]
    monkeypatch.setattr("vcam.daemon.watchdog.STUCK", SOON)
    daemon.until(lambda: daemon.life.stuck.endswith("in stage read"))
    daemon.until(lambda: shows(daemon, "the picture hangs"))
    deaf.go.set()


def test_an_output_of_one_thread_is_left_alone_and_one_that_hangs_is_not_waited_for() -> None:
    window, screen = Screen(), AnyThread()
    outlets = Outlets([window, screen])
    outlets.open(SIZE, 30)
    outlets.cover(pattern_frame(SIZE), lambda: True)
    assert (len(window.frames), len(screen.frames)) == (0, 1)
    outlets.cover(pattern_frame(SIZE), lambda: False)
    assert len(screen.frames) == 1
    with outlets._lock:
        other = threading.Thread(target=outlets.cover, args=(pattern_frame(SIZE), lambda: True))
        other.start()
        other.join(30)
        assert not other.is_alive()
    assert len(screen.frames) == 1


def test_a_recording_is_shown_placeholders_and_other_files_are_not() -> None:
    class Recording(RecordingOutput):
        def show(self, still: Frame) -> None:
            self.write(still)

    file, recording = RecordingOutput(), Recording()
    outlets = Outlets([file, recording])
    outlets.open(SIZE, 30)
    outlets.show(pattern_frame(SIZE))
    assert (len(file.frames), len(recording.frames)) == (0, 1)
