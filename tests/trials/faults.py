"""Every fault there is: in the camera, the network, the matte, the background, the blend and the memory of the room."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import numpy as np

from tests.segment.helpers import unchecked
from tests.trials.scene import SIZE, room, the_person
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.blend import PlanarBlender
from vcam.errors import CameraError, CameraStalled, EngineError
from vcam.frames import Alpha, Box, Frame, Map
from vcam.infer.choices import EngineChoice
from vcam.infer.runner import Runner
from vcam.matte.factory import make_matte
from vcam.segment.emptyroom.memory import RoomMemory
from vcam.segment.region import RegionTracker
from vcam.segment.rest import RestCheck
from vcam.segment.segmenter import NetworkSegmenter
from vcam.types import F32


class Faults:
    """Each kind of fault comes up again and again, at intervals that have no common divisor."""

    KINDS: tuple[str, ...] = (
        "engine error", "engine bug", "engine NaN", "engine shape", "engine type", "engine hangs", "engine no memory",
        "matte bug", "matte no memory", "matte of an older frame", "matte of another size", "background bug",
        "background gone", "blend no memory", "camera size", "camera lost", "camera stalls", "camera bug",
        "output lost", "map of an older frame", "map of no part", "engine below zero",
    )  # fmt: skip
    PRIMES: tuple[int, ...] = (
        53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 251, 257, 263, 269, 127, 131, 137,
    )  # fmt: skip

    def __init__(self) -> None:
        self.now = self.skipped = self.parts = 0
        self.met: dict[str, int] = dict.fromkeys(self.KINDS, 0)
        self._every = dict(zip(self.KINDS, self.PRIMES, strict=True))
        self._next = dict(self._every)

    def due(self, kind: str) -> bool:
        if self.now < self._next[kind]:
            return False
        self._next[kind] = self.now + self._every[kind]
        self.met[kind] += 1
        return True


class RoomFaults(Faults):
    """Those of the memory of the room as well."""

    KINDS = (*Faults.KINDS, "room bug", "room no memory")
    PRIMES = (*Faults.PRIMES, 641, 643)


def still(now: int) -> bool:
    """Whether the person stands still at this frame."""
    return now // 50 % 2 == 0


class Room:
    """The camera: the person jumps from place to place, so that an older matte is always a wrong one.

    Every now and then they stand still for a while, and the network is skipped until they jump again.
    """

    live, fps, dropped, size = True, 30.0, 0, SIZE

    def __init__(self, faults: Faults, source: str) -> None:
        self.description = f"camera {source}"
        self._faults, self._there = faults, source in ("one", "two")
        self._frames = [room(place) for place in ((0, 64), (96, 32))[source == "two"]]
        self._odd = room(0, (64, 48))

    def check(self) -> None:
        if not self._there:
            raise CameraError("there is no such camera")

    def open(self) -> None:
        self.check()

    def read(self) -> Frame | None:
        faults = self._faults
        faults.now += 1
        # the thread that changes settings needs its turn, too
        time.sleep(0.0001)
        if faults.due("camera lost"):
            raise CameraError("unplugged")
        if faults.due("camera stalls"):
            raise CameraStalled("nothing came")
        if faults.due("camera bug"):
            raise ZeroDivisionError("a bug in a driver")
        frame = self._odd if faults.due("camera size") else self._frames[0 if still(faults.now) else faults.now % 2]
        frame.seq, frame.timestamp = faults.now, time.monotonic()
        return frame

    def close(self) -> None:
        pass


class PerfectEngine:
    """Sees exactly the person, as long as it works. Its pictures are frames: nothing is scaled on the way to it."""

    name, device = "perfect", "CPU"

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def infer(self, picture: Any) -> list[F32]:
        if not isinstance(picture, Frame):
            # the look at nothing when it is opened
            return [np.zeros((1, 256, 256), np.float32)]
        due = self._faults.due
        if due("engine error"):
            raise EngineError("the accelerator is gone")
        if due("engine bug"):
            raise RuntimeError("unexpected")
        if due("engine no memory"):
            raise MemoryError
        if due("engine hangs"):
            time.sleep(0.005)
        probability = the_person(picture)
        if due("engine below zero"):
            # logits, say, where probabilities were meant
            probability -= 1
        if due("engine NaN"):
            probability[3, 3] = np.nan
        if due("engine shape"):
            return [probability[np.newaxis]]
        if due("engine type"):
            return [probability.astype(np.float64)]  # type: ignore[list-item]
        return [probability]

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


class Unscaled:
    """Frames as they are, in place of the network's small pictures."""

    pyramid: tuple[Any, ...] = ()

    def prepare(self, frame: Frame) -> Any:
        self.shrink(frame)
        return self.picture()

    def shrink(self, frame: Frame) -> Any:
        self._frame, self.pyramid = frame, (frame,)
        return frame.planes

    @property
    def planes(self) -> Any:
        return self._frame.planes

    def picture(self) -> Any:
        return self._frame


class Unjudged:
    """The perfect engine by the real runner, but whatever it gives is handed on: the stages behind must stand it."""

    def __init__(self, runner: Runner[F32]) -> None:
        self.find, self.reset, self.close = runner.run, runner.reset, runner.close

    def examine(self, *, all_pictures: bool) -> None:
        """It passes."""


class Network(NetworkSegmenter):
    """The real segmenter with a perfect engine, and with accidents behind it."""

    # no picture but the trial's own frames says anything to the perfect engine; see test_privacy_liars for the others
    card = unchecked()

    def __init__(self, faults: Faults, settings: Any, tracker: RegionTracker, check: RestCheck) -> None:
        self._faults = faults
        seconds = itertools.count(0, 100)
        choice = EngineChoice("perfect", "CPU", lambda network, threads: PerfectEngine(faults))
        super().__init__(settings, SIZE, choices=[choice], card=self.card)
        runner = Runner(self.card.network(), [choice], lambda given: given[0], clock=lambda: float(next(seconds)))
        self._network = Unjudged(runner)  # type: ignore[assignment]
        self._preparers = Unscaled(), Unscaled()  # type: ignore[assignment]
        self._tracker = tracker if settings.region else None
        self._rest = check if settings.skip_still else None
        self._older: Map | None = None

    def segment(self, frame: Frame) -> Map:
        seen = super().segment(frame)
        faults = self._faults
        faults.skipped += seen.origin != seen.seq
        faults.parts += seen.box != Box(0, 0, *SIZE)
        older, self._older = self._older, replace(seen, probability=seen.probability.copy())
        if older is not None and faults.due("map of an older frame"):
            return older
        if faults.due("map of no part"):
            # by the frame's own width: of a larger frame than usual, it could be another part instead of none
            return replace(seen, box=seen.box.moved(frame.width, 0))
        return seen


class FaultyMatte:
    """The real matte, with accidents behind it."""

    def __init__(self, faults: Faults, settings: Any) -> None:
        self._faults, self._inner = faults, make_matte(settings)
        self._older: Alpha | None = None

    def update(self, seen: Map, frame: Frame) -> Alpha:
        due = self._faults.due
        if due("matte bug"):
            raise IndexError("a bug")
        if due("matte no memory"):
            raise MemoryError
        alpha = self._inner.update(seen, frame)
        older, self._older = self._older, replace(alpha, full=alpha.full.copy(), half=alpha.half.copy())
        if older is not None and due("matte of an older frame"):
            return older
        if due("matte of another size"):
            return replace(alpha, full=alpha.full[:, ::2])
        return alpha

    def reset(self) -> None:
        self._inner.reset()


class FaultyBackground:
    """A real background whose drive now and then is gone."""

    def __init__(self, faults: Faults, spec: str, settings: Any) -> None:
        self._faults, self._inner = faults, parse_background(spec, settings)
        self.description, self.needs_alpha = spec, self._inner.needs_alpha

    def prepare(self, size: Any) -> None:
        self._inner.prepare(size)

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Any:
        if self._faults.due("background bug"):
            raise OSError("the drive is gone")
        return self._inner.render(frame, alpha, now)

    def without_person(self, now: float) -> Any:
        if self._faults.due("background gone"):
            raise OSError("the drive is gone")
        return self._inner.without_person(now)

    def close(self) -> None:
        self._inner.close()


class FaultyBlender(PlanarBlender):
    """Runs out of memory half way."""

    faults: Faults | None = None

    def _plane(self, *planes: Any) -> None:
        super()._plane(*planes)
        if self.faults and self.faults.due("blend no memory"):
            raise MemoryError


class FaultyRoom(RoomMemory):
    """A memory of the room that now and then fails, in the middle of a frame too."""

    faults: RoomFaults | None = None
    used = 0

    def correct(self, seen: Map, frame: Frame) -> Map:
        faults = self.faults
        if faults and faults.due("room bug"):
            raise IndexError("a bug")
        corrected = super().correct(seen, frame)
        FaultyRoom.used += self.finding is not None
        if faults and faults.due("room no memory"):
            raise MemoryError
        return corrected
