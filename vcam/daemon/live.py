"""`vcam start`: the virtual camera that is always there, and the real one that is on only while somebody watches.

The loop is a small machine. Its state follows from three questions, asked anew for every frame: does somebody watch, is
the network loaded, can the camera be read? Whatever the answer, something is shown.

    starting   the network is being loaded                  placeholder
    idle       nobody watches; the camera is off            placeholder
    waiting    somebody watches, the camera is not on yet   placeholder
    live       composited frames
    degraded   somebody watches, the camera is lost         placeholder that says why; the camera is tried again
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum

from vcam.camera.base import Camera
from vcam.camera.factory import make_camera
from vcam.compose.placeholder import placeholder
from vcam.daemon.keeper import CameraKeeper
from vcam.daemon.outlets import Outlets
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import Frame, check_size
from vcam.output.base import Output
from vcam.output.factory import make_output
from vcam.pipeline import Pipeline, give_back_memory, open_pipeline, tune_process
from vcam.settings import Settings, parse_size

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
    DEGRADED = "degraded"
    STOPPING = "stopping"


WORDS = {State.STARTING: "vcam is starting", State.IDLE: "the camera is off", State.WAITING: "the camera is starting"}


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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Builds camera and outputs and touches neither. Raises `UsageError` for what cannot be meant."""
        self._settings = settings
        self._size = check_size(*parse_size(settings.output.size), "the output")
        if any(_same_device(settings.camera.source, target) for target in settings.output.targets):
            raise UsageError(
                f"{settings.camera.source} cannot be camera and output at once", "name your real camera with --camera"
            )
        self._fps = settings.output.fps
        self._clock = clock
        self._open_pipeline = open_pipeline
        self._keeper = CameraKeeper(camera or make_camera(settings.camera, self._size, self._fps), clock=clock)
        if outputs is None:
            outputs = [make_output(target, live=True) for target in _distinct(settings.output.targets)]
        self.outlets = Outlets(outputs, clock=clock)
        self.state = State.STARTING
        self._stopping = False
        self._pipeline: Pipeline | None = None
        self._cards: dict[str, Frame] = {}
        self._unwatched_since: float | None = None
        self._stalled_since: float | None = None

    def run(self, frames: int | None = None) -> Pipeline:
        """Serve until `stop` is called, the outputs have had enough, or `frames` frames are done.

        Returns the closed pipeline, for its timings. Raises what could not be opened at the start, and what made the
        last output fail; the outputs are finished in either case.
        """
        tune_process()
        if not self._settings.camera.wait:
            self._keeper.check()
        self.outlets.open(self._size, self._fps)
        loader = ThreadPoolExecutor(1, thread_name_prefix="vcam-load")
        try:
            loading = loader.submit(
                self._open_pipeline, self._settings, self._keeper.camera, self._size, [self.outlets]
            )
            self._serve(loading, frames)
            pipeline = loading.result()
        except BaseException:
            self.outlets.abort()
            raise
        finally:
            self._keeper.close()
            loader.shutdown(wait=True)
        self._enter(State.STOPPING, "asked to" if self._stopping else "done")
        pipeline.close()
        return pipeline

    def stop(self) -> None:
        """Let `run` return after the frame in hand; callable from a signal handler."""
        self._stopping = True

    def _serve(self, loading: Future[Pipeline], frames: int | None) -> None:
        while not self._stopping and not self.outlets.finished:
            if self._pipeline is None and loading.done():
                self._pipeline = loading.result()
                give_back_memory()
            if frames is not None and self._pipeline and self._pipeline.timings.frames >= frames:
                break
            if not self._step():
                self.outlets.show(self._card())
                self.outlets.wait(PLACEHOLDER_INTERVAL)

    def _step(self) -> bool:
        """Show a composited frame if there can be one; else False, and the state says why."""
        if not self._wanted():
            if self._pipeline and self.state is State.LIVE:
                self._pipeline.forget()
            self._keeper.release()
            idle = State.IDLE if self._pipeline else State.STARTING
            self._enter(idle, "nobody watches" if self._pipeline else "loading the network")
            return False
        ready = self._keeper.want()
        if self._keeper.error is not None:
            self._enter(State.DEGRADED, str(self._keeper.error))
            return False
        if self._pipeline is None or not ready:
            self._enter(State.WAITING if self._pipeline else State.STARTING, "somebody watches")
            return False
        return self._read(self._pipeline)

    def _read(self, pipeline: Pipeline) -> bool:
        try:
            if not pipeline.step() and not self.outlets.finished:
                raise CameraError(f"{self._keeper.camera.description} has ended")
        except CameraStalled as error:
            return self._stalled(pipeline, error)
        except CameraError as error:
            self._stalled_since = None
            self._keeper.lost(error)
            pipeline.forget()
            return False
        self._stalled_since = None
        self._enter(State.LIVE, self._keeper.camera.description)
        return True

    def _stalled(self, pipeline: Pipeline, error: CameraStalled) -> bool:
        """A short hang is bridged with the last picture; a long one is a lost camera."""
        now = self._clock()
        self._stalled_since = self._stalled_since or now
        if now - self._stalled_since < self._settings.camera.timeout and pipeline.repeat():
            return True
        self._stalled_since = None
        self._keeper.lost(error)
        pipeline.forget()
        return False

    def _wanted(self) -> bool:
        if self._settings.output.always_on or self.outlets.watched():
            self._unwatched_since = None
            return True
        now = self._clock()
        if self._unwatched_since is None:
            self._unwatched_since = now
        return self.state is State.LIVE and now - self._unwatched_since < LINGER

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
            self.state = state


def _same_device(source: str, target: str) -> bool:
    nodes = [f"/dev/video{name}" if name.isdigit() else name for name in (source, target)]
    return nodes[0].startswith("/dev/") and os.path.realpath(nodes[0]) == os.path.realpath(nodes[1])


def _distinct(targets: tuple[str, ...]) -> list[str]:
    if len(set(targets)) < len(targets):
        raise UsageError("the same output is given twice", "name each output once")
    return list(targets)
