"""Which video nodes there are, what they are, and who holds them."""

from __future__ import annotations

import errno
import os
import stat
from ctypes import CDLL, Structure, byref, c_uint8, c_uint16, c_uint32
from dataclasses import dataclass
from pathlib import Path

from vcam.printable import shown_name
from vcam.v4l2.device import Capabilities, opened, query_capabilities

SYSFS = Path("/sys/class/video4linux")
DEV = Path("/dev")
PROC = Path("/proc")

# what nearly every process has open
_OTHER_DEVICES = ("/dev/null", "/dev/pts/", "/dev/shm/", "/dev/urandom", "/dev/dri/")
# they say CAPTURE for the side on which a picture that was handed in comes out
_PROCESSORS = frozenset(("bcm2835-isp", "bcm2835-codec"))


@dataclass(frozen=True, slots=True)
class Node:
    """One /dev/videoN. `card` comes from sysfs and is known even if the node cannot be opened; then `capabilities` is
    None and `error` the errno. `links` are its stable names under /dev/v4l, by-id before by-path.

    `place` is where it hangs, as the kernel counts: the port and the interface of its device, and which of their nodes
    it is, as "1-8:1.2#0". `serial` is the device's serial number. Both are "" where sysfs does not tell.
    """

    path: Path
    index: int
    card: str
    capabilities: Capabilities | None = None
    error: int = 0
    links: tuple[Path, ...] = ()
    place: str = ""
    serial: str = ""

    @property
    def is_loopback(self) -> bool:
        """Whether it is a virtual camera, of any producer."""
        return self.capabilities is not None and self.capabilities.is_loopback

    @property
    def is_camera(self) -> bool:
        """Whether it is a device that takes pictures and gives them: no virtual camera, no metadata, no encoder."""
        return (
            self.capabilities is not None
            and self.capabilities.captures
            and not self.is_loopback
            and not self.unreadable
        )

    @property
    def unreadable(self) -> str:
        """Why no picture can be read here, in words that follow "it"; "" where one can, or where there is none."""
        ability = self.capabilities
        if ability is None or not (ability.captures or ability.captures_planes):
            return ""
        if ability.is_wired:
            return "is the end of a MIPI camera's bridge (as IPU6's) that the media controller must wire up first"
        if ability.captures_planes:
            return "gives its picture only by the multi-planar calls, as the bridge of a MIPI camera does"
        if ability.is_touch:
            return "is a touch sensor"
        if ability.driver in _PROCESSORS:
            return "is a processor of pictures, which has none of its own"
        return "" if ability.streams else "gives its pictures by read() only"

    @property
    def is_bridge(self) -> bool:
        """Whether it belongs to the bridge of a MIPI camera, as that of a laptop's or a phone's processor."""
        ability = self.capabilities
        return ability is not None and (ability.is_wired or ability.captures_planes)

    @property
    def bus(self) -> str:
        return self.capabilities.bus if self.capabilities else ""

    @property
    def stable_name(self) -> Path | None:
        """The name that follows the device to another port, if it has one."""
        return self._link("by-id")

    @property
    def port_name(self) -> Path | None:
        """The name that stays with the port, if it has one."""
        return self._link("by-path")

    def _link(self, folder: str) -> Path | None:
        return next((link for link in self.links if link.parent.name == folder), None)


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a node open."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


def list_nodes() -> list[Node]:
    """All video nodes, by number. Nodes of radio and teletext receivers have other names and do not appear."""
    nodes = []
    for entry in SYSFS.glob("video*") if SYSFS.is_dir() else ():
        number = entry.name.removeprefix("video")
        if number.isdecimal():
            nodes.append(_look_at(DEV / entry.name, int(number), entry))
    return sorted(nodes, key=lambda node: node.index)


def _look_at(path: Path, index: int, entry: Path) -> Node:
    try:
        card = shown_name((entry / "name").read_bytes())
    except OSError:
        card = ""
    links, place, serial = _links(path), _place(entry), _serial(entry)
    try:
        with opened(path) as fd:
            capabilities = query_capabilities(fd)
    except OSError as error:
        return Node(path, index, card, None, error.errno or errno.EIO, links, place, serial)
    return Node(path, index, capabilities.card or card, capabilities, 0, links, place, serial)


def _place(entry: Path) -> str:
    device = os.path.realpath(entry / "device")
    if not os.path.isdir(device):
        return ""
    return f"{os.path.basename(device)}#{_line(entry / 'index')}"


def _serial(entry: Path) -> str:
    """That of a USB device, whose interface the node belongs to."""
    return _line(Path(os.path.realpath(entry / "device")).parent / "serial")


def _line(file: Path) -> str:
    try:
        return shown_name(file.read_bytes().strip())
    except OSError:
        return ""


def _links(path: Path) -> tuple[Path, ...]:
    found = []
    for folder in ("by-id", "by-path"):
        try:
            entries = sorted((DEV / "v4l" / folder).iterdir())
        except OSError:
            continue
        found += [entry for entry in entries if entry.resolve() == path]
    return tuple(found)


def find_node(name: str, nodes: list[Node]) -> list[Node]:
    """The nodes that a name may mean: a path (links are followed), a number, or part of a card's name in any case."""
    if "/" in name:
        real = Path(name).resolve()
        return [node for node in nodes if node.path == real]
    if name.isdecimal():
        return [node for node in nodes if node.index == int(name)]
    return [node for node in nodes if name.casefold() in node.card.casefold()]


def holders(path: Path, *, but: int | None = None) -> list[Holder]:
    """The processes that have a node open, as far as permission allows: an empty list proves nothing.

    `but` leaves out one process, usually one's own. Takes some milliseconds.
    """
    target = os.path.realpath(path)
    return [
        Holder(int(entry.name), _process_name(entry.path))
        for entry in os.scandir(PROC)
        if entry.name.isdecimal() and int(entry.name) != but and _holds(entry.path, target)
    ]


def holds(pid: int, path: Path) -> bool:
    """Whether one process has a node open, as far as permission allows. Much cheaper than `holders`."""
    return _holds(f"{PROC}/{pid}", os.path.realpath(path))


def maps(pid: int, path: Path) -> bool:
    """Whether one process has memory of a node mapped, as far as permission allows."""
    end = b" " + os.fsencode(os.path.realpath(path)) + b"\n"
    try:
        with open(f"{PROC}/{pid}/maps", "rb") as lines:
            return any(line.endswith(end) for line in lines)
    except OSError:
        return False


def _holds(process: str, target: str) -> bool:
    folder = f"{process}/fd"
    try:
        return any(_is_node(f"{folder}/{name}", target) for name in os.listdir(folder))
    except OSError:
        return False


def _is_node(link: str, target: str) -> bool:
    """Whether a link of /proc leads to a node, also to one that a container has made for the same device."""
    text = _link_text(link)
    if text == target:
        return True
    if "/dev/" not in text or text.startswith(_OTHER_DEVICES):
        return False
    return (number := device_number(target)) is not None and device_number(link) == number


def device_number(path: str) -> tuple[int, int] | None:
    """The number of the device that a path leads to; None for what is no character device, or cannot be seen.

    Never waits for a network share: only what the kernel knows already is asked for, as statx(2) has it.
    """
    answer = _Statx()
    flags = _AT_STATX_DONT_SYNC
    if _statx is None or _statx(-1, os.fsencode(path), flags, _STATX_TYPE, byref(answer)) != 0:
        return None
    return (answer.rdev_major, answer.rdev_minor) if stat.S_ISCHR(answer.mode) else None


class _Statx(Structure):
    """struct statx, as far as it is used here."""

    _fields_ = (
        ("before", c_uint8 * 28),
        ("mode", c_uint16),
        ("between", c_uint8 * 98),
        ("rdev_major", c_uint32),
        ("rdev_minor", c_uint32),
        ("after", c_uint8 * 120),
    )


_AT_STATX_DONT_SYNC, _STATX_TYPE = 0x4000, 0x01
_statx = getattr(CDLL(None), "statx", None)


def _link_text(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _process_name(process: str) -> str:
    try:
        return shown_name(Path(process, "comm").read_bytes()) or "?"
    except OSError:
        return "?"


def who_holds(path: Path) -> str:
    """ "ffmpeg (process 42) and Discord (process 43)", for messages; says so if nobody can be seen."""
    found = holders(path)
    others = [str(holder) for holder in found if holder.pid != os.getpid()]
    if others:
        return " and ".join(others)
    return "vcam itself" if found else "another program, which you may not see"
