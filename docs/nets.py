"""Pictures of the architectures for docs/training.md, made from the networks themselves.

    python -m docs.nets        needs PyTorch: pip install 'vcam[train]'

A network is run once, and every operation noted: at which resolution it works, and where its inputs come from. Layers
at one resolution behind each other are one block; a sum or a junction with a map of an earlier block is a skip.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "images" / "nets"

FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"
LEFT, TOP, ROW, BOX, GAP = 92, 74, 46, 34, 8
COLOURS = {"down": "#dbe7f3", "up": "#e3f1dd", "same": "#f6efd9"}


@dataclass
class Block:
    """Layers at one resolution, in the order in which they run. skips: earlier blocks whose maps come in."""

    size: tuple[int, int]
    layers: int = 0
    parameters: int = 0
    channels: list[int] = field(default_factory=list)
    skips: set[int] = field(default_factory=set)


def blocks_of(net: Any) -> list[Block]:
    """The blocks of a network, found by running it on a black picture."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[Block] = []
    made_in: dict[int, int] = {}
    # an id belongs to a tensor for as long as that lives
    alive: list[Any] = []
    joining = ("add", "mul", "cat")

    class Noting(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            name = func.overloadpacket.__name__
            if isinstance(made, torch.Tensor) and made.ndim == 4 and min(made.shape[2:]) > 1:
                self.note(name, args, made)
            return made

        def note(self, name: str, args: Any, made: Any) -> None:
            taken = args[0] if name == "cat" else args
            inputs = [each for each in taken if isinstance(each, torch.Tensor) and each.ndim == 4]
            convolution = name == "convolution"
            # what an enlargement gives too much is cut off behind it
            enlarges = name.startswith("upsample") or (convolution and args[6])
            size = tuple(side - side % 2 if enlarges else side for side in (made.shape[3], made.shape[2]))
            crops = name in ("slice", "constant_pad_nd", "replication_pad2d", "alias", "detach")
            if not crops and (not found or found[-1].size != size):
                found.append(Block(size))
            if convolution:
                block = found[-1]
                block.layers += 1
                block.parameters += sum(each.numel() for each in args[1:3] if isinstance(each, torch.Tensor))
                block.channels.append(made.shape[1])
            alive.append(made)
            if crops:
                made_in[id(made)] = made_in.get(id(inputs[0]), len(found) - 1) if inputs else len(found) - 1
                return
            here = len(found) - 1
            if name in joining:
                before = {made_in[id(each)] for each in inputs if id(each) in made_in}
                found[here].skips |= {each for each in before if each < here - 1 and found[each].size == size}
            made_in[id(made)] = here

    picture = torch.zeros(1, net.channels, net.size[1], net.size[0])
    with torch.no_grad(), Noting():
        net.eval()(picture)
    return _joined(found)


def _joined(found: list[Block]) -> list[Block]:
    """Without blocks that only enlarge on the way to the next."""
    kept: list[Block] = []
    places: dict[int, int] = {}
    for number, block in enumerate(found):
        if not block.layers and number + 1 < len(found):
            places[number] = max(len(kept) - 1, 0)
            continue
        places[number] = len(kept)
        kept.append(block)
    for block in kept:
        block.skips = {places[each] for each in block.skips}
    return kept


def picture(name: str, net: Any, words: str) -> str:
    """One network as SVG: a row for each resolution, a box for each block, a line for each skip."""
    found = blocks_of(net)
    sizes = sorted({block.size for block in found}, reverse=True)
    wide = [max(48, 5 * min(block.layers, 12) + 22) for block in found]
    left = [LEFT + sum(wide[:number]) + GAP * number for number in range(len(found))]
    width, height = max(left[-1] + wide[-1] + 20, 560), TOP + ROW * len(sizes) + 16
    deepest = max(range(len(found)), key=lambda number: sizes.index(found[number].size))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}'>",
        f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
        _text(name, 16, 28, 17, "#16202a", "start"), _text(words, 16, 48, 12, "#44525f", "start"),
    ]  # fmt: skip
    for row, (across, down) in enumerate(sizes):
        y = TOP + ROW * row + BOX // 2 + 4
        parts.append(_text(f"{across}x{down}", 16, y, 12, "#5b6b7b", "start"))
    for number, block in enumerate(found):
        x, y = left[number], TOP + ROW * sizes.index(block.size)
        if number:
            before = TOP + ROW * sizes.index(found[number - 1].size) + BOX // 2
            at = left[number - 1] + wide[number - 1]
            parts.append(_line(f"M{at},{before} H{at + GAP // 2} V{y + BOX // 2} H{x}"))
        ends = [left[other] + wide[other] for other in sorted(block.skips)]
        parts += [_line(f"M{end},{y + 8} H{x}", "#c2703d", " stroke-dasharray='4 3'") for end in ends]
        kind = "same" if number == deepest else "down" if number < deepest else "up"
        place = f"x='{x}' y='{y}' width='{wide[number]}' height='{BOX}' rx='4'"
        told = f"<title>{block.parameters:,} parameters</title>"
        parts.append(f"<rect {place} fill='{COLOURS[kind]}' stroke='#5b6b7b'>{told}</rect>")
        few, many = (min(block.channels), max(block.channels)) if block.channels else (0, 0)
        channels = f"{few}" if few == many else f"{few}-{many}"
        layers = f"{block.layers} conv." if block.layers else "enlarge"
        parts.append(_text(channels if block.channels else "", x + wide[number] / 2, y + 14, 11, "#16202a"))
        parts.append(_text(layers, x + wide[number] / 2, y + 27, 9, "#44525f"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(words: str, x: float, y: float, size: int, colour: str, anchor: str = "middle") -> str:
    place = f"x='{x:.0f}' y='{y:.0f}' font-size='{size}' text-anchor='{anchor}'"
    return f"<text {place} fill='{colour}' {FONT}>{escape(words)}</text>"


def _line(path: str, colour: str = "#5b6b7b", more: str = "") -> str:
    return f"<path d='{path}' fill='none' stroke='{colour}'{more}/>"


def drawings() -> dict[str, str]:
    """All of them, by the names of their files."""
    from vcam.train.nets.registry import ARCHITECTURES

    found = {}
    for name, kind in ARCHITECTURES.items():
        net = kind.build(norm=False)
        width, height = kind.size
        words = f"{width}x{height}x{kind.channels}, {kind.parameters / 1e6:.3f} M parameters; boxes: channels, layers"
        found[f"{name}.svg"] = picture(name, net, words)
    return found


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in drawings().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
