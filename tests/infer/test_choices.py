"""Which engines are tried, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infer.helpers import described
from vcam import extras
from vcam.errors import EngineError
from vcam.infer import openvino
from vcam.infer.choices import engine_choices
from vcam.infer.ir import save_ir

ONNX, TFLITE = Path("a.onnx"), Path("a.tflite")


def names(*args, **keys):
    return [choice.name for choice in engine_choices(*args, **keys)]


def test_accelerators_of_either_runtime_come_before_any_cpu(monkeypatch):
    monkeypatch.setattr("vcam.infer.openvino.accelerator_nodes", lambda: [Path("/dev/dri/renderD128")])
    monkeypatch.setattr("vcam.infer.openvino.devices", lambda: ["CPU", "GPU.0", "GPU.1"])
    monkeypatch.setattr("vcam.infer.onnxruntime.candidates", lambda device: ["GPU", "CPU"])
    network = described(ONNX, cheapest="onnxruntime")
    assert names(network) == ["openvino on GPU", "onnxruntime on GPU", "onnxruntime on CPU", "openvino on CPU"]


@pytest.mark.parametrize(
    ("path", "cheapest", "expected"),
    [
        (ONNX, "onnxruntime", ["onnxruntime on CPU", "openvino on CPU"]),
        (ONNX, "openvino", ["openvino on CPU", "onnxruntime on CPU"]),
        (ONNX, "", ["openvino on CPU", "onnxruntime on CPU"]),
        (TFLITE, "onnxruntime", ["openvino on CPU"]),
    ],
)
def test_on_the_cpu_the_runtime_goes_first_that_is_said_to_be_cheaper(path, cheapest, expected, monkeypatch):
    monkeypatch.setattr("vcam.infer.openvino.accelerator_nodes", lambda: [])
    assert names(described(path, cheapest=cheapest)) == expected


@pytest.mark.parametrize(("device", "first"), [("GPU", "GPU"), ("NPU", "NPU"), ("VPU", "NPU"), ("CPU", "CPU")])
def test_a_device_that_is_asked_for_comes_first_and_the_cpu_stays_behind_it(device, first):
    assert names(described(ONNX), "openvino", device) == list(
        dict.fromkeys([f"openvino on {first}", "openvino on CPU"])
    )


def test_a_runtime_that_is_asked_for_is_the_only_one():
    assert {choice.runtime for choice in engine_choices(described(ONNX), "onnxruntime")} == {"onnxruntime"}


def test_a_runtime_that_is_not_installed_leaves_the_other(monkeypatch):
    def missing(device):
        raise EngineError("OpenVINO does not start")

    monkeypatch.setattr("vcam.infer.openvino.candidates", missing)
    assert names(described(ONNX)) == ["onnxruntime on CPU"]
    with pytest.raises(EngineError, match="no inference runtime works") as caught:
        engine_choices(described(ONNX), "openvino")
    assert caught.value.hint == f'{extras.command("openvino")}, or segment.backend = "auto", which takes what is there'
    with pytest.raises(EngineError, match=r"a\.tflite needs OpenVINO: OpenVINO does not start") as caught:
        engine_choices(described(TFLITE))
    assert caught.value.hint == extras.command("openvino")
    monkeypatch.setattr("vcam.infer.onnxruntime.candidates", missing)
    with pytest.raises(EngineError, match="no inference runtime works") as caught:
        engine_choices(described(ONNX))
    assert caught.value.hint == extras.command_for("onnxruntime")


def test_an_engine_that_is_not_installed_is_named_with_its_command(monkeypatch, tmp_path):
    monkeypatch.setattr(extras, "is_missing", lambda extra: extra == "openvino")
    for refused in (
        lambda: openvino.candidates("AUTO"),
        openvino.devices,
        lambda: openvino.OpenVinoEngine(described(ONNX)),
        lambda: save_ir(ONNX, tmp_path / "x"),
    ):
        with pytest.raises(EngineError, match="OpenVINO is not installed") as caught:
            refused()
        assert caught.value.hint == extras.command("openvino")
