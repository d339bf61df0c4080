"""`vcam uninstall`, in a home and on a machine that a test makes up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.daemon.helpers import Steered
from vcam.cli import service
from vcam.cli import uninstall as removal
from vcam.cli.main import cli
from vcam.daemon.unit import render, unit_path
from vcam.errors import UsageError, VcamError
from vcam.machine import host, loopback
from vcam.machine.host import Machine, User
from vcam.machine.loopback import FILES, Plan
from vcam.web import desktop

MARK = "# Written by vcam loopback setup\n"


class Place:
    """A home folder with all that vcam leaves, and the root of a machine that it was set up on."""

    def __init__(self, folder: Path) -> None:
        self.home, self.root = folder / "home", folder / "root"
        self.unit = self.home / ".config/systemd/user/vcam.service"
        self.script = self.home / ".zfunc/_vcam"
        self.settings = self.home / ".config/vcam/config.toml"
        self.room = self.home / ".local/state/vcam/rooms/one.room"
        self.others = self.home / ".config/fish/completions/vcam.fish"
        for path in (self.unit, self.script, self.settings, self.room, self.others):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x")
        self.script.write_text("_VCAM_COMPLETE=zsh_complete")
        data = self.home / ".local/share"
        self.menu, self.icon = data / "applications/vcam.desktop", data / "icons/hicolor/scalable/apps/vcam.svg"
        for path in (self.menu, self.icon):
            path.parent.mkdir(parents=True)
            path.write_text("[Desktop Entry]\nExec=vcam panel --until-closed\n")
        self.unit.write_text(render(["/usr/bin/vcam", "start"], {}, 252))
        for name in FILES:
            path = self.root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(MARK)
        self.done: list[Plan] = []

    def there(self) -> set[str]:
        paths = {"unit": self.unit, "script": self.script, "settings": self.settings, "room": self.room}
        return {name for name, path in paths.items() if path.exists()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path)
    monkeypatch.setenv("HOME", str(place.home))
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    made = Machine(place.root, "6.1.0", lambda _: None, lambda _: None, user=User(1000, "mona", frozenset()))
    monkeypatch.setattr(host, "Machine", lambda: made)
    monkeypatch.setattr(loopback, "carry_out", lambda machine, plan: place.done.append(plan))
    monkeypatch.setattr("vcam.v4l2.discover.list_nodes", lambda: [])
    monkeypatch.setattr(service, "_systemctl", lambda *words: "")
    return place


def uninstall(*words: str, says: str = "") -> Any:
    return CliRunner().invoke(cli, ["uninstall", *words], input=says, standalone_mode=False)


def test_what_was_installed_goes_and_what_is_yours_stays(place: Place) -> None:
    done = uninstall("--yes")
    assert done.exception is None, done.output
    assert place.there() == {"settings", "room"}
    assert place.others.exists(), "a script of somebody else"
    (plan,) = place.done
    assert [f"remove {name}" for name in FILES] == list(plan.steps)
    assert f"--purge would also remove: {place.settings.parent} (your settings)" in done.output
    assert "the program itself is removed by: " in done.output
    assert f"remove {place.menu}" in done.output
    assert not place.menu.exists()
    assert not place.icon.exists()
    again = uninstall("--yes")
    assert again.exception is None
    assert not place.unit.exists()


def test_purge_leaves_nothing(place: Place) -> None:
    assert uninstall("--yes", "--purge").exception is None
    assert place.there() == set()


def test_a_dry_run_names_everything_and_does_nothing(place: Place) -> None:
    before = place.there()
    done = uninstall("--dry-run", "--purge")
    assert done.exception is None
    for path in (place.unit, place.script, place.settings.parent, place.home / ".local/state/vcam", *FILES):
        assert str(path) in done.output
    assert "(as root)" in done.output
    assert (place.there(), place.done) == (before, [])


def test_it_asks_and_nobody_who_answers_means_no(place: Place) -> None:
    before = place.there()
    error = uninstall().exception
    assert isinstance(error, UsageError)
    assert "--yes" in error.hint
    assert (place.there(), place.done) == (before, [])
    assert uninstall(says="y\n").exception is None
    assert not place.unit.exists()


def test_without_systemd_the_services_file_goes_all_the_same(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*words: str) -> str:
        raise VcamError("systemctl is not here: this system is not run by systemd")

    monkeypatch.setattr(service, "_systemctl", absent)
    wanted = unit_path().parent / "default.target.wants/vcam.service"
    wanted.parent.mkdir()
    wanted.symlink_to(unit_path())
    done = uninstall("--yes")
    assert done.exception is None
    assert not wanted.is_symlink()
    assert "systemctl is not here" in done.output
    assert not unit_path().exists()


def test_where_nothing_is_there_that_is_said(place: Place) -> None:
    uninstall("--yes", "--purge")
    for name in FILES:
        (place.root / name.lstrip("/")).unlink()
    done = uninstall("--yes")
    assert done.exception is None
    assert "there is nothing to remove" in done.output


def test_the_vcam_that_runs_is_ended(place: Place) -> None:
    steered = Steered(place.root)
    steered.control.__enter__()
    with steered.daemon:
        steered.daemon.live()
        assert "stop the vcam that runs" in uninstall("--dry-run").output
        # its own end comes with the socket's, after which it is no longer waited for
        ending = threading.Thread(target=lambda: (steered.daemon.thread.join(30), steered.control.__exit__()))
        ending.start()
        assert uninstall("--yes").exception is None
        ending.join(30)
        assert not steered.daemon.thread.is_alive()


def test_a_vcam_of_another_name_is_ended_as_well(place: Place) -> None:
    steered = Steered(place.root, name="second")
    steered.control.__enter__()
    with steered.daemon:
        steered.daemon.live()
        ending = threading.Thread(target=lambda: (steered.daemon.thread.join(30), steered.control.__exit__()))
        ending.start()
        assert uninstall("--yes").exception is None
        ending.join(30)
        assert not steered.daemon.thread.is_alive()


def test_the_entry_in_the_menu_goes_and_one_of_somebody_else_stays(place: Place) -> None:
    entry = desktop.install()
    icon = desktop.places()[1]
    assert str(entry) in uninstall("--dry-run").output
    assert uninstall("--yes").exception is None
    assert (entry.exists(), icon.exists()) == (False, False)
    entry.write_text("[Desktop Entry]\nName=Vintage camera\nExec=vintage\n")
    icon.write_text("<svg>vintage</svg>")
    assert uninstall("--yes").exception is None
    assert (entry.exists(), icon.exists()) == (True, True)


def test_a_unit_of_somebody_else_stays(place: Place) -> None:
    place.unit.write_text("[Unit]\nDescription=Video calls at Acme\n\n[Service]\nExecStart=/opt/acme/vcam\n")
    done = uninstall("--yes")
    assert done.exception is None
    assert place.unit.exists()
    assert f"{place.unit} was not written by vcam, and stays" in done.output


def test_backgrounds_of_ones_own_are_named_before_they_are_purged(place: Place) -> None:
    picture = place.home / ".local/share/vcam/backgrounds/garden.jpg"
    picture.parent.mkdir(parents=True)
    picture.touch()
    assert "vcam (networks and backgrounds of your own)" in uninstall("--purge", "--dry-run").output
    assert picture.exists()


def test_a_module_that_another_program_uses_is_told_of_once_vcam_has_ended(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = Plan(("remove it",), "", ("v4l2loopback stays loaded: it is used by obs (7)",))
    monkeypatch.setattr(loopback, "plan_undo", lambda *_: used)
    # with the service, it might have been that
    done = uninstall("--yes")
    assert done.exception is None
    assert done.output.count("note: v4l2loopback stays loaded: it is used by obs (7)") == 1


@pytest.mark.parametrize(
    ("prefix", "command"),
    [
        ("/home/mona/.local/share/pipx/venvs/vcam", "pipx uninstall vcam"),
        ("/home/mona/.local/share/uv/tools/vcam", "uv tool uninstall vcam"),
        ("/home/mona/project/.venv", "-m pip uninstall vcam"),
    ],
)
def test_the_command_that_removes_the_program_is_named(
    prefix: str, command: str, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(removal.sys, "prefix", prefix)
    removal._last_step(host.Machine())
    assert capsys.readouterr().err.rstrip().endswith(command)


def test_a_folder_that_cannot_be_removed_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *rest: Callable[..., object]) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuse)
    error = uninstall("--yes", "--purge").exception
    assert isinstance(error, VcamError)
    assert "cannot be removed: Permission denied" in error.message
