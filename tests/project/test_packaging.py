"""The wheel alone, without the source tree: everything that has to travel in it does, and the command works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam import __version__
from vcam.native.build import COMPILERS, LIBRARY

pytestmark = pytest.mark.process


def run(*command: str | Path, folder: Path) -> str:
    """What a command prints, run outside the source tree and without anything of this environment's variables."""
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment["VCAM_CONFIG"] = os.devnull
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, so that this is whole too."""
    for package in ("build", "hatchling"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    compiler, environ = next(filter(shutil.which, COMPILERS), None), dict(os.environ)
    if compiler and "CC" not in environ:
        # little optimised: more takes half a minute
        hasty = tmp_path_factory.mktemp("cc") / "cc"
        hasty.write_text(f'#!/bin/sh\nexec {compiler} "$@" -O1\n')
        hasty.chmod(0o755)
        environ["CC"] = str(hasty)
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds the wheel, and borrows all else from this one."""
    if find_spec("pip") is None:
        pytest.skip("pip is not installed")
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    run(*install, folder=folder)
    # a path that a .pth file adds is searched last and its own .pth files are not read: this vcam stays out of the way
    own = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=folder).strip()
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(own) / "borrowed.pth").write_text("\n".join(sorted(borrowed)))
    return python


def shipped(folder: str) -> set[str]:
    paths = (path for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc")
    names = {str(path.relative_to(ROOT)) for path in paths if not path.name.startswith(".")}
    # what makes packages does not travel in them
    return {name for name in names if not name.startswith("vcam/packaging/")}


def test_the_wheel_holds_every_model_unit_file_and_asset(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("models", "systemd"):
        assert {f"vcam/_data/{name}" for name in shipped(folder)} <= held
    assert shipped("vcam") <= held
    assert "vcam/py.typed" in held
    assert not [name for name in held if "packaging" in name]


def test_the_wheel_holds_the_page_of_the_panel_and_the_catalogue(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    page = ROOT / "vcam/web/page"
    wanted = {f"vcam/web/page/{path.name}" for path in page.iterdir()} | {"vcam/models/catalogue.toml"}
    assert wanted <= held
    # the licences of what is vendored go with it
    assert {"vcam/web/page/LICENSES.txt", "vcam/web/page/preact.js"} <= wanted


def test_the_wheel_holds_the_licences_and_nothing_that_is_not_vcam(wheel: Path) -> None:
    held = zipfile.ZipFile(wheel).namelist()
    assert {name.rsplit("/", 1)[-1] for name in held if ".dist-info/licenses/" in name} >= {"LICENSE", "NOTICE"}
    assert {name.split("/")[0] for name in held if ".dist-info/" not in name} == {"vcam"}
    assert not [name for name in held if "__pycache__" in name]


def test_the_wheel_carries_the_compiled_loops_for_machines_like_this_one(
    wheel: Path, python: Path, tmp_path: Path
) -> None:
    if not any(shutil.which(name) for name in COMPILERS):
        pytest.skip("no C compiler: sudo apt install gcc libc6-dev")
    assert f"vcam/native/{LIBRARY}" in zipfile.ZipFile(wheel).namelist()
    assert wheel.stem.endswith(f"-py3-none-{sysconfig.get_platform().replace('-', '_')}")
    script = "import sys, vcam.native as native; assert native.__file__.startswith(sys.prefix); print(native.kernels())"
    assert "Kernels" in run(python, "-c", script, folder=tmp_path)


def test_a_compiler_that_fails_does_not_fail_the_installation(tmp_path: Path) -> None:
    for package in ("build", "hatchling"):
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    environment = {**os.environ, "CC": str(tmp_path / "missing-cc")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "without its compiled loops" in done.stdout + done.stderr
    (built,) = tmp_path.glob("*.whl")
    assert built.stem.endswith("-py3-none-any")
    assert not [name for name in zipfile.ZipFile(built).namelist() if name.endswith(".so")]


def test_the_installed_wheel_finds_its_models_and_cards(python: Path, tmp_path: Path) -> None:
    script = """
import vcam, sys
from pathlib import Path
from vcam.assets import asset, data_folder
assert Path(vcam.__file__).is_relative_to(sys.prefix), vcam.__file__
models = data_folder("models")
assert models.is_relative_to(sys.prefix), models
print(*sorted(path.name for path in models.iterdir()))
assert data_folder("systemd").is_relative_to(sys.prefix)
assert asset("").is_dir()
"""
    names = run(python, "-c", script, folder=tmp_path).split()
    for network in ("selfie-general", "selfie-landscape", "harmonise"):
        assert f"{network}.onnx" in names
        assert f"{network}.toml" in names


def test_the_installed_command_works(python: Path, tmp_path: Path) -> None:
    assert __version__ in run(python.parent / "vcam", "--version", folder=tmp_path)
    assert "selfie-general" in run(python.parent / "vcam", "models", "list", folder=tmp_path)
