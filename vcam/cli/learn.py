"""`vcam learn`: the network that vcam ships, taught one's own room and face."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam.cli import complete
from vcam.cli.asking import go_on, yes_option
from vcam.cli.options import Named
from vcam.errors import UsageError
from vcam.printable import json_text, printable

if TYPE_CHECKING:
    from vcam.learn.lesson import Outcome
    from vcam.settings import Settings

MINUTES = 5.0
_STEPS = {
    "wait me": "sit as in a call: it begins in {:g}",
    "film me": "move as in a call, and talk with your hands: {:g} s",
    "wait room": "step out of the picture: {:g}",
    "film room": "stay out of the picture: {:g} s",
}


@click.command()
@click.option("--minutes", default=MINUTES, show_default=True, type=click.FloatRange(0, 120, min_open=True),
              metavar="N", help="Time for the training at most; it mostly needs less.")  # fmt: skip
@click.option("--clip", "clips", multiple=True, type=Named(), metavar="FILE", shell_complete=complete.files,
              help="Learn from this film of you, and film nothing; may be repeated.")  # fmt: skip
@click.option("--room", type=Named(), metavar="FILE", shell_complete=complete.files,
              help="With --clip: a picture or a film of the empty room behind you.")  # fmt: skip
@click.option("--no-room", is_flag=True, help="Do not film the empty room.")
@click.option("--strokes", multiple=True, type=Named(), metavar="PICTURE", shell_complete=complete.files,
              help="What you drew over a frame, on a transparent ground: red is not you, green is.")  # fmt: skip
@click.option("--others", type=Named(), metavar="DATA", shell_complete=complete.files,
              help="A data set of other people, so that they are forgotten less.")  # fmt: skip
@click.option("--teacher", default="", metavar="MODEL", shell_complete=complete.models,
              help="The network to learn from.  [default: the best one here]")  # fmt: skip
@click.option("--name", default="mine", show_default=True, metavar="NAME", help="What to call the network.")
@click.option("--keep", type=Named(), metavar="DIR", shell_complete=complete.files,
              help="Keep what the camera films, in this folder.")  # fmt: skip
@click.option("--undo", is_flag=True, help="Take the network out again, and use the one from before.")
@yes_option
@click.option("--json", "as_json", is_flag=True, help="Write JSON to stdout, for scripts.")
def learn(
    minutes: float, clips: tuple[Path, ...], room: Path | None, no_room: bool, strokes: tuple[Path, ...],
    others: Path | None, teacher: str, name: str, keep: Path | None, undo: bool, yes: bool, as_json: bool,
) -> int:  # fmt: skip
    """Teach the network your room and your face.

    Films you for half a minute, and your empty room for two seconds, on this machine alone. A better and slower network
    says where you are; the one that vcam uses learns that, at the same cost a frame as before. It is measured on the
    half of the film that it has not seen, and on other people. If it is better on you and not worse on others, it is
    kept as the model NAME and used from then on; otherwise nothing changes.

    Needs the extra train.

    \b
    vcam learn
    vcam learn --clip me.mp4 --room empty.jpg
    vcam learn --undo
    """
    if undo:
        return _undo(name, as_json)
    from vcam.cli.training import check_extra
    from vcam.train import forms

    check_extra()
    forms.check_extra(forms.form_of("onnx"))
    _refuse_half(clips, room, no_room, strokes, keep)
    from vcam.learn import keeping
    from vcam.learn.lesson import Wish, check
    from vcam.settings import load

    quiet = bool(click.get_current_context().find_root().params.get("quiet", False))
    settings = load().settings
    teacher = teacher or _teacher(yes)
    draw = keeping.draw_folder() if clips else None
    wish = Wish(clips, teacher, room, strokes, others, name, minutes, _profile(), draw)
    check(wish)
    if not quiet:
        click.echo(printable(_plan(wish, no_room, keep), "\n"), err=True)
    go_on(yes)
    try:
        outcome = _learnt(wish, settings, keep, room=not no_room, hidden=quiet or as_json)
    except KeyboardInterrupt:
        click.echo("vcam: broken off: nothing was kept, and the network that you have stays", err=True)
        raise
    _tell(outcome, name, as_json, quiet)
    return 0 if outcome.verdict.accepted else 1


def _refuse_half(
    clips: tuple[Path, ...], room: Path | None, no_room: bool, strokes: tuple[Path, ...], keep: Path | None
) -> None:  # fmt: skip
    """Raise `UsageError` for options that do not go together."""
    if room is not None and not clips:
        raise UsageError("--room is the room behind a film", "--clip FILE goes with it; without both, vcam films them")
    if room is not None and no_room:
        raise UsageError("--room and --no-room contradict each other", "leave one of them away")
    if strokes and not clips:
        raise UsageError("strokes are drawn on a film that is there", "--clip FILE; vcam learn --keep DIR leaves one")
    there = [] if keep is None else [keep / film for film in ("me.mkv", "room.mkv") if (keep / film).exists()]
    if there:
        raise UsageError(f"{there[0]} is there already", "give another folder: --keep DIR")
    if keep is not None and clips:
        raise UsageError("--keep is for what the camera films", "leave it away")


def _profile() -> str:
    import os

    return os.environ.get("VCAM_PROFILE", "")


def _teacher(yes: bool) -> str:
    """The best teacher here, or the one that is fetched now. Raises `UsageError` if there is none."""
    from vcam.learn.lesson import TEACHER, best_teacher

    if found := best_teacher():
        return found
    from vcam.cli.models import pull
    from vcam.models.catalogue import entry_of

    cure = f"vcam models pull {TEACHER}"
    if yes or not sys.stdin.isatty():
        raise UsageError("there is no network here that is good enough to teach", cure)
    entry = entry_of(TEACHER)
    asked = f"A teacher is needed. Fetch {TEACHER} ({entry.bytes / 1e6:.0f} MB, {entry.licence}, {entry.shown})?"
    if not click.confirm(asked, default=True, err=True):
        raise UsageError("nothing can be learnt without a teacher", cure)
    click.get_current_context().invoke(pull, what=TEACHER, name="", replace=False, accept_licence=False, as_json=False)
    return TEACHER


def _plan(wish: Any, no_room: bool, keep: Path | None) -> str:
    """What will be done, in words."""
    from vcam.learn import keeping
    from vcam.learn.recording import SECONDS

    lines = []
    if wish.clips:
        lines.append(f"vcam learns you from {', '.join(path.name for path in wish.clips)}.")
    else:
        room = "" if no_room else ", then the empty room for two seconds"
        lines.append(
            f"vcam films you for {SECONDS:g} seconds{room}. Whoever watches a vcam that runs sees a placeholder "
            "meanwhile."
        )
        where = keep or f"{keeping.folder()}, for you alone, and are removed when it is done (--keep DIR keeps them)"
        lines.append(f"The films stay on this machine: in {where}.")
    lines.append(
        f"It learns from what {wish.teacher} sees in them, in at most {wish.minutes:g} minutes, and is compared with "
        "the network that you use."
    )
    lines.append(f"A picture of both side by side is kept in {keeping.sheet_path(wish.name)}: it shows you.")
    lines.append(
        f"If it is better on you and not worse on others, it becomes the model {wish.name}, and vcam uses it from the "
        "next start on. vcam learn --undo takes that back."
    )
    return "\n".join(lines)


def _learnt(wish: Any, settings: Settings, keep: Path | None, *, room: bool, hidden: bool) -> Outcome:
    from vcam.learn import keeping
    from vcam.learn.lesson import learn as run

    with keeping.working() as work, _bar(hidden) as (told, tell):
        if not wish.clips:
            from dataclasses import replace

            me, empty = _filmed(settings, work, told, room=room)
            if keep is not None:
                _kept(keep, me, empty)
            wish = replace(wish, clips=(me,), room=empty, draw=keep)
        return run(wish, settings, work, tell)


def _filmed(settings: Settings, work: Path, told: Any, *, room: bool) -> tuple[Path, Path | None]:
    from vcam.learn.recording import as_running, camera_let_go, film

    settings = as_running(settings)
    with camera_let_go():
        return film(settings, work, told, room=room)


def _kept(folder: Path, *files: Path | None) -> None:
    """Copy the films, for their owner alone. Raises `OutputError`."""
    from vcam.files import write_error, write_whole

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise write_error(folder, error) from error
    for file in files:
        if file is not None:
            write_whole(folder / file.name, partial(shutil.copyfile, file), mode=0o600)


@contextmanager
def _bar(hidden: bool) -> Iterator[tuple[Callable[[str, float, float], None], Callable[[str, float], None]]]:
    """What shows how far it is: of the filming, and of the learning."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    plain = not console.is_terminal and not hidden
    said: set[str] = set()
    columns = TextColumn("{task.description}", markup=False), BarColumn()
    # a thread that draws could not be ended in the midst of a drawing by Ctrl-C
    with Progress(
        *columns, console=console, disable=hidden or not console.is_terminal, auto_refresh=False, transient=True
    ) as bar:
        task = bar.add_task("", total=1.0)

        def tell(words: str, done: float) -> None:
            if plain and words not in said:
                said.add(words)
                click.echo(f"vcam: {printable(words)}", err=True)
            bar.update(task, description=printable(words), completed=done, refresh=True)

        def told(step: str, left: float, done: float) -> None:
            if plain:
                if step not in said:
                    said.add(step)
                    click.echo(f"vcam: {_STEPS[step].format(left)}", err=True)
                return
            bar.update(task, description=_STEPS[step].format(left), completed=done, refresh=True)

        yield told, tell


def _tell(outcome: Outcome, name: str, as_json: bool, quiet: bool) -> None:
    if as_json:
        click.echo(json_text(_report(outcome), indent=2))
        return
    from rich.console import Console
    from rich.table import Column, Table

    columns = ("mIoU %", "edge band %", "flicker", "others, mIoU %")
    table = Table("network", *(Column(words, justify="right") for words in columns))
    for words, figures in ((outcome.compared, outcome.before), (name, outcome.after)):
        values = figures.miou, figures.band, figures.flicker, figures.others
        table.add_row(printable(words), *(f"{value:.2f}" for value in values))
    Console().print(table)
    for note in outcome.notes:
        click.echo(f"vcam: {printable(note)}", err=True)
    if not quiet and outcome.sheet:
        click.echo(printable(f"side by side: {outcome.sheet}"))
    if outcome.doubt and not outcome.draw:
        click.echo("vcam: in some places nobody knows whether it is you; with --keep DIR you may say so", err=True)
    if outcome.draw:
        paths = " ".join(str(path) for path in outcome.draw)
        click.echo(printable(
            "vcam: where nobody knows whether it is you, you may say so: draw on these pictures, on a layer of its "
            f"own, green where you are, red where you are not, and run it again with --strokes\n  {paths}"
        , "\n"), err=True)  # fmt: skip
    if outcome.verdict.accepted:
        assert outcome.card is not None
        used = f"set in {outcome.where}" if outcome.where else f"segment.model is locked: vcam start --model {name}"
        click.echo(printable(f"kept as {name} ({used}); vcam learn --undo takes it back"))
        return
    for reason in outcome.verdict.reasons:
        click.echo(f"vcam: {printable(reason)}", err=True)
    click.echo("nothing was installed: the network that you have stays")


def _report(outcome: Outcome) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "accepted": outcome.verdict.accepted,
        "reasons": list(outcome.verdict.reasons),
        "start": outcome.start,
        "compared": outcome.compared,
        "teacher": outcome.teacher,
        "before": _numbers(asdict(outcome.before)),
        "after": _numbers(asdict(outcome.after)),
        "share": outcome.share,
        "steps": outcome.steps,
        "cpu_s": round(outcome.cpu_s, 1),
        "overruled": outcome.cleared,
        "card": str(outcome.card.path) if outcome.card else None,
        "config": outcome.where or None,
        "sheet": str(outcome.sheet) if outcome.sheet else None,
        "draw": [str(path) for path in outcome.draw],
        "notes": outcome.notes,
    }


def _numbers(figures: dict[str, float]) -> dict[str, float | None]:
    """For JSON, which knows no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def _undo(name: str, as_json: bool) -> int:
    from vcam.learn.keeping import undo

    done = undo(name)
    if as_json:
        click.echo(json_text(done))
        return 0
    used = f"; {done['config']} says {done['model']} again" if done["model"] else ""
    click.echo(printable(f"{name} is taken out{used}"))
    return 0
