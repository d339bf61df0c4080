"""One try at learning the empty room: a countdown, two seconds of frames that nobody sees, and a verdict.

The loop carries it out (`vcam.daemon.live`), and shows the placeholder all the while. What may become of a frame here
is only a part of a sum, in `vcam.segment.emptyroom.telling`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple

from vcam.camera.base import FIRST_FRAME
from vcam.errors import CameraError, EngineError, UsageError, VcamError
from vcam.frames import Frame, Map
from vcam.matting import Matting
from vcam.segment.emptyroom.choice import OFF
from vcam.segment.emptyroom.telling import RoomTelling, Told
from vcam.settings import Settings

log = logging.getLogger(__name__)

SECONDS, FRAMES = 2.0, 12
"""So long are frames gathered, and so many at least."""
LONGEST = 8.0
"""Seconds after which too few have come."""

STEP_OUT = "step out of the picture"
_SECTIONS = ("camera", "framing", "output", "segment")
"""Settings that say which picture it is of which room, and who looks at it."""


class Progress(NamedTuple):
    """How far it is: for whoever waits."""

    step: str
    """`countdown`, `camera` while its first frame or the network is waited for, `looking`."""
    left_s: int
    """Whole seconds of the countdown that are left."""
    done: float
    """Share of the step, 0 to 1 in tenths."""


class Lesson:
    """One try. All but `done` and `withdraw` is for the loop's thread."""

    def __init__(
        self, wait: float, *, force: bool = False, tell: Callable[[Progress], object] = lambda progress: None
    ) -> None:
        """wait: seconds to step out in. force: what the network calls somebody is the room, too. tell: is told of the
        progress, in the loop's thread."""
        self._wait, self._force, self._tell = wait, force, tell
        self.done: Future[dict[str, Any]] = Future()
        """What has come of it: shares of the picture in per cent, and the file that it is kept in. Or the error."""
        self.outcome: Told | VcamError | None = None
        """The verdict, once there is one; the loop then ends the lesson."""
        self.withdrawn = False
        """Whether whoever has asked has been told otherwise; see `withdraw`."""
        self._begins = math.inf
        self._since: float | None = None
        self._telling: RoomTelling | None = None
        self._trouble: Exception | None = None
        self._progress: Progress | None = None
        self._settings: Settings

    def withdraw(self) -> None:
        """Nothing is to be kept of it, even if the verdict comes now: the loop may hang in the last frame. For any
        thread."""
        self.withdrawn = True

    def begin(self, settings: Settings, matting: Matting | None, now: float) -> None:
        """The countdown begins. Raises `UsageError` if it cannot lead to anything."""
        _refuse(settings)
        if matting and (obstacle := _obstacle(matting)):
            raise obstacle
        self._settings, self._begins = settings, now + self._wait
        self._note(now)

    @property
    def words(self) -> str:
        """For the placeholder."""
        progress = self._progress
        if progress is None or progress.step == "camera":
            return f"{STEP_OUT}: the camera is starting"
        if progress.step == "countdown":
            return f"{STEP_OUT}: {progress.left_s}"
        return "stay out of the picture:\nvcam is learning the empty room"

    def turn(self, settings: Settings, matting: Matting | None, now: float) -> None:
        """On every turn of the loop, before a frame. matting: None while the network is being loaded."""
        if any(getattr(settings, name) != getattr(self._settings, name) for name in _SECTIONS):
            self.outcome = VcamError("the settings were changed meanwhile: nothing was learnt", "try again")
        elif matting and (obstacle := _obstacle(matting)):
            self.outcome = obstacle
        elif matting is None and now - self._begins > FIRST_FRAME:
            self.outcome = VcamError("the network is still being loaded: nothing was learnt", "try again in a moment")
        elif self._since is None and now - self._begins > FIRST_FRAME:
            self.outcome = CameraError(
                f"the camera has sent nothing for {FIRST_FRAME:g} s: nothing was learnt", "vcam status; vcam doctor"
            )
        elif self._since is not None and now - self._since > LONGEST:
            self.outcome = self._too_few()
        self._note(now)

    def study(self, frame: Frame, look: Callable[[Frame], Map], now: float) -> None:
        """A frame of the camera, which is not kept. look: gives what the network alone sees in it."""
        if now < self._begins or self.outcome is not None:
            return
        try:
            self._look_at(frame, look, now)
        except VcamError as error:
            self.outcome = error
        except Exception as error:
            log.debug("the empty room", exc_info=True)
            self.outcome = VcamError(f"unexpected {type(error).__name__}: {error}", "vcam --debug start")

    def _look_at(self, frame: Frame, look: Callable[[Frame], Map], now: float) -> None:
        if self._telling is None or self._since is None:
            self._telling = RoomTelling(frame.size, full_range=frame.full_range, force=self._force)
            self._since = now
        try:
            seen = look(frame)
        except Exception as error:
            # a network has hiccups; that it cannot do it at all, time tells
            self._trouble = error
            return
        try:
            self._telling.add(seen, frame)
        except EngineError as error:
            self._trouble = error
            return
        if now - self._since >= SECONDS and self._telling.looked >= FRAMES:
            self.outcome = self._telling.finish()

    def _too_few(self) -> VcamError:
        if self._trouble is not None:
            why = self._trouble.message if isinstance(self._trouble, VcamError) else repr(self._trouble)
            return VcamError(f"the network cannot tell whether the room is empty: {why}", "try again; vcam doctor")
        count = self._telling.looked if self._telling else 0
        return CameraError(
            f"only {count} frames have come in {LONGEST:g} s: nothing was learnt",
            "more light makes a camera faster; vcam status tells its rate",
        )

    def _note(self, now: float) -> None:
        """Tell of the progress, if it is another one."""
        left = self._begins - now
        if left > 0:
            progress = Progress("countdown", math.ceil(left), _tenths(1 - left / self._wait))
        elif self._since is None:
            progress = Progress("camera", 0, 0.0)
        else:
            progress = Progress("looking", 0, _tenths((now - self._since) / SECONDS))
        if progress != self._progress:
            self._progress = progress
            self._tell(progress)

    def succeed(self, told: Told, file: str) -> None:
        """The room is known now, and kept in `file`, unless that is empty."""
        shares = {"known": told.known, "people": told.people, "moving": told.moving}
        self.done.set_result({name: round(100 * share, 1) for name, share in shares.items()} | {"file": file})

    def fail(self, error: BaseException) -> None:
        """Nothing was learnt. Does nothing if it is over already."""
        if not self.done.done():
            self.done.set_exception(error)


def _refuse(settings: Settings) -> None:
    if settings.segment.backend == "subtraction":
        raise UsageError(
            "background subtraction learns the room by itself",
            "step out of the picture and type: vcam set segment.relearn=true",
        )
    if settings.segment.backend == "chroma":
        raise UsageError(
            "with a screen behind you no room is seen that could be learnt", "vcam set segment.backend=auto"
        )
    if settings.framing.auto:
        raise UsageError(
            "auto-framing moves the picture, and a room that is known must stand still",
            "vcam set framing.auto=false, and try again",
        )


def _obstacle(matting: Matting) -> UsageError | None:
    """Why a network that is loaded does not help, if it does not."""
    if matting.segmenter is None:
        return UsageError(
            "with the background none there is no network to tell whether the room is empty",
            "vcam background blur, and try again",
        )
    if matting.room.kept is None:
        off = matting.room.why == OFF.why
        cure = "vcam set segment.room=told, and try again" if off else "it takes a camera that stands still"
        return UsageError(f"no room can be learnt: {matting.room.why}", cure)
    return None


def _tenths(share: float) -> float:
    return round(min(max(share, 0.0), 1.0), 1)
