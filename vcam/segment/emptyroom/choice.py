"""Which room memory the settings ask for. Where they ask for none, its code is not even loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vcam.segment.emptyroom.saved import ROOM_KEYS, room_name
from vcam.settings import Settings
from vcam.types import Size

if TYPE_CHECKING:
    from vcam.segment.emptyroom.keeping import KeptRoom

KEYS = ROOM_KEYS | {"output.size", "segment.room", "segment.private", "segment.backend"}
"""The settings that `choose_room` looks at."""
OWN_KEYS = frozenset(("segment.room", "segment.private"))
"""Those of them that are of no interest to the network."""


@dataclass(frozen=True, slots=True)
class RoomChoice:
    """The memory of the room, or why there is none."""

    kept: KeptRoom | None
    why: str = ""

    def close(self) -> None:
        """Keep what was learnt."""
        if self.kept:
            self.kept.close()


OFF = RoomChoice(None, "segment.room is off")


def nothing_known(why: str) -> dict[str, Any]:
    """The status of a room of which nothing is known, as `KeptRoom.status` has it."""
    return {"kept": "", "when": None, "known": 0.0, "agreement": None, "rests": why, "file": ""}


def choose_room(settings: Settings, size: Size, source: str) -> RoomChoice:
    """The memory for frames of `size` of a live camera; source: what tells it from others, empty for all else."""
    wanted = settings.segment.room
    if wanted == "off":
        return OFF
    if not source:
        return RoomChoice(None, "the picture does not come from a camera")
    if settings.segment.backend == "subtraction":
        return RoomChoice(None, "background subtraction knows the room by itself")
    if settings.framing.auto:
        return RoomChoice(None, "auto-framing moves the picture")
    from vcam.segment.emptyroom.keeping import KeptRoom
    from vcam.segment.emptyroom.roomfile import RoomPlace

    place = RoomPlace.of(source, room_name(settings, source), size)
    return RoomChoice(KeptRoom(size, place, alone=wanted == "auto", private=settings.segment.private))
