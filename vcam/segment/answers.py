"""Write into cards what their networks find in the known pictures; see `vcam.segment.known`.

python -m vcam.segment.answers models/*.toml      the networks are asked on the CPU, by ONNX Runtime
python -m vcam.segment.answers --pictures         makes the pictures anew, from those of the demo
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import cv2
import numpy as np
import tomlkit

from vcam.assets import asset
from vcam.errors import VcamError
from vcam.files import write_whole
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.runner import asking
from vcam.models.cards import ModelCard
from vcam.models.find import load_model
from vcam.segment.known import PERSON, PICTURES, ROOM, KnownPictures, grid

_SIZE = (192, 108)
_TALL, _LEFT = 0.85, 0.15
"""The person's height and place as shares of the picture's sides. A mirrored map is wrong."""


def answers_of(card: ModelCard) -> dict[str, list[list[int]]]:
    """What the card's network finds in each known picture, rows of percent. Raises `EngineError` or `ModelError`."""
    engine, known = OnnxRuntimeEngine(card.network()), KnownPictures(card)
    ask = asking(engine)
    return {name: np.rint(grid(known.answer(ask, name))).astype(int).tolist() for name in PICTURES}


def write_answers(card: ModelCard) -> None:
    """Put them into the card's file; other keys of its table [known] stay."""
    document = tomlkit.parse(card.path.read_text(encoding="utf-8"))
    if "known" not in document:
        document.add("known", tomlkit.table())
    for name, rows in answers_of(card).items():
        value = tomlkit.array()
        for row in rows:
            value.add_line(row)
        value.add_line(indent="")
        document["known"][name] = value
    write_whole(card.path, lambda partial: partial.write_text(tomlkit.dumps(document), encoding="utf-8"))


def make_pictures() -> None:
    """The room of the demo, small, and the same with the astronaut in it."""
    width, height = _SIZE
    whole = cv2.imread(str(asset("room.jpg")))
    cut = cv2.imread(str(asset("astronaut.png")), cv2.IMREAD_UNCHANGED)
    assert whole is not None
    assert cut is not None
    room = cv2.resize(whole, _SIZE, interpolation=cv2.INTER_AREA)
    tall = round(_TALL * height)
    cut = cv2.resize(cut, (tall * cut.shape[1] // cut.shape[0], tall), interpolation=cv2.INTER_AREA)
    alpha = cut[..., 3:].astype(np.float32) / 255
    left = round(_LEFT * width)
    person = room.copy()
    part = person[height - tall :, left : left + cut.shape[1]]
    part[...] = np.rint(part * (1 - alpha) + cut[..., :3] * alpha)
    for name, shown in ((ROOM, room), (PERSON, person)):
        cv2.imwrite(str(asset(f"known-{name}.png")), shown, [cv2.IMWRITE_PNG_COMPRESSION, 9])


@click.command()
@click.argument("cards", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--pictures", is_flag=True, help="Make the pictures anew before.")
def main(cards: tuple[Path, ...], pictures: bool) -> None:
    """Write into each of CARDS what its network finds in the known pictures."""
    if pictures:
        make_pictures()
    try:
        for card in cards:
            found = load_model(card)
            # others are not shown these pictures
            if found.task == "person":
                write_answers(found)
    except VcamError as error:
        click.echo(f"error: {error.message}\n  {error.hint}", err=True)
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
