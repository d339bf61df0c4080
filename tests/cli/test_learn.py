"""`vcam learn`: what it refuses before the camera is on."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.cli.helpers import offered
from vcam.cli import learn as module
from vcam.cli.main import cli
from vcam.errors import UsageError
from vcam.learn import lesson


def run(*words: object, typed: str = "") -> Any:
    return CliRunner().invoke(cli, ["learn", *map(str, words)], standalone_mode=False, input=typed)


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if PyTorch were here: nothing of it is needed for what is refused."""
    monkeypatch.setattr("vcam.cli.training.check_extra", lambda: None)
    monkeypatch.setattr("vcam.train.forms.check_extra", lambda form: None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is here")
def test_without_the_extra_the_command_that_brings_it_is_named() -> None:
    error = run("--yes").exception
    assert isinstance(error, UsageError)
    assert "pip install 'vcam[train]'" in error.hint


@pytest.mark.usefixtures("extra")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--room", "empty.png"), "--room is the room behind a film"),
        (("--strokes", "a-00001.png"), "strokes are drawn on a film"),
        (("--clip", "a.mp4", "--room", "b.png", "--no-room"), "contradict"),
        (("--clip", "a.mp4", "--keep", "folder"), "--keep is for what the camera films"),
        (("--clip", "a.mp4"), "no network here that is good enough to teach"),
        (("--clip", "a.mp4", "--teacher", "nobody"), "there is no model 'nobody'"),
        (("--clip", "a.mp4", "--teacher", "selfie-general"), "cannot teach itself"),
        (("--teacher", "selfie-general", "--name", "selfie-general"), "a model of vcam itself"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_what_cannot_be_meant_is_told_before_anything_is_done(words: tuple[str, ...], said: str) -> None:
    error = run(*words, "--yes").exception
    assert isinstance(error, UsageError), error
    assert said in error.message


@pytest.mark.usefixtures("extra")
def test_what_will_be_done_is_said_and_a_no_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson, "best_teacher", lambda: "selfie-multiclass")
    monkeypatch.setattr(lesson, "check", lambda wish: None)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the camera was switched on")

    monkeypatch.setattr(module, "_learnt", never)
    done = run()
    assert isinstance(done.exception, UsageError)
    assert "nobody is there to say yes" in done.exception.message
    for words in ("films you for 30 seconds", "empty room", "placeholder", "stay on this machine", "selfie-multiclass",
                  "at most 5 minutes", "vcam learn --undo"):  # fmt: skip
        assert words in done.output, words


def test_undo_of_nothing_is_told() -> None:
    error = run("--undo").exception
    assert isinstance(error, UsageError)
    assert "nothing was learnt under the name mine" in error.message


def test_the_best_teacher_is_one_that_is_here_and_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lesson.best_teacher() == ""
    here = [
        Path(f"{name}.toml") for name in ("selfie-general", "pphumanseg-wide", "selfie-multiclass", "rvm-mobilenetv3")
    ]
    monkeypatch.setattr(lesson, "card_paths", lambda: here)
    assert lesson.best_teacher() == "selfie-multiclass"
    monkeypatch.setattr(lesson, "card_paths", lambda: here[:2])
    assert lesson.best_teacher() == ""


def test_a_shell_completes_its_options() -> None:
    assert offered("learn", "--te") == ["--teacher"]
    assert offered("learn", "--teacher", "selfie-g") == ["selfie-general"]
