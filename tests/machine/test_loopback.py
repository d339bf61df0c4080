"""What setting up virtual cameras would do, on scripted machines."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from vcam.errors import DeviceError, OutputDeviceError, UsageError, VcamError
from vcam.machine import loopback
from vcam.machine.host import Machine, User
from vcam.machine.loopback import Device, plan_setup, plan_undo, render, root_command, wanted_devices
from vcam.v4l2 import dynamic, raw
from vcam.v4l2.device import Capabilities
from vcam.v4l2.discover import Holder, Node

RELEASE = "6.1.0"
WAITING, FED = raw.V4L2_CAP_VIDEO_OUTPUT, raw.V4L2_CAP_VIDEO_CAPTURE


def node(number, card, driver="v4l2 loopback", flags=WAITING):
    return Node(Path(f"/dev/video{number}"), number, card, Capabilities(driver, card, "", flags))


CAMERA = node(0, "Webcam", "uvcvideo", FED)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "lib" / "modules" / RELEASE
    folder.mkdir(parents=True)
    (folder / "modules.dep").write_text("updates/dkms/v4l2loopback.ko:\n")
    return tmp_path


@pytest.fixture(autouse=True)
def _nobody_uses_them(monkeypatch):
    monkeypatch.setattr("vcam.v4l2.discover.holders", lambda path, but=None: [])


def machine(root, uid=0, programs=()):
    user = User(uid, "mona", frozenset())
    return Machine(root, RELEASE, lambda _: None, lambda name: f"/bin/{name}" if name in programs else None, user=user)


def load(root):
    (root / "sys/module/v4l2loopback").mkdir(parents=True)


def written(root, plan):
    """Run a plan's script with its folders under `root` and without the kernel."""
    script = plan.script.replace("/etc/", f"{root}/etc/")
    kernel = 'modprobe() { echo "modprobe $*"; }; udevadm() { :; }\n'
    done = subprocess.run(["/bin/sh", "-c", kernel + script], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_every_device_has_its_own_number_label_and_exclusive_caps():
    files = render([Device(20, "vcam"), Device(21, "vcam 2")])
    options = files["/etc/modprobe.d/vcam.conf"].splitlines()[-1]
    parameters = 'devices=2 video_nr=20,21 card_label="vcam,vcam 2" exclusive_caps=1,1 max_buffers=4'
    assert options == f"options v4l2loopback {parameters}"
    assert not any("@" in text for text in files.values())


def test_numbers_of_real_cameras_are_left_out():
    nodes = [CAMERA, node(21, "Grabber", "uvcvideo", FED), node(20, "vcam")]
    assert wanted_devices(2, "vcam", None, nodes) == [Device(20, "vcam"), Device(22, "vcam 2")]
    with pytest.raises(UsageError, match="/dev/video21 is Grabber"):
        wanted_devices(2, "vcam", 20, nodes)


@pytest.mark.parametrize("label", ["", " ", "a,b", 'a"b', "a\nb", "$HOME", "x" * 32, "ü" * 16])
def test_a_label_that_the_module_cannot_hold_is_refused(label):
    with pytest.raises(UsageError, match="cannot be a label"):
        wanted_devices(1, label, None, [])


def test_setting_up_writes_its_files_loads_the_module_and_is_then_done(root):
    devices = wanted_devices(2, "vcam", None, [CAMERA])
    plan = plan_setup(machine(root), devices, [CAMERA])
    assert written(root, plan) == ["modprobe v4l2loopback"]
    for path, text in render(devices).items():
        assert (root / path.lstrip("/")).read_text() == text
        assert path in " ".join(plan.steps)
    load(root)
    again = plan_setup(machine(root), devices, [CAMERA, node(20, "vcam"), node(21, "vcam 2")])
    assert (again.steps, again.script) == ((), "")


def test_other_devices_are_replaced_but_not_under_a_program_that_uses_them(root, monkeypatch):
    load(root)
    devices, nodes = [Device(20, "vcam")], [node(1, "Dummy", flags=WAITING | FED)]
    assert written(root, plan_setup(machine(root), devices, nodes)) == [
        "modprobe -r v4l2loopback", "modprobe v4l2loopback",
    ]  # fmt: skip
    monkeypatch.setattr("vcam.v4l2.discover.holders", lambda path, but=None: [Holder(7, "obs")])
    plan = plan_setup(machine(root), devices, nodes)
    assert "obs (process 7)" in plan.notes[0]
    assert "modprobe" not in plan.script


def test_parameters_that_another_file_sets_are_noted(root):
    (root / "etc/modprobe.d").mkdir(parents=True)
    (root / "etc/modprobe.d/obs.conf").write_text("options v4l2loopback exclusive_caps=0\n")
    assert "obs.conf" in plan_setup(machine(root), [Device(20, "vcam")], []).notes[0]


def test_a_module_that_is_not_there_is_an_error_with_its_package(root):
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text('ID="linuxmint"\nID_LIKE="ubuntu debian"\n')
    (root / f"lib/modules/{RELEASE}/modules.dep").unlink()
    with pytest.raises(DeviceError, match="not there for the kernel") as caught:
        plan_setup(machine(root), [Device(20, "vcam")], [])
    assert caught.value.hint == f"sudo apt install v4l2loopback-dkms linux-headers-{RELEASE}"


def test_undoing_removes_what_was_written_and_nothing_else(root):
    written(root, plan_setup(machine(root), [Device(20, "vcam")], []))
    load(root)
    own = root / "etc/modules-load.d/vcam.conf"
    own.write_text("v4l2loopback\nother\n")
    plan = plan_undo(machine(root), [CAMERA, node(20, "vcam")])
    assert written(root, plan) == ["modprobe -r v4l2loopback"]
    assert [path for path in (root / "etc").rglob("*") if path.is_file()] == [own]
    assert "was not written by vcam" in plan.notes[0]


def test_undoing_leaves_the_module_to_devices_of_others(root):
    written(root, plan_setup(machine(root), [Device(20, "vcam")], []))
    load(root)
    plan = plan_undo(machine(root), [node(20, "vcam"), node(5, "OBS")])
    assert written(root, plan) == []
    assert "/dev/video5" in plan.notes[0]
    assert plan_undo(machine(root), []).steps == ()


def test_root_is_asked_for_with_what_there_is(root, monkeypatch):
    script = ["/bin/sh", "-c", "true"]
    assert root_command(machine(root), "true") == script
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert root_command(machine(root, 1000, {"sudo", "pkexec"}), "true") == ["/bin/pkexec", *script]
    assert root_command(machine(root, 1000, {"sudo"}), "true") == ["/bin/sudo", *script]
    with pytest.raises(VcamError, match="sudo or pkexec"):
        root_command(machine(root, 1000), "true")


def test_a_device_is_made_under_a_number_that_is_free(monkeypatch):
    nodes = [CAMERA, node(20, "vcam")]
    asked = []

    def add_device(label, number):
        asked.append(number)
        if number == 21:
            raise OSError(errno.EEXIST, "exists")
        nodes.append(node(number, label))
        return number

    monkeypatch.setattr(loopback, "list_nodes", lambda: list(nodes))
    monkeypatch.setattr(dynamic, "add_device", add_device)
    assert loopback.add("second").path == Path("/dev/video22")
    assert asked == [21, 22]
    with pytest.raises(UsageError, match="/dev/video0 exists already"):
        loopback.add("third", 0)


@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [(errno.EBUSY, "is used by", "vcam stop"), (errno.EACCES, "may not use /dev/v4l2loopback", "vcam loopback setup")],
)
def test_a_device_that_cannot_be_removed_is_explained(monkeypatch, number, words, hint):
    def refuse(_):
        raise OSError(number, "refused")

    monkeypatch.setattr(loopback, "list_nodes", lambda: [CAMERA, node(20, "vcam")])
    monkeypatch.setattr(dynamic, "remove_device", refuse)
    with pytest.raises(OutputDeviceError, match=words) as caught:
        loopback.remove("vcam")
    assert hint in caught.value.hint
    with pytest.raises(OutputDeviceError, match="not a virtual camera"):
        loopback.remove("/dev/video0")
