"""`make dist`: the source distribution, and from it a wheel for every kind of machine, the same bytes each time.

    python -m vcam.packaging.dist FOLDER [MACHINE...]        MACHINE: x86_64, aarch64; both if none is named

The wheels carry the compiled loops, by a compiler for each machine, and nothing that is bound to a Python. The time in
the archives is SOURCE_DATE_EPOCH, otherwise that of the last commit. Needs hatchling and pyelftools; auditwheel is
asked if it is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from vcam.packaging.wheelloops import GLIBC, LIBRARY, MACHINES, BuildError, compile_loops, compiler, platform

ROOT = Path(__file__).resolve().parents[2]


class DistError(Exception):
    """The packages cannot be made here; the words say why."""


def make(out: Path, machines: Sequence[str] = tuple(MACHINES), root: Path = ROOT) -> list[Path]:
    """Make the source distribution and the wheels of a checkout in `out`, and return their paths, the former first.

    Nothing is put there before all of them are made. Raises `DistError` or `BuildError`.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(moment(root))}
    # what is meant for an installation here
    for name in ("VCAM_NATIVE", "VCAM_LOOPS", "VCAM_PLATFORM", "CC"):
        environment.pop(name, None)
    for machine in machines:
        # whether there is one, before anything takes time
        compiler(machine)
    # outside of any repository, whose list of what it ignores hatchling would heed
    with tempfile.TemporaryDirectory(prefix="vcam-dist-") as work:
        made = Path(work, "made")
        _pack("sdist", root, made, environment)
        (source,) = made.glob("*.tar.gz")
        with tarfile.open(source) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extractall(work, filter="data")
            else:
                # Python before 3.11.4, as Debian 12 has it
                archive.extractall(work)
        tree = Path(work, source.name.removesuffix(".tar.gz"))
        for machine in machines:
            loops = compile_loops(machine, Path(work, f"{machine}-{LIBRARY}"), tree / "vcam" / "native")
            extra = {"VCAM_LOOPS": str(loops), "VCAM_PLATFORM": platform(machine)}
            _pack("wheel", tree, made, environment | extra)
            (wheel,) = made.glob(f"*-{platform(machine)}.whl")
            audit(wheel, machine)
        paths = [source, *sorted(made.glob("*.whl"))]
        out.mkdir(parents=True, exist_ok=True)
        return [_put(path, out / path.name) for path in paths]


def moment(root: Path = ROOT) -> int:
    """The time that goes into archives, in seconds: SOURCE_DATE_EPOCH, or when the last commit was made.

    Without a repository it is hatchling's own, of 2020. Raises `DistError` for one that is no number.
    """
    if word := os.environ.get("SOURCE_DATE_EPOCH"):
        if not word.isdecimal():
            raise DistError(f"SOURCE_DATE_EPOCH is no number of seconds: {word}")
        return int(word)
    if (root / ".git").exists() and shutil.which("git"):
        command = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.stdout.strip().isdecimal():
            return int(done.stdout)
    return 1580601600


def audit(wheel: Path, machine: str) -> None:
    """Ask auditwheel, where it is installed, whether a wheel's name promises too much. Raises `DistError` then."""
    if find_spec("auditwheel") is None:
        return
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = " ".join((done.stdout + done.stderr).split())
    found = re.search(rf'platform tag: "manylinux_(\d+)_(\d+)_{machine}"', said)
    if done.returncode or not found or (int(found[1]), int(found[2])) > GLIBC:
        raise DistError(f"auditwheel does not find that {wheel.name} is what it is called: {said}")


def _pack(target: str, tree: Path, out: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stdout + done.stderr).strip().splitlines()
        raise DistError(f"hatchling made no {target}: {words[-1] if words else 'without a word'}")


def _put(made: Path, path: Path) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(made, beside)
        return beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def uncommitted(root: Path = ROOT) -> bool:
    """Whether there is anything in a checkout that no commit has, and that is in what is made all the same."""
    if not (root / ".git").exists() or not shutil.which("git"):
        return False
    done = subprocess.run(["git", "-C", str(root), "status", "--porcelain"], capture_output=True, check=False)
    return bool(done.stdout)


def main(words: Sequence[str]) -> None:
    """What `python -m vcam.packaging.dist` does."""
    if not words or not set(words[1:]) <= set(MACHINES):
        sys.exit(f"usage: python -m vcam.packaging.dist FOLDER [{'|'.join(MACHINES)}]...")
    if find_spec("hatchling") is None:
        sys.exit("vcam.packaging.dist: hatchling is not installed: pip install hatchling pyelftools, or make dist")
    if uncommitted():
        print("vcam.packaging.dist: what is not committed is in these packages too", file=sys.stderr)
    try:
        made = make(Path(words[0]), words[1:] or tuple(MACHINES))
    except (DistError, BuildError, OSError) as error:
        sys.exit(f"vcam.packaging.dist: {error}")
    for path in made:
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(sys.argv[1:])
