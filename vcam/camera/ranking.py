"""Which camera `auto` takes, and why it passes others over."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from vcam.camera.modes import KNOWN, list_formats
from vcam.printable import few
from vcam.v4l2 import device, inputs
from vcam.v4l2.discover import Node
from vcam.v4l2.inputs import VideoInput


class Rank(IntEnum):
    """What a node is to someone who wants to be seen, best first."""

    CAMERA = 0
    GRABBER = 1
    VIRTUAL = 2
    INFRARED = 3
    NEVER = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rank, and the reason why it is not the best one, in words that follow "it"; "" for the best."""

    rank: Rank
    reason: str = ""


_GREYS = frozenset(
    ("GREY", "Y4", "Y6", "Y8", "Y10", "Y12", "Y14", "Y16", "Y10B", "Y10P", "Y12P", "Y14P", "Y8I", "Y12I", "Y16I",
     "INVI", "INVZ", "INZI", "INRI", "Z16", "CNF4")
)  # fmt: skip
"""Luma alone, and the depths that infrared cameras measure."""
_COMPRESSED = frozenset(("MJPG", "JPEG", "H264", "H265", "HEVC", "VP80", "VP90"))
"""They may be grey as well."""

_INFRARED = re.compile(r"(?<![A-Za-z])IR(?![A-Za-z])|(?i:infra-?red)")
_COLOUR = re.compile(r"(?<![A-Za-z])RGB(?![A-Za-z])")
_SOCKET = re.compile(
    r"\b(hdmi|sdi|dvi|capture|grabber|easy ?cap|cam ?link|av to usb|tv|tuner|composite|s-?video|live ?gamer)\b", re.I
)
# drivers of cameras that are programs, beside v4l2loopback's own; phones send theirs through the first
_PROGRAMS = re.compile(r"droidcam|akvcam|loopback|webcamoid", re.I)


def judge(node: Node) -> Verdict:
    """What `auto` thinks of a node. Opens it for a moment; it stays off."""
    if node.is_loopback:
        return Verdict(Rank.NEVER, "is a virtual camera, which is read only if it is named")
    if node.unreadable:
        return Verdict(Rank.NEVER, node.unreadable)
    if not node.is_camera:
        return Verdict(Rank.NEVER, "is no camera")
    try:
        with device.opened(node.path) as fd:
            formats = list_formats(fd)
            source = inputs.video_input(fd)
    except OSError:
        return Verdict(Rank.NEVER, "does not answer")
    return _judge(node, formats, source)


def _judge(node: Node, formats: list[str], source: VideoInput | None) -> Verdict:
    assert node.capabilities is not None
    if KNOWN.keys().isdisjoint(formats):
        return Verdict(Rank.NEVER, f"has no format that vcam can read: {few(formats) or 'it names none'}")
    if _is_infrared(node.card, node.capabilities.driver, set(formats)):
        return Verdict(Rank.INFRARED, "is an infrared camera: cameras with colours come first")
    if _PROGRAMS.search(node.capabilities.driver) or _PROGRAMS.search(node.bus):
        return Verdict(Rank.VIRTUAL, "is a virtual camera: real ones come first")
    if (source is not None and source.is_socket) or _SOCKET.search(node.card):
        return Verdict(Rank.GRABBER, "takes its picture from a socket, as a capture card does: cameras come first")
    return Verdict(Rank.CAMERA)


def _is_infrared(card: str, driver: str, formats: set[str]) -> bool:
    """Cameras for faces at the login give grey pictures, some as JPEG too; the colour camera beside them does not.

    Sensors behind other drivers than USB's list grey among all their formats.
    """
    if formats & _GREYS and (driver == "uvcvideo" or not formats - _GREYS - _COMPRESSED):
        return True
    return bool(_INFRARED.search(card)) and not _COLOUR.search(card)


def best(nodes: list[Node]) -> Node | None:
    """The camera that `auto` takes, None if there is none: the first of the best rank."""
    ranked = [(judge(node).rank, node.index, node) for node in nodes if node.is_camera]
    chosen = min(ranked, key=lambda entry: entry[:2], default=None)
    return chosen[2] if chosen is not None and chosen[0] is not Rank.NEVER else None
