from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam import folders
from vcam.errors import ConfigError, UsageError, VcamError
from vcam.settings import config_path, load

VARIABLES = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "VCAM_CONFIG")
ACCOUNT = "/home/of-the-account"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(folders, "_told", set())


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """What the list of accounts says of this user's home; None: it has no such user."""

    def entry(place: str | None) -> None:
        def look_up(uid: int) -> object:
            if place is None:
                raise KeyError(uid)
            return type("Entry", (), {"pw_dir": place})

        monkeypatch.setattr("pwd.getpwuid", look_up)

    return entry


@pytest.mark.parametrize("home", [None, "", "relative", "./x"])
def test_a_home_that_means_nothing_is_passed_over(
    home: str | None, account: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if home is not None:
        monkeypatch.setenv("HOME", home)
    account(ACCOUNT)
    assert folders.own("config") == Path(ACCOUNT, ".config/vcam")
    assert folders.own("state") == Path(ACCOUNT, ".local/state/vcam")


@pytest.mark.parametrize("kind", ["config", "cache", "data", "state"])
@pytest.mark.parametrize(("value", "counts"), [("/elsewhere", True), ("relative", False), ("", False)])
def test_a_variable_counts_only_if_it_is_absolute(
    kind: folders.Kind, value: str, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    plain = folders.own(kind)
    monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", value)
    assert plain.is_relative_to("/home/me")
    assert folders.own(kind) == (Path("/elsewhere/vcam") if counts else plain)


@pytest.mark.parametrize("entry", [None, "", "relative"])
def test_without_any_home_nothing_is_found_and_nothing_kept(
    entry: str | None, account: Callable[[str | None], None], caplog: pytest.LogCaptureFixture
) -> None:
    account(entry)
    assert folders.home() is None
    assert not config_path().exists()
    assert load(environ={}).settings.segment.backend == "auto"
    with pytest.raises(NotADirectoryError):
        folders.own("cache").mkdir(parents=True)
    with pytest.raises(ConfigError, match="no home folder"):
        folders.place_to_write(config_path())
    for _ in range(2):
        folders.cannot_keep("the empty room", folders.own("state"), "Not a directory")
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told.startswith("the empty room cannot be kept: there is no home folder")


def test_a_leading_tilde_is_the_home_folder(
    account: Callable[[str | None], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    account(ACCOUNT)
    assert folders.expand("~/x.jpg") == Path(ACCOUNT, "x.jpg")
    assert folders.expand("~") == Path(ACCOUNT)
    monkeypatch.setenv("HOME", "/home/me")
    assert folders.expand("~/x.jpg") == Path("/home/me/x.jpg")
    assert folders.expand("~root/x.jpg").is_absolute()
    assert folders.expand("a/~/b") == Path("a/~/b")


def test_a_tilde_without_a_home_is_said_in_one_sentence(account: Callable[[str | None], None]) -> None:
    account(None)
    with pytest.raises(UsageError, match="there is no user nobody-of-that-name"):
        folders.expand("~nobody-of-that-name/x.jpg")
    with pytest.raises(UsageError, match=r"^~/x\.jpg: there is no home folder"):
        folders.expand("~/x.jpg")


def test_no_folder_for_temporary_files_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(VcamError, match="no folder for temporary files"):
        folders.scratch()


@pytest.mark.parametrize("place", ["/dev/null", "/etc/passwd"])
def test_a_config_folder_below_a_file_is_one_that_is_not_there(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", place)
    assert load(environ={}).settings.segment.backend == "auto"


START = "start --camera demo --output null --always-on --background green --size 320x180 --frames 3"


def vcam(words: str, shell: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    command = f"{shell} exec {sys.executable} -m vcam {words}"
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        ["sh", "-c", command], env=plain | environ, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.process
@pytest.mark.engine
def test_vcam_starts_with_a_home_that_is_a_file_and_says_once_what_it_cannot_keep(tmp_path: Path) -> None:
    done = vcam(f"{START} --backend openvino", HOME="/etc/passwd", XDG_RUNTIME_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("compiled networks cannot be kept") == 1


@pytest.mark.process
def test_a_closed_standard_stream_is_nobody_elses(tmp_path: Path) -> None:
    out = tmp_path / "descriptors"
    code = f"import os; out = os.open('{tmp_path}/new', os.O_CREAT | os.O_WRONLY); print(out, file=open('{out}', 'w'))"
    script = tmp_path / "run.py"
    script.write_text(f"from vcam.cli.main import _settle\n_settle()\nprint('to nobody')\n{code}\n")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    shell = f"exec {sys.executable} {script} <&- >&- 2>&-"
    subprocess.run(["sh", "-c", shell], env=environ, check=True, timeout=240)
    assert int(out.read_text()) > 2


@pytest.mark.process
def test_what_is_made_under_a_strange_umask_can_be_opened_again(tmp_path: Path) -> None:
    run, home = tmp_path / "run", tmp_path / "home"
    for folder in (run, home):
        folder.mkdir(mode=0o700)
    done = vcam(f"{START} --backend onnxruntime", "umask 777;", HOME=str(home), XDG_RUNTIME_DIR=str(run))
    assert done.returncode == 0, done.stderr
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o700 for path in run.rglob("*.lock")}
    assert modes == {"control.lock": 0o600}


@pytest.mark.process
@pytest.mark.engine
@pytest.mark.parametrize(
    ("options", "environ"),
    [
        ("-OO", {}),
        ("-X dev -W error", {}),
        ("", {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
        ("", {"TZ": "Nowhere/Else", "PATH": "", "TMPDIR": "/nonexistent"}),
    ],
    ids=["no asserts", "every warning", "no letters but ASCII", "no path, no folder for temporary files"],
)
def test_vcam_starts_in_a_strange_environment(options: str, environ: dict[str, str], tmp_path: Path) -> None:
    picture = tmp_path / "\udce4 ü.png"
    picture.write_bytes((ROOT / "vcam/assets/astronaut.png").read_bytes())
    plain = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    words = [*START.replace("green", "SPEC").split(), "--text", "ü€", "--clock"]
    command = [sys.executable, *options.split(), "-m", "vcam", *words]
    command[command.index("SPEC")] = str(picture)
    environ = {**plain, "XDG_RUNTIME_DIR": str(tmp_path), **environ}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
