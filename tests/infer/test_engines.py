from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.segment.helpers import as_input, card_of, iou, portraits, tiny_network
from vcam.errors import EngineError, ModelError
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.openvino import OpenVinoEngine, import_openvino, narrow_broadcasts
from vcam.models.cards import find_model

pytestmark = pytest.mark.engine

SIDE = 32
INPUT = f'layout = "NCHW"\nsize = [{SIDE}, {SIDE}]\nscale = [1, 1, 1]'
MAP = f'form = "probability"\nsize = [{SIDE}, {SIDE}]'
PICTURE = {"x": [1, 3, SIDE, SIDE]}
RESULT = {"y": [1, 1, SIDE, SIDE]}


@pytest.fixture(params=["openvino", "onnxruntime"])
def engine_of(request, tmp_path):
    """A function from a card to an engine of the runtime under test."""
    if request.param == "openvino":
        return lambda card: OpenVinoEngine(card, cache=tmp_path / "cache")
    return OnnxRuntimeEngine


@pytest.fixture(params=["selfie-general", "selfie-landscape"])
def shipped(request):
    return find_model(request.param, (640, 480))


def test_both_engines_agree_on_real_pictures(shipped, shared, tmp_path):
    one, other = OpenVinoEngine(shipped, cache=tmp_path), OnnxRuntimeEngine(shipped)
    for picture, _ in portraits(shared, 6):
        seen = as_input(picture, shipped)
        assert np.abs(one.infer(seen) - other.infer(seen)).max() < 1e-3


def test_people_are_found_where_hands_drew_them(shipped, shared, engine_of):
    engine = engine_of(shipped)
    overlaps = [iou(engine.infer(as_input(picture, shipped)), mask) for picture, mask in portraits(shared, 10)]
    assert np.mean(overlaps) > 0.85, overlaps


def _mean_of_channels(tmp_path, name="mean"):
    return tiny_network(
        tmp_path / f"{name}.onnx",
        [("ReduceMean", ["x"], ["y"], {"axes": [1], "keepdims": 1})],
        PICTURE,
        RESULT,
    )


def test_mean_and_scale_of_each_channel_are_applied(engine_of, tmp_path):
    input_ = f'layout = "NCHW"\nsize = [{SIDE}, {SIDE}]\nmean = [10, 20, 30]\nscale = [100, 200, 400]'
    engine = engine_of(
        card_of(tmp_path / "..", _mean_of_channels(tmp_path), input_=input_, output=MAP, name=tmp_path.name)
    )
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[:] = (60, 120, 230)
    assert engine.infer(picture) == pytest.approx(np.full((SIDE, SIDE), 0.5))
    picture[:] = (110, 20, 30)
    assert engine.infer(picture) == pytest.approx(np.full((SIDE, SIDE), 1 / 3))


def test_the_place_of_a_pixel_is_kept(engine_of, tmp_path):
    network = _mean_of_channels(tmp_path)
    card = card_of(tmp_path, network, input_=INPUT.replace("[1, 1, 1]", "[255, 255, 255]"), output=MAP)
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[3, 20] = 255
    found = engine_of(card).infer(picture)
    assert found[3, 20] == pytest.approx(1)
    assert found.sum() == pytest.approx(1)


def test_the_previous_mask_is_fed_back_and_forgotten_on_reset(engine_of, tmp_path):
    network = tiny_network(
        tmp_path / "previous.onnx",
        [
            ("Slice", ["x", "three", "four", "one"], ["mask"], {}),
            ("Add", ["mask", "step"], ["y"], {}),
        ],
        {"x": [1, 4, SIDE, SIDE]},
        RESULT,
        {"three": [3], "four": [4], "one": [1], "step": np.float32(0.25)},
    )
    input_ = (
        f'layout = "NCHW"\nsize = [{SIDE}, {SIDE}]\nprevious_mask = true\n'
        "mean = [0, 0, 0, 0]\nscale = [255, 255, 255, 255]"
    )
    engine = engine_of(card_of(tmp_path, network, input_=input_, output=MAP))
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    # the mask travels as 8 bits
    assert [float(engine.infer(picture)[0, 0]) for _ in range(3)] == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    engine.reset()
    assert engine.infer(picture)[0, 0] == pytest.approx(0.25)


def _counter(tmp_path):
    """A network whose map is its state plus a constant input, and whose state is that map."""
    return tiny_network(
        tmp_path / "counter.onnx",
        [
            ("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}),
            ("Mul", ["m", "zero"], ["z"], {}),
            ("Add", ["s", "k"], ["t"], {}),
            ("Add", ["t", "z"], ["y"], {}),
            ("Identity", ["y"], ["s_next"], {}),
        ],
        {"x": [1, 3, SIDE, SIDE], "s": [1, 1, SIDE, SIDE], "k": [1]},
        {**RESULT, "s_next": [1, 1, SIDE, SIDE]},
        {"zero": np.float32(0)},
    )


STATES = (
    f'[[states]]\ninput = "s"\noutput = "s_next"\nshape = [1, 1, {SIDE}, {SIDE}]\ninit = 0.1\n'
    '[[states]]\ninput = "k"\nshape = [1]\ninit = 0.2\n'
)


def test_states_start_at_init_are_carried_and_reset(engine_of, tmp_path):
    engine = engine_of(card_of(tmp_path, _counter(tmp_path), input_=INPUT, output=MAP, states=STATES))
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert [float(engine.infer(picture)[0, 0]) for _ in range(3)] == pytest.approx([0.3, 0.5, 0.7])
    engine.reset()
    assert engine.infer(picture)[0, 0] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("input_", "output", "states", "message"),
    [
        (INPUT.replace("NCHW", "NHWC"), MAP, STATES, "the picture of"),
        (INPUT.replace(f"[{SIDE}, {SIDE}]", "[64, 32]"), MAP, STATES, "the picture of"),
        (INPUT, MAP.replace(f"[{SIDE}, {SIDE}]", "[64, 32]"), STATES, "not the card's output"),
        (INPUT, MAP.replace("probability", "softmax"), STATES, "not the card's output"),
        (INPUT, MAP, "", "which input of"),
        (INPUT + '\nname = "x"', MAP, "", "nothing feeds the input"),
        (INPUT + '\nname = "z"', MAP, STATES, "no input 'z'"),
        (INPUT, MAP + '\nname = "z"', STATES, "no output 'z'"),
        (INPUT, MAP, STATES.replace('"s_next"', '"next"'), "no output 'next'"),
        (INPUT, MAP, STATES.replace(f"[1, 1, {SIDE}, {SIDE}]", "[1, 1, 8, 8]"), "the state s"),
    ],
)
def test_a_card_that_does_not_fit_its_network_is_a_model_error(engine_of, tmp_path, input_, output, states, message):
    card = card_of(tmp_path, _counter(tmp_path), input_=input_, output=output, states=states)
    with pytest.raises(ModelError, match=message) as caught:
        engine_of(card)
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"", b"this is no network", b"\x08\x08" + bytes(range(256)) * 8])
def test_a_file_that_is_no_network_is_a_model_error(engine_of, tmp_path, data):
    network = tmp_path / "junk.onnx"
    network.write_bytes(data)
    with pytest.raises(ModelError, match="is not a network") as caught:
        engine_of(card_of(tmp_path, network, input_=INPUT, output=MAP))
    assert caught.value.hint


def test_a_truncated_network_is_a_model_error(engine_of, tmp_path, shipped):
    network = tmp_path / "cut.onnx"
    network.write_bytes(shipped.network.read_bytes()[:-100_000])
    with pytest.raises(ModelError):
        engine_of(card_of(tmp_path, network, input_=INPUT, output=MAP))


def test_a_network_that_gives_nan_is_an_engine_error(engine_of, tmp_path):
    # black is finite, so that the engine starts; white divides by zero
    network = tiny_network(
        tmp_path / "nan.onnx",
        [
            ("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}),
            ("Sub", ["white", "m"], ["d"], {}),
            ("Div", ["d", "d"], ["y"], {}),
        ],
        PICTURE,
        RESULT,
        {"white": np.float32(255)},
    )
    engine = engine_of(card_of(tmp_path, network, input_=INPUT, output=MAP))
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert engine.infer(picture).min() == 1
    picture[5, 5] = 255
    with pytest.raises(EngineError, match="not numbers"):
        engine.infer(picture)


def _interpolations(engine):
    """How many enlargements the compiled graph holds."""
    nodes = engine._request.get_compiled_model().get_runtime_model().get_ops()
    return [node.get_rt_info()["layerType"].astype(str) for node in nodes].count("Interpolate")


def test_openvino_is_spared_the_repetition_of_single_values(shipped, tmp_path):
    # the enlargements that stay are the decoder's three; the second engine takes the first one's from the cache
    for _ in range(2):
        engine = OpenVinoEngine(shipped, cache=tmp_path)
        assert _interpolations(engine) == 3


WIDE = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@pytest.mark.parametrize(
    ("nodes", "left"),
    [
        ([("Mul", ["grey", "wide"], ["y"], {})], 0),
        ([("Add", ["wide", "grey"], ["y"], {})], 0),
        ([("Mul", ["grey", "wide"], ["t"], {}), ("Max", ["t", "wide"], ["y"], {})], 1),
        ([("Mul", ["wide", "wide"], ["y"], {})], 1),
        ([("Mul", ["wide", "top"], ["y"], {})], 1),
        ([("Mul", ["grey", "squares"], ["y"], {})], 1),
    ],
    ids=["product", "sum", "product-and-more", "square", "two-single-values", "real-enlargement"],
)
def test_only_what_a_product_or_sum_repeats_by_itself_is_left_out(tmp_path, nodes, left):
    network = tiny_network(
        tmp_path / "wide.onnx",
        [
            ("ReduceMean", ["x"], ["grey"], {"axes": [1], "keepdims": 1}),
            ("GlobalAveragePool", ["grey"], ["mean"], {}),
            ("GlobalMaxPool", ["grey"], ["most"], {}),
            ("AveragePool", ["grey"], ["quarters"], {"kernel_shape": [SIDE // 2] * 2, "strides": [SIDE // 2] * 2}),
            ("Resize", ["mean", "", "", "whole"], ["wide"], WIDE),
            ("Resize", ["most", "", "", "whole"], ["top"], WIDE),
            ("Resize", ["quarters", "", "", "whole"], ["squares"], WIDE),
            *nodes,
        ],
        PICTURE,
        RESULT,
        {"whole": np.array([1, 1, SIDE, SIDE], np.int64)},
    )
    card = card_of(tmp_path, network, input_=INPUT.replace("[1, 1, 1]", "[510, 510, 510]"), output=MAP)
    one, other = OpenVinoEngine(card, cache=tmp_path / "cache"), OnnxRuntimeEngine(card)
    picture = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    assert one.infer(picture) == pytest.approx(other.infer(picture), abs=1e-5)
    assert _interpolations(one) == left


@pytest.mark.parametrize(("padding", "broadcast"), [(1, "numpy"), (0, "none")])
def test_an_enlargement_stays_that_adds_zeros_or_whose_product_cannot_repeat(padding, broadcast):
    openvino = import_openvino()
    build = openvino.opset13
    value = build.parameter([1, 1, 1, 1], np.float32)
    sizes, axes = (build.constant(np.array(sides, np.int64)) for sides in ([4, 4], [2, 3]))
    wide = build.interpolate(value, sizes, "nearest", "sizes", [0, 0, 0, 0], [0, 0, padding, padding], axes=axes)
    picture = build.parameter([1, 1, 4, 4], np.float32)
    model = openvino.Model([build.multiply(picture, wide, broadcast)], [value, picture], "padded")
    narrow_broadcasts(model)
    assert "Interpolate" in [node.get_type_name() for node in model.get_ops()]


def test_a_device_that_is_not_here_is_an_engine_error_naming_those_that_are(shipped, tmp_path):
    with pytest.raises(EngineError, match="no NPU here") as caught:
        OpenVinoEngine(shipped, "NPU", cache=tmp_path)
    assert "CPU" in caught.value.hint
    with pytest.raises(EngineError, match="no NPU here"):
        OnnxRuntimeEngine(shipped, "NPU")


def test_a_cache_that_cannot_be_written_costs_nothing(shipped, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert OpenVinoEngine(shipped, cache=blocked / "cache").device == "CPU"


def test_a_closed_engine_says_so(shipped, engine_of):
    engine = engine_of(shipped)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(np.zeros((*shipped.input.size[::-1], 3), np.uint8))


def test_openvino_sends_nothing_home(tmp_path):
    code = (
        "import sys, pathlib, threading\n"
        "from vcam.infer.openvino import devices\n"
        "assert 'CPU' in devices()\n"
        "import openvino\n"
        "loaded = [m for m in sys.modules if 'telemetry' in m and sys.modules[m] is not None]\n"
        "print(loaded, [t.name for t in threading.enumerate()], list(pathlib.Path.home().iterdir()))\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    # telemetry switches itself off where it believes to be in somebody's CI
    environment.pop("CI", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['MainThread'] []"
