"""`vcam start`: the virtual camera that is always there, and the real one that is on only while somebody watches.

The loop looks around before every frame: does somebody watch, is the network loaded, can the camera be read? What
follows from that, `vcam.daemon.states` decides; the loop carries it out. Whatever the answer, something is shown.

Others steer it from any thread, by `pause`, `resume` and `stop`, and through its `changer`. What they ask for happens
between two frames.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from vcam.camera.base import Camera
from vcam.camera.factory import make_camera
from vcam.compose.filters.registry import parse_filters
from vcam.daemon.announcer import Announcer
from vcam.daemon.base import Observer, State
from vcam.daemon.cards import Cards
from vcam.daemon.changer import Changer
from vcam.daemon.changes import Parts
from vcam.daemon.keeper import CameraKeeper
from vcam.daemon.keys import listen
from vcam.daemon.lesson import Lesson
from vcam.daemon.mailbox import Mailbox
from vcam.daemon.monitor import Monitor
from vcam.daemon.notify import Notifier
from vcam.daemon.outlets import Outlets
from vcam.daemon.pausepicture import pause_picture
from vcam.daemon.states import (
    Asked,
    Came,
    CameraAction,
    Ended,
    Event,
    Look,
    Lost,
    Phase,
    Picture,
    Stalled,
    step,
)
from vcam.daemon.targets import make_outputs, refuse_camera_as_output, targets_of
from vcam.daemon.watchdog import Watchdog, stuck_words
from vcam.errors import CameraError, CameraStalled, VcamError
from vcam.frames import Frame, check_size
from vcam.matting import Matting
from vcam.output.base import Output
from vcam.pipeline import Pipeline, give_back_memory, give_cards, open_pipeline, tune_process
from vcam.segment.emptyroom.telling import Told
from vcam.settings import Settings, parse_size
from vcam.timings import Timings
from vcam.types import Size

log = logging.getLogger(__name__)

_BROKEN_OFF = "it was broken off: nothing was learnt"

PLACEHOLDER_INTERVAL = 0.1
"""Seconds between two placeholders: browsers drop a camera that shows less than a few frames a second."""


class Live:
    """One life of the virtual camera: a `vcam.daemon.base.Life`.

    Camera, outputs and pipeline can be handed in, for tests and for programs that bring their own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        camera: Camera | None = None,
        outputs: list[Output] | None = None,
        open_pipeline: Callable[[Settings, Camera, Size, list[Output]], Pipeline] = open_pipeline,
        parts: Parts | None = None,
        notifier: Notifier | None = None,
        together: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Builds camera and outputs and touches neither. Raises `UsageError` for what cannot be meant.

        together: the first output that has had enough, such as a window that is closed, ends this life.
        """
        size = check_size(*parse_size(settings.output.size), "the output")
        refuse_camera_as_output(settings)
        parse_filters(settings.filters.chain)
        self.settings = settings
        self.keeper = CameraKeeper(camera or make_camera(settings.camera, size, settings.output.fps), clock=clock)
        if outputs is None:
            outputs = make_outputs(settings, lambda: self.settings)
        self.outlets = Outlets(outputs, targets_of(settings), together=together, clock=clock)
        give_cards(self.outlets.outputs)
        self.pipeline: Pipeline | None = None
        self.watched = False
        self.mailbox = Mailbox()
        self.changer = Changer(self, parts or Parts())
        self.monitor = Monitor(clock=clock)
        self.notifier = notifier or Notifier({})
        self.observers: list[Observer] = []
        listen(self.outlets.outputs, self.changer.change, settings.background.spec)
        self._announcer = Announcer(self.notifier, self.observers, self.outlets)
        self._clock = clock
        self._open_pipeline = open_pipeline
        self._phase = Phase(State.STARTING, "", clock())
        self._cards = Cards(size)
        self._lesson: Lesson | None = None
        self._stopping = False
        self._due = float("-inf")

    def run(self, frames: int | None = None) -> Pipeline:
        """Serve until `stop` is called, the outputs have had enough, or `frames` frames are done.

        Returns the closed pipeline, for its timings. Raises what could not be opened at the start, and what made the
        last output fail; the outputs are finished in either case.
        """
        tune_process()
        wait = self.settings.camera.wait
        try:
            if not wait:
                self.keeper.check()
            self.outlets.open(self._cards.size, self.settings.output.fps, wait=wait)
            loading = self.changer.load(
                lambda: self._open_pipeline(self.settings, self.keeper.camera, self._cards.size, [self.outlets])
            )
            if picture := self.settings.overlay.pause_picture:
                threading.Thread(
                    target=_make_ready, args=(picture, self._cards.size), name="vcam-card", daemon=True
                ).start()
            self.monitor.shown()
            with Watchdog(self.outlets, self._announcer, lambda: self.stuck, lambda: self._phase):
                self._serve(loading, frames)
            self.monitor.ended()
            self._take(Ended("on request" if self._stopping else "done"))
            pipeline = loading.result()
        except BaseException:
            self.outlets.abort()
            raise
        finally:
            self.monitor.ended()
            self.mailbox.close()
            self._drop_lesson(_stopping())
            self.keeper.close()
            self.changer.close()
        pipeline.close()
        return pipeline

    def stop(self) -> None:
        """Let `run` return after the frame in hand; callable from a signal handler and any thread."""
        self._stopping = True
        self.mailbox.post(lambda: None)

    def pause(self) -> Future[None]:
        """Switch the camera off and show a placeholder, whoever watches; done when the future is.

        No frame leaves from now on, not even the one in hand.
        """
        self.outlets.hidden = True
        return self.mailbox.post(lambda: self._ask(Asked.PAUSE))

    def resume(self) -> Future[None]:
        """End a pause; done when the future is: from then on the state is another."""
        return self.mailbox.post(lambda: self._ask(Asked.RESUME))

    def learn(self, lesson: Lesson) -> None:
        """Begin to learn the empty room; what has come of it is in `lesson.done`.

        From the next frame on the placeholder is shown until that is done. The camera is on meanwhile.
        """
        begun = self.mailbox.post(lambda: self._begin(lesson))
        begun.add_done_callback(lambda begun: lesson.fail(error) if (error := begun.exception()) else None)

    def break_off(self, lesson: Lesson) -> None:
        """End a lesson before its time, if it has not ended; nothing is kept of it then."""
        lesson.withdraw()
        self.mailbox.post(lambda: self._end(lesson, VcamError(_BROKEN_OFF)))

    @property
    def state(self) -> State:
        """What is shown."""
        return self._phase.state

    @property
    def cause(self) -> str:
        """Why the state was entered, in words."""
        return self._phase.cause

    @property
    def since(self) -> float:
        """When the state was entered, in seconds of the loop's clock."""
        return self._phase.since

    @property
    def words(self) -> str:
        """The state and its cause, in one line."""
        return self._phase.words

    @property
    def stuck(self) -> str:
        """What the loop hangs in, in words; empty as long as it turns."""
        return stuck_words(self.monitor, self.timings)

    @property
    def timings(self) -> Timings | None:
        """Those of the pipeline; None while it is being loaded."""
        return self.pipeline.timings if self.pipeline else None

    def resize(self, size: Size) -> None:
        """Show pictures of another size from now on. For the changer, between two frames."""
        before = self._cards.size
        self._cards.resize(size)
        try:
            # drawn before: a device that is opened anew lets nobody read until it is fed
            card = self._card()
        except BaseException:
            self._cards.resize(before)
            raise
        self.outlets.resize(size)
        if self.state is not State.LIVE:
            self.outlets.show(card)

    def _serve(self, loading: Future[Pipeline], frames: int | None) -> None:
        while not self._stopping and not self.outlets.finished:
            if self.pipeline is None and loading.done():
                self.pipeline = loading.result()
                give_back_memory()
            self.mailbox.run()
            self.monitor.look(self._trouble, self.keeper.camera.dropped, self.timings)
            if frames is not None and self.pipeline and self.pipeline.timings.frames >= frames:
                break
            paced = self._show()
            self.monitor.shown()
            self._announcer.shown(self._phase)
            if not paced:
                self._sleep()

    @property
    def _trouble(self) -> Exception | None:
        """What is wrong at the moment, if anything is."""
        pipeline = self.pipeline
        return (
            self.keeper.error
            or (pipeline.error if pipeline else None)
            or self.outlets.failure
            or (pipeline.passed_over if pipeline else None)
        )

    def _show(self) -> bool:
        """Look around and show one picture. Whether it had the camera's pace; a placeholder has to be paced here."""
        if self._lesson:
            self._lesson.turn(self.settings, self._matting, self._clock())
            self._end_if_done(self._lesson)
        picture = self._take(self._look())
        if picture is Picture.UNSEEN and self.pipeline and self._lesson:
            return self._study(self.pipeline, self._lesson)
        if picture is Picture.FRAME and self.pipeline:
            picture = self._take(self._frame(self.pipeline.step))
        if picture is Picture.LAST and self.pipeline and self.pipeline.repeat():
            self.monitor.repeated += 1
            return True
        if picture is Picture.NOTHING:
            return True
        self.outlets.show(self._card())
        return False

    def _look(self) -> Look:
        self.keeper.look()
        self.watched = self.outlets.watched()
        wanted = self.watched or self.settings.output.always_on
        return Look(wanted, self.pipeline is not None, self.keeper.ready, self.keeper.error)

    @property
    def _matting(self) -> Matting | None:
        return self.pipeline.matting if self.pipeline else None

    def _study(self, pipeline: Pipeline, lesson: Lesson) -> bool:
        """Read a frame, which is looked at and shown to nobody, and show the placeholder. Whether a frame came."""

        def study() -> bool:
            frame = pipeline.unseen()
            if frame is not None:
                lesson.study(frame, pipeline.look, self._clock())
            return frame is not None

        event = self._frame(study)
        self._take(event)
        self._end_if_done(lesson)
        self.outlets.show(self._card())
        return isinstance(event, Came)

    def _frame(self, read: Callable[[], bool]) -> Came | Stalled | Lost:
        """Have a frame read; what came of it. read: whether there was one, and may be more."""
        pipeline = self.pipeline
        assert pipeline is not None
        try:
            if not read() and not self.outlets.finished:
                return Lost(CameraError(f"{self.keeper.camera.description} has ended"))
        except CameraStalled as error:
            return Stalled(error, self.settings.camera.timeout, None if error.sends else self.keeper.silent_since)
        except CameraError as error:
            return Lost(error)
        except Exception as error:
            # nothing that a camera or an output does may end the life of the virtual camera
            log.debug("a frame", exc_info=True)
            return Lost(CameraError(f"unexpected {type(error).__name__}: {error}", "vcam --debug start"))
        self.keeper.worked()
        return Came(self.keeper.camera.description, pipeline.failed_in_a_row, pipeline.error)

    def _ask(self, asked: Asked) -> None:
        self._take(asked)
        if asked is Asked.RESUME:
            # whoever asks for the state as soon as this is answered shall not hear of the pause any more
            self._take(self._look())
        self.outlets.hidden = False

    def _begin(self, lesson: Lesson) -> None:
        if self._phase.paused:
            raise VcamError("vcam is paused: the camera stays off", "vcam resume, and try again")
        if self._lesson is not None:
            raise VcamError("the empty room is being learnt already", "wait until that is done, and try again")
        lesson.begin(self.settings, self._matting, self._clock())
        self._lesson, self.outlets.shut = lesson, True
        self._take(Asked.LEARN)

    def _end_if_done(self, lesson: Lesson) -> None:
        if lesson.outcome is not None:
            self._end(lesson, lesson.outcome)

    def _end(self, lesson: Lesson, outcome: Told | VcamError) -> None:
        """Go back to what is the case without a lesson, and answer who has asked for it."""
        if lesson is not self._lesson:
            return
        file = ""
        if lesson.withdrawn and isinstance(outcome, Told):
            outcome = VcamError(_BROKEN_OFF)
        if isinstance(outcome, Told):
            try:
                assert self.pipeline is not None
                self.pipeline.matting.told(outcome.room)
                file = self.pipeline.matting.room_status["file"]
            except Exception as error:
                log.debug("the told room", exc_info=True)
                outcome = error if isinstance(error, VcamError) else VcamError(f"it cannot be used: {error}")
        # before the outputs are open again
        self._lesson = None
        self._take(Asked.LEARNT)
        self._take(self._look())
        self.outlets.shut = False
        if isinstance(outcome, Told):
            lesson.succeed(outcome, file)
        else:
            lesson.fail(outcome)

    def _drop_lesson(self, error: VcamError) -> None:
        """It has ended by something else; what is shown follows from that."""
        lesson, self._lesson, self.outlets.shut = self._lesson, None, False
        if lesson:
            lesson.fail(error)

    def _take(self, event: Event) -> Picture:
        """Carry out what an event leads to. Returns what is to be shown."""
        then = step(self._phase, event, self._clock())
        if then.lost:
            self.keeper.lost(then.lost)
        if then.forget and self.pipeline:
            self.pipeline.forget()
        if then.camera is CameraAction.OPEN:
            self.keeper.want()
        elif then.camera is CameraAction.RELEASE:
            self.keeper.release()
        before, self._phase = self._phase, then.phase
        if then.phase.state is not before.state:
            self.outlets.hurry()
            self._announcer.entered(before.state, then.phase)
        elif then.phase.cause != before.cause:
            self._announcer.otherwise(then.phase)
        if self._lesson and not then.phase.learning:
            self._drop_lesson(_what_ended_it(event))
        return then.picture

    def _card(self) -> Frame:
        """The placeholder for what is the case now."""
        try:
            overlay, paused = self.settings.overlay, self.state is State.PAUSED
            said = overlay.pause.replace("\\n", "\n") if paused else ""
            words, picture = self._lesson.words if self._lesson else said, overlay.pause_picture if paused else ""
            return self._cards.card(self.state, self.keeper.error, self._clock(), words, picture)
        except Exception:
            # words that cannot be drawn, whatever they are, are no reason to show nothing
            log.debug("the placeholder", exc_info=True)
            return self._cards.card(self.state, None, self._clock())

    def _sleep(self) -> None:
        """Until the next placeholder is due, or somebody may have come."""
        now = self._clock()
        # counted from when it was due, or what a turn takes would add up
        self._due = min(max(self._due + PLACEHOLDER_INTERVAL, now), now + PLACEHOLDER_INTERVAL)
        self.outlets.wait(self._due - now, self.mailbox.fileno())


def _make_ready(picture: str, size: Size) -> None:
    """Have the picture for a pause at hand before there is one; what is wrong with it is told then."""
    with suppress(Exception):
        pause_picture(picture, size)


def _what_ended_it(event: Event) -> VcamError:
    """Why a lesson could not go on."""
    match event:
        case Lost() | Stalled():
            return event.error
        case Look() if event.camera_error is not None:
            return event.camera_error
        case Asked.PAUSE:
            return VcamError("vcam was paused meanwhile: nothing was learnt", "vcam resume, and try again")
        case _:
            return _stopping()


def _stopping() -> VcamError:
    return VcamError("vcam is stopping: nothing was learnt", "start it again: vcam start")
