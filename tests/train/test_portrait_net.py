from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import as_tensor, mean_iou, original, parameters, portrait
from vcam.train.nets.layers import enlarged, probability
from vcam.train.nets.registry import architecture
from vcam.train.weights import load

STILL, VIDEO = architecture("portrait-net"), architecture("portrait-net-video")
FILE = "seed_portrait_video_quant.tflite"


@pytest.mark.engine
@pytest.mark.parametrize("norm", [False, True], ids=["folded", "norms"])
def test_the_quantised_originals_weights_give_the_originals_masks(norm, shared):
    """No engine of vcam's takes the file: its input is quantised, too. LiteRT is the one that it was made for."""
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    path = original(shared, FILE)
    net = VIDEO.build(norm=norm)
    load(net, path)
    net.eval()
    # its delegate refuses the file's scales of zero
    plain = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = interpreters.Interpreter(str(path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    for number in (1, 2):
        seen = as_tensor(portrait(shared, VIDEO, number), VIDEO)
        before = torch.zeros(1, 1, 224, 224)
        # the second time each gets its own mask of the first time
        for _ in range(2):
            given_to_both = torch.cat([seen, before], 1)
            scale, zero = taken["quantization"]
            whole = np.round(given_to_both.numpy().transpose(0, 2, 3, 1) / scale + zero)
            interpreter.set_tensor(taken["index"], np.clip(whole, -128, 127).astype(np.int8))
            interpreter.invoke()
            scale, zero = given["quantization"]
            expected = (interpreter.get_tensor(given["index"]).astype(np.float32) - zero) * scale
            with torch.no_grad():
                found = probability(net(given_to_both))
            assert 0.1 < (expected > 0.5).mean() < 0.9, "the picture holds a person"
            assert mean_iou(found.numpy().reshape(-1) > 0.5, expected.reshape(-1) > 0.5) > 0.98
            before = found


def test_both_forms_have_the_parameters_of_the_original(shared):
    assert parameters(VIDEO.build(norm=False)) == 2_064_048 == VIDEO.parameters
    assert parameters(STILL.build(norm=False)) == 2_064_048 - 32 * 9 == STILL.parameters
    assert abs(STILL.parameters / 2.06e6 - 1) < 0.01


def test_the_boundary_head_is_there_in_training_only():
    net = STILL.build(boundary=True)
    picture = torch.rand(2, 3, 64, 96)
    mask, boundary = net(picture)
    assert mask.shape == boundary.shape == (2, 2, 64, 96)
    with torch.no_grad():
        assert net.eval()(picture).shape == (2, 2, 64, 96)
    assert parameters(net) - parameters(STILL.build()) == 8 * 2 * 9


def test_width_and_activation_are_its_users():
    net = VIDEO.build(width=0.5, act="hard-swish")
    assert net(torch.zeros(2, 4, 64, 96)).shape == (2, 2, 64, 96)
    assert parameters(net) < 0.4 * 2_064_048


def test_its_transposed_convolutions_begin_as_enlargement():
    picture = torch.rand(1, 8, 6, 5)
    with torch.no_grad():
        # at the border a convolution sees zeros beyond
        inner = STILL.build().up[-1](picture)[..., 1:-1, 1:-1]
    assert torch.allclose(inner, enlarged(picture)[..., 1:-1, 1:-1], atol=1e-6)
