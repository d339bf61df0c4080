"""A run on disk: what the training writes and what export reads.

    RUN/recipe.toml      what it is made from
    RUN/best.pt          the network that did best on the pictures for validation, its averaged weights
    RUN/last.pt          the whole state of the training, from which it goes on
    RUN/curves.csv, curves.png, worst.png, result.json

Both .pt files hold tensors, numbers, texts and containers of those alone, so that reading them cannot run code.
"""

from __future__ import annotations

import io
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
from vcam.train.recipe import RECIPE as RECIPE
from vcam.types import Size

BEST, LAST, RESULT = "best.pt", "last.pt", "result.json"
CURVES_CSV, CURVES, WORST = "curves.csv", "curves.png", "worst.png"

_DAMAGE = (RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class Run:
    """A trained network, the best of a run's folder.

    net: in eval mode, logits as its architecture gives them. options: what it was built with. size: width, height.
    prior: whether it takes the mask of the frame before as a fourth channel, 0..1. values: what the network is given
    for black and for white, in its first channel.
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


def values_of(kind: Architecture) -> tuple[float, float]:
    """What an architecture is given for black and for white, in its first channel."""
    low, high = ((value - kind.mean[0]) / kind.scale[0] for value in (0.0, 255.0))
    return low, high


def load_run(folder: Path) -> Run:
    """The best network of a run. Raises `UsageError` if there is no such run, `ModelError` if it cannot be read."""
    if not folder.is_dir():
        raise UsageError(f"there is no run {folder}", "give the folder that vcam train --out named")
    path = folder / BEST
    held = read_state(path)
    try:
        network, options = str(held["network"]), dict(held["options"])
        size = (int(held["size"][0]), int(held["size"][1]))
        low, high = held["values"]
        net = architecture(network).build(**{**options, "size": size})
        net.load_state_dict(held["model"])
        return Run(folder, net.eval(), network, options, size, bool(held["prior"]), (float(low), float(high)))
    except UsageError as error:
        raise ModelError(f"{path}: {error.message}", error.hint) from error
    except (*_DAMAGE, AttributeError, IndexError) as error:
        said = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)
        raise ModelError(f"{path} holds no run: {said}", "train it again, or take another run") from error


def read_state(path: Path) -> dict[str, Any]:
    """What a .pt file of a run holds. Raises `UsageError` if it is not there, `ModelError` if it is damaged."""
    shown = printable(str(path))
    try:
        if other := no_file(path):
            raise ModelError(f"{shown} is {other}", "take another run")
        held = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path.name} in {path.parent}", "is it the folder of a training?") from error
    except OSError as error:
        raise ModelError(f"{shown} cannot be read: {error.strerror}", "check its permissions") from error
    except (*_DAMAGE, AttributeError, IndexError) as error:
        raise ModelError(f"{shown} is damaged", "train it again, or take another run") from error
    if not isinstance(held, dict):
        raise ModelError(f"{shown} is no file of a training", "take another run")
    return held


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a .pt file, whole or not at all: after a power cut or on a full disk, the one before is there.

    Raises `OutputError` if the system refuses.
    """
    # PyTorch's own writer hides the reason for which a file cannot be written
    held = io.BytesIO()
    torch.save(dict(state), held)
    write_whole(path, lambda working: working.write_bytes(held.getbuffer()), lasting=True)
