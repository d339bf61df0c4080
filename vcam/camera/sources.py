"""Which node a camera's name means, and why it cannot be used, in words."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from vcam.camera.modes import IN_COLOUR
from vcam.camera.unreadable import refuse_unreadable
from vcam.errors import CameraError
from vcam.v4l2 import device
from vcam.v4l2.discover import Node, find_node, list_nodes, who_holds

_LIST = "vcam devices lists the cameras"


def resolve(source: str, before: Node | None = None) -> Node:
    """The camera that `source` means: "auto", a path, a number, or part of a card's name.

    `before` is the node it meant last time: the same camera is preferred, even if it has another number now. Raises
    `CameraError` if there is none or it cannot be one.
    """
    nodes = list_nodes()
    if before is not None and (again := _same(before, nodes)):
        return again
    if source == "auto":
        return _first_camera(nodes)
    found = find_node(source, nodes)
    if not found:
        raise _missing(source)
    for node in found:
        if node.is_camera or (node.is_loopback and node.capabilities and node.capabilities.captures):
            return node
    raise _useless(found[0], nodes)


def _same(before: Node, nodes: list[Node]) -> Node | None:
    for node in nodes:
        if node.capabilities is None or not node.capabilities.captures:
            continue
        if before.stable_name is not None:
            if node.stable_name == before.stable_name:
                return node
        elif (node.card, node.bus) == (before.card, before.bus):
            return node
    return None


def _first_camera(nodes: list[Node]) -> Node:
    for node in nodes:
        if node.is_camera and _has_known_format(node):
            return node
    forbidden = [node for node in nodes if node.error in (errno.EACCES, errno.EPERM)]
    if forbidden:
        raise _forbidden(forbidden[0])
    for node in nodes:
        if node.is_camera:
            refuse_unreadable(node)
    raise CameraError(
        "no camera was found", "plug one in, name a virtual camera or a video file with --camera, or try --camera demo"
    )


def _has_known_format(node: Node) -> bool:
    """Infrared and raw sensor nodes are cameras too, but have no picture to show."""
    try:
        with device.opened(node.path) as fd:
            return any(code in IN_COLOUR for code in device.enum_formats(fd))
    except OSError:
        return False


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
        return CameraError(
            f"the virtual camera {node.card} ({node.path}) has no picture: no program feeds it",
            "start that program first, or choose another camera",
        )
    twin = next((other for other in nodes if other.is_camera and other.card == node.card), None)
    kind = "carries only metadata" if node.capabilities.is_metadata else "is not a camera"
    return CameraError(f"{node.path} ({node.card}) {kind}", f"use {twin.path}" if twin else _LIST)


def failure(node: Node, error: OSError) -> CameraError:
    """An error of the kernel, in words."""
    what = f"{node.card or 'the camera'} ({node.path})"
    if error.errno in (errno.ENODEV, errno.ENOENT, errno.ENXIO):
        return CameraError(f"{what} is not there any more", "plug it in again")
    if error.errno in (errno.EACCES, errno.EPERM):
        return _forbidden(node)
    if error.errno == errno.EBUSY:
        return CameraError(f"{what} is used by {who_holds(node.path)}", "close it there, or choose another camera")
    if error.errno == errno.ENOTTY:
        return CameraError(f"{node.path} is not a video device", _LIST)
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
