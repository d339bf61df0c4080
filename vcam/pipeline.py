"""The loop: camera -> segment -> matte -> compose -> outputs, one frame at a time, in one thread.

    with Pipeline(camera, segmenter, matte, composer, outputs) as pipeline:
        pipeline.run()

A frame leaves only if it was composited with the matte made from it. Where there is no such matte - the network failed,
its result was unusable, a stage threw - the frame is shown without any person.
"""

from __future__ import annotations

import ctypes
import logging
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import cv2

from vcam.camera.base import FIRST_FRAME, Camera
from vcam.camera.factory import make_camera
from vcam.camera.operator import CameraOperator
from vcam.camera.shape import ShapedCamera
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.base import Background, Composer
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.compose.filters.chain import Chain
from vcam.compose.placeholder import off, placeholder
from vcam.errors import CameraStalled, UsageError, VcamError
from vcam.files import Overwriting
from vcam.frames import Frame, MadeFrom, Map, check_size
from vcam.matte.base import Matte
from vcam.matte.factory import make_matte
from vcam.matting import Matting, open_network
from vcam.output.base import LeavesCard, Output
from vcam.output.factory import make_output
from vcam.segment.base import Segmenter
from vcam.segment.emptyroom.choice import OFF, RoomChoice, choose_room
from vcam.settings import CameraSettings, Settings, files_read, parse_size
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
        operator: CameraOperator | None = None,
        room: RoomChoice = OFF,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """segmenter: None if the background needs no matte, as `none` does. room: what is known of the room that the
        camera sees. The camera must be open already."""
        self.camera, self.composer = camera, composer
        self.matting = Matting(segmenter, matte, patient=camera.live, room=room)
        self.outputs = list(outputs)
        self.operator = operator
        self.timings = Timings()
        self._clock = clock
        self._stopping = False
        self._shown: Frame | None = None
        self._notice: tuple[str, Frame] | None = None
        self.made_from: MadeFrom | None = None
        """Of the picture that is being written to the outputs; None for one without a matte of its own, for one that is
        shown again, and between two pictures. For whoever lets its owner, and nobody else, see what is hidden."""
        self.error: Exception | None = None
        """Why the last frame was shown without any person; None if it was complete."""
        self.failed_in_a_row = 0
        self.patience = CameraSettings().timeout
        """Seconds without a frame after which `run` gives up a live camera."""

    @classmethod
    def from_settings(
        cls, settings: Settings, *, camera: Camera | None = None, outputs: Sequence[Output] | None = None
    ) -> Pipeline:
        """A pipeline that is ready to run, all of it as the settings say; camera and outputs may be brought along.

        A camera that is brought along is opened here, and its pictures are cut and scaled to `settings.output.size`.
        Raises what cannot be opened; nothing stays open then.
        """
        size = check_size(*parse_size(settings.output.size), "the output")
        fps, source = settings.output.fps, ""
        if camera is None:
            camera = make_camera(settings.camera, size, fps)
        else:
            shape, source = settings.camera, camera.description
            camera = ShapedCamera(camera, size, shape.mirror, shape.crop, int(shape.rotate), shape.flip)
        if outputs is None:
            rule = Overwriting(settings.stream.overwrite, lambda: files_read(settings))
            outputs = [make_output(target, live=True, rule=rule) for target in settings.output.targets]
        give_cards(outputs)
        camera.open()
        try:
            pipeline = open_pipeline(settings, camera, size, outputs, source=source)
        except BaseException:
            camera.close()
            raise
        pipeline.patience = settings.camera.timeout
        try:
            pipeline.open_outputs(size, fps)
        except BaseException:
            pipeline.abort()
            raise
        return pipeline

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
        try:
            picture = self.composite(frame, now)
            with timings.stage("write"):
                for output in self.outputs:
                    output.write(picture)
        finally:
            # the camera's memory is the camera's again
            self.made_from = None
        self._shown = picture
        timings.delivered(self._clock() - frame.timestamp if self.camera.live else self._clock() - now)
        if self.composer.needs_alpha:
            self.matting.idle()
        return not any(output.finished for output in self.outputs)

    def unseen(self) -> Frame | None:
        """The camera's next frame, which belongs to it and is for no output; None at its end. Raises what it raises.

        Nothing that was shown before may be shown again after it.
        """
        self._shown = None
        with self.timings.stage("read"):
            return self.camera.read()

    def look(self, frame: Frame) -> Map:
        """What the network sees in such a frame; see `vcam.matting.Matting.look`."""
        with self.timings.stage("segment"):
            return self.matting.look(frame)

    def repeat(self) -> bool:
        """Show the last picture once more; False if there is none."""
        if self._shown is None:
            return False
        for output in self.outputs:
            output.write(self._shown)
        return True

    def exchange(
        self,
        *,
        camera: Camera | None = None,
        segmenter: Segmenter | None = None,
        matte: Matte | None = None,
        background: Background | None = None,
        effects: Chain | None = None,
        size: Size | None = None,
        room: RoomChoice | None = None,
        fade: float | None = None,
    ) -> list[Camera | Segmenter | Background | RoomChoice]:
        """Go on with other parts from the next frame on; to be called between two frames.

        The camera is open already and the background is prepared for the size. size: of the frames to come, if it is
        another one; background and effects have to come with it. fade: seconds in which backgrounds go over into
        each other from now on. Returns what was replaced, the caller's to close, which may take a while. Raises
        `UsageError` if the composer's background cannot be replaced.
        """
        if (background or effects) is not None and not isinstance(self.composer, PlateComposer):
            raise UsageError("this pipeline's background cannot be exchanged", "give it a PlateComposer")
        old: list[Camera | Segmenter | Background | RoomChoice] = []
        if fade is not None and isinstance(self.composer, PlateComposer):
            self.composer.fade = fade
        if background is not None and isinstance(self.composer, PlateComposer):
            old.append(self.composer.exchange(background, size))
        if effects is not None and isinstance(self.composer, PlateComposer):
            self.composer.set_filters(effects)
        if camera is not None:
            old.append(self.camera)
            self.camera = camera
        replaced = self.matting.exchange(segmenter, matte)
        old += [replaced] if replaced else []
        if room is not None:
            old.append(self.matting.exchange_room(room))
        # what was shown before is not to be shown again: it may be the room that a person has just hidden
        if camera is not None or segmenter is not None:
            self.forget()
        self._shown = None
        return old

    def held(self) -> Callable[[], None]:
        """What brings back the parts that are there now, should an `exchange` not come to its end."""
        camera, segmenter, matte = self.camera, self.matting.segmenter, self.matting.matte
        composer = self.composer.held() if isinstance(self.composer, PlateComposer) else None
        room = self.matting.room

        def go_back() -> None:
            self.camera, self.matting.segmenter, self.matting.matte = camera, segmenter, matte
            self.matting.exchange_room(room)
            if composer is not None:
                composer()
            self.forget()

        return go_back

    @property
    def passed_over(self) -> Exception | None:
        """What the background goes on without, though the picture is complete: a damaged picture of a slide show."""
        return self.composer.passed_over if isinstance(self.composer, PlateComposer) else None

    def forget(self) -> None:
        """The source has changed or paused: nothing of earlier frames may weigh in on later ones."""
        self._shown = None
        self.matting.reset()
        if self.operator:
            self.operator.reset()

    def composite(self, frame: Frame, now: float) -> Frame:
        """The finished picture of one frame; belongs to the composer until the next call. Never raises for a frame."""
        timings = self.timings
        self.made_from = None
        try:
            if self.operator:
                with timings.stage("read"):
                    shown = self.operator.frame(frame)
                self.matting.cut, frame = shown is not frame, shown
            alpha = self.matting.alpha(frame, timings) if self.composer.needs_alpha else None
            if self.operator and alpha:
                self.operator.saw(alpha, frame.timestamp)
            with timings.stage("compose"):
                picture = self.composer.compose(frame, alpha, now)
            self.made_from = MadeFrom(frame, alpha)
        except Exception as error:
            # whatever went wrong, this frame has no matte of its own: it must not be seen
            self._report(error)
            timings.without_person += 1
            with timings.stage("compose"):
                notice = self.matting.notice
                return self._card(frame, notice) if notice else self.composer.without_person(frame, now)
        if self.error is not None:
            self.error, self.failed_in_a_row = None, 0
            log.warning("the picture is complete again")
        return picture

    def _card(self, frame: Frame, text: str) -> Frame:
        """Words for whoever is in the picture, in place of the background."""
        if self._notice is None or self._notice[0] != text or self._notice[1].size != frame.size:
            self._notice = (text, placeholder(frame.size, text))
        card = self._notice[1]
        card.timestamp, card.seq = frame.timestamp, frame.seq
        return card

    def run(self, frames: int | None = None) -> None:
        """Step until the source ends, an output has had enough, `stop` is called, or `frames` frames are done.

        A silence of the camera is waited out, for at most `patience`, and before the first frame for `FIRST_FRAME`.
        """
        self._stopping = False
        done = 0
        patience, silent_since = max(self.patience, FIRST_FRAME), None
        while not self._stopping and (frames is None or done < frames):
            try:
                if not self.step():
                    break
            except CameraStalled:
                now = self._clock()
                silent_since = now if silent_since is None else silent_since
                if now - silent_since >= patience:
                    raise
                continue
            patience, silent_since = self.patience, None
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
        for part in (self.camera, self.composer, self.matting):
            with suppress(VcamError):
                part.close()

    def _report(self, error: Exception) -> None:
        self.failed_in_a_row += 1
        first, self.error = self.error is None, error
        if first:
            log.warning("the person cannot be shown: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))


def give_cards(outputs: Sequence[Output]) -> None:
    """Tell outputs that go on showing something after their end what that is, unless they have been told."""
    for output in outputs:
        if isinstance(output, LeavesCard) and output.card is None:
            output.card = off


def open_pipeline(
    settings: Settings,
    camera: Camera,
    size: Size,
    outputs: Sequence[Output],
    *,
    composer: Composer | None = None,
    still: bool = False,
    source: str = "",
) -> Pipeline:
    """A pipeline as the settings ask for, around a camera that is open and gives frames of `size`.

    composer: in place of the one for the settings' background and filters. still: every frame is a picture of its own.
    source: what tells the camera from others, where it is not the one of the settings.
    Outputs are left as they are. Raises `UsageError`, `InputError`, `ModelError` or `EngineError`; the camera and the
    outputs stay the caller's to close then.
    """
    composer = composer or _open_composer(settings, size, still=still, live=camera.live and not still)
    segmenter = None
    # a device by the name it was asked for with: the one it has depends on whether it is open
    source = source or (settings.camera.source if camera.live else camera.description)
    try:
        if composer.needs_alpha:
            segmenter = open_network(settings, size, source, still=still)
    except BaseException:
        composer.close()
        raise
    matte = make_matte(settings.matte, still=still)
    operator = None if still else CameraOperator(settings.framing)
    if settings.framing.auto and not composer.needs_alpha:
        log.warning("nobody is looked for with the background none, so auto-framing does nothing")
    room = choose_room(settings, size, source if camera.live and not still else "")
    return Pipeline(camera, segmenter, matte, composer, outputs, operator=operator, room=room)


def _open_composer(settings: Settings, size: Size, *, still: bool, live: bool) -> PlateComposer:
    background = parse_background(settings.background.spec, settings.background)
    try:
        background.prepare(size)
        composer = PlateComposer(background, size, fade=settings.background.fade)
        composer.set_filters(make_effects(settings.filters, settings.overlay, still=still, live=live))
    except BaseException:
        background.close()
        raise
    return composer


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


def tune_process() -> None:
    """Set up OpenCV, the allocator and Python's threads for a loop of one thread.

    OpenCV's own threads cost more than they gain on passes this short. glibc is told to keep freed memory: what a frame
    allocates in passing would otherwise be mapped and faulted in anew for every frame. One heap for the loop and one
    for all other threads are enough; with eight for each core, memory would go on growing under live changes, as each
    keeps the pieces that do not fit.
    """
    cv2.setNumThreads(1)
    # Python's default of 5 ms is long for a frame that waits while another thread answers a request
    sys.setswitchinterval(0.0005)
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 64 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 256 << 20)
        libc.mallopt(M_ARENA_MAX, 2)


def give_back_memory() -> None:
    """Return to the system what starting up has freed; `tune_process` keeps it for a loop that will not need it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
