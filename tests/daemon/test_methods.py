"""The methods of the control socket, as a client finds them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.helpers import PERSON, Daemon, Steered, run
from tests.places import ROOT
from vcam.control.client import ControlClient
from vcam.control.place import make_sockets_folder, socket_path, sockets_folder
from vcam.control.protocol import METHODS
from vcam.daemon.base import State
from vcam.daemon.methods import Control
from vcam.daemon.moreoutputs import METHODS as OUTPUT_METHODS
from vcam.daemon.notify import Notifier
from vcam.daemon.origin import Origin
from vcam.daemon.streams import METHODS as STREAM_METHODS
from vcam.errors import ConfigError, DeviceError, UsageError, VcamError


def test_status_tells_what_people_ask(steered: Steered, client: ControlClient) -> None:
    status = client.call("status")
    assert (status["state"], status["watched"], status["pid"]) == ("live", True, os.getpid())
    assert 0 <= status["since_s"] <= status["uptime_s"] < 30
    assert status["frames"] > 0
    assert status["cause"] == "camera one"
    assert status["last_error"] is None
    assert status["camera"] == {"source": "one", "description": "camera one", "on": True}
    assert status["outputs"][0]["description"] == "recording"
    assert status["segmenter"] == "fake network"
    assert set(status["latency_ms"]) == {"p50", "p95", "p99"}
    assert set(status["cpu_ms"]) == {"read", "segment", "matte", "compose", "write"}
    reference = (ROOT / "docs/reference/control.md").read_text()
    for key in status:
        assert f"`{key}`" in reference, key


def test_the_state_names_the_camera_that_was_set_last(steered: Steered, client: ControlClient) -> None:
    client.call("set", {"camera.source": "two"})
    steered.daemon.until(lambda: client.call("status")["cause"] == "camera two")
    assert (State.LIVE, "camera two") in steered.daemon.told
    assert steered.daemon.life.words == "live: camera two"


def test_the_reference_names_every_method() -> None:
    reference = (ROOT / "docs/reference/control.md").read_text()
    for method in METHODS:
        assert f"`{method}`" in reference, method
        assert hasattr(Control, f"_do_{method}") or method in STREAM_METHODS | OUTPUT_METHODS


def test_get_and_set(steered: Steered, client: ControlClient) -> None:
    assert client.call("get", {"key": "matte.edge"}) == {"matte.edge": 2.0}
    assert client.call("set", {"matte.edge": "5", "camera.mirror": True})["changed"] == {
        "camera.mirror": True,
        "matte.edge": 5.0,
    }
    everything = client.call("get")
    assert (everything["matte.edge"], everything["camera.mirror"]) == (5.0, True)
    assert set(everything) == set(steered.settings)


def test_the_address_of_a_camera_is_shown_to_nobody_and_may_be_given_back(
    steered: Steered, client: ControlClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    address = "rtsp://admin:geheim77@host/user=admin&password=geheim77"
    PERSON[address] = PERSON["two"]
    try:
        assert client.call("set", {"camera.source": address})["changed"] == {"camera.source": "rtsp://host"}
        shown = client.call("get", {"key": "camera.source"})
        assert shown == {"camera.source": "rtsp://host"}
        assert client.call("get")["camera.source"] == "rtsp://host"
        assert client.call("status")["camera"]["source"] == "rtsp://host"
        # what was read may be written back
        assert client.call("set", shown)["changed"] == {}
        assert steered.settings["camera.source"] == address
    finally:
        del PERSON[address]
    assert "changed: camera.source = rtsp://host" in caplog.text
    assert not any("geheim77" in line for line in caplog.messages if line.startswith("changed"))


@pytest.mark.parametrize(
    ("method", "params", "kind", "said"),
    [
        ("get", {"key": "matte.egde"}, UsageError, "did you mean matte.edge"),
        ("set", {"matte.edge": 5, "matte.egde": 5}, UsageError, "did you mean matte.edge"),
        ("set", {"matte.edge": 99}, UsageError, "from -30 to 30"),
        ("set", {"matte.edge": 5, "output.size": "64x48"}, UsageError, "output.size"),
        ("set", {"camera.source": "three"}, DeviceError, "plug it in"),
        ("set", {"segment.model": "broken"}, VcamError, "damaged"),
        ("background", {"spec": "blurr"}, UsageError, "did you mean blur"),
        ("background", {"spec": __file__}, VcamError, "neither a picture"),
        ("profile", {"name": "nosuch"}, UsageError, "work"),
        ("dance", {}, UsageError, "status"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_cure_and_changes_nothing(
    steered: Steered, client: ControlClient, method: str, params: dict[str, Any], kind: type[VcamError], said: str
) -> None:
    before = steered.settings
    with pytest.raises(kind) as caught:
        client.call(method, params)
    assert said in str(caught.value)
    assert steered.settings == before
    assert client.call("status")["state"] == "live"


def test_a_profile_goes_before_what_vcam_was_started_with_and_is_left_again(
    steered: Steered, client: ControlClient
) -> None:
    client.call("set", {"matte.softness": 0.9})
    client.call("profile", {"name": "work"})
    now = client.call("get")
    assert (now["background.spec"], now["matte.edge"], now["matte.softness"]) == ("color:#c02020", 7.0, 0.9)
    assert client.call("status")["profile"] == "work"
    client.call("reload")
    assert client.call("get", {"key": "matte.edge"}) == {"matte.edge": 7.0}
    client.call("profile", {"name": ""})
    assert client.call("get", {"key": "matte.edge"}) == {"matte.edge": 2.0}


def test_reload_reads_the_file_again_and_says_what_needs_a_new_start(steered: Steered, client: ControlClient) -> None:
    steered.config.write_text("[matte]\nsoftness = 0.7\n[output]\nfps = 15\n")
    assert client.call("reload") == {"changed": {"matte.softness": 0.7}, "restart": ["output.fps"]}


@pytest.mark.parametrize("text", ["[matte]\nsoftness = 7\n", "[matte]\nsoftnes = 0.7\n", "[matte\n", "\xff"])
def test_a_config_file_that_broke_is_told_and_the_old_settings_stay(
    steered: Steered, client: ControlClient, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = steered.settings
    steered.config.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        client.call("reload")
    assert str(steered.config) in caught.value.message
    assert steered.settings == before
    assert "the old settings stay" in caplog.text


class Heard(Notifier):
    """Keeps what the service manager would hear of reloads."""

    def __init__(self) -> None:
        super().__init__({})
        self.said: list[str] = []

    def reloading(self) -> None:
        self.said.append("reloading")

    def ready(self, status: str) -> None:
        self.said.append(f"ready, {status}")


def test_the_service_manager_hears_when_a_reload_begins_and_what_has_come_of_it(
    steered: Steered, client: ControlClient
) -> None:
    notifier = steered.daemon.life.notifier = Heard()
    client.call("reload")
    assert notifier.said == ["reloading", "ready, live: camera one"]
    steered.config.write_text("[matte]\nsoftness = 7\n")
    with pytest.raises(ConfigError):
        client.call("reload")
    assert notifier.said[2] == "reloading"
    assert notifier.said[3].startswith("ready, live: camera one; the old settings stay: ")


def test_what_needs_a_new_start_after_a_reload_is_in_the_log(
    steered: Steered, caplog: pytest.LogCaptureFixture
) -> None:
    steered.config.write_text("[output]\nfps = 15\n")
    steered.control.reload()
    steered.daemon.until(lambda: "these take effect after a restart: output.fps" in caplog.text)


def test_subscribers_hear_of_states_and_figures(steered: Steered, client: ControlClient) -> None:
    assert client.call("subscribe", {"events": ["state", "metrics"]})["state"] == "live"
    with ControlClient() as other:
        other.call("pause")
    heard: dict[str, Any] = {}
    for event, contents in client.notifications():
        heard.setdefault(event, contents)
        if len(heard) == 2:
            break
    assert heard["state"] == {"state": "paused", "cause": "on request"}
    assert heard["metrics"]["state"] == "paused"


def test_pause_and_resume(steered: Steered, client: ControlClient) -> None:
    client.call("pause")
    assert client.call("status")["state"] == "paused"
    assert client.call("status")["cause"] == "on request"
    assert not client.call("status")["camera"]["on"]
    client.call("resume")
    steered.daemon.until(lambda: steered.daemon.life.state is State.LIVE)


def test_a_program_ends_no_pause_but_its_own(steered: Steered, client: ControlClient) -> None:
    mine = {"by": "vcam learn"}

    def state() -> object:
        return client.call("status")["state"]

    client.call("pause", mine)
    assert state() == "paused"
    assert client.call("resume", {"by": "another"}) == {}
    assert state() == "paused"
    client.call("resume", mine)
    assert state() != "paused"
    # a person pauses meanwhile
    client.call("pause", mine)
    client.call("pause")
    client.call("resume", mine)
    assert state() == "paused"
    # a person had paused before; and by one key
    client.call("pause", mine)
    client.call("resume", mine)
    assert state() == "paused"
    client.call("resume")
    assert state() != "paused"
    client.call("toggle", {"what": "pause"})
    client.call("pause", mine)
    client.call("resume", mine)
    assert state() == "paused"
    client.call("toggle", {"what": "pause"})
    client.call("pause", mine)
    client.call("resume", mine)
    assert state() != "paused"


def test_stop_ends_the_daemon(steered: Steered, client: ControlClient) -> None:
    client.call("stop")
    steered.daemon.thread.join(30)
    assert not steered.daemon.thread.is_alive()


def test_a_second_daemon_is_told_who_is_there(steered: Steered) -> None:
    with pytest.raises(DeviceError, match=str(os.getpid())) as caught:
        Control(Daemon().life, Origin())
    assert "vcam status" in caught.value.hint
    with Control(Daemon().life, Origin(), "second"), ControlClient("second") as client:
        assert client.call("version")["protocol"] == 1


def test_the_folder_and_the_lock_are_for_the_owner_alone(steered: Steered) -> None:
    folder = sockets_folder()
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())} == {
        "vcam": "0o700", "control.lock": "0o600", "control.sock": "0o600", "control.frames": "0o600",
    }  # fmt: skip


@pytest.mark.process
@pytest.mark.engine
def test_a_real_daemon_follows_signals_and_commands_and_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[matte]\nedge = 1\n")
    monkeypatch.setenv("VCAM_CONFIG", str(config))
    words = ["start", "--camera", "demo", "--output", "null", "--size", "320x180"]
    for how in ("signal", "command"):
        process = subprocess.Popen([sys.executable, "-m", "vcam", *words], stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            assert any("live" in line for line in lines)
            if how == "signal":
                config.write_text("[matte]\nedge = 6\n")
                process.send_signal(signal.SIGHUP)
                assert any("matte.edge = 6" in line for line in lines)
                process.send_signal(signal.SIGUSR1)
                dumped = next(line for line in lines if "status:" in line)
                assert json.loads(dumped.partition("status: ")[2])["state"] == "live"
                begun = time.monotonic()
                process.send_signal(signal.SIGTERM)
            else:
                begun = time.monotonic()
                assert run("stop").exception is None
            assert process.wait(30) == 0
            assert time.monotonic() - begun < 15
        finally:
            process.kill()
            process.communicate()
        assert not socket_path().exists()


def test_a_socket_that_a_dead_daemon_left_is_no_daemon() -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(make_sockets_folder() / "control.sock"))
    assert isinstance(run("status").exception, DeviceError)
    with Control(Daemon().life, Origin()), ControlClient() as client:
        assert client.call("version")


def test_without_a_place_for_the_socket_the_camera_works_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    sockets_folder().symlink_to(tmp_path / "elsewhere")
    daemon = Daemon()
    with Control(daemon.life, Origin()) as control, daemon:
        assert "cannot be steered" in caplog.text
        daemon.live()
        # nobody is there to tell
        control.dump()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_figures_are_served_where_the_settings_want_it(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    steered = Steered(tmp_path, {"daemon.metrics_port": port})
    with steered.control, steered.daemon:
        steered.daemon.live()
        text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        assert 'vcam_state{state="live"} 1' in text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics")


def test_a_port_that_is_taken_is_told_and_the_name_is_free_again(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        steered = Steered(tmp_path, {"daemon.metrics_port": taken.getsockname()[1]})
        with pytest.raises(UsageError, match="cannot be used for metrics"), steered.control:
            pass
    with Control(Daemon().life, Origin()):
        pass
