"""The empty room behind films and pictures in files, as `--room` tells it; see docs/room.md.

It is a picture, a folder of pictures with the names of the films, or the beginning of each film itself, in which nobody
is to be seen. What is told is judged as `vcam room learn` does: a room with somebody in it is worse than none. Nothing
of it is kept.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from vcam.camera.file import VideoFile
from vcam.errors import EngineError, InputError, UsageError, VcamError
from vcam.folders import expand
from vcam.frames import Frame, Map
from vcam.images import bgr_to_frame, pictures_in, read_rgba
from vcam.images.samples import over_grey
from vcam.matting import Matting
from vcam.segment.base import OwnMemory
from vcam.segment.emptyroom.choice import RoomChoice
from vcam.segment.emptyroom.keeping import KeptRoom
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.telling import LEAST, PERSON, SOMEBODY, RoomTelling
from vcam.settings import Settings
from vcam.types import U8, Size

LEARN = "learn"
"""The word for `--room` that means the beginning of each film."""

FRAMES = 60
"""So many frames of an empty beginning are enough; noise is averaged away."""
ENTERING = 10
"""So many frames before the network sees somebody are not taken: a hand or a shadow comes first."""
DARK = 28
"""Where hardly any luma is above, the film has not faded in yet."""
SMALLEST = 256
"""A picture must be so wide, if the film is: a network sees no less."""

_PICTURE = "give a picture of the empty room: --room FILE"
_STANDS = "if the camera stands still, give a picture of the empty room: --room FILE"


class PlateError(InputError):
    """A picture of a room that is of no use for any film."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the room behind one film or picture."""

    room: RoomPicture
    size: Size
    begins: int = 0
    """The number of the first frame after those that the room was learnt from."""
    notes: tuple[str, ...] = ()
    """What a person should know of it."""

    def kept(self) -> FilmRoom:
        """A memory that begins with it, and goes on learning."""
        return FilmRoom(self.size, self.room)


class FilmRoom(KeptRoom):
    """The room memory of one film or picture, of which nothing is kept."""

    def __init__(self, size: Size, room: RoomPicture) -> None:
        super().__init__(size, None, alone=False)
        self.told(room)
        self.frames = self.recognised = 0
        """Frames so far, and those of them in which the room was recognised."""

    def correct(self, seen: Map, frame: Frame) -> Map:
        """See `KeptRoom`."""
        corrected = super().correct(seen, frame)
        self.frames += 1
        self.recognised += corrected is not seen
        return corrected


@dataclass(frozen=True, slots=True)
class RoomSource:
    """What `--room` says. plates: of a folder, by the stems of their names."""

    text: str
    plate: Path | None = None
    plates: Mapping[str, list[Path]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> RoomSource:
        """Raises `UsageError` for what is not there, `InputError` for what cannot be read or is no picture.

        A file or folder that is called `learn` is given as `./learn`.
        """
        if text == LEARN:
            return cls(text)
        if not text:
            raise UsageError("--room is empty", f"say --room {LEARN}, or name a picture or folder")
        path = expand(text)
        if not os.path.isdir(path):
            if not os.path.exists(path):
                raise UsageError(f"there is no picture or folder {path}", f"check the path, or say --room {LEARN}")
            # what is damaged is told before any work
            read_rgba(path)
            return cls(text, path)
        try:
            pictures = pictures_in(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}", f"chmod u+rx {path}") from error
        if not pictures:
            raise InputError(f"there are no pictures in {path}", "lay NAME.png into it for each NAME.mp4")
        plates: dict[str, list[Path]] = {}
        for picture in pictures:
            plates.setdefault(picture.stem, []).append(picture)
        return cls(text, path, plates)

    @property
    def learns(self) -> bool:
        """Whether it is learnt from each film's own beginning."""
        return self.plate is None

    def files(self) -> list[Path]:
        """What is read for it."""
        return [] if self.plate is None else [self.plate]

    def of(
        self, source: Path, size: Size, matting: Matting, frames: Callable[[], Iterator[Frame]] | None = None
    ) -> Told:
        """What is told of the room behind a film or picture, whose frames are of `size`, odd sides not padded yet.

        matting: looks whether somebody is in it, and is reset. frames: gives the film from its start; None for a
        picture. Raises `VcamError` if nothing is told, or what is told is not to be used, or cannot be.
        """
        refuse_memory(matting)
        if self.learns:
            if frames is None:
                raise no_beginning(source)
            return learnt(frames(), matting, source)
        return told(self._plate_of(source), size, matting, source)

    def _plate_of(self, source: Path) -> Path:
        if not self.plates:
            assert self.plate is not None
            return self.plate
        found = self.plates.get(source.stem, [])
        if not found:
            raise InputError(
                f"there is no picture of the room behind {source.name} in {self.plate}",
                f"lay {source.stem}.png into it",
            )
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise InputError(f"which is the room behind {source.name}: {names} in {self.plate}?", "keep one of them")
        return found[0]


def no_beginning(source: Path) -> UsageError:
    """The room is to be learnt from what is a picture, or holds nothing but pictures."""
    return UsageError(f"{source}: pictures have no beginning to learn the room from", _PICTURE)


def check(settings: Settings) -> None:
    """Raise `UsageError` for settings that cannot be had together with `--room`."""
    if settings.segment.backend == "subtraction":
        raise UsageError(
            "background subtraction learns the room by itself: --room does nothing there",
            "leave --room away, or --backend auto",
        )
    if settings.segment.backend == "chroma":
        raise UsageError("a screen hides the room: --room does nothing there", "leave --room away, or --backend auto")
    if settings.framing.auto:
        raise UsageError(
            "--room and auto-framing do not go together: the picture must stand still",
            "framing.auto=false, or leave --room away",
        )


def remember(matting: Matting, told: Told) -> FilmRoom:
    """Let what is known of the room correct the maps of a matting from now on."""
    kept = told.kept()
    matting.exchange_room(RoomChoice(kept))
    return kept


def unrecognised(name: str, recognised: int, frames: int) -> str:
    """A word on a film in most of whose frames the room was not recognised; "" for others."""
    if 2 * recognised >= frames:
        return ""
    return (
        f"the room was recognised in {recognised} of {frames} frames of {name}, and helps in no other: "
        "it must be the room behind, before a camera that stands still"
    )


def film(path: Path) -> Iterator[Frame]:
    """The frames of a film as `vcam apply` reads them; each belongs to the reader until the next one."""
    camera = VideoFile(path)
    camera.open()
    try:
        while (frame := camera.read()) is not None:
            yield frame
    finally:
        camera.close()


def told(plate: Path, size: Size, matting: Matting, source: Path) -> Told:
    """The room as a picture shows it; what is transparent is not known.

    Raises `VcamError` for a picture that cannot be read, is none of this view, or does not show an empty room.
    """
    painted = read_rgba(plate)
    alpha = np.ascontiguousarray(painted[..., 3])
    picture = over_grey(np.ascontiguousarray(painted[..., 2::-1]), alpha)
    (wide, tall), (width, height) = picture.shape[1::-1], size
    if abs(wide * height - tall * width) > max(wide, tall, width, height):
        raise InputError(
            f"{plate} is {wide}x{tall}, which is not the shape of {source.name}, {width}x{height}",
            "give a picture of the empty room from the same camera, cut as this is",
        )
    if wide < min(width, SMALLEST):
        raise InputError(f"{plate} is {wide}x{tall}, too small to tell the room by", f"give one of {width}x{height}")
    notes: tuple[str, ...] = ()
    if (wide, tall) != size:
        notes = (f"{plate} is {wide}x{tall} and was scaled to the {width}x{height} of {source.name}",)
        way = cv2.INTER_AREA if wide > width else cv2.INTER_LINEAR
        picture = cv2.resize(picture, size, interpolation=way).astype(np.uint8, copy=False)
        alpha = cv2.resize(alpha, size, interpolation=way).astype(np.uint8, copy=False)
    frame = bgr_to_frame(picture)
    matting.reset()
    telling = RoomTelling(frame.size, full_range=frame.full_range)
    try:
        seen = matting.look(frame)
        for _ in range(LEAST):
            telling.add(seen, frame)
        room = telling.finish().room
    except EngineError:
        raise
    except VcamError as error:
        raise PlateError(
            f"{plate} does not show an empty room: {error.message}", "give a picture with nobody in it, in good light"
        ) from error
    finally:
        matting.reset()
    covered = cv2.resize(alpha, room.known.shape[::-1], interpolation=cv2.INTER_AREA)
    room.known[...] = np.where(covered > 250, room.known, 0)
    return Told(room, frame.size, notes=notes)


def refuse_memory(matting: Matting) -> None:
    """Raise `UsageError` for a network that remembers earlier frames by itself."""
    if isinstance(matting.segmenter, OwnMemory) and (why := matting.segmenter.own_memory):
        raise UsageError(f"--room does nothing here: {why}", "leave --room away, or take another --model")


def learnt(frames: Iterable[Frame], matting: Matting, source: Path) -> Told:
    """The room as a film shows it in its beginning, before the network sees somebody.

    Raises `InputError` if it does not begin without anybody, or not at rest.
    """
    matting.reset()
    telling: RoomTelling | None = None
    waiting: deque[tuple[Map, Frame]] = deque()
    number, begins, size, entered = 0, 0, (0, 0), False
    try:
        for number, frame in enumerate(frames):
            if not telling and is_dark(frame.y):
                continue
            seen = matting.look(frame)
            if entered := people(seen, frame) > SOMEBODY:
                break
            telling, size = telling or RoomTelling(frame.size, full_range=frame.full_range), frame.size
            waiting.append(_copied(seen, frame))
            if len(waiting) > ENTERING:
                telling.add(*waiting.popleft())
                begins = number - ENTERING + 1
            if telling.used == FRAMES:
                break
        if not entered:
            # nobody comes, or not soon
            while telling and waiting and telling.used < FRAMES:
                telling.add(*waiting.popleft())
                begins = number - len(waiting) + 1
        if telling and telling.used >= LEAST:
            return Told(telling.finish().room, size, begins)
    except VcamError as error:
        if isinstance(error, UsageError):
            raise
        raise InputError(
            f"the room cannot be learnt from the beginning of {source}: {error.message}", _STANDS
        ) from error
    finally:
        matting.reset()
    if telling is None and entered:
        when = "from its beginning" if not number else "as soon as anything is"
        raise InputError(f"somebody is in view of {source} {when}: its room cannot be learnt", _PICTURE)
    if telling is None:
        raise InputError(f"nothing can be seen in {source}: its room cannot be learnt", _PICTURE)
    before = f" before somebody is to be seen in frame {number}" if entered else ""
    raise InputError(
        f"the empty room of {source} cannot be learnt from {telling.looked + len(waiting)} frames{before}: "
        f"{LEAST} are needed, and {ENTERING} more before somebody comes", _PICTURE,
    )  # fmt: skip


def people(seen: Map, frame: Frame) -> float:
    """The share of a frame in which the network sees people."""
    wide, tall = seen.box.size
    part = float(np.count_nonzero(seen.probability > PERSON)) / seen.probability.size
    return part * wide * tall / (frame.width * frame.height)


def is_dark(luma: U8) -> bool:
    """Whether nothing can be seen; a few bright specks do not count."""
    some = luma[::4, ::4]
    return int(np.count_nonzero(some > DARK)) <= 0.01 * some.size


def _copied(seen: Map, frame: Frame) -> tuple[Map, Frame]:
    """Both as they are now, without what the map knows besides."""
    copy = Frame.allocate(*frame.size)
    copy.copy_from(frame)
    return replace(seen, probability=seen.probability.copy(), pyramid=(), edge=None), copy
