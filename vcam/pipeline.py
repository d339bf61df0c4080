"""The loop: camera -> segment -> matte -> compose -> outputs, one frame at a time, in one thread.

    with Pipeline(camera, segmenter, matte, composer, outputs, fps=30) as pipeline:
        pipeline.run()

A frame leaves only if it was composited with the matte made from it. Where there is no such matte - the network failed,
its result was unusable, a stage threw - the frame is shown without any person.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import cv2

from vcam.camera.base import Camera
from vcam.compose.base import Composer
from vcam.compose.composer import PlateComposer
from vcam.compose.factory import parse_background
from vcam.errors import EngineError, VcamError
from vcam.frames import Alpha, Frame
from vcam.matte.base import Matte
from vcam.matte.factory import make_matte
from vcam.output.base import Output
from vcam.segment.base import Segmenter
from vcam.segment.segmenter import open_segmenter
from vcam.settings import Settings
from vcam.timings import Timings
from vcam.types import Size

log = logging.getLogger(__name__)


class Pipeline:
    """One camera, one person, one background, any number of outputs.

    Takes over what it is given: `close` closes it all. Not thread safe; `stop` may be called from anywhere.
    """

    def __init__(
        self,
        camera: Camera,
        segmenter: Segmenter | None,
        matte: Matte,
        composer: Composer,
        outputs: Sequence[Output],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """segmenter: None if the background needs no matte, as `none` does. The camera must be open already."""
        self.camera, self.segmenter, self.matte, self.composer = camera, segmenter, matte, composer
        self.outputs = list(outputs)
        self.timings = Timings()
        self._clock = clock
        self._stopping = False
        self._failing = False
        self._shown: Frame | None = None

    def open_outputs(self, size: Size, fps: float) -> None:
        """Open every output; if one fails, those before it are closed again."""
        opened = []
        try:
            for output in self.outputs:
                output.open(size, fps)
                opened.append(output)
        except BaseException:
            for output in opened:
                output.abort()
            raise

    def step(self) -> bool:
        """Bring one frame from the camera to every output; False once there is nothing more to do.

        Raises what the camera and the outputs raise. Failures in between do not stop the picture.
        """
        timings = self.timings
        with timings.stage("read"):
            frame = self.camera.read()
        if frame is None:
            return False
        now = self._clock()
        self._shown = None
        picture = self.composite(frame, now)
        with timings.stage("write"):
            for output in self.outputs:
                output.write(picture)
        self._shown = picture
        timings.delivered(self._clock() - frame.timestamp if self.camera.live else self._clock() - now)
        return not any(output.finished for output in self.outputs)

    def repeat(self) -> bool:
        """Show the last picture once more; False if there is none."""
        if self._shown is None:
            return False
        for output in self.outputs:
            output.write(self._shown)
        return True

    def forget(self) -> None:
        """The source has changed or paused: nothing of earlier frames may weigh in on later ones."""
        self._shown = None
        self.matte.reset()
        if self.segmenter:
            self.segmenter.reset()

    def composite(self, frame: Frame, now: float) -> Frame:
        """The finished picture of one frame; belongs to the composer until the next call. Never raises for a frame."""
        timings = self.timings
        try:
            alpha = self.make_alpha(frame) if self.composer.needs_alpha else None
            with timings.stage("compose"):
                picture = self.composer.compose(frame, alpha, now)
        except Exception as error:
            # whatever went wrong, this frame has no matte of its own: it must not be seen
            self._report(error)
            timings.without_person += 1
            with timings.stage("compose"):
                return self.composer.without_person(frame, now)
        if self._failing:
            self._failing = False
            log.warning("the picture is complete again")
        return picture

    def make_alpha(self, frame: Frame) -> Alpha:
        """The matte of a frame. Raises whatever the network raises, `EngineError` if there is none."""
        if self.segmenter is None:
            raise EngineError("there is no network to find the person with")
        with self.timings.stage("segment"):
            probability = self.segmenter.segment(frame)
        with self.timings.stage("matte"):
            return self.matte.update(probability, frame)

    def run(self, frames: int | None = None) -> None:
        """Step until the source ends, an output has had enough, `stop` is called, or `frames` frames are done."""
        self._stopping = False
        done = 0
        while not self._stopping and (frames is None or done < frames):
            if not self.step():
                break
            done += 1

    def stop(self) -> None:
        """Let `run` return after the frame in hand. May be called from another thread or a signal handler."""
        self._stopping = True

    def close(self) -> None:
        """Finish the outputs and let go of everything. The first error of an output is raised once all are closed."""
        failure: VcamError | None = None
        for output in self.outputs:
            try:
                output.close()
            except VcamError as error:
                failure = failure or error
        self._release()
        if failure:
            raise failure

    def abort(self) -> None:
        """Let go of everything and leave nothing half-written."""
        for output in self.outputs:
            output.abort()
        self._release()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _release(self) -> None:
        for part in (self.camera, self.composer, self.segmenter):
            if part is not None:
                with suppress(VcamError):
                    part.close()

    def _report(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            log.warning("the person cannot be shown: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))


def open_pipeline(
    settings: Settings, camera: Camera, size: Size, outputs: Sequence[Output], *, still: bool = False
) -> Pipeline:
    """A pipeline as the settings ask for, around a camera that is open and gives frames of `size`.

    `still`: every frame is a picture of its own. Outputs are left as they are. Raises `UsageError`, `InputError`,
    `ModelError` or `EngineError`; the camera and the outputs stay the caller's to close then.
    """
    background = parse_background(settings.background.spec, settings.background)
    background.prepare(size)
    segmenter = None
    try:
        if background.needs_alpha:
            segmenter = open_segmenter(settings.segment, size)
        composer = PlateComposer(background, size)
    except BaseException:
        background.close()
        raise
    return Pipeline(camera, segmenter, make_matte(settings.matte, still=still), composer, outputs)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3


def tune_process() -> None:
    """Set up OpenCV and the allocator for a loop of one thread.

    OpenCV's own threads cost more than they gain on passes this short. glibc is told to keep freed memory: what a frame
    allocates in passing would otherwise be mapped and faulted in anew for every frame.
    """
    cv2.setNumThreads(1)
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 64 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 256 << 20)


def give_back_memory() -> None:
    """Return to the system what starting up has freed; `tune_process` keeps it for a loop that will not need it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
