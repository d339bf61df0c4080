"""Where the person is in the frames of a film: what a teacher says, mended by the empty room and by the user's strokes.

Teachers err the same way in every frame: a chair is a person from the first to the last. The room says what was there
before anybody came. Where it overrules the teacher, nothing of what the network itself thought is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from vcam.errors import InputError
from vcam.filmroom import Told
from vcam.frames import Frame, Map
from vcam.learn.footage import Footage
from vcam.learn.strokes import Strokes, grown, same_there
from vcam.matte.factory import make_matte
from vcam.matting import Matting, open_network
from vcam.segment.base import OwnMemory
from vcam.segment.emptyroom.memory import RoomMemory
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.settings import Settings
from vcam.types import F32, U8, Size

Mask = npt.NDArray[np.bool_]

TEACHER_SHARE = 0.7
"""Of the teacher in a label; the rest is the network that is to learn, so that it forgets less."""
APART = 64
"""Levels of 255 by which two mattes say something else."""
TOLD = 0.5
"""Share of the frames in which the room must be recognised."""
STANDS = 0.9
"""Share of the frames in which a pixel must look as the empty room does, to be furniture."""
NOISE = (7.0, 4.0)
"""Levels of luma and chroma by which it may differ in one frame."""
EVEN = (2.5, 1.5)
"""And in the mean of all of them: a shirt of the wall's colour is not that much alike."""
PERSON = 128


@dataclass(slots=True)
class Label:
    """Of one frame. matte: uint8 (height, width), what is to be learnt. told: what the networks said. sure: bool
    (height, width), where room or strokes have overruled it. own: what the network that is to learn said by itself."""

    matte: U8
    told: U8
    sure: Mask
    own: U8 | None = None


@dataclass(slots=True)
class Labelled:
    """A film with its labels, in the order of `Footage.frames`. recognised: the share of the frames, 0..1, in which the
    room was; None without one."""

    film: Footage
    labels: list[Label] = field(default_factory=list)
    recognised: float | None = None

    @property
    def learnt(self) -> list[Label]:
        """Those of the frames to learn from."""
        return self.labels[: len(self.film.learnt)]

    @property
    def held(self) -> list[Label]:
        """Those of the frames to measure by."""
        return self.labels[len(self.film.learnt) :]


def plain(settings: Settings, model: str) -> Settings:
    """The settings for a look at whole frames, one by one, by one network."""
    return settings.replace(
        segment__model=model, segment__backend="auto", segment__region=False, segment__skip_still=False,
        segment__people="all",
    )  # fmt: skip


class Labeller:
    """Labels films by one teacher and the network that is to learn, in one room; a context manager.

    Both are asked twice, the second time mirrored, and their maps are mixed as they are. That is better than the
    teacher alone, and flickers far less: their mistakes differ.
    """

    def __init__(self, settings: Settings, teacher: str, student: str, size: Size) -> None:
        """size: of the frames. Raises as `vcam.matting.open_network` does."""
        self._looks: list[tuple[float, Matting]] = []
        try:
            for share, model in ((TEACHER_SHARE, teacher), (1 - TEACHER_SHARE, student)):
                network = open_network(plain(settings, model), size)
                self._looks.append((share, Matting(network, make_matte(settings.matte, still=True))))
        except BaseException:
            self.close()
            raise

    def label(self, film: Footage, room: Told | None, tell: Callable[[], None] = lambda: None) -> Labelled:
        """The labels of all frames. `tell` is called for each.

        Raises `InputError` for a room that is another one, `EngineError` if a network fails.
        """
        found, recognised = Labelled(film), 0
        for _, matting in self._looks:
            matting.reset()
        memory = None if room is None else _memory(room, film)
        for frame in film.frames:
            seen, own = self._seen(frame)
            told, matte = _matte(seen.probability, frame), None
            if memory is not None:
                corrected = memory.correct(seen, frame)
                recognised += corrected is not seen
                matte = _matte(corrected.probability, frame)
            matte = told.copy() if matte is None else matte
            found.labels.append(Label(matte, told, differs(matte, told), own))
            tell()
        if room is not None:
            found.recognised = recognised / len(film.frames)
            if found.recognised < TOLD:
                raise InputError(
                    f"the empty room was recognised in {100 * found.recognised:.0f} % of the frames of {film.name}",
                    "show the room behind you, from the same camera, in the same light; or leave --room away",
                )
            clear_furniture(found, room.room)
        return found

    def _seen(self, frame: Frame) -> tuple[Map, U8]:
        """What both see together, on the teacher's map; and what the network that is to learn sees by itself."""
        maps: list[tuple[float, F32]] = []
        seen: Map | None = None
        for share, matting in self._looks:
            look = matting.look(frame)
            first = look.probability.copy()
            # the pyramid belongs to the network until it looks again, which the mirrored frame makes it do
            kept = replace(look, probability=first, pyramid=tuple(_copied(each) for each in look.pyramid))
            if not (isinstance(matting.segmenter, OwnMemory) and matting.segmenter.own_memory):
                first = np.asarray((first + matting.look(_mirrored(frame)).probability[:, ::-1]) / 2, np.float32)
            seen = seen or kept
            maps.append((share, first))
        assert seen is not None
        size = seen.probability.shape[1::-1]
        mixed = sum(share * cv2.resize(each, size, interpolation=cv2.INTER_LINEAR) for share, each in maps)
        return replace(seen, probability=np.ascontiguousarray(mixed, np.float32)), _matte(maps[-1][1], frame)

    def close(self) -> None:
        """Free the networks."""
        for _, matting in self._looks:
            matting.close()

    def __enter__(self) -> Labeller:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _mirrored(frame: Frame) -> Frame:
    y, u, v = (np.ascontiguousarray(plane[:, ::-1]) for plane in frame.planes)
    return Frame(y, u, v, frame.timestamp, frame.seq, frame.full_range)


def _copied(frame: Frame) -> Frame:
    copy = Frame.allocate(*frame.size)
    copy.copy_from(frame)
    return copy


def _matte(probability: F32, frame: Frame) -> U8:
    """A map of the whole frame as a matte of its size: uint8 (height, width). Nothing is refined: what a network says
    of an edge is nearer to the truth than what a filter makes of it."""
    large = cv2.resize(probability, frame.size, interpolation=cv2.INTER_LINEAR)
    return np.rint(255 * np.clip(large, 0, 1)).astype(np.uint8)


def _memory(room: Told, film: Footage) -> RoomMemory:
    if room.room.frame.size != film.size or room.room.frame.full_range != film.frames[0].full_range:
        raise InputError(
            f"the empty room is not the room of {film.name}: its picture has another form",
            "film the room with the camera of the film, at the same size",
        )
    return RoomMemory(film.size, full_range=room.room.frame.full_range, room=room.room, learns=False, vouched=True)


def differs(one: U8, other: U8) -> Mask:
    """Where two mattes say something else: bool (height, width)."""
    return np.asarray(cv2.absdiff(one, other) >= APART)


def clear_furniture(labelled: Labelled, room: RoomPicture) -> None:
    """Take out, in place, what stood in the empty room already and has stood there ever since.

    It is what `RoomMemory` cannot tell of one frame by itself, as with an even black chair. Here the whole film speaks:
    the place looks as the empty room does in nearly all of its frames, and in their mean next to exactly so.
    """
    still = furniture(labelled.film.frames, [label.told for label in labelled.labels], room)
    if not still.any():
        return
    # not with a hard edge: the matte has none
    soft = cv2.GaussianBlur(still.astype(np.float32), (5, 5), 0)
    for frame, label in zip(labelled.film.frames, labelled.labels, strict=True):
        here = soft * same_as(frame, room)
        label.matte = np.rint(label.matte * (1 - here)).astype(np.uint8)
        label.sure |= differs(label.matte, label.told)


def same_as(frame: Frame, room: RoomPicture) -> Mask:
    """Where a frame looks as the empty room does, in the light of now: bool (height, width)."""
    parts = []
    for plane, plate, most in zip(frame.planes, room.frame.planes, (NOISE[0], NOISE[1], NOISE[1]), strict=True):
        apart = _apart(plane, plate)
        parts.append(cv2.resize((np.abs(apart) <= most).view(np.uint8), frame.size, interpolation=cv2.INTER_NEAREST))
    known = cv2.resize(room.known, frame.size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(np.minimum.reduce([*parts, (known != 0).view(np.uint8)]) != 0)


def _apart(plane: U8, plate: U8) -> F32:
    """Levels by which a plane differs from the room's, in the light of now: their median difference is light."""
    apart = cv2.GaussianBlur(plane, (3, 3), 0).astype(np.float32) - cv2.GaussianBlur(plate, (3, 3), 0)
    return np.asarray(apart - np.median(apart), np.float32)


def furniture(frames: Sequence[Frame], told: Sequence[U8], room: RoomPicture) -> Mask:
    """Where the teacher mostly sees a person, and the empty room is to be seen nearly always: bool (height, width)."""
    size = frames[0].size
    same, person = np.zeros(size[::-1], np.float32), np.zeros(size[::-1], np.float32)
    means = [np.zeros(plane.shape, np.float32) for plane in room.frame.planes]
    for frame, matte in zip(frames, told, strict=True):
        same += same_as(frame, room)
        person += matte >= PERSON
        for mean, plane, plate in zip(means, frame.planes, room.frame.planes, strict=True):
            mean += _apart(plane, plate) / len(frames)
    even = [
        cv2.resize((np.abs(mean) <= most).view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        for mean, most in zip(means, (EVEN[0], EVEN[1], EVEN[1]), strict=True)
    ]
    found = (same >= STANDS * len(frames)) & (person >= 0.5 * len(frames)) & (np.minimum.reduce(even) != 0)
    opened = cv2.morphologyEx(found.view(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)) != 0)


def draw(labelled: Labelled, frame: Frame, strokes: Strokes) -> None:
    """Let strokes on one frame decide, in place: there, and in all frames that look the same at the same place."""
    place = next(number for number, each in enumerate(labelled.film.frames) if each.seq == frame.seq)
    me, other = grown(frame, labelled.labels[place].matte, strokes)
    for each, label in zip(labelled.film.frames, labelled.labels, strict=True):
        same = np.ones_like(me) if each is frame else same_there(each, frame)
        label.matte = np.where(other & same, np.uint8(0), np.where(me & same, np.uint8(255), label.matte))
        label.sure = label.sure | ((me | other) & same)


def doubts(labelled: Labelled) -> list[Mask]:
    """Where, in the frames to learn from, nobody knows: bool (height, width) of each.

    The label and the network itself say something else there, apart from the edge, and neither room nor strokes decide.
    """
    found = []
    for label in labelled.learnt:
        own = label.told if label.own is None else label.own
        apart = (differs(label.told, own) & ~label.sure).view(np.uint8)
        found.append(np.asarray(cv2.morphologyEx(apart, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8)) != 0))
    return found
