"""The recipes for Arch, Nix and Flatpak and the workflow: they agree with vcam, and their own tools can read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.places import ROOT
from vcam import __version__
from vcam.packaging import wheelloops
from vcam.packaging.release import PLACES

HERE = ROOT / "vcam/packaging"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = {Requirement(text).name for text in PROJECT["dependencies"]}
ARCH = {
    "opencv-python-headless": "python-opencv", "onnxruntime": "python-onnxruntime-cpu", "uvicorn": "uvicorn",
    # MJPEG by the system's libturbojpeg
    "simplejpeg": "libjpeg-turbo",
}  # fmt: skip


@pytest.mark.parametrize("name", PLACES)
def test_the_version_stands_everywhere_once(name: str) -> None:
    assert re.findall(PLACES[name][0], (ROOT / name).read_text()) == [__version__]


def test_arch_depends_on_what_vcam_depends_on() -> None:
    text = (HERE / "arch/PKGBUILD").read_text()
    depends = re.findall(r"'([^']+)'", re.search(r"(?ms)^depends=\((.*?)^\)", text)[1])  # type: ignore[index]
    assert {ARCH.get(name, f"python-{name}") for name in NEEDED} | {"ffmpeg", "python>=3.11"} == set(depends)


def test_nix_depends_on_what_vcam_depends_on() -> None:
    text = (HERE / "nix/flake.nix").read_text()
    depends = re.search(r"(?s)dependencies = with pkgs\.python3Packages; \[(.*?)\]", text)
    assert depends is not None
    assert set(depends[1].split()) == {"opencv4" if name == "opencv-python-headless" else name for name in NEEDED}


@pytest.mark.parametrize(
    "name", ["arch/PKGBUILD", "nix/flake.nix", "flatpak/org.example.vcam.yml", "release-forge.yml"]
)
def test_what_could_not_be_tried_is_said_at_the_top(name: str) -> None:
    head = re.match(r"(#.*\n)+", (HERE / name).read_text())
    assert head is not None
    assert "NOT tried: " in head[0]


def test_the_workflow_calls_make_and_nothing_else_of_vcams() -> None:
    text = (HERE / "release-forge.yml").read_text()
    targets = set(re.search(r"(?m)^\.PHONY: (.*)$", (ROOT / "Makefile").read_text())[1].split())  # type: ignore[index]
    lines = [line.strip() for line in re.findall(r"(?m)^ *- (?:if: .*\n +)?run: (.*)$", text)]
    assert len(lines) == 5
    called = [line.split()[1] for line in lines if line.startswith("make ")]
    assert called == ["lint", "test", "release"]
    assert set(called) <= targets
    assert [line for line in lines if not line.startswith(("make ", "sudo apt-get ", "git push"))] == []


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("makepkg"), reason="no makepkg: apt install makepkg pacman-package-manager")
def test_makepkg_reads_the_recipe(tmp_path: Path) -> None:
    if os.geteuid() == 0 and not shutil.which("unshare"):
        pytest.skip("makepkg does not run as root")
    shutil.copy(HERE / "arch/PKGBUILD", tmp_path)
    # as somebody else than root
    somebody = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*somebody, "makepkg", "--printsrcinfo"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    if somebody and "unshare" in done.stderr:
        pytest.skip("no namespace of users can be made here")
    assert done.returncode == 0, done.stderr
    assert f"\tpkgver = {__version__}\n" in done.stdout
    assert "pkgname = vcam" in done.stdout


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("nix-instantiate"), reason="no nix-instantiate: apt install nix-bin")
def test_nix_parses_the_flake(tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "NIX_STATE_DIR": str(tmp_path), "NIX_STORE_DIR": str(tmp_path)}
    done = subprocess.run(
        ["nix-instantiate", "--parse", HERE / "nix/flake.nix"], capture_output=True, text=True, env=environ
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("flatpak-builder"), reason="no flatpak-builder: apt install flatpak-builder")
def test_flatpak_builder_reads_the_manifest(tmp_path: Path) -> None:
    words = ["flatpak-builder", "--show-manifest", HERE / "flatpak/org.example.vcam.yml"]
    # it keeps its state in the folder that it is started in
    assert subprocess.run(words, cwd=tmp_path, capture_output=True).returncode == 0


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="this is no checkout")
@pytest.mark.process
def test_no_tool_has_left_its_state_among_what_is_committed() -> None:
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.strip())
    hidden = {name.partition("/")[0] for name in done.stdout.split("\0") if name.startswith(".")}
    assert hidden <= {".ci", ".gitignore", ".gitattributes"}


def test_flatpaks_wheels_are_asked_for_by_every_tag_that_they_have() -> None:
    text = (HERE / "flatpak/org.example.vcam.yml").read_text()
    asked = re.findall(r"--platform (\S+)", text)
    # pip takes no wheel of an older platform than the one it is given
    assert wheelloops.platform("x86_64") in asked
    assert {"manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64"} < set(asked)
    assert f"-{wheelloops.platform('x86_64')}.whl" in text


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("bash"), reason="no bash: apt install bash")
@pytest.mark.parametrize("name", ["deb_check", "deb_roots", "deb_inside"])
def test_the_scripts_that_try_packages_can_be_run(name: str) -> None:
    assert os.access(HERE / name, os.X_OK)
    assert subprocess.run(["bash", "-n", HERE / name]).returncode == 0


def test_nothing_leads_to_the_program_of_the_same_name_on_pypi() -> None:
    # vcam 1.0 there is somebody else's: whoever has no vcam yet must not be told to fetch it by its name
    address = re.compile(r"pypi\.org/(project|simple)/vcam|pythonhosted\.org/\S*vcam|pkg:pypi/vcam")
    fetched = re.compile(r"(pipx|uv tool) install (--\S+ )*'?vcam\b(?!-)|\bpip install vcam\b")
    kept = ("vcam/**/*.py", "vcam/packaging/*/*", "vcam/packaging/*.yml", "docs/**/*.md", "*.md")
    files = sorted({path for pattern in kept for path in ROOT.glob(pattern) if path.is_file()})
    texts = {path: path.read_text("utf-8", "replace") for path in files}
    assert len(texts) > 100
    assert [str(path) for path, text in texts.items() if address.search(text) or fetched.search(text)] == []


def test_make_knows_the_targets_that_the_page_names() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"`make ([a-z-]+)", (ROOT / "docs/packaging.md").read_text()))
    assert {"dist", "deb", "release", "packages-check"} <= named
    assert [name for name in named if f"\n{name}: " not in makefile] == []
