"""All that a training of the network for `harmonise` is made from: `RUN/recipe.toml`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec
import tomlkit

from vcam.errors import InputError, UsageError
from vcam.files import no_file, write_whole
from vcam.printable import printable

TASK: Literal["harmonise"] = "harmonise"

RATE = 2e-3


class HarmonyRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """data: the folder of pictures. steps or minutes is 0, the other one counts. batch: samples an update.
    updates: of the weights for each 32 samples that are made, from the `bank` latest ones.

    width: a sixth of a layer's. average: how much of the mean of weights stays in a step, 0..1.
    held: samples for validation. made: versions of what made it, for people.
    """

    task: Literal["harmonise"] = TASK
    data: str
    steps: int = 0
    minutes: float = 0.0
    batch: int = 128
    updates: int = 4
    bank: int = 40_000
    rate: float = RATE
    width: int = 16
    average: float = 0.999
    held: int = 1024
    seed: int = 0
    workers: int = 1
    threads: int = 1
    precision: Literal["float32"] = "float32"
    device: str = "auto"
    made: dict[str, str] = {}

    def checked(self) -> HarmonyRecipe:
        """Itself. Raises `UsageError` for what cannot be meant."""
        if bool(self.steps) == bool(self.minutes):
            raise UsageError("a training takes steps or minutes, and one of them", "give --steps or --minutes")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                raise UsageError(f"{name} cannot be {value:g}", f"give {least:g} to {most:g}")
        return self


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("steps", 0, 100_000_000),
    ("minutes", 0, 1_000_000),
    ("batch", 2, 4096),
    ("updates", 1, 1000),
    ("bank", 32, 10_000_000),
    ("rate", 1e-8, 1),
    ("width", 4, 128),
    ("average", 0, 0.99999),
    ("held", 2, 100_000),
    ("seed", 0, 2**63 - 1),
    ("workers", 0, 256),
    ("threads", 1, 256),
)


def write_recipe(path: Path, recipe: HarmonyRecipe) -> None:
    """Write it, whole or not at all. Raises `OutputError` if the system refuses."""
    text = tomlkit.dumps(msgspec.to_builtins(recipe))
    write_whole(path, lambda working: working.write_bytes(text.encode()), lasting=True)


def read_recipe(path: Path) -> HarmonyRecipe:
    """Raises `UsageError` if there is no such file, `InputError` if it is the recipe of nothing of this kind."""
    shown, cure = printable(str(path)), "give the folder of a vcam train harmonise"
    try:
        if other := no_file(path):
            raise InputError(f"{shown} is {other}, not a recipe", cure)
        return msgspec.convert(dict(tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()), HarmonyRecipe)
    except FileNotFoundError as error:
        raise UsageError(f"there is no recipe {shown}", cure) from error
    except OSError as error:
        raise InputError(f"{shown} cannot be read: {error.strerror}", "check its permissions") from error
    except (ValueError, tomlkit.exceptions.TOMLKitError, msgspec.ValidationError) as error:
        raise InputError(f"{shown} is no recipe of harmonise: {printable(str(error))}", cure) from error
