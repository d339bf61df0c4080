"""Which packages of Python's a .deb carries: resolved by pip for the Python of the target, fetched and unpacked.

pip asks its index once, for every package together, and writes down what it chose, with checksums. That list is all
that the second step installs, so the same list gives the same tree.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from vcam.errors import VcamError

LEFT_OUT = {
    "pyvirtualcam": "under GPL-2.0-only, which does not go together with Apache-2.0 in one bundle; vcam never loads it",
    "imageio-ffmpeg": "the package depends on the system's ffmpeg",
    "openvino-telemetry": "nothing of vcam's tells anybody anything; OpenVINO runs without it",
}
"""Packages that vcam's own metadata may name and that are not bundled, with the reason."""

MORE = ("openvino", "onnxruntime", "pygame-ce", "simplejpeg", "starlette", "uvicorn", "websockets", "jeepney")
"""Of the packages that vcam names only as extras, those that are bundled all the same."""

SEPARATE = {"vcam-openvino": ("openvino",)}
"""Packages of Debian's for what not everybody needs, and the packages of Python's that are in them."""

_COMMON = Path("/usr/share/common-licenses")
_HERE = Path(__file__).parent

SUPPLIED = {
    "pygame-ce": {
        "LGPL-2.1.txt": _COMMON / "LGPL-2.1",
        "LIBRARIES.txt": _HERE / "notices/pygame-ce.txt",
    },
    "flatbuffers": {"LICENSE.txt": _HERE.parents[1] / "models/LICENSE.Apache-2.0"},
}
"""Of packages whose wheels bring no text of their licence: the files that are put beside them, and what is in each."""

PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC = 17


@dataclass(frozen=True, slots=True)
class Target:
    """A release of Python and of glibc on one processor. python: as "3.11". glibc: the 36 of 2.36."""

    python: str
    architecture: str
    glibc: int

    @property
    def tags(self) -> list[str]:
        """pip's words that choose wheels for it."""
        machine = PLATFORMS[self.architecture]
        names = [f"manylinux_2_{number}_{machine}" for number in range(self.glibc, _OLDEST_GLIBC - 1, -1)]
        words = [f"--platform={name}" for name in (*names, f"manylinux2014_{machine}", f"linux_{machine}")]
        return [*words, f"--python-version={self.python}", "--implementation=cp", "--only-binary=:all:"]

    @property
    def markers(self) -> dict[str, str]:
        """What the conditions of requirements are asked about."""
        return {
            "python_version": self.python, "python_full_version": f"{self.python}.0", "os_name": "posix",
            "sys_platform": "linux", "platform_system": "Linux", "platform_machine": PLATFORMS[self.architecture],
            "platform_python_implementation": "CPython", "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0", "platform_release": "", "platform_version": "", "extra": "",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wheel:
    """One package of the bundle. sha256 is that of the file that the index has. metadata: its core metadata."""

    name: str
    version: str
    sha256: str
    metadata: dict[str, Any]

    @property
    def line(self) -> str:
        """As pip reads it from a file of requirements."""
        return f"{self.name}=={self.version} --hash=sha256:{self.sha256}"


def resolve(vcam: Path, target: Target) -> list[Wheel]:
    """Every package that vcam needs on the target, without vcam itself and those of `LEFT_OUT`, by name.

    Asks the index that pip is configured with. Raises `VcamError`.
    """
    roots = [str(requirement) for requirement in roots_of(vcam, target)]
    wanted = list(roots)
    for _ in range(8):
        found: dict[str, Wheel] = {canonicalize_name(wheel.name): wheel for wheel in _report(wanted, target)}
        chosen: dict[str, Wheel] = {}
        missing = list(_closure(map(Requirement, roots), found, target, chosen))
        if not missing:
            return [chosen[name] for name in sorted(chosen)]
        # pip asks the conditions of the Python that runs it: what only the target needs is named to it
        wanted += map(str, missing)
    raise VcamError(f"pip does not find what Python {target.python} needs: {', '.join(wanted)}")


def roots_of(vcam: Path, target: Target) -> Iterator[Requirement]:
    """What a wheel of vcam requires itself, with those of its extras that are bundled."""
    for text in metadata_of(vcam).get("requires_dist", []):
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        bundled = requirement.marker is None or requirement.marker.evaluate(target.markers) or name in MORE
        if bundled and name not in LEFT_OUT and name != "vcam":
            requirement.marker = None
            yield requirement


def metadata_of(wheel: Path) -> dict[str, Any]:
    """The core metadata in a wheel, its keys as pip's report has them. Raises `VcamError` if it is no wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            message = HeaderParser().parsestr(archive.read(name).decode())
    except (OSError, zipfile.BadZipFile, StopIteration) as error:
        raise VcamError(f"{wheel} is no wheel: {error}", "make dist") from error
    return {
        "name": message["Name"],
        "version": message["Version"],
        "requires_dist": message.get_all("Requires-Dist", []),
    }


def _closure(
    requirements: Iterable[Requirement], found: dict[str, Wheel], target: Target, chosen: dict[str, Wheel]
) -> Iterator[Requirement]:
    """Put what is required, and what that requires, into `chosen`; yields what was not found."""
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if name in LEFT_OUT or name in chosen:
            continue
        if name not in found:
            yield requirement
            continue
        chosen[name] = found[name]
        inner = map(Requirement, found[name].metadata.get("requires_dist", []))
        extras = requirement.extras or {""}
        yield from _closure(
            [
                other
                for other in inner
                if other.marker is None
                or any(other.marker.evaluate({**target.markers, "extra": extra}) for extra in extras)
            ],
            found,
            target,
            chosen,
        )


def _report(requirements: list[str], target: Target) -> Iterator[Wheel]:
    said = _pip(
        "install", "--dry-run", "--ignore-installed", "--quiet", "--report=-", "--target=/nonexistent", *target.tags,
        *requirements,
    )  # fmt: skip
    for entry in json.loads(said)["install"]:
        metadata, archive = entry["metadata"], entry["download_info"]["archive_info"]
        checksum = archive.get("hashes", {}).get("sha256") or archive["hash"].removeprefix("sha256=")
        yield Wheel(metadata["name"], metadata["version"], checksum, metadata)


def install(wheels: Iterable[Wheel], vcam: Path, target: Target, folder: Path) -> None:
    """Unpack exactly these wheels and vcam's own into a folder. Raises `VcamError`."""
    lines = folder.with_name(f"{folder.name}.requirements.txt")
    lines.write_text("".join(f"{wheel.line}\n" for wheel in wheels), encoding="utf-8")
    quiet = ("--quiet", "--no-deps", "--no-compile", f"--target={folder}", "--upgrade", *target.tags)
    _pip("install", *quiet, "--require-hashes", f"--requirement={lines}")
    _pip("install", *quiet, str(vcam))
    lines.unlink()


_NOTES = ("RECORD", "REQUESTED", "direct_url.json")


def prune(folder: Path) -> None:
    """Take out of an installed tree what no program needs: tests, headers, stubs, and pip's notes about itself."""
    for name in ("bin", "share", "include", "numpy/_core/include", "numpy/f2py", "pygame/examples", "pygame/docs"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in [*folder.rglob("tests"), *folder.rglob("test"), *folder.rglob("__pycache__")]:
        # vcam's own is a module of that name, and so may others' be
        if path.is_dir() and path.parent != folder:
            shutil.rmtree(path, ignore_errors=True)
    for pattern in ("*.pyi", "*.a", "*.hpp", "*.pyx", "*.pxd", *(f"*.dist-info/{name}" for name in _NOTES)):
        for path in folder.rglob(pattern):
            path.unlink()
    for path in folder.glob("*.dist-info/INSTALLER"):
        path.write_text("dpkg\n")


def supply(folder: Path) -> None:
    """Put the texts of `SUPPLIED` beside the packages of an installed tree. Raises `VcamError` where one is not here,
    and for a library in pygame-ce that its list does not name.
    """
    for name, texts in SUPPLIED.items():
        stem = name.replace("-", "_")
        for place in folder.glob(f"{stem}-*.dist-info"):
            for file, source in texts.items():
                try:
                    text = source.read_bytes()
                except OSError as error:
                    raise VcamError(
                        f"the licence of {name} is not here: {source}", "on Debian: sudo apt install base-files"
                    ) from error
                (place / "licenses").mkdir(exist_ok=True)
                (place / "licenses" / file).write_bytes(text)
                if file == "LIBRARIES.txt":
                    _all_named(folder / f"{stem}.libs", source)


def _all_named(libraries: Path, notice: Path) -> None:
    listed = re.findall(r"(?m)^(lib\w+) ", notice.read_text("utf-8"))
    for path in sorted(libraries.glob("*.so*")):
        # auditwheel puts eight digits of a checksum into the name
        if re.sub(r"(-\d)?-[0-9a-f]{8}\..*|\.so.*", "", path.name) not in listed:
            raise VcamError(f"nothing tells the licence of {libraries.name}/{path.name}", f"name it in {notice}")


def _pip(*words: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    if "No module named pip" in done.stderr:
        raise VcamError("this environment has no pip", f"{sys.executable} -m ensurepip")
    last = re.sub(r"^ERROR: ", "", said[-1]) if said else f"exit status {done.returncode}"
    raise VcamError(f"pip {words[0]}: {last}", "python -m pip config list shows which index it asks")
