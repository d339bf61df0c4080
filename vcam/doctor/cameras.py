"""Checks of the real camera: is it there, may it be opened, is it busy, is it fast enough."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from vcam.camera.modes import Mode
from vcam.camera.pipewire import machines_camera
from vcam.camera.sources import BRIDGE_CURE, resolve
from vcam.camera.unreadable import refusal
from vcam.doctor.finding import Finding, ok, problem, warning
from vcam.doctor.virtual import join_group
from vcam.errors import CameraError
from vcam.machine.host import Machine
from vcam.machine.inventory import CameraEntry, Inventory
from vcam.printable import few
from vcam.settings import CameraSettings
from vcam.types import Size
from vcam.v4l2.discover import Node, find_node

NAME = "camera"

# a mode with less of the wanted rate looks choppy
_SMOOTH = 0.8
_COMMON_RATE = 30.0


def is_device(settings: CameraSettings, size: Size, fps: float) -> bool:
    """Whether the source is a V4L2 device, not a file, an address or the demo. Raises `UsageError`."""
    from vcam.camera.device import V4L2Camera
    from vcam.camera.factory import make_source
    from vcam.camera.first import FirstCamera

    return isinstance(make_source(settings, size, fps), V4L2Camera | FirstCamera)


def check_camera(
    machine: Machine,
    inventory: Inventory,
    settings: CameraSettings,
    size: Size,
    fps: float,
    find: Callable[[str], Node] = resolve,
) -> Iterator[Finding]:
    """Everything about the camera that `settings.source` names."""
    try:
        node = find(settings.source)
    except CameraError as error:
        if settings.source.lower() == "auto" and (other := machines_camera(inventory.pipewire.nodes)) is not None:
            yield ok(NAME, f"{other.description}, by way of PipeWire")
            yield from _unreadable(inventory)
            return
        yield _missing(machine, inventory, settings, error)
        yield from _unreadable(inventory, told=error.message)
        return
    yield from _unreadable(inventory)
    entry = next((entry for entry in inventory.cameras if entry.node.path == node.path), None)
    if entry is None:
        yield ok(NAME, f"{node.card} ({node.path}), a virtual camera of another program")
        return
    if entry.problem:
        yield problem(NAME, entry.problem, "unplug it and plug it in again")
        return
    others = [user for user in entry.users if not machine.is_vcam(user.pid)]
    if others:
        who = " and ".join(str(user) for user in others)
        yield warning(NAME, f"{_called(entry)} is open in {who}: it may be busy", "close that program")
    else:
        yield ok(NAME, _called(entry))
    if entry.lacks:
        yield warning(
            "camera input",
            f"{_called(entry)} gets no {entry.lacks}",
            "switch on what is plugged in there, and see to its cable",
        )
    yield _check_mode(entry, size, fps)


def _unreadable(inventory: Inventory, told: str = "") -> Iterator[Finding]:
    """What looks like a camera and cannot be read, one finding for each kind; no fault where another one is read.

    told: what an error has said already.
    """
    kinds: dict[tuple[str, str], list[CameraEntry]] = {}
    for entry in inventory.cameras:
        if entry.node.unreadable and entry.node.unreadable not in told:
            kinds.setdefault((entry.node.card, entry.node.unreadable), []).append(entry)
    for (card, reason), entries in kinds.items():
        paths = few([str(entry.node.path) for entry in entries])
        cure = (BRIDGE_CURE,) if entries[0].node.is_bridge else ()
        yield ok("not read", f"{card} ({paths}) {reason}", *cure)


def _called(entry: CameraEntry) -> str:
    return f"{entry.node.card} ({entry.node.path})"


def _missing(machine: Machine, inventory: Inventory, settings: CameraSettings, error: CameraError) -> Finding:
    bad = warning if settings.wait else problem
    candidates = [entry for entry in inventory.cameras if settings.source == "auto" or _is_meant(entry, settings)]
    forbidden = [entry for entry in candidates if entry.node.error in (errno.EACCES, errno.EPERM)]
    if forbidden:
        return bad(NAME, f"you may not open {_called(forbidden[0])}", *join_group(machine, "video"))
    if _driverless(machine):
        return bad(NAME, f"{error.message}; a USB camera is there, but no driver has it", "sudo modprobe uvcvideo")
    if machine.in_container and not inventory.cameras:
        return bad(NAME, f"{error.message}: this is a container", "give it one: docker run --device /dev/video0 ...")
    return bad(NAME, error.message, error.hint)


def _is_meant(entry: CameraEntry, settings: CameraSettings) -> bool:
    return bool(find_node(settings.source, [entry.node]))


def _driverless(machine: Machine) -> bool:
    """Whether a USB device of the video class has no driver."""
    for interface in machine.glob("/sys/bus/usb/devices/*/bInterfaceClass"):
        try:
            video = interface.read_text().strip().lower() == "0e"
        except OSError:
            continue
        if video and not (interface.parent / "driver").exists():
            return True
    return False


def _check_mode(entry: CameraEntry, size: Size, fps: float) -> Finding:
    name, mode = "camera mode", entry.chosen
    if mode is None:
        why = refusal(entry.node.card, str(entry.node.path), (offer.code for offer in entry.offers))
        return problem(name, why.message, why.hint)
    wanted = f"{size[0]}x{size[1]} at {fps:g} fps"
    if not is_smooth(mode, fps):
        return warning(name, f"{mode}: choppy. It has nothing better for {wanted}", *_other_size(entry, fps))
    if mode.size[0] < size[0] or mode.size[1] < size[1]:
        return warning(
            name,
            f"{mode}: smaller than the {_written(size)} that is asked for, so not as sharp",
            f"vcam start --size {_written(mode.size)}",
        )
    return ok(name, str(mode))


def is_smooth(mode: Mode, fps: float) -> bool:
    """Whether a mode has enough frames for a call."""
    return not mode.fps or mode.fps >= _SMOOTH * min(fps, _COMMON_RATE)


def _other_size(entry: CameraEntry, fps: float) -> tuple[str, ...]:
    smooth = [mode.size for mode in entry.modes if is_smooth(mode, fps)]
    if not smooth:
        return (f"vcam start --fps {entry.chosen.fps:g}",) if entry.chosen else ()
    best = max(smooth, key=lambda size: size[0] * size[1])
    return (f"vcam start --size {_written(best)}",)


def _written(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
