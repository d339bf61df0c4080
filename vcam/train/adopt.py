"""Weights of an architecture that vcam knows become a network that vcam runs: Keras and PyTorch files, and others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tomlkit
import torch

from vcam.errors import ModelError, UsageError
from vcam.files import write_error
from vcam.models.cards import ModelCard, read_card
from vcam.printable import printable
from vcam.train.exportcard import write_card
from vcam.train.forms import check_extra, form_of
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import architecture
from vcam.train.onnxfile import ready, to_onnx
from vcam.train.pictures import described, known_pictures, scaled
from vcam.train.tfjsfile import parts_of
from vcam.train.trial import runtimes
from vcam.train.weights import Loaded, load
from vcam.types import Size

LEAST, MOST = 32, 2048
"""Sides of a picture that a network may be built for."""


def adopt(
    file: Path, network: str, name: str, folder: Path, *, size: Size | None = None, unchecked: str = "",
    licence: str = "NOASSERTION", tell: Callable[[str], None] = lambda words: None,
) -> tuple[ModelCard, Loaded]:  # fmt: skip
    """Write the network into `folder` as `name`.onnx with its card, and run it beside PyTorch; returns the card, and by
    what the weights were matched.

    file: weights as `vcam.train.weightfiles` reads them. network: the architecture that they are of. size: of the
    picture, by default the architecture's. unchecked: why it shall not be tried with the known pictures.
    Raises `UsageError` for what is not there or cannot be meant, `ModelError` for weights that do not fit or cannot be
    read, `OutputError` if it cannot be written.
    """
    kind, form = architecture(network), form_of("onnx")
    check_extra(form)
    if size is not None and any(side % kind.halved or not LEAST <= side <= MOST for side in size):
        raise UsageError(
            f"{size[0]}x{size[1]} is no size for {network}",
            f"its sides are multiples of {kind.halved}, from {LEAST} to {MOST}",
        )
    net = kind.build(**({} if size is None else {"size": size}))
    tell("reading weights")
    loaded = load(net, file)
    net.eval()
    width, height = net.size
    way = described(kind, (int(width), int(height)), int(net.channels))
    tell("writing the network")
    path = folder / f"{name}.onnx"
    try:
        path.write_bytes(to_onnx(ready(net), network).SerializeToString(deterministic=True))
    except OSError as error:
        raise write_error(path, error) from error
    digest = hashlib.sha256(file.read_bytes())
    for part in parts_of(file) if file.suffix.lower() == ".json" else ():
        digest.update(part.read_bytes())
    card = write_card(
        path, form, kind, way, title=f"{name} ({network})", licence=licence,
        origin=f"{printable(file.name)}, SHA-256 {digest.hexdigest()}, as {network}",
    )  # fmt: skip
    if unchecked:
        document = tomlkit.parse(card.path.read_text(encoding="utf-8"))
        document["known"] = {"unchecked": unchecked}
        card.path.write_text(tomlkit.dumps(document), encoding="utf-8")
        card = read_card(card.path)
    tell("running it")
    with runtimes(form, card, folder / "cache") as (finds, _):
        for shown in known_pictures(kind, way):
            with torch.no_grad():
                true = probability(net(torch.from_numpy(scaled(shown, way))))[0, 0].numpy()
            for runtime, find in finds.items():
                if not (off := float(np.abs(find(shown) - true).max())) <= (form.tolerance or 0.0):
                    raise ModelError(
                        f"{printable(str(file))} computes something else on {runtime}: off by {off:.4f}",
                        "its weights may be beyond what float32 holds",
                    )
    return card, loaded
