"""From a frame to its matte: a network that finds the person, and the stage that makes an edge of what it saw.

The two belong together, since the stage remembers what this network saw before. Whoever needs mattes opens them here:
the loop, pictures and films from files, the library, and what measures them.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from vcam.compose.matteview import matte_picture
from vcam.errors import EngineError, UsageError
from vcam.frames import Alpha, Frame, Map
from vcam.matte.base import Matte
from vcam.matte.factory import make_matte
from vcam.segment.base import Examined, OwnMemory, Segmenter, TellsPeople
from vcam.segment.doubt import Doubt
from vcam.segment.emptyroom.choice import OFF, RoomChoice, nothing_known, room_name
from vcam.segment.segmenter import open_segmenter
from vcam.settings import Settings
from vcam.timings import Timings
from vcam.types import U8, Size

if TYPE_CHECKING:
    from vcam.segment.emptyroom.picture import RoomPicture

MOVES = "auto-framing moves the picture"
NOBODY = "nobody is looked for with this background"


class Matting:
    """A network and its matte stage; a context manager. Not thread safe.

    Takes over segmenter and room: `close` closes them. The segmenter may be missing for as long as nobody is to be
    found.
    """

    def __init__(
        self, segmenter: Segmenter | None, matte: Matte, *, patient: bool = False, room: RoomChoice = OFF
    ) -> None:
        """patient: frames follow each other in time, and one that is doubted may be left out (`vcam.segment.doubt`);
        else it is looked at a second time at once. room: what is known of the room that the frames show."""
        self._room = room
        self.segmenter, self.matte = segmenter, matte
        self.cut = False
        """Whether the next frame is a part of the picture that moves, as auto-framing cuts it: no room is known."""
        self._origin: int | None = None
        """Of the map that the last matte was made from."""
        self._doubt, self._patient = Doubt(), patient
        self._timings = Timings()

    @property
    def segmenter(self) -> Segmenter | None:
        """What finds the person."""
        return self._segmenter

    @segmenter.setter
    def segmenter(self, segmenter: Segmenter | None) -> None:
        # asked once, not for every frame: to compare an object with a protocol takes several microseconds
        self._segmenter = segmenter
        self._tells = segmenter if isinstance(segmenter, TellsPeople) else None
        self._examined = segmenter if isinstance(segmenter, Examined) else None
        self._own_memory = segmenter.own_memory if isinstance(segmenter, OwnMemory) else ""
        self._choose()

    def _choose(self) -> None:
        self._memory = None if self._own_memory else self._room.kept

    @property
    def room(self) -> RoomChoice:
        """What is known of the room."""
        return self._room

    @property
    def room_status(self) -> dict[str, Any]:
        """What is known of the room, and why that is not used, as `KeptRoom.status` has it. For any thread."""
        room = self._room
        if room.kept is None:
            return nothing_known(room.why)
        rests = self._own_memory or (MOVES if self.cut else "" if self._segmenter else NOBODY)
        return room.kept.status() | ({"rests": rests} if rests else {})

    def told(self, room: RoomPicture) -> None:
        """This is the room, empty: go on with it, and keep it. Between two frames; see `KeptRoom.told`.

        Raises `UsageError` if no room is to be known, or this is not the room of these frames.
        """
        if self._room.kept is None:
            raise UsageError(f"no room can be learnt: {self._room.why}", "vcam set segment.room=told")
        self._room.kept.told(room)

    def forget_room(self) -> Future[bool]:
        """Know nothing of the room any more, between two frames; see `RoomChoice.forget`."""
        return self._room.forget()

    @property
    def description(self) -> str:
        """Model, runtime and device, for people; empty without a network."""
        return self.segmenter.description if self.segmenter else ""

    @property
    def notice(self) -> str:
        """What the segmenter wants of whoever is in the picture; empty if nothing."""
        return self._tells.notice if self._tells else ""

    def look(self, frame: Frame) -> Map:
        """What the network sees in a frame; belongs to the segmenter until the next call.

        Raises `EngineError` if there is no network, no engine can do it, or what it says is not believed.
        """
        segmenter = self.segmenter
        if segmenter is None:
            raise EngineError("there is no network to find the person with")
        known = self._examined
        examine = None if known is None else lambda everything: known.examine(all_pictures=everything)
        again = None if self._patient else lambda: segmenter.segment(frame)
        return self._doubt.judge(segmenter.segment(frame), frame, examine, again)

    def idle(self) -> None:
        """There is time until the next frame: the network may be asked what is known. Raises nothing."""
        if self._examined:
            self._examined.idle()

    def alpha(self, frame: Frame, timings: Timings | None = None) -> Alpha:
        """The matte of a frame; belongs to the matte stage until the next call. What it costs goes to `timings`.

        Raises as `look` does, and `ValueError` for a map that does not fit.
        """
        timings = timings or self._timings
        with timings.stage("segment"):
            seen = self.look(frame)
        skipped = seen.origin != seen.seq
        timings.skipped += skipped
        with timings.stage("matte"):
            memory = self._memory
            if memory is None or self.cut:
                return self.matte.update(seen, frame)
            before, self._origin = self._origin, None
            # where the matte uses what it made last, there is nothing to be corrected
            if not (skipped and seen.origin == before):
                seen = memory.correct(seen, frame)
            alpha = self.matte.update(seen, frame)
            self._origin = seen.origin
            return alpha

    def picture(self, frame: Frame) -> U8:
        """The matte of a frame, a fresh array: uint8 (height, width), 0 background to 255 person. Raises as `alpha`."""
        return matte_picture(self.alpha(frame))

    def exchange(self, segmenter: Segmenter | None, matte: Matte | None) -> Segmenter | None:
        """Go on with others, where they are given. Returns the segmenter that was replaced, the caller's to close."""
        self.matte = matte or self.matte
        self._origin = None
        if segmenter is None:
            return None
        replaced, self.segmenter = self.segmenter, segmenter
        self._doubt.reset()
        return replaced

    def exchange_room(self, room: RoomChoice) -> RoomChoice:
        """Go on with another room. Returns the one that was replaced, the caller's to close.

        If it is the same one, under other settings, what is known of it stays.
        """
        replaced, self._room = self._room, room
        if room.kept and replaced.kept and room.where == replaced.where:
            room.kept.inherit(replaced.kept)
        self._choose()
        self._origin = None
        return replaced

    def reset(self) -> None:
        """What comes next has nothing to do with what went before."""
        self.matte.reset()
        self._origin = None
        if self._room.kept:
            self._room.kept.reset()
        self._doubt.reset()
        if self.segmenter:
            self.segmenter.reset()

    def close(self) -> None:
        """Free the network, and keep what was learnt of the room. May be called twice."""
        if self.segmenter:
            self.segmenter.close()
        self._room.close()

    def __enter__(self) -> Matting:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_matting(settings: Settings, size: Size, *, source: str = "", still: bool = False) -> Matting:
    """Network and matte stage as the settings ask for them, for frames of `size`.

    source: what tells the camera from others, for a segmenter that learns the room it sees; empty without one.
    still: every frame is a picture of its own. Raises `UsageError`, `ModelError` or `EngineError`.
    """
    return Matting(open_network(settings, size, source, still=still), make_matte(settings.matte, still=still))


def open_network(settings: Settings, size: Size, source: str = "", *, still: bool = False) -> Segmenter:
    """The segmenter alone; arguments and errors as for `open_matting`."""
    return open_segmenter(settings.segment, size, room_of(settings, source), still=still)


def room_of(settings: Settings, source: str) -> str:
    """What tells the room that a camera sees from others, for a segmenter that learns it; empty for all others.

    Raises `UsageError` if the picture moves by itself.
    """
    if settings.segment.backend != "subtraction" or not source:
        return ""
    if settings.framing.auto:
        # all of the room would differ, and be shown as a person
        raise UsageError(
            "background subtraction and auto-framing do not go together: the room must stand still",
            "framing.auto=false, or segment.backend=auto",
        )
    return room_name(settings, source)
