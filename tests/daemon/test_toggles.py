"""`vcam toggle`, `vcam profile` and the fade, at a daemon that runs."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.daemon.helpers import SIZE, Steered, run
from vcam import folders
from vcam.compose.placeholder import placeholder
from vcam.control.client import ControlClient
from vcam.daemon.base import State
from vcam.errors import UsageError
from vcam.output.encoded.record import RecordOutput
from vcam.settings import Settings
from vcam.types import Size


def test_mirror_pause_and_filters_are_switched_on_and_off(steered: Steered) -> None:
    for words, key, on, off in (
        (["mirror"], "camera.mirror", True, False),
        (["filter", "sharpen"], "filters.chain", ("sharpen",), ()),
        (["filter", "brightness:value=9"], "filters.chain", ("brightness:value=9",), ()),
    ):
        for state, value in (("on", on), ("off", off)):
            told = run("toggle", *words)
            assert told.exception is None
            assert told.output.strip().endswith(f": {state}")
            assert steered.settings[key] == value
    assert json.loads(run("toggle", "pause", "--json").output) == {"toggled": "pause", "on": True}
    assert steered.daemon.life.state is State.PAUSED
    assert "pause: off" in run("toggle", "pause").output
    assert steered.daemon.life.state is not State.PAUSED


def test_of_two_toggles_at_once_each_tells_what_it_has_done(steered: Steered) -> None:
    goes_on = threading.Event()

    def slow(settings: Settings) -> Settings:
        assert goes_on.wait(30)
        return settings

    before = steered.daemon.life.changer.change(slow)

    def toggle() -> bool:
        with ControlClient(timeout=30) as client:
            return bool(client.call("toggle", {"what": "mirror"})["on"])

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(toggle) for _ in range(2)]
        steered.daemon.until(lambda: len(steered.control._waiting) == 2)
        goes_on.set()
        assert sorted(each.result(30) for each in both) == [False, True]
    before.result(30)


def test_a_filter_is_taken_out_by_its_name_whatever_it_was_given(steered: Steered) -> None:
    run("set", "filters.chain=brightness:value=9;sharpen")
    run("toggle", "filter", "Brightness")
    assert steered.settings["filters.chain"] == ("sharpen",)


def test_what_cannot_be_toggled_is_told_and_changes_nothing(steered: Steered, client: ControlClient) -> None:
    before = steered.settings
    for params in ({"what": "filter", "value": "nosuch"}, {"what": "filter"}, {"what": "lights"}, {}):
        with pytest.raises(UsageError):
            client.call("toggle", params)
    assert steered.settings == before


def test_one_key_records_and_finishes_the_file(steered: Steered, tmp_path: Path) -> None:
    file = tmp_path / "talk.mkv"
    assert "record: on" in run("toggle", "record", str(file)).output
    assert any(isinstance(output, RecordOutput) for output in steered.daemon.life.outlets.outputs)
    assert "record: off" in run("toggle", "record").output
    assert not any(isinstance(output, RecordOutput) for output in steered.daemon.life.outlets.outputs)


def test_a_key_that_is_held_down_begins_one_recording(
    steered: Steered, client: ControlClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opens, goes_on = RecordOutput.open, threading.Event()

    def slow(self: RecordOutput, size: Size, fps: float) -> None:
        assert goes_on.wait(30)
        opens(self, size, fps)

    monkeypatch.setattr(RecordOutput, "open", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.call, "toggle", {"what": "record", "value": str(tmp_path / "one.mkv")})
        streams = steered.control._streams
        steered.daemon.until(lambda: streams._beginning is not None)
        error = run("toggle", "record", str(tmp_path / "two.mkv")).exception
        assert isinstance(error, UsageError)
        assert "just beginning" in error.message
        goes_on.set()
        # on a busy machine it may be told that the loop hangs meanwhile
        first.result(30)

    def recordings() -> int:
        return sum(isinstance(output, RecordOutput) for output in steered.daemon.life.outlets.outputs)

    steered.daemon.until(lambda: recordings() > 0)
    assert recordings() == 1
    assert "record: off" in run("toggle", "record").output


def test_without_a_file_it_is_recorded_where_videos_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert folders.videos() == tmp_path
    (tmp_path / "Videos").mkdir()
    assert folders.videos() == tmp_path / "Videos"
    (tmp_path / "config").mkdir()
    (tmp_path / "config/user-dirs.dirs").write_text('XDG_MUSIC_DIR="$HOME/M"\nXDG_VIDEOS_DIR="$HOME/Filme"\n')
    assert folders.videos() == tmp_path / "Videos"
    (tmp_path / "Filme").mkdir()
    assert folders.videos() == tmp_path / "Filme"


def test_profiles_are_listed_and_gone_through(steered: Steered, client: ControlClient) -> None:
    assert run("profile").output.split() == ["work"]
    assert "profile: work" in run("profile", "next").output
    assert "work (in use)" in run("profile", "list").output
    assert json.loads(run("profile", "--json").output)["profile"] == "work"
    assert steered.settings["matte.edge"] == 7
    assert "profile: none" in run("profile", "next").output
    run("profile", "previous")
    assert client.call("status")["profile"] == "work"
    run("profile", "none")
    assert (client.call("status")["profile"], steered.settings["matte.edge"]) == ("", 2.0)


def test_profiles_are_listed_without_a_vcam(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VCAM_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("[profiles.home.matte]\nedge = 1\n")
    assert run("profile").output.split() == ["home"]
    assert json.loads(run("profile", "list", "--json").output)["profile"] is None


def test_a_background_fades_where_that_is_wanted(steered: Steered) -> None:
    daemon = steered.daemon
    assert run("set", "background.fade=0.5").exception is None
    before = len(daemon.screen.frames)
    run("background", "color:#f0f0f0")
    daemon.until(lambda: int(daemon.more(1)[-1].y[30, 80]) > 215)
    luma = [int(frame.y[30, 80]) for frame in daemon.pictures(before)]
    # between the two, and nothing but upward
    assert luma == sorted(luma)
    assert len(set(luma)) > 5


def test_words_of_ones_own_are_shown_while_paused(steered: Steered, client: ControlClient) -> None:
    client.call("pause")
    plain = steered.daemon.more(2)[-1].y.copy()
    run("set", r"overlay.pause=back in\nfive minutes")
    said = steered.daemon.more(3)[-1].y.copy()
    assert (said != plain).any()
    card = placeholder(SIZE, "back in\nfive minutes")
    assert (said == card.y).all()
    client.call("resume")
