"""What a training needs of PyTorch beside its loop: state of chance, how it says that memory is wanting."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "could not create a memory")
"""What PyTorch, and oneDNN within it, say where memory does not suffice."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether PyTorch or Python raised this for want of memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error)
    return any(words in said for words in _NO_MEMORY)


def chance(device: torch.device) -> list[Tensor]:
    """The state of the random numbers that dropout takes."""
    states = [torch.get_rng_state()]
    return [*states, torch.cuda.get_rng_state(device)] if device.type == "cuda" else states


def set_chance(states: list[Tensor], device: torch.device) -> None:
    """Put back what `chance` gave."""
    torch.set_rng_state(states[0])
    if device.type == "cuda" and len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)


def is_buffer(net: nn.Module, name: str) -> bool:
    """Whether that is the name of one: of what a network holds beside its parameters, such as a norm's statistics."""
    return name in dict(net.named_buffers())
