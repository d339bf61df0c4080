"""Both runtimes on networks of a few nodes, which give exactly what is known beforehand."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.infer.helpers import PICTURE, RESULT, SIDE, described, tiny_network
from vcam import silent
from vcam.errors import EngineError, ModelError
from vcam.infer.base import Output, Picture, State
from vcam.infer.onnxruntime import OnnxRuntimeEngine
from vcam.infer.openvino import OpenVinoEngine, narrow_broadcasts
from vcam.infer.unwritten import are_numbers, blot, is_blotted
from vcam.models.find import find_model

pytestmark = pytest.mark.engine

TAKES = {"x": [1, 3, SIDE, SIDE]}
GIVES = {"y": [1, 1, SIDE, SIDE]}
BLACK = np.zeros(PICTURE.shape, np.uint8)


@pytest.fixture(params=["openvino", "onnxruntime"])
def engine_of(request, tmp_path):
    """A function from a network to an engine of the runtime under test."""
    if request.param == "openvino":
        return lambda network: OpenVinoEngine(network, cache=tmp_path / "cache")
    return OnnxRuntimeEngine


@pytest.fixture(params=["selfie-general", "selfie-landscape"])
def shipped(request):
    return find_model(request.param, (640, 480)).network()


def mean_of_channels(tmp_path):
    nodes = [("ReduceMean", ["x"], ["y"], {"axes": [1], "keepdims": 1})]
    return tiny_network(tmp_path / "mean.onnx", nodes, TAKES, GIVES)


@pytest.mark.parametrize("dense", [True, False])
def test_mean_and_scale_of_each_channel_are_applied(engine_of, tmp_path, dense):
    scaled = replace(PICTURE, mean=(10, 20, 30), scale=(100, 200, 400))
    engine = engine_of(described(mean_of_channels(tmp_path), scaled))
    picture = np.zeros((SIDE, SIDE, 3), np.uint8) if dense else np.zeros((SIDE, 2 * SIDE, 3), np.uint8)[:, ::2]
    picture[:] = (60, 120, 230)
    (given,) = engine.infer(picture)
    assert given == pytest.approx(np.full((1, SIDE, SIDE), 0.5))
    picture[:] = (110, 20, 30)
    (given,) = engine.infer(picture)
    assert given == pytest.approx(np.full((1, SIDE, SIDE), 1 / 3))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_the_place_of_a_pixel_is_kept(engine_of, tmp_path, layout):
    channels, sides = (1, [1, 3, SIDE, SIDE]) if layout == "NCHW" else (3, [1, SIDE, SIDE, 3])
    nodes = [("ReduceMean", ["x"], ["y"], {"axes": [channels], "keepdims": 0})]
    network = tiny_network(tmp_path / "mean.onnx", nodes, {"x": sides}, {"y": [1, SIDE, SIDE]})
    picture = BLACK.copy()
    picture[3, 20] = 255
    (found,) = engine_of(described(network, replace(PICTURE, layout=layout, scale=(255, 255, 255)))).infer(picture)
    assert found[0, 3, 20] == pytest.approx(1)
    assert found.sum() == pytest.approx(1)


def test_channels_that_are_no_colours_reach_the_network_as_well(engine_of, tmp_path):
    network = tiny_network(
        tmp_path / "fourth.onnx",
        [("Slice", ["x", "three", "four", "one"], ["y"], {})],
        {"x": [1, 4, SIDE, SIDE]},
        GIVES,
        {"three": [3], "four": [4], "one": [1]},
    )
    engine = engine_of(described(network, Picture((SIDE, SIDE), "NCHW", (0, 0, 0, 5), (1, 1, 1, 10))))
    picture = np.zeros((SIDE, SIDE, 4), np.uint8)
    picture[2, 7, 3] = 25
    (given,) = engine.infer(picture)
    assert (given[0, 2, 7], given[0, 0, 0]) == (pytest.approx(2), pytest.approx(-0.5))


def test_several_pictures_in_and_several_tensors_out_go_by_their_names(engine_of, tmp_path):
    network = tiny_network(
        tmp_path / "several.onnx",
        [("Sub", ["a", "b"], ["difference"], {}), ("ReduceMean", ["b"], ["mean"], {"axes": [1, 2, 3], "keepdims": 0})],
        {"a": [1, 1, SIDE, SIDE], "b": [1, 1, SIDE, SIDE]},
        {"difference": [1, 1, SIDE, SIDE], "mean": [1]},
    )
    a, b = (Picture((SIDE, SIDE), "NCHW", (0,), (1,), name) for name in "ab")
    outputs = (Output((1,), "mean"), Output((SIDE, SIDE), "difference"))
    engine = engine_of(described(network, b, a, outputs=outputs))
    mean, difference = engine.infer(np.full((SIDE, SIDE, 1), 10, np.uint8), np.full((SIDE, SIDE, 1), 30, np.uint8))
    assert mean == pytest.approx([10])
    assert difference == pytest.approx(np.full((SIDE, SIDE), 20))


@pytest.mark.parametrize("sides", [[1, SIDE * SIDE], [SIDE * SIDE], [1, SIDE, SIDE, 1]], ids=["row", "flat", "picture"])
def test_an_output_of_other_sides_comes_as_it_is_described(engine_of, tmp_path, sides):
    nodes = [
        ("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}),
        ("Reshape", ["m", "sides"], ["y"], {}),
    ]
    network = tiny_network(tmp_path / "other.onnx", nodes, TAKES, {"y": sides}, {"sides": sides})
    picture = BLACK.copy()
    picture[3, 20] = 30
    (given,) = engine_of(described(network)).infer(picture)
    assert given.shape == RESULT.shape
    assert given[0, 3, 20] == pytest.approx(30)


def counter(tmp_path):
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
        {**GIVES, "s_next": [1, 1, SIDE, SIDE]},
        {"zero": np.float32(0)},
    )


CARRIED = State("s", (1, 1, SIDE, SIDE), "s_next", 0.1)
STATES = (CARRIED, State("k", (1,), init=0.2))


def test_states_start_at_init_are_carried_and_reset(engine_of, tmp_path):
    engine = engine_of(described(counter(tmp_path), states=STATES))
    assert [float(engine.infer(BLACK)[0][0, 0, 0]) for _ in range(3)] == pytest.approx([0.3, 0.5, 0.7])
    engine.reset()
    assert engine.infer(BLACK)[0][0, 0, 0] == pytest.approx(0.3)


def test_an_output_that_is_wanted_may_be_a_state_as_well(engine_of, tmp_path):
    engine = engine_of(described(counter(tmp_path), outputs=(Output((1, SIDE, SIDE), "s_next"),), states=STATES))
    assert [float(engine.infer(BLACK)[0][0, 0, 0]) for _ in range(2)] == pytest.approx([0.3, 0.5])


@pytest.mark.parametrize(
    ("picture", "output", "states", "message"),
    [
        ({"layout": "NHWC"}, {}, STATES, "the picture of"),
        ({"size": (64, 32)}, {}, STATES, "the picture of"),
        ({}, {"shape": (1, 32, 64)}, STATES, "not the card's output"),
        ({}, {"shape": (2, SIDE, SIDE)}, STATES, "not the card's output"),
        ({}, {}, (), "which input of"),
        ({"name": "x"}, {}, (), "nothing feeds the input"),
        ({"name": "z"}, {}, STATES, "no input 'z'"),
        ({}, {"name": "z"}, STATES, "no output 'z'"),
        ({}, {}, (replace(CARRIED, output="next"), STATES[1]), "no output 'next'"),
        ({}, {}, (replace(CARRIED, shape=(1, 1, 8, 8)), STATES[1]), "the state s"),
    ],
)
def test_a_description_that_does_not_fit_its_network_is_a_model_error(
    engine_of, tmp_path, picture, output, states, message
):
    network = described(
        counter(tmp_path), replace(PICTURE, **picture), outputs=(replace(RESULT, **output),), states=states
    )
    with pytest.raises(ModelError, match=message) as caught:
        engine_of(network)
    assert str(network.card) in caught.value.message
    assert caught.value.hint


def test_a_network_that_gives_out_nothing_but_states_is_a_model_error(engine_of, tmp_path):
    nodes = [("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}), ("Add", ["m", "s"], ["s_next"], {})]
    shape = [1, 1, SIDE, SIDE]
    network = tiny_network(tmp_path / "states.onnx", nodes, {**TAKES, "s": shape}, {"s_next": shape})
    with pytest.raises(ModelError, match="are states"):
        engine_of(described(network, states=(CARRIED,)))


@pytest.mark.parametrize("data", [b"", b"this is no network", b"\x08\x08" + bytes(range(256)) * 8])
def test_a_file_that_is_no_network_is_a_model_error(engine_of, tmp_path, data):
    network = tmp_path / "junk.onnx"
    network.write_bytes(data)
    with pytest.raises(ModelError, match="is not a network") as caught:
        engine_of(described(network))
    assert caught.value.hint


def test_a_truncated_network_is_a_model_error(engine_of, tmp_path, shipped):
    network = tmp_path / "cut.onnx"
    network.write_bytes(shipped.path.read_bytes()[:-100_000])
    with pytest.raises(ModelError):
        engine_of(described(network))


def test_an_output_whose_size_is_known_late_and_is_another_is_an_error(engine_of, tmp_path):
    """As many values as the picture has white pixels, which is known only once the network has run."""
    nodes = [("NonZero", ["x"], ["places"], {}), ("Cast", ["places"], ["y"], {"to": 1})]
    network = tiny_network(tmp_path / "places.onnx", nodes, TAKES, {"y": [4, None]})
    with pytest.raises((EngineError, ModelError), match=r"instead of|not the card's output"):
        engine_of(described(network)).infer(BLACK)


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
        TAKES,
        GIVES,
        {"whole": np.array([1, 1, SIDE, SIDE], np.int64)},
    )
    wide = described(network, replace(PICTURE, scale=(510, 510, 510)))
    one, other = OpenVinoEngine(wide, cache=tmp_path / "cache"), OnnxRuntimeEngine(wide)
    picture = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    assert one.infer(picture)[0] == pytest.approx(other.infer(picture)[0], abs=1e-5)
    assert _interpolations(one) == left


@pytest.mark.parametrize(("padding", "broadcast"), [(1, "numpy"), (0, "none")])
def test_an_enlargement_stays_that_adds_zeros_or_whose_product_cannot_repeat(padding, broadcast):
    openvino = silent.openvino()
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
        engine.infer(*shipped.blank())


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


class Lazy:
    """A runtime's session or request that reports success and does nothing from the second run on."""

    def __init__(self, inner):
        self._inner, self.lazy = inner, False

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def run_with_iobinding(self, binding):
        if not self.lazy:
            self._inner.run_with_iobinding(binding)

    def infer(self):
        if not self.lazy:
            self._inner.infer()


def made_lazy(engine):
    """The engine, and the wrapper that can make its runtime do nothing."""
    name = "_session" if engine.name == "onnxruntime" else "_request"
    lazy = Lazy(getattr(engine, name))
    setattr(engine, name, lazy)
    return lazy


def test_what_a_runtime_has_not_written_is_no_result(engine_of, tmp_path):
    engine = engine_of(described(mean_of_channels(tmp_path)))
    lazy = made_lazy(engine)
    assert np.isfinite(engine.infer(BLACK)[0]).all()
    lazy.lazy = True
    assert np.isnan(engine.infer(BLACK)[0]).all()


def test_whole_numbers_that_a_runtime_has_not_written_are_no_result(tmp_path):
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=1)],
        "classes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [1, 1, SIDE, SIDE])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path = tmp_path / "classes.onnx"
    path.write_bytes(model.SerializeToString())
    engine = OnnxRuntimeEngine(described(path))
    lazy = made_lazy(engine)
    assert not engine.infer(BLACK)[0].any()
    lazy.lazy = True
    with pytest.raises(EngineError, match="written nothing"):
        engine.infer(BLACK)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int64, np.int32, np.uint16, np.uint8, np.bool_])
def test_every_kind_of_output_shows_that_nobody_has_written_into_it(kind):
    values = np.zeros((4, 4), kind)
    blot(values)
    assert is_blotted(values) or not are_numbers(values)
    values.fill(0)
    assert not is_blotted(values)
    assert are_numbers(values)


def test_states_that_are_no_numbers_are_reset(engine_of, tmp_path):
    network = tiny_network(
        tmp_path / "divides.onnx",
        [
            ("ReduceMean", ["x"], ["m"], {"axes": [1], "keepdims": 1}),
            ("Div", ["s", "m"], ["s_next"], {}),
            ("Mul", ["m", "zero"], ["y"], {}),
        ],
        {"x": [1, 3, SIDE, SIDE], "s": [1, 1, SIDE, SIDE]},
        {**GIVES, "s_next": [1, 1, SIDE, SIDE]},
        {"zero": np.float32(0)},
    )
    state = State("s", (1, 1, SIDE, SIDE), "s_next", 1.0)
    engine = engine_of(described(network, outputs=(Output((1, SIDE, SIDE), "s_next"),), states=(state,)))
    assert engine.infer(BLACK + 2)[0][0, 0, 0] == pytest.approx(0.5)
    with pytest.raises(EngineError, match="no number any more"):
        engine.infer(BLACK)
    # the map of the next picture owes nothing to it
    assert engine.infer(BLACK + 4)[0][0, 0, 0] == pytest.approx(0.25)
