"""`vcam start`: the virtual camera that is always there, and the real one that is on only while somebody watches.

The loop is a small machine. Its state follows from three questions, asked anew for every frame: does somebody watch, is
the network loaded, can the camera be read? Whatever the answer, something is shown.

    starting   the network is being loaded                  placeholder
    idle       nobody watches; the camera is off            placeholder
    waiting    somebody watches, the camera is not on yet   placeholder
    live       composited frames
    degraded   somebody watches, but the camera is lost     placeholder that says why; the camera is tried again
               or the network fails again and again         the background without the person
    paused     a person wants it so; the camera is off      placeholder
    stopping   the last things are tidied up                nothing

Others steer it through `change`, `pause`, `resume` and `stop`, from any thread; what they ask for happens between two
frames.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum

from vcam.camera.base import Camera
from vcam.camera.factory import make_camera
from vcam.compose.placeholder import placeholder
from vcam.daemon.changer import Changer, Replaced, Wish
from vcam.daemon.changes import Change, Parts, Prepared, Situation, refuse_unchangeable
from vcam.daemon.keeper import CameraKeeper
from vcam.daemon.keys import Keys
from vcam.daemon.mailbox import Mailbox
from vcam.daemon.notify import Notifier
from vcam.daemon.outlets import Outlets
from vcam.daemon.status import Monitor
from vcam.daemon.streams import stream_outputs, targets_of
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import Frame, check_size
from vcam.output.base import Output
from vcam.output.factory import make_output
from vcam.output.window import WindowOutput
from vcam.pipeline import Pipeline, give_back_memory, open_pipeline, tune_process
from vcam.segment.base import Segmenter
from vcam.settings import Settings, parse_size
from vcam.timings import Timings
from vcam.v4l2.discover import find_node, list_nodes

log = logging.getLogger(__name__)

PLACEHOLDER_INTERVAL = 0.1
"""Seconds between two placeholders: browsers drop a camera that shows less than a few frames a second."""

LINGER = 2.0
"""Seconds that the camera stays on after the last reader has gone: one that comes back at once, as a reader does that
changes its resolution, finds it on."""


class State(Enum):
    """What is shown, and why."""

    STARTING = "starting"
    IDLE = "idle"
    WAITING = "waiting"
    LIVE = "live"
    PAUSED = "paused"
    DEGRADED = "degraded"
    STOPPING = "stopping"


WORDS = {
    State.STARTING: "vcam is starting",
    State.IDLE: "the camera is off",
    State.WAITING: "the camera is starting",
    State.PAUSED: "paused",
}

FAILING = 15
"""Frames in a row without a person after which it is no hiccup any more."""

Observer = Callable[[State, str], None]
"""Told of a new state and its cause, in the loop's thread."""


class Live:
    """One life of the virtual camera.

    Camera, outputs and pipeline can be handed in, for tests and for programs that bring their own.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        camera: Camera | None = None,
        outputs: list[Output] | None = None,
        open_pipeline: Callable[[Settings, Camera, tuple[int, int], list[Output]], Pipeline] = open_pipeline,
        parts: Parts | None = None,
        notifier: Notifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Builds camera and outputs and touches neither. Raises `UsageError` for what cannot be meant."""
        self.settings = settings
        self._size = check_size(*parse_size(settings.output.size), "the output")
        if any(_same_device(settings.camera.source, target) for target in settings.output.targets):
            raise UsageError(
                f"{settings.camera.source} cannot be camera and output at once",
                "name your real camera with --camera, a virtual one with --output; vcam devices lists them",
            )
        self._fps = settings.output.fps
        self._clock = clock
        self._open_pipeline = open_pipeline
        self._keeper = CameraKeeper(camera or make_camera(settings.camera, self._size, self._fps), clock=clock)
        if outputs is None:
            outputs = [make_output(target, live=True) for target in _distinct(targets_of(settings))]
            outputs += stream_outputs(settings)
        self.outlets = Outlets(outputs, clock=clock)
        self.state, self.cause, self.since = State.STARTING, "", clock()
        self.observers: list[Observer] = []
        self.monitor = Monitor(clock=clock)
        self.watched = False
        self.paused = False
        self.mailbox = Mailbox()
        self.notifier = notifier or Notifier({})
        self._changer = Changer(self, parts or Parts())
        for output in outputs:
            if isinstance(output, WindowOutput):
                output.on_key = Keys(self.change, settings.background.spec, output.say).press
        self._stopping = self._ready = False
        self._pipeline: Pipeline | None = None
        self._cards: dict[str, Frame] = {}
        self._due = float("-inf")
        self._unwatched_since: float | None = None
        self._stalled_since: float | None = None

    def run(self, frames: int | None = None) -> Pipeline:
        """Serve until `stop` is called, the outputs have had enough, or `frames` frames are done.

        Returns the closed pipeline, for its timings. Raises what could not be opened at the start, and what made the
        last output fail; the outputs are finished in either case.
        """
        tune_process()
        try:
            if not self.settings.camera.wait:
                self._keeper.check()
            self.outlets.open(self._size, self._fps, wait=self.settings.camera.wait)
            loading = self._changer.load(
                lambda: self._open_pipeline(self.settings, self._keeper.camera, self._size, [self.outlets])
            )
            self._serve(loading, frames)
            self._enter(State.STOPPING, "asked to" if self._stopping else "done")
            pipeline = loading.result()
        except BaseException:
            self.outlets.abort()
            raise
        finally:
            self.mailbox.close()
            self._keeper.close()
            self._changer.close()
        pipeline.close()
        return pipeline

    def stop(self) -> None:
        """Let `run` return after the frame in hand; callable from a signal handler and any thread."""
        self._stopping = True
        self.mailbox.post(lambda: None)

    def pause(self) -> Future[None]:
        """Switch the camera off and show a placeholder, whoever watches; done when the future is."""
        return self.mailbox.post(lambda: self._set_paused(True))

    def resume(self) -> Future[None]:
        """End a pause."""
        return self.mailbox.post(lambda: self._set_paused(False))

    def change(self, wish: Wish, *, strict: bool = True, renew: frozenset[str] = frozenset()) -> Future[Change]:
        """Go over to other settings: those that `wish` gives when it is told the present ones.

        Changes are made one after the other, and each takes effect between two frames, or not at all: then the future
        holds the error. strict: settings that cannot change live are an error; else they keep their values and are
        named in the result. renew: see `vcam.daemon.changes.prepare`.
        """
        return self._changer.change(wish, strict=strict, renew=renew)

    @property
    def timings(self) -> Timings | None:
        """Those of the pipeline; None while it is being loaded."""
        return self._pipeline.timings if self._pipeline else None

    @property
    def segmenter(self) -> Segmenter | None:
        """The network at work, if there is one."""
        return self._pipeline.segmenter if self._pipeline else None

    @property
    def camera(self) -> Camera:
        """The camera, which may be on or off."""
        return self._keeper.camera

    @property
    def camera_on(self) -> bool:
        """Whether it is on."""
        return self._keeper.ready

    @property
    def trouble(self) -> Exception | None:
        """What is wrong at the moment, if anything is."""
        return self._keeper.error or (self._pipeline.error if self._pipeline else None) or self.outlets.failure

    def situation(self, pipeline: Pipeline) -> Situation:
        """For the worker that makes changes."""
        has_network, keeper = pipeline.segmenter is not None, self._keeper
        fixed = tuple(self.outlets.unchangeable)
        return Situation(keeper.camera, keeper.ready, has_network, self._size, self._fps, fixed)

    def swap(self, pipeline: Pipeline, prepared: Prepared) -> Replaced:
        """Between two frames: go on with other parts. Returns those to close; the keeper closes a camera itself."""
        if prepared.size is not None:
            # one may have been added meanwhile
            refuse_unchangeable(self.outlets.unchangeable)
        replaced_camera = pipeline.camera
        replaced = pipeline.exchange(
            camera=prepared.camera,
            segmenter=prepared.segmenter,
            matte=prepared.matte,
            background=prepared.background,
            effects=prepared.effects,
            size=prepared.size,
        )
        if prepared.size is not None:
            self._size = prepared.size
            self._cards.clear()
            # drawn before: a device that is opened anew lets nobody read until it is fed
            card = self._card()
            self.outlets.resize(prepared.size)
            if self.state is not State.LIVE:
                self.outlets.show(card)
        if prepared.shape is not None:
            camera, shape = prepared.shape
            camera.use(shape)
        if prepared.camera is not None:
            self._keeper.exchange(prepared.camera, on=prepared.camera_on)
        if pipeline.operator:
            pipeline.operator.use(prepared.settings.framing)
        self.settings = prepared.settings
        return [part for part in replaced if part is not replaced_camera]

    def _set_paused(self, paused: bool) -> None:
        self.paused = paused
        if paused:
            self._rest(State.PAUSED, "asked to")

    def _serve(self, loading: Future[Pipeline], frames: int | None) -> None:
        while not self._stopping and not self.outlets.finished:
            if self._pipeline is None and loading.done():
                self._pipeline = loading.result()
                give_back_memory()
            self.mailbox.run()
            self.monitor.look(self)
            if frames is not None and self._pipeline and self._pipeline.timings.frames >= frames:
                break
            composited = self._step()
            if not composited:
                self.outlets.show(self._card())
            self._report()
            if not composited:
                self._sleep()

    def _report(self) -> None:
        """Something is shown: the service manager may know."""
        if not self._ready:
            self._ready = True
            self.notifier.ready(self.words)
        self.notifier.alive()

    @property
    def words(self) -> str:
        """The state and its cause, in one line."""
        return f"{self.state.value}: {self.cause}" if self.cause else self.state.value

    def _sleep(self) -> None:
        """Until the next placeholder is due, or somebody may have come."""
        now = self._clock()
        # counted from when it was due, or what a turn takes would add up
        self._due = min(max(self._due + PLACEHOLDER_INTERVAL, now), now + PLACEHOLDER_INTERVAL)
        self.outlets.wait(self._due - now, self.mailbox.fileno())

    def _step(self) -> bool:
        """Show a composited frame if there can be one; else False, and the state says why."""
        wanted = self._wanted()
        if self.paused:
            self._rest(State.PAUSED, "asked to")
            return False
        if not wanted:
            idle = State.IDLE if self._pipeline else State.STARTING
            self._rest(idle, "nobody watches" if self._pipeline else "loading the network")
            return False
        if self._keeper.want() and self._pipeline:
            return self._read(self._pipeline)
        if self._keeper.error is not None:
            self._enter(State.DEGRADED, str(self._keeper.error))
        else:
            self._enter(State.WAITING if self._pipeline else State.STARTING, "somebody watches")
        return False

    def _rest(self, state: State, cause: str) -> None:
        if self._pipeline and self.state in (State.LIVE, State.DEGRADED):
            self._pipeline.forget()
        self._keeper.release()
        self._enter(state, cause)

    def _read(self, pipeline: Pipeline) -> bool:
        try:
            if not pipeline.step() and not self.outlets.finished:
                raise CameraError(f"{self._keeper.camera.description} has ended")
        except CameraStalled as error:
            return self._stalled(pipeline, error)
        except CameraError as error:
            return self._lost(pipeline, error)
        except Exception as error:
            # nothing that a camera or an output does may end the life of the virtual camera
            log.debug("a frame", exc_info=True)
            return self._lost(
                pipeline, CameraError(f"unexpected {type(error).__name__}: {error}", "vcam --debug start")
            )
        self._stalled_since = None
        self._keeper.worked()
        if pipeline.failed_in_a_row >= FAILING:
            self._enter(State.DEGRADED, f"the person cannot be shown: {pipeline.error}")
        elif pipeline.error is None or self.state is not State.DEGRADED:
            self._enter(State.LIVE, self._keeper.camera.description)
        return True

    def _lost(self, pipeline: Pipeline, error: CameraError) -> bool:
        self._stalled_since = None
        self._keeper.lost(error)
        pipeline.forget()
        return False

    def _stalled(self, pipeline: Pipeline, error: CameraStalled) -> bool:
        """A short hang is bridged with the last picture, if there is one; a long one is a lost camera."""
        now = self._clock()
        if self._stalled_since is None:
            self._stalled_since = now
        if now - self._stalled_since < self.settings.camera.timeout:
            shown = pipeline.repeat()
            self.monitor.repeated += shown
            return shown
        return self._lost(pipeline, error)

    def _wanted(self) -> bool:
        self.watched = self.outlets.watched()
        if self.settings.output.always_on or self.watched:
            self._unwatched_since = None
            return True
        now = self._clock()
        if self._unwatched_since is None:
            self._unwatched_since = now
        return self.state in (State.LIVE, State.DEGRADED) and now - self._unwatched_since < LINGER

    def _card(self) -> Frame:
        """The placeholder for this state; drawn once for each text."""
        text = self._keeper.error.message if self._keeper.error else WORDS.get(self.state, "")
        if text not in self._cards:
            if len(self._cards) > 8:
                self._cards.clear()
            self._cards[text] = placeholder(self._size, text)
        card = self._cards[text]
        card.timestamp = self._clock()
        return card

    def _enter(self, state: State, cause: str) -> None:
        if state is not self.state:
            log.info("%s -> %s: %s", self.state.value, state.value, cause)
            self.state, self.cause, self.since = state, cause, self._clock()
            if state is State.STOPPING:
                self.notifier.stopping()
            if self._ready:
                self.notifier.status(self.words)
            for observer in self.observers:
                observer(state, cause)


def _same_device(source: str, target: str) -> bool:
    paths = [_paths(name) for name in (source, target)]
    return len(paths[0]) == 1 and paths[0] == paths[1]


def _paths(name: str) -> set[str]:
    """The nodes that the name of a camera or an output may mean."""
    if name.startswith("/dev/") or name.isdigit():
        return {os.path.realpath(f"/dev/video{name}" if name.isdigit() else name)}
    if name in ("auto", "demo", "null", "window", "-") or "/" in name:
        return set()
    return {str(node.path) for node in find_node(name, list_nodes())}


def _distinct(targets: tuple[str, ...]) -> list[str]:
    if len(set(targets)) < len(targets):
        raise UsageError("the same output is given twice", "name each output once")
    return list(targets)
