"""The commands that steer a daemon that runs."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.shell_completion import ShellComplete
from rich.console import Console

from tests.daemon.helpers import CONFIG, PERSON, Steered, run
from vcam.assets import asset
from vcam.cli.main import cli
from vcam.cli.statusview import cure, status_table
from vcam.control.client import ControlClient
from vcam.errors import DeviceError, UsageError


def test_the_table_tells_how_often_the_network_rested(steered: Steered, client: ControlClient) -> None:
    status = client.call("status")
    assert status["skipped"] == 0
    shown = []
    for skipped in (0, 5):
        console = Console(width=120, record=True, file=io.StringIO())
        console.print(status_table({**status, "skipped": skipped, "frames": 9}))
        shown.append("not asked for 5 of 9 frames" in console.export_text())
    assert shown == [False, True]


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
    run("profile", "none")
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
    assert run("profile", "work").output.splitlines()[0] == "matte.edge = 7.0"
    assert run("set", "matte.edge=99").exception.exit_status == 2


def test_a_relative_file_is_meant_from_where_the_command_is_given(
    steered: Steered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_an_address_that_was_shown_in_part_is_not_saved_over_the_whole_one(
    steered: Steered, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "rtsp://admin:geheim77@host/x"
    monkeypatch.setitem(PERSON, address, 150)
    steered.config.write_text(f'[camera]\nsource = "{address}"\n')
    told = run("set", f"camera.source={address}").output
    assert told.strip() == "camera.source = rtsp://host"
    assert run("get", "camera.source").output.strip() == "rtsp://host"
    # for the daemon it means the one it has
    assert run("set", "camera.source=rtsp://host").exception is None
    refused = run("set", "camera.source=rtsp://host", "--save").exception
    assert isinstance(refused, UsageError)
    assert address in steered.config.read_text()
    assert steered.settings["camera.source"] == address


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
    assert words("profile", "") == ["work", "list", "next", "previous", "none"]


@pytest.mark.parametrize("words", [("get", "nope"), ("set", "nope=1")])
def test_an_unknown_setting_is_named_without_the_name_of_a_command(words: tuple[str, ...], steered: Steered) -> None:
    error = run(*words).exception
    assert isinstance(error, UsageError)
    assert error.message == "there is no setting 'nope'"


def test_a_value_that_does_not_fit_is_named_without_the_name_of_a_command(steered: Steered) -> None:
    error = run("set", "matte.edge=99").exception
    assert isinstance(error, UsageError)
    assert error.message.startswith("matte.edge = ")


def test_a_change_lasts_over_profiles_but_for_what_they_set(steered: Steered) -> None:
    run("set", "matte.softness=0.9", "matte.edge=5")
    run("profile", "work")
    assert (steered.settings["matte.softness"], steered.settings["matte.edge"]) == (0.9, 7.0)
    # what was changed under the profile counts for all, too
    run("set", "camera.mirror=true")
    run("profile", "none")
    assert (steered.settings["matte.edge"], steered.settings["camera.mirror"]) == (5.0, True)
    assert steered.settings["background.spec"] == "color:#204080"
    run("set", "matte.softness=0.5")
    run("profile", "work")
    run("profile", "none")
    assert steered.settings["matte.softness"] == 0.5
    run("reload")
    assert (steered.settings["matte.edge"], steered.settings["camera.mirror"]) == (2.0, False)
    run("profile", "work")
    run("profile", "none")
    assert (steered.settings["matte.edge"], steered.settings["camera.mirror"]) == (2.0, False)


def test_what_was_saved_into_a_profile_or_edited_meanwhile_is_no_change_of_the_daemon(steered: Steered) -> None:
    run("profile", "work")
    run("set", "background.spec=green", "--save")
    run("profile", "none")
    assert steered.settings["background.spec"] == "color:#204080"
    steered.config.write_text(steered.config.read_text().replace("softness = 0.5", "softness = 0.7"))
    run("profile", "work")
    assert (steered.settings["background.spec"], steered.settings["matte.softness"]) == ("green", 0.7)


def test_a_profile_that_cannot_be_had_changes_nothing(steered: Steered) -> None:
    run("set", "matte.softness=0.9")
    assert "no profile 'nope'" in str(run("profile", "nope").exception)
    assert run("profile", "work").exception is None
    assert steered.settings["matte.softness"] == 0.9


def test_what_to_do_about_the_last_error_is_one_line_however_narrow_the_terminal_is(
    steered: Steered, client: ControlClient
) -> None:
    hint = "sudo usermod -aG video $USER, then log out and in again, which takes but a moment"
    error = {"message": "you may not open the camera", "hint": hint, "age_s": 3.0}
    status = client.call("status") | {"last_error": error}
    assert cure(status) == f"  try: {hint}"
    assert cure(status | {"last_error": None}) == cure(status | {"last_error": error | {"hint": ""}}) == ""


def test_a_picture_for_the_pause_that_cannot_be_read_is_refused_at_once(steered: Steered, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no picture")
    for name in ("broken.jpg", "nowhere.jpg"):
        assert name in str(run("set", f"overlay.pause_picture={tmp_path / name}").exception)
    assert run("get", "overlay.pause_picture").output.strip() == ""
    run("set", f"overlay.pause_picture={asset('dusk.jpg')}")
    run("pause")
    assert "paused" in run("status").output
