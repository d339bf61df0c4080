"""Where a training runs: device, precision and other processes, by Lightning Fabric."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import warnings
from collections.abc import Iterable
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from vcam import extras
from vcam.errors import UsageError


def rank() -> int:
    """The number of this process among those that `torchrun` started, 0 for one alone."""
    return _number("RANK", 0)


class Wanted(Protocol):
    """What a recipe says of where it is computed."""

    @property
    def device(self) -> str:
        """auto, cpu or gpu."""

    @property
    def precision(self) -> str:
        """float32 or bf16."""

    @property
    def threads(self) -> int:
        """That compute, in each process."""


def open_fabric(recipe: Wanted) -> Any:
    """Fabric for a recipe, launched: the process that it is in trains, with all that `torchrun` started beside it.

    Raises `UsageError` without Fabric, or for a device that this machine has not.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies import DDPStrategy
        from lightning_fabric.utilities.exceptions import MisconfigurationException
    except ImportError as error:
        raise UsageError(f"nothing can be trained: {error}", extras.command("train")) from error
    # what it would say is no news: that there is a device, that a process has started
    for name in ("lightning_fabric", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning_fabric")
    warnings.filterwarnings("ignore", message=".*grad.* strides do not match bucket view strides.*")
    world, local = _number("WORLD_SIZE", 1), _number("LOCAL_WORLD_SIZE", 1)
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    if recipe.device in ("cpu", "gpu"):
        accelerator = recipe.device  # type: ignore[assignment]
    # the losses call a network twice before they go back; each process keeps its norms' statistics until they are
    # averaged, see `mean_buffers`
    strategy = DDPStrategy(broadcast_buffers=False) if world > 1 else "auto"
    try:
        fabric = Fabric(
            accelerator=accelerator, devices=local, num_nodes=max(world // max(local, 1), 1), strategy=strategy,
            precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
        )  # fmt: skip
        fabric.launch()
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise UsageError(f"{recipe.device} cannot be trained on: {said}", "--device cpu") from error
    torch.set_num_threads(recipe.threads)
    return fabric


def _number(variable: str, default: int) -> int:
    try:
        return int(os.environ.get(variable, default))
    except ValueError:
        return default


def agreed(fabric: Any, values: Iterable[float]) -> list[float]:
    """What the first process says, in all of them: clocks and signals differ."""
    told = list(values)
    if fabric.world_size == 1:
        return told
    tensor = torch.tensor(told, dtype=torch.float64, device=fabric.device)
    torch.distributed.broadcast(tensor, 0)
    return [float(each) for each in tensor.tolist()]


def gathered(fabric: Any, value: Any) -> list[Any]:
    """The values of all processes, in the order of their ranks."""
    if fabric.world_size == 1:
        return [value]
    found: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(found, value)
    return found


def mean_buffers(fabric: Any, tensors: Iterable[Tensor]) -> None:
    """Put into each tensor of floats the mean of all processes, in place: the statistics of norms."""
    if fabric.world_size > 1:
        for each in tensors:
            if each.is_floating_point():
                torch.distributed.all_reduce(each)
                each.div_(fabric.world_size)


def end_with_parent() -> None:
    """Have this process, a worker of a fork server, end with the one that it works for, also where that is killed.

    PyTorch has a worker look whether the process that has forked it is there. That one stays for as long as it does.
    """

    def wait() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
