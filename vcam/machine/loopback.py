"""Virtual cameras set up for good, added and removed.

Setting up writes three files below /etc and loads the module. What is written, and the one shell script that does it
as root, are made here as text, so that they can be shown before anything happens.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vcam.assets import data_folder
from vcam.errors import DeviceError, OutputDeviceError, UsageError, VcamError
from vcam.machine.host import Machine
from vcam.v4l2 import dynamic
from vcam.v4l2.discover import Node, find_node, list_nodes, who_holds
from vcam.v4l2.loopback import BUFFERS, is_installed

FILES = {
    "/etc/modprobe.d/vcam.conf": "modprobe.conf",
    "/etc/modules-load.d/vcam.conf": "modules-load.conf",
    "/etc/udev/rules.d/60-vcam.rules": "60-vcam.rules",
}
"""What setting up writes, and the templates in systemd/."""

FIRST_NUMBER = 20
"""Virtual cameras are numbered from here, so that they do not take the numbers of real ones."""

_MARK = "# Written by vcam loopback setup"
_MODULE = "/sys/module/v4l2loopback"

# udev sets the owner of a new node a moment after the kernel has made it
_NODE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Device:
    """A virtual camera that shall be."""

    number: int
    label: str

    @property
    def path(self) -> Path:
        return Path(f"/dev/video{self.number}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done: `steps` in words, `script` for a shell that runs as root, "" if nothing is to be done.

    `notes` are what a person should know besides.
    """

    steps: tuple[str, ...]
    script: str
    notes: tuple[str, ...] = ()


def wanted_devices(count: int, label: str, number: int | None, nodes: Sequence[Node]) -> list[Device]:
    """The devices that `count`, `label` and `number` mean; numbers that real cameras have are left out.

    Raises `UsageError`.
    """
    check_label(label if count == 1 else f"{label} {count}")
    taken = {node.index: node for node in nodes if not node.is_loopback}
    if number is not None:
        numbers = list(range(number, number + count))
        for occupied in (taken[other] for other in numbers if other in taken):
            raise UsageError(f"{occupied.path} is {occupied.card} already", "choose another --number, or none")
    else:
        free = (other for other in range(FIRST_NUMBER, 256) if other not in taken)
        numbers = [next(free) for _ in range(count)]
    return [Device(other, label if place == 1 else f"{label} {place}") for place, other in enumerate(numbers, 1)]


def check_label(label: str) -> None:
    """Raises `UsageError` for a label that the module or its settings cannot hold."""
    if not label.strip() or len(label.encode()) > dynamic.MAX_LABEL or not label.isprintable():
        raise UsageError(f"{label!r} cannot be a label", f"1 to {dynamic.MAX_LABEL} bytes on one line")
    if set(label) & set("\",'\\#$`@"):
        raise UsageError(f"{label!r} cannot be a label", "without quotes, commas, backslashes and # $ ` @")


def render(devices: Sequence[Device]) -> dict[str, str]:
    """The files' texts by their paths."""
    values = {
        "DEVICES": str(len(devices)),
        "NUMBERS": ",".join(str(device.number) for device in devices),
        "LABELS": ",".join(device.label for device in devices),
        "CAPS": ",".join("1" for _ in devices),
        "BUFFERS": str(BUFFERS),
    }
    return {path: _fill(_template(name), values) for path, name in FILES.items()}


def _template(name: str) -> str:
    return (data_folder("systemd") / name).read_text("utf-8")


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"@([A-Z]+)@", lambda found: values[found[1]], text)


def plan_setup(machine: Machine, devices: Sequence[Device], nodes: Sequence[Node]) -> Plan:
    """What setting these devices up takes. Raises `DeviceError` if the module is not installed."""
    if machine.in_container and not machine.exists(_MODULE):
        raise DeviceError("a container cannot load kernel modules", "run vcam loopback setup on the host")
    if not machine.exists(_MODULE) and not is_installed(machine.root, machine.release):
        raise DeviceError(
            f"the module v4l2loopback is not there for the kernel {machine.release}",
            machine.install("v4l2loopback", "headers"),
        )
    steps, script = [], ["set -e"]
    for path, text in render(devices).items():
        if machine.read(path) != text.strip():
            steps.append(f"write {path}")
            script.append(_write(path, text))
    if script[1:]:
        script.append(_RELOAD_UDEV)
    load, notes = _plan_load(machine, devices, nodes)
    for step, command in load:
        steps.append(step)
        script.append(command)
    return Plan(tuple(steps), "\n".join(script) + "\n" if steps else "", (*notes, *_conflicts(machine)))


# a machine without udev has its nodes' owners from elsewhere
_RELOAD_UDEV = "if command -v udevadm >/dev/null; then udevadm control --reload || :; fi"
_TRIGGER_UDEV = "if command -v udevadm >/dev/null; then udevadm trigger --name-match=/dev/v4l2loopback || :; fi"


def _write(path: str, text: str) -> str:
    return f"mkdir -p {Path(path).parent}\ncat >{path} <<'VCAM'\n{text}VCAM\nchmod 644 {path}"


def _plan_load(
    machine: Machine, devices: Sequence[Device], nodes: Sequence[Node]
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The steps that make the devices exist now, and notes if that cannot be."""
    load = ("load v4l2loopback: " + ", ".join(f"{device.path} ({device.label})" for device in devices),
            f"modprobe v4l2loopback\n{_TRIGGER_UDEV}")  # fmt: skip
    if not machine.exists(_MODULE):
        return [load], ()
    present = {node.index: node for node in nodes if node.is_loopback}
    if all(_is_there(device, present) for device in devices):
        return [], ("these devices exist already",)
    busy = _users(list(present.values()))
    if busy:
        return [], (
            f"v4l2loopback is loaded and used by {', '.join(busy)}: it keeps its present devices until these programs "
            "are closed and you type: sudo modprobe -r v4l2loopback && sudo modprobe v4l2loopback",
        )
    return [("unload v4l2loopback, which has other devices now", "modprobe -r v4l2loopback"), load], ()


def _is_there(device: Device, present: dict[int, Node]) -> bool:
    node = present.get(device.number)
    capabilities = node.capabilities if node else None
    return (
        node is not None
        and node.card == device.label
        and capabilities is not None
        and not (capabilities.captures and capabilities.outputs)
    )


def _users(nodes: Sequence[Node]) -> list[str]:
    from vcam.v4l2.discover import holders

    return list(dict.fromkeys(str(user) for node in nodes for user in holders(node.path, but=os.getpid())))


def _conflicts(machine: Machine) -> tuple[str, ...]:
    """Other files that set the module's parameters; the kernel takes the last of two."""
    return tuple(
        f"{path} sets parameters of v4l2loopback, too: remove that line, or the last of the two files counts"
        for path in machine.glob("/etc/modprobe.d/*.conf")
        if path.name != "vcam.conf" and "options v4l2loopback" in machine.read(f"/etc/modprobe.d/{path.name}")
    )


def plan_undo(machine: Machine, nodes: Sequence[Node]) -> Plan:
    """What undoes setting up: its files go, and its devices unless somebody uses them or others have been added."""
    steps, script, notes = [], ["set -e"], []
    ours = _our_numbers(machine)
    for path in FILES:
        text = machine.read(path)
        if text.startswith(_MARK):
            steps.append(f"remove {path}")
            script.append(f"rm -f {path}")
        elif text:
            notes.append(f"{path} was not written by vcam, and stays")
    if steps:
        script.append(_RELOAD_UDEV)
    if ours and machine.exists(_MODULE):
        present = [node for node in nodes if node.is_loopback]
        others = [str(node.path) for node in present if node.index not in ours]
        busy = _users(present)
        if busy:
            notes.append(f"v4l2loopback stays loaded: it is used by {', '.join(busy)}")
        elif others:
            notes.append(f"v4l2loopback stays loaded: it has other devices, {', '.join(others)}")
        else:
            steps.append("unload v4l2loopback")
            script.append("modprobe -r v4l2loopback")
    return Plan(tuple(steps), "\n".join(script) + "\n" if steps else "", tuple(notes))


def _our_numbers(machine: Machine) -> set[int]:
    text = machine.read("/etc/modprobe.d/vcam.conf")
    found = re.search(r"^options v4l2loopback .*video_nr=([\d,]+)", text, re.MULTILINE)
    return {int(number) for number in found[1].split(",")} if found and text.startswith(_MARK) else set()


def root_command(machine: Machine, script: str) -> list[str]:
    """The command that runs a script as root: sudo on a terminal, else pkexec. Raises `VcamError` without either."""
    shell = ["/bin/sh", "-c", script]
    if machine.user.uid == 0:
        return shell
    sudo, pkexec = machine.which("sudo"), machine.which("pkexec")
    if sudo and (sys.stdin.isatty() or not pkexec):
        return [sudo, *shell]
    if pkexec:
        return [pkexec, *shell]
    raise VcamError("becoming root needs sudo or pkexec", "vcam loopback setup --dry-run shows what to run as root")


def carry_out(machine: Machine, plan: Plan) -> None:
    """Do what a plan says. Raises `VcamError` with what the failing command said."""
    done = subprocess.run(root_command(machine, plan.script), stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return
    said = done.stderr.strip() or f"exit status {done.returncode}"
    if "in use" in said:
        raise DeviceError("v4l2loopback cannot be unloaded: a program uses one of its devices", "vcam devices")
    if "Key was rejected" in said or "Required key" in said:
        raise DeviceError("secure boot refuses v4l2loopback: it is not signed", "vcam doctor shows the steps")
    raise DeviceError(f"the script failed: {said.splitlines()[-1]}", "vcam doctor looks for the reason")


def add(label: str, number: int | None = None) -> Node:
    """Make a virtual camera now, until the module is unloaded; returns it. Raises `VcamError`."""
    check_label(label)
    nodes = list_nodes()
    taken = {node.index: node for node in nodes}
    if number is not None and number in taken:
        raise UsageError(f"{taken[number].path} exists already ({taken[number].card})", "choose another --number")
    for chosen in [number] if number is not None else [n for n in range(FIRST_NUMBER, 256) if n not in taken]:
        try:
            made = dynamic.add_device(label, chosen)
        except OSError as error:
            # the module's own numbers need not be those of its nodes
            if error.errno == errno.EEXIST and number is None:
                continue
            raise _refused(error, "made") from error
        return _appeared(made)
    raise OutputDeviceError("there is no number left for another virtual camera")


def _appeared(number: int) -> Node:
    deadline = time.monotonic() + _NODE_SECONDS
    while True:
        node = next((node for node in list_nodes() if node.index == number), None)
        if node is not None and not node.error:
            return node
        if time.monotonic() > deadline:
            why = os.strerror(node.error) if node else "it has no node"
            raise OutputDeviceError(f"/dev/video{number} was made, but cannot be opened: {why}", "vcam doctor")
        time.sleep(0.02)


def remove(name: str) -> Node:
    """Remove a virtual camera; `name` is a path, a number or part of a label. Raises `VcamError`."""
    nodes = list_nodes()
    found = find_node(name, nodes)
    chosen = [node for node in found if node.is_loopback]
    if len(chosen) > 1:
        names = ", ".join(f"{node.path} ({node.card})" for node in chosen)
        raise UsageError(f"{name!r} may mean several: {names}", f"vcam loopback remove {chosen[0].path}")
    if not chosen:
        what = f"{found[0].path} ({found[0].card}) is not" if found else f"{name} is not"
        raise OutputDeviceError(f"{what} a virtual camera", "vcam devices lists them")
    node = chosen[0]
    try:
        dynamic.remove_device(node.index)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise OutputDeviceError(
                f"{node.path} ({node.card}) is used by {who_holds(node.path)}", "close it there, vcam with vcam stop"
            ) from error
        raise _refused(error, "removed") from error
    return node


def _refused(error: OSError, done: str) -> OutputDeviceError:
    """An error of the module, in words."""
    if error.errno == errno.ENOENT:
        if not Path(_MODULE).is_dir():
            return OutputDeviceError("v4l2loopback is not loaded", "vcam loopback setup")
        return OutputDeviceError(
            f"this v4l2loopback is older than 0.13: single devices cannot be {done}", "vcam loopback setup --devices N"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return OutputDeviceError(
            "you may not use /dev/v4l2loopback", "vcam loopback setup, once; or run this command as root"
        )
    return OutputDeviceError(f"the virtual camera cannot be {done}: {error.strerror}", "vcam doctor")
