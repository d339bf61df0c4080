"""All checks, in the order in which things depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vcam.camera.sources import resolve
from vcam.doctor import answers, cameras, module, pipewire, sandbox, software, speed, virtual
from vcam.doctor.finding import Finding, Status, ok, problem
from vcam.errors import ConfigError, VcamError
from vcam.machine.host import Machine
from vcam.machine.inventory import Inventory
from vcam.secrets import show_address
from vcam.settings import SegmentSettings, Settings, parse_size
from vcam.types import Size
from vcam.v4l2.discover import Node


def examine(
    machine: Machine,
    settings: Settings | VcamError,
    config: Path,
    take_inventory: Callable[[Size, float], Inventory],
    find_camera: Callable[[str], Node] = resolve,
    try_model: Callable[[SegmentSettings, Size], dict[str, str]] = answers.try_model,
) -> Iterator[Finding]:
    """Every finding about a machine. Settings that cannot be read are handed in as their error; then the defaults
    count for the rest."""
    broken = settings if isinstance(settings, VcamError) else None
    yield software.check_settings(config, broken)
    wanted = settings if isinstance(settings, Settings) else Settings()
    size, fps = parse_size(wanted.output.size), wanted.output.fps
    inventory = take_inventory(size, fps)
    yield from _outputs(machine, inventory, wanted)
    yield from _camera(machine, inventory, wanted, size, fps, find_camera)
    yield from speed.check_engines(inventory)
    missing = list(speed.check_backend(inventory, wanted.segment))
    yield from missing
    refused = any(finding.status is Status.PROBLEM for finding in missing)
    if not refused and any(not entry.problem for entry in inventory.engines):
        yield from answers.check_answers(wanted.segment, size, try_model)
    yield from speed.check_accelerators(machine, inventory)
    yield from speed.check_decoder(machine)
    yield from speed.check_loops(machine, inventory)
    yield from speed.check_clock(machine)
    yield from software.check_ffmpeg(machine)
    yield from software.check_extras(machine)
    yield from software.check_programs(machine)


def _outputs(machine: Machine, inventory: Inventory, settings: Settings) -> Iterator[Finding]:
    try:
        targets = tuple(target for target in settings.output.targets if virtual.is_virtual_target(target))
    except VcamError as error:
        yield problem("output", error.message, error.hint, exit_status=error.exit_status)
        return
    # where PipeWire serves, the module is for those programs that do not know it
    spared = targets == ("auto",) and inventory.pipewire.usable
    yield from module.check_module(machine, needed=bool(targets) and not spared)
    if inventory.module or inventory.virtual:
        yield from virtual.check_outputs(machine, inventory, targets)
    yield from virtual.check_pipewire(machine, inventory)
    yield from pipewire.check_daemon(machine, inventory.pipewire, settings.output.targets, settings.camera.source)
    yield from pipewire.check_portal(machine)
    yield from sandbox.check_flatpak(machine)
    yield from sandbox.check_snap(machine)


def _camera(
    machine: Machine, inventory: Inventory, settings: Settings, size: Size, fps: float, find: Callable[[str], Node]
) -> Iterator[Finding]:
    try:
        device = cameras.is_device(settings.camera, size, fps)
    except VcamError as error:
        yield problem("camera", error.message, error.hint, exit_status=error.exit_status)
        return
    if device:
        yield from cameras.check_camera(machine, inventory, settings.camera, size, fps, find)
    else:
        yield ok("camera", f"{show_address(settings.camera.source)}, which is no device")


def exit_status(findings: Sequence[Finding]) -> int:
    """0 if vcam can run, else how `vcam start` would end: a broken configuration first, since it is read first."""
    statuses = {finding.exit_status for finding in findings if finding.status is Status.PROBLEM}
    for status in (ConfigError.exit_status, 2):
        if status in statuses:
            return status
    return max(statuses, default=0)
