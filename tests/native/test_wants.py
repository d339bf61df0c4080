"""What the compiled loops ask of a system: they must load on any that is not older than the wheel promises."""

from __future__ import annotations

import pytest

from tests.native.helpers import SOURCE
from vcam.native import build
from vcam.packaging import elf


def test_the_loops_ask_for_nothing_but_libc() -> None:
    library = SOURCE / build.LIBRARY
    if not library.exists():
        pytest.skip("no C compiler: sudo apt install gcc libc6-dev")
    if b"clang version" in library.read_bytes():
        pytest.skip("clang calls libm for what gcc writes out; no wheel is built by it")
    pytest.importorskip("elftools", reason="no pyelftools: pip install pyelftools")
    found = elf.read(library)
    assert found.machine in elf.MACHINES.values()
    assert found.libraries <= {"libc.so.6", "ld-linux-aarch64.so.1"}
    # of libm, say, which happens to be loaded by Python, in whatever version it was built with
    assert elf.loose(library) == set()
