"""Real V4L2 devices: runs tests/vm/inside_*.py under a kernel that has them, and reports each of their tests."""

from __future__ import annotations

import ast
import os
import queue
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.places import ROOT

FOLDER = ROOT / "tests" / "vm"
CACHE = Path(os.environ.get("VCAM_VM_CACHE") or Path.home() / ".cache" / "vcam-vm")
SKIPPED = "skipped: "
TWO_BUFFERS = ["--loopback-args", "video_nr=20 card_label=vcam exclusive_caps=1"]
TWO_LOOPBACKS = ["--loopback-args", "devices=2 video_nr=20,21 card_label=vcam,webcam exclusive_caps=1,1 max_buffers=4"]

TWO_WEBCAMS = [
    "--vivid-args", "n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x0,0x0 vid_cap_nr=0,1",
]  # fmt: skip
GRABBER = ["--vivid-args", "n_devs=1 node_types=0x1 num_inputs=1 input_types=0x3 ccs_cap_mode=0 vid_cap_nr=0"]

SIX_BUFFERS = ["--loopback-args", "video_nr=20 card_label=vcam exclusive_caps=1 max_buffers=6"]

# those that take long come first: at the end all processors have something to do
GUESTS = {
    "tools-0.12.7": ("inside_tools.py", "bookworm", []),
    "tools-0.13.2": ("inside_tools.py", "bookworm-backports", []),
    "tools-0.15.0": ("inside_tools.py", "trixie", []),
    "after-0.12.7": ("inside_after.py", "bookworm", SIX_BUFFERS),
    "after-0.13.2": ("inside_after.py", "bookworm-backports", TWO_BUFFERS),
    "after-0.15.0": ("inside_after.py", "trixie", []),
    "endure-0.15.0": ("inside_endure.py", "trixie", TWO_LOOPBACKS),
    "trouble-0.12.7": ("inside_trouble.py", "bookworm", TWO_LOOPBACKS),
    "browser-0.15.0": ("inside_browser.py", "trixie", TWO_LOOPBACKS),
    "start-0.12.7": ("inside_start.py", "bookworm", TWO_LOOPBACKS),
    "start-0.13.2": ("inside_start.py", "bookworm-backports", TWO_LOOPBACKS),
    "start-0.15.0": ("inside_start.py", "trixie", TWO_LOOPBACKS),
    "pipewire-0.15.0": ("inside_pipewire.py", "trixie", []),
    "jpeg-0.12.7": ("inside_jpeg.py", "bookworm", TWO_LOOPBACKS),
    "jpeg-0.15.0": ("inside_jpeg.py", "trixie", TWO_LOOPBACKS),
    "preview-0.15.0": ("inside_preview.py", "trixie", []),
    "room-0.15.0": ("inside_room.py", "trixie", []),
    "panel": ("inside_panel.py", "trixie", []),
    "loopback-0.12.7": ("inside_output.py", "bookworm", []),
    "loopback-0.13.2": ("inside_output.py", "bookworm-backports", TWO_BUFFERS),
    "loopback-0.15.0": ("inside_output.py", "trixie", []),
    "readers-0.12.7": ("inside_readers.py", "bookworm", []),
    "readers-0.13.2": ("inside_readers.py", "bookworm-backports", []),
    "readers-0.15.0": ("inside_readers.py", "trixie", []),
    "source-0.12.7": ("inside_source.py", "bookworm", [*TWO_LOOPBACKS, *TWO_WEBCAMS]),
    "source-0.13.2": ("inside_source.py", "bookworm-backports", [*TWO_LOOPBACKS, *TWO_WEBCAMS]),
    "source-0.15.0": ("inside_source.py", "trixie", [*TWO_LOOPBACKS, *TWO_WEBCAMS]),
    "camera": ("inside_camera.py", "bookworm", TWO_LOOPBACKS),
    "grabber": ("inside_grabber.py", "bookworm", GRABBER),
}
FULL = os.environ.get("VCAM_VM_FULL") == "1"
if FULL:
    # all that is true of one version of v4l2loopback is asked of each
    GUESTS |= {
        f"{theme}-{version}": (f"inside_{theme}.py", suite, TWO_LOOPBACKS)
        for theme in ("jpeg", "endure", "trouble", "browser")
        for version, suite in (("0.12.7", "bookworm"), ("0.13.2", "bookworm-backports"), ("0.15.0", "trixie"))
    }
# of a guest; on a machine that is left alone none takes a quarter of that
SECONDS = 3600 if FULL else 500

pytestmark = [pytest.mark.vm, pytest.mark.timeout(4 * SECONDS)]


def names(file):
    tree = ast.parse((FOLDER / file).read_text("utf-8"))
    return [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def all_tests():
    for guest, (file, _, _) in GUESTS.items():
        for name in names(file):
            yield pytest.param(guest, name, id=f"{guest}-{name.removeprefix('test_')}")


def run(guest, folder, processor):
    """What each test of a guest said, "" if it passed; one text for all if the guest did not get that far."""
    file, suite, options = GUESTS[guest]
    report = folder / f"{guest}.xml"
    inside = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "", f"--junitxml={report}"]
    inside += ["--timeout", str(SECONDS)]
    command = ["taskset", "-c", str(processor), str(FOLDER / "vmrun"), "--loopback", suite, *options]
    command += ["--rw", str(folder), "--timeout", str(SECONDS), "--", *inside, str(FOLDER / file)]
    environment = os.environ | {"VCAM_VM_REPORT": str(folder / f"{guest}.txt")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if not report.exists():
        # returned, not raised, so that the guest is not started anew for each of its tests
        return f"vmrun ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "").split("[")[0]
        skipped = [child for child in case if child.tag == "skipped"]
        bad = [child for child in case if child.tag in ("failure", "error")]
        said = [child.text or str(child.get("message")) for child in bad]
        said += [f"{SKIPPED}{child.get('message')}" for child in skipped]
        found[name] = "\n".join([found.get(name) or "", *said])
    return found


def slots(processors, *, again):
    """For each guest that runs at once its processor. again: the tests failed, and are tried once more."""
    few = processors[:2]
    if again:
        return few[:1]
    return few if FULL else [*few, few[-1]]


@pytest.fixture(scope="session")
def guests(request, tmp_path_factory):
    """The results of all guests whose tests are to run, as they come.

    A guest has one processor, and waits for most of its time: there runs one more at once than this machine has
    processors, three at most. Those that are tried once more, and those that measure times, have a processor alone.
    """
    if not shutil.which("taskset"):
        pytest.skip("no taskset: apt install util-linux")
    for name in ("ok", *(f"v4l2loopback-{suite}.ko" for _, suite, _ in GUESTS.values())):
        if not (CACHE / "uml" / name).exists():
            pytest.skip("no kernel with V4L2 devices; tests/vm/vmrun --prepare builds one (Debian, 5 minutes)")
    folder = tmp_path_factory.mktemp("vm")
    chosen = [
        item.callspec.params["guest"] for item in request.session.items if "guest" in getattr(item, "fixturenames", ())
    ]
    free = queue.SimpleQueue()
    processors = slots(sorted(os.sched_getaffinity(0)), again=request.config.getoption("lf", False))
    for processor in processors:
        free.put(processor)

    def on_a_processor(guest):
        processor = free.get()
        try:
            return run(guest, folder, processor)
        finally:
            free.put(processor)

    with ThreadPoolExecutor(len(processors)) as pool:
        yield {guest: pool.submit(on_a_processor, guest) for guest in dict.fromkeys(chosen)}
        pool.shutdown(cancel_futures=True)
    for figures in sorted(folder.glob("*.txt")):
        print(f"\n{figures.stem}:\n{figures.read_text('utf-8')}", end="")


@pytest.mark.parametrize(("guest", "name"), list(all_tests()))
def test_on_real_devices(guest, name, guests, request):
    said = guests[guest].result()
    assert isinstance(said, dict), said
    assert name in said, f"it did not run; these did: {', '.join(said)}"
    words = said[name].strip()
    if request.config.getoption("lf", False):
        # a guest is tried once more as a whole: what fails this time is told, whatever failed the first time
        others = [text for text in map(str.strip, said.values()) if text and not text.startswith(SKIPPED)]
        words = words or "\n".join(others)
    if words.startswith(SKIPPED):
        pytest.skip(words.removeprefix(SKIPPED))
    assert not words, words
