from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

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
    text = desktop.entry('/home/a b/100% "x"$/vcam')
    assert 'Exec="/home/a b/100%% \\"x\\"\\$/vcam" panel --until-closed\n' in text
