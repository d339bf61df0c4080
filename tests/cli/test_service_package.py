"""The service where a package of the system has brought the unit, for all users."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vcam import extras
from vcam.cli import service
from vcam.cli.main import cli
from vcam.daemon import unit
from vcam.doctor import module
from vcam.doctor.finding import Status
from vcam.errors import UsageError
from vcam.machine.host import Machine
from vcam.packaging.systemfiles import unit as shipped_unit


class Place:
    """A home, the package's unit, and a systemctl that writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.shipped = folder / "usr/lib/systemd/user/vcam.service"
        self.own = folder / "home/.config/systemd/user/vcam.service"
        self.shipped.parent.mkdir(parents=True)
        self.shipped.write_text(shipped_unit("/usr/bin/vcam"))
        self.asked: list[str] = []
        self.state = "UnitFileState=disabled\nActiveState=inactive\n"

    def systemctl(self, *words: str) -> str:
        if words[0] != "show":
            self.asked.append(" ".join(words))
        return "252\n" if "--value" in words else self.state if words[0] == "show" else ""

    def vcam(self, *words: str) -> Any:
        return CliRunner().invoke(cli, list(words), standalone_mode=False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "VCAM_CONFIG", "VCAM_PROFILE", "VCAM_FFMPEG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(unit, "SYSTEM_UNIT", place.shipped)
    monkeypatch.setattr(unit, "SYSTEM_PROGRAM", Path("/bin/true"))
    monkeypatch.setattr(extras, "belongs_to_the_system", lambda: True)
    monkeypatch.setattr(service, "_systemctl", place.systemctl)
    return place


def test_without_options_the_unit_of_the_package_is_used(place: Place) -> None:
    done = place.vcam("service", "install", "--no-start")
    assert done.exception is None, done.output
    assert not place.own.exists()
    assert place.asked == ["daemon-reload", "enable vcam.service"]
    assert f"uses {place.shipped}" in done.output
    assert "menu of your desktop" not in done.output


def test_with_options_the_users_own_counts_before_it_and_goes_again(place: Place) -> None:
    assert place.vcam("service", "install", "--no-start", "--fps", "12").exception is None
    assert "\nExecStart=:/bin/true start --wait --fps=12" in place.own.read_text()
    unit.at_login().parent.mkdir()
    unit.at_login().symlink_to(place.own)
    done = place.vcam("service", "install", "--no-start")
    assert done.exception is None
    assert not place.own.exists()
    assert f"removed {place.own}" in done.output
    assert not unit.at_login().is_symlink()


def test_what_somebody_else_wrote_is_not_removed(place: Place) -> None:
    place.own.parent.mkdir(parents=True)
    place.own.write_text("[Unit]\nDescription=another\n")
    for options in ((), ("--fps", "12")):
        assert isinstance(place.vcam("service", "install", "--no-start", *options).exception, UsageError)
        assert "Description=another" in place.own.read_text()
    place.own.unlink()
    place.own.symlink_to("/dev/null")
    assert isinstance(place.vcam("service", "install", "--no-start", "--fps", "12").exception, UsageError)
    assert place.own.is_symlink()


def test_it_is_installed_when_it_is_switched_on_and_off_when_it_is_removed(place: Place) -> None:
    assert json.loads(place.vcam("service", "status", "--json").output)["installed"] is False
    assert "not installed" in place.vcam("service", "uninstall").output
    assert place.asked == []
    place.state = "UnitFileState=enabled\nActiveState=active\nMainPID=7\n"
    told = json.loads(place.vcam("service", "status", "--json").output)
    assert (told["installed"], told["unit"], told["pid"]) == (True, str(place.shipped), 7)
    done = place.vcam("service", "uninstall")
    assert done.exception is None
    assert place.asked == ["disable --now vcam.service", "daemon-reload"]
    assert "belongs to the package and stays" in done.output
    assert place.shipped.exists()


def test_another_programs_unit_of_that_name_is_not_taken_for_it(place: Place) -> None:
    place.shipped.write_text("[Unit]\nDescription=a video camera\n")
    assert unit.system_unit() is None


def test_uninstall_switches_it_off_and_names_the_package_manager(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.v4l2.discover.list_nodes", lambda: [])
    root = place.shipped.parents[4]
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text("ID=debian\n")
    monkeypatch.setattr("vcam.machine.host.Machine", lambda: Machine(root, which=lambda _: None, run=lambda _: None))
    link = unit.at_login()
    link.parent.mkdir(parents=True)
    link.symlink_to(place.shipped)
    done = place.vcam("uninstall", "--yes")
    assert done.exception is None, done.output
    assert "stop the service, and switch it off" in done.output
    assert place.asked == ["disable --now vcam.service", "daemon-reload"]
    assert "the program itself is removed by: sudo apt purge vcam" in done.output


@pytest.mark.parametrize("kind", ["foreign", "mask"])
@pytest.mark.parametrize("words", [("uninstall", "--yes"), ("service", "uninstall")])
def test_a_unit_of_that_name_that_is_not_vcams_stays_and_goes_on(
    kind: str, words: tuple[str, ...], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.v4l2.discover.list_nodes", lambda: [])
    root = place.shipped.parents[4]
    monkeypatch.setattr("vcam.machine.host.Machine", lambda: Machine(root, which=lambda _: None, run=lambda _: None))
    link = unit.at_login()
    link.parent.mkdir(parents=True)
    if kind == "mask":
        place.own.symlink_to("/dev/null")
    else:
        place.own.write_text("[Unit]\nDescription=a video camera\n")
        link.symlink_to(place.own)
        place.state = "UnitFileState=enabled\nActiveState=active\n"
    done = place.vcam(*words)
    assert done.exception is None, done.output
    assert f"{place.own} was not written by vcam" in done.output
    assert place.own.is_symlink() == (kind == "mask")
    assert place.own.exists()
    assert link.is_symlink() == (kind == "foreign")
    assert place.asked == []


def test_status_says_nothing_of_a_unit_that_is_not_vcams(place: Place) -> None:
    place.own.parent.mkdir(parents=True)
    place.own.write_text("[Unit]\nDescription=a video camera\n")
    place.state = "UnitFileState=enabled\nActiveState=active\nMainPID=7\nStatusText=recording\n"
    done = place.vcam("service", "status")
    assert done.return_value == 1
    assert done.output == f"the service is not installed: {place.own} was not written by vcam\n"
    told = json.loads(place.vcam("service", "status", "--json").output)
    assert (told["installed"], told["foreign"], told["state"], told["pid"]) == (False, True, "not installed", None)


def test_status_of_a_mask_says_what_runs_all_the_same(place: Place) -> None:
    place.own.parent.mkdir(parents=True)
    place.own.symlink_to("/dev/null")
    place.state = "UnitFileState=masked\nActiveState=active\nMainPID=7\n"
    done = place.vcam("service", "status")
    assert done.return_value == 0
    assert done.output == "the service is masked, and active; systemctl --user unmask vcam.service undoes that\n"
    told = json.loads(place.vcam("service", "status", "--json").output)
    assert (told["installed"], told["foreign"], told["masked"], told["pid"]) == (False, False, True, 7)


def test_a_foreign_unit_that_came_meanwhile_is_not_unlinked(place: Place) -> None:
    place.own.parent.mkdir(parents=True)
    place.own.write_text("[Unit]\nDescription=a video camera\n")
    service.remove()
    assert place.own.exists()


@pytest.mark.parametrize(
    ("system", "command"),
    [("ID=arch", "sudo pacman -Rs vcam"), ("ID=fedora", "sudo dnf remove vcam"), ("ID=x", "package manager")],
)
def test_each_distribution_has_its_own_command(system: str, command: str, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(system)
    assert command in Machine(tmp_path).remove("vcam")


def test_the_program_of_a_package_is_named_by_its_public_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unit.program() == ["/bin/true"]
    monkeypatch.setattr(unit, "SYSTEM_PROGRAM", Path("/nowhere/vcam"))
    assert unit.program() != ["/nowhere/vcam"]


def test_on_nix_the_script_that_finds_the_modules_is_started(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit, "SYSTEM_PROGRAM", Path("/nowhere/vcam"))
    store = "/nix/store/0123-python3-3.13"
    profile = tmp_path / "profile/bin"
    profile.mkdir(parents=True)
    (profile / "vcam").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(profile))
    for name, value in (("prefix", store), ("executable", f"{store}/bin/python3.13")):
        with monkeypatch.context() as patched:
            patched.setattr(sys, name, value)
            # not resolved: what it leads to goes with the next upgrade
            assert unit.program() == [str(profile / "vcam")]
    assert unit.program() != [str(profile / "vcam")]


def test_settings_that_a_distribution_ships_count_for_the_module(tmp_path: Path) -> None:
    for name, text in {
        "etc/modules-load.d/v.conf": "v4l2loopback\n",
        "usr/lib/modprobe.d/v4l2loopback.conf": "options v4l2loopback exclusive_caps=1\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    (found,) = module.check_start(Machine(tmp_path))
    assert found.status is Status.OK
