"""Networks of vcam.train beside their originals on vcam's own engines."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.segment.helpers import portraits
from vcam.infer.base import Network, Output, Picture
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.openvino import OpenVinoEngine
from vcam.models.tflite_onnx import to_onnx
from vcam.train.nets.registry import Architecture


def original(shared: Path, name: str) -> Path:
    """A network among the shared ones; the test is skipped where it is missing."""
    path = shared / "models" / name
    if not path.exists():
        pytest.skip(f"no network at {path}")
    return path


def portrait(shared: Path, kind: Architecture, number: int = 1) -> np.ndarray:
    """A portrait, uint8 (height, width, 3), at an architecture's size and in its order of channels."""
    picture, _ = portraits(shared, number + 1)[number]
    if kind.order == "RGB":
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return cv2.resize(picture, kind.size, interpolation=cv2.INTER_AREA)


def as_tensor(picture: np.ndarray, kind: Architecture) -> torch.Tensor:
    """A picture as an architecture takes it."""
    values = (picture.astype(np.float32) - np.float32(kind.mean)) / np.float32(kind.scale)
    return torch.from_numpy(values.transpose(2, 0, 1)[None].copy())


def answer(path: Path, kind: Architecture, picture: np.ndarray, shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """What a network in a TFLite or ONNX file makes of a picture, by an engine of vcam's."""
    layout = "NCHW" if path.suffix == ".onnx" else "NHWC"
    network = Network(
        "original", path, path, (Picture(kind.size, layout, kind.mean, kind.scale),), (Output(shape),)
    )  # fmt: skip
    engine = OnnxRuntimeEngine(network) if path.suffix == ".onnx" else OpenVinoEngine(network, cache=folder)
    try:
        (values,) = engine.infer(picture)
        return np.array(values)
    finally:
        engine.close()


def converted(path: Path, folder: Path) -> Path:
    """A TFLite network, translated to ONNX by vcam."""
    result = folder / f"{path.stem}.onnx"
    result.write_bytes(to_onnx(path.read_bytes(), path.stem))
    return result


def mean_iou(one: np.ndarray, other: np.ndarray) -> float:
    """Of two masks (bool): the mean of the overlaps of the person and of the background."""
    return float(np.mean([(one & other).sum() / (one | other).sum(), (~one & ~other).sum() / (~one | ~other).sum()]))


def parameters(net: torch.nn.Module) -> int:
    """How many numbers are trained."""
    return sum(each.numel() for each in net.parameters())


def constants(path: Path) -> tuple[int, int, int]:
    """What a TFLite network stores, each tensor once: weights, whole numbers such as shapes, biases all of zeros."""
    import tflite

    graph = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    tensors = graph.Subgraphs(0)
    taken = {
        int(tensor)
        for number in range(tensors.OperatorsLength())
        for tensor in tensors.Operators(number).InputsAsNumpy()
        if tensor >= 0 and graph.Buffers(tensors.Tensors(tensor).Buffer()).DataLength()
    }
    floats = numbers = zeros = 0
    for tensor in taken:
        raw = tensors.Tensors(tensor)
        size = int(np.prod([raw.Shape(side) for side in range(raw.ShapeLength())]))
        if raw.Type() == tflite.TensorType.INT32:
            numbers += size
            continue
        floats += size
        if not graph.Buffers(raw.Buffer()).DataAsNumpy().any():
            zeros += size
    return floats, numbers, zeros
