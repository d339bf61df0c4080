"""What `vcam train` does: options become a recipe, and that a training."""

from __future__ import annotations

import os
import shlex
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vcam import extras
from vcam.cli.main import INTERRUPTED
from vcam.cli.trainview import report, shown
from vcam.errors import UsageError, VcamError
from vcam.printable import few, printable
from vcam.signals import stop_on_signals

if TYPE_CHECKING:
    from vcam.train.recipe import Recipe

MINUTES = 10.0
_LOSSES = {"cross-entropy": 1.0, "dice": 1.0}
_LONGER = ("epochs", "minutes", "workers", "patience")
"""What may be changed when a run goes on."""

_TYPED = {"start": "--from", "encoder_input": "--encoder-input", "losses": "--loss", "options": "--option"}
"""Options whose names a recipe does not use."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was given on the command line."""

    data: Path | None
    out: Path | None
    preview: Path | None
    config: Path | None
    resume: bool
    as_json: bool
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def given(self) -> dict[str, Any]:
        """The options that were given."""
        return {name: value for name, value in self.options.items() if value not in (None, ())}


def carry_out(wishes: Wishes) -> int:
    """Train as somebody wishes; the exit status."""
    check_extra()
    try:
        return _carry_out(wishes)
    except VcamError:
        # of several processes, the first one speaks
        if _rank():
            raise SystemExit(1) from None
        raise


def check_extra() -> None:
    """Raise `UsageError` without PyTorch or Fabric, with how to get them."""
    from importlib.util import find_spec

    missing = [name for name in ("torch", "lightning_fabric") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"training needs {' and '.join(missing)}, which {'are' if len(missing) > 1 else 'is'} not installed",
            f"{extras.command('train')}; without a GPU by NVIDIA first: "
            f"{extras.command_for('torch')} --index-url https://download.pytorch.org/whl/cpu (0.8 GB, not 5.4)",
        )


def _rank() -> int:
    return _told("RANK", 0)


def _told(variable: str, default: int) -> int:
    """A number that `torchrun` tells its processes."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else default


def _carry_out(wishes: Wishes) -> int:
    recipe = recipe_of(wishes)
    if wishes.preview:
        return _preview(recipe, wishes.preview)
    if wishes.out is None:
        raise UsageError("a training needs a folder to go into", "--out RUN")
    from vcam.train.heap import keep_freed
    from vcam.train.session import Session

    keep_freed()
    with shown(recipe, as_json=wishes.as_json, speaks=not _rank()) as tell:
        session = Session(recipe, wishes.out, resume=wishes.resume, tell=tell)
        with stop_on_signals(session.stop) as seen:
            outcome = session.run()
    if _rank():
        return 0
    report(outcome, wishes.out, as_json=wishes.as_json)
    if outcome.ended:
        return 0
    return INTERRUPTED if not seen or seen[0] == signal.SIGINT else 128 + seen[0]


def recipe_of(wishes: Wishes) -> Recipe:
    """The recipe that the options come to. Raises `UsageError`, `InputError`."""
    import msgspec

    from vcam.train.recipe import RECIPE, Recipe, read_recipe

    given = _converted(wishes)
    if wishes.resume:
        if wishes.out is None:
            raise UsageError("which run is to go on?", "--out RUN")
        if not (wishes.out / RECIPE).exists():
            raise UsageError(f"there is nothing in {wishes.out} to go on with", "leave --resume away to begin")
        recipe = read_recipe(wishes.out / RECIPE)
        _refuse_changes(recipe, _completed(given, recipe), wishes.out)
        given = {name: value for name, value in given.items() if name in _LONGER}
        if "minutes" in given or "epochs" in given:
            given = {"minutes": 0.0, "epochs": 0, **given}
        return msgspec.structs.replace(recipe, **given)
    if wishes.config:
        base = msgspec.structs.replace(read_recipe(wishes.config), made={})
        if "minutes" in given or "epochs" in given:
            given = {"minutes": 0.0, "epochs": 0, **given}
        if given.get("network", base.network) != base.network:
            # what was said of another architecture
            usual = _defaults({**given, **({"start": base.start} if base.start else {})})
            base = msgspec.structs.replace(base, **{name: usual[name] for name in ("size", "options", "optimizer")})
        if {"start", "encoder"} & given.keys() and not (base.start or base.encoder):
            # what was meant for a network that begins with nothing
            usual = _defaults({**given, "network": base.network})
            names = ["small", "rate", "freeze", "keep", *(["optimizer"] if "start" in given else [])]
            base = msgspec.structs.replace(base, **{name: usual[name] for name in names})
        if "encoder" in given:
            # that of the other one
            base = msgspec.structs.replace(base, encoder_input="auto")
        return msgspec.structs.replace(base, **_completed(given, base))
    if "data" not in given:
        raise UsageError("which pictures?", "vcam train DATA --network NAME --out RUN")
    if "network" not in given:
        raise UsageError("which architecture?", "--network NAME; vcam train list has them")
    base = Recipe(**{**_defaults(given), "network": given["network"], "data": given["data"]})
    return msgspec.structs.replace(base, **_completed(given, base))


def _completed(given: dict[str, Any], base: Recipe) -> dict[str, Any]:
    """What was given, with the losses and the options of the architecture that follow from it and from a recipe."""
    made = dict(given)
    if "teacher" in given:
        made["losses"] = {"distillation": 1.0, **given.get("losses", base.losses)}
    options = dict(base.options)
    if given.get("prior") is False:
        options.pop("channels", None)
    if given.get("prior", base.prior):
        options["channels"] = 4
    if "boundary" in made.get("losses", base.losses) and given.get("network", base.network).startswith("portrait-net"):
        options["boundary"] = True
    return {**made, "options": {**options, **given.get("options", {})}}


def _converted(wishes: Wishes) -> dict[str, Any]:
    """What was given, as the recipe has it."""
    given = dict(wishes.given)
    if wishes.data is not None:
        given["data"] = os.path.abspath(wishes.data)
    if "network" in given:
        given["network"] = _kind(given["network"]).name
    if "size" in given:
        from vcam.settings import parse_size

        given["size"] = parse_size(given["size"])
    for name in ("start", "encoder"):
        if name in given:
            # the folder of a run stands for its best
            best = given[name] / "best.pt"
            given[name] = os.path.abspath(best if best.exists() else _weights(given[name]))
    if given.get("backdrops", "none") != "none":
        from vcam.folders import expand

        given["backdrops"] = os.path.abspath(expand(given["backdrops"]))
    if "loss" in given:
        given["losses"] = dict(_loss(words) for words in given.pop("loss"))
    if "option" in given:
        given["options"] = dict(_architecture_option(words) for words in given.pop("option"))
    if given.get("precision") == "auto":
        del given["precision"]
    return given


def _weights(path: Path) -> Path:
    """The file of the model that has this name, where no file has it. Raises `UsageError` if there is no such model."""
    from vcam.train.weightfiles import SUFFIXES

    if path.exists() or path.name != str(path) or path.suffix in SUFFIXES:
        return path
    from vcam.models.find import find_model

    return find_model(path.name, (1280, 720)).file_path


def _kind(name: str) -> Any:
    """The architecture of that name. Raises `UsageError` with the nearest one."""
    import difflib

    from vcam.train.nets.registry import ARCHITECTURES, architecture

    if name not in ARCHITECTURES and (close := difflib.get_close_matches(name, ARCHITECTURES, 1, 0.5)):
        shown = printable(name)
        raise UsageError(f"there is no architecture {shown}", f"did you mean {close[0]}? vcam train list has all")
    return architecture(name)


def _loss(words: str) -> tuple[str, float]:
    name, equals, weight = words.partition("=")
    try:
        return name, float(weight) if equals else 1.0
    except ValueError as error:
        raise UsageError(f"{printable(words)} gives no weight", f"--loss {printable(name)}=0.5") from error


def _architecture_option(words: str) -> tuple[str, Any]:
    name, equals, value = words.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"{printable(words)} is no option of an architecture", "--option width=1.0")
    if value.lower() in ("true", "false"):
        return name, value.lower() == "true"
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, value


def _defaults(given: dict[str, Any]) -> dict[str, Any]:
    """What a recipe has where nothing was said, by the network and this machine."""
    from vcam.train.recipe import (
        FROM_ENCODER,
        FROM_SCRATCH,
        FROM_WEIGHTS,
        KEEP,
        MORE,
        SMALL,
        SMALL_FIRST,
        USUAL,
        bf16_is_faster,
    )

    kind, plateau = _kind(given["network"]), given.get("schedule") == "plateau"
    workers, threads = shares(os.cpu_count() or 1, _told("LOCAL_WORLD_SIZE", 1))
    found: dict[str, Any] = {
        "size": kind.size,
        "options": {"norm": True},
        "losses": _LOSSES,
        # together 16 a step: with 32 two processes came to 88.3 mIoU of `selfie` in ten minutes, in place of 89.7
        "batch": max(MORE // max(_told("WORLD_SIZE", 1), 1), USUAL) if kind.parameters < SMALL else USUAL,
        "rate": FROM_WEIGHTS if "start" in given else FROM_ENCODER if "encoder" in given else FROM_SCRATCH,
        # a small network learns no more by Muon
        "optimizer": "adamw" if "start" in given or kind.parameters < SMALL else "muon",
        "freeze": 1 / 3 if "encoder" in given else 0.0,
        "small": 0.0 if {"start", "encoder", "patience"} & given.keys() or plateau else SMALL_FIRST,
        # a teacher's answers are mixed with its own already
        "keep": KEEP if "start" in given and "teacher" not in given else 0.0,
        "patience": 100 if plateau else 0,
        "workers": workers,
        "threads": threads,
        "precision": "bf16" if bf16_is_faster(kind.parameters) else "float32",
    }
    if "epochs" not in given and "minutes" not in given:
        found["minutes"] = MINUTES
    return found


def shares(cores: int, processes: int) -> tuple[int, int]:
    """Workers and threads for each of so many processes: a quarter of the cores make pictures, and all compute.

    The workers need a small part of theirs: on two cores `selfie` takes 55 pictures a second so, and 43 with a thread
    for one core alone.
    """
    mine = max(cores // max(processes, 1), 1)
    return max(mine // 4, 1), mine


def _refuse_changes(recipe: Recipe, given: dict[str, Any], out: Path) -> None:
    changed = [
        _TYPED.get(name, f"--{name}") for name, value in given.items()
        if name not in _LONGER and value != getattr(recipe, name)
    ]  # fmt: skip
    if changed:
        raise UsageError(
            f"{out} was begun with another {few(['DATA' if each == '--data' else each for each in changed])}",
            f"leave it away, or begin anew: --config {shlex.quote(str(out / 'recipe.toml'))} with another --out",
        )


def _preview(recipe: Recipe, path: Path) -> int:
    from vcam.files import Overwriting
    from vcam.train.preview import write_preview

    read = [Path(each) for each in (recipe.data, recipe.backdrops) if each]
    Overwriting(inputs=lambda: [*read, *(part / name for part in read for name in ("img", "mask"))]).check(
        path, "give the sheet another name"
    )
    write_preview(path, recipe)
    click.echo(f"vcam: what the network would be given is in {path}", err=True)
    return 0
