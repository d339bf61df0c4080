"""Real V4L2 devices: runs tests/vm/inside_*.py under a kernel that has them, and reports each of their tests."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tests" / "vm"
CACHE = Path(os.environ.get("VCAM_VM_CACHE") or Path.home() / ".cache" / "vcam-vm")
TWO_LOOPBACKS = ["--loopback-args", "devices=2 video_nr=20,21 card_label=vcam,webcam exclusive_caps=1,1"]

GUESTS = {
    "camera": ("inside_camera.py", "bookworm", TWO_LOOPBACKS),
    "loopback-0.12.7": ("inside_output.py", "bookworm", []),
    "loopback-0.13.2": ("inside_output.py", "bookworm-backports", []),
    "loopback-0.15.0": ("inside_output.py", "trixie", []),
}

pytestmark = pytest.mark.vm


def names(file):
    tree = ast.parse((FOLDER / file).read_text("utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def all_tests():
    for guest, (file, _, _) in GUESTS.items():
        for name in names(file):
            yield pytest.param(guest, name, id=f"{guest}-{name.removeprefix('test_')}")


@cache
def results(guest, folder):
    """What each test of a guest said, "" if it passed; one text for all if the guest did not get that far."""
    file, suite, options = GUESTS[guest]
    if not (CACHE / "uml" / "ok").exists() or not (CACHE / "uml" / f"v4l2loopback-{suite}.ko").exists():
        pytest.skip("no kernel with V4L2 devices; tests/vm/vmrun --prepare builds one (Debian, 5 minutes)")
    report = folder / f"{guest}.xml"
    inside = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", f"--junitxml={report}"]
    command = [str(FOLDER / "vmrun"), "--loopback", suite, *options, "--rw", str(folder), "--timeout", "240", "--"]
    done = subprocess.run([*command, *inside, str(FOLDER / file)], cwd=ROOT, capture_output=True, text=True)
    if not report.exists():
        # returned, not raised, so that the guest is not started anew for each of its tests
        return f"vmrun ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "").split("[")[0]
        bad = [child for child in case if child.tag in ("failure", "error", "skipped")]
        found[name] = "\n".join([found.get(name) or "", *(child.text or str(child.get("message")) for child in bad)])
    return found


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vm")


@pytest.mark.parametrize(("guest", "name"), list(all_tests()))
def test_on_real_devices(guest, name, shared_folder):
    said = results(guest, shared_folder)
    assert isinstance(said, dict), said
    assert name in said, f"it did not run; these did: {', '.join(said)}"
    assert not said[name].strip(), said[name]
