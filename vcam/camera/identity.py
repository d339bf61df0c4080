"""Whether a node is the camera that was taken before, under whatever number: never one that only looks like it.

A camera with a serial number of its own is known by it, wherever it is plugged in. Of those without one, two of a
kind cannot be told apart but by the port they hang at, and neither can one that was moved from another that was plugged
in instead. So there the port decides. `/dev/v4l/by-id` is no help: it gives one name to all cameras of a kind that have
no serial number, and that name goes over to the next one when the first is pulled.
"""

from __future__ import annotations

import re

from vcam.v4l2.discover import Node


def again(before: Node, nodes: list[Node], *, twins: bool = False, by_kind: bool = False) -> Node | None:
    """The camera that `before` was, among the nodes of now; None if none of them is it for certain.

    twins: another like it was seen beside it, from which nothing but its place tells it. by_kind: the person goes by
    the name of its kind, so that the only camera of that kind is it, at whatever port.
    """
    alike = [node for node in nodes if is_alike(before, node)]
    if here := [node for node in alike if _same_place(before, node)]:
        return _by_number(before, here)
    if twins:
        return None
    elsewhere = alike if by_kind else [node for node in alike if _same_serial(before, node)]
    return elsewhere[0] if len(elsewhere) == 1 else None


def has_twin(node: Node, nodes: list[Node]) -> bool:
    """Whether there is another camera that nothing but its place tells from this one."""
    return any(other.path != node.path and is_alike(node, other) for other in nodes)


def is_alike(before: Node, node: Node) -> bool:
    """Whether it may be the same camera: same card, and nothing that speaks against it."""
    if node.capabilities is None or not node.capabilities.captures or node.card != before.card:
        return False
    pairs = (
        (before.serial, node.serial),
        # the interface and the number within the device, which do not depend on the port
        (_within(before), _within(node)),
        (_id(before), _id(node)),
    )
    return all(then == now for then, now in pairs if then and now)


def _same_place(before: Node, node: Node) -> bool:
    if before.place and node.place:
        return before.place == node.place
    if before.port_name and node.port_name:
        return before.port_name == node.port_name
    return before.bus == node.bus


def _by_number(before: Node, here: list[Node]) -> Node | None:
    """Of nodes that the place does not tell apart, the one with the old bus and number, if it is the only one left."""
    here = [node for node in here if node.bus == before.bus] or here
    here = [node for node in here if node.path == before.path] or here
    return here[0] if len(here) == 1 else None


def _same_serial(before: Node, node: Node) -> bool:
    if before.serial and node.serial:
        return before.serial == node.serial
    return bool(_id(before)) and _id(before) == _id(node) and _tells_a_serial(_id(before))


def _id(node: Node) -> str:
    return node.stable_name.name if node.stable_name else ""


def _within(node: Node) -> str:
    device, _, number = node.place.rpartition("#")
    return f"{device.rpartition(':')[2]}#{number}" if ":" in device else number


def _tells_a_serial(link: str) -> bool:
    """Whether a name as usb-VENDOR_MODEL_SERIAL-video-index0 seems to have all three, where sysfs tells nothing."""
    words = re.sub(r"-(video-)?index\d+$", "", link).split("_")
    return len(words) > 1 and re.fullmatch(r"(?=.*\d)[0-9A-Za-z.]{6,}", words[-1]) is not None


def whereabouts(node: Node) -> str:
    """What a camera is known by, in words: its serial number, else its port."""
    if node.serial:
        return f"serial number {node.serial}"
    if node.port_name:
        return f"at the port {re.sub(r'-video-index[0-9]+$', '', node.port_name.name)}"
    if node.place:
        return f"at the port {node.place.partition('#')[0]}"
    return f"at {node.bus}" if node.bus else f"at {node.path}"
