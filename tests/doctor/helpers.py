"""Scripted machines for `vcam doctor`: a healthy one, of which each test breaks one thing."""

from __future__ import annotations

from pathlib import Path

from vcam.camera.modes import Mode
from vcam.doctor.examine import examine, exit_status
from vcam.doctor.finding import Status
from vcam.errors import CameraError
from vcam.frames import PixelFormat
from vcam.machine.host import Answer, Machine, User
from vcam.machine.inventory import CameraEntry, EngineEntry, Inventory, VirtualEntry
from vcam.settings import Settings
from vcam.v4l2 import raw
from vcam.v4l2.device import Capabilities
from vcam.v4l2.discover import Node

RELEASE = "6.1.0-25-amd64"
WAITING, FED = raw.V4L2_CAP_VIDEO_OUTPUT, raw.V4L2_CAP_VIDEO_CAPTURE
PROBLEM = Status.PROBLEM


def node(path, card, driver, flags, error=0):
    capabilities = None if error else Capabilities(driver, card, "usb-1", flags | raw.V4L2_CAP_STREAMING)
    return Node(Path(path), int(path[10:]), card, capabilities, error)


def loopback(flags=WAITING, error=0, **facts):
    return VirtualEntry(node("/dev/video20", "vcam", "v4l2 loopback", flags, error), **{"exclusive": True, **facts})


def webcam(chosen=None, error=0, **facts):
    chosen = chosen or Mode(PixelFormat.MJPEG, (1280, 720), 30, "MJPG")
    return CameraEntry(
        node("/dev/video0", "Webcam", "uvcvideo", raw.V4L2_CAP_VIDEO_CAPTURE, error), chosen=chosen, **facts
    )


class World:
    """A healthy laptop with Debian 12; each test breaks one thing."""

    def __init__(self, root):
        self.root = root
        self.programs = {"ffmpeg -version": "ffmpeg version 5.1.6-0+deb12u1 Copyright (c)", "modinfo": ""}
        self.libraries = {"libturbojpeg.so.0"}
        self.lacking = set()
        self.user = User(1000, "mona", frozenset({"mona", "video"}))
        self.settings = Settings()
        self.inventory = Inventory(
            (webcam(),),
            (loopback(),),
            (EngineEntry("OpenVINO", "CPU", "Some CPU"), EngineEntry("ONNX Runtime", "CPU", "CPUExecutionProvider")),
            "0.13.2",
            compiled=True,
        )
        self.write("/sys/module/v4l2loopback/version", "0.13.2")
        self.write(f"/lib/modules/{RELEASE}/modules.dep", "updates/dkms/v4l2loopback.ko: kernel/videodev.ko")
        self.write(f"/lib/modules/{RELEASE}/build/Makefile", "")
        self.write("/etc/os-release", 'ID=debian\nVERSION_CODENAME=bookworm\nNAME="Debian"')
        self.write("/etc/modules-load.d/vcam.conf", "v4l2loopback")
        self.write("/etc/modprobe.d/vcam.conf", "options v4l2loopback exclusive_caps=1")
        self.write("/etc/group", "root:x:0:\nvideo:x:44:mona\nrender:x:105:")
        self.answers = {"onnxruntime on CPU": "ok"}

    def write(self, name, text):
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name):
        path = self.root / name.lstrip("/")
        for entry in sorted(path.rglob("*"), reverse=True):
            entry.rmdir() if entry.is_dir() else entry.unlink()
        path.rmdir() if path.is_dir() else path.unlink()

    def has(self, **changes):
        self.inventory = Inventory(
            changes.get("cameras", self.inventory.cameras),
            changes.get("virtual", self.inventory.virtual),
            changes.get("engines", self.inventory.engines),
            changes.get("module", self.inventory.module),
            changes.get("compiled", self.inventory.compiled),
            changes.get("pipewire", self.inventory.pipewire),
        )

    def no_module(self, **changes):
        self.remove("/sys/module/v4l2loopback")
        self.has(virtual=(), module="", **changes)

    def run(self, command):
        said = self.programs.get(" ".join(command))
        return None if said is None else Answer(0, said)

    def find_camera(self, source):
        entries = [entry for entry in self.inventory.cameras if not entry.node.error]
        if not entries:
            raise CameraError("no camera was found", "plug one in")
        return entries[0].node

    def machine(self):
        return Machine(
            self.root, RELEASE, self.run,
            lambda name: name if any(command.split()[0] == name for command in self.programs) else None,
            self.libraries.__contains__, self.user, self.lacking.__contains__, ("/usr/local/bin", "/usr/bin", "/bin"),
        )  # fmt: skip

    def findings(self):
        config = self.root / "config.toml"
        return list(
            examine(
                self.machine(), self.settings, config, lambda *_: self.inventory, self.find_camera,
                lambda *_: self.answers,
            )
        )  # fmt: skip

    def said(self, name):
        """What the findings of that name see, good or bad."""
        return [finding.seen for finding in self.findings() if finding.name == name]

    def status(self):
        return exit_status(self.findings())

    def is_well(self):
        return {finding.status for finding in self.findings()} == {Status.OK}

    def only(self, status=Status.WARNING):
        """The one finding that is not ok; its sentence and its commands."""
        bad = [finding for finding in self.findings() if finding.status is not Status.OK]
        assert [finding.status for finding in bad] == [status], bad
        return bad[0].seen, bad[0].cure
