"""A .deb made from a small tree, without an index: what is in it, and that the same bytes come out twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam import __version__
from vcam.errors import UsageError, VcamError
from vcam.native.build import LIBRARY
from vcam.packaging import deb, deb_bundle, elf, systemfiles
from vcam.packaging.deb_bundle import Target, Wheel, metadata_of, prune, resolve, roots_of

pytestmark = pytest.mark.process

TARGET = Target("3.11", "amd64", 36)
WHEELS = [Wheel("other", "1.5", "0" * 64, {}), Wheel("openvino", "2.0", "1" * 64, {})]


def wheel(folder: Path, name: str, version: str, licence: str, *requires: str) -> Path:
    """A wheel with one module and its metadata."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    head = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"version = {version!r}\n")
        head += "".join(f"Requires-Dist: {text}\n" for text in requires)
        archive.writestr(f"{name}-{version}.dist-info/METADATA", f"{head}\n")
        archive.writestr(f"{name}-{version}.dist-info/licenses/LICENSE", f"the licence of {name}")
        archive.writestr(
            f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return path


@pytest.fixture
def vcam_wheel(tmp_path: Path) -> Path:
    requires = ("other>=1", "openvino>=2; extra == 'openvino'", "pyvirtualcam; extra == 'pyvirtualcam'")
    return wheel(tmp_path, "vcam", "7.1", "MIT", *requires)


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip, but for its index: the wheels are unpacked."""

    def install(wheels: list[Wheel], vcam: Path, target: Target, folder: Path) -> None:
        folder.mkdir()
        made = [wheel(tmp_path, each.name, each.version, "MIT") for each in wheels]
        for path in (*made, vcam):
            zipfile.ZipFile(path).extractall(folder)
        # as wheels that keep the times of their files: another each time
        seconds = len(str(folder))
        os.utime(folder / "vcam/__init__.py", (seconds, seconds))

    monkeypatch.setattr(deb_bundle, "install", install)
    monkeypatch.setattr(systemfiles, "files", lambda when, program: {"usr/share/man/man1/vcam.1.gz": b"x"})
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


def listing(path: Path) -> dict[str, str]:
    """Of each file in a .deb its mode and owner."""
    said = subprocess.run(["dpkg-deb", "-c", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 5) for line in said.splitlines()]
    return {name.removeprefix("./").partition(" -> ")[0]: f"{mode} {owner}" for mode, owner, *_, name in rows}


needs_elftools = pytest.mark.skipif(find_spec("elftools") is None, reason="no pyelftools: pip install pyelftools")
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg-deb: apt install dpkg")


@needs_dpkg
@needs_elftools
def test_a_package_holds_the_environment_and_the_program(vcam_wheel: Path, tmp_path: Path, unpacked: None) -> None:
    out = tmp_path / "out"
    made = deb.make(out, TARGET, vcam_wheel, WHEELS, 0)
    assert [path.name for path in made] == [
        "vcam_7.1-1py3.11_amd64.deb",
        "vcam-openvino_7.1-1py3.11_amd64.deb",
        "vcam_7.1-1py3.11_amd64.packages.txt",
        "vcam_7.1-1py3.11_amd64.cdx.json",
        "vcam_7.1-1py3.11_amd64.licences.txt",
    ]
    held = listing(made[0])
    site = "usr/lib/vcam/lib/python3.11/site-packages"
    assert held["usr/bin/vcam"] == "-rwxr-xr-x root/root"
    assert held[f"{site}/vcam/__init__.py"] == held["usr/lib/vcam/pyvenv.cfg"] == "-rw-r--r-- root/root"
    assert held["usr/lib/vcam/bin/python3"].startswith("lrwx")
    assert {f"{site}/other/__init__.py", f"{site}/other-1.5.dist-info/licenses/LICENSE"} < set(held)
    assert not [name for name in held if "openvino" in name or "RECORD" in name or "__pycache__" in name]
    assert {f"usr/share/doc/vcam/{name}" for name in ("copyright", "changelog.gz", "changelog.Debian.gz")} < set(held)
    other = listing(made[1])
    assert f"{site}/openvino/__init__.py" in other
    # no file is in both
    assert not {name for name in set(held) & set(other) if name and not name.endswith("/")}
    subprocess.run(["dpkg-deb", "-x", made[0], tmp_path / "root"], check=True)
    assert (tmp_path / "root/usr/lib/vcam/bin/python3").readlink() == Path("../../../bin/python3.11")
    assert "-Im vcam" in (tmp_path / "root/usr/bin/vcam").read_text()
    assert (tmp_path / "root" / site / "vcam-7.1.dist-info/INSTALLER").exists() is False
    parts = json.loads(made[3].read_text())["components"]
    assert {(part["name"], part["hashes"][0]["content"]) for part in parts} == {
        ("other", "0" * 64),
        ("openvino", "1" * 64),
    }
    assert "the licence of other" in made[4].read_text()


@needs_dpkg
@needs_elftools
def test_the_same_list_makes_the_same_bytes_anywhere(vcam_wheel: Path, tmp_path: Path, unpacked: None) -> None:
    one = deb.make(tmp_path / "one", TARGET, vcam_wheel, WHEELS, 0)
    again = deb.read_list(one[2])
    assert [(each.name, each.version, each.sha256) for each in again] == [(w.name, w.version, w.sha256) for w in WHEELS]
    two = deb.make(tmp_path / "an other", TARGET, vcam_wheel, again, 0)
    for path, other in zip(one, two, strict=True):
        assert path.read_bytes() == other.read_bytes(), path.name


@needs_dpkg
@needs_elftools
def test_what_fails_leaves_nothing_behind(
    vcam_wheel: Path, tmp_path: Path, unpacked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deb, "_asked_for", lambda *_: ({"libnew.so.7"}, (2, 17)))
    with pytest.raises(VcamError, match=r"libnew\.so\.7"):
        deb.make(tmp_path / "out", TARGET, vcam_wheel, WHEELS, 0)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_library_for_another_processor_or_a_newer_glibc_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / "vcam"
    stage.mkdir()
    (stage / "a.so").write_bytes(b"\x7fELF\x02\x01")
    needed, versions = frozenset({"libc.so.6", "liba.so", "libb.so"}), frozenset({"GLIBC_2.35", "CXXABI_1.3"})
    found = elf.Library("aarch64", needed, versions)
    monkeypatch.setattr(elf, "read", lambda path: found)
    with pytest.raises(VcamError, match="is for aarch64, not for amd64"):
        deb._asked_for(stage, tmp_path, TARGET)
    arm = Target("3.11", "arm64", 36)
    (tmp_path / "libb.so").touch()
    assert deb._asked_for(stage, tmp_path, arm) == ({"libc.so.6", "liba.so"}, (2, 35))
    with pytest.raises(VcamError, match=r"needs glibc 2\.35, not 2\.31"):
        deb._asked_for(stage, tmp_path, Target("3.11", "arm64", 31))
    # relocations that only glibc 2.36 knows, though every function in it is older
    found = elf.Library("aarch64", needed, frozenset({"GLIBC_2.17", "GLIBC_ABI_DT_RELR"}))
    assert deb._asked_for(stage, tmp_path, arm)[1] == (2, 36)
    found = elf.Library("aarch64", needed, frozenset({"GLIBC_PRIVATE"}))
    with pytest.raises(VcamError, match="GLIBC_PRIVATE"):
        deb._asked_for(stage, tmp_path, arm)


@pytest.mark.parametrize("python", ["3.10", "3", "4.1", "3.11.2", "", "python3"])
def test_a_python_that_vcam_does_not_run_on_is_named(python: str) -> None:
    with pytest.raises(UsageError):
        deb.target_of(python, "amd64")
    with pytest.raises(UsageError, match="riscv64"):
        deb.target_of("3.11", "riscv64")


def test_a_wheel_of_this_version_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(VcamError, match="0 wheels"):
        deb.find_wheel(tmp_path, "amd64")
    for name in (
        "vcam-0.0.1-py3-none-manylinux_2_17_x86_64.whl",
        f"vcam-{__version__}-py3-none-manylinux_2_17_aarch64.whl",
    ):
        (tmp_path / name).touch()
    assert deb.find_wheel(tmp_path, "arm64").name.endswith("aarch64.whl")
    with pytest.raises(VcamError, match="0 wheels"):
        deb.find_wheel(tmp_path, "amd64")


@pytest.mark.parametrize("line", ["numpy", "numpy==1", "numpy==1 --hash=sha256:12", "-r other.txt", "numpy>=1"])
def test_a_list_with_something_else_in_it_is_named_by_its_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(f"{WHEELS[0].line}\n{line}\n")
    with pytest.raises(UsageError, match="line 2"):
        deb.read_list(path)


def test_mistakes_are_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (tmp_path / "no.whl").write_text("no archive")
    assert deb.main(["--python", "3.11", "--wheel", str(tmp_path / "no.whl"), str(tmp_path)]) == 1
    assert deb.main(["--python", "2.7", str(tmp_path)]) == 1
    # what main sets for those that it starts goes again
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert deb.main([str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "no.whl is no wheel" in said
    assert "'2.7' is no Python" in said
    assert "SOURCE_DATE_EPOCH is no number of seconds: yesterday" in said
    assert "Traceback" not in said


def test_what_is_bundled_is_what_vcam_needs_and_never_what_must_not_be(vcam_wheel: Path, tmp_path: Path) -> None:
    assert [str(each) for each in roots_of(vcam_wheel, TARGET)] == ["other>=1", "openvino>=2"]
    newer = wheel(tmp_path, "vcam", "7.2", "MIT", "a; python_version < '3.12'", "b; platform_machine == 'aarch64'")
    assert [each.name for each in roots_of(newer, TARGET)] == ["a"]
    assert [each.name for each in roots_of(newer, Target("3.13", "arm64", 41))] == ["b"]


def test_what_only_the_target_needs_is_asked_for_once_more(vcam_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = {
        "other": ["backport>=2; python_version < '3.12'", "docs; extra == 'docs'", "pyvirtualcam"],
        "openvino": ["openvino-telemetry", "other"],
        "backport": [],
    }
    asked: list[list[str]] = []

    def report(requirements: list[str], target: Target) -> list[Wheel]:
        asked.append(requirements.copy())
        names = {text.split(">")[0].split(";")[0].strip() for text in requirements}
        return [Wheel(name, "2", "0" * 64, {"requires_dist": metadata[name]}) for name in sorted(names)]

    monkeypatch.setattr(deb_bundle, "_report", report)
    assert [each.name for each in resolve(vcam_wheel, TARGET)] == ["backport", "openvino", "other"]
    assert len(asked) == 2
    assert [each.name for each in resolve(vcam_wheel, Target("3.13", "amd64", 41))] == ["openvino", "other"]


def test_the_tree_keeps_what_programs_need(tmp_path: Path) -> None:
    kept = ("vcam/web/page/icon.svg", "numpy/testing.py", "vcam/testing.py", "numpy/_core/x.so")
    gone = ("numpy/tests/x.py", "numpy/a.pyi", "bin/vcam", "x/__pycache__/a.pyc", "a-1.dist-info/RECORD")
    for name in (*kept, *gone):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    prune(tmp_path)
    assert all((tmp_path / name).exists() for name in kept)
    assert not any((tmp_path / name).exists() for name in gone)


@needs_elftools
def test_a_library_tells_its_needs() -> None:
    libraries = [ROOT / "vcam/native" / LIBRARY, *Path("/lib/x86_64-linux-gnu").glob("libz.so.1")]
    path = next((path for path in libraries if path.exists()), None)
    if path is None or sys.platform != "linux":
        pytest.skip("no compiled library is here")
    library = elf.read(path)
    assert "libc.so.6" in library.libraries
    assert library.machine in deb_bundle.PLATFORMS.values()
    assert (2, 2) <= elf.newest_glibc(library.versions) < (3, 0)


@needs_elftools
def test_what_is_no_library_is_passed_over_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    stage = tmp_path / "vcam"
    stage.mkdir()
    path = stage / "x.so"
    for data in (b"", b"/* a linker script */", b"\x7fELF\x01\x01" + bytes(100)):
        path.write_bytes(data)
        assert deb._asked_for(stage, tmp_path, TARGET) == (set(), (2, 17))
    for number in (62, 243):
        for rest in (10, 60):
            path.write_bytes(b"\x7fELF\x02\x01" + bytes(12) + number.to_bytes(2, "little") + bytes(rest))
            with pytest.raises(VcamError, match=r"x\.so is damaged"):
                deb._asked_for(stage, tmp_path, TARGET)


def test_the_metadata_of_a_wheel_is_read(vcam_wheel: Path) -> None:
    assert metadata_of(vcam_wheel)["version"] == "7.1"
