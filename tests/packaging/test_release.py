"""A release of a small repository: whole, or not at all."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam.errors import VcamError
from vcam.packaging import release as module
from vcam.packaging.release import PLACES, release

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("git"), reason="no git: sudo apt install git"),
]

FINE = (sys.executable, "-c", "")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "x")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "x@example.org")
    folder = tmp_path / "vcam"
    for name in PLACES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "vcam/__init__.py").write_text('__version__ = "1.1.0"\n')
    (folder / "CHANGELOG.md").write_text("# Changes\n\n## 1.2.0 (not released)\n\n* New.\n\n## 1.1.0 (2026-01-01)\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=begin")
    return folder


def artifacts(tree: Path, out: Path, pythons: Sequence[str], environment: dict[str, str]) -> None:
    assert environment["SOURCE_DATE_EPOCH"].isdecimal()
    assert environment["PYTHONPATH"] == str(tree)
    assert '"1.2.0"' in (tree / "vcam/__init__.py").read_text()
    (out / "vcam-1.2.0.tar.gz").write_bytes(b"source")


def state(place: Path) -> tuple[str, str, str, str]:
    return (
        git(place, "rev-parse", "HEAD"),
        git(place, "status", "--porcelain"),
        git(place, "tag"),
        git(place, "worktree", "list"),
    )


def go(place: Path, version: str = "1.2.0", **more: object) -> Path:
    given = {"dry_run": False, "sanity": FINE, "make_all": artifacts, "say": lambda _: None} | more
    return release(place, version, place.parent / "dist", **given)  # type: ignore[arg-type]


def test_version_day_tag_artifacts_and_checksums(place: Path) -> None:
    before = git(place, "rev-parse", "HEAD")
    folder = go(place)
    assert git(place, "rev-parse", "v1.2.0^{commit}") == git(place, "rev-parse", "HEAD") != before
    assert git(place, "rev-parse", "HEAD^") == before
    assert git(place, "status", "--porcelain") == ""
    assert (place / "vcam/__init__.py").read_text() == '__version__ = "1.2.0"\n'
    heading = (place / "CHANGELOG.md").read_text().splitlines()[2]
    assert heading.startswith("## 1.2.0 (20")
    assert "pkgver=1.2.0\n" in (place / "vcam/packaging/arch/PKGBUILD").read_text()
    assert 'version = "1.2.0";' in (place / "vcam/packaging/nix/flake.nix").read_text()
    checksum = hashlib.sha256(b"source").hexdigest()
    assert f"sha256sums=('{checksum}')" in (folder / "PKGBUILD").read_text()
    assert f"{checksum}  vcam-1.2.0.tar.gz\n" in (folder / "SHA256SUMS").read_text()
    assert "PKGBUILD\n" in (folder / "SHA256SUMS").read_text()
    assert len(git(place, "worktree", "list").splitlines()) == 1


def test_a_dry_run_makes_all_of_it_and_tags_nothing(place: Path) -> None:
    before = state(place)
    folder = go(place, dry_run=True)
    assert folder.name == "vcam-1.2.0-dry-run"
    assert (folder / "SHA256SUMS").exists()
    assert state(place) == before


def test_a_candidate_leaves_the_heading_for_the_release(place: Path) -> None:
    def make(tree: Path, out: Path, *_: object) -> None:
        (out / "x.tar.gz").touch()

    go(place, "1.2.0rc1", make_all=make)
    assert "## 1.2.0 (not released)" in (place / "CHANGELOG.md").read_text()
    assert go(place).name == "vcam-1.2.0"


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.0.0", "older than 1.1.0"),
        ("1.3.0", "not 1.3.0"),
        ("v1.2.0", "written 1.2.0"),
        ("1.2.0-rc1", "written 1.2.0rc1"),
        ("1.2.0+local", "written 1.2.0"),
        ("new; rm -rf", "no version"),
    ],
)
def test_a_version_that_cannot_be_is_named(version: str, said: str, place: Path) -> None:
    before = state(place)
    with pytest.raises(VcamError) as caught:
        go(place, version)
    assert said in caught.value.message
    assert state(place) == before


def test_what_is_not_committed_and_a_tag_that_exists_are_refused(place: Path) -> None:
    (place / "new").touch()
    with pytest.raises(VcamError, match=r"not everything is committed: \?\? new"):
        go(place)
    (place / "new").unlink()
    git(place, "tag", "v1.2.0")
    with pytest.raises(VcamError, match=r"the tag v1\.2\.0 exists"):
        go(place)


@pytest.mark.parametrize("broken", ["sanity", "make", "tag", "merge"])
def test_whatever_fails_leaves_everything_as_it_was(broken: str, place: Path) -> None:
    def make(tree: Path, out: Path, *_: object) -> None:
        (out / "x.tar.gz").touch()
        if broken == "make":
            raise VcamError("no space left")
        if broken == "tag":
            # git keeps a tag in a file, which cannot lie where this one has a folder
            git(place, "tag", "v1.2.0/x")
        if broken == "merge":
            git(place, "commit", "--quiet", "--allow-empty", "--message=meanwhile")

    sanity = (sys.executable, "-c", "raise SystemExit('a test failed')") if broken == "sanity" else FINE
    before = state(place)
    with pytest.raises(VcamError):
        go(place, sanity=sanity, make_all=make)
    assert list((place.parent / "dist").iterdir()) == []
    if broken == "tag":
        git(place, "tag", "--delete", "v1.2.0/x")
    after = state(place)
    assert after[1:3] == before[1:3]
    assert len(after[3].splitlines()) == 1
    assert (after[0] == before[0]) == (broken != "merge")


def test_artifacts_of_an_earlier_try_are_not_overwritten(place: Path) -> None:
    go(place, dry_run=True)
    with pytest.raises(VcamError, match="exists already"):
        go(place, dry_run=True)


def test_what_a_step_said_is_told_with_its_cure(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "print('made one'); raise SystemExit('make deb: no index\\n  try: pip config list')"
    with pytest.raises(VcamError, match="make deb: no index; try: pip config list"):
        go(place, sanity=(sys.executable, "-c", said))
    assert module.main(["nonsense", str(place)]) == 1
    assert "'nonsense' is no version; nothing was released\n  try: " in capsys.readouterr().err


def test_the_sanity_of_a_release_are_the_tests_of_the_project() -> None:
    assert module.SANITY[-1] == "tests/project"
    assert (ROOT / module.SANITY[-1]).is_dir()
