from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import vcam
from vcam.cli.panel import panel
from vcam.web import desktop


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path


def test_the_panel_is_put_into_the_menu_and_taken_out(data: Path) -> None:
    result = CliRunner().invoke(panel, ["--install"])
    file = data / "applications/vcam.desktop"
    assert result.output == f"{file}\n"
    assert "Exec=" in file.read_text()
    assert (data / "icons/hicolor/scalable/apps/vcam.svg").read_text().startswith("<svg")
    if check := shutil.which("desktop-file-validate"):
        subprocess.run([check, str(file)], check=True)
    CliRunner().invoke(panel, ["--uninstall"])
    assert not file.exists()
    assert not (data / "icons/hicolor/scalable/apps/vcam.svg").exists()
    assert CliRunner().invoke(panel, ["--uninstall"]).output == ""


def test_a_path_with_odd_letters_is_quoted_as_the_specification_has_it() -> None:
    text = desktop.entry('/home/a b/100% "x"$/vcam', "-m")
    # a string of the file has each backslash twice
    assert 'Exec="/home/a b/100%% \\\\"x\\\\"\\\\$/vcam" "-m" panel --until-closed\n' in text


def test_what_the_menu_starts_is_a_program(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # as python -m vcam has it
    monkeypatch.setattr(sys, "argv", [str(Path(vcam.__file__).with_name("__main__.py"))])
    line = next(each for each in desktop.install().read_text().splitlines() if each.startswith("Exec="))
    words = shlex.split(line.removeprefix("Exec="))
    assert os.access(words[0], os.X_OK)
    assert subprocess.run([*words[:-2], "--version"], capture_output=True, check=True).stdout


def test_an_entry_of_somebody_else_stays(data: Path) -> None:
    file = data / "applications/vcam.desktop"
    file.parent.mkdir()
    file.write_text("[Desktop Entry]\nExec=other-vcam\n")
    assert desktop.remove() == []
    assert file.exists()
