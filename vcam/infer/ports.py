"""Where the description of a network meets its inputs and outputs; the same for every runtime."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

from vcam.errors import EngineError, ModelError
from vcam.infer.base import Network, Output, Tensor


class Ports(NamedTuple):
    """Numbers of a network's inputs and outputs, in the order of its description.

    `states` has (input, output or None).
    """

    pictures: tuple[int, ...]
    outputs: tuple[int, ...]
    states: tuple[tuple[int, int | None], ...]


def match_ports(network: Network, inputs: Sequence[Collection[str]], outputs: Sequence[Collection[str]]) -> Ports:
    """Find what is described among a network's inputs and outputs, each given with all its names.

    A picture without a name is the only input left beside the states; an output without one is the first that no
    state comes from. Raises `ModelError` if a name is unknown or an input would stay empty.
    """
    states = tuple(
        (
            _find(network, "input", state.input, inputs),
            _find(network, "output", state.output, outputs) if state.output else None,
        )
        for state in network.states
    )
    fed = {entry for entry, _ in states}
    free = [number for number in range(len(inputs)) if number not in fed]
    pictures = tuple(
        _find(network, "input", picture.name, inputs) if picture.name else _only(network, free, inputs)
        for picture in network.pictures
    )
    if left := [inputs[number] for number in free if number not in pictures]:
        raise ModelError(
            f"{network.card}: nothing feeds the input {_words(left)} of {network.path.name}",
            "give it a table under [[states]]",
        )
    carried = {out for _, out in states}
    wanted = tuple(
        _find(network, "output", output.name, outputs) if output.name else _first(network, carried, len(outputs))
        for output in network.outputs
    )
    return Ports(pictures, wanted, states)


def _find(network: Network, kind: str, name: str, ports: Sequence[Collection[str]]) -> int:
    for number, names in enumerate(ports):
        if name in names:
            return number
    raise ModelError(f"{network.card}: {network.path.name} has no {kind} {name!r}", f"it has {_words(ports)}")


def _only(network: Network, free: Sequence[int], inputs: Sequence[Collection[str]]) -> int:
    if len(free) == 1:
        return free[0]
    raise ModelError(
        f"{network.card}: which input of {network.path.name} takes the picture?",
        f"set input.name to one of {_words([inputs[number] for number in free] or inputs)}",
    )


def _first(network: Network, carried: Collection[int | None], count: int) -> int:
    for number in range(count):
        if number not in carried:
            return number
    raise ModelError(f"{network.card}: all that {network.path.name} gives out are states", "set output.name")


def _words(ports: Sequence[Collection[str]]) -> str:
    return ", ".join(min(names, default="(no name)") for names in ports)


def check_input(network: Network, what: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    """Raise `ModelError` unless a network's sides, -1 for one that may be anything, allow those described."""
    same = len(found) == len(wanted) and all(a in (-1, b) for a, b in zip(found, wanted, strict=True))
    if not same:
        raise ModelError(
            f"{network.card}: {what} of {network.path.name} is {list(found)}, which is not the card's",
            f"the card says {list(wanted)}: mend its layout, size or shape",
        )


def check_output(network: Network, output: Output, found: Sequence[int]) -> None:
    """Raise `ModelError` unless an output of these sides can be read as described; flat ones may have any shape.

    Where a side is known only once the network has run, -1, nothing is looked at.
    """
    if -1 in found:
        return
    sides, wanted = ([side for side in shape if side != 1] for shape in (found, output.shape))
    flat = len(sides) <= 1 and math.prod(found) == math.prod(output.shape)
    if sides != wanted and not flat:
        raise ModelError(
            f"{network.card}: the network gives {list(found)}, which is not the card's output",
            f"the card's layout, size and form mean {list(output.shape)}",
        )


def as_described(network: Network, output: Output, values: Tensor) -> Tensor:
    """An output in the shape that its description gives, not copied. Raises `EngineError` if it has another size."""
    if values.size != math.prod(output.shape):
        raise EngineError(f"{network.name} gave {list(values.shape)} instead of {list(output.shape)}")
    return values.reshape(output.shape)
