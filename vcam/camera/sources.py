"""Which node a camera's name means, and why it cannot be used, in words."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from vcam.camera import identity, ranking
from vcam.camera.unreadable import refuse_unreadable
from vcam.errors import CameraError
from vcam.v4l2 import loopback
from vcam.v4l2.discover import Node, find_node, list_nodes, who_holds

_LIST = "vcam devices lists the cameras"


@dataclass(slots=True)
class Search:
    """One camera, found again and again: "auto", a path, a number, or part of a card's name.

    Once found, it stays that camera, whatever its number, and no other takes its place unasked. Only a link, as those
    in /dev/v4l/by-path, means whatever hangs there. `node` is where it was last, `twins` whether another like it was
    seen beside it.
    """

    source: str
    node: Node | None = None
    twins: bool = False

    def find(self) -> Node:
        """Where the camera is now. Raises `CameraError` if it is not there, or cannot be a camera."""
        nodes = list_nodes()
        node = self._first(nodes) if self.node is None else self._again(self.node, nodes)
        self.twins = self.twins or identity.has_twin(node, nodes)
        self.node = node
        return node

    def _first(self, nodes: list[Node]) -> Node:
        if self.source.casefold() == "auto":
            return _first_camera(nodes)
        found = find_node(self.source, nodes)
        if not found:
            raise _missing(self.source)
        if len(found) > 1:
            # a name that several have: the infrared half of a pair has the same, and vcam's own output may have it
            found = sorted(found, key=lambda node: (node.path in loopback.FED, ranking.judge(node).rank, node.index))
        for node in found:
            if node.is_camera or (node.is_loopback and node.capabilities and node.capabilities.captures):
                return _not_our_own(node)
        raise _useless(found[0], nodes)

    def _again(self, before: Node, nodes: list[Node]) -> Node:
        linked = find_node(self.source, nodes) if _is_link(self.source) else []
        if linked and not (_follows_the_device(self.source) and self._is_another(before, linked[0], nodes)):
            return self._first(nodes)
        by_kind = self.source.casefold() != "auto" and "/" not in self.source and not self.source.isdecimal()
        if (node := identity.again(before, nodes, twins=self.twins, by_kind=by_kind)) is not None:
            return _not_our_own(node)
        closed = next((node for node in nodes if node.error and node.place and node.place == before.place), None)
        if closed is not None:
            raise _useless(closed, nodes)
        if any(node.is_loopback and node.path == before.path for node in nodes):
            raise unfed(before)
        raise _awaited(before, nodes)

    def _is_another(self, before: Node, node: Node, nodes: list[Node]) -> bool:
        """Whether a link that goes with the device has gone over to another one."""
        twins = self.twins or not identity.is_alike(before, node)
        return identity.again(before, nodes, twins=twins, by_kind=True) is not node


def resolve(source: str, before: Node | None = None) -> Node:
    """The camera that `source` means; `before` is the node that it meant last time. See `Search`."""
    return Search(source, before).find()


def _is_link(source: str) -> bool:
    return "/" in source and os.path.islink(source)


def _follows_the_device(link: str) -> bool:
    return Path(link).parent.name == "by-id"


def _not_our_own(node: Node) -> Node:
    if node.path in loopback.FED:
        raise CameraError(
            f"{node.card} ({node.path}) is vcam's own virtual camera", "name your real camera: vcam devices lists them"
        )
    return node


def _first_camera(nodes: list[Node]) -> Node:
    if (found := ranking.best(nodes)) is not None:
        return found
    forbidden = [node for node in nodes if node.error in (errno.EACCES, errno.EPERM)]
    if forbidden:
        raise _forbidden(forbidden[0])
    # what another program makes of such a camera
    fed = [node for node in nodes if node.is_loopback and node.capabilities and node.capabilities.captures]
    fed = [node for node in fed if node.path not in loopback.FED]
    if raw := [node for node in nodes if node.unreadable]:
        raise CameraError(
            f"no camera was found that can be read directly: {raw[0].card} ({_span(raw)}) {raw[0].unreadable}",
            f"vcam start --camera {fed[0].path} reads {fed[0].card}" if fed else BRIDGE_CURE,
        )
    unknown = [node for node in nodes if node.is_camera]
    for node in unknown:
        refuse_unreadable(node)
    if unknown:
        node = unknown[0]
        raise CameraError(
            f"no camera was found that can be read: {node.card} ({node.path}) {ranking.judge(node).reason}", _LIST
        )
    hint = "plug one in, name a virtual camera or a video file with --camera, or try --camera demo"
    if fed:
        hint = f"plug one in, or read the virtual camera {fed[0].card}: --camera {fed[0].path}"
    raise CameraError("no camera was found", hint)


BRIDGE_CURE = (
    "a laptop's MIPI camera is reached through libcamera and PipeWire: vcam start --camera pipewire, once PipeWire has "
    "libcamera's plugin (Debian: sudo apt install libspa-0.2-libcamera) and lists it in vcam devices"
)
"""What to do about a camera whose nodes nobody can read directly."""


def _span(nodes: list[Node]) -> str:
    more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
    return f"{nodes[0].path}{more}"


def _awaited(before: Node, nodes: list[Node]) -> CameraError:
    message = f"{before.card} is not there: vcam waits for that one, {identity.whereabouts(before)}"
    others = [node for node in nodes if node.is_camera]
    twin = next((node for node in others if node.card == before.card), None)
    if twin is not None:
        return CameraError(
            message, f"{twin.path} is another {twin.card}: vcam set camera.source={twin.path} takes that one"
        )
    if others:
        return CameraError(
            message, f"plug it in again, or vcam set camera.source={others[0].path} takes {others[0].card}"
        )
    return CameraError(message, "plug it in again")


def _missing(source: str) -> CameraError:
    if source.isdecimal():
        source = f"/dev/video{source}"
    if "/" not in source:
        return CameraError(f"there is no camera named {source!r}", _LIST)
    if Path(source).exists():
        return CameraError(f"{source} is not a video device", _LIST)
    return CameraError(f"there is no {source}", f"is the camera plugged in? {_LIST}")


def _useless(node: Node, nodes: list[Node]) -> CameraError:
    if node.capabilities is None:
        return failure(node, OSError(node.error, os.strerror(node.error)))
    if node.is_loopback:
        return unfed(node)
    twin = next((other for other in nodes if other.is_camera and other.card == node.card), None)
    if node.unreadable:
        return CameraError(
            f"{node.path} ({node.card}) {node.unreadable}, so vcam cannot read it",
            f"use {twin.path}" if twin else BRIDGE_CURE if node.is_bridge else _LIST,
        )
    kind = "carries only metadata" if node.capabilities.is_metadata else "is not a camera"
    return CameraError(f"{node.path} ({node.card}) {kind}", f"use {twin.path}" if twin else _LIST)


def unfed(node: Node) -> CameraError:
    """What a virtual camera lacks that has no picture."""
    return CameraError(
        f"the virtual camera {node.card} ({node.path}) has no picture: no program feeds it", "start that program first"
    )


def fallen_silent(node: Node) -> str:
    """What has happened if a virtual camera that gave pictures gives none any more."""
    return f"the program that feeds the virtual camera {node.card} ({node.path}) has stopped or hangs"


SILENT_CURE = "start that program again; vcam goes on by itself"


def failure(node: Node, error: OSError) -> CameraError:
    """An error of the kernel, in words."""
    what = f"{node.card or 'the camera'} ({node.path})"
    if error.errno in (errno.ENODEV, errno.ENOENT, errno.ENXIO):
        return CameraError(f"{what} is not there any more", "plug it in again")
    if error.errno in (errno.EACCES, errno.EPERM):
        return _forbidden(node)
    if error.errno == errno.EBUSY and node.is_loopback:
        return CameraError(
            f"{what} is used by {who_holds(node.path)}",
            "close it there: since v4l2loopback 0.13 a virtual camera has one reader at a time",
        )
    if error.errno == errno.EBUSY:
        return CameraError(f"{what} is used by {who_holds(node.path)}", "close it there, or choose another camera")
    if error.errno == errno.ENOTTY:
        return CameraError(f"{node.path} is not a video device", _LIST)
    if node.is_loopback:
        return unfed(node)
    if error.errno == errno.ENOSPC:
        return CameraError(
            f"{what} gets no bandwidth on its USB bus",
            "plug it in elsewhere, away from other cameras, or choose a smaller --size",
        )
    return CameraError(f"{what} cannot be started: {error.strerror}", "unplug it and plug it in again")


def _forbidden(node: Node) -> CameraError:
    return CameraError(
        f"you may not open {node.card or 'the camera'} ({node.path})",
        "sudo usermod -aG video $USER, then log out and in again",
    )
