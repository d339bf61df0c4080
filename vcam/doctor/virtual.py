"""Checks of the virtual cameras: is one free, may it be opened, do other programs see it as a camera."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator

from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.machine.host import Machine
from vcam.machine.inventory import Inventory, VirtualEntry
from vcam.v4l2.discover import Node, find_node

NAME = "virtual camera"

_RELOAD = ("vcam stop", "sudo modprobe -r v4l2loopback", "vcam loopback setup")


def is_virtual_target(target: str) -> bool:
    """Whether an output's name can only mean a virtual camera."""
    from vcam.output.factory import make_output
    from vcam.output.virtual.camera import VirtualCamera
    from vcam.output.virtual.every import EveryCamera

    return isinstance(make_output(target, live=True), VirtualCamera | EveryCamera)


def check_outputs(machine: Machine, inventory: Inventory, targets: tuple[str, ...]) -> Iterator[Finding]:
    """For each output that is a virtual camera, whether vcam could feed it; then each device for itself."""
    for target in targets:
        entries = _meant(target, inventory)
        if entries:
            yield _best(machine, inventory, entries)
        elif target == "auto" and inventory.pipewire.usable:
            yield warning(
                NAME,
                "there is none of V4L2; vcam makes one in PipeWire, which programs as Zoom do not see",
                "vcam loopback setup",
            )
        else:
            yield _none(target, inventory)
    for entry in inventory.virtual:
        if entry.exclusive is False and not entry.problem:
            yield warning(
                f"{entry.node.path}",
                "exclusive_caps is off for this device: Chrome, Teams, Slack and Discord do not list it",
                *_RELOAD,
            )


def _meant(target: str, inventory: Inventory) -> list[VirtualEntry]:
    if target == "auto":
        return list(inventory.virtual)
    nodes = {entry.node.path: entry for entry in inventory.virtual}
    return [nodes[node.path] for node in find_node(target, [entry.node for entry in inventory.virtual])]


def _none(target: str, inventory: Inventory) -> Finding:
    if target == "auto" or not inventory.virtual:
        loaded = "; the module v4l2loopback has no device" if inventory.module else ""
        return problem(NAME, f"there is none{loaded}", "vcam loopback setup")
    names = ", ".join(f"{entry.node.path} ({entry.node.card})" for entry in inventory.virtual)
    return problem(NAME, f"there is no {target}, but {names}", f"vcam start --output {inventory.virtual[0].node.path}")


def _best(machine: Machine, inventory: Inventory, entries: list[VirtualEntry]) -> Finding:
    """The finding for the device that would be taken: a free one, else the reason that the first is not."""
    free = [entry for entry in entries if not entry.fed and not entry.problem]
    if free:
        return _free(free[0])
    served = [entry for entry in entries if entry.fed and any(machine.is_vcam(user.pid) for user in entry.producers)]
    if served:
        return ok(NAME, f"{_called(served[0])} is fed by vcam")
    entry = entries[0]
    if entry.problem:
        return problem(NAME, entry.problem.split(" (")[0], *permission_cure(machine, entry.node))
    who = " and ".join(str(user) for user in entry.producers) or "a program that you may not see"
    return problem(NAME, f"{_called(entry)} is fed by {who}", "close that program", _another(inventory))


def _another(inventory: Inventory) -> str:
    """The command that gives one more device."""
    if inventory.module.startswith("0."):
        return "vcam loopback add"
    return f"vcam loopback setup --devices {len(inventory.virtual) + 1}"


def _free(entry: VirtualEntry) -> Finding:
    if entry.format:
        held = " and ".join(str(user) for user in entry.users) or "an earlier program"
        return warning(
            NAME,
            f"{_called(entry)} is held in the format {entry.format} by {held}: vcam must fit its picture into that",
            "close that program if you want another size",
        )
    return ok(NAME, f"{_called(entry)} is free")


def _called(entry: VirtualEntry) -> str:
    return f"{entry.node.card} ({entry.node.path})"


def permission_cure(machine: Machine, node: Node, group: str = "video") -> tuple[str, ...]:
    """What lets this user open a node."""
    if node.error not in (errno.EACCES, errno.EPERM):
        return ("sudo modprobe -r v4l2loopback", "vcam loopback setup")
    return join_group(machine, group)


def join_group(machine: Machine, group: str) -> tuple[str, ...]:
    """What makes this user a member of a group, now."""
    members = [line.split(":")[3].split(",") for line in machine.read("/etc/group").splitlines()
               if line.startswith(f"{group}:") and line.count(":") == 3]  # fmt: skip
    if any(machine.user.name in names for names in members):
        return (f"log out and in again: you are in the group {group}, but not since you logged in",)
    return (f"sudo usermod -aG {group} {machine.user.name}", "log out and in again")


def check_pipewire(machine: Machine, inventory: Inventory) -> Iterator[Finding]:
    """Whether PipeWire's session manager took a device for an output and has not looked since."""
    name, restart = "PipeWire", "systemctl --user restart wireplumber"
    managers = machine.processes & {"wireplumber", "pipewire-media-"}
    fed = [entry for entry in inventory.virtual if entry.fed]
    if not managers or not inventory.virtual:
        return
    if not fed:
        yield ok(name, "it takes vcam for a camera only if it looks while vcam runs; if a program misses it:", restart)
        return
    known = _pipewire_devices(machine)
    if known is None:
        yield ok(name, "cannot be asked (no pw-dump); if a program misses vcam:", restart)
        return
    for entry in fed:
        if str(entry.node.path) in known:
            yield ok(name, f"offers {_called(entry)} as a camera")
        else:
            yield warning(name, f"does not offer {_called(entry)}: it looked when nobody fed it", restart)


def _pipewire_devices(machine: Machine) -> set[str] | None:
    """Paths of the nodes that PipeWire offers as cameras; None if it does not answer."""
    try:
        objects = json.loads(machine.say("pw-dump"))
        properties = [(entry.get("info") or {}).get("props") or {} for entry in objects]
    except (ValueError, AttributeError, TypeError):
        return None
    return {
        str(entry.get("api.v4l2.path") or str(entry.get("object.path", "")).removeprefix("v4l2:"))
        for entry in properties
        if entry.get("media.class") == "Video/Source"
    }
