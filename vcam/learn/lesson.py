"""One lesson from the films to the network that is kept, or is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vcam.datasets.store import Entry, open_dataset
from vcam.errors import InputError, UsageError
from vcam.filmroom import Told, learnt
from vcam.filmroom import film as frames_of
from vcam.filmroom import told as told_by_picture
from vcam.frames import Frame
from vcam.images import Kind, frame_to_bgr, kind_of, write_image
from vcam.learn import keeping
from vcam.learn.checks import Seen, check_film, check_frames
from vcam.learn.footage import Footage, Smaller, read_footage
from vcam.learn.judging import Figures, Verdict, judged, measured
from vcam.learn.labels import Labelled, Labeller, doubts, draw, plain
from vcam.learn.sheet import sheet
from vcam.learn.strokes import Strokes, doubtful, matched, read_strokes, write_frames
from vcam.matte.factory import make_matte
from vcam.matting import Matting, open_matting, open_network
from vcam.models.cards import ModelCard
from vcam.models.catalogue import catalogue
from vcam.models.find import best_model, card_paths, find_model
from vcam.settings import Settings
from vcam.types import U8, Size

if TYPE_CHECKING:
    from vcam.train.own.tuning import Tuned

STUDENTS = {"selfie-general": "selfie", "selfie-landscape": "selfie-landscape"}
"""The networks that can be taught, with their architectures."""
TEACHER = "selfie-multiclass"
"""The one that is offered where there is none."""
ON_TEST, FEW = ("val", "test"), 8
"""Splits of pictures of others that it is judged by, and how many there must be."""

Tell = Callable[[str, float], None]
"""Takes what is done now, in words, and the share of it that is done, 0..1."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be learnt. clips: films of the user. room: a picture or film of the empty room, or None. strokes:
    pictures of them. others: a data set of other people, or None. name: of the network. minutes: for the training at
    most. profile: of the settings in use. draw: where to put frames to draw on; None for films that will be gone."""

    clips: tuple[Path, ...]
    teacher: str
    room: Path | None = None
    strokes: tuple[Path, ...] = ()
    others: Path | None = None
    name: str = "mine"
    minutes: float = 5.0
    profile: str = ""
    draw: Path | None = None


@dataclass(slots=True)
class Outcome:
    """What came of it. start: the network that was taught. compared: the one that it was measured against. where: the
    file in which it is set as the network to use, "" for none. doubt: whether something should be said by strokes;
    draw: frames to draw on, if there are any. notes: for people."""

    start: str
    compared: str
    teacher: str
    before: Figures
    after: Figures
    verdict: Verdict
    share: float
    steps: int
    cpu_s: float
    cleared: float
    card: ModelCard | None = None
    where: str = ""
    sheet: Path | None = None
    doubt: bool = False
    draw: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def best_teacher() -> str:
    """The best network here that is better than those that can be taught, as the catalogue measured it; "" if none."""
    entries = catalogue()
    found = []
    for path in card_paths():
        entry = entries.get(path.stem)
        if entry is None or path.stem in STUDENTS or entry.states or entry.input.previous_mask:
            continue
        measured_ = entry.measured
        if measured_.portraits and measured_.mixed:
            found.append(((measured_.portraits + measured_.mixed) / 2, path.stem))
    least = max(_mean(name) for name in STUDENTS)
    return max((each for each in found if each[0] > least), default=(0.0, ""))[1]


def _mean(name: str) -> float:
    measured_ = catalogue()[name].measured
    return ((measured_.portraits or 0) + (measured_.mixed or 0)) / 2


def check(wish: Wish) -> None:
    """Raise what can be told before anything is filmed or read: `UsageError`, `ModelError`, `InputError`."""
    keeping.check_place(wish.name)
    find_model(wish.teacher, (1280, 720))
    if wish.teacher in (wish.name, *STUDENTS):
        raise UsageError(f"{wish.teacher} cannot teach itself", f"--teacher {TEACHER}; vcam models pull {TEACHER}")
    for path in wish.strokes:
        read_strokes(path)
    if wish.others is not None:
        _others(wish.others)
    if wish.room is not None and not wish.room.exists():
        raise UsageError(f"there is no file {wish.room}", "check the path")


def learn(wish: Wish, settings: Settings, work: Path, tell: Tell) -> Outcome:
    """All of it. Raises `VcamError`; nothing is installed then.

    work: a folder of one's own, which holds nothing afterwards that is needed.
    """
    began, strokes = time.process_time(), [read_strokes(path) for path in wish.strokes]
    films = []
    for number, path in enumerate(wish.clips):
        tell("reading", number / len(wish.clips))
        films.append(read_footage(path))
    size = films[0].size
    for film in films[1:]:
        if film.size != size:
            raise InputError(
                f"{film.name} is {film.size[0]}x{film.size[1]}, and {films[0].name} is {size[0]}x{size[1]}",
                "give films of one camera and one size",
            )
    student = find_model(best_model(size), size)
    room = _room(wish.room, size, settings, student.name, tell) if wish.room else None
    labelled, notes = _labelled(wish, settings, student.name, films, room, strokes, tell)
    before = _network_in_use(settings, size, student, wish, notes)
    tuned = _tuned(wish, student, labelled, room, tell)
    tell("writing the network", 0.0)
    card = _exported(tuned, work, wish, student)
    tell("measuring", 0.0)
    old, new = measured(settings, str(before.path), labelled), measured(settings, str(card.path), labelled)
    tell("measuring", 1.0)
    first, last = (
        Figures(scores.miou, scores.boundary, scores.dtssd, 100 * tuned.others[share])
        for scores, share in ((old, 0.0), (new, tuned.share))
    )
    verdict = judged(first, last)
    cleared = float(np.mean([label.sure.mean() for each in labelled for label in each.labels]))
    outcome = Outcome(
        student.name, before.name, wish.teacher, first, last, verdict, tuned.share, tuned.steps,
        time.process_time() - began, cleared, notes=notes,
    )  # fmt: skip
    outcome.sheet = _drawn(settings, labelled[0], before, card, wish.name)
    _ask_to_draw(outcome, wish, labelled)
    if verdict.accepted:
        profile = wish.profile
        outcome.card, outcome.where = keeping.install(card, wish.name, profile)
    return outcome


def _labelled(
    wish: Wish, settings: Settings, student: str, films: Sequence[Footage], room: Told | None,
    strokes: Sequence[Strokes], tell: Tell,
) -> tuple[list[Labelled], list[str]]:  # fmt: skip
    """Every film with its labels, checked; and notes. Raises `InputError` for one that is of no use."""
    found: list[Labelled] = []
    notes: list[str] = []
    drawn = matched(strokes, films)
    total, done = sum(len(film.frames) for film in films), 0
    for film in films:
        check_frames(film.name, film.frames)
    with Labeller(settings, wish.teacher, student, films[0].size) as labeller:
        for film in films:

            def advance() -> None:
                nonlocal done
                done += 1
                tell("looking at the films", done / total)

            each = labeller.label(film, room, advance)
            found.append(each)
    for number, frame, stroke in drawn:
        draw(found[number], frame, stroke)
    for each in found:
        notes += check_film(Seen(each.film.name, each.film.frames, [label.matte for label in each.labels]))
    return found, notes


def _network_in_use(
    settings: Settings, size: Size, student: ModelCard, wish: Wish, notes: list[str]
) -> ModelCard:  # fmt: skip
    """What is to be beaten: the network in use, if it is one of these, else the one that is taught."""
    used = find_model(settings.segment.model, size)
    if used.name == student.name:
        return used
    if used.name in STUDENTS or keeping.is_learnt(used):
        notes.append(f"the figures of others beside {used.name} are those of {student.name}, which is taught")
        return used
    notes.append(
        f"you use {used.name}, which is another kind of network: it is compared with {student.name}; "
        f"vcam undoes the setting by vcam learn --undo --name {wish.name}"
    )
    return student


def _room(path: Path, size: Size, settings: Settings, student: str, tell: Tell) -> Told:
    """The empty room, from a picture or a film. Raises `VcamError` where it is none."""
    tell("looking at the empty room", 0.0)
    with open_matting(plain(settings, student), size) as matting:
        if kind_of(path) is not Kind.OTHER:
            return told_by_picture(path, size, matting, path)
        return _room_of_film(path, size, matting)


def _room_of_film(path: Path, size: Size, matting: Matting) -> Told:
    small = Smaller()

    def frames() -> Generator[Frame, None, None]:
        for frame in frames_of(path):
            kept = small.copy(frame)
            if kept.size != size:
                raise InputError(
                    f"{path.name} is {kept.size[0]}x{kept.size[1]}, the film of you {size[0]}x{size[1]}",
                    "film the room with the same camera, at the same size",
                )
            yield kept

    with closing(frames()) as each:
        return learnt(each, matting, path)


def _others(folder: Path) -> tuple[list[Entry], list[Entry]]:
    """Pictures of others to learn with, and to judge by. Raises `UsageError` or `InputError` for what is no set."""
    data = open_dataset(folder)
    train, judge = data.part("train"), data.part(*ON_TEST)
    if len(train) < FEW or len(judge) < FEW:
        raise InputError(
            f"there are {len(train)} pictures to learn with and {len(judge)} to judge by in {folder}: {FEW} of each "
            "are needed",
            f"vcam dataset split {folder}",
        )
    return train, judge


def _tuned(
    wish: Wish, student: ModelCard, labelled: Sequence[Labelled], room: Told | None, tell: Tell
) -> Tuned:  # fmt: skip
    from vcam.train.own.tuning import Material, tune

    train, judge = ([], []) if wish.others is None else _others(wish.others)
    pairs = [pair for each in labelled for pair in zip(each.film.learnt, each.learnt, strict=True)]
    material = Material(
        [frame_to_bgr(frame) for frame, _ in pairs], [label.matte for _, label in pairs],
        plate=None if room is None else frame_to_bgr(room.room.frame),
        others=train, guard=judge,
    )  # fmt: skip
    return tune(
        STUDENTS[student.name], student.file_path, material, minutes=wish.minutes, threads=_threads(),
        tell=lambda done: tell("learning", done),
    )  # fmt: skip


def _threads() -> int:
    """One is left for the pictures."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def _exported(tuned: Tuned, work: Path, wish: Wish, student: ModelCard) -> ModelCard:
    from vcam.train.export import Wish as ExportWish
    from vcam.train.export import export
    from vcam.train.forms import form_of

    run, out = work / "run", work / "made"
    run.mkdir(exist_ok=True)
    tuned.tuning.write(run, tuned.share)
    made = export(ExportWish(run, form_of("onnx"), folder=out, name=wish.name, licence=student.licence, overwrite=True))
    origin = f"{student.name} taught by {wish.teacher} on {date.today().isoformat()}; pictures of its user"
    return keeping.signed(made.card, f"{wish.name}: {student.name} for one person and room", origin)


def mattes(settings: Settings, model: str, frames: Sequence[Frame]) -> list[U8]:
    """What a network finds in frames of one size, each by itself: uint8 (height, width)."""
    own = plain(settings, model)
    with Matting(open_network(own, frames[0].size), make_matte(own.matte, still=True)) as matting:
        return [matting.picture(frame) for frame in frames]


def _drawn(settings: Settings, labelled: Labelled, before: ModelCard, after: ModelCard, name: str) -> Path:
    frames = labelled.film.held[:: max(1, len(labelled.film.held) // 40)]
    one, other = (mattes(settings, str(card.path), frames) for card in (before, after))
    path = keeping.sheet_path(name)
    write_image(path, sheet(frames, one, other, ("camera", before.name, name)), mode=0o600)
    return path


def _ask_to_draw(outcome: Outcome, wish: Wish, labelled: Sequence[Labelled]) -> None:
    """Write frames to draw on where teacher and network say something else, and nobody has said who is right."""
    if wish.strokes:
        return
    keeping.clear_drawings(drawn=False)
    for each in labelled:
        frames = doubtful(each.film, doubts(each))
        outcome.doubt = outcome.doubt or bool(frames)
        if wish.draw is not None:
            outcome.draw += write_frames(wish.draw, each.film, frames)
    keeping.note_drawings(outcome.draw)
