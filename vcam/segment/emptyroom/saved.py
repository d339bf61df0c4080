"""The empty room on disk, from one start to the next, and what tells one room from another.

What is kept is small and blurred, and only its owner may read it.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import cv2
import numpy as np

from vcam import folders
from vcam.errors import UsageError, VcamError
from vcam.files import write_whole
from vcam.settings import Settings
from vcam.types import U8, Size

_log = logging.getLogger(__name__)


def room_name(settings: Settings, source: str) -> str:
    """What tells the room as these settings show it from all others: the camera, and how its picture is cut.

    Raises `UsageError` if the picture moves by itself: all of the room would differ, and be shown as a person.
    """
    if settings.framing.auto:
        raise UsageError(
            "background subtraction and auto-framing do not go together: the room must stand still",
            "framing.auto=false, or segment.backend=auto",
        )
    camera = settings.camera
    turned = f"turned by {camera.rotate}" if camera.rotate != "0" else ""
    looks = turned, "flipped" if camera.flip else "", "mirrored" if camera.mirror else ""
    parts = (source, *looks, camera.crop, camera.zoom)
    return " ".join(part for part in parts if part)


ROOM_KEYS = frozenset(
    ("camera.source", "camera.mirror", "camera.rotate", "camera.flip", "camera.crop", "camera.zoom", "framing.auto")
)
"""The settings that `room_name` looks at."""


class RoomFile:
    """Where the room of one camera is kept from one start to the next."""

    def __init__(self, source: str, size: Size, folder: Path | None = None) -> None:
        """source: what tells this camera from others; `size` is that of the small picture."""
        name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._folder = folder or _state_folder()
        self._path = self._folder / f"{name}-{size[0]}x{size[1]}.png"
        self._size = size

    def load(self) -> U8 | None:
        """The room, uint8 (height, width, 3) BGR, or None if there is none that can be read."""
        try:
            data = self._path.read_bytes()
        except OSError:
            return None
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if picture is None or picture.shape[1::-1] != self._size:
            _log.warning("%s is damaged: the empty room is learnt anew", self._path)
            return None
        return picture.astype(np.uint8, copy=False)

    def save(self, room: U8) -> None:
        """Keep the room. That it cannot be written is told and does no harm: it is learnt anew next time."""
        data = cv2.imencode(".png", room)[1].tobytes()
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._path, lambda working: working.write_bytes(data), mode=0o600)
        except OSError as error:
            folders.cannot_keep("the empty room", self._folder, error.strerror or str(error))
        except VcamError as error:
            folders.cannot_keep("the empty room", self._folder, str(error))


def _state_folder() -> Path:
    return folders.own("state") / "rooms"
