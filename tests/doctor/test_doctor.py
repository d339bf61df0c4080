"""`vcam doctor` on scripted machines: a healthy one, and one for each thing that can be wrong."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from vcam.camera.modes import Mode
from vcam.doctor.examine import examine, exit_status
from vcam.doctor.finding import Status
from vcam.errors import CameraError, ConfigError
from vcam.frames import PixelFormat
from vcam.machine.host import Answer, Machine, User
from vcam.machine.inventory import CameraEntry, EngineEntry, Inventory, VirtualEntry
from vcam.settings import Settings
from vcam.v4l2 import raw
from vcam.v4l2.device import Capabilities
from vcam.v4l2.discover import Holder, Node

RELEASE = "6.1.0-25-amd64"
WAITING, FED = raw.V4L2_CAP_VIDEO_OUTPUT, raw.V4L2_CAP_VIDEO_CAPTURE


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
            self.libraries.__contains__, self.user,
        )  # fmt: skip

    def findings(self):
        config = self.root / "config.toml"
        return list(examine(self.machine(), self.settings, config, lambda *_: self.inventory, self.find_camera))

    def status(self):
        return exit_status(self.findings())

    def only(self, status=Status.WARNING):
        """The one finding that is not ok; its sentence and its commands."""
        bad = [finding for finding in self.findings() if finding.status is not Status.OK]
        assert [finding.status for finding in bad] == [status], bad
        return bad[0].seen, bad[0].cure


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


PROBLEM = Status.PROBLEM


def test_a_healthy_machine_has_nothing_to_mend(world):
    assert {finding.status for finding in world.findings()} == {Status.OK}
    assert world.status() == 0


def test_a_module_that_is_not_installed_is_installed_with_the_kernels_headers(world):
    world.no_module()
    world.remove(f"/lib/modules/{RELEASE}/modules.dep")
    seen, cure = world.only(PROBLEM)
    assert "not installed" in seen
    assert cure[0] == f"sudo apt install v4l2loopback-dkms linux-headers-{RELEASE}"
    assert world.status() == 69


def test_a_module_that_is_not_loaded_is_set_up(world):
    world.no_module()
    seen, cure = world.only(PROBLEM)
    assert (seen, cure) == ("v4l2loopback is installed but not loaded", ("vcam loopback setup",))


def test_without_a_virtual_output_the_module_is_not_needed(world):
    world.no_module()
    world.settings = Settings().replace(output__targets="talk.mp4")
    world.only(Status.WARNING)
    assert world.status() == 0


def test_a_module_built_for_another_kernel_only_lacks_the_headers(world):
    world.no_module()
    world.remove(f"/lib/modules/{RELEASE}")
    world.write("/lib/modules/6.1.0-20-amd64/modules.dep", "updates/dkms/v4l2loopback.ko:")
    seen, cure = world.only(PROBLEM)
    assert "6.1.0-20-amd64" in seen
    assert "headers are missing" in seen
    assert cure[:2] == (f"sudo apt install linux-headers-{RELEASE}", "sudo dkms autoinstall")


def secure_boot(world):
    world.no_module()
    world.programs["mokutil --sb-state"] = "SecureBoot enabled"
    world.programs["modinfo -F filename v4l2loopback"] = f"/lib/modules/{RELEASE}/updates/dkms/v4l2loopback.ko"
    world.write("/usr/src/v4l2loopback-0.13.2/dkms.conf", "")


def test_secure_boot_and_an_unsigned_module_give_the_steps_to_a_key(world):
    secure_boot(world)
    seen, cure = world.only(PROBLEM)
    assert "secure boot" in seen
    assert cure[0] == "sudo dkms generate_mok"
    assert "sudo dkms build --force v4l2loopback/0.13.2" in cure
    assert "sudo mokutil --import /var/lib/dkms/mok.pub" in cure
    assert any("Enroll MOK" in step for step in cure)


def test_secure_boot_is_known_without_mokutil_and_a_signed_module_only_needs_its_key_enrolled(world):
    secure_boot(world)
    del world.programs["mokutil --sb-state"]
    world.write("/sys/firmware/efi/efivars/SecureBoot-8be4df61", "\6\0\0\0\1")
    world.programs["modinfo -F signer v4l2loopback"] = "DKMS module signing key"
    world.write("/var/lib/dkms/mok.pub", "key")
    world.programs["mokutil --test-key /var/lib/dkms/mok.pub"] = "/var/lib/dkms/mok.pub is not enrolled"
    assert world.only(PROBLEM)[1][0] == "sudo mokutil --import /var/lib/dkms/mok.pub"
    world.programs["mokutil --test-key /var/lib/dkms/mok.pub"] = "/var/lib/dkms/mok.pub is already enrolled"
    assert "not loaded" in world.only(PROBLEM)[0]


def test_an_old_module_is_a_warning_with_the_newer_package(world):
    world.write("/sys/module/v4l2loopback/version", "")
    seen, cure = world.only()
    assert "older than 0.13" in seen
    assert cure == ("sudo apt install -t bookworm-backports v4l2loopback-dkms",)


def test_a_module_that_was_renewed_but_not_loaded_anew_is_noticed(world):
    world.programs["modinfo -F version v4l2loopback"] = "0.15.0"
    assert "0.13.2 is loaded, but 0.15.0 is installed" in world.only()[0]


def test_a_module_that_nobody_loads_at_the_start_is_noticed(world):
    world.remove("/etc/modules-load.d/vcam.conf")
    assert world.only()[1] == ("vcam loopback setup",)


def test_a_loaded_module_without_devices_is_a_problem(world):
    world.has(virtual=())
    assert "no device" in world.only(PROBLEM)[0]


def test_exclusive_caps_off_names_the_programs_that_miss_the_camera(world):
    world.has(virtual=(loopback(WAITING | FED, exclusive=False),))
    seen, cure = world.only()
    assert "Chrome" in seen
    assert "vcam loopback setup" in cure
    assert world.status() == 0


def test_a_device_that_another_program_feeds_is_a_problem_with_its_name(world):
    world.has(virtual=(loopback(FED, fed=True, producers=(Holder(7, "obs"),)),))
    seen, cure = world.only(PROBLEM)
    assert "obs (process 7)" in seen
    assert "vcam loopback add" in cure


def test_a_device_that_vcam_feeds_is_as_it_should_be(world):
    world.write("/proc/7/cmdline", "/usr/bin/python3\0/usr/bin/vcam\0start")
    world.has(virtual=(loopback(FED, fed=True, producers=(Holder(7, "python3"),)),))
    assert world.status() == 0


def test_of_several_devices_one_free_one_is_enough(world):
    busy = loopback(FED, fed=True, producers=(Holder(7, "obs"),))
    world.has(virtual=(busy, VirtualEntry(node("/dev/video21", "second", "v4l2 loopback", WAITING), exclusive=True)))
    assert world.status() == 0
    world.settings = Settings().replace(output__targets="vcam")
    assert world.status() == 69


def test_a_named_device_that_is_missing_is_answered_with_those_that_are_there(world):
    world.settings = Settings().replace(output__targets="/dev/video30")
    seen, cure = world.only(PROBLEM)
    assert "/dev/video20 (vcam)" in seen
    assert cure == ("vcam start --output /dev/video20",)


def test_a_format_that_is_held_is_a_warning_with_its_holder(world):
    world.has(virtual=(loopback(format="YUYV:640x480@30", others=(Holder(9, "zoom"),)),))
    seen, _ = world.only()
    assert "YUYV:640x480@30" in seen
    assert "zoom (process 9)" in seen


@pytest.mark.parametrize("member", [True, False])
def test_without_permission_the_group_is_joined_or_the_session_renewed(world, member):
    world.write("/etc/group", f"video:x:44:{'mona' if member else ''}")
    world.has(virtual=(loopback(error=errno.EACCES, exclusive=None, problem="you may not open it (join)"),))
    _, cure = world.only(PROBLEM)
    assert ("sudo usermod -aG video mona" in cure) is not member
    assert "log out and in again" in cure[-1]


def pipewire(world, devices):
    world.write("/proc/5/comm", "wireplumber\n")
    world.write("/proc/7/cmdline", "vcam\0start")
    world.has(virtual=(loopback(FED, fed=True, producers=(Holder(7, "vcam"),)),))
    nodes = [{"info": {"props": {"media.class": "Video/Source", "api.v4l2.path": path}}} for path in devices]
    world.programs["pw-dump"] = json.dumps([{"info": None}, *nodes])


def test_a_session_manager_that_looked_too_early_is_restarted(world):
    pipewire(world, ["/dev/video0"])
    seen, cure = world.only()
    assert "looked when nobody fed it" in seen
    assert cure == ("systemctl --user restart wireplumber",)


def test_a_session_manager_that_offers_the_device_is_left_alone(world):
    pipewire(world, ["/dev/video0", "/dev/video20"])
    assert world.status() == 0
    world.findings()
    assert all(finding.status is Status.OK for finding in world.findings())


def test_a_flatpak_that_may_not_open_devices_gets_its_command(world):
    world.programs |= {
        "flatpak list --app --columns=application": "us.zoom.Zoom\norg.gimp.GIMP\norg.mozilla.firefox",
        "flatpak info --show-permissions us.zoom.Zoom": "[Context]\ndevices=all;\n",
        "flatpak info --show-permissions org.mozilla.firefox": "[Context]\ndevices=dri;\n",
    }
    assert world.only()[1] == ("flatpak override --user --device=all org.mozilla.firefox",)


def test_a_snap_without_its_camera_gets_its_command(world):
    world.programs |= {
        "snap list": "Name Version\nfirefox 132\ncore22 1",
        "snap connections firefox": "Interface Plug Slot Notes\ncamera firefox:camera - -",
    }
    assert world.only()[1] == ("sudo snap connect firefox:camera",)
    world.programs["snap connections firefox"] = "Interface Plug Slot Notes\ncamera firefox:camera :camera -"
    assert all(finding.status is Status.OK for finding in world.findings())


def test_a_missing_camera_is_a_problem_unless_it_is_waited_for(world):
    world.has(cameras=())
    assert "no camera was found" in world.only(PROBLEM)[0]
    world.settings = Settings().replace(camera__wait=True)
    world.only(Status.WARNING)
    world.settings = Settings().replace(camera__source="demo")
    assert world.status() == 0


def test_a_usb_camera_without_a_driver_gets_one(world):
    world.has(cameras=())
    world.write("/sys/bus/usb/devices/1-2:1.0/bInterfaceClass", "0e\n")
    assert world.only(PROBLEM)[1] == ("sudo modprobe uvcvideo",)


def test_a_camera_that_may_not_be_opened_names_the_group(world):
    world.write("/etc/group", "video:x:44:")
    world.has(cameras=(webcam(error=errno.EACCES, problem="forbidden"),))
    assert world.only(PROBLEM)[1][0] == "sudo usermod -aG video mona"


def test_a_camera_in_use_names_the_program_but_vcam_itself_does_not_count(world):
    world.has(cameras=(webcam(users=(Holder(9, "zoom"),)),))
    assert "zoom (process 9)" in world.only()[0]
    world.write("/proc/9/cmdline", "/home/mona/.local/bin/vcam\0start")
    assert all(finding.status is Status.OK for finding in world.findings())


def test_a_slow_mode_is_answered_with_the_largest_smooth_size(world):
    slow = Mode(PixelFormat.YUYV, (1280, 720), 10, "YUYV")
    smooth = [Mode(PixelFormat.YUYV, size, 30, "YUYV") for size in ((320, 240), (640, 480))]
    world.has(cameras=(webcam(slow, modes=(slow, *smooth)),))
    seen, cure = world.only()
    assert "choppy" in seen
    assert cure == ("vcam start --size 640x480",)


def test_no_inference_runtime_is_a_problem_of_its_own(world):
    world.has(engines=(EngineEntry("OpenVINO", problem="OpenVINO is not installed"),))
    assert world.only(PROBLEM)[1] == ("pip install openvino onnxruntime",)
    assert world.status() == 1


def test_an_intel_gpu_without_its_driver_gets_it(world):
    world.user = User(1000, "mona", frozenset({"render"}))
    world.write("/dev/dri/renderD128", "")
    world.write("/sys/class/drm/renderD128/device/vendor", "0x8086\n")
    assert world.only()[1] == ("sudo apt install intel-opencl-icd",)
    world.write("/sys/class/drm/renderD128/device/vendor", "0x1002\n")
    assert any("AMD" in finding.seen for finding in world.findings())


def test_an_npu_without_a_driver_is_told_apart_from_one_without_its_library(world):
    world.user = User(1000, "mona", frozenset({"render"}))
    world.write("/sys/bus/pci/devices/0000:00:0b.0/class", "0x120000")
    world.write("/sys/bus/pci/devices/0000:00:0b.0/vendor", "0x8086")
    assert world.only()[1] == ("sudo modprobe intel_vpu",)
    world.write("/dev/accel/accel0", "")
    assert "linux-npu-driver" in world.only()[1][0]


def test_a_missing_jpeg_library_is_a_warning(world):
    world.libraries = set()
    assert world.only()[1] == ("sudo apt install libturbojpeg0",)
    world.write("/etc/os-release", "ID=ubuntu\nID_LIKE=debian")
    assert world.only()[1] == ("sudo apt install libturbojpeg",)


def test_loops_that_were_not_compiled_are_a_warning(world):
    world.has(compiled=False)
    assert world.only()[1] == ("sudo apt install gcc libc6-dev", "then install vcam anew")


CPU = "/sys/devices/system/cpu/cpu0/cpufreq"
COOLING = "/sys/class/thermal/cooling_device0"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"{CPU}/scaling_max_freq": "1200000", f"{CPU}/cpuinfo_max_freq": "4000000"}, "1.2 of 4.0 GHz"),
        ({f"{CPU}/scaling_governor": "powersave", f"{CPU}/scaling_driver": "acpi-cpufreq"}, "governor powersave"),
        ({"/sys/firmware/acpi/platform_profile": "low-power"}, "power profile"),
        ({f"{COOLING}/type": "Processor", f"{COOLING}/cur_state": "3"}, "hot"),
    ],
)  # fmt: skip
def test_a_processor_that_is_held_back_is_noticed(world, files, words):
    for name, text in files.items():
        world.write(name, text)
    assert words in world.only()[0]


def test_intels_ordinary_governor_is_no_fault(world):
    world.write(f"{CPU}/scaling_governor", "powersave")
    world.write(f"{CPU}/scaling_driver", "intel_pstate")
    assert all(finding.status is Status.OK for finding in world.findings())


def test_ffmpeg_missing_or_too_old_is_a_warning(world):
    world.programs["ffmpeg -version"] = "ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright"
    assert "4.4 is too old" in world.only()[0]
    del world.programs["ffmpeg -version"]
    assert world.only()[1] == ("sudo apt install ffmpeg",)


def test_a_broken_configuration_ends_with_its_own_status_and_the_rest_is_still_examined(world):
    world.settings = ConfigError("config.toml is not valid TOML", "mend that line")
    world.has(cameras=())
    findings = world.findings()
    assert findings[0].cure == ("mend that line",)
    assert len(findings) > 5
    assert exit_status(findings) == 78


def test_in_a_container_the_host_is_named(world):
    world.no_module(cameras=())
    world.write("/.dockerenv", "")
    cures = [finding.cure for finding in world.findings() if finding.status is PROBLEM]
    assert cures[0] == ("on the host: vcam loopback setup",)
    assert "--device" in cures[1][0]
