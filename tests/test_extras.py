"""What is left out of an installation, and the command that brings it, as vcam itself was installed."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam import extras


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of an environment that Python runs in, with pip in it, not activated."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pip").touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    return tmp_path


def test_they_are_those_of_the_project_and_no_command_names_a_package_that_is_none_of_theirs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = project["optional-dependencies"]
    names = {name: tuple(re.split(r"[>=<; ]", line)[0] for line in lines) for name, lines in declared.items()}

    def packages(name: str) -> tuple[str, ...]:
        found: list[str] = []
        for word in names[name]:
            inner = re.fullmatch(r"vcam\[(.*)\]", word)
            found += [package for other in inner[1].split(",") for package in packages(other)] if inner else [word]
        return tuple(found)

    assert {name: packages(name) for name in extras.PACKAGES} == extras.PACKAGES
    assert set(names) - set(extras.PACKAGES) == {"all", "test", "dev"}
    assert extras.LACKS.keys() <= extras.PACKAGES.keys()
    # all that was required once, and with each of them what vcam can do
    assert names["all"] == ("vcam[openvino,ffmpeg,window,pyvirtualcam]",)
    required = {re.split(r"[>=<; ]", line)[0] for line in project["dependencies"]}
    assert not required & {"openvino", "imageio-ffmpeg", "pygame-ce", "pyvirtualcam"}
    assert "onnxruntime" in required


def test_an_environment_is_named_by_its_own_pip_unless_it_is_the_active_one(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert extras.command("window") == f"{prefix}/bin/pip install 'vcam[window]'"
    assert extras.command_for("onnxruntime") == f"{prefix}/bin/pip install onnxruntime"
    monkeypatch.setenv("VIRTUAL_ENV", str(prefix))
    assert extras.command("window") == "pip install 'vcam[window]'"
    monkeypatch.setenv("VIRTUAL_ENV", "/another")
    assert extras.command("window").startswith(str(prefix))


def test_a_path_with_a_blank_can_be_copied_all_the_same(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blank = prefix / "my own"
    (blank / "bin").mkdir(parents=True)
    (blank / "bin" / "pip").touch()
    monkeypatch.setattr(sys, "prefix", str(blank))
    assert extras.command("ffmpeg") == f"'{blank}/bin/pip' install 'vcam[ffmpeg]'"


def test_pipx_and_uv_are_asked_where_they_installed_vcam(prefix: Path) -> None:
    (prefix / "uv-receipt.toml").touch()
    assert extras.command("ffmpeg") == f"uv pip install --python {prefix} imageio-ffmpeg"
    (prefix / "pipx_metadata.json").touch()
    assert extras.command("window") == f"pipx inject {prefix.name} pygame-ce"
    assert extras.command_for("starlette", "uvicorn") == f"pipx inject {prefix.name} starlette uvicorn"


def test_an_environment_without_pip_gets_it_first(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (prefix / "bin" / "pip").unlink()
    monkeypatch.setenv("PATH", str(prefix))
    python = f"{prefix}/bin/python"
    assert extras.command("openvino") == f"{python} -m ensurepip && {python} -m pip install 'vcam[openvino]'"
    (prefix / "uv").write_text("#!/bin/sh\n")
    (prefix / "uv").chmod(0o755)
    assert extras.command("openvino") == f"uv pip install --python {prefix} 'vcam[openvino]'"


def test_what_the_system_installed_is_left_to_it(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/usr/lib/vcam")
    assert extras.belongs_to_the_system()
    # in the folder of vcam: by its name an index gives another program
    assert extras.command("window").startswith("in the folder of vcam's source: pipx install '.[all]'")
    assert extras.command("openvino") == "sudo apt install ./vcam-openvino_*.deb"
    assert extras.command_for("onnxruntime").endswith("sudo apt install --reinstall vcam")
    for place in ("/nix/store/x-vcam", "/app"):
        monkeypatch.setattr(sys, "prefix", place)
        assert extras.belongs_to_the_system()
    monkeypatch.setattr(sys, "prefix", "/app/.venv")
    assert not extras.belongs_to_the_system()
    # Debian's Python, which pip must not change
    for name in ("prefix", "base_prefix"):
        monkeypatch.setattr(sys, name, str(prefix))
    monkeypatch.setattr(extras, "__file__", str(prefix / "lib/python3/dist-packages/vcam/extras.py"))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(prefix))
    assert not extras.belongs_to_the_system()
    assert extras.command("window") == "pip install 'vcam[window]'"
    (prefix / "EXTERNALLY-MANAGED").touch()
    assert extras.belongs_to_the_system()
    # by sudo pip install --break-system-packages
    monkeypatch.setattr(extras, "_OF_ROOT", str(prefix / "local"))
    assert extras.belongs_to_the_system()
    monkeypatch.setattr(extras, "__file__", str(prefix / "local/lib/python3.11/dist-packages/vcam/extras.py"))
    assert not extras.belongs_to_the_system()
    # without the option pip refuses, and says so in a page
    assert extras.command("window") == "pip install --break-system-packages 'vcam[window]'"


def test_what_is_missing_is_told_without_loading_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for name in ("pygame", "openvino", "imageio_ffmpeg"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert extras.is_missing("window")
    (tmp_path / "pygame.py").write_text("raise RuntimeError('loaded')")
    monkeypatch.setattr(sys, "path_importer_cache", {})
    assert not extras.is_missing("window")
    # what an uninstallation may leave
    (tmp_path / "openvino").mkdir()
    assert extras.is_missing("openvino")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert extras.is_missing("ffmpeg")
