"""The pipeline on files: pictures, videos and folders of pictures, composited (`apply`) or as mattes (`mask`)."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from vcam.camera.demo import DemoScene
from vcam.camera.file import PictureFile, VideoFile, is_picture
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.compose.matteview import MatteView
from vcam.errors import InputError, UsageError
from vcam.frames import Frame, check_size
from vcam.images import (
    IMAGE_SUFFIXES,
    PICTURE_SUFFIXES,
    frame_to_bgr,
    is_moving,
    pictures_in,
    write_image,
    written_suffix,
)
from vcam.matting import open_matting
from vcam.media.containers import VIDEO_SUFFIXES
from vcam.output.encoded.file import VideoFileOutput
from vcam.output.factory import make_output
from vcam.output.y4m import Y4MFile
from vcam.pipeline import Pipeline, open_pipeline, tune_process
from vcam.settings import Settings, parse_size
from vcam.signals import stop_on_signals
from vcam.timings import Timings
from vcam.types import U8

_log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Told after each frame: how many are done, and of how many if that is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to make from another."""

    source: Path
    target: Path
    picture: bool


@dataclass(slots=True)
class Done:
    """What became of a job. `interrupted`: a signal ended it early; what was written so far is playable."""

    frames: int
    cpu_ms_per_frame: float
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    """What a person should know of it, though it is no failure."""


def plan(source: Path, target: Path, *, mattes: bool) -> list[Job]:
    """The jobs that INPUT and OUTPUT mean; the mattes of pictures are `.png` files.

    A folder gives one job for each picture in it, into the folder `target`, which is made if its parent exists. Raises
    `UsageError` for what is missing or cannot be meant, `InputError` for a folder without pictures.
    """
    if not source.exists():
        raise UsageError(f"there is no file or folder {source}", "check the path")
    if source.is_dir():
        return _plan_folder(source, target, mattes)
    picture = is_picture(source)
    if target.is_dir():
        suffix = source.suffix if source.suffix.lower() in VIDEO_SUFFIXES else ".mp4"
        if picture:
            suffix = ".png" if mattes else written_suffix(source)
        target = target / f"{source.stem}{suffix}"
    if not target.parent.is_dir():
        raise UsageError(f"there is no folder {target.parent}", f"mkdir -p {target.parent}")
    if target.exists() and target.samefile(source):
        raise UsageError(f"{target} is the input itself", "give the output another name")
    suffixes = IMAGE_SUFFIXES if picture else VIDEO_SUFFIXES | {".y4m"}
    if target.suffix.lower() not in suffixes:
        kind = "a picture" if picture else "a video"
        raise UsageError(f"{source.name} is {kind}, but {target.name} is not", f"use {_some(suffixes)}")
    return [Job(source, target, picture)]


def _plan_folder(source: Path, target: Path, mattes: bool) -> list[Job]:
    if target.exists() and not target.is_dir():
        raise UsageError(f"{source} is a folder, so {target} must be one too", "give the name of a folder")
    pictures = _pictures(source)
    if not pictures:
        raise InputError(f"there are no pictures in {source}", f"vcam reads {_some(PICTURE_SUFFIXES)}")
    if not target.exists():
        if not target.parent.is_dir():
            raise UsageError(f"there is no folder {target.parent}", f"mkdir -p {target}")
        target.mkdir()
    elif target.samefile(source):
        raise UsageError(f"{target} is the input folder itself", "give another folder")
    suffixes = {path: ".png" if mattes else written_suffix(path) for path in pictures}
    names = Counter(path.stem + suffixes[path] for path in pictures)
    kept = set() if mattes else {path.name for path in pictures}
    return [Job(path, target / _name(path, suffixes[path], names, kept), True) for path in pictures]


def _pictures(folder: Path) -> list[Path]:
    """The pictures of a folder; what is empty is said and left out."""
    try:
        found = pictures_in(folder)
        empty = [path for path in found if path.stat().st_size == 0]
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}", f"chmod u+rx {folder}") from error
    for path in empty:
        _log.warning("%s is empty and left out", path)
    return [path for path in found if path not in empty]


def _name(picture: Path, suffix: str, names: Counter[str], kept: set[str]) -> str:
    """The picture's stem with the suffix of what is made of it; after its whole name where another is called alike.

    kept: names that pictures have and keep.
    """
    name = picture.stem + suffix
    return name if names[name] == 1 or (name == picture.name and name in kept) else picture.name + suffix


def _some(suffixes: frozenset[str]) -> str:
    return ", ".join(sorted(suffixes))


class Batch:
    """Works off jobs with one set of settings, keeping the network loaded between pictures; a context manager."""

    def __init__(self, settings: Settings, *, mattes: bool) -> None:
        """Raises `UsageError` for settings that cannot be meant."""
        tune_process()
        if mattes:
            # whatever the config file says: without a background there would be no matte
            settings = settings.replace(background__spec="green", filters__chain=(), framing__auto=False)
        self._settings, self._mattes = settings, mattes
        self._stills: StillComposer | None = None

    def run(self, job: Job, progress: Progress) -> Done:
        """Make one file. Raises `VcamError`; nothing is then left under the target's name."""
        return self._picture(job, progress) if job.picture else self._video(job, progress)

    def close(self) -> None:
        """Free the network."""
        if self._stills:
            self._stills.close()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _picture(self, job: Job, progress: Progress) -> Done:
        camera = PictureFile(job.source)
        camera.open()
        moving = is_moving(job.source)
        frame = camera.read()
        assert frame is not None
        start = time.process_time()
        if self._stills is None:
            self._stills = StillComposer(self._settings, mattes=self._mattes)
        width, height = camera.true_size
        write_image(job.target, self._stills.picture(frame)[:height, :width])
        progress(1, 1)
        cost = 1e3 * (time.process_time() - start)
        return Done(1, cost, notes=[f"{job.source} moves: only its first picture was taken"] if moving else [])

    def _video(self, job: Job, progress: Progress) -> Done:
        camera = VideoFile(job.source, paced=False)
        camera.open()
        try:
            output = self._video_output(job, camera)
            composer = MatteView(camera.size) if self._mattes else None
            pipeline = open_pipeline(self._settings, camera, camera.size, [output], composer=composer)
        except BaseException:
            camera.close()
            raise
        with pipeline, stop_on_signals(pipeline.stop) as interrupted:
            pipeline.open_outputs(camera.size, camera.fps)
            while not interrupted and pipeline.step():
                progress(pipeline.timings.frames, camera.frames)
            timings = pipeline.timings
            notes = (_odd(camera), "" if interrupted else _cut(camera, timings.frames))
            cost = sum(timings.stages_ms().values())
            return Done(timings.frames, cost, bool(interrupted), [note for note in notes if note])

    def _video_output(self, job: Job, camera: VideoFile) -> VideoFileOutput | Y4MFile:
        if job.target.suffix.lower() == ".y4m":
            return Y4MFile(job.target)
        audio = None if self._mattes else job.source
        return VideoFileOutput(job.target, audio_from=audio, true_size=camera.true_size, blocking=True)


def film_demo(settings: Settings, frames: int, progress: Progress) -> Timings:
    """Composite the demo scene into the files that the settings name, as fast as it goes; returns what it cost.

    A film's frames are evenly spaced however busy the machine is, which a loop at a camera's pace could not promise.
    A signal ends it early; what was written so far is playable. Raises what `Pipeline.from_settings` raises.
    """
    tune_process()
    camera = DemoScene(check_size(*parse_size(settings.output.size), "the output"), settings.output.fps)
    outputs = [make_output(target, live=False) for target in settings.output.targets]
    pipeline = Pipeline.from_settings(settings, camera=camera, outputs=outputs)
    with pipeline, stop_on_signals(pipeline.stop) as interrupted:
        while not interrupted and pipeline.timings.frames < frames and pipeline.step():
            progress(pipeline.timings.frames, frames)
    return pipeline.timings


_MISSING = 0.05
"""The share of a film's frames that may be missing before anybody is told."""


def _cut(camera: VideoFile, frames: int) -> str:
    """A word on a film that ended before its time, as one does whose download broke off."""
    if not camera.frames or frames >= camera.frames * (1 - _MISSING) - 2:
        return ""
    found, meant = frames / camera.fps, camera.frames / camera.fps
    return f"{camera.description} ended after {found:.1f} of {meant:.1f} seconds: it may be damaged"


def _odd(camera: VideoFile) -> str:
    if camera.size == camera.true_size:
        return ""
    width, height = camera.true_size
    return f"{camera.description} is {width}x{height}: odd sides need H.264 with full chroma, which few browsers play"


class StillComposer:
    """Finished pictures from frames that have nothing to do with each other, whatever their sizes."""

    def __init__(self, settings: Settings, *, mattes: bool) -> None:
        self._mattes = mattes
        self._background = parse_background(settings.background.spec, settings.background)
        self._effects = make_effects(settings.filters, settings.overlay, still=True)
        self._matting = open_matting(settings, (256, 256), still=True)

    def picture(self, frame: Frame) -> U8:
        """The matte (height, width) of a frame or its composited picture (height, width, 3) BGR, a fresh array."""
        self._matting.reset()
        if self._mattes:
            return self._matting.picture(frame)
        alpha = self._matting.alpha(frame)
        self._background.prepare(frame.size)
        composer = PlateComposer(self._background, frame.size)
        composer.set_filters(self._effects)
        return frame_to_bgr(composer.compose(frame, alpha, 0.0))

    def close(self) -> None:
        """Free network and background."""
        self._matting.close()
        self._background.close()
