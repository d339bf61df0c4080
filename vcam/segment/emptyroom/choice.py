"""Which room memory the settings ask for. Where they ask for none, its code is not even loaded."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vcam.errors import VcamError
from vcam.settings import Settings
from vcam.types import Size

if TYPE_CHECKING:
    from vcam.segment.emptyroom.keeping import KeptRoom

ROOM_KEYS = frozenset(
    ("camera.source", "camera.mirror", "camera.rotate", "camera.flip", "camera.crop", "camera.zoom", "framing.auto")
)
"""The settings that say which room is seen, and whether it stands still."""
KEYS = ROOM_KEYS | {"output.size", "segment.room", "segment.private", "segment.backend"}
"""The settings that `choose_room` looks at."""
OWN_KEYS = frozenset(("segment.room", "segment.private"))
"""Those of them that are of no interest to the network."""


@dataclass(frozen=True, slots=True)
class RoomChoice:
    """The memory of the room, or why there is none."""

    kept: KeptRoom | None
    why: str = ""
    where: tuple[str, str, Size] | None = None
    """The arguments of `RoomPlace.of` for the file that would be used, which is there perhaps; None for no camera."""

    def close(self) -> None:
        """Keep what was learnt."""
        if self.kept:
            self.kept.close()

    def forget(self) -> Future[bool]:
        """See `KeptRoom.forget`; a file that is not used now is removed, too."""
        if self.kept:
            return self.kept.forget()
        done: Future[bool] = Future()
        try:
            done.set_result(self._remove())
        except VcamError as error:
            done.set_exception(error)
        return done

    def _remove(self) -> bool:
        from vcam.segment.emptyroom.roomfile import RoomPlace

        return self.where is not None and RoomPlace.of(*self.where).remove()


OFF = RoomChoice(None, "segment.room is off")


def room_name(settings: Settings, source: str) -> str:
    """What tells the room as these settings show it from all others: the camera, and how its picture is cut."""
    camera = settings.camera
    turned = f"turned by {camera.rotate}" if camera.rotate != "0" else ""
    looks = turned, "flipped" if camera.flip else "", "mirrored" if camera.mirror else ""
    parts = (source, *looks, camera.crop, camera.zoom)
    return " ".join(part for part in parts if part)


def nothing_known(why: str) -> dict[str, Any]:
    """The status of a room of which nothing is known, as `KeptRoom.status` has it."""
    return {"kept": "", "when": None, "known": 0.0, "agreement": None, "rests": why, "file": ""}


def choose_room(settings: Settings, size: Size, source: str) -> RoomChoice:
    """The memory for frames of `size` of a live camera; source: what tells it from others, empty for all else."""
    wanted = settings.segment.room
    where = (source, room_name(settings, source), size) if source else None
    if wanted == "off":
        return RoomChoice(None, OFF.why, where)
    if where is None:
        return RoomChoice(None, "the picture does not come from a camera")
    if settings.segment.backend == "subtraction":
        return RoomChoice(None, "background subtraction knows the room by itself", where)
    if settings.segment.backend == "chroma":
        return RoomChoice(None, "a screen hides the room", where)
    if settings.framing.auto:
        return RoomChoice(None, "auto-framing moves the picture", where)
    from vcam.segment.emptyroom.keeping import KeptRoom
    from vcam.segment.emptyroom.roomfile import RoomPlace

    kept = KeptRoom(size, RoomPlace.of(*where), alone=wanted == "auto", private=settings.segment.private)
    return RoomChoice(kept, "", where)
