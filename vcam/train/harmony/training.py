"""The training: step by step, judged from time to time, kept so that it goes on where it was.

RUN/recipe.toml      what it is made from
RUN/best.pt          the weights that did best on the pictures for validation
RUN/last.pt          the whole state
RUN/curves.csv, result.json, and the network with its card
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from vcam.errors import EngineError, ModelError, OutputError, UsageError, VcamError
from vcam.files import write_error, write_whole
from vcam.train import runs
from vcam.train.curves import write_csv
from vcam.train.harmony.loss import Judged, judged, loss
from vcam.train.harmony.net import SIDE, Harmoniser
from vcam.train.harmony.recipe import HarmonyRecipe, write_recipe
from vcam.train.harmony.samples import Samples, sources, split
from vcam.train.harmony.stream import Bank, Batch, Stream, held
from vcam.train.processes import open_fabric
from vcam.train.recipe import versions
from vcam.train.runs import read_state, write_state
from vcam.train.schedule import Average, cosine

ROUND = 40.0
"""Seconds from one validation to the next."""
LEAST_ROUND = 100
"""Steps, as well."""
CLIP = 2.0
MADE = 32
"""Samples that are made at once."""
DECAY = 0.1

Tell = Callable[[str, dict[str, Any]], None]
"""Takes what happens: "step", "round", "note", and figures."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out, on the pictures for validation, which have chosen it.

    ended: not broken off. gain: dB over the disturbed person. worse: the share that became worse. change: levels by
    which an undisturbed person is changed.
    """

    ended: bool
    steps: int
    best_step: int
    pictures: int
    gain: float
    worse: float
    change: float
    broken: dict[str, str]
    seconds: float
    waited: float
    per_second: float


class Training:
    """One training in a folder. `run` it; `stop` may be called from a signal's handler meanwhile."""

    def __init__(
        self, recipe: HarmonyRecipe, folder: Path, *, resume: bool = False, tell: Tell = lambda kind, figures: None
    ) -> None:  # fmt: skip
        """Raises `UsageError` for what cannot be meant, `InputError` for pictures that nothing can be learnt from,
        `ModelError` for a state of something else, `OutputError` for a folder that cannot be written to."""
        self.recipe, self.folder, self.tell = recipe.checked(), folder, tell
        if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"{folder} exists already", f"--resume goes on with it; else give another name than {folder}"
            )
        if resume and not (folder / runs.LAST).exists():
            tell("note", {"words": f"nothing of {folder} was saved before it ended: it begins again"})
            resume = False
        train, val = split(sources(Path(recipe.data)))
        self.fabric = open_fabric(recipe)
        if self.fabric.world_size > 1:
            raise UsageError("this network is trained by one process", "leave torchrun away")
        self.samples = Samples(train, SIDE, recipe.seed, share=max(recipe.workers, 1))
        # other numbers than those that it is trained with, always the same
        judges = Samples(val, SIDE, recipe.seed + 1)
        self.held = {name: each.to(self.fabric.device) for name, each in held(judges, recipe.held, MADE).items()}
        self.bank = Bank(recipe.bank)
        self.chance = torch.Generator()
        torch.manual_seed(recipe.seed)
        self.raw = Harmoniser(recipe.width)
        self.net, self.optimizer = self.fabric.setup(self.raw, _optimizer(self.raw, recipe.rate))
        self.net.mark_forward_method("told")
        self.average = Average(self.raw, recipe.average)
        self.stopping = False
        self.steps, self.seconds = 0, 0.0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.best_score, self.best_step = math.inf, 0
        self._sum, self._counted, self._made, self._since = 0.0, 0, 0, 0.0
        if resume:
            self._go_on()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        made = {**versions(), "pictures": f"{len(train)} to train, {len(val)} to validate"}
        write_recipe(folder / runs.RECIPE, msgspec.structs.replace(recipe, made=made))

    def stop(self) -> None:
        """Have it end after the step that it is at."""
        self.stopping = True

    def _state(self) -> dict[str, Any]:
        return {
            "task": self.recipe.task, "steps": self.steps, "seconds": self.seconds,
            "model": self.raw.state_dict(), "average": self.average.state, "average_steps": self.average.steps,
            "optimizer": self.optimizer.state_dict(), "history": self.history,
            "best_score": self.best_score, "best_step": self.best_step,
        }  # fmt: skip

    def _go_on(self) -> None:
        path = self.folder / runs.LAST
        state = read_state(path)
        try:
            if state["task"] != self.recipe.task:
                raise ValueError("another task")
            self.raw.load_state_dict(state["model"])
            for name, each in state["average"].items():
                self.average.state[name].copy_(each)
            self.average.steps = int(state["average_steps"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.steps, self.seconds = int(state["steps"]), float(state["seconds"])
            self.history = list(state["history"])
            self.best_score, self.best_step = float(state["best_score"]), int(state["best_step"])
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise ModelError(f"{path} is of another training", "begin anew, with another --out") from error

    def _done(self) -> float:
        if self.recipe.minutes:
            return min(self.seconds / (60 * self.recipe.minutes), 1.0)
        return min(self.steps / self.recipe.steps, 1.0)

    def run(self) -> Outcome:
        """Train to the end, or until `stop`, and write everything into the folder.

        Raises `EngineError` for a loss that is no number, `OutputError` where the end cannot be written, and what
        reading pictures raises. Whatever it raises, the best so far is on disk.
        """
        # those that were learnt from before are not made again
        stream = Stream(self.samples, MADE, self.recipe.workers, step=self.steps)
        began = time.monotonic()
        try:
            ended = self._run(stream)
            took = max(time.monotonic() - began, 1e-9)
            return self._finish(ended, stream, took)
        except Exception:
            with suppress(VcamError):
                self._save()
            raise
        finally:
            stream.close()

    def _run(self, stream: Stream) -> bool:
        clock = judged_at = time.monotonic()
        judged_step, told = self.steps, 0
        while True:
            now = time.monotonic()
            self.seconds, clock = self.seconds + now - clock, now
            done = self._done()
            ends = done >= 1 or self.stopping
            due = now - judged_at > ROUND and self.steps - judged_step >= LEAST_ROUND
            if (due or ends) and self.steps > judged_step:
                self._judge(done)
                self._save(final=ends)
                judged_at, judged_step = time.monotonic(), self.steps
            if ends:
                return done >= 1
            for group in self.optimizer.param_groups:
                group["lr"] = self.recipe.rate * cosine(done)
            self.bank.add(stream.next())
            value = self._step()
            for path, why in list(stream.broken.items())[told:]:
                self.tell("note", {"words": f"{Path(path).name}: {why}: left out"})
            told = len(stream.broken)
            self.tell("step", {"done": done, "steps": self.steps, "loss": value, **self._speed(stream, now)})

    def _speed(self, stream: Stream, now: float) -> dict[str, float]:
        if not self._made:
            self._since = now
        self._made += MADE
        return {"per_second": self._made / max(now - self._since, 1e-3), "waiting": stream.waited}

    def _step(self) -> float:
        """As many updates as the recipe has for one batch of new samples; the mean loss."""
        self.net.train()
        self.chance.manual_seed(self.recipe.seed * 1_000_003 + self.steps)
        found = [
            self._update(self.bank.draw(self.recipe.batch, self.chance)) for _ in range(self.recipe.updates)
        ]  # fmt: skip
        self.steps += 1
        mean = sum(found) / len(found)
        self._sum, self._counted = self._sum + mean, self._counted + 1
        return mean

    def _update(self, drawn: Batch) -> float:
        batch = {name: each.to(self.fabric.device) for name, each in drawn.items()}
        self.optimizer.zero_grad(set_to_none=True)
        value = loss(self.net.told(batch["known"].float()), batch)
        self.fabric.backward(value)
        norm = self.fabric.clip_gradients(self.net, self.optimizer, max_norm=CLIP, error_if_nonfinite=False)
        found = float(value.detach())
        if not (math.isfinite(found) and math.isfinite(float(norm))):
            raise EngineError(
                f"the loss is not a number any more, in step {self.steps}",
                f"give a lower --rate than {self.recipe.rate:g}; the best so far, if any, is in {self.folder}",
            )
        self.optimizer.step()
        self.average.update()
        return found

    def _judge(self, done: float) -> None:
        scores = self._judged(self.average.state)
        row = {
            "steps": self.steps, "seconds": round(self.seconds, 1), "rate": self.optimizer.param_groups[0]["lr"],
            "loss": self._sum / max(self._counted, 1), "val_loss": scores.loss,
            "gain": scores.gain, "worse": scores.worse, "change": scores.change,
        }  # fmt: skip
        self._sum, self._counted = 0.0, 0
        self.history.append(row)
        if scores.loss < self.best_score:
            self.best_score, self.best_step = scores.loss, self.steps
            model = {name: each.detach().cpu().clone() for name, each in self.average.state.items()}
            self.best = {
                "task": self.recipe.task, "width": self.recipe.width, "model": model, "step": self.steps,
                "score": scores.loss,
            }  # fmt: skip
        self.tell("round", {**row, "done": done, "best": self.best_score})

    def _judged(self, model: dict[str, torch.Tensor]) -> Judged:
        before = {name: each.detach().clone() for name, each in self.raw.state_dict().items()}
        try:
            self.raw.load_state_dict(model)
            return judged(self.raw, self.held)
        finally:
            self.raw.load_state_dict(before)

    def _save(self, *, final: bool = False) -> None:
        """The best and the whole state. A full disk leaves the last good ones; the next try may succeed."""
        try:
            if self.best is not None:
                write_state(self.folder / runs.BEST, self.best)
                self.best = None
            write_state(self.folder / runs.LAST, self._state())
            if self.history:
                write_csv(self.folder / runs.CURVES_CSV, self.history)
        except OutputError as error:
            if final:
                raise
            self.tell("note", {"words": f"{error.message}: the one before is kept, and it is tried again later"})

    def _finish(self, ended: bool, stream: Stream, took: float) -> Outcome:
        if not (self.folder / runs.BEST).exists():
            self._judge(self._done())
            self._save(final=True)
        kept = read_state(self.folder / runs.BEST)
        scores = self._judged(kept["model"])
        outcome = Outcome(
            ended, self.steps, self.best_step, len(self.samples), scores.gain, scores.worse, scores.change,
            stream.broken, round(self.seconds, 1), stream.waited / took, self._made / took,
        )  # fmt: skip
        text = json.dumps(msgspec.to_builtins(outcome), indent=2)
        write_whole(self.folder / runs.RESULT, lambda working: working.write_text(f"{text}\n"))
        return outcome


def _optimizer(net: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    """AdamW; biases and norms do not decay."""
    decaying = [each for each in net.parameters() if each.ndim > 1]
    others = [each for each in net.parameters() if each.ndim <= 1]
    groups = [{"params": decaying, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate)


def load_network(folder: Path) -> Harmoniser:
    """The best network of a run, in eval mode. Raises `UsageError` or `ModelError`."""
    path = folder / runs.BEST
    state = read_state(path)
    try:
        if state["task"] != "harmonise":
            raise ValueError("another task")
        net = Harmoniser(int(state["width"]))
        net.load_state_dict(state["model"])
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise ModelError(f"{path} holds no network for harmonise", "give a run of vcam train harmonise") from error
    net.eval()
    return net
