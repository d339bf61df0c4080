"""`make deb`: packages for Debian and Ubuntu, for one release of Python.

    python -m vcam.packaging.deb [--python 3.13] [--architecture arm64] [--wheel FILE] [--packages FILE] FOLDER

A package holds the program and every package of Python's that it needs, so that nothing is fetched when it is
installed. NumPy, ONNX Runtime and others are compiled for one minor version of Python. One package for three versions
would be three times as large for everybody, so there is one for each, as dh_python3 does it: Debian 12 has Python 3.11,
Ubuntu 24.04 has 3.12, Debian 13 has 3.13. Its dependencies name the version, and no other Python takes it.

What pip chose is written beside the packages; --packages with that file makes the same bytes once more, if vcam is the
same and SOURCE_DATE_EPOCH, too, and click, DEBFULLNAME and DEBEMAIL of whoever makes it. Needs dpkg-deb and pyelftools.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

from packaging.utils import canonicalize_name

from vcam import __version__
from vcam.errors import UsageError, VcamError
from vcam.packaging import deb_bundle, elf, sbom, systemfiles
from vcam.packaging.deb_bundle import SEPARATE, Target, Wheel
from vcam.packaging.deb_control import (
    ENVIRONMENT,
    SYSTEM_LIBRARIES,
    changelog,
    control,
    copyright_text,
    debian_version,
    scripts,
)
from vcam.packaging.dist import DistError, moment
from vcam.printable import printable

ROOT = Path(__file__).resolve().parents[2]

GLIBC = {"3.11": 36, "3.12": 39, "3.13": 41}
"""What the releases with these Pythons have: Debian 12, Ubuntu 24.04, Debian 13. No wheel for a newer one is taken."""

_NEWEST_GLIBC = 41
_LEVEL = 6

LAUNCHER = f"""\
#!/bin/sh
# isolated: no module of the folder that it is started in, of PYTHONPATH or of a user's own is vcam's
exec /{ENVIRONMENT}/bin/python3 -Im vcam "$@"
"""


def make(out: Path, target: Target, vcam: Path, chosen: list[Wheel] | None = None, level: int = _LEVEL) -> list[Path]:
    """Make the packages of a target from vcam's wheel; returns them, and what is written beside them.

    chosen: what pip shall take instead of what its index has today. level: how hard xz tries, 0 to 9.

    Nothing is put into the folder before all of it is
    made. Raises `VcamError`.
    """
    if not shutil.which("dpkg-deb"):
        raise VcamError("there is no dpkg-deb", "sudo apt install dpkg")
    if find_spec("elftools") is None:
        raise VcamError("pyelftools is not installed", f"{sys.executable} -m pip install pyelftools")
    wheels = chosen or deb_bundle.resolve(vcam, target)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".deb-", dir=out) as work:
        tree = Path(work, "tree")
        deb_bundle.install(wheels, vcam, target, tree)
        deb_bundle.prune(tree)
        deb_bundle.supply(tree)
        made = _build(Path(work), tree, target, deb_bundle.metadata_of(vcam)["version"], wheels, level)
        return [Path(shutil.move(path, out / path.name)) for path in made]


def _build(work: Path, tree: Path, target: Target, vcam: str, wheels: list[Wheel], level: int) -> list[Path]:
    version, when = debian_version(vcam, target.python), systemfiles.source_date()
    parts = sbom.parts(tree)
    stem = f"vcam_{version}_{target.architecture}"
    listed, bill, texts = (work / f"{stem}{end}" for end in (".packages.txt", ".cdx.json", ".licences.txt"))
    listed.write_text("".join(f"{wheel.line}\n" for wheel in wheels), encoding="utf-8")
    checksums: dict[str, str] = {canonicalize_name(wheel.name): wheel.sha256 for wheel in wheels}
    bill.write_text(sbom.cyclonedx(parts, vcam, when, checksums), encoding="utf-8")
    texts.write_text(sbom.licences(parts), encoding="utf-8")
    site = f"{ENVIRONMENT}/lib/python{target.python}/site-packages"
    made = []
    for name in ("vcam", *SEPARATE):
        own = [part for part in parts if _home(part.name) == name]
        if not own:
            continue
        stage = work / name
        (stage / site).mkdir(parents=True)
        for path in [*tree.iterdir()]:
            # what belongs to no package by its name is vcam's as well
            if name == next((_home(part.name) for part in parts if _is_of(path, part)), "vcam"):
                shutil.move(path, stage / site / path.name)
        if name == "vcam":
            _environment(stage, target)
            systemfiles.write(stage)
        for place, data in _documents(name, version, own, site).items():
            _put(stage / place, data)
        made.append(_pack(stage, work, name, version, target, level))
    return [*made, listed, bill, texts]


def _home(part: str) -> str:
    return next((name for name, inside in SEPARATE.items() if canonicalize_name(part) in inside), "vcam")


def _is_of(path: Path, part: sbom.Part) -> bool:
    if path.suffix == ".dist-info":
        return canonicalize_name(path.name.split("-")[0]) == canonicalize_name(part.name)
    return path.name in part.tops


def _environment(stage: Path, target: Target) -> None:
    """What makes the folder an environment of its own, as `python3 -m venv` would, and the program."""
    folder = stage / ENVIRONMENT
    (folder / "bin").mkdir()
    for name in ("python3", "python"):
        (folder / "bin" / name).symlink_to(f"../../../bin/python{target.python}")
    _put(folder / "pyvenv.cfg", f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {target.python}\n")
    _put(stage / "usr/bin/vcam", LAUNCHER)
    (stage / "usr/bin/vcam").chmod(0o755)


def _documents(name: str, version: str, own: list[sbom.Part], site: str) -> dict[str, str | bytes]:
    folder = f"usr/share/doc/{name}"
    when = systemfiles.source_date()
    made: dict[str, str | bytes] = {
        f"{folder}/copyright": copyright_text(name, own, site, (ROOT / "LICENSE").read_text("utf-8")),
        f"{folder}/changelog.Debian.gz": systemfiles.packed(changelog(name, version, when)),
        f"usr/share/lintian/overrides/{name}": overrides(name),
    }
    if name == "vcam":
        made[f"{folder}/changelog.gz"] = systemfiles.packed((ROOT / "CHANGELOG.md").read_text("utf-8"))
        made[f"{folder}/NOTICE"] = (ROOT / "NOTICE").read_bytes()
    return made


def overrides(name: str) -> str:
    """What lintian finds and is meant so: a bundle of wheels is what Debian's own packages must not be."""
    tags = ("embedded-library", "unstripped-binary-or-object", "custom-library-search-path",
            "shared-library-lacks-prerequisites", "library-not-linked-against-libc")  # fmt: skip
    why = "# These are the files of published wheels, unchanged: docs/packaging.md says why they are bundled.\n"
    return why + "".join(f"{name}: {tag} *\n" for tag in tags)


def _put(path: Path, data: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _pack(stage: Path, work: Path, name: str, version: str, target: Target, level: int) -> Path:
    libraries, glibc = _asked_for(stage, work, target)
    _settle(stage)
    size = sum(max(4, -(-path.lstat().st_size // 1024)) for path in stage.rglob("*") if not path.is_dir())
    try:
        head = control(name, version, target.architecture, target.python, libraries, glibc, size)
    except KeyError as error:
        raise VcamError(
            f"no package of Debian's is known for the library {error}", "name it in SYSTEM_LIBRARIES"
        ) from None
    # an eighth more for what Python compiles; an upgrade needs as much, since dpkg unpacks all beside the old files
    texts = {"control": head, **scripts(name, size + size // 8), "md5sums": _checksums(stage)}
    for kind, text in texts.items():
        _put(stage / "DEBIAN" / kind, text)
        (stage / "DEBIAN" / kind).chmod(0o644 if kind in ("control", "md5sums") else 0o755)
    (stage / "DEBIAN").chmod(0o755)
    path = work / f"{name}_{version}_{target.architecture}.deb"
    seconds = str(int(systemfiles.source_date().timestamp()))
    # one thread: how many there are changes the bytes
    command = [
        "dpkg-deb",
        "--root-owner-group",
        "-Zxz",
        f"-z{level}",
        "--threads-max=1",
        "--build",
        str(stage),
        str(path),
    ]
    done = subprocess.run(command, env={**os.environ, "SOURCE_DATE_EPOCH": seconds}, capture_output=True, text=True)
    if done.returncode:
        raise VcamError(f"dpkg-deb: {done.stderr.strip()}", f"df -h {work}")
    return path


def _asked_for(stage: Path, work: Path, target: Target) -> tuple[set[str], tuple[int, int]]:
    """The libraries that are not in any of the packages, and the glibc that all of it asks for."""
    needed: set[str] = set()
    glibc = (2, 17)
    for path in stage.rglob("*"):
        if path.is_symlink() or not path.is_file() or ".so" not in path.name:
            continue
        if not elf.is_library(path):
            continue
        try:
            library = elf.read(path)
            newest = elf.newest_glibc(version for version in library.versions if version.startswith("GLIBC_"))
        except ValueError as error:
            raise VcamError(f"{path} is damaged, or too new: {error}", "rm -r ~/.cache/pip") from error
        if library.machine != deb_bundle.PLATFORMS[target.architecture]:
            raise VcamError(f"{path.name} is for {library.machine}, not for {target.architecture}")
        needed |= library.libraries
        glibc = max(glibc, (newest[0], newest[1] if newest[1:] else 0))
    inside = {path.name for path in work.rglob("*.so*")}
    if glibc > (2, target.glibc):
        raise VcamError(f"something in {stage.name} needs glibc {glibc[0]}.{glibc[1]}, not 2.{target.glibc}")
    return {name for name in needed if name in SYSTEM_LIBRARIES or name not in inside}, glibc


def _settle(stage: Path) -> None:
    """The same modes and times, whoever makes it and when."""
    seconds = int(systemfiles.source_date().timestamp())
    for path in (stage, *stage.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or (path.parent.name == "bin" and "lib" not in path.relative_to(stage).parts[1:])
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def _checksums(stage: Path) -> str:
    import hashlib

    files = sorted(path for path in stage.rglob("*") if path.is_file() and not path.is_symlink())
    return "".join(
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(stage)}\n"
        for path in files
        if "DEBIAN" not in path.relative_to(stage).parts
    )


def read_list(path: Path) -> list[Wheel]:
    """The packages in a list that was written beside a .deb. Raises `UsageError`."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        parts = re.fullmatch(r"([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})", line)
        if parts is None:
            raise UsageError(
                f"{path}, line {number}: {line!r} is no package with its checksum", "NAME==VERSION --hash=..."
            )
        found.append(Wheel(parts[1], parts[2], parts[3], {}))
    return found


def this_python() -> str:
    """The minor version of the Python of the system, which packages for this machine are for, else of this one."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
    ) if Path("/usr/bin/python3").exists() else None  # fmt: skip
    found = done.stdout.strip() if done else ""
    return found if re.fullmatch(r"3\.\d+", found) else f"3.{sys.version_info.minor}"


def this_architecture() -> str:
    """As Debian names it."""
    machine = os.uname().machine
    return next((name for name, other in deb_bundle.PLATFORMS.items() if other == machine), machine)


def target_of(python: str, architecture: str) -> Target:
    """Raises `UsageError` for what there can be no package for."""
    if not re.fullmatch(r"3\.\d{1,2}", python) or int(python[2:]) < 11:
        raise UsageError(f"{python!r} is no Python that vcam runs on", "PYTHON=3.11, 3.12 or 3.13")
    if architecture not in deb_bundle.PLATFORMS:
        raise UsageError(f"there are no packages for {architecture!r}", f"one of {', '.join(deb_bundle.PLATFORMS)}")
    return Target(python, architecture, GLIBC.get(python, _NEWEST_GLIBC))


def find_wheel(folder: Path, architecture: str) -> Path:
    """vcam's own wheel among those that `make dist` made. Raises `VcamError` if there are none, or several."""
    found = sorted(folder.glob(f"vcam-{__version__}-py3-none-*_{deb_bundle.PLATFORMS[architecture]}.whl"))
    if len(found) != 1:
        raise VcamError(
            f"{folder} holds {len(found)} wheels of vcam {__version__} for {architecture}, not one", "make dist"
        )
    return found[0]


def main(words: Iterable[str] | None = None, say: Callable[[str], object] = print) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="make deb", description="Packages for Debian and Ubuntu.")
    parser.add_argument("--python", default="", help="the minor version of Python, as 3.13")
    parser.add_argument("--architecture", default=this_architecture())
    parser.add_argument("--wheel", type=Path, help="vcam's own wheel; otherwise that in FOLDER")
    parser.add_argument("--packages", type=Path, help="what was in an earlier package, to make it once more")
    parser.add_argument("--level", type=int, choices=range(10), default=_LEVEL, help="how hard xz tries")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    options = parser.parse_args(None if words is None else list(words))
    try:
        # as the wheels have it
        os.environ["SOURCE_DATE_EPOCH"] = str(moment(ROOT))
        target = target_of(options.python or this_python(), options.architecture)
        wheel = options.wheel or find_wheel(options.folder, target.architecture)
        chosen = read_list(options.packages) if options.packages else None
        for path in make(options.folder, target, wheel, chosen, options.level):
            mode = stat.S_IMODE(path.stat().st_mode) | 0o444
            path.chmod(mode)
            say(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    except (VcamError, DistError, OSError) as error:
        return failed("make deb", error)
    return 0


def failed(program: str, error: Exception, more: str = "") -> int:
    """Tell what failed, and the cure if there is one; returns the exit status."""
    message = error.message if isinstance(error, VcamError) else str(error)
    print(f"{program}: {printable(message)}{more}", file=sys.stderr)
    if hint := getattr(error, "hint", ""):
        print(f"  try: {printable(hint)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
