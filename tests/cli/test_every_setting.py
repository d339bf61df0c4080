"""All settings, one after the other: what may be the path of a file means the same file in every folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.helpers import offered
from vcam.cli import control, service, stream
from vcam.cli.main import cli
from vcam.daemon.unit import unit_path
from vcam.settings import FIELDS, Field, Paths

PATHS = [key for key, field in FIELDS.items() if field.paths is not Paths.NEVER]
OTHERS = [key for key in FIELDS if key not in PATHS]
WITH_OPTION = [key for key, field in FIELDS.items() if field.option and field.type is not bool]


def path_of(field: Field, folder: object = "") -> str:
    """A value that is the path of a file which is not there: relative, or in a folder."""
    path = f"{folder}/a 100%" if folder else "a 100%"
    if field.paths is Paths.FILTERS:
        ((name, parameter),) = field.parameters.items()
        return f"{name}:{parameter}={path}.cube"
    return path + (field.suffixes[0] if field.suffixes else ".mkv")


def others_of(field: Field) -> list[str]:
    """Values that are no paths: words, and whatever a setting takes that has nothing to do with files."""
    if field.paths is Paths.FILTERS:
        return ["grey", "vignette:0.5", "smoothstep:low=0.2,high=0.8"]
    if field.paths is not Paths.NEVER:
        endings = {":": "20", "#": "204080"}
        return [word + endings.get(word[-1], "") for word in field.words]
    if field.choices:
        return list(field.choices)
    if field.type is bool:
        return ["true", "false"]
    if field.minimum is not None:
        return [f"{field.default:g}"]
    special = {
        "camera.crop": "64x64+0+0", "camera.controls": "sharpness=3", "output.size": "640x360",
        "stream.split": "10min", "stream.rtmp": "rtmp://host/app/key", "segment.key": "#00b140",
    }  # fmt: skip
    return [special.get(field.key) or ("auto" if field.key.startswith("camera.") else "a 100%.jpg")]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder somebody stands in: a file of every name that any setting could be given."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for field in FIELDS.values():
        for value in others_of(field):
            if "/" not in value:
                (folder / value).touch()
    return folder


def run(*words: str) -> Any:
    done = CliRunner().invoke(cli, list(words), standalone_mode=False)
    assert done.exception is None, done.exception
    return done


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Runs `vcam service install` beside no service manager; gives the words and variables of the unit."""

    def install(*words: str) -> list[str]:
        run("service", "install", "--no-start", *words)
        lines = unit_path().read_text().splitlines()
        wanted = [line for line in lines if re.match('ExecStart=|Environment="?VCAM', line)]
        return [word.replace("%%", "%") for line in wanted for word in shlex.split(line.partition("=")[2])]

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(service, "_systemctl", lambda *words: "252")
    # what is not there is told at once, but what is written is the same
    monkeypatch.setattr("vcam.daemon.checks.check_settings", lambda settings: None)
    return install


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What clients ask of a daemon that does nothing."""
    asked: list[dict[str, Any]] = []

    class Client:
        def __enter__(self) -> Client:
            return self

        def __exit__(self, *exc: object) -> None: ...

        def call(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
            asked.append(params or {})
            return {"started": "it"} if method == "record_start" else {}

    monkeypatch.setattr(control, "_connect", lambda name: Client())
    monkeypatch.setattr(stream, "call_daemon", lambda name, method, params: Client().call(method, params))
    return asked


@pytest.mark.parametrize("key", [key for key in WITH_OPTION if key in PATHS])
def test_the_service_gets_files_of_options_as_absolute_paths(
    key: str, here: Path, installed: Callable[..., list[str]]
) -> None:
    field = FIELDS[key]
    for typed, meant in (("", here), ("~", Path.home()), ("clips", here / "clips"), ("/srv", "/srv")):
        assert f"{field.option}={path_of(field, meant)}" in installed(field.option, path_of(field, typed))


@pytest.mark.parametrize("key", PATHS)
def test_the_service_gets_files_of_assignments_and_variables_as_absolute_paths(
    key: str, here: Path, installed: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    field = FIELDS[key]
    assert f"--set={key}={path_of(field, here)}" in installed("--set", f"{key} = {path_of(field)}")
    monkeypatch.setenv(field.environment, path_of(field))
    assert f"{field.environment}={path_of(field, here)}" in installed()


@pytest.mark.parametrize("key", FIELDS)
def test_the_service_gets_everything_else_as_it_was_typed(
    key: str, here: Path, installed: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    field = FIELDS[key]
    for value in others_of(field):
        if value == "-":
            # a service has no standard output
            continue
        assert f"--set={key}={value}" in installed("--set", f"{key}={value}")
        if key in WITH_OPTION:
            assert f"{field.option}={value}" in installed(field.option, value)
        with monkeypatch.context() as patch:
            patch.setenv(field.environment, value)
            assert f"{field.environment}={value}" in installed()


@pytest.mark.parametrize("key", PATHS)
def test_set_sends_files_as_absolute_paths(key: str, here: Path, sent: list[dict[str, Any]]) -> None:
    run("set", f"{key}={path_of(FIELDS[key])}")
    assert sent == [{key: path_of(FIELDS[key], here)}]


@pytest.mark.parametrize("key", FIELDS)
def test_set_sends_everything_else_as_it_was_typed(key: str, here: Path, sent: list[dict[str, Any]]) -> None:
    values = [*others_of(FIELDS[key]), ""]
    for value in values:
        run("set", f"{key}={value}")
    assert sent == [{key: value} for value in values]


def test_every_file_of_a_list_is_made_absolute(
    here: Path, installed: Callable[..., list[str]], sent: list[dict[str, Any]]
) -> None:
    assert f"--set=output.targets=null,{here}/a.mkv,OBS" in installed("--set", "output.targets=null, a.mkv,OBS")
    words = installed("-o", "null", "-o", "a.mkv")
    assert ("--output=null" in words, f"--output={here}/a.mkv" in words) == (True, True)
    run("set", "filters.chain=grey; lut:a.cube,strength=0.5 ;LUT:strength=1,file=b, c.cube")
    assert sent == [{"filters.chain": f"grey;lut:{here}/a.cube,strength=0.5;LUT:strength=1,file={here}/b, c.cube"}]


def test_the_commands_of_one_setting_do_the_same(here: Path, sent: list[dict[str, Any]]) -> None:
    run("background", path_of(FIELDS["background.spec"]))
    run("background", "blur:20")
    run("record", "start", "talks/%Y.mkv")
    assert [params.get("spec") or params["file"] for params in sent] == [
        path_of(FIELDS["background.spec"], here), "blur:20", f"{here}/talks/%Y.mkv",
    ]  # fmt: skip


def test_a_folder_that_is_gone_costs_only_those_who_name_files_in_it(
    here: Path, tmp_path: Path, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    run("set", "matte.edge=3", "background.spec=blur", f"overlay.front={here}/x.png")
    assert len(sent) == 1


@pytest.mark.parametrize("key", FIELDS)
def test_a_shell_is_offered_files_where_a_path_may_stand_and_nowhere_else(key: str) -> None:
    field = FIELDS[key]
    expected = ["<file>"] if key in PATHS else []
    assert offered("set", f"{key}=no such/wo") == expected
    if key in WITH_OPTION:
        assert offered("start", field.option, "no such/wo") == expected


@pytest.mark.parametrize("key", WITH_OPTION)
def test_a_shell_is_offered_every_word_of_a_setting(key: str) -> None:
    field = FIELDS[key]
    there = [word.lower() for word in offered("start", field.option, "")]
    for word in (*field.words, *field.choices):
        assert word.lower() in there


@pytest.mark.parametrize("key", WITH_OPTION)
def test_the_help_of_an_option_says_what_stands_behind_it(key: str) -> None:
    field = FIELDS[key]
    command = cli.get_command(None, "start")  # type: ignore[arg-type]
    assert command is not None
    (option,) = [param for param in command.params if field.option in param.opts]
    assert option.multiple == field.is_list  # type: ignore[attr-defined]
    assert field.short in ("", *option.opts)
    shown = option.get_help_record(command.make_context("start", ["--help"], resilient_parsing=True))
    assert shown is not None
    expected = f"[{'|'.join(field.choices)}]" if field.choices else field.metavar
    assert expected, key
    assert shown[0].lower().endswith(expected.lower()), key
