"""What there is: cameras with their modes, virtual cameras with their users, devices that can run networks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcam import extras, native, silent
from vcam.camera.modes import KNOWN, Mode, choose_mode, list_formats, list_modes, list_sizes
from vcam.camera.ranking import judge
from vcam.camera.sources import failure as camera_failure
from vcam.errors import DeviceError, EngineError
from vcam.output.virtual.loopback import failure as virtual_failure
from vcam.pipewire import loop
from vcam.pipewire.registry import VideoNode, video_nodes
from vcam.types import Size
from vcam.v4l2 import loopback
from vcam.v4l2.controls import Control, list_controls
from vcam.v4l2.device import enum_rates, opened
from vcam.v4l2.discover import PROC, SYSFS, Holder, Node, holders, list_nodes
from vcam.v4l2.inputs import video_input
from vcam.v4l2.presence import ReaderWatch


@dataclass(frozen=True, slots=True)
class Offer:
    """One size of one format of a camera; `rates` in frames a second, fastest first; a span has its two ends.

    `usable` is whether vcam reads the format.
    """

    code: str
    size: Size
    rates: tuple[float, ...]
    usable: bool


@dataclass(frozen=True, slots=True)
class CameraEntry:
    """A camera. `chosen` is the mode that vcam would take, `problem` why it cannot be asked, in words.

    `passed_over` is why `auto` takes other cameras first, or never this one, in words that follow "it". `lacks` is
    what is missing at its input, as "signal".
    """

    node: Node
    offers: tuple[Offer, ...] = ()
    modes: tuple[Mode, ...] = ()
    chosen: Mode | None = None
    users: tuple[Holder, ...] = ()
    problem: str = ""
    passed_over: str = ""
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class VirtualEntry:
    """A virtual camera.

    `format` is what it holds, as "YU12:1280x720@30", "" if none. `read` is whether somebody reads it, None if that
    cannot be known. `producers`, `readers` and `others` have it open; who is what is told by their memory: readers
    map the device's buffers, producers write.
    """

    node: Node
    format: str = ""
    fed: bool = False
    read: bool | None = None
    exclusive: bool | None = None
    producers: tuple[Holder, ...] = ()
    readers: tuple[Holder, ...] = ()
    others: tuple[Holder, ...] = ()
    problem: str = ""

    @property
    def users(self) -> tuple[Holder, ...]:
        return self.producers + self.readers + self.others


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """A device that can run networks, or why a runtime has none; `absent` is whether it is not installed at all."""

    runtime: str
    device: str = ""
    name: str = ""
    problem: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True)
class PipeWireEntry:
    """PipeWire. `running` is whether its daemon is there in this session, `problem` why it does not tell its nodes."""

    running: bool = False
    version: str = ""
    nodes: tuple[VideoNode, ...] = ()
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether vcam can make and read cameras there."""
        return self.running and not self.problem


@dataclass(frozen=True, slots=True)
class Inventory:
    """`module` is v4l2loopback's version, "before 0.13" for those that do not tell, "" while it is not loaded.

    `compiled` is whether the compiled loops are there.
    """

    cameras: tuple[CameraEntry, ...] = ()
    virtual: tuple[VirtualEntry, ...] = ()
    engines: tuple[EngineEntry, ...] = ()
    module: str = ""
    compiled: bool = False
    pipewire: PipeWireEntry = PipeWireEntry()


def take_inventory(size: Size, fps: float) -> Inventory:
    """Look at everything once; `size` and `fps` are what the camera would be asked for. Takes about a second."""
    nodes = list_nodes()
    return Inventory(
        list_cameras(size, fps, nodes),
        tuple(_virtual(node) for node in nodes if node.is_loopback or _closed(node, virtual=True)),
        tuple(list_engines()),
        module_version(),
        native.kernels() is not None,
        take_pipewire(),
    )


def take_pipewire() -> PipeWireEntry:
    """What PipeWire has; its library is not loaded where no daemon runs."""
    if not loop.is_there():
        return PipeWireEntry()
    try:
        return PipeWireEntry(True, loop.version(), tuple(video_nodes()))
    except DeviceError as error:
        return PipeWireEntry(True, problem=str(error))


def list_cameras(size: Size, fps: float, nodes: Iterable[Node] | None = None) -> tuple[CameraEntry, ...]:
    """The cameras alone, as `take_inventory` has them; of these nodes, or of all."""
    return tuple(_camera(node, size, fps) for node in (list_nodes() if nodes is None else nodes) if _is_listed(node))


def _is_listed(node: Node) -> bool:
    return node.is_camera or bool(node.unreadable) or _closed(node, virtual=False)


def module_version() -> str:
    """The loaded v4l2loopback's version as `Inventory.module` has it."""
    return (loopback.version() or "before 0.13") if loopback.is_loaded() else ""


def _closed(node: Node, *, virtual: bool) -> bool:
    """Whether it is a node of that kind that may not be opened: then only sysfs tells what it is."""
    return node.capabilities is None and _is_virtual_by_path(node) is virtual


def _is_virtual_by_path(node: Node) -> bool:
    # v4l2loopback's devices hang below no other device, and alone have a limit of openers
    return (SYSFS / node.path.name / "max_openers").exists()


def list_engines() -> Iterable[EngineEntry]:
    """The devices of both runtimes with their full names."""
    yield from _openvino()
    yield from _onnxruntime()


def _openvino() -> Iterable[EngineEntry]:
    from vcam.infer import openvino as runtime

    try:
        names = runtime.devices()
        core: Any = silent.openvino().Core()
    except EngineError as error:
        yield EngineEntry("OpenVINO", problem=error.message, absent=extras.is_missing("openvino"))
        return
    for device in names:
        try:
            full = str(core.get_property(device, "FULL_DEVICE_NAME"))
        except RuntimeError as error:
            full = f"it does not tell its name: {str(error).splitlines()[0]}"
        yield EngineEntry("OpenVINO", device, full.strip())


def _onnxruntime() -> Iterable[EngineEntry]:
    try:
        onnxruntime = silent.onnxruntime()
    except ModuleNotFoundError as error:
        if error.name == "onnxruntime":
            yield EngineEntry("ONNX Runtime", problem="ONNX Runtime is not installed", absent=True)
        else:
            yield EngineEntry("ONNX Runtime", problem=f"ONNX Runtime is not whole: {error}")
        return
    except (ImportError, OSError) as error:
        yield EngineEntry("ONNX Runtime", problem=f"ONNX Runtime does not start: {error}")
        return
    from vcam.infer.onnxruntime import PROVIDERS

    for provider in onnxruntime.get_available_providers():
        for device, providers in PROVIDERS.items():
            if provider in providers:
                yield EngineEntry("ONNX Runtime", device, provider)


def _camera(node: Node, size: Size, fps: float) -> CameraEntry:
    users = tuple(holders(node.path, but=os.getpid()))
    if node.unreadable:
        return CameraEntry(node, users=users, passed_over=node.unreadable)
    passed_over = judge(node).reason
    try:
        with opened(node.path) as fd:
            modes, source = tuple(list_modes(fd, size, fps)), video_input(fd)
            return CameraEntry(
                node, tuple(_offers(fd, size)), modes, choose_mode(list(modes), size, fps), users,
                passed_over=passed_over, lacks=source.lacks if source else "",
            )  # fmt: skip
    except OSError as error:
        return CameraEntry(node, users=users, problem=str(camera_failure(node, error)))


def _offers(fd: int, wanted: Size) -> Iterable[Offer]:
    for code in list_formats(fd):
        for sizes in list_sizes(fd, code, wanted):
            for size in dict.fromkeys((sizes.maximum, sizes.minimum)):
                rates = {end for rate in enum_rates(fd, code, size) for end in (rate.slowest, rate.fastest)}
                yield Offer(code, size, tuple(sorted(rates, reverse=True)), code in KNOWN)


def camera_controls(node: Node) -> list[Control]:
    """A camera's controls with their values. Raises `CameraError`."""
    try:
        with opened(node.path) as fd:
            return list(list_controls(fd))
    except OSError as error:
        raise camera_failure(node, error) from error


def _virtual(node: Node) -> VirtualEntry:
    if node.capabilities is None:
        problem = str(virtual_failure(node.path, OSError(node.error, os.strerror(node.error))))
        return VirtualEntry(node, problem=problem)
    users = holders(node.path, but=os.getpid())
    readers = tuple(user for user in users if _maps(user, node.path))
    rest = tuple(user for user in users if user not in readers)
    fed = _is_fed(node, bool(rest))
    return VirtualEntry(
        node,
        _sysfs(node, "format"),
        fed,
        _is_read(node, readers),
        _is_exclusive(node),
        rest if fed else (),
        readers,
        () if fed else rest,
    )


def _sysfs(node: Node, attribute: str) -> str:
    try:
        return (SYSFS / node.path.name / attribute).read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _is_fed(node: Node, is_open: bool) -> bool:
    """Whether a producer streams; `is_open` is whether anybody but readers has the device open."""
    if state := _sysfs(node, "state"):
        return state == "capture"
    # before 0.13: a producer that was killed may have left its mark
    try:
        return bool(_sysfs(node, "format")) and (is_open or loopback.is_fed(node.path))
    except OSError:
        return False


def _is_exclusive(node: Node) -> bool | None:
    """Whether it poses as a plain camera to browsers; None where nothing tells."""
    assert node.capabilities is not None
    if node.capabilities.captures and node.capabilities.outputs:
        return False
    return True if node.capabilities.captures or node.capabilities.outputs else None


def _is_read(node: Node, readers: tuple[Holder, ...]) -> bool | None:
    watch = ReaderWatch()
    try:
        watch.open(node.path)
        if watch.has_event:
            return watch.readers()
    except OSError:
        return None
    finally:
        watch.close()
    return True if readers else None


def _maps(user: Holder, path: Path) -> bool:
    """Whether a process has the buffers of a device in its memory, as those have that take pictures from it."""
    try:
        return any(line.endswith(f" {path}") for line in (PROC / str(user.pid) / "maps").read_text().splitlines())
    except OSError:
        return False
