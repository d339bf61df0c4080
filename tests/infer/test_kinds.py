"""Files that are not of the kind that their name says, told apart before a runtime sees them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam.assets import data_folder
from vcam.errors import ModelError
from vcam.infer.base import Network, Output, Picture
from vcam.infer.kinds import problem
from vcam.infer.openvino import OpenVinoEngine

FORMS = ROOT / "tests/models/forms"
ONNX = data_folder("models") / "selfie-landscape.onnx"
FROZEN = b"\x0a\x06\x0a\x01x\x12\x01y"
"""A graph of one node."""
IR = b'<?xml version="1.0"?>\n<net name="x" version="11"></net>\n'
TFLITE = b"\x1c\0\0\0TFL3" + b"\0" * 40


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.onnx", ONNX.read_bytes()), ("x.pb", FROZEN), ("x.pb", FROZEN + b"\x22\x02\x08\x01"), ("x.xml", IR),
        ("x.xml", b"\xef\xbb\xbf" + IR), ("x.xml", b"<net/>"), ("x.tflite", TFLITE),
        ("x.pdmodel", (FORMS / "mean.pdmodel").read_bytes()),
    ],
)  # fmt: skip
def test_what_may_be_one_is_let_through(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert problem(path) == ""


@pytest.mark.parametrize("suffix", [".onnx", ".tflite", ".pb", ".xml", ".pdmodel"])
@pytest.mark.parametrize(
    "data",
    [b"", b"<html><body>404</body></html>", b"\n<!DOCTYPE html>", b"GIF89a" + b"\0" * 90, b"PK\x03\x04" + b"\0" * 60],
)  # fmt: skip
def test_what_is_no_network_at_all_is_said(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data)
    assert problem(path).startswith(("it is", "no "))


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("x.pb", ONNX.read_bytes(), "it is not a frozen graph of TensorFlow"),
        ("x.pdmodel", ONNX.read_bytes(), "it is not a network of PaddlePaddle"),
        ("x.tflite", ONNX.read_bytes(), "no TFLite file begins so"),
        ("x.xml", TFLITE, "no IR of OpenVINO begins so"),
        ("x.onnx", FROZEN, "it is not an ONNX network"),
        ("x.onnx", ONNX.read_bytes()[:-1], "it is not an ONNX network, or not all of one"),
        ("x.pb", FROZEN[:-1], "it is not a frozen graph of TensorFlow, or not all of one"),
        ("x.pdmodel", (FORMS / "mean.pdmodel").read_bytes()[:99], "it is not a network of PaddlePaddle, or not"),
        ("x.pb", (FORMS / "saved/saved_model.pb").read_bytes(), "it is the graph of a SavedModel"),
    ],
)  # fmt: skip
def test_one_kind_under_the_name_of_another_and_half_a_file_are_said(
    name: str, data: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert problem(path).startswith(said)


@pytest.mark.engine
def test_openvino_is_not_asked_to_guess(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.pb"
    shutil.copy(ONNX, path)
    network = Network("x", path, path, (Picture((64, 64), "NCHW", (0,) * 3, (1,) * 3),), (Output((1, 64, 64)),))
    with pytest.raises(ModelError, match="is not a network: it is not a frozen graph of TensorFlow"):
        OpenVinoEngine(network)
    # its readers would complain there by themselves
    assert capfd.readouterr().err == ""
