"""Where a card's words meet a network's inputs and outputs; the same for every runtime."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from vcam.errors import ModelError
from vcam.models.cards import ModelCard
from vcam.types import F32, U8


class Ports(NamedTuple):
    """Numbers of a network's inputs and outputs. `states` has (input, output or None) in the order of the card."""

    picture: int
    result: int
    states: tuple[tuple[int, int | None], ...]


def match_ports(card: ModelCard, inputs: Sequence[Collection[str]], outputs: Sequence[Collection[str]]) -> Ports:
    """Find what the card names among a network's inputs and outputs, each given with all its names.

    An input or output that the card does not name is the only one left beside the states, or, of several outputs, the
    first. Raises `ModelError` if a name is unknown or an input would stay empty.
    """
    states = tuple(
        (
            _find(card, "input", state.input, inputs),
            _find(card, "output", state.output, outputs) if state.output else None,
        )
        for state in card.states
    )
    fed = {entry for entry, _ in states}
    free = [number for number in range(len(inputs)) if number not in fed]
    if card.input.name:
        picture = _find(card, "input", card.input.name, inputs)
    elif len(free) == 1:
        picture = free[0]
    else:
        raise ModelError(
            f"{card.path}: which input of {card.file} takes the picture?",
            f"set input.name to one of {_words([inputs[number] for number in free] or inputs)}",
        )
    if left := [inputs[number] for number in free if number != picture]:
        raise ModelError(
            f"{card.path}: nothing feeds the input {_words(left)} of {card.file}", "give it a table under [[states]]"
        )
    if card.output.name:
        return Ports(picture, _find(card, "output", card.output.name, outputs), states)
    carried = {out for _, out in states}
    result = next((number for number in range(len(outputs)) if number not in carried), None)
    if result is None:
        raise ModelError(f"{card.path}: no output of {card.file} is left for the mask", "set output.name")
    return Ports(picture, result, states)


def _find(card: ModelCard, kind: str, name: str, ports: Sequence[Collection[str]]) -> int:
    for number, names in enumerate(ports):
        if name in names:
            return number
    raise ModelError(f"{card.path}: {card.file} has no {kind} {name!r}", f"it has {_words(ports)}")


def _words(ports: Sequence[Collection[str]]) -> str:
    return ", ".join(min(names, default="(no name)") for names in ports)


def input_shape(card: ModelCard) -> tuple[int, int, int, int]:
    """The shape of the network's picture as the card gives it."""
    width, height = card.input.size
    if card.input.layout == "NCHW":
        return 1, card.input.depth, height, width
    return 1, height, width, card.input.depth


def check_shape(card: ModelCard, what: str, found: Sequence[int], wanted: Sequence[int]) -> None:
    """Raise `ModelError` unless a network's shape, -1 for a side that may be anything, allows the card's."""
    same = len(found) == len(wanted) and all(a in (-1, b) for a, b in zip(found, wanted, strict=True))
    if not same:
        raise ModelError(
            f"{card.path}: {what} of {card.file} is {list(found)}, which is not the card's",
            f"the card says {list(wanted)}: mend its layout, size or shape",
        )


def fill_picture(card: ModelCard, target: U8, picture: U8, previous: F32) -> None:
    """Copy a picture (height, width, 3), and where the card says so the previous map, into (height, width, depth)."""
    np.copyto(target[..., :3], picture)
    if card.input.previous_mask:
        np.multiply(previous, 255, out=target[..., 3], casting="unsafe")
