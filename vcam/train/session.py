"""A training from its recipe to the last sheet: what it needs is put together here, and what it leaves is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from vcam.datasets.store import Dataset, Entry, open_dataset
from vcam.errors import InputError, ModelError, UsageError, VcamError
from vcam.files import write_error, write_whole
from vcam.images import pictures_in
from vcam.printable import printable
from vcam.train import runs
from vcam.train.curves import write_csv, write_curves
from vcam.train.loop import Tell, Training
from vcam.train.losses import Loss
from vcam.train.processes import open_fabric
from vcam.train.recipe import Recipe, versions, write_recipe
from vcam.train.runs import read_state
from vcam.train.samples import Samples, loader
from vcam.train.scoring import Scores, baseline, mean_mask
from vcam.train.start import AsItBegan, begin_with
from vcam.train.stream import Held, Stream
from vcam.train.worst import write_worst

LOOKED_AT = 256
"""Mattes of the training that are looked at before it begins."""

NO_BACKDROPS = "none"

KNOWS = 0.8
"""mIoU from which on what a network begins with is worth keeping."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out, each a score of the pictures for validation, 0..1: IoU of the person, mIoU.

    start: of the weights that it began with, None from scratch. best: of those that are kept, which were chosen by
    these pictures, so it flatters. last: of those that were scored last, which nobody chose. ended: not broken off.
    broken: files left out.
    """

    ended: bool
    epochs: float
    best_epoch: int
    pictures: int
    baseline: tuple[float, float]
    start: tuple[float, float] | None
    best: tuple[float, float] | None
    last: tuple[float, float] | None
    broken: dict[str, str]
    seconds: float
    waited: float
    per_second: float


class Session:
    """One training in a folder. `run` it; `stop` may be called from a signal's handler meanwhile."""

    def __init__(
        self, recipe: Recipe, folder: Path, *, resume: bool = False, tell: Tell = lambda kind, figures: None,
    ) -> None:  # fmt: skip
        """Puts together what is needed. resume: goes on with what is in the folder, which has to be of this recipe.

        Raises `UsageError` for what cannot be meant, `InputError` for data that nothing can be learnt from,
        `ModelError` for weights that do not fit, `OutputError` for a folder that cannot be written to.
        """
        self.recipe = recipe = recipe.checked()
        self.folder, self.tell = folder, tell
        loss = Loss(recipe.losses)
        if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} exists already", f"--resume goes on with it; else give another name than {folder}"
            )
        if resume and not (folder / runs.LAST).exists():
            tell("note", {"words": f"nothing of {folder} was saved before it ended: it begins again"})
            resume = False
        data = open_dataset(Path(recipe.data))
        self.train, self.val = samples_of(recipe, data, loss)
        train, val = self.train.entries, self.val.entries
        self.fabric = open_fabric(recipe)
        rank, world = self.fabric.global_rank, self.fabric.world_size
        self.mean = self._looked_at(train, self.train.shape)
        torch.manual_seed(recipe.seed)
        net = _built(recipe)
        divided = 1.0 if resume else begin_with(recipe, net, self.train)
        torch.manual_seed(recipe.seed + 1 + rank)
        remembers = recipe.start and (recipe.teacher or recipe.keep)
        origin = AsItBegan(net, recipe.kind, divided) if remembers else None
        self.teacher = _teacher(recipe, origin)
        self.held = Held(self.val, recipe.batch, recipe.workers, rank=rank, world=world)
        # no batch is larger than what there is
        batch = max(min(recipe.batch, len(train) // world), 1)

        def stream(start: tuple[int, int]) -> Stream:
            small = self.training.is_small
            return Stream(self.train, batch, recipe.workers, rank=rank, world=world, start=start, small=small)

        self.training = Training(
            recipe, folder, net, self.fabric, stream, self.held, teacher=self.teacher, origin=origin, tell=tell
        )  # fmt: skip
        self.fabric.barrier()
        made = {**versions(), "pictures": f"{len(train)} to train, {len(val)} to validate", "set": _digest(data)}
        if resume:
            self._go_on(made)
        if rank == 0:
            _make(folder)
            write_recipe(folder / runs.RECIPE, msgspec.structs.replace(recipe, made=made))
        self.fabric.barrier()

    def _looked_at(self, train: Sequence[Entry], shape: tuple[int, int]) -> torch.Tensor:
        """The mean mask. Raises `InputError` where nobody, or nothing else, is in any of them."""
        step = max(len(train) // LOOKED_AT, 1)
        samples = Samples(train[::step], shape, augment=False, backdrops=[], prior=False, texture=False, seed=0)
        order = [(0, place) for place in range(len(samples))]
        mattes = [batch["matte"] for batch in loader(samples, 16, 0, shuffle=False, order=order)]
        some = any(bool((each >= 0.5).any()) for each in mattes)
        if not some or all(bool((each >= 0.5).all()) for each in mattes):
            what = "nobody" if not some else "no background"
            raise InputError(
                f"there is {what} in any of the {len(order)} masks that were looked at",
                f"vcam dataset check {self.recipe.data}",
            )
        return mean_mask(mattes)

    def _go_on(self, made: dict[str, str]) -> None:
        try:
            self.training.restore(read_state(self.folder / runs.LAST))
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ModelError(
                f"{self.folder / runs.LAST} is of another training", "begin anew, with another --out"
            ) from error
        before = self.recipe.made.get("set")
        if before and before != made["set"]:
            self.tell("note", {"words": f"{self.recipe.data} has other pictures than before: so will the result"})

    def stop(self) -> None:
        """Have it end after the step that it is at, with all that is needed to go on."""
        self.training.stopping = True

    def run(self) -> Outcome:
        """Train, and write everything into the folder. Raises as `Training.run` does, and `OutputError`."""
        training = self.training
        if self.recipe.start and not training.history:
            training.begin()
            if self.recipe.keep and training.history[0]["val_miou"] < KNOWS:
                words = "what it begins with finds few of these people, and much of that stays: --keep 0 lets it go"
                self.tell("note", {"words": words})
        try:
            ended = training.run()
            speed = training.speed()
        except Exception:
            # what went wrong first is what is told
            with suppress(VcamError):
                self._write_curves()
            raise
        finally:
            if self.teacher is not None:
                self.teacher.close()
        self._write_curves()
        # the others look for what the first one has written
        self.fabric.barrier()
        outcome = self._finish(ended, speed)
        self.fabric.barrier()
        return outcome

    def _write_curves(self) -> None:
        history = self.training.history
        if self.fabric.global_rank or not history:
            return
        write_csv(self.folder / runs.CURVES_CSV, history)
        title = f"{self.recipe.network} {self.recipe.size[0]}x{self.recipe.size[1]}"
        write_curves(self.folder / runs.CURVES, history, self._baseline.miou, title)

    @cached_property
    def _baseline(self) -> Scores:
        """Of the mean mask. Each process reads all pictures, where there are several."""
        alone = self.fabric.world_size == 1
        return baseline(self.mean, self.held if alone else Held(self.val, self.recipe.batch, 0))

    def _finish(self, ended: bool, speed: dict[str, float]) -> Outcome:
        training = self.training
        scores: Scores | None = None
        if (self.folder / runs.BEST).exists():
            kept = training.best or read_state(self.folder / runs.BEST)
            scores = training.scored(kept["model"])
            if self.fabric.global_rank == 0:
                training.raw.load_state_dict(kept["model"])
                write_worst(self.folder / runs.WORST, training.fed, self.val, scores, self.fabric.device)
        nothing = self._baseline
        first = training.history[0] if training.history and not training.history[0]["steps"] else None
        last = training.history[-1] if training.history and training.history[-1]["steps"] else None
        outcome = Outcome(
            ended, training.epoch + training.batch / training.stream.steps, training.progress.best_epoch,
            len(self.train), (nothing.iou, nothing.miou),
            (first["val_iou"], first["val_miou"]) if first else None,
            (scores.iou, scores.miou) if scores else None,
            (last["val_iou"], last["val_miou"]) if last else None,
            {str(path): why for path, why in {**self.train.broken, **self.val.broken}.items()},
            training.seconds, speed["waiting"], speed["per_second"],
        )  # fmt: skip
        if self.fabric.global_rank == 0:
            text = json.dumps(msgspec.to_builtins(outcome), indent=2)
            write_whole(self.folder / runs.RESULT, lambda working: working.write_text(f"{text}\n"))
        return outcome


def _parts(data: Dataset) -> tuple[list[Entry], list[Entry]]:
    train, val = data.part("train"), data.part("val")
    if len(data.entries) < 2:
        raise InputError(
            f"there is one picture in {data.folder}: nothing is left to validate with", "give at least two"
        )
    if not train or not val:
        raise InputError(
            f"no picture of {data.folder} is for {'training' if not train else 'validation'}",
            f"vcam dataset split {data.folder}",
        )
    if len(train) < 2:
        raise InputError(f"one picture to train with is too few, in {data.folder}", "give at least two")
    return train, val


def samples_of(recipe: Recipe, data: Dataset, loss: Loss) -> tuple[Samples, Samples]:
    """To train with, and to validate with: those as they are. Raises `InputError` where either is missing.

    Those to validate with have no mask of the frame before. It would be made of the true one, and give the answer away.
    """
    train, val = _parts(data)
    shape = (recipe.size[1], recipe.size[0])
    prior = _has_prior(recipe) or "prior" in loss.needs
    return (
        Samples(
            train, shape, augment=recipe.augment, backdrops=_backdrops(recipe), prior=prior,
            texture="texture" in loss.needs, seed=recipe.seed, small=recipe.small_size[::-1],
        ),
        Samples(val, shape, augment=False, backdrops=[], prior=False, texture=False, seed=recipe.seed),
    )  # fmt: skip


def _has_prior(recipe: Recipe) -> bool:
    return recipe.prior or recipe.kind.channels == 4


def _built(recipe: Recipe) -> nn.Module:
    """The network. Raises `UsageError` for options that it does not have."""
    try:
        net: nn.Module = recipe.kind.build(**{**recipe.options, "size": recipe.size})
    except (TypeError, ValueError) as error:
        own = signature(type(recipe.kind.build()).__init__).parameters
        names = [name for name in own if name not in ("self", "size")]
        raise UsageError(
            f"{recipe.network} cannot be built: {printable(str(error))}", f"its options are {', '.join(names)}"
        ) from error
    return net


def _teacher(recipe: Recipe, origin: AsItBegan | None) -> Any:
    """The teacher, mixed with the network's own first answers where it knew something; None without one."""
    if not recipe.teacher:
        return None
    from vcam.train.teacher import Blended, Teacher

    teacher = Teacher(recipe.teacher)
    return Blended(teacher, origin, by=1.0) if origin else teacher


def _backdrops(recipe: Recipe) -> list[Path] | None:
    if not recipe.backdrops:
        return None
    if recipe.backdrops == NO_BACKDROPS:
        return []
    folder = Path(recipe.backdrops)
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder {folder}", "give --backdrops a folder of pictures without people, or none"
        )
    try:
        found = pictures_in(folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}", f"ls -ld {folder}") from error
    if not found:
        raise InputError(f"there are no pictures in {folder}", "give --backdrops a folder of pictures without people")
    return found


def _digest(data: Dataset) -> str:
    """What the names and splits of a set come to, and the sizes of its files."""
    digest = hashlib.sha256()
    for entry in sorted(data.entries, key=lambda each: each.name):
        sizes = [path.stat().st_size if path.exists() else -1 for path in (entry.picture, entry.matte)]
        digest.update(f"{entry.name} {entry.split} {sizes}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
