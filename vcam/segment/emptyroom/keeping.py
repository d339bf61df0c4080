"""The room memory of one camera and cut, kept in a file from one start to the next.

Nothing here may cost a picture: what cannot be read or written is told once, and the memory goes on without; should it
fail itself, frames get the network's own maps. Files are written by threads of their own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vcam import folders
from vcam.colour import to_limited
from vcam.errors import UsageError, VcamError
from vcam.frames import Frame, Map
from vcam.segment.emptyroom.memory import STRANGER, RoomMemory
from vcam.segment.emptyroom.picture import RoomPicture, fault_of, picture_size
from vcam.segment.emptyroom.roomfile import How, RoomPlace, known_share, read_room
from vcam.types import U8, Size

_log = logging.getLogger(__name__)

_said: set[str] = set()
"""What was told of files."""

_LOCK = threading.Lock()
"""Held while a file is written or removed: the one who writes may have been replaced by another."""
_forgotten: Counter[Path] = Counter()
"""How often each file was to be removed."""

SAVED_EVERY = 60.0
"""Seconds from one time that what was learnt is written to the next."""
CLOSING = 0.4
"""Seconds that the end waits for the disk."""
ANOTHER = 60
"""Frames in a row, two seconds, in which the camera sees another room until that one is not kept as the told one."""

NOT_TOLD = "no room is known: vcam room learn"
NO_FRAME = "no frame has come"
OTHER_ROOM = "the camera sees another room, or was moved: vcam room learn"
LITTLE = "too little of what is known can be seen"
UNLIKE = "nothing in the network's maps can be compared"


class KeptRoom:
    """A `RoomMemory` with its file. For the loop's thread, but for `status`, which is for any."""

    def __init__(
        self,
        size: Size,
        place: RoomPlace | None,
        *,
        alone: bool,
        private: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Loads what is kept.

        size: (width, height) of the frames. place: None if nothing is to be read or written. alone: it is learnt
        without being told as well. private: what is kept is used, and nothing is written.
        """
        self._size, self._place, self._alone, self._private, self._clock = size, place, alone, private, clock
        self._how: How = "learnt"
        self._when = 0.0
        self._known: RoomPicture | None = None
        """What the memory is to begin with."""
        self._memory: RoomMemory | None = None
        self._full_range = False
        self._failed = ""
        self._strange = 0
        self._came = self._used = self._unread = False
        self._told: RoomPicture | None = None
        """What somebody said is empty, as it was then, or as it was kept."""
        self._aside: tuple[How, float, bool] | None = None
        """Of what was told `_how`, `_when` and `_in_file`, while another room is learnt in its place."""
        self._in_file = False
        """Whether what is known was read from the file, or written into it."""
        self._saving: threading.Thread | None = None
        self._saved: RoomPicture | None = None
        """What is in the file."""
        self._looked = clock()
        if place is not None:
            self._load(place)

    def correct(self, seen: Map, frame: Frame) -> Map:
        """See `RoomMemory.correct`. Raises nothing: the map is left as it is then.

        So is one that is none of this frame, or holds what are no probabilities: the matte shall see that it does.
        """
        if self._memory is None and self._known is None and not self._alone:
            return seen
        if self._failed or fault_of(seen, frame):
            return seen
        try:
            memory = self._memory
            if memory is None or frame.full_range != self._full_range:
                memory = self._begin(frame)
                if memory is None:
                    return seen
            corrected = memory.correct(seen, frame)
            self._watch(memory)
            return corrected
        except Exception as error:
            # the network's map is this frame's own, whatever has become of the memory
            self._failed = f"unexpected {type(error).__name__}: {error}"
            _log.warning("what is known of the room is not used: %s", self._failed, exc_info=True)
            return seen

    def told(self, room: RoomPicture) -> None:
        """Go on with a room that somebody said is empty, and keep it.

        room: of `picture_size` of the frames, and of their range; it is kept, and not to be changed. Raises
        `UsageError` for one of another size.
        """
        if room.frame.size != picture_size(self._size):
            raise UsageError("the picture has another size by now", "vcam room learn")
        self._how, self._when, self._known, self._told = "told", time.time(), room, room
        self._in_file, self._aside = False, None
        self._memory, self._failed, self._strange = None, "", 0
        self._start(room.frame.full_range)
        # at once, or as soon as what is being written is
        self._looked -= SAVED_EVERY
        self._save()
        # whoever has asked for it is told whether it is kept
        self._wait()

    def inherit(self, other: KeptRoom) -> None:
        """Go on with what another one knows of the same room, which may be newer than the file, or be in none."""
        if other._aside is not None and not self._alone:
            other._try_told()
        room = other._known if other._memory is None else other._memory.room
        if room is None or (other._how == "learnt" and not self._alone):
            return
        self._how, self._when, self._told, self._aside = other._how, other._when, other._told, other._aside
        self._known, self._saved, self._in_file = room, other._saved, other._in_file
        self._start(room.frame.full_range)

    def keep_private(self) -> None:
        """Write nothing any more."""
        self._private = True

    def forget(self) -> Future[bool]:
        """Know nothing any more; in the end whether there was a file, or the `VcamError` why it cannot be removed."""
        self._memory, self._known, self._failed, self._strange = None, None, "", 0
        self._how, self._saved, self._told, self._unread, self._in_file = "learnt", None, None, False, False
        self._aside = None
        if self._place:
            _forgotten[self._place.path] += 1
        done: Future[bool] = Future()
        threading.Thread(target=self._remove, args=(done,), name="vcam-room", daemon=True).start()
        return done

    def reset(self) -> None:
        """What comes next has nothing to do with what was before: what was told is tried once more."""
        self._failed = ""
        if self._aside is not None:
            self._try_told()
        elif self._how != "learnt" and self._strange >= ANOTHER:
            self._memory, self._known, self._strange = None, self._told or self._known, 0
        elif self._memory is not None:
            self._memory.reset()

    def close(self) -> None:
        """Keep what has been learnt since it was saved last. May be called twice."""
        self._wait()
        if self._is_new:
            self._save()
            self._wait()

    def status(self) -> dict[str, Any]:
        """What is known and why it rests, in builtin types. For any thread.

        kept: "told", "watched", "learnt" or ""; when: seconds since 1970, None if nothing is known; known: share of the
        room; agreement: of the textures, -1 to 1, None if nothing was compared; rests: why, "" if it does not; file:
        where it is kept, "" if it is not.
        """
        memory = self._memory
        room = self._known if memory is None else memory.room
        share = 0.0 if room is None else known_share(room)
        agreement = None if memory is None else memory.agreement
        return {
            "kept": self._how if share else "",
            "when": round(self._when, 1) if share else None,
            "known": round(share, 3),
            "agreement": None if agreement is None else round(agreement, 3),
            "rests": self._rests(memory),
            "file": str(self._place.path) if self._place and self._in_file else "",
        }

    def _rests(self, memory: RoomMemory | None) -> str:
        if self._failed:
            return self._failed
        if memory is None:
            return NO_FRAME if self._known or self._alone else NOT_TOLD
        if self._used:
            return ""
        if memory.agreement is None:
            return UNLIKE if self._came else NO_FRAME
        return OTHER_ROOM if memory.agreement < STRANGER else LITTLE

    def _load(self, place: RoomPlace) -> None:
        try:
            kept = read_room(place.path)
        except FileNotFoundError:
            return
        except Exception as error:
            # it is not written over unasked: another version of vcam may read it
            self._unread = True
            if (words := f"the room is not known: {error}") not in _said:
                _said.add(words)
                _log.warning("%s", words)
            return
        about, room = kept.about, kept.room
        if about.how == "learnt" and not self._alone:
            return
        self._how, self._when = about.how, about.when
        self._known = self._saved = _of_size(room, picture_size(self._size))
        self._told, self._in_file = self._known if about.how != "learnt" else None, True
        self._start(about.full_range)

    def _begin(self, frame: Frame) -> RoomMemory | None:
        """The memory for frames of this range, where there is to be one."""
        room = self._known if self._memory is None else self._memory.room
        if room is None and not self._alone:
            return None
        if room is None:
            self._how, self._when = "learnt", time.time()
        elif room.frame.full_range != frame.full_range:
            room = of_range(room, full_range=frame.full_range)
        self._known = room
        return self._start(frame.full_range)

    def _start(self, full_range: bool) -> RoomMemory:
        self._full_range, self._came, self._used = full_range, False, False
        told = self._how == "told"
        self._memory = RoomMemory(self._size, full_range=full_range, room=self._known, vouched=told)
        if self._known is None:
            # that nothing is known is nothing to keep
            self._saved = self._memory.room
        return self._memory

    def _watch(self, memory: RoomMemory) -> None:
        """After each frame: is there something to be kept?"""
        agreement = memory.agreement
        # for who asks in the middle of the next frame
        self._came, self._used = True, memory.finding is not None
        if agreement is not None and self._strange < ANOTHER:
            self._strange = self._strange + 1 if agreement < STRANGER else 0
            if self._strange == ANOTHER and self._alone and self._how != "learnt":
                # a told room stays what it was told as; here another one is learnt, until the told one is back
                self._aside = self._how, self._when, self._in_file
                self._how, self._memory, self._known, self._in_file, self._strange = "learnt", None, None, False, 0
                return
            if self._strange == ANOTHER and self._aside is not None:
                self._try_told()
                return
        if self._clock() - self._looked >= SAVED_EVERY and self._is_new:
            self._save()

    def _try_told(self) -> None:
        """Go back to what was told: what was learnt in its place is not in view any more, or may not be."""
        assert self._aside is not None
        self._how, self._when, self._in_file = self._aside
        self._aside, self._memory, self._known, self._strange = None, None, self._told, 0

    @property
    def _is_new(self) -> bool:
        """Whether there is something to write. What came in the place of a told room is not what was told."""
        memory = self._memory
        if memory is None or self._place is None or self._private or memory.room is self._saved:
            return False
        if self._how != "learnt":
            return self._strange < ANOTHER
        return not self._unread and self._aside is None

    def _save(self) -> None:
        """Write the room in a thread, unless the last one is still at it."""
        memory, place = self._memory, self._place
        if memory is None or place is None or self._private or (self._saving and self._saving.is_alive()):
            return
        room, how, when, known = memory.room, self._how, self._when, self._in_file
        forgotten = _forgotten[place.path]

        def write() -> None:
            with _LOCK:
                if forgotten != _forgotten[place.path] or self._private or (known and not place.path.exists()):
                    # somebody has removed it, and did not mean it to come back
                    return
                try:
                    place.write(room, how, when)
                except Exception as error:
                    why = error.message if isinstance(error, VcamError) else str(error) or repr(error)
                    folders.cannot_keep("what is known of the room", place.path.parent, why)
                else:
                    if forgotten == _forgotten[place.path]:
                        self._saved, self._in_file = room, True

        self._looked = self._clock()
        self._saving = threading.Thread(target=write, name="vcam-room", daemon=True)
        # no thread can be had where memory is short
        with suppress(RuntimeError):
            self._saving.start()

    def _wait(self) -> None:
        with suppress(RuntimeError):
            if self._saving:
                self._saving.join(CLOSING)

    def _remove(self, done: Future[bool]) -> None:
        with _LOCK:
            try:
                done.set_result(self._place is not None and self._place.remove())
            except VcamError as error:
                done.set_exception(error)


def _of_size(room: RoomPicture, size: Size) -> RoomPicture:
    """The room at the size that frames of another size, of the same shape, are reduced to."""
    if room.frame.size == size:
        return room
    frame = Frame.allocate(*size)
    for plane, target in zip(room.frame.planes, frame.planes, strict=True):
        way = cv2.INTER_AREA if target.shape[0] < plane.shape[0] else cv2.INTER_LINEAR
        cv2.resize(plane, target.shape[::-1], dst=target, interpolation=way)
    frame.full_range = room.frame.full_range
    known = cv2.resize(room.known, frame.u.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return RoomPicture(frame, np.where(known == 255, np.uint8(255), np.uint8(0)))


def of_range(room: RoomPicture, *, full_range: bool) -> RoomPicture:
    """The room in the other range: a camera may send JPEG at one time and raw pictures at another."""
    planes: list[U8] = []
    for chroma, plane in enumerate(room.frame.planes):
        scale, offset = to_limited(True, chroma > 0)
        levels = np.arange(256)
        table = (levels - offset) / scale if full_range else levels * scale + offset
        planes.append(cv2.LUT(plane, np.clip(np.rint(table), 0, 255).astype(np.uint8)).astype(np.uint8, copy=False))
    return RoomPicture(Frame(planes[0], planes[1], planes[2], full_range=full_range), room.known)
