"""The pipeline on files: pictures, videos and folders of pictures, composited (`apply`) or as mattes (`mask`)."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vcam.camera.demo import DemoScene
from vcam.camera.file import PictureFile, VideoFile, is_picture
from vcam.camera.turn import Turn
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.compose.matteview import MatteView
from vcam.errors import InputError, UsageError
from vcam.files import Overwriting, no_folder, write_error
from vcam.filmroom import RoomSource, check, film, remember, unrecognised
from vcam.frames import Frame, check_size
from vcam.images import frame_to_bgr, is_moving, pictures_in, write_image, written_suffix
from vcam.matting import open_matting
from vcam.media.times import frame_times
from vcam.output.encoded.file import VideoFileOutput
from vcam.output.factory import make_output
from vcam.output.y4m import Y4MFile
from vcam.pipeline import Pipeline, open_pipeline, tune_process
from vcam.settings import Settings, files_read, parse_size
from vcam.signals import stop_on_signals
from vcam.suffixes import IMAGE_SUFFIXES, OUTPUT_SUFFIXES, PICTURE_SUFFIXES, VIDEO_SUFFIXES
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
    rule: Overwriting = field(default_factory=Overwriting)
    """What the target may overwrite."""


@dataclass(slots=True)
class Done:
    """What became of a job. `interrupted`: a signal ended it early; what was written so far is playable."""

    frames: int
    cpu_ms_per_frame: float
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    """What a person should know of it, though it is no failure."""


def plan(source: Path, target: Path, *, mattes: bool, rule: Overwriting | None = None) -> list[Job]:
    """The jobs that INPUT and OUTPUT mean; the mattes of pictures are `.png` files.

    A folder gives one job for each picture in it, into the folder `target`, which is made if its parent exists. No two
    jobs have one target. rule: what may be overwritten, by default nothing; the sources never are. Raises `UsageError`
    for what is missing or cannot be meant, `InputError` for a folder without pictures.
    """
    rule = (rule or Overwriting()).with_inputs(source)
    if os.path.isdir(source):
        jobs = _plan_folder(source, target, mattes, rule)
        _check_all(jobs, rule)
        try:
            target.mkdir(exist_ok=True)
        except OSError as error:
            raise write_error(target, error) from error
        return jobs
    picture = is_picture(source)
    if os.path.isdir(target):
        suffix = source.suffix if source.suffix.lower() in VIDEO_SUFFIXES else ".mp4"
        if picture:
            suffix = ".png" if mattes else written_suffix(source)
        target = target / f"{source.stem}{suffix}"
    if not os.path.isdir(target.parent):
        raise no_folder(target.parent)
    rule.check(target)
    suffixes = IMAGE_SUFFIXES if picture else OUTPUT_SUFFIXES
    if target.suffix.lower() not in suffixes:
        kind = "a picture" if picture else "a video"
        raise UsageError(f"{source.name} is {kind}, but {target.name} is not", f"use {_some(suffixes)}")
    return [Job(source, target, picture, rule)]


def _check_all(jobs: Sequence[Job], rule: Overwriting) -> None:
    """Before any work: none of the results may be in the way of a file that is to stay."""
    taken: list[Path] = []
    for job in jobs:
        try:
            rule.check(job.target)
        except UsageError:
            if rule.allowed or rule.is_input(job.target):
                raise
            taken.append(job.target)
    if len(taken) == 1:
        rule.check(taken[0])
    if taken:
        raise UsageError(f"{taken[0]} and {len(taken) - 1} others exist", "give another folder, or --overwrite")


def _plan_folder(source: Path, target: Path, mattes: bool, rule: Overwriting) -> list[Job]:
    if os.path.lexists(target) and not os.path.isdir(target):
        raise UsageError(f"{source} is a folder, so {target} must be one too", "give the name of a folder")
    if not os.path.lexists(target) and target.suffix.lower() in (*IMAGE_SUFFIXES, *OUTPUT_SUFFIXES):
        raise UsageError(
            f"{source} is a folder, and {target} is the name of a file",
            f"give the name of a folder, such as {target.with_suffix('')}",
        )
    pictures = _pictures(source)
    if not pictures:
        raise InputError(f"there are no pictures in {source}", f"vcam reads {_some(PICTURE_SUFFIXES)}")
    if not target.exists():
        if not os.path.isdir(target.parent):
            raise no_folder(target)
    elif target.samefile(source):
        raise UsageError(f"{target} is the input folder itself", "give another folder")
    suffixes = {path: ".png" if mattes else written_suffix(path) for path in pictures}
    counts = Counter((path.stem + suffixes[path]).casefold() for path in pictures)
    kept = set() if mattes else {path.name for path in pictures}
    names = _apart([_name(path, suffixes[path], counts, kept) for path in pictures])
    return [Job(path, target / name, True, rule) for path, name in zip(pictures, names, strict=True)]


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


def _name(picture: Path, suffix: str, counts: Counter[str], kept: set[str]) -> str:
    """The picture's stem with the suffix of what is made of it; after its whole name where another is called alike.

    kept: names that pictures have and keep.
    """
    name = picture.stem + suffix
    alone = counts[name.casefold()] == 1 or (name == picture.name and name in kept)
    return name if alone else picture.name + suffix


def _apart(names: Sequence[str]) -> list[str]:
    """The names, with a number where an earlier one is the same, even to a file system that knows no capitals."""
    given: set[str] = set()
    apart = []
    for name in names:
        stem, suffix = os.path.splitext(name)
        number = 1
        while name.casefold() in given:
            number += 1
            name = f"{stem}-{number}{suffix}"
        given.add(name.casefold())
        apart.append(name)
    return apart


def _some(suffixes: frozenset[str]) -> str:
    return ", ".join(sorted(suffixes))


class Batch:
    """Works off jobs with one set of settings, keeping the network loaded between pictures; a context manager."""

    def __init__(self, settings: Settings, *, mattes: bool, room: RoomSource | None = None) -> None:
        """room: what is known of the rooms behind. Raises `UsageError` for settings that cannot be meant."""
        tune_process()
        if mattes:
            # whatever the config file says: without a background there would be no matte
            settings = settings.replace(background__spec="green", filters__chain=(), framing__auto=False)
        if room:
            check(settings)
        self._settings, self._mattes, self._room = settings, mattes, room
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
        notes = [f"{job.source} moves: only its first picture was taken"] if moving else []
        kept = None
        if self._room:
            told = self._room.of(job.source, camera.true_size, self._stills.matting)
            kept = remember(self._stills.matting, told)
            notes += told.notes
        write_image(job.target, self._stills.picture(frame)[:height, :width], job.rule)
        progress(1, 1)
        if kept and (word := unrecognised(job.source.name, kept.recognised, kept.frames)):
            notes.append(word)
        cost = 1e3 * (time.process_time() - start)
        return Done(1, cost, notes=notes)

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
            kept, said = None, list[str]()
            if self._room and not pipeline.composer.needs_alpha:
                said.append("nobody is looked for with the background none, so --room does nothing")
            elif self._room:
                told = self._room.of(job.source, camera.size, pipeline.matting, lambda: film(job.source))
                kept, said = remember(pipeline.matting, told), [*told.notes]
            pipeline.open_outputs(camera.size, camera.fps)
            while not interrupted and pipeline.step():
                progress(pipeline.timings.frames, camera.frames)
            timings = pipeline.timings
            notes = [f"{camera.description} {note}" for note in camera.notes]
            notes += [*_not_kept(job, camera, output), "" if interrupted else _cut(camera, timings.frames)]
            notes += [*said, unrecognised(job.source.name, kept.recognised, kept.frames) if kept else ""]
            if interrupted and isinstance(output, VideoFileOutput):
                output.end_early()
            cost = sum(timings.stages_ms().values())
            return Done(timings.frames, cost, bool(interrupted), [note for note in notes if note])

    def _video_output(self, job: Job, camera: VideoFile) -> VideoFileOutput | Y4MFile:
        if job.target.suffix.lower() == ".y4m":
            return Y4MFile(job.target, rule=job.rule)
        audio = None if self._mattes else job.source
        return VideoFileOutput(job.target, audio_from=audio, blocking=True, times=camera.uneven, rule=job.rule)


def film_demo(settings: Settings, frames: int, progress: Progress) -> Timings:
    """Composite the demo scene into the files that the settings name, as fast as it goes; returns what it cost.

    A film's frames are evenly spaced however busy the machine is, which a loop at a camera's pace could not promise.
    A signal ends it early; what was written so far is playable. Raises what `Pipeline.from_settings` raises.
    """
    tune_process()
    size = check_size(*parse_size(settings.output.size), "the output")
    camera = DemoScene(Turn(int(settings.camera.rotate)).size(size), settings.output.fps)
    rule = Overwriting(settings.stream.overwrite, lambda: files_read(settings))
    outputs = [make_output(target, live=False, rule=rule) for target in settings.output.targets]
    pipeline = Pipeline.from_settings(settings, camera=camera, outputs=outputs)
    with pipeline, stop_on_signals(pipeline.stop) as interrupted:
        while not interrupted and pipeline.timings.frames < frames and pipeline.step():
            progress(pipeline.timings.frames, frames)
    return pipeline.timings


def _not_kept(job: Job, camera: VideoFile, output: VideoFileOutput | Y4MFile) -> list[str]:
    """Words on what the new film has not of the old one."""
    name = job.target.name
    if isinstance(output, VideoFileOutput):
        return [f"{name}: {output.note}"] if output.note else []
    if camera.uneven is None:
        return []
    return [f"{name}: frames come evenly, {camera.fps:.5g} a second as on average, since .y4m has no times"]


_MISSING = 0.05
"""The share of a film's frames that may be missing before anybody is told."""


def _cut(camera: VideoFile, frames: int) -> str:
    """A word on a film that ended before its time, as one does whose download broke off."""
    info, times = camera.info, camera.times
    if info is None or times is None:
        return ""
    share = min(1.0, frames / times.count)
    found, meant = float(times.end) * share, max(float(times.end), info.duration or 0.0)
    if share >= 1 - _MISSING and meant > found + _ends_early(meant):
        # sound may well go on for longer than the picture
        others = (track.index for track in info.tracks if track.kind in ("audio", "subtitle") and track.codec)
        ends = (frame_times(Path(camera.description), index) for index in others)
        found = max((float(end.end) for end in ends if end), default=found)
    if meant <= found + _ends_early(meant):
        return ""
    return f"{camera.description} ended after {found:.1f} of {meant:.1f} seconds: it may be damaged"


def _ends_early(seconds: float) -> float:
    return seconds * _MISSING + 0.1


class StillComposer:
    """Finished pictures from frames that have nothing to do with each other, whatever their sizes."""

    def __init__(self, settings: Settings, *, mattes: bool) -> None:
        self._mattes = mattes
        self._background = parse_background(settings.background.spec, settings.background)
        self._effects = make_effects(settings.filters, settings.overlay, still=True)
        self.matting = open_matting(settings, (256, 256), still=True)
        """What finds the person in them."""

    def picture(self, frame: Frame) -> U8:
        """The matte (height, width) of a frame or its composited picture (height, width, 3) BGR, a fresh array."""
        self.matting.reset()
        if self._mattes:
            return self.matting.picture(frame)
        alpha = self.matting.alpha(frame)
        self._background.prepare(frame.size)
        composer = PlateComposer(self._background, frame.size)
        composer.set_filters(self._effects)
        return frame_to_bgr(composer.compose(frame, alpha, 0.0))

    def close(self) -> None:
        """Free network and background."""
        self.matting.close()
        self._background.close()
