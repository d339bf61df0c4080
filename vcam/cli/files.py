"""`vcam apply` and `vcam mask`: the pipeline on files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from vcam.cli.main import INTERRUPTED, report
from vcam.cli.options import OF_A_CAMERA, Named, load_settings, overwrite_option, room_option, settings_options
from vcam.errors import VcamError
from vcam.files import Overwriting
from vcam.settings import Settings, files_read

FILES = (
    click.argument("input", type=Named()),
    click.argument("output", type=Named()),
    overwrite_option,
    room_option,
)


def _files(command: Any) -> Any:
    for decorate in reversed(FILES):
        command = decorate(command)
    return command


@click.command()
@_files
@settings_options("segment", "matte", "background", "filters", "overlay", "framing", but=OF_A_CAMERA)
def apply(
    input: Path,
    output: Path,
    overwrite: bool,
    room: str | None,
    profile: str,
    assignments: tuple[str, ...],
    **options: Any,
) -> int:
    """Replace the background of a picture, a video, or every picture of a folder.

    Size, frame rate, duration and sound are kept. OUTPUT's suffix decides the format; for a folder OUTPUT is a folder.

    \b
    vcam apply talk.mp4 talk-at-the-beach.mp4 --background beach.jpg
    vcam apply portraits/ blurred/
    vcam apply talk.mp4 blurred.mp4 --room empty.jpg   the camera stood still, and this is its empty room
    """
    return _run(input, output, load_settings(options, profile, assignments).settings, overwrite, room, mattes=False)


@click.command()
@_files
@settings_options("segment", "matte", but=OF_A_CAMERA)
def mask(
    input: Path,
    output: Path,
    overwrite: bool,
    room: str | None,
    profile: str,
    assignments: tuple[str, ...],
    **options: Any,
) -> int:
    """Write the matte: grey, 0 background to 255 person.

    A picture gives a picture (.png), a folder a folder of .png files with the same stems, a video a video.
    """
    return _run(input, output, load_settings(options, profile, assignments).settings, overwrite, room, mattes=True)


def _run(source: Path, target: Path, settings: Settings, overwrite: bool, room: str | None, *, mattes: bool) -> int:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from vcam.batch import Batch, plan
    from vcam.filmroom import PlateError, RoomSource, no_beginning

    known = None if room is None else RoomSource.parse(room)
    rule = Overwriting(overwrite, lambda: files_read(settings)).with_inputs(*(known.files() if known else ()))
    jobs = plan(source, target, mattes=mattes, rule=rule)
    if known and known.learns and jobs[0].picture:
        raise no_beginning(source)
    console = Console(stderr=True)
    quiet = click.get_current_context().find_root().params.get("quiet", False)
    failed = 0
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    hidden = quiet or not console.is_terminal
    with (
        Batch(settings, mattes=mattes, room=known) as batch,
        Progress(*columns, console=console, disable=hidden) as bar,
    ):
        many = len(jobs) > 1
        task = bar.add_task(source.name, total=len(jobs) if many else None)
        for job in jobs:

            def advance(done: int, of: int | None) -> None:
                if not many:
                    bar.update(task, completed=done, total=max(of, done) if of else None)

            try:
                done = batch.run(job, advance)
            except VcamError as error:
                if not many or (known and not known.plates and isinstance(error, PlateError)):
                    raise
                # one bad picture must not cost the others
                failed += 1
                report(error)
            else:
                for note in done.notes:
                    click.echo(f"vcam: {note}", err=True)
                if done.interrupted:
                    click.echo(f"vcam: stopped after {done.frames} frames; {job.target} is playable", err=True)
                    return INTERRUPTED
            if many:
                bar.update(task, advance=1)
    if not quiet:
        _summary(jobs, done if not many else None, failed, target)
    return 1 if failed else 0


def _summary(jobs: list[Any], done: Any, failed: int, target: Path) -> None:
    if done is not None:
        cost = f": {done.frames} frames, {done.cpu_ms_per_frame:.1f} ms of CPU each" if done.frames > 1 else ""
        # the name that it has in a folder that was given
        click.echo(f"{jobs[0].target}{cost}", err=True)
    else:
        click.echo(f"{target}: {len(jobs) - failed} pictures" + (f", {failed} failed" if failed else ""), err=True)
    sys.stderr.flush()
