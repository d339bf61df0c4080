"""The file for all users of a machine, and what it locks."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.helpers import Daemon, Steered, refused, run
from vcam.daemon.origin import Origin
from vcam.errors import ConfigError, UsageError
from vcam.settings import load


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file for all users, which says something; the user's own is beside it, empty."""
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"relative:{tmp_path / 'none'}:{tmp_path / 'etc'}")
    monkeypatch.setenv("VCAM_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").write_text("# mine\n")
    path = tmp_path / "etc/vcam/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('locked = ["segment.private", "matte.edge"]\n[segment]\nprivate = true\n[matte]\nsoftness = 0.6\n')
    return path


@pytest.fixture
def steered(system: Path, tmp_path: Path) -> Iterator[Steered]:
    """A daemon with a control socket, under a file for all that locks nothing yet."""
    system.write_text("")
    steered = Steered(tmp_path, {"background.spec": "green"})
    with steered.control, steered.daemon:
        steered.daemon.live()
        yield steered


def test_it_lies_below_the_users_own(system: Path, tmp_path: Path) -> None:
    loaded = load()
    assert (loaded.settings.matte.softness, loaded.origins["matte.softness"]) == (0.6, str(system))
    (tmp_path / "config.toml").write_text("[matte]\nsoftness = 0.1\n")
    assert load().settings.matte.softness == 0.1
    assert load({"matte.softness": 0.2}).settings.matte.softness == 0.2


def test_what_is_locked_no_option_changes(system: Path) -> None:
    for given in ({"options": {"segment.private": False}}, {"assignments": ("matte.edge=3",)}):
        with pytest.raises(UsageError, match="is locked in") as error:
            load(**given)  # type: ignore[arg-type]
        assert str(system) in error.value.message


def test_what_is_locked_neither_file_nor_environment_nor_profile_changes(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "config.toml").write_text("[segment]\nprivate = false\n[profiles.work.matte]\nedge = 5\n")
    monkeypatch.setenv("VCAM_MATTE_EDGE", "7")
    settings = load(profile="work").settings
    # the file's value, and the default of what the file only locks
    assert (settings.segment.private, settings.matte.edge) == (True, 0.5)
    assert caplog.text.count("is locked in") == 3


def test_what_is_locked_cannot_change_while_vcam_runs(system: Path) -> None:
    with Daemon() as daemon:
        daemon.live()
        assert "matte.edge is locked" in refused(daemon, matte__edge=3).message
        daemon.set(matte__softness=0.4)
        assert daemon.life.settings.matte.edge == 0.5


def test_no_config_file_of_ones_own_is_a_way_round(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCAM_CONFIG", "/dev/null")
    with pytest.raises(UsageError, match=r"matte\.edge is locked"):
        Origin(assignments=("matte.edge=3",)).read()
    assert Origin().read().segment.private


def test_what_is_locked_while_vcam_runs_counts_from_the_next_reload(system: Path, steered: Steered) -> None:
    edge = steered.settings["matte.softness"]
    system.write_text('locked = ["matte.softness"]\n[matte]\nsoftness = 0.9\n')
    assert isinstance(run("set", "matte.softness=0.7").exception, UsageError)
    assert steered.settings["matte.softness"] == edge
    assert run("reload").exception is None
    assert steered.settings["matte.softness"] == 0.9
    assert isinstance(run("set", "matte.softness=0.7").exception, UsageError)
    # what it is locked to may be said
    assert run("set", "matte.softness=0.9").exception is None


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("output.targets", ("output", "add", "more.mkv")),
        ("stream.record", ("record", "start", "talk.mkv")),
        ("stream.record", ("toggle", "record", "talk.mkv")),
        ("stream.rtmp", ("stream", "start", "rtmp://127.0.0.1:9/live/x")),
    ],
)
def test_where_the_picture_goes_is_locked_for_every_command(
    system: Path, steered: Steered, key: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    system.write_text(f'locked = ["{key}"]\n')
    count = len(steered.daemon.life.outlets.outputs)
    error = run(*words).exception
    assert isinstance(error, UsageError)
    assert f"{key} is locked in" in error.message
    assert len(steered.daemon.life.outlets.outputs) == count


def test_a_file_for_all_that_cannot_be_reached_is_not_passed_over(
    system: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if path == system:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(ConfigError, match=f"{system} cannot be read: Permission denied"):
        load()


@pytest.mark.parametrize(
    "text", ["locked = 3\n", 'locked = ["matte.egde"]\n', "[profiles.x.matte]\nedge = 1\n", "[matte\n", "edge = 3\n"]
)
def test_a_broken_file_for_all_is_told_by_its_name(system: Path, text: str) -> None:
    system.write_text(text)
    with pytest.raises(ConfigError, match=str(system)):
        load()
    assert run("config", "check").exception is None
    assert str(system) in run("config", "check").output


def test_settings_are_written_without_a_vcam_and_comments_stay(system: Path, tmp_path: Path) -> None:
    told = run("config", "set", "background.spec=office", "camera.mirror=true", "--json")
    assert json.loads(told.output)["saved"] == ["background.spec", "camera.mirror"]
    assert (tmp_path / "config.toml").read_text().startswith("# mine\n")
    assert (load().settings.background.spec, load().settings.camera.mirror) == ("office", True)
    run("config", "set", "--profile", "work", "matte.softness=0.9")
    assert load(profile="work").settings.matte.softness == 0.9
    before = (tmp_path / "config.toml").read_text()
    for words in (["matte.edge=2"], ["matte.softness=7"], ["matte.sofness=1"], ["matte"]):
        assert isinstance(run("config", "set", *words).exception, UsageError), words
    assert (tmp_path / "config.toml").read_text() == before
