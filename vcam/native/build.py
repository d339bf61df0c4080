"""Build the compiled loops beside their sources: `python -m vcam.native.build`. An installation does it by itself.

Needs a C compiler and nothing else; hatch_build.py runs this file by its path, before there is a vcam to import.
"""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LIBRARY = "_kernels.so"
COMPILERS = ("cc", "gcc", "clang")
FLAGS = ["-std=gnu11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math"]
# of x86-64, see common.h; not every compiler, and not every libc, can put them into one library
VARIANTS = ("2", "1", "0") if os.uname().machine == "x86_64" else ("0",)


class BuildError(Exception):
    """There is no compiler, or it fails."""


def fingerprint(folder: Path = FOLDER) -> int:
    """What a library says of the sources that it was built from: it is not used with others."""
    value = 0
    for path in sorted([*folder.glob("*.c"), *folder.glob("*.h")]):
        value = zlib.crc32(path.read_bytes(), value)
    return value


def build(
    folder: Path = FOLDER,
    target: Path | None = None,
    *,
    compiler: Sequence[str] = (),
    variants: Sequence[str] = VARIANTS,
    more: Sequence[str] = (),
) -> Path:
    """Compile the sources of a folder into one library and return where it is. Raises `BuildError`.

    compiler: the words it is started with; otherwise CC's, otherwise the first that this machine has. variants: which
    to try, the first that can be built is taken. more: flags besides `FLAGS`.
    """
    # here, not above: whoever only runs vcam imports this file for the fingerprint
    import shutil
    import subprocess

    wanted = [*compiler] or os.environ.get("CC", "").split()
    compiler = wanted or next(([path] for name in COMPILERS if (path := shutil.which(name))), [])
    if not compiler:
        raise BuildError("no C compiler was found: sudo apt install gcc libc6-dev")
    target = target or folder / LIBRARY
    # written beside it and renamed: somebody may be running the old one
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    sources = [str(path) for path in sorted(folder.glob("*.c"))]
    flags = [*FLAGS, *more, f"-DVCAM_FINGERPRINT={fingerprint(folder)}u"]
    said = ""
    try:
        for variant in variants:
            command = [*compiler, *flags, f"-DVCAM_VARIANTS={variant}", "-o", str(beside), *sources]
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)
            except OSError as error:
                raise BuildError(f"{compiler[0]} cannot be run: {error.strerror}") from error
            if not done.returncode:
                beside.replace(target)
                return target
            said = said or done.stderr.strip()
    finally:
        beside.unlink(missing_ok=True)
    lines = said.splitlines() or ["without a word"]
    telling = next((line for line in lines if "error" in line or "undefined reference" in line), lines[0])
    raise BuildError(f"{compiler[0]} failed: {telling}")


if __name__ == "__main__":
    try:
        print(build())
    except BuildError as error:
        sys.exit(f"vcam.native.build: {error}")
