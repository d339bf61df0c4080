"""The compiled loops as a wheel carries them: for every machine of a kind, whatever this one is.

    python -m vcam.packaging.wheelloops aarch64 _kernels.so

.ci/arm64 runs what this builds.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vcam.packaging import elf

if TYPE_CHECKING:
    from vcam.native import build as native
else:
    # by its path: the room around it imports NumPy, which nobody needs who makes packages
    _spec = importlib.util.spec_from_file_location("_build", Path(__file__).parents[1] / "native" / "build.py")
    native = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(native)

LIBRARY = native.LIBRARY
BuildError = native.BuildError
"""There is no compiler, or it fails, or what it makes would not run everywhere."""

GLIBC = (2, 17)
"""The oldest glibc that a wheel of vcam promises to run with."""

MACHINES = {"x86_64": ("2",), "aarch64": ("0",)}
"""What wheels are made for, and the variants that stand in the library for each (vcam/native/common.h)."""

# nothing is taken from whatever else is loaded; no names of what is inside
_LINK = ["-s", "-Wl,-z,defs", "-Wl,-z,relro", "-Wl,-z,now"]


def platform(machine: str) -> str:
    """The end of the wheel's name, by PEP 600."""
    return f"manylinux_{GLIBC[0]}_{GLIBC[1]}_{machine}"


def compiler(machine: str) -> list[str]:
    """The compiler for a kind of machine, as the words of a command. Raises `BuildError` where there is none.

    VCAM_CC_X86_64 and VCAM_CC_AARCH64 name another.
    """
    name = f"VCAM_CC_{machine.upper()}"
    if words := os.environ.get(name, "").split():
        return words
    names = [f"{machine}-linux-gnu-gcc", *(["gcc", "cc"] if os.uname().machine == machine else [])]
    if found := next(filter(None, map(shutil.which, names)), None):
        return [found]
    packages = {
        "x86_64": "gcc-x86-64-linux-gnu libc6-dev-amd64-cross",
        "aarch64": "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
    }[machine]
    if os.uname().machine == machine:
        packages = "gcc libc6-dev"
    raise BuildError(f"no compiler for {machine} was found: sudo apt install {packages}, or {name}=...")


def compile_loops(machine: str, target: Path, folder: Path = native.FOLDER) -> Path:
    """Build the library of a wheel for these machines, and check it. Raises `BuildError`, and leaves nothing then.

    target: the file; folder: where the sources lie.
    """
    native.build(folder, target, compiler=compiler(machine), variants=MACHINES[machine], more=_LINK)
    try:
        check(target, machine)
    except ImportError as error:
        target.unlink()
        raise BuildError("pyelftools is not installed: pip install pyelftools") from error
    except ValueError as error:
        target.unlink()
        raise BuildError(str(error)) from error
    return target


def check(library: Path, machine: str) -> None:
    """Raise `ValueError` where a library would not load on every such machine with glibc from `GLIBC` on."""
    found = elf.read(library)
    if found.machine != machine:
        raise ValueError(f"{library.name} is for {found.machine}, not for {machine}")
    # some distributions' compilers take the stack's guard from the loader
    if others := found.libraries - {"libc.so.6", "ld-linux-aarch64.so.1", "ld-linux-x86-64.so.2"}:
        raise ValueError(f"{library.name} needs {', '.join(sorted(others))}")
    if loose := elf.loose(library):
        raise ValueError(f"{library.name} needs, from nowhere in particular, {', '.join(sorted(loose))}")
    if elf.newest_glibc(found.versions) > GLIBC:
        raise ValueError(f"{library.name} needs a newer glibc: {', '.join(sorted(found.versions))}")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in MACHINES:
        sys.exit(f"usage: python -m vcam.packaging.wheelloops {'|'.join(MACHINES)} FILE")
    try:
        print(compile_loops(sys.argv[1], Path(sys.argv[2])))
    except BuildError as error:
        sys.exit(f"vcam.packaging.wheelloops: {error}")
