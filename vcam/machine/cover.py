"""Virtual cameras that nobody feeds any more are given a card, in every buffer they still hold.

vcam does that itself when it ends, and its guard does it if vcam is killed. Whoever ends all processes of vcam at once,
as systemd does with a service that has crashed, calls this afterwards.
"""

from __future__ import annotations

import contextlib

from vcam.compose.placeholder import off
from vcam.errors import OutputDeviceError
from vcam.frames import PixelFormat
from vcam.output.virtual.camera import find_outputs
from vcam.output.virtual.layout import Fit
from vcam.output.virtual.loopback import failure
from vcam.v4l2 import loopback
from vcam.v4l2.cover import cover, dark
from vcam.v4l2.device import Direction, PixelLayout, get_format, opened
from vcam.v4l2.discover import Node, list_nodes, who_holds

_LAYOUTS = {layout.value: layout for layout in (PixelFormat.I420, PixelFormat.NV12, PixelFormat.YUYV)}


def cover_left(target: str | None = None) -> list[tuple[Node, int]]:
    """Cover what is left in a device, or in all that nobody feeds; each with how many buffers were written over.

    target: a path, a number or part of a label. Raises `OutputDeviceError` if there is no such device, if it is fed,
    or cannot be opened. Without a target such devices are left out.
    """
    if target is None:
        nodes = [node for node in list_nodes() if node.is_loopback and not is_fed(node)]
        found = []
        for node in nodes:
            with contextlib.suppress(OutputDeviceError):
                found.append((node, _cover(node)))
        return found
    (node,) = find_outputs(target)[:1]
    if is_fed(node):
        raise OutputDeviceError(
            f"the virtual camera {node.path} is fed by {who_holds(node.path)}", "end that program; vcam stop ends vcam"
        )
    return [(node, _cover(node))]


def is_fed(node: Node) -> bool:
    """Whether a program writes to a virtual camera now."""
    assert node.capabilities is not None
    if not loopback.forgets_output():
        return not node.capabilities.outputs
    # OUTPUT alone: free. Otherwise it may be fed, or have been left by a program that did not say that it went.
    if not node.capabilities.captures:
        return False
    with contextlib.suppress(OSError):
        return loopback.is_fed(node.path)
    return True


def held_format(fd: int) -> PixelLayout:
    """The format of a device, whether it is fed or not: versions differ. Raises `OSError` if it has none."""
    try:
        return get_format(fd, Direction.CAPTURE)
    except OSError:
        return get_format(fd, Direction.OUTPUT)


def _cover(node: Node) -> int:
    try:
        with opened(node.path) as fd:
            try:
                layout = held_format(fd)
            except OSError:
                # it holds nothing
                return 0
            # the darkness at once, since what it covers may be a room
            cover(fd, layout.bytes, dark(layout.code, layout.size, layout.bytes))
            return cover(fd, layout.bytes, _card(layout))
    except OSError as error:
        raise failure(node.path, error) from error


def _card(layout: PixelLayout) -> bytes:
    known = _LAYOUTS.get(layout.code)
    if known is None or any(side % 2 or side < 16 for side in layout.size):
        return dark(layout.code, layout.size, layout.bytes)
    card = off(layout.size)
    packed = card.packed() if known is PixelFormat.I420 else Fit(card.size, card.size, known).render(card)
    return packed.tobytes()
