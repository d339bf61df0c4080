"""Checks of PipeWire: does its daemon serve vcam's camera, and may programs take it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from vcam.camera.factory import pipewire_source
from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.errors import VcamError
from vcam.machine.host import Machine
from vcam.machine.inventory import PipeWireEntry
from vcam.output.virtual.names import pipewire_name

NAME = "PipeWire camera"
START = "systemctl --user start pipewire wireplumber"

_STORE = (
    "busctl", "--user", "call", "org.freedesktop.impl.portal.PermissionStore",
    "/org/freedesktop/impl/portal/PermissionStore", "org.freedesktop.impl.portal.PermissionStore",
)  # fmt: skip
_MANAGERS = {"wireplumber", "pipewire-media-"}
_OLDEST = (0, 3, 50)


def check_daemon(machine: Machine, found: PipeWireEntry, targets: Sequence[str], source: str) -> Iterator[Finding]:
    """Whether the daemon is there, new enough, and has a session manager, without which nobody is linked."""
    try:
        asked = pipewire_source(source) is not None or any(pipewire_name(target) for target in targets)
    except VcamError:
        # what is wrong with the words is a finding of its own
        asked = False
    if not found.running:
        if asked:
            installed = machine.which("pipewire")
            cure = () if installed else (machine.install("pipewire"),)
            yield problem(NAME, "no PipeWire daemon runs in this session", *cure, START)
        return
    bad = problem if asked else warning
    if found.problem:
        yield bad(NAME, found.problem, "systemctl --user restart pipewire wireplumber")
        return
    version = tuple(int(part) for part in re.findall(r"[0-9]+", found.version)[:3])
    if version < _OLDEST:
        yield bad(NAME, f"PipeWire {found.version} is too old for vcam", "use 0.3.50 or newer, or v4l2loopback")
    elif not machine.processes & _MANAGERS:
        yield bad(
            NAME,
            "PipeWire runs without a session manager: nobody links a program to a camera",
            *(() if machine.which("wireplumber") else (machine.install("wireplumber"),)),
            "systemctl --user start wireplumber",
        )
    elif made := [node.description for node in found.nodes if node.is_virtual]:
        yield ok(NAME, f"PipeWire {found.version} lists {', '.join(made)}")
    else:
        yield ok(NAME, f"PipeWire {found.version} runs; vcam makes its camera there without a kernel module")


def check_portal(machine: Machine) -> Iterator[Finding]:
    """Programs that were once denied the camera: the portal never asks again, and they see no camera at all."""
    said = machine.say(*_STORE, "Lookup", "ss", "devices", "camera") if machine.which("busctl") else ""
    # a{sas}: each program's name, the number of its words, the words
    for application in re.findall(r'"([^"]*)" 1 "no"', said):
        yield warning(
            "camera portal",
            f"{application or 'a program outside Flatpak'} was once denied the camera, and is not asked again",
            " ".join((*_STORE, "DeletePermission", "sss", "devices", "camera", application or "''")),
        )
