"""A trained network becomes a file that others run: made, tried on its runtimes beside PyTorch, and put in its place.

All of it happens in a folder of its own. What is asked for appears once it is whole and right, or not at all.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vcam import folders
from vcam.errors import ModelError, UsageError
from vcam.files import write_error
from vcam.infer.ir import save_ir
from vcam.models.cards import ModelCard, read_card
from vcam.models.parts import parts_of
from vcam.models.store import is_name, name_like, put_into
from vcam.printable import printable
from vcam.train.exportcard import complete, write_card
from vcam.train.forms import Form
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import Architecture, architecture
from vcam.train.onnxfile import multiplications, ready, to_onnx, without_mask
from vcam.train.pictures import Chosen, chosen, described, known_pictures, mean_iou, scaled, to_learn_and_judge
from vcam.train.quantise import CALIBRATION, with_float16, with_int8, with_int8_weights
from vcam.train.runs import BEST, Run, load_run
from vcam.train.trial import Finds, milliseconds, runtimes
from vcam.types import F32, U8

JUDGED = 60
"""Pictures at most whose masks are compared."""

PYTORCH = "pytorch"

Tell = Callable[[str], None]
"""Takes words about what is done now."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be made. data: a data set, which the form int8 needs, and by which others are judged if it is given.

    folder: None for that of the run. name: "" for that of the run, with what the form adds. minutes: of training under
    the roundings of 8 bits beforehand, 0 for none.
    """

    run: Path
    form: Form
    data: Path | None = None
    folder: Path | None = None
    name: str = ""
    licence: str = "NOASSERTION"
    minutes: float = 0.0
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made. bytes, plain_bytes: of the network's files, and of the same in float32 as ONNX.

    apart: the largest and the mean difference of a probability from PyTorch's, by runtime. miou: over `judged`
    pictures, 0..1, by runtime, PyTorch's under "pytorch"; empty without pictures. ms: CPU milliseconds by runtime.
    refused: runtimes of vcam's that do not run this form, with the reason.
    """

    card: ModelCard
    form: Form
    bytes: int
    plain_bytes: int
    apart: Mapping[str, tuple[float, float]]
    miou: Mapping[str, float]
    judged: int
    ms: Mapping[str, float]
    refused: Mapping[str, str]
    broken: Mapping[Path, str]


def export(wish: Wish, tell: Tell = lambda words: None) -> Exported:
    """Make it. Raises `UsageError`, `InputError`, `ModelError` or `OutputError`; then nothing has changed."""
    run = load_run(wish.run)
    if not run.prior and run.net.channels == 4:
        run = replace(run, net=without_mask(run.net))
    kind = architecture(run.network)
    folder, name = _place(wish)
    aside = Path(folders.scratch(), name)
    try:
        with tempfile.TemporaryDirectory(prefix="vcam-", dir=aside.parent) as scratch:
            made = _Making(wish, run, kind, Path(scratch), tell).make(name)
            _put(folder, made.card, name, wish.overwrite)
    except OSError as error:
        raise write_error(aside, error) from error
    return replace(made, card=read_card(folder / f"{name}.toml"))


def _place(wish: Wish) -> tuple[Path, str]:
    """Folder and name of what will be made. Raises `UsageError` if they cannot be, or are taken."""
    folder = (wish.folder or wish.run).absolute()
    own = wish.run.absolute().name
    name = wish.name or f"{own if is_name(own) else name_like(own)}{wish.form.adds}"
    if not is_name(name):
        raise UsageError(f"{printable(name)!r} is no name for a network", f"give another one: --name {name_like(name)}")
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "--out FOLDER")
    if not wish.overwrite:
        for path in (folder / f"{name}.toml", folder / f"{name}{wish.form.suffix}"):
            if path.exists():
                raise UsageError(f"{path} exists", "--overwrite, or another name: --name NAME")
    return folder, name


def _put(folder: Path, card: ModelCard, name: str, overwrite: bool) -> None:
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        put_into(folder, card, name, replace=overwrite)
    except BaseException as error:
        if new and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        if isinstance(error, OSError):
            raise write_error(folder / name, error) from error
        raise


class _Making:
    """One export at work, in a folder of its own."""

    def __init__(self, wish: Wish, run: Run, kind: Architecture, scratch: Path, tell: Tell) -> None:
        self.wish, self.run, self.kind, self.scratch, self.tell = wish, run, kind, scratch, tell
        self.way = described(kind, run.size, int(run.net.channels))
        self.net = ready(run.net)

    def make(self, name: str) -> Exported:
        learn, judge = Chosen(), Chosen()
        if self.wish.data is not None:
            self.tell("reading pictures")
            ours, theirs = to_learn_and_judge(self.wish.data)
            if self.wish.form.precision == "int8":
                learn = chosen(ours, self.kind, self.way, CALIBRATION)
            judge = chosen(theirs, self.kind, self.way, JUDGED)
            if self.wish.minutes:
                self._tune(ours)
        self.tell("writing the network")
        model = to_onnx(self.net, self.run.network)
        file = self.scratch / f"{name}{self.wish.form.suffix}"
        self._write(model, file, learn)
        card = write_card(
            file, self.wish.form, self.kind, self.way, title=f"{name} ({self.run.network})",
            licence=self.wish.licence, origin=f"{self._origin()}, {self.wish.form.option}",
        )  # fmt: skip
        self.tell("running it")
        with runtimes(self.wish.form, card, self.scratch / "cache") as (finds, refused):
            known = known_pictures(self.kind, self.way)
            # whole numbers know the ranges of the pictures that they were made with, and no others
            others = [] if self.wish.form.precision == "int8" else known
            apart = self._compare(finds, [*others, *judge.pictures[:8]])
            ms = {runtime: milliseconds(find, known[0]) for runtime, find in finds.items()}
            every = {PYTORCH: self.find, **finds} if judge.pictures else {}
            miou = {runtime: self._score(find, judge) for runtime, find in every.items()}
            tolerance = 10 if self.wish.form.tolerance is not None else 20
            card = complete(card, finds, ms, multiplications(model), tolerance)
        size = sum(path.stat().st_size for path in (file, *parts_of(card)))
        plain = len(model.SerializeToString())
        broken = learn.broken | judge.broken
        return Exported(
            card, self.wish.form, size, plain, apart, miou, len(judge.pictures), ms, refused, broken
        )  # fmt: skip

    def _origin(self) -> str:
        digest = hashlib.sha256((self.wish.run / BEST).read_bytes()).hexdigest()[:16]
        return f"vcam train export of {printable(self.wish.run.absolute().name)}, {self.run.network}, weights {digest}"

    def _tune(self, entries: Any) -> None:
        from vcam.train.qat import tuned

        self.net = tuned(self.net, self.kind, self.way, entries, self.wish.minutes, self.tell)

    def _write(self, model: Any, file: Path, learn: Chosen) -> None:
        form, given = self.wish.form, []
        if form.precision == "int8":
            self.tell(f"finding the ranges of {len(learn.pictures)} pictures")
            # every engine is tried with what is known, so that has to be within the ranges, too
            seen = Chosen([*known_pictures(self.kind, self.way), *learn.pictures])
            given = [scaled(each, self.way) for each in seen.with_masks_before(self.find)]
        if form.target == "tflite":
            from vcam.train.tflitefile import to_tflite

            file.write_bytes(to_tflite(self.net, form.precision, given))
            return
        if form.precision == "float16" and form.target == "onnx":
            model = with_float16(model)
        elif form.precision == "weights":
            model = with_int8_weights(model)
        elif form.precision == "int8":
            model = with_int8(model, given)
        onnx = file.with_suffix(".onnx")
        onnx.write_bytes(model.SerializeToString(deterministic=True))
        if form.target == "openvino":
            save_ir(onnx, file, half=form.precision == "float16")
            onnx.unlink()

    def find(self, shown: U8) -> F32:
        """PyTorch's own answer: the network as it was trained, not as it was made ready."""
        with torch.no_grad():
            found: F32 = probability(self.run.net(torch.from_numpy(scaled(shown, self.way))))[0, 0].numpy()
        return found

    def _compare(self, finds: dict[str, Finds], pictures: list[U8]) -> dict[str, tuple[float, float]]:
        """How far each runtime is from PyTorch. Raises `ModelError` if that is further than the form may be."""
        off: dict[str, list[F32]] = {runtime: [] for runtime in finds}
        for shown in Chosen(pictures).with_masks_before(self.find):
            true = self.find(shown)
            for runtime, find in finds.items():
                off[runtime].append(np.abs(find(shown) - true))
        apart = {runtime: (float(np.max(each)), float(np.mean(each))) for runtime, each in off.items()}
        form = self.wish.form
        for runtime, (worst, mean) in apart.items():
            wrong = worst > form.tolerance if form.tolerance is not None else mean > form.mean_tolerance
            if wrong or not np.isfinite(worst):
                raise ModelError(
                    f"{form.option} computes something else on {runtime}: off by {worst:.4f} at worst, "
                    f"{mean:.4f} in the mean",
                    "take another form: vcam train export --list",
                )
        return apart

    def _score(self, find: Finds, judge: Chosen) -> float:
        scores = [mean_iou(find(shown) >= 0.5, true) for shown, true in zip(judge.pictures, judge.masks, strict=True)]
        return float(np.mean(scores))
