"""Cards made on the spot, networks on one engine, and pictures with hand-made masks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import msgspec
import numpy as np

from vcam.infer.choices import EngineChoice
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.openvino import OpenVinoEngine
from vcam.models.cards import KnownCard, ModelCard
from vcam.models.find import find_model
from vcam.segment.network import PersonNetwork


def write_card(folder: Path, network: Path, *, input_: str, output: str, states: str = "", name: str = "") -> Path:
    """A card for `network` in `folder`, which gets a link to it; the strings are TOML lines."""
    link = folder / (name + network.suffix if name else network.name)
    if not link.exists():
        link.symlink_to(network)
    card = link.with_suffix(".toml")
    card.write_text(
        f'title = "t"\nfile = "{link.name}"\nsha256 = "{hashlib.sha256(network.read_bytes()).hexdigest()}"\n'
        f'licence = "MIT"\norigin = "test"\n\n[input]\n{input_}\n\n[output]\n{output}\n\n{states}\n\n'
        '[known]\nunchecked = "made on the spot"\n'
    )
    return card


def unchecked(name: str = "selfie-general") -> ModelCard:
    """The card of a shipped model, for engines that know nothing of the known pictures."""
    return msgspec.structs.replace(find_model(name, (640, 480)), known=KnownCard(unchecked="engines of a test"))


def card_of(*args, **keys) -> ModelCard:
    return find_model(str(write_card(*args, **keys)), (640, 480))


def network_on(runtime: str, card: ModelCard, cache: Path) -> PersonNetwork:
    """The card's network on the CPU with this runtime and no other."""

    def open_(network, threads):
        if runtime == "openvino":
            return OpenVinoEngine(network, "CPU", threads, cache)
        return OnnxRuntimeEngine(network, "CPU", threads)

    return PersonNetwork(card, [EngineChoice(runtime, "CPU", open_)])


def portraits(shared: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures (BGR) and their hand-made masks (bool), spread over the collection."""
    images = sorted((shared / "data/portraits/img").glob("*.jpg"))
    pairs = []
    for path in images[:: max(1, len(images) // count)][:count]:
        mask = cv2.imread(str(shared / "data/portraits/mask" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        pairs.append((cv2.imread(str(path)), mask > 127))
    return pairs


def as_input(picture: np.ndarray, card: ModelCard) -> np.ndarray:
    """A BGR picture as the card's network wants it."""
    small = cv2.resize(picture, card.input.size, interpolation=cv2.INTER_AREA)
    return small if card.input.channels == "BGR" else np.ascontiguousarray(small[..., ::-1])


def iou(probability: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of a small map and a full-size mask."""
    height, width = mask.shape
    found = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    return float((found & mask).sum() / (found | mask).sum())
