"""Checks of what makes vcam slow: JPEG decoder, compiled loops, accelerators without a driver, a slowed processor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vcam import extras
from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.doctor.virtual import join_group
from vcam.machine.host import Machine
from vcam.machine.inventory import EngineEntry, Inventory
from vcam.settings import SegmentSettings

_INTEL = "0x8086"
_VENDORS = {"0x1002": "AMD", "0x10de": "NVIDIA"}
_NPU_CLASS = "0x120000"
_CPU = "/sys/devices/system/cpu/cpu0/cpufreq"

_NPU_DRIVER = "https://github.com/intel/linux-npu-driver/releases has the driver"


def check_engines(inventory: Inventory) -> Iterator[Finding]:
    """Whether any runtime works."""
    working = [entry for entry in inventory.engines if not entry.problem]
    if not working:
        seen = "; ".join(entry.problem for entry in inventory.engines)
        yield problem("inference", seen or "no runtime", extras.command_for("onnxruntime"), exit_status=1)
        return
    yield ok("inference", ", ".join(f"{entry.runtime} on {entry.device}" for entry in working))
    for entry in inventory.engines:
        # one is enough; what the other would bring is said among the extras
        if entry.problem and not entry.absent:
            yield warning("inference", entry.problem, _again(entry))


def check_backend(inventory: Inventory, settings: SegmentSettings) -> Iterator[Finding]:
    """Whether the runtime or the accelerator that the settings ask for is the one that is not installed."""
    absent = {entry.runtime for entry in inventory.engines if entry.absent}
    if settings.backend == "openvino" and "OpenVINO" in absent:
        yield problem(
            "inference", "segment.backend is openvino, which is not installed",
            extras.command("openvino"), "or vcam config set segment.backend=auto", exit_status=1,
        )  # fmt: skip
    elif settings.backend == "onnxruntime" and "ONNX Runtime" in absent:
        yield problem(
            "inference", "segment.backend is onnxruntime, which is not installed",
            extras.command_for("onnxruntime"), "or vcam config set segment.backend=auto", exit_status=1,
        )  # fmt: skip
    elif settings.has_network and settings.device not in ("AUTO", "CPU") and "OpenVINO" in absent:
        yield warning(
            "inference", f"segment.device is {settings.device}, for which OpenVINO is not installed: the CPU does it",
            extras.command("openvino"),
        )  # fmt: skip


def _again(entry: EngineEntry) -> str:
    return extras.command("openvino") if entry.runtime == "OpenVINO" else extras.command_for("onnxruntime")


def check_accelerators(machine: Machine, inventory: Inventory) -> Iterator[Finding]:
    """Graphics cards and NPUs that OpenVINO could use and does not see."""
    openvino = [entry for entry in inventory.engines if entry.runtime == "OpenVINO"]
    present = {entry.device.split(".")[0] for entry in openvino}
    if any(entry.absent for entry in openvino):
        yield from _check_unused(machine)
        return
    yield from _check_gpu(machine, present)
    yield from _check_npu(machine, present)


def _check_unused(machine: Machine) -> Iterator[Finding]:
    """Accelerators for which OpenVINO would be worth its weight."""
    nodes = machine.glob("/dev/dri/renderD*")
    if any(machine.read(f"/sys/class/drm/{node.name}/device/vendor") == _INTEL for node in nodes):
        seen = "an Intel GPU is there, but OpenVINO is not installed: the CPU does the work"
        yield warning("GPU", seen, extras.command("openvino"))
    npu = machine.glob("/dev/accel/accel*") or machine.glob("/sys/bus/pci/devices/*/class")
    if any(path.name.startswith("accel") or _is_npu(machine, path) for path in npu):
        seen = "an NPU is there, but OpenVINO is not installed: the CPU does the work"
        yield warning("NPU", seen, extras.command("openvino"))


def _check_gpu(machine: Machine, present: set[str]) -> Iterator[Finding]:
    nodes = machine.glob("/dev/dri/renderD*")
    vendors = {machine.read(f"/sys/class/drm/{node.name}/device/vendor") for node in nodes}
    if "GPU" in present:
        yield ok("GPU", "OpenVINO can use it")
    elif _INTEL in vendors:
        if "render" not in machine.user.groups and machine.user.uid and not _readable(nodes):
            yield warning("GPU", "an Intel GPU is there, but you may not open it", *join_group(machine, "render"))
        else:
            yield warning(
                "GPU", "an Intel GPU is there, but its compute driver is missing", machine.install("intel-gpu")
            )
    elif nodes:
        maker = next((_VENDORS[vendor] for vendor in vendors if vendor in _VENDORS), "this kind")
        yield ok("GPU", f"OpenVINO does not run on GPUs of {maker}; the CPU does the work")


def _readable(nodes: list[Path]) -> bool:
    return any(os.access(node, os.R_OK | os.W_OK) for node in nodes)


def _check_npu(machine: Machine, present: set[str]) -> Iterator[Finding]:
    nodes = machine.glob("/dev/accel/accel*")
    if "NPU" in present:
        yield ok("NPU", "OpenVINO can use it")
    elif nodes:
        if "render" not in machine.user.groups and machine.user.uid and not _readable(nodes):
            yield warning("NPU", "an NPU is there, but you may not open it", *join_group(machine, "render"))
        else:
            yield warning("NPU", "an NPU is there, but OpenVINO finds no driver for it", _NPU_DRIVER)
    elif any(_is_npu(machine, device) for device in machine.glob("/sys/bus/pci/devices/*/class")):
        yield warning("NPU", "an Intel NPU is there, but the kernel has no driver for it", "sudo modprobe intel_vpu")


def _is_npu(machine: Machine, class_file: Path) -> bool:
    folder = f"/sys/bus/pci/devices/{class_file.parent.name}"
    return machine.read(f"{folder}/class") == _NPU_CLASS and machine.read(f"{folder}/vendor") == _INTEL


def check_decoder(machine: Machine) -> Iterator[Finding]:
    """Whether the fast JPEG decoder is there."""
    if machine.library("libturbojpeg.so.0") or machine.library("libturbojpeg.so"):
        yield ok("JPEG decoder", "libturbojpeg")
    else:
        yield warning(
            "JPEG decoder",
            "libturbojpeg is missing: cameras that send JPEG cost more CPU",
            machine.install("libturbojpeg"),
        )


def check_loops(machine: Machine, inventory: Inventory) -> Iterator[Finding]:
    """Whether the compiled loops were built when vcam was installed."""
    if inventory.compiled:
        yield ok("compiled loops", "they are used")
    elif os.environ.get("VCAM_NATIVE") == "0":
        yield warning(
            "compiled loops", "VCAM_NATIVE=0 leaves them out: every frame costs more CPU", "unset VCAM_NATIVE"
        )
    else:
        yield warning(
            "compiled loops",
            "they were not built when vcam was installed, for want of a compiler: every frame costs more CPU",
            machine.install("compiler"),
            "then, in the folder of vcam: pipx install --force --pip-args=--no-cache-dir .",
        )


def check_clock(machine: Machine) -> Iterator[Finding]:
    """Whether something keeps the processor below what it can do."""
    reasons = [reason for reason in (_capped(machine), _governed(machine), _low_power(machine)) if reason]
    if hot := _throttled(machine):
        yield warning("CPU clock", hot, "let it cool: lift it off soft ground, clean its fan")
    elif reasons:
        battery = " (it runs on battery)" if _on_battery(machine) else ""
        yield warning("CPU clock", f"{reasons[0][0]}{battery}", reasons[0][1])
    else:
        yield ok("CPU clock", "nothing holds it back")


def _capped(machine: Machine) -> tuple[str, str] | None:
    now, most = machine.number(f"{_CPU}/scaling_max_freq"), machine.number(f"{_CPU}/cpuinfo_max_freq")
    if not now or not most or now >= 0.9 * most:
        return None
    return (
        f"held at {now / 1e6:.1f} of {most / 1e6:.1f} GHz",
        f"echo {most} | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_max_freq",
    )


def _governed(machine: Machine) -> tuple[str, str] | None:
    # under intel_pstate and amd-pstate-epp "powersave" is the ordinary governor, and gives full speed under load
    driver, governor = machine.read(f"{_CPU}/scaling_driver"), machine.read(f"{_CPU}/scaling_governor")
    if governor != "powersave" or driver in ("intel_pstate", "amd-pstate-epp"):
        return None
    return (
        "the governor powersave keeps it at its lowest clock",
        "echo schedutil | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
    )


def _low_power(machine: Machine) -> tuple[str, str] | None:
    if machine.read("/sys/firmware/acpi/platform_profile") not in ("low-power", "quiet"):
        return None
    return "the power profile of the machine saves power", "powerprofilesctl set balanced"


def _throttled(machine: Machine) -> str:
    for device in machine.glob("/sys/class/thermal/cooling_device*/type"):
        folder = f"/sys/class/thermal/{device.parent.name}"
        if machine.read(f"{folder}/type") == "Processor" and (machine.number(f"{folder}/cur_state") or 0) > 0:
            return "the processor is slowed because it is hot"
    return ""


def _on_battery(machine: Machine) -> bool:
    supplies = machine.glob("/sys/class/power_supply/*/status")
    return any(machine.read(f"/sys/class/power_supply/{path.parent.name}/status") == "Discharging" for path in supplies)
