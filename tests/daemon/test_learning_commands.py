"""The empty room is learnt by request and by command: what is told, and whoever goes meanwhile ends it."""

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

from tests.daemon.helpers import SIZE, Steered, run
from tests.daemon.learning import furnish, remembers
from vcam.control.client import ControlClient
from vcam.control.place import socket_path
from vcam.daemon.base import State
from vcam.errors import DeviceError, UsageError, VcamError
from vcam.frames import Frame

pytestmark = pytest.mark.usefixtures("brief")


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
