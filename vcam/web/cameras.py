"""The cameras of this machine for the page: which there are, which one is in use, and what its driver lets be set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from vcam.control.client import ControlClient
from vcam.errors import VcamError
from vcam.machine.inventory import CameraEntry, camera_controls, list_cameras
from vcam.settings import parse_size
from vcam.v4l2.controls import Control

_NODE = re.compile(r"\((/dev/[^()]+)\)")


def listed(name: str) -> dict[str, Any]:
    """`cameras`, each with `name`, `source` (what to set `camera.source` to), `path`, `mode`, `note`, `used`; and the
    `controls` of the one in use, empty if it has none.

    Raises `VcamError` if vcam does not run. Opens each camera for a moment, and switches none on.
    """
    with ControlClient(name) as vcam:
        status = vcam.call("status")
    used = node_of(status["camera"]["description"])
    cameras = list_cameras(parse_size(status["size"]), float(status["fps"]))
    return {"cameras": [_camera(entry, cameras, used) for entry in cameras], "controls": _controls(cameras, used)}


def node_of(description: str) -> str:
    """The node in a camera's description, "" for what is no device. The name, which may hold anything, comes before."""
    found = _NODE.findall(description)
    return str(found[-1]) if found else ""


def _camera(entry: CameraEntry, others: Sequence[CameraEntry], used: str) -> dict[str, Any]:
    node = entry.node
    twins = sum(other.node.stable_name == node.stable_name for other in others) > 1
    lasting = node.port_name if twins or not node.stable_name else node.stable_name
    problem = entry.problem or (node.unreadable and f"it {node.unreadable}") or ""
    if not problem and entry.offers and not entry.chosen:
        problem = "it has no format that vcam reads"
    return {
        "name": node.card or node.path.name,
        "source": str(lasting or node.path),
        "path": str(node.path),
        "mode": str(entry.chosen or ""),
        "note": problem or (f"no {entry.lacks} at its input" if entry.lacks else ""),
        "usable": not problem,
        "used": str(node.path) == used,
    }


def _controls(cameras: Sequence[CameraEntry], used: str) -> list[dict[str, Any]]:
    entry = next((entry for entry in cameras if str(entry.node.path) == used), None)
    if entry is None:
        return []
    try:
        return [control_described(control) for control in camera_controls(entry.node) if _can_be_set(control)]
    except VcamError:
        # it was pulled this moment; the list says so when it is asked for again
        return []


def _can_be_set(control: Control) -> bool:
    """Whether there can be a widget: not for what is only read, nor for a button, which would be pressed each time."""
    spans = control.kind in ("boolean", "menu") or control.maximum > control.minimum
    return control.writable and control.kind != "button" and spans and bool(control.name)


def control_described(control: Control) -> dict[str, Any]:
    """A control in builtin types; `choices` as a list of number and words, in the order of the menu."""
    described: dict[str, Any] = msgspec.to_builtins(control, str_keys=True)
    return described | {"choices": [[number, words] for number, words in control.choices.items()]}
