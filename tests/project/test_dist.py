"""`make dist`: wheels for every Python on every glibc that their names promise, and the same bytes each time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam import __version__
from vcam.native.build import COMPILERS
from vcam.packaging import dist, wheelloops
from vcam.packaging.elf import loose, newest_glibc, read

pytestmark = pytest.mark.process

MACHINE = os.uname().machine
COMPILER = next(filter(None, map(shutil.which, COMPILERS)), "")
needs_compiler = pytest.mark.skipif(
    not COMPILER or MACHINE not in wheelloops.MACHINES, reason="no C compiler: sudo apt install gcc libc6-dev"
)
needs_elftools = pytest.mark.skipif(find_spec("elftools") is None, reason="no pyelftools: pip install pyelftools")


def library(folder: Path, code: str, *flags: str) -> Path:
    (folder / "a.c").write_text(code)
    command = [COMPILER, "-O1", "-shared", "-fPIC", "-o", "a.so", "a.c", *flags]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "a.so"


@needs_compiler
@needs_elftools
def test_what_a_library_asks_for_is_read_from_it(tmp_path: Path) -> None:
    bare = library(tmp_path, "int one(void) { return 1; }")
    assert read(bare).machine == MACHINE
    assert loose(bare) == set()
    code = "#include <math.h>\nfloat f(float x) { return expf(x); }"
    assert loose(library(tmp_path, code)) == {"expf"}
    named = library(tmp_path, code, "-Wl,--no-as-needed", "-lm")
    assert "libm.so.6" in read(named).libraries
    assert loose(named) == set()
    assert newest_glibc(read(named).versions) >= (2, 2)


def test_versions_of_glibc_are_compared_as_numbers() -> None:
    assert newest_glibc(frozenset({"GLIBC_2.2.5", "GLIBC_2.14", "GLIBC_2.9"})) == (2, 14)
    assert newest_glibc(frozenset()) == (0,)
    # a linker that packs relocations makes this, and only glibc 2.36 knows it
    assert newest_glibc({"GLIBC_ABI_DT_RELR", "GLIBC_2.9"}) == (2, 36)
    with pytest.raises(ValueError, match="GLIBC_ABI_NEW"):
        newest_glibc({"GLIBC_ABI_NEW"})


@needs_compiler
@needs_elftools
def test_a_library_that_would_not_load_everywhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "#include <string.h>\nvoid f(char *a, int n) { memset(a, n, n); }"
    good = library(tmp_path, code)
    wheelloops.check(good, MACHINE)
    other = next(name for name in wheelloops.MACHINES if name != MACHINE)
    with pytest.raises(ValueError, match=f"is for {MACHINE}, not for {other}"):
        wheelloops.check(good, other)
    with pytest.raises(ValueError, match=r"needs, from nowhere in particular, expf"):
        wheelloops.check(library(tmp_path, "float expf(float);\nfloat f(float x) { return expf(x); }"), MACHINE)
    with pytest.raises(ValueError, match=r"needs libm\.so\.6"):
        wheelloops.check(library(tmp_path, "", "-Wl,--no-as-needed", "-lm"), MACHINE)
    monkeypatch.setattr(wheelloops, "GLIBC", (2, 1))
    with pytest.raises(ValueError, match="needs a newer glibc"):
        wheelloops.check(library(tmp_path, code), MACHINE)


@needs_elftools
def test_what_is_no_library_is_said_to_be_none(tmp_path: Path) -> None:
    for text in (b"", b"MZ", b"\x7fELF\x01\x01", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + 200 * b"\xff"):
        (tmp_path / "a.so").write_bytes(text)
        with pytest.raises(ValueError, match=r"a\.so is no"):
            read(tmp_path / "a.so")


def test_a_machine_without_its_compiler_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    crossing = {"x86_64": "gcc-x86-64-linux-gnu libc6-dev-amd64", "aarch64": "gcc-aarch64-linux-gnu libc6-dev-arm64"}
    # for its own kind a machine needs no cross compiler
    for machine, cross in crossing.items():
        package = "gcc libc6-dev," if machine == MACHINE else cross
        monkeypatch.delenv(f"VCAM_CC_{machine.upper()}", raising=False)
        with pytest.raises(wheelloops.BuildError, match=f"no compiler for {machine} .*apt install {package}"):
            wheelloops.compiler(machine)
    monkeypatch.setenv("VCAM_CC_AARCH64", "ccache my-gcc")
    assert wheelloops.compiler("aarch64") == ["ccache", "my-gcc"]


@needs_elftools
def test_loops_that_would_not_load_everywhere_are_not_left_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # a compiler for another machine than asked for, or none at all
    fake = tmp_path / "cc"
    fake.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho nothing >"$2"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("VCAM_CC_AARCH64", str(fake))
    with pytest.raises(wheelloops.BuildError, match="is no library of 64 bits"):
        wheelloops.compile_loops("aarch64", tmp_path / "a.so")
    assert not (tmp_path / "a.so").exists()


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that makes nearly nothing of whatever it is given, in no time."""
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed")
    (tmp_path / "stub.c").write_text("int one(void) { return 1; }\n")
    fake = tmp_path / "stub-cc"
    fake.write_text(
        '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\n'
        f'exec {COMPILER} -s -shared -fPIC -nostdlib -o "$2" {tmp_path}/stub.c\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv(f"VCAM_CC_{MACHINE.upper()}", str(fake))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.mark.long
@needs_compiler
@needs_elftools
def test_it_is_the_same_bytes_each_time_and_what_its_name_says(
    stub: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dist.make(tmp_path / "one", [MACHINE])
    # what another run may find otherwise
    monkeypatch.setenv("CC", "/nowhere/cc")
    monkeypatch.setenv("VCAM_NATIVE", "0")
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.chdir(tmp_path)
    mask = os.umask(0o077)
    try:
        second = dist.make(Path("two"), [MACHINE])
    finally:
        os.umask(mask)
    wheel = f"vcam-{__version__}-py3-none-manylinux_2_17_{MACHINE}.whl"
    assert [path.name for path in first] == [path.name for path in second] == [f"vcam-{__version__}.tar.gz", wheel]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == sorted(path.name for path in first)

    with zipfile.ZipFile(first[1]) as packed:
        held = packed.namelist()
        tags = packed.read(f"vcam-{__version__}.dist-info/WHEEL").decode()
        assert {info.date_time[:3] for info in packed.infolist()} == {(2023, 11, 14)}
    assert f"Tag: py3-none-manylinux_2_17_{MACHINE}" in tags
    assert "vcam/native/_kernels.so" in held
    assert not [name for name in held if name.startswith("vcam/packaging/")]
    with tarfile.open(first[0]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    # whoever has it can make the wheels and the packages anew
    assert {"hatch_build.py", "Makefile", "vcam/packaging/dist.py", "vcam/native/common.h"} <= names
    assert not [name for name in names if name.endswith(".so")]


def test_nothing_is_put_there_where_a_machine_has_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VCAM_CC_AARCH64", raising=False)
    with pytest.raises(SystemExit) as ended:
        dist.main([str(tmp_path / "out"), "aarch64"])
    assert "no compiler for aarch64 was found: sudo apt install" in str(ended.value.code)
    assert not (tmp_path / "out").exists()


def test_the_time_in_archives_is_that_of_the_commit_or_as_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "12")
    assert dist.moment(tmp_path) == 12
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(dist.DistError, match="no number of seconds: yesterday"):
        dist.moment(tmp_path)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert dist.moment(tmp_path) == 1580601600
    if not shutil.which("git"):
        return
    said = {"GIT_COMMITTER_DATE": "1234567890 +0100", "GIT_CONFIG_GLOBAL": os.devnull, "PATH": os.environ["PATH"]}
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], env=said, check=True)
    assert dist.moment(tmp_path) == 1580601600
    assert not dist.uncommitted(tmp_path)
    (tmp_path / "private.txt").touch()
    assert dist.uncommitted(tmp_path)
    subprocess.run([*git, "add", "."], env=said, check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "x"], env=said, check=True)
    assert dist.moment(tmp_path) == 1234567890
    assert not dist.uncommitted(tmp_path)


def test_packages_are_made_without_what_vcam_needs_to_run() -> None:
    # a bare environment with hatchling does it; -S leaves out what is installed here
    script = "import sys; sys.path.insert(0, sys.argv[1]); import vcam.packaging.dist; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", script, ROOT], capture_output=True, text=True, check=True)
    assert not {"numpy", "click", "vcam.native"} & set(done.stdout.split())


@needs_compiler
@needs_elftools
def test_auditwheel_is_heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if find_spec("auditwheel") is None:
        pytest.skip("auditwheel is not installed")
    wheel = tmp_path / f"x-1-py3-none-{wheelloops.platform(MACHINE)}.whl"
    loops = library(tmp_path, "float expf(float);\nfloat f(float x) { return expf(x); }", "-Wl,--no-as-needed", "-lm")
    if newest_glibc(read(loops).versions) <= wheelloops.GLIBC:
        pytest.skip("this machine's libm has no newer expf")
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.write(loops, "x/a.so")
        packed.writestr("x-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n")
    with pytest.raises(dist.DistError, match="auditwheel does not find"):
        dist.audit(wheel, MACHINE)
