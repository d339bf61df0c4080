"""What PipeWire's daemon has: its nodes that give pictures."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass

from vcam.errors import DeviceError
from vcam.pipewire import raw
from vcam.pipewire.loop import Loop

OWN_PREFIX = "vcam."
"""How the names begin of nodes that vcam makes, this one or another; what people read is their description."""

_PATIENCE = 2.0


@dataclass(frozen=True)
class VideoNode:
    """A node of class Video/Source.

    serial: never used again while the daemon lives. role: "Camera" for what programs list as one. api: "v4l2" or
    "libcamera" for a camera of this machine, empty for what a program gives. path: of the V4L2 device behind it.
    """

    number: int
    serial: str
    name: str
    description: str
    role: str = ""
    api: str = ""
    path: str = ""

    @property
    def is_camera(self) -> bool:
        return self.role == "Camera"

    @property
    def is_virtual(self) -> bool:
        """Whether a vcam makes it, this one or another."""
        return self.name.startswith(OWN_PREFIX)


def video_nodes(patience: float = _PATIENCE) -> list[VideoNode]:
    """All nodes that give pictures, as the daemon lists them.

    patience: seconds that it has to answer. Raises `DeviceError` if there is no PipeWire.
    """
    loop = Loop("vcam-list")
    # PipeWire holds its hooks until the loop is closed
    listing = _Listing(loop)
    try:
        return listing.nodes(patience)
    finally:
        loop.close()


class _Listing:
    """One round trip: the registry tells all it has, then the daemon answers that it is through."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._found: list[VideoNode] = []
        self._through = threading.Event()
        self._failure = ""
        self._hooks = (raw.SpaHook(), raw.SpaHook())
        self._core_events = raw.PwCoreEvents(done=raw.Done(self._done), error=raw.CoreError(self._error))
        self._registry_events = raw.PwRegistryEvents(global_=raw.Global(self._global))

    def nodes(self, patience: float) -> list[VideoNode]:
        with self._loop.locked() as library:
            core, data = raw.methods_of(self._loop.core, raw.PwCoreMethods)
            core.add_listener(data, ctypes.addressof(self._hooks[0]), ctypes.addressof(self._core_events), None)
            registry = core.get_registry(data, 3, 0)
            if not registry:
                raise DeviceError("PipeWire does not tell what it has")
            methods, object_ = raw.methods_of(registry, raw.PwRegistryMethods)
            methods.add_listener(
                object_, ctypes.addressof(self._hooks[1]), ctypes.addressof(self._registry_events), None
            )
            core.sync(data, raw.PW_ID_CORE, 0)
        answered = self._through.wait(patience)
        with self._loop.locked() as library:
            library.pw_proxy_destroy(registry)
        if self._failure or not answered:
            raise DeviceError(
                f"PipeWire does not tell what it has: {self._failure or 'its daemon does not answer'}",
                "systemctl --user restart pipewire wireplumber",
            )
        return self._found

    def _done(self, _data: int, _id: int, _seq: int) -> None:
        self._through.set()

    def _error(self, _data: int, _id: int, _seq: int, _res: int, message: bytes | None) -> None:
        self._failure = (message or b"").decode(errors="replace")
        self._through.set()

    def _global(
        self,
        _data: int,
        number: int,
        _permissions: int,
        kind: bytes,
        _version: int,
        props: ctypes._Pointer[raw.SpaDict],
    ) -> None:
        if kind.decode() != raw.PW_TYPE_INTERFACE_Node or not props:
            return
        values = _dict(props.contents)
        if values.get("media.class") != "Video/Source":
            return
        name = values.get("node.name", "")
        self._found.append(
            VideoNode(
                number,
                values.get("object.serial", str(number)),
                name,
                values.get("node.description") or values.get("node.nick") or name,
                values.get("media.role", ""),
                *_origin(name, values.get("object.path", "")),
            )
        )


def _origin(name: str, path: str) -> tuple[str, str]:
    """By which way a node's picture comes, and the device's path: as WirePlumber names what it has found.

    "v4l2:/dev/video0", "libcamera:..."; what a program gives has neither.
    """
    for api in ("v4l2", "libcamera"):
        if path.startswith(f"{api}:") or name.startswith(f"{api}_input."):
            return api, path.removeprefix("v4l2:") if path.startswith("v4l2:") else ""
    return "", ""


def _dict(values: raw.SpaDict) -> dict[str, str]:
    found = {}
    for index in range(values.n_items):
        item = values.items[index]
        found[item.key.decode(errors="replace")] = (item.value or b"").decode(errors="replace")
    return found
