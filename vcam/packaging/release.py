"""`make release VERSION=1.2.0`: everything that belongs to a release, or nothing of it.

    python -m vcam.packaging.release VERSION [--dry-run] [--python 3.13]... FOLDER

All of it happens in a checkout beside this one: the version and the date are written there, the tests of the project
run there, and the packages are made from there, so only what is committed is in them. If that went well, the tag is set
and this branch is moved to the commit, the last two steps. Whatever fails leaves branch, tags and files as they were.
Nothing is sent anywhere: git push --follow-tags and the upload are yours.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from packaging.version import InvalidVersion, Version

from vcam.errors import UsageError, VcamError
from vcam.packaging.deb import GLIBC, failed

ROOT = Path(__file__).resolve().parents[2]

SANITY = (sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/project")
"""What has to pass before anything is made: that all files agree with each other. `.ci/run` is for the rest."""

PLACES = {
    "vcam/__init__.py": (r'(?m)^__version__ = "(.+)"$', '__version__ = "{version}"'),
    "vcam/packaging/arch/PKGBUILD": (r"(?m)^pkgver=(.+)$", "pkgver={version}"),
    "vcam/packaging/nix/flake.nix": (r'(?m)^        version = "(.+)";$', '        version = "{version}";'),
}
"""Where the version stands: the pattern of its line, and the line."""

_HEADING = r"(?m)^## (\S+) \(not released\)$"


def check(root: Path, version: str) -> None:
    """Raises `UsageError` or `VcamError` for whatever speaks against a release of a checkout, and changes nothing."""
    try:
        wanted = Version(version)
    except InvalidVersion as error:
        raise UsageError(f"{version!r} is no version", "make release VERSION=1.2.0, or 1.2.0rc1") from error
    if str(wanted) != version or wanted.local:
        raise UsageError(f"{version!r} is written {wanted.public}", f"make release VERSION={wanted.public}")
    if changed := _git(root, "status", "--porcelain"):
        raise VcamError(f"not everything is committed: {changed.splitlines()[0].strip()}", "git status")
    if _git(root, "tag", "--list", f"v{version}"):
        raise VcamError(f"the tag v{version} exists already", f"git show v{version}")
    now = Version(_version_in(root))
    if wanted < now:
        raise UsageError(f"{version} is older than {now}, which vcam is already", "a version after that")
    headings = re.findall(_HEADING, (root / "CHANGELOG.md").read_text("utf-8"))
    if headings != [wanted.base_version]:
        seen = f"CHANGELOG.md has {' and '.join(headings) or 'nothing'} as not released"
        raise VcamError(f"{seen}, not {wanted.base_version}", f"## {wanted.base_version} (not released)")


def _version_in(root: Path) -> str:
    found = re.search(PLACES["vcam/__init__.py"][0], (root / "vcam/__init__.py").read_text("utf-8"))
    if found is None:
        raise VcamError("vcam/__init__.py has no version")
    return found[1]


def write_version(root: Path, version: str, day: datetime) -> None:
    """Write a version wherever it stands, and the day into the changelog; a candidate's heading stays as it is."""
    for name, (pattern, line) in PLACES.items():
        path = root / name
        # no version has a backslash, which would mean something here
        text, count = re.subn(pattern, line.format(version=version), path.read_text("utf-8"))
        if count != 1:
            raise VcamError(f"{name} has {count} lines with the version, not one", f"grep version {name}")
        path.write_text(text, encoding="utf-8")
    if not Version(version).is_prerelease:
        path = root / "CHANGELOG.md"
        text = re.sub(_HEADING, lambda found: f"## {found[1]} ({day:%Y-%m-%d})", path.read_text("utf-8"))
        path.write_text(text, encoding="utf-8")


def make(tree: Path, out: Path, pythons: Sequence[str], environment: dict[str, str]) -> None:
    """Make every artifact of a checkout in a folder: wheels, packages, their lists of parts and licences."""
    _run([sys.executable, "-m", "vcam.packaging.dist", str(out)], tree, environment)
    for python in pythons:
        _run([sys.executable, "-m", "vcam.packaging.deb", "--python", python, str(out)], tree, environment)


def release(
    root: Path,
    version: str,
    out: Path,
    *,
    dry_run: bool,
    pythons: Sequence[str] = tuple(GLIBC),
    sanity: Sequence[str] = SANITY,
    make_all: Callable[[Path, Path, Sequence[str], dict[str, str]], None] = make,
    say: Callable[[str], object] = print,
) -> Path:
    """Make a release of a checkout; returns the folder of its artifacts, below `out`.

    dry_run: everything but the last two steps, setting the tag and moving the branch. Raises `VcamError`.
    """
    check(root, version)
    target = out / f"vcam-{version}{'-dry-run' if dry_run else ''}"
    if target.exists():
        raise VcamError(f"{target} exists already", f"rm -r {target}")
    day = datetime.now(UTC)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=out) as folder:
        tree, made = Path(folder, "vcam"), Path(folder, "made")
        made.mkdir()
        _git(root, "worktree", "add", "--quiet", "--detach", str(tree))
        try:
            write_version(tree, version, day)
            # what runs there finds that checkout's vcam, whichever one is installed
            environment = {**os.environ, "PYTHONPATH": str(tree)}
            say(f"testing: {' '.join(sanity[1:])}")
            _run(sanity, tree, environment)
            _git(tree, "commit", "--quiet", "--all", "--allow-empty", f"--message=vcam {version}")
            commit = _git(tree, "rev-parse", "HEAD")
            environment["SOURCE_DATE_EPOCH"] = _git(tree, "log", "-1", "--format=%ct")
            say(f"making packages for Python {', '.join(pythons)}")
            make_all(tree, made, pythons, environment)
            _finish(tree, made)
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))
        # to one and the same file system, so that it is there whole or not at all
        shutil.move(made, target)
    for path in sorted(target.iterdir()):
        say(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    if dry_run:
        say(f"not done: git tag v{version} {commit[:12]}; git merge --ff-only v{version}")
        return target
    try:
        _git(root, "tag", "--annotate", f"v{version}", f"--message=vcam {version}", commit)
        try:
            # the last step: a tag can be taken back, a branch that others may have seen move cannot
            _git(root, "merge", "--quiet", "--ff-only", commit)
        except VcamError:
            _git(root, "tag", "--delete", f"v{version}")
            raise
    except VcamError:
        shutil.rmtree(target)
        raise
    say(f"tagged v{version}; now: git push --follow-tags")
    return target


def _finish(tree: Path, made: Path) -> None:
    """The recipe for Arch with the checksum of the source, and the checksums of everything."""
    sources = sorted(made.glob("*.tar.gz"))
    recipe = (tree / "vcam/packaging/arch/PKGBUILD").read_text("utf-8")
    for source in sources:
        recipe = recipe.replace("sha256sums=('SKIP')", f"sha256sums=('{_checksum(source)}')")
    (made / "PKGBUILD").write_text(recipe, encoding="utf-8")
    lines = [f"{_checksum(path)}  {path.name}\n" for path in sorted(made.iterdir())]
    (made / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _git(root: Path, *words: str) -> str:
    return _run(["git", "-C", str(root), *words], root, dict(os.environ)).strip()


def _run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> str:
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise VcamError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        what = " ".join(command[1:] if command[0] == sys.executable else command)
        raise VcamError(f"{what}: {'; '.join(said[-2:]) or f'exit status {done.returncode}'}")
    return done.stdout


def main(words: Iterable[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make release", description="Everything that belongs to a release.")
    parser.add_argument("version")
    parser.add_argument("--dry-run", action="store_true", help="neither move the branch nor set the tag")
    parser.add_argument("--python", action="append", help="a Python to make packages for; otherwise all")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    options = parser.parse_args(None if words is None else list(words))
    try:
        pythons = tuple(options.python or GLIBC)
        release(ROOT, options.version, options.folder.absolute(), dry_run=options.dry_run, pythons=pythons)
    except (VcamError, OSError) as error:
        return failed("make release", error, "; nothing was released")
    return 0


if __name__ == "__main__":
    sys.exit(main())
