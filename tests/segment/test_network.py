"""The networks that come with vcam, and small ones, as segmentation uses them: engine and head together."""

from __future__ import annotations

import numpy as np
import pytest

from tests.infer.helpers import SIDE, ScriptedEngine, choice, tiny_network
from tests.segment.helpers import as_input, card_of, iou, network_on, portraits
from vcam.errors import EngineError, ModelError
from vcam.models.find import find_model
from vcam.segment.network import PersonNetwork

INPUT = f'layout = "NCHW"\nsize = [{SIDE}, {SIDE}]\nscale = [1, 1, 1]'
MAP = f'form = "probability"\nsize = [{SIDE}, {SIDE}]'
TAKES = {"x": [1, 3, SIDE, SIDE]}
GIVES = {"y": [1, 1, SIDE, SIDE]}
BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)

engine = pytest.mark.engine


@pytest.fixture(params=["openvino", "onnxruntime"])
def finder_of(request, tmp_path):
    """A function from a card to its network on the runtime under test."""
    return lambda card: network_on(request.param, card, tmp_path / "cache")


@pytest.fixture(params=["selfie-general", "selfie-landscape"])
def shipped(request):
    return find_model(request.param, (640, 480))


@engine
def test_both_runtimes_agree_on_real_pictures(shipped, shared, tmp_path):
    one, other = (network_on(runtime, shipped, tmp_path) for runtime in ("openvino", "onnxruntime"))
    for picture, _ in portraits(shared, 6):
        seen = as_input(picture, shipped)
        assert np.abs(one.find(seen) - other.find(seen)).max() < 1e-3


@engine
def test_people_are_found_where_hands_drew_them(shipped, shared, finder_of):
    finder = finder_of(shipped)
    overlaps = [iou(finder.find(as_input(picture, shipped)), mask) for picture, mask in portraits(shared, 10)]
    assert np.mean(overlaps) > 0.85, overlaps


PREVIOUS = (
    f'layout = "NCHW"\nsize = [{SIDE}, {SIDE}]\nprevious_mask = true\nmean = [0, 0, 0, 0]\nscale = [255, 255, 255, 255]'
)


@engine
def test_the_previous_mask_is_fed_back_and_forgotten_on_reset(finder_of, tmp_path):
    network = tiny_network(
        tmp_path / "previous.onnx",
        [
            ("Slice", ["x", "three", "four", "one"], ["mask"], {}),
            ("Add", ["mask", "step"], ["y"], {}),
        ],
        {"x": [1, 4, SIDE, SIDE]},
        GIVES,
        {"three": [3], "four": [4], "one": [1], "step": np.float32(0.25)},
    )
    finder = finder_of(card_of(tmp_path, network, input_=PREVIOUS, output=MAP))
    # the mask travels as 8 bits
    assert [float(finder.find(BLACK)[0, 0]) for _ in range(3)] == pytest.approx([0.25, 0.5, 0.75], abs=0.01)
    finder.reset()
    assert finder.find(BLACK)[0, 0] == pytest.approx(0.25)


def test_an_engine_that_takes_over_is_not_given_the_mask_of_the_one_that_failed(tmp_path):
    def a_little_more(picture):
        return picture[np.newaxis, ..., 3] / np.float32(255) + np.float32(0.25)

    network = tmp_path / "previous.onnx"
    network.write_bytes(b"")
    card = card_of(tmp_path, network, input_=PREVIOUS, output=MAP)
    engines = [ScriptedEngine(a_little_more, failing=(2,)), ScriptedEngine(a_little_more)]
    finder = PersonNetwork(card, [choice("a", engines[0]), choice("b", engines[1])])
    assert [float(finder.find(BLACK)[0, 0]) for _ in range(2)] == pytest.approx([0.25, 0.5], abs=0.01)
    with pytest.raises(EngineError, match="the device is gone"):
        finder.find(BLACK)
    assert finder.find(BLACK)[0, 0] == pytest.approx(0.25)


@engine
def test_a_network_that_gives_nan_is_an_engine_error(finder_of, tmp_path):
    # black is finite, so that the engine starts; white divides by zero
    network = tiny_network(
        tmp_path / "nan.onnx",
        [
            ("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}),
            ("Sub", ["white", "m"], ["d"], {}),
            ("Div", ["d", "d"], ["y"], {}),
        ],
        TAKES,
        GIVES,
        {"white": np.float32(255)},
    )
    finder = finder_of(card_of(tmp_path, network, input_=INPUT, output=MAP))
    picture = BLACK.copy()
    assert finder.find(picture).min() == 1
    picture[5, 5] = 255
    with pytest.raises(EngineError, match="not numbers"):
        finder.find(picture)
    assert finder.description == "nan, no engine works"


@engine
def test_a_network_that_gives_nan_from_the_start_is_not_used_at_all(finder_of, tmp_path):
    nodes = [("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}), ("Div", ["m", "m"], ["y"], {})]
    card = card_of(tmp_path, tiny_network(tmp_path / "nan.onnx", nodes, TAKES, GIVES), input_=INPUT, output=MAP)
    with pytest.raises(EngineError, match="not numbers") as caught:
        finder_of(card)
    assert "--backend" in caught.value.hint


@engine
@pytest.mark.parametrize(
    ("input_", "output", "message"),
    [
        (INPUT.replace("NCHW", "NHWC"), MAP, r"the picture of .* is \[1, 3, 32, 32\]"),
        (INPUT, MAP.replace("probability", "softmax"), r"gives \[1, 1, 32, 32\]"),
        (INPUT, MAP + '\nname = "z"', "no output 'z'"),
        (INPUT + '\nname = "z"', MAP, "no input 'z'"),
    ],
)
def test_a_card_that_does_not_fit_its_network_is_a_model_error_that_names_it(
    finder_of, tmp_path, input_, output, message
):
    nodes = [("ReduceMean", ["x"], ["y"], {"axes": [1], "keepdims": 1})]
    card = card_of(tmp_path, tiny_network(tmp_path / "mean.onnx", nodes, TAKES, GIVES), input_=input_, output=output)
    with pytest.raises(ModelError, match=message) as caught:
        finder_of(card)
    assert str(card.path) in caught.value.message
