"""Run in the virtual machine by tests/vm/test_vm.py: vcam devices, doctor and loopback as people type them."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.vm.guest import FULL
from vcam.camera.controls import wishes
from vcam.camera.device import V4L2Camera
from vcam.media.ffmpeg import find_ffmpeg
from vcam.settings import Settings
from vcam.v4l2.discover import list_nodes
from vcam.v4l2.dynamic import CONTROL, LoopbackConfig
from vcam.v4l2.loopback import forgets_output, revive, version

DEVICE = "/dev/video20"
CONF = Path("/etc/modprobe.d/vcam.conf")
NOBODY = 65534

on_one_version = pytest.mark.skipif(
    not FULL and version() < "0.15", reason="the same on every version of v4l2loopback: tried on 0.15.0"
)


def vcam(*words, status=0, before=()):
    """What a command prints, and what it says to people; its exit status must be `status`."""
    command = [*before, sys.executable, "-m", "vcam", *words]
    environment = {**os.environ, "COLUMNS": "80"}
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, env=environment
    )
    assert done.returncode == status, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def findings(status=0, before=()):
    """The answers of vcam doctor that are not ok, by name."""
    report = json.loads(vcam("doctor", "--json", "--set", "output.size=640x360", status=status, before=before)[0])
    assert report["can_run"] is (status == 0)
    return {row["name"]: row for row in report["findings"] if row["status"] != "ok"}


def loopbacks():
    return {str(node.path): node.card for node in list_nodes() if node.is_loopback}


def modprobe(*words):
    subprocess.run(["modprobe", *words], check=True)


@pytest.fixture
def fresh():
    """One device as vmrun makes it, before and after."""
    yield
    for path in ("/etc/modprobe.d/vcam.conf", "/etc/modules-load.d/vcam.conf", "/etc/udev/rules.d/60-vcam.rules"):
        Path(path).unlink(missing_ok=True)
    if Path("/sys/module/v4l2loopback").exists():
        modprobe("-r", "v4l2loopback")
    modprobe("v4l2loopback", "video_nr=20", "card_label=vcam", "exclusive_caps=1")


@pytest.fixture
def ffmpeg():
    started = []

    def start(*words):
        process = subprocess.Popen([find_ffmpeg(), "-v", "error", *words], stdin=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in reversed(started):
        process.kill()
        process.wait()


def feed(ffmpeg):
    if forgets_output():
        # ffmpeg, unlike vcam, does not bring back a device that a killed producer left
        revive(Path(DEVICE))
    source = ["-re", "-f", "lavfi", "-i", "color=c=black:size=640x360:rate=30", "-pix_fmt", "yuv420p"]
    process = ffmpeg(*source, "-f", "v4l2", DEVICE)
    deadline = time.monotonic() + 30
    while not next(node for node in list_nodes() if str(node.path) == DEVICE).capabilities.captures:
        assert time.monotonic() < deadline, "ffmpeg does not feed the device"
        time.sleep(0.05)
    return process


def test_devices_names_who_feeds_and_who_reads(ffmpeg):
    producer = feed(ffmpeg)
    reader = ffmpeg("-f", "v4l2", "-i", DEVICE, "-f", "null", "-")
    user = ffmpeg("-f", "v4l2", "-i", "/dev/video0", "-f", "null", "-")
    for _ in range(10):
        found = json.loads(vcam("devices", "--json")[0])
        camera, virtual = found["cameras"][0], found["virtual_cameras"][0]
        # until both have begun
        if virtual["read"] and virtual["readers"] and camera["users"]:
            break
    assert (camera["card"], camera["path"]) == ("vivid", "/dev/video0")
    assert [person["pid"] for person in camera["users"]] == [user.pid]
    assert (virtual["label"], virtual["fed"], virtual["read"]) == ("vcam", True, True)
    assert virtual["format"].startswith("YU12:640x360@")
    assert [person["pid"] for person in virtual["producers"]] == [producer.pid]
    assert [person["pid"] for person in virtual["readers"]] == [reader.pid]
    assert found["v4l2loopback"] == (version() or "before 0.13")
    assert {entry["device"] for entry in found["inference"]} >= {"CPU"}


@on_one_version
def test_devices_fits_a_terminal_marks_the_mode_that_vcam_takes_and_knows_an_idle_device():
    shown, _ = vcam("devices", "--set", "output.size=640x480")
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 80
    assert "->640x480@25" in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["fed", "by", "nobody"] in lines
    assert ["read", "by", "nobody"] in lines


@on_one_version
def test_controls_are_listed_and_set_from_the_settings():
    settings = Settings().replace(camera__gain=77, camera__controls="brightness=9").camera
    camera = V4L2Camera("auto", (640, 360), 30, 2.0, wishes(settings))
    camera.open()
    camera.read()
    camera.close()
    listed = json.loads(vcam("devices", "--controls", "vivid", "--json")[0])[0]["controls"]
    values = {control["name"]: control["value"] for control in listed}
    assert (values["gain"], values["gain_automatic"], values["brightness"]) == (77, 0, 9)


def test_the_doctor_finds_this_machine_able_to_run():
    found = findings()
    assert ("kernel module" in found) is (version() == "")
    assert not {"virtual camera", "camera", "inference"} & set(found)


def test_the_doctor_sees_that_another_program_feeds_the_device(ffmpeg):
    producer = feed(ffmpeg)
    assert f"(process {producer.pid})" in findings(69)["virtual camera"]["seen"]


def test_the_doctor_sees_exclusive_caps_off(fresh):
    modprobe("-r", "v4l2loopback")
    modprobe("v4l2loopback", "video_nr=20", "card_label=vcam", "exclusive_caps=0")
    assert "Chrome" in findings()[DEVICE]["seen"]


@on_one_version
def test_the_doctor_sees_that_the_module_is_not_loaded(fresh):
    modprobe("-r", "v4l2loopback")
    assert findings(69)["kernel module"]["status"] == "problem"


@on_one_version
def test_the_doctor_sees_devices_that_may_not_be_opened():
    nodes = [node.path for node in list_nodes()]
    for path in nodes:
        os.chown(path, NOBODY, NOBODY)
    try:
        # root without the power to open what belongs to others
        found = findings(69, before=["setpriv", "--bounding-set", "-dac_override,-dac_read_search"])
    finally:
        for path in nodes:
            os.chown(path, 0, 0)
    for name in ("camera", "virtual camera"):
        assert "you may not open" in found[name]["seen"]
        assert "sudo usermod -aG video root" in found[name]["cure"]


def test_setting_up_makes_the_devices_and_undoing_leaves_nothing(fresh):
    shown, said = vcam("loopback", "setup", "--devices", "2", "--label", "my cam", "--dry-run")
    assert "unload v4l2loopback" in said
    assert "modprobe v4l2loopback" in shown
    assert not CONF.exists()
    vcam("loopback", "setup", "--devices", "2", "--label", "my cam", "--yes")
    assert loopbacks() == {"/dev/video20": "my cam", "/dev/video21": "my cam 2"}
    caps = [node.capabilities for node in list_nodes() if node.is_loopback]
    assert not any(capabilities.captures for capabilities in caps)
    assert Path("/sys/module/v4l2loopback/parameters/max_buffers").read_text().strip() == "4"
    assert "set up already" in vcam("loopback", "setup", "--devices", "2", "--label", "my cam")[1]
    vcam("loopback", "remove", "--all", "--yes")
    assert loopbacks() == {}
    assert not CONF.exists()
    assert "nothing to undo" in vcam("loopback", "setup", "--undo")[1]


def test_without_an_answer_nothing_is_done(fresh):
    vcam("loopback", "setup", "--number", "30", status=2)
    assert not CONF.exists()
    assert list(loopbacks()) == [DEVICE]


def buffers_of(number):
    """What the module says of one of its devices: V4L2LOOPBACK_CTL_QUERY of v4l2loopback.h, of 0.13 or later."""
    config = LoopbackConfig(output_nr=number, unused=number)
    fd = os.open(CONTROL, os.O_RDWR)
    try:
        fcntl.ioctl(fd, 0x4C82, config)
    except OSError:
        fcntl.ioctl(fd, 3 << 30 | ctypes.sizeof(config) << 16 | ord("~") << 8 | 3, config)
    finally:
        os.close(fd)
    return config.max_buffers


def test_single_devices_come_and_go_or_the_old_module_is_explained(fresh):
    if not version():
        assert "older than 0.13" in vcam("loopback", "add", status=69)[1]
        assert "older than 0.13" in vcam("loopback", "remove", DEVICE, status=69)[1]
        return
    assert vcam("loopback", "add", "--label", "second one")[0] == "/dev/video21 (second one)\n"
    assert vcam("loopback", "add", "--number", "33")[0] == "/dev/video33 (vcam)\n"
    assert buffers_of(33) == 4
    assert not next(node for node in list_nodes() if node.index == 21).capabilities.captures
    holder = os.open("/dev/video33", os.O_RDWR)
    assert f"(process {os.getpid()})" in vcam("loopback", "remove", "33", status=69)[1]
    os.close(holder)
    vcam("loopback", "remove", "33")
    vcam("loopback", "remove", "second")
    assert list(loopbacks()) == [DEVICE]
    assert "is not a virtual camera" in vcam("loopback", "remove", "/dev/video0", status=69)[1]
    assert "exists already" in vcam("loopback", "add", "--number", "0", status=2)[1]
