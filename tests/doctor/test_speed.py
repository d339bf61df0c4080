"""`vcam doctor` on what makes vcam slow."""

from __future__ import annotations

import os

import pytest

from tests.doctor.helpers import PROBLEM
from vcam import extras
from vcam.machine.host import User
from vcam.machine.inventory import EngineEntry
from vcam.settings import SegmentSettings, Settings


def test_no_inference_runtime_is_a_problem_of_its_own(world):
    world.has(engines=(EngineEntry("OpenVINO", problem="OpenVINO is not installed"),))
    assert world.only(PROBLEM)[1] == (extras.command_for("onnxruntime"),)
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


def test_loops_that_were_not_compiled_are_a_warning(world, monkeypatch):
    monkeypatch.delenv("VCAM_NATIVE", raising=False)
    world.has(compiled=False)
    seen, cure = world.only()
    assert "for want of a compiler" in seen
    assert cure[0] == "sudo apt install gcc libc6-dev"
    # pip would take the wheel that it built and kept, which has none
    assert "pipx install --force --pip-args=--no-cache-dir ." in cure[1]
    monkeypatch.setenv("VCAM_NATIVE", "0")
    assert world.only()[1] == ("unset VCAM_NATIVE",)


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
    assert world.is_well()


@pytest.mark.parametrize(
    ("path", "name", "entry"), [("/dev/dri/renderD128", "GPU", "GPU.0"), ("/dev/accel/accel0", "NPU", "NPU")]
)
def test_an_accelerator_that_may_not_be_opened_names_its_group(world, monkeypatch, path, name, entry):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    world.write(path, "")
    world.write("/sys/class/drm/renderD128/device/vendor", "0x8086\n")
    seen, cure = world.only()
    assert name in seen
    assert "you may not open it" in seen
    assert cure[0] == "sudo usermod -aG render mona"
    # what is in nobody's way
    world.has(engines=(*world.inventory.engines, EngineEntry("OpenVINO", entry)))
    assert world.said(name) == ["OpenVINO can use it"]
    assert world.is_well()


def test_a_node_that_may_be_read_but_not_written_is_none_that_may_be_opened(world, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)
    world.write("/dev/accel/accel0", "")
    assert "you may not open it" in world.only()[0]
    monkeypatch.setattr("os.access", lambda path, mode: mode == os.R_OK | os.W_OK)
    assert "finds no driver" in world.only()[0]


def test_a_processor_that_is_cool_and_a_fan_that_runs_are_no_fault(world):
    world.write(f"{COOLING}/type", "Processor")
    world.write(f"{COOLING}/cur_state", "0")
    world.write("/sys/class/thermal/cooling_device1/type", "Fan")
    world.write("/sys/class/thermal/cooling_device1/cur_state", "3")
    world.write(f"{CPU}/scaling_max_freq", "3700000")
    world.write(f"{CPU}/cpuinfo_max_freq", "4000000")
    assert world.is_well()
    world.write(f"{COOLING}/cur_state", "1")
    assert "hot" in world.only()[0]


@pytest.mark.parametrize(("status", "told"), [("Discharging", True), ("Charging", False)])
def test_of_a_machine_that_saves_power_it_is_told_whether_it_runs_on_battery(world, status, told):
    world.write("/sys/firmware/acpi/platform_profile", "low-power")
    world.write("/sys/class/power_supply/AC/status", "Full")
    world.write("/sys/class/power_supply/BAT0/status", status)
    assert ("(it runs on battery)" in world.only()[0]) is told


NO_OPENVINO = (
    EngineEntry("OpenVINO", problem="OpenVINO is not installed", absent=True),
    EngineEntry("ONNX Runtime", "CPU", "CPUExecutionProvider"),
)


def test_one_engine_is_enough(world):
    world.has(engines=NO_OPENVINO)
    assert world.is_well()
    missing = EngineEntry("ONNX Runtime", problem="ONNX Runtime is not installed", absent=True)
    world.has(engines=(EngineEntry("OpenVINO", "CPU", "Some CPU"), missing))
    assert world.is_well()
    # one that is there and does not start is another thing
    world.has(engines=(EngineEntry("OpenVINO", problem="OpenVINO does not start: x"), *NO_OPENVINO[1:]))
    assert world.only() == ("OpenVINO does not start: x", (extras.command("openvino"),))


def test_an_accelerator_for_which_openvino_is_missing_gets_that_and_no_driver(world):
    world.has(engines=NO_OPENVINO)
    world.write("/dev/dri/renderD128", "")
    world.write("/sys/class/drm/renderD128/device/vendor", "0x1002\n")
    assert world.is_well()
    world.write("/sys/class/drm/renderD128/device/vendor", "0x8086\n")
    seen, cure = world.only()
    assert "OpenVINO is not installed" in seen
    assert cure == (extras.command("openvino"),)
    world.remove("/dev/dri/renderD128")
    world.write("/sys/bus/pci/devices/0000:00:0b.0/class", "0x120000")
    world.write("/sys/bus/pci/devices/0000:00:0b.0/vendor", "0x8086")
    assert world.only()[0].startswith("an NPU is there, but OpenVINO")


def test_a_runtime_that_the_settings_ask_for_by_name_and_that_is_missing_is_a_problem(world):
    world.has(engines=NO_OPENVINO)
    world.settings = Settings(segment=SegmentSettings(backend="openvino"))
    assert world.only(PROBLEM)[1] == (extras.command("openvino"), "or vcam config set segment.backend=auto")
    assert world.status() == 1
    world.settings = Settings(segment=SegmentSettings(device="GPU"))
    assert "segment.device is GPU" in world.only()[0]
