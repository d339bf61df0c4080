"""A TFLite network that no engine reads as it is, with its card, made into ONNX with a card of its own."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import tomlkit

from vcam import extras
from vcam.files import write_error
from vcam.models.cards import ModelCard, read_card
from vcam.models.find import checksum
from vcam.models.tflite_onnx import to_onnx

CONVERTER = extras.command("convert")
"""The cure where it is missing."""


def missing_converter() -> str:
    """The package that is missing for translations, empty if none is."""
    try:
        for package in ("onnx", "tflite"):
            import_module(package)
    except ImportError as error:
        return str(error.name or "onnx")
    return ""


def as_onnx(card: ModelCard, folder: Path) -> ModelCard:
    """Write the network into a folder as `card.name`.onnx with its card; returns that.

    Needs the extra `convert`, see `missing_converter`. Raises `ModelError` if it cannot be translated, `OutputError` if
    it cannot be written.
    """
    network = folder / f"{card.name}.onnx"
    try:
        data = to_onnx(card.file_path.read_bytes(), card.name)
        network.write_bytes(data)
        document = tomlkit.parse(card.path.read_text(encoding="utf-8-sig"))
        document["file"], document["sha256"] = network.name, checksum(network)
        # the translation turns all maps; one that was made flat before is as it was
        document["input"]["layout"] = "NCHW"
        if _has_maps(data):
            document["output"]["layout"] = "NCHW"
        network.with_suffix(".toml").write_text(tomlkit.dumps(document), encoding="utf-8")
    except OSError as error:
        raise write_error(network, error) from error
    return read_card(network.with_suffix(".toml"))


def _has_maps(data: bytes) -> bool:
    """Whether a network's first output has four sides."""
    import onnx

    graph = onnx.load_model_from_string(data).graph
    return len(graph.output[0].type.tensor_type.shape.dim) == 4
