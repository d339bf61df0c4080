"""All that a training is made from, as a file: `RUN/recipe.toml`. With it and the data, it can be made again."""

from __future__ import annotations

import math
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
import tomlkit

from vcam import __version__
from vcam.errors import InputError, UsageError
from vcam.files import no_file, write_whole
from vcam.printable import printable
from vcam.train.nets.registry import Architecture, architecture
from vcam.types import Size

RECIPE = "recipe.toml"
"""Its name in the folder of a run."""

Precision: TypeAlias = Literal["float32", "bf16"]
"""bf16: the same exponents in 16 bits, where the processor multiplies them faster; weights stay float32."""

Schedule: TypeAlias = Literal["cosine", "plateau"]
"""cosine: the rate falls to nothing along a cosine. plateau: it is divided by three where nothing improves any more."""

Optimizer: TypeAlias = Literal["adamw", "muon"]
"""muon: for the weights that mix channels, and AdamW for the others; see `vcam.train.optimizers.Muon`."""

EncoderInput: TypeAlias = Literal["auto", "same", "0..1", "-1..1", "imagenet"]
"""What an encoder was given in its training: what the network is given that takes it, RGB / 255, RGB / 127.5 - 1, or
RGB less ImageNet's mean by its spread, as torchvision and timm have it. auto: see `vcam.train.encoders.given_to`."""

FROM_SCRATCH, FROM_ENCODER, FROM_WEIGHTS = 6e-3, 2e-3, 1e-4
"""Rates of learning: a network that knows something forgets it with more."""

SMALL_FIRST = 0.5
"""`Recipe.small` of a network that begins with nothing: what people look like can be learnt from small pictures, of
which there are several in the time of one. Progressive resizing, as in https://arxiv.org/abs/2104.00298, section 4."""

KEEP = 0.5
"""`Recipe.keep` of a network that knows something and has no teacher to tell it more."""

WIDE = 500_000
"""Parameters from which on bf16 is the faster one on processors that have it."""

SMALL = 200_000
"""Parameters up to which a network is small: AdamW teaches it all, and a step takes `MORE` pictures. From 16 on one
thread of PyTorch computes 1x1 convolutions by oneDNN, in two thirds of the time where maps are large and channels few:
`use_mkldnn` in its Convolution.cpp."""
MORE, USUAL = 16, 8


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training.

    data: the folder. size: width and height of what the network is given. epochs or minutes is 0, the other one counts.
    batch: pictures a step and process. optimizer: adamw in recipes that do not say, which are older. losses: their
    names and weights. start: weights of a whole network to begin with, encoder: of its encoder alone, encoder_input:
    what that was given in its training. keep: how much of what the network of `start` said and was stays, 0..1, see
    `vcam.train.start.AsItBegan`. freeze: share of the training, 0..1, in which the encoder stays as it is. small:
    share, 0..1, from its beginning, in which pictures are half as wide and high, see `small_size`.
    average: how much of the mean of weights stays in a step, 0..1. patience: epochs without improvement after which it
    ends, 0 for never. made: versions and figures of what made it, for people.
    """

    network: str
    data: str
    options: dict[str, Any] = {}
    size: Size
    epochs: int = 0
    minutes: float = 0.0
    batch: int = USUAL
    rate: float = FROM_SCRATCH
    schedule: Schedule = "cosine"
    optimizer: Optimizer = "adamw"
    freeze: float = 0.0
    small: float = 0.0
    average: float = 0.995
    patience: int = 0
    losses: dict[str, float]
    teacher: str = ""
    prior: bool = False
    start: str = ""
    encoder: str = ""
    encoder_input: EncoderInput = "auto"
    keep: float = 0.0
    backdrops: str = ""
    augment: bool = True
    seed: int = 0
    workers: int = 1
    threads: int = 1
    precision: Precision = "float32"
    device: str = "auto"
    made: dict[str, str] = {}

    @property
    def kind(self) -> Architecture:
        """The architecture. Raises `UsageError` if there is none of that name."""
        return architecture(self.network)

    @property
    def small_size(self) -> Size:
        """Width and height of the small pictures: half of the network's, or what it can halve above that.

        Its deepest maps keep two rows at least: of one pixel and one picture, a norm could tell nothing.
        """
        by = self.kind.halved
        width, height = (min(max(-(-side // (2 * by)), 2) * by, side) for side in self.size)
        return width, height

    def checked(self) -> Recipe:
        """Itself. Raises `UsageError` for what cannot be meant, naming it and its cure."""
        kind = self.kind
        if bool(self.epochs) == bool(self.minutes):
            raise UsageError("a training takes epochs or minutes, and one of them", "give --epochs or --minutes")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                raise UsageError(f"{name} cannot be {value:g}", f"give {least:g} to {most:g}")
        width, height = self.size
        if min(width, height) < 32 or max(width, height) > 2048 or width % kind.halved or height % kind.halved:
            raise UsageError(
                f"{kind.name} cannot be trained at {width}x{height}",
                f"give multiples of {kind.halved} from 32 to 2048, such as {kind.size[0]}x{kind.size[1]}",
            )
        if self.small and (self.schedule == "plateau" or self.patience):
            raise UsageError(
                "what small pictures have no more to teach would count as a plateau",
                "--small 0, or neither --schedule plateau nor --patience",
            )
        if self.start and self.encoder:
            raise UsageError("weights come from one file", "leave --from or --encoder away")
        if self.encoder_input != "auto" and not self.encoder:
            raise UsageError("what was the encoder, whose input that is?", "give --encoder, or leave its input away")
        if self.keep and not self.start:
            raise UsageError(
                "a network that begins with nothing has nothing to keep", "give --from, or leave --keep away"
            )
        if not self.losses:
            raise UsageError("a training needs a loss", "--loss cross-entropy")
        if self.teacher and "distillation" not in self.losses:
            raise UsageError("a teacher is asked only for distillation", "add --loss distillation")
        if "distillation" in self.losses and not self.teacher:
            raise UsageError("distillation needs a teacher", "add --teacher NAME, as vcam models list has them")
        return self


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("epochs", 0, 1_000_000),
    ("minutes", 0, 1_000_000),
    ("batch", 1, 4096),
    ("rate", 1e-8, 10),
    ("freeze", 0, 1),
    ("small", 0, 1),
    ("keep", 0, 1),
    ("average", 0, 0.99999),
    ("patience", 0, 1_000_000),
    ("seed", 0, 2**63 - 1),
    ("workers", 0, 256),
    ("threads", 1, 256),
)


def versions() -> dict[str, str]:
    """What made it: for `Recipe.made`."""
    found = {"vcam": __version__, "python": platform.python_version(), "machine": _processor()}
    for package in ("torch", "lightning-fabric", "numpy", "opencv-python-headless"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write it, whole or not at all. Raises `OutputError` if the system refuses."""
    text = tomlkit.dumps({name: value for name, value in msgspec.to_builtins(recipe).items() if value is not None})
    write_whole(path, lambda working: working.write_bytes(text.encode()), lasting=True)


def read_recipe(path: Path) -> Recipe:
    """Raises `UsageError` if there is no such file, `InputError` if it is no recipe."""
    shown = printable(str(path))
    try:
        if other := no_file(path):
            raise InputError(f"{shown} is {other}, not a recipe", "give the recipe.toml of a run")
        return msgspec.convert(dict(tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()), Recipe)
    except FileNotFoundError as error:
        raise UsageError(f"there is no recipe {shown}", "give the recipe.toml of a run") from error
    except OSError as error:
        raise InputError(f"{shown} cannot be read: {error.strerror}", "check its permissions") from error
    except (ValueError, tomlkit.exceptions.TOMLKitError, msgspec.ValidationError) as error:
        raise InputError(f"{shown} is no recipe: {printable(str(error))}", "give the recipe.toml of a run") from error


def bf16_is_faster(parameters: int) -> bool:
    """Whether bf16 is worth it on this machine's processor, for a network of so many parameters."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return parameters >= WIDE and ("avx512_bf16" in flags or "amx_bf16" in flags)
