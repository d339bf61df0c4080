from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from tests.daemon.helpers import Daemon
from tests.places import ROOT
from vcam.cli.main import cli
from vcam.control import place as runtime
from vcam.control.client import ControlClient
from vcam.control.http import MetricsServer
from vcam.daemon import live as live_module
from vcam.daemon.live import State
from vcam.daemon.logs import LineFormatter, RepeatFilter
from vcam.daemon.methods import Control, Origin
from vcam.errors import ConfigError, DeviceError, InputError, UsageError, VcamError
from vcam.settings import flatten
from vcam.testing import FakeClock

OPTIONS = {
    "output.size": "96x64", "output.targets": ("null",), "background.spec": "color:#204080", "camera.source": "one",
    "matte.edge": 2.0,
}  # fmt: skip
CONFIG = """[matte]
softness = 0.5

[profiles.work]
background.spec = "color:#c02020"
matte.edge = 7
"""


class Steered:
    """A daemon with its control socket, and a client of it."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG)
        self.origin = Origin(OPTIONS, (), "", self.config)
        self.daemon = Daemon(self.origin.read())
        self.control = Control(self.daemon.life, self.origin)

    @property
    def settings(self) -> dict[str, Any]:
        return flatten(self.daemon.life.settings)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "PLACEHOLDER_INTERVAL", 0.002)
    monkeypatch.setattr("vcam.backoff.FIRST", 0.005)


@pytest.fixture
def steered(tmp_path: Path) -> Iterator[Steered]:
    steered = Steered(tmp_path)
    with steered.control, steered.daemon:
        steered.daemon.live()
        yield steered


@pytest.fixture
def client(steered: Steered) -> Iterator[ControlClient]:
    with ControlClient(timeout=10) as client:
        yield client


def run(*words: str) -> Any:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


def test_status_tells_what_people_ask(steered: Steered, client: ControlClient) -> None:
    status = client.call("status")
    assert (status["state"], status["watched"], status["pid"]) == ("live", True, os.getpid())
    assert status["camera"] == {"source": "one", "description": "camera one", "on": True}
    assert status["outputs"][0]["description"] == "recording"
    assert status["segmenter"] == "fake network"
    assert set(status["latency_ms"]) == {"p50", "p95", "p99"}
    assert set(status["cpu_ms"]) == {"read", "segment", "matte", "compose", "write"}
    reference = (ROOT / "docs/reference/control.md").read_text()
    for key in status:
        assert f"`{key}`" in reference, key


def test_the_table_tells_how_often_the_network_rested(steered: Steered, client: ControlClient) -> None:
    from rich.console import Console

    from vcam.cli.statusview import status_table

    status = client.call("status")
    assert status["skipped"] == 0
    shown = []
    for skipped in (0, 5):
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(status_table({**status, "skipped": skipped, "frames": 9}))
        shown.append("not asked for 5 of 9 frames" in console.export_text())
    assert shown == [False, True]


def test_the_reference_names_every_method() -> None:
    from vcam.control.protocol import METHODS
    from vcam.daemon.streams import METHODS as STREAM_METHODS

    reference = (ROOT / "docs/reference/control.md").read_text()
    for method in METHODS:
        assert f"`{method}`" in reference, method
        assert hasattr(Control, f"_do_{method}") or method in STREAM_METHODS


def test_get_and_set(steered: Steered, client: ControlClient) -> None:
    assert client.call("get", {"key": "matte.edge"}) == {"matte.edge": 2.0}
    assert client.call("set", {"matte.edge": "5", "camera.mirror": True})["changed"] == {
        "camera.mirror": True,
        "matte.edge": 5.0,
    }
    everything = client.call("get")
    assert (everything["matte.edge"], everything["camera.mirror"]) == (5.0, True)
    assert set(everything) == set(steered.settings)


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
        ("background", {"spec": __file__}, InputError.__base__, "neither a picture"),
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
    assert (now["background.spec"], now["matte.edge"], now["matte.softness"]) == ("color:#c02020", 7.0, 0.5)
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


def test_subscribers_hear_of_states_and_figures(steered: Steered, client: ControlClient) -> None:
    client.call("subscribe", {"events": ["state", "metrics"]})
    with ControlClient() as other:
        other.call("pause")
    heard: dict[str, Any] = {}
    for event, contents in client.notifications():
        heard.setdefault(event, contents)
        if len(heard) == 2:
            break
    assert heard["state"] == {"state": "paused", "cause": "asked to"}
    assert heard["metrics"]["state"] == "paused"


def test_pause_and_resume(steered: Steered, client: ControlClient) -> None:
    client.call("pause")
    assert client.call("status")["state"] == "paused"
    client.call("resume")
    steered.daemon.until(lambda: steered.daemon.life.state is State.LIVE)


def test_stop_ends_the_daemon(steered: Steered, client: ControlClient) -> None:
    client.call("stop")
    steered.daemon.thread.join(5)
    assert not steered.daemon.thread.is_alive()


def test_a_second_daemon_is_told_who_is_there(steered: Steered) -> None:
    with pytest.raises(DeviceError, match=str(os.getpid())) as caught:
        Control(Daemon().life, Origin())
    assert "vcam status" in caught.value.hint
    with Control(Daemon().life, Origin(), "second"), ControlClient("second") as client:
        assert client.call("version")["protocol"] == 1


def test_the_folder_and_the_lock_are_for_the_owner_alone(steered: Steered) -> None:
    folder = runtime.folder()
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())} == {
        "vcam": "0o700", "control.lock": "0o600", "control.sock": "0o600",
    }  # fmt: skip


def test_a_folder_of_somebody_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "elsewhere").mkdir()
    runtime.folder().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VcamError, match="not a folder of your own"):
        runtime.make_folder()
    # the camera matters more
    with Control(Daemon().life, Origin()):
        assert "cannot be steered" in caplog.text
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_without_a_runtime_folder_there_is_one_for_the_user_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert str(runtime.folder()) in (f"/run/user/{os.getuid()}/vcam", f"/tmp/vcam-{os.getuid()}")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 40, ".hidden"])
def test_a_daemons_name_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(UsageError):
        runtime.socket_path(name)


def test_without_a_daemon_the_commands_say_how_to_start_one() -> None:
    for words in (["status"], ["get"], ["set", "matte.edge=1"], ["background", "blur"], ["pause"], ["stop"], ["watch"]):
        error = run(*words).exception
        assert isinstance(error, DeviceError)
        assert (error.exit_status, error.hint) == (69, "vcam start")


def test_what_a_profile_has_is_saved_in_the_profile(steered: Steered) -> None:
    run("profile", "work")
    assert "[profiles.work]" in run("set", "camera.mirror=true", "matte.edge=6", "--save").output
    before = steered.settings
    run("reload")
    assert steered.settings == before
    run("profile")
    # this option of the start is stronger than the file
    assert (steered.settings["camera.mirror"], steered.settings["matte.edge"]) == (True, 2.0)


def test_settings_of_streams_count_for_those_to_come(steered: Steered) -> None:
    told = run("set", "stream.bitrate=3000", "stream.split=10min")
    assert "stream.bitrate = 3000" in told.output
    assert "from now on" in told.output
    assert "vcam stop" in run("set", "stream.record=x.mkv").exception.hint


def test_one_key_can_pause_and_resume(steered: Steered) -> None:
    run("pause", "--toggle")
    assert "paused" in run("status").output
    run("pause", "--toggle")
    assert "paused" not in run("status").output


def test_what_get_prints_can_be_given_to_set(steered: Steered) -> None:
    assert run("set", "filters.chain=grey;vignette:0.5").output == "filters.chain = grey;vignette:0.5\n"
    assert run("get", "filters.chain").output == "grey;vignette:0.5\n"
    everything = run("get").output.splitlines()
    assert run("set", *everything).exception is None


def test_a_file_is_meant_as_it_is_seen_from_the_folder_of_the_one_who_names_it(
    steered: Steered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("logo.png", np.zeros((8, 8, 3), np.uint8))
    assert run("set", "overlay.front=logo.png", "overlay.back=").output == f"overlay.front = {tmp_path}/logo.png\n"


def test_a_size_that_is_none_is_answered_with_what_is_one(steered: Steered) -> None:
    assert "Width and height" in run("set", "output.size=small").exception.hint


def test_the_commands_speak_to_people_and_to_scripts(steered: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("set", "matte.edge=4", "camera.mirror=true").output == "camera.mirror = true\nmatte.edge = 4.0\n"
    assert run("get", "matte.edge").output == "4.0\n"
    assert json.loads(run("get", "camera.mirror", "--json").output) is True
    assert "camera.mirror=true\n" in run("get").output
    assert json.loads(run("status", "--json").output)["state"] == "live"
    for word in ("live", "camera one, on", "fake network", "frames", "latency", "nothing"):
        assert word in run("status").output
    assert json.loads(run("pause", "--json").output) == {}
    assert "paused" in run("status").output
    assert run("resume").output == ""
    assert run("profile", "work").output.splitlines()[0] == "camera.mirror = false"
    assert run("set", "matte.edge=99").exception.exit_status == 2


def test_a_relative_file_is_meant_from_where_the_command_is_given(
    steered: Steered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cv2
    import numpy as np

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    cv2.imwrite("beach.png", np.zeros((20, 30, 3), np.uint8))
    assert run("background", "beach.png").exception is None
    assert steered.settings["background.spec"] == str(tmp_path / "here/beach.png")


def test_set_save_keeps_the_change_and_the_comments(steered: Steered) -> None:
    steered.config.write_text("# mine\n[matte]\nsoftness = 0.5  # soft\n")
    assert f"saved in {steered.config}" in run("set", "matte.softness=0.25", "camera.mirror=true", "--save").output
    text = steered.config.read_text()
    assert "# mine" in text
    assert "softness = 0.25  # soft" in text
    assert "mirror = true" in text
    refused = run("set", "matte.softness=9", "--save")
    assert isinstance(refused.exception, UsageError)
    assert steered.config.read_text() == text


def test_keys_backgrounds_and_profiles_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    monkeypatch.setenv("VCAM_CONFIG", str(tmp_path / "config.toml"))
    complete = ShellComplete(cli, {}, "vcam", "_VCAM_COMPLETE")

    def words(*given: str) -> list[str]:
        return [item.value for item in complete.get_completions(list(given[:-1]), given[-1])]

    assert "matte.edge=" in words("set", "matte.")
    assert "output.fps=" not in words("set", "output.")
    assert words("get", "output.f") == ["output.fps"]
    assert words("background", "bl") == ["blur", "blur:"]
    assert words("profile", "") == ["work"]


def test_metrics_are_served_to_this_machine_alone(steered: Steered) -> None:
    with MetricsServer(0, steered.control._status) as metrics:
        url = f"http://127.0.0.1:{metrics.port}"
        text = urllib.request.urlopen(f"{url}/metrics").read().decode()
        assert 'vcam_state{state="live"} 1' in text
        assert all(line.startswith("#") or len(line.rsplit(" ", 1)) == 2 for line in text.splitlines())
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}/etc/passwd")
        caught.value.close()
        assert metrics._server.server_address[0] == "127.0.0.1"
        with pytest.raises(UsageError, match="cannot be used"):
            MetricsServer(metrics.port, dict)


def record(text: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("vcam.x", level, "x.py", 1, text, args, None)


def test_a_log_line_has_the_journals_priority_and_stays_one_line() -> None:
    plain, journal = LineFormatter(journal=False), LineFormatter(journal=True)
    assert plain.format(record("a\nb")) == "vcam: a b"
    assert journal.format(record("lost %s", "it")) == "<4>lost it"
    assert journal.format(record("x", level=logging.INFO)) == "<6>x"


def test_a_line_that_comes_again_and_again_is_counted_instead() -> None:
    clock = FakeClock()
    quiet = RepeatFilter(clock=clock)
    assert [quiet.filter(record("lost %s", "it")) for _ in range(8)] == [True] * 5 + [False] * 3
    assert quiet.filter(record("lost %s", "that"))
    clock.now += 61
    last = record("lost %s", "it")
    assert quiet.filter(last)
    assert last.getMessage() == "lost it (and 3 times more since)"
    for number in range(2000):
        quiet.filter(record("%d", number))
    assert len(quiet._seen) <= 256


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
            assert process.wait(10) == 0
            assert time.monotonic() - begun < 3
        finally:
            process.kill()
            process.communicate()
        assert not runtime.socket_path().exists()


def test_a_socket_that_a_dead_daemon_left_is_no_daemon() -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(runtime.make_folder() / "control.sock"))
    assert isinstance(run("status").exception, DeviceError)
    with Control(Daemon().life, Origin()), ControlClient() as client:
        assert client.call("version")
