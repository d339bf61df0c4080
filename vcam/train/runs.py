"""What a training leaves behind: a folder with the best weights and all that is needed to build their network again."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vcam.errors import ModelError, UsageError
from vcam.files import no_file, write_whole
from vcam.printable import printable
from vcam.train.nets.registry import Architecture, architecture
from vcam.types import Size

BEST, RECIPE = "best.pt", "recipe.toml"

_HINT = "train it anew, or give the folder of another run"


@dataclass(frozen=True, slots=True)
class Run:
    """A trained network in eval mode, and what it was built from.

    size: width and height of its pictures. prior: its last channel is the mask of the frame before, 0..1. values: the
    range that its pictures are scaled to.
    """

    folder: Path
    net: nn.Module
    network: str
    options: Mapping[str, Any]
    size: Size
    prior: bool
    values: tuple[float, float]

    @property
    def kind(self) -> Architecture:
        """The architecture, which says how pictures are scaled."""
        return architecture(self.network)


def load_run(folder: Path) -> Run:
    """The network of a run's best weights.

    Raises `UsageError` if there is no such run, `ModelError` if its weights cannot be read or do not fit.
    """
    path, shown = folder / BEST, printable(str(folder))
    try:
        if other := no_file(path):
            raise ModelError(f"{shown}/{BEST} is {other}", _HINT)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{shown} holds no run: there is no {BEST}", "vcam train DATA --out RUN makes one") from error
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
        network, options = str(held["network"]), dict(held["options"])
        width, height = (int(side) for side in held["size"])
        low, high = (float(value) for value in held["values"])
        net = architecture(network).build(**{**options, "size": (width, height)})
        net.load_state_dict(held["model"])
        return Run(folder, net.eval(), network, options, (width, height), bool(held["prior"]), (low, high))
    except (
        RuntimeError, EOFError, OSError, pickle.UnpicklingError, zipfile.BadZipFile, KeyError, TypeError, ValueError,
        AttributeError,
    ) as error:  # fmt: skip
        told = printable(str(error)).strip().partition("\n")[0]
        raise ModelError(f"{shown}/{BEST} cannot be read: {told}", _HINT) from error


def save_best(folder: Path, run: Run) -> None:
    """Write a network as a run's best. Raises `OutputError`, and then the one that was there stays."""
    held = {
        "network": run.network, "options": dict(run.options), "size": list(run.size), "prior": run.prior,
        "values": list(run.values), "model": run.net.state_dict(),
    }  # fmt: skip
    write_whole(folder / BEST, lambda path: torch.save(held, path), lasting=True)
