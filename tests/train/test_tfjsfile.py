from __future__ import annotations

import base64
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam.errors import ModelError
from vcam.train import tfjsfile
from vcam.train.weightfiles import read_weights

RANDOM = np.random.default_rng(3)


def some(*shape):
    return RANDOM.uniform(-1, 1, shape).astype(np.float32)


def node(op, name, *sources, **options):
    return {"op": op, "name": name, "input": list(sources), "attr": options}


def fused(*names):
    return {"list": {"s": [base64.b64encode(each.encode()).decode() for each in names]}}


def model(folder, nodes, constants, **more):
    """Write a graph model of these nodes; a constant is an array, or a pair of its bytes' array and its entry."""
    data, entries = b"", []
    for name, held in constants.items():
        values, entry = held if isinstance(held, tuple) else (held, {})
        data += values.tobytes()
        entries.append({"name": name, "shape": list(values.shape), "dtype": "float32", **entry})
    # in two files, and cut where no number ends
    (folder / "one.bin").write_bytes(data[:13])
    (folder / "two.bin").write_bytes(data[13:])
    held = {
        "format": "graph-model", "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["one.bin", "two.bin"], "weights": entries}], **more,
    }  # fmt: skip
    path = folder / "model.json"
    path.write_text(json.dumps(held))
    return path


def test_the_layers_of_a_graph_are_read_in_their_order_as_pytorch_has_them(tmp_path):
    first, slope, filters, up = some(3, 3, 3, 4), some(1, 1, 4), some(3, 3, 4, 2), some(2, 2, 5, 8)
    one, two, three = some(4), some(8), some(5)
    nodes = [
        node("Placeholder", "x"),
        node("_FusedConv2D", "first", "x", "w1", "b1", "slope", fused_ops=fused("BiasAdd", "Prelu")),
        node("FusedDepthwiseConv2dNative", "each", "first", "w2", "b2", fused_ops=fused("BiasAdd", "Relu6")),
        node("Conv2DBackpropInput", "up", "shape", "w3", "each"),
        node("Identity", "passed", "up:0", "^first"),
        node("AddV2", "sum", "b3", "passed"),
        node("AddV2", "two layers meet", "sum", "each"),
    ]
    constants = {"w1": first, "b1": one, "slope": slope, "w2": filters, "b2": two, "w3": up, "b3": three}
    found = read_weights(model(tmp_path, nodes, constants))
    assert [each.kind for each in found] == ["conv", "prelu", "conv", "transposed"]
    conv, act, depthwise, transposed = found
    assert np.array_equal(conv.weight, first.transpose(3, 2, 0, 1))
    assert np.array_equal(conv.bias, one)
    assert np.array_equal(act.weight, slope.reshape(4))
    assert act.bias is None
    assert depthwise.weight.shape == (8, 1, 3, 3)
    assert np.array_equal(depthwise.weight[5, 0], filters[:, :, 2, 1])
    assert np.array_equal(depthwise.bias, two)
    assert transposed.weight.shape == (8, 5, 2, 2)
    assert np.array_equal(transposed.weight[7, 4], up[:, :, 4, 7])
    assert np.array_equal(transposed.bias, three)


def test_a_norm_belongs_to_the_convolution_before_it(tmp_path):
    scale, shift, mean, variance = (some(4) for _ in range(4))
    nodes = [
        node("Conv2D", "conv", "x", "w"),
        node("FusedBatchNormV3", "norm", "conv", "scale", "shift", "mean", "variance", epsilon={"f": 0.01}),
    ]
    constants = {"w": some(1, 1, 2, 4), "scale": scale, "shift": shift, "mean": mean, "variance": np.abs(variance)}
    (found,) = read_weights(model(tmp_path, nodes, constants))
    assert found.norm.eps == 0.01
    for mine, theirs in ((found.norm.scale, scale), (found.norm.shift, shift), (found.norm.mean, mean)):
        assert np.array_equal(mine, theirs)


def test_packed_numbers_become_the_floats_that_they_stand_for(tmp_path):
    bytes_ = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
    halves = some(1, 1, 4, 2).astype(np.float16)
    nodes = [node("Conv2D", "a", "x", "bytes"), node("Conv2D", "b", "a", "halves")]
    constants = {
        "bytes": (bytes_, {"quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.5}}),
        "halves": (halves, {"quantization": {"dtype": "float16"}}),
    }
    first, second = read_weights(model(tmp_path, nodes, constants))
    assert first.weight[1, 2, 0, 0] == 9 * 0.5 - 1.5
    assert np.array_equal(second.weight, halves.transpose(3, 2, 0, 1).astype(np.float32))


ONE = [node("Conv2D", "conv", "x", "w")]
WEIGHT = {"w": some(1, 1, 2, 4)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "layers-model"}, "no graph model"),
        ({"modelTopology": {"model_config": {}}}, "layers model"),
        ({"weightsManifest": [{"paths": ["../one.bin"], "weights": []}]}, "not beside it"),
        ({"weightsManifest": [{"paths": ["/etc/passwd"], "weights": []}]}, "not beside it"),
        ({"weightsManifest": [{"paths": ["three.bin"], "weights": []}]}, "three.bin is missing"),
        ({"weightsManifest": [{"paths": ["."], "weights": []}]}, "not beside it"),
        ({"weightsManifest": [{"paths": ["one.bin"], "weights": [{"name": "w", "shape": [99], "dtype": "float32"}]}]},
         "damaged"),
        ({"weightsManifest": [{"paths": [], "weights": [{"name": "w", "shape": [1 << 40], "dtype": "float32"}]}]},
         "million numbers"),
        ({"weightsManifest": [{"paths": [], "weights": [{"name": "w", "shape": [1], "dtype": "string"}]}]}, "string"),
        ({"weightsManifest": []}, "computed weights"),
        ({"weightsManifest": 3}, "damaged"),
        ({"modelTopology": {"node": [3]}}, "damaged"),
        ({"modelTopology": {"node": []}}, "no weights"),
    ],
)  # fmt: skip
def test_what_is_no_graph_model_is_refused_by_name(tmp_path, change, words):
    path = model(tmp_path, ONE, WEIGHT, **change)
    with pytest.raises(ModelError) as caught:
        read_weights(path)
    assert words in caught.value.message
    assert "model.json" in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}', "\x00", '"model"'])
def test_other_json_is_refused(tmp_path, text):
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ModelError):
        read_weights(path)


def test_a_norm_elsewhere_is_refused(tmp_path):
    nodes = [*ONE, node("Relu", "r", "conv"), node("FusedBatchNorm", "norm", "r", "s", "s", "s", "s")]
    with pytest.raises(ModelError, match="does not follow"):
        read_weights(model(tmp_path, nodes, {**WEIGHT, "s": some(4)}))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([node("Mul", "m", "conv", "s")], "part of a batch norm"),
        ([node("Mul", "m", "s", "conv")], "part of a batch norm"),
        ([node("Identity", "a", "b"), node("Identity", "b", "conv")], "order"),
        ([node("_FusedConv2D", "f", "conv", "up", "computed", fused_ops=fused("BiasAdd"))], "computed BiasAdd"),
        ([node("_FusedConv2D", "f", "conv", "up", "two", fused_ops=fused("BiasAdd"))], "2 numbers for 3"),
        ([node("FusedBatchNorm", "n", "conv", "s", "s", "two", "s")], "2 numbers for 4"),
        # what follows an activation does not belong to the convolution before that
        ([node("_FusedConv2D", "f", "conv", "up", fused_ops=fused("Relu")),
          node("FusedBatchNorm", "n", "f", "three", "three", "three", "three")], "does not follow"),
    ],
)  # fmt: skip
def test_what_would_be_read_wrongly_is_refused(tmp_path, more, words):
    constants = {**WEIGHT, "s": some(4), "up": some(1, 1, 4, 3), "two": some(2), "three": some(3)}
    with pytest.raises(ModelError, match=words):
        read_weights(model(tmp_path, [*ONE, *more], constants))


def test_a_constant_behind_an_activation_is_no_bias(tmp_path):
    nodes = [node("_FusedConv2D", "f", "x", "w", fused_ops=fused("Relu")), node("AddV2", "sum", "f", "s")]
    (found,) = read_weights(model(tmp_path, nodes, {**WEIGHT, "s": some(4)}))
    assert found.bias is None


def test_the_bias_of_a_dilated_convolution_stands_behind_what_makes_it_one(tmp_path):
    bias = some(4)
    nodes = [
        node("SpaceToBatchND", "s", "x"), node("Conv2D", "conv", "s", "w"), node("BatchToSpaceND", "b", "conv"),
        node("BiasAdd", "sum", "b", "bias"),
    ]  # fmt: skip
    (found,) = read_weights(model(tmp_path, nodes, {**WEIGHT, "bias": bias}))
    assert np.array_equal(found.bias, bias)


def test_files_that_are_named_again_and_again_do_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tfjsfile, "_MOST_BYTES", 100)
    path = model(tmp_path, ONE, WEIGHT, weightsManifest=[{"paths": ["one.bin"] * 4, "weights": []}] * 2)
    with pytest.raises(ModelError, match=r"one\.bin it is too large"):
        read_weights(path)
