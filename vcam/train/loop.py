"""The training itself: step by step, scored from time to time, its state kept so that it goes on where it was."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vcam.errors import EngineError, OutputError, VcamError
from vcam.printable import few
from vcam.train import runs
from vcam.train.fed import Fed
from vcam.train.losses import Loss
from vcam.train.optimizers import Optimizers
from vcam.train.processes import agreed, gathered, mean_buffers
from vcam.train.pytorch import chance, is_buffer, is_out_of_memory, set_chance
from vcam.train.recipe import Recipe
from vcam.train.runs import values_of, write_state
from vcam.train.schedule import Average, Progress, cosine, freeze, warm
from vcam.train.scoring import Scores, score
from vcam.train.start import AsItBegan
from vcam.train.stream import Held, Stream, names_of

ROUND = 320
"""A validation comes when an epoch ends that has made so many pictures full since the last one."""

SAVE = 30.0
"""Seconds after which the state is written again."""

CLIP = 5.0
"""The longest gradient."""

PLATEAU = 10
"""Rounds without improvement after which the rate falls, on a plateau."""

Tell = Callable[[str, dict[str, Any]], None]
"""Takes what happens: "step", "round", "note", and figures."""


class Training:
    """One training in one process, from a recipe and batches."""

    def __init__(
        self, recipe: Recipe, folder: Any, net: nn.Module, fabric: Any, stream: Callable[[tuple[int, int]], Stream],
        held: Held, *, teacher: Any = None, origin: AsItBegan | None = None, tell: Tell = lambda kind, figures: None,
    ) -> None:  # fmt: skip
        """net: raw, with the weights to begin with. stream: makes the batches from (epoch, batch) on.

        origin: the network with those weights, where it is to be remembered.
        """
        self.origin = origin
        self.recipe, self.folder, self.raw, self.fabric = recipe, folder, net, fabric
        self.held, self.teacher, self.tell = held, teacher, tell
        self._open = stream
        self.loss = Loss(recipe.losses)
        self.stopping = False
        self.epoch = self.batch = self.steps = 0
        self.seconds = 0.0
        self.run_pictures, self._began = 0, math.nan
        self.micro = 1
        self.whole = False
        """Whether the time of small pictures is over: for good, should the training be made longer."""
        self.progress = Progress()
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self._best_is_new = False
        self._sums: dict[str, float] = {}
        self._counted = self._told = 0
        self.fed = Fed(net, recipe.kind).to(fabric.device)
        net.to(memory_format=torch.channels_last)
        self.optimizers = Optimizers(recipe, net, fabric)
        self.average = Average(net, recipe.average)
        self._frozen: bool | None = None
        self.net: Any = None

    # state

    def state(self) -> dict[str, Any]:
        """All that the rest of the training depends on."""
        return {
            "network": self.recipe.network,
            "epoch": self.epoch,
            "batch": self.batch,
            "steps": self.steps,
            "seconds": self.seconds,
            "micro": self.micro,
            "whole": self.whole,
            "model": self.raw.state_dict(),
            "average": self.average.state,
            "average_steps": self.average.steps,
            "optimizer": self.optimizers.state(),
            "progress": self.progress.state(),
            "history": self.history,
            "sums": self._sums,
            "counted": self._counted,
            "origin": self.origin.state() if self.origin else {},
            "chance": gathered(self.fabric, chance(self.fabric.device)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state. Raises `KeyError`, `ValueError` or `RuntimeError` for one of something else."""
        if state["network"] != self.recipe.network:
            raise ValueError("another network")
        self.raw.load_state_dict(state["model"])
        for name, each in state["average"].items():
            self.average.state[name].copy_(each)
        self.average.steps = int(state["average_steps"])
        self.optimizers.restore(state["optimizer"])
        if self.origin:
            self.origin.restore(state["origin"])
        self.epoch, self.batch, self.steps = (int(state[name]) for name in ("epoch", "batch", "steps"))
        self.seconds, self.micro = float(state["seconds"]), int(state["micro"])
        self.whole = bool(state.get("whole"))
        self.progress = Progress(**state["progress"])
        self.history = list(state["history"])
        self._sums, self._counted = dict(state["sums"]), int(state["counted"])
        if len(state["chance"]) == self.fabric.world_size:
            set_chance(state["chance"][self.fabric.global_rank], self.fabric.device)
        else:
            self.tell("note", {"words": "another number of processes than before: the result will be another, too"})

    def save(self, *, final: bool = False) -> None:
        """Write the best and the whole state. A full disk leaves the last good ones; the next try may succeed.

        final: raise `OutputError` where it could not be written.
        """
        state = self.state()
        if self.fabric.global_rank:
            return
        try:
            if self._best_is_new and self.best is not None:
                write_state(self.folder / runs.BEST, self.best)
                self._best_is_new = False
            write_state(self.folder / runs.LAST, state)
        except OutputError as error:
            if final:
                raise
            self.tell("note", {"words": f"{error.message}: the one before is kept, and it is tried again later"})

    # time

    def done(self) -> float:
        """The share of the training that is done, 0..1."""
        if self.recipe.minutes:
            return min(self.seconds / (60 * self.recipe.minutes), 1.0)
        return min((self.epoch * self.stream.steps + self.batch) / (self.recipe.epochs * self.stream.steps), 1.0)

    def is_small(self, epoch: int, batch: int) -> bool:
        """Whether the pictures of a batch are small: by its place in the training, or by the time where that counts.

        Those of the first are whole, so that memory which does not suffice for them is noticed at once.
        """
        if self.whole or (epoch, batch) == (0, 0):
            return False
        if self.recipe.minutes:
            return self.done() < self.recipe.small
        steps = self.stream.steps
        return epoch * steps + batch < self.recipe.small * self.recipe.epochs * steps

    @property
    def round(self) -> int:
        """Epochs from one validation to the next."""
        pictures = self.stream.steps * self.recipe.batch * int(self.fabric.world_size)
        return max(math.ceil(ROUND / max(pictures, 1)), 1)

    # the loop

    def begin(self) -> None:
        """Score the weights to begin with: they are the best until something is better."""
        self.stream = self._open((0, 0))
        self._validate(0.0)

    def run(self) -> bool:
        """Train to the end, or until `stopping`; whether the end was reached.

        Raises `EngineError` for a loss that is no number and for too little memory, and what reading pictures and the
        teacher raise. Whatever it raises, the best so far is on disk.
        """
        self.stream = self._open((self.epoch, self.batch))
        try:
            return self._run()
        except OutputError:
            # it was tried just now
            raise
        except VcamError:
            self._keep_best()
            raise
        finally:
            self.stream.close()

    def _run(self) -> bool:
        clock = saved = self._began = time.monotonic()
        first = self.steps
        while True:
            now = time.monotonic()
            self.seconds, clock = self.seconds + now - clock, now
            done, stop, save = agreed(self.fabric, (self.done(), self.stopping, self._is_due(now, saved)))
            at_end = done >= 1 or self._is_stuck()
            if at_end and self.steps == first and first:
                self.tell("note", {"words": "it was at its end already: --epochs or --minutes makes it longer"})
            if at_end or stop:
                if at_end and (not self.history or self.history[-1]["steps"] < self.steps):
                    self._validate(done)
                self.save(final=True)
                return bool(at_end)
            if save:
                self.save()
                saved = time.monotonic()
            self.whole = self.whole or done >= self.recipe.small
            self._settle(done)
            batch = self.stream.next()
            rate = self._set_rate(done)
            losses = self._tried(batch)
            self.optimizers.step()
            self.average.update()
            self.steps, self.batch = self.steps + 1, self.batch + 1
            self._count(losses, len(batch["index"]))
            self._tell_broken()
            if self.batch == self.stream.steps:
                self.epoch, self.batch = self.epoch + 1, 0
                if self.epoch % self.round == 0:
                    self._validate(self.done())
            self.tell("step", {"done": done, "epoch": self.epoch, "rate": rate, **self.speed(), "loss": losses[""]})

    def _is_due(self, now: float, saved: float) -> bool:
        """Whether the state is to be written: after the first validation at once, then from time to time."""
        return now - saved > SAVE or (self._best_is_new and not (self.folder / runs.LAST).exists())

    def _is_stuck(self) -> bool:
        patience = self.recipe.patience
        # where it was looked last: between two rounds nobody knows whether it has improved
        return bool(patience and self.history and self.history[-1]["epoch"] - self.progress.best_epoch >= patience)

    def _settle(self, done: float) -> None:
        """Freeze or thaw the encoder as it is due."""
        frozen = done < self.recipe.freeze
        if frozen != self._frozen:
            freeze(self.raw, frozen, settled=bool(self.recipe.start))
            # gradients are exchanged of what has some: the wrapping is made anew
            self.net = self.fabric.setup_module(self.fed)
            if self._frozen:
                self.tell("note", {"words": f"epoch {self.epoch}: the encoder is trained as well from here on"})
            self._frozen = frozen

    def _set_rate(self, done: float) -> float:
        if self.recipe.schedule == "cosine":
            rate = self.recipe.rate * cosine(done)
        else:
            rate = self.recipe.rate * warm(done) * self.progress.factor
        self.optimizers.rate = rate
        return rate

    def _tried(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """The gradients of a step. Where memory does not suffice, the batch is halved, once."""
        try:
            return self._step(batch)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            whole = len(batch["index"])
            if self.micro > 1 or whole < 4 or self.fabric.world_size > 1:
                raise EngineError(
                    f"there is not enough memory for {max(whole // self.micro, 1)} pictures at once",
                    f"--batch {max(whole // (2 * self.micro), 2)}, or a smaller --size",
                ) from error
        # outside, so that what the failed step held is free
        self.micro = 2
        self.optimizers.forget()
        gc.collect()
        words = f"not enough memory for {whole} pictures at once: halved to {whole // 2}, two halves a step"
        self.tell("note", {"words": words})
        return self._tried(batch)

    def _step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Its gradients; the losses by name, and "" for their sum."""
        batch = {name: each.to(self.fabric.device, non_blocking=True) for name, each in batch.items()}
        count = len(batch["index"])
        if self.origin and self.recipe.keep:
            batch["matte"] = self.origin.in_place_of(
                batch["matte"], batch["picture"], batch.get("prior"), self.recipe.keep
            )
        size = -(-count // self.micro)
        self.optimizers.forget()
        sums: dict[str, float] = {}
        for first in range(0, count, size):
            part = {name: each[first : first + size] for name, each in batch.items()}
            share = len(part["index"]) / count
            # the teacher is asked once, and outside of the network's precision
            told = None if self.teacher is None else self.teacher.probability(part["picture"]).to(self.fabric.device)
            out = self.net(part["picture"], part.get("prior"))
            loss, parts = self.loss(self.net, out, part, told)
            self.fabric.backward(loss * share)
            for name, value in {**parts, "": float(loss.detach())}.items():
                sums[name] = sums.get(name, 0.0) + value * share
        norm = self.optimizers.clip(self.fed, CLIP)
        if not (math.isfinite(norm) and math.isfinite(sums[""])):
            raise self._no_number(batch)
        return sums

    def _no_number(self, batch: dict[str, Tensor]) -> EngineError:
        names = [each for part in gathered(self.fabric, names_of(self.stream.samples, batch)) for each in part]
        return EngineError(
            f"the loss is not a number any more, in epoch {self.epoch}, with the pictures {few(names, 40)}",
            f"look at these pictures, or give a lower --rate than {self.recipe.rate:g}{self._kept()}",
        )

    def _kept(self) -> str:
        if self.best is None and not (self.folder / runs.BEST).exists():
            return ""
        return f"; the best so far, of epoch {self.progress.best_epoch}, is in {self.folder / runs.BEST}"

    def _keep_best(self) -> None:
        """Write the best, whatever else has gone wrong."""
        if self._best_is_new and self.best is not None and not self.fabric.global_rank:
            try:
                write_state(self.folder / runs.BEST, self.best)
                self._best_is_new = False
            except OutputError as error:
                self.tell("note", {"words": error.message})

    # figures

    def _tell_broken(self) -> None:
        broken = self.stream.samples.broken
        for path in list(broken)[self._told :]:
            self.tell("note", {"words": f"{broken[path]}: left out, another picture takes its place"})
        self._told = len(broken)

    def _count(self, losses: dict[str, float], pictures: int) -> None:
        self.run_pictures += pictures * self.fabric.world_size
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * pictures
        self._counted += pictures

    def speed(self) -> dict[str, float]:
        """Pictures a second since it was begun or resumed, and the share of that time spent on waiting for them."""
        if math.isnan(self._began):
            return {"per_second": 0.0, "waiting": 0.0}
        seconds = max(time.monotonic() - self._began, 1e-9)
        return {"per_second": self.run_pictures / seconds, "waiting": self.stream.waited.seconds / seconds}

    def _validate(self, done: float) -> None:
        """Score the averaged weights on the pictures for validation, and keep them if they are the best.

        With `Recipe.keep` they are averaged with those that it began with as well.
        """
        mean_buffers(self.fabric, [each for name, each in self.average.state.items() if is_buffer(self.raw, name)])
        made = self.average.state
        if self.origin and self.recipe.keep:
            made = self.origin.mean_with(made, self.recipe.keep)
        scores = self.scored(made)
        row: dict[str, Any] = {
            "epoch": self.epoch + self.batch / self.stream.steps, "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "rate": self.optimizers.rate,
            "loss": self._sums.get("", 0.0) / max(self._counted, 1),
            **{name: value / self._counted for name, value in self._sums.items() if name},
            "val_loss": scores.loss, "val_iou": scores.iou, "val_miou": scores.miou,
        }  # fmt: skip
        self._sums, self._counted = {}, 0
        self.history.append(row)
        plateau = PLATEAU * self.round if self.recipe.schedule == "plateau" else 0
        if self.progress.note(scores.miou, self.epoch, plateau):
            kept = {name: each.detach().cpu().clone() for name, each in made.items()}
            self.best = self.best_state(kept)
            self._best_is_new = True
        self.tell("round", {**row, "done": done, "best": self.progress.best, **self.speed()})

    def best_state(self, model: dict[str, Tensor]) -> dict[str, Any]:
        """What best.pt holds."""
        recipe = self.recipe
        return {
            "network": recipe.network, "options": dict(recipe.options), "size": list(recipe.size),
            "prior": int(self.raw.channels) == 4 and self.stream.samples.prior,
            "values": list(values_of(recipe.kind)), "model": model,
            "epoch": self.progress.best_epoch, "score": self.progress.best,
        }  # fmt: skip

    def scored(self, model: dict[str, Tensor]) -> Scores:
        """The scores of these weights on the pictures for validation; the network's own are as before."""
        before = {name: each.detach().clone() for name, each in self.raw.state_dict().items()}
        try:
            self.raw.load_state_dict(model)
            mine = score(self.fed, self.held, self.fabric.device)
        finally:
            self.raw.load_state_dict(before)
        every = Scores()
        for each in gathered(self.fabric, mine):
            every.person.update(each.person)
            every.mean.update(each.mean)
            every.losses.update(each.losses)
        return every
