from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import answer, as_tensor, constants, original, parameters, portrait
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import architecture
from vcam.train.weights import load

KIND = architecture("prisma-net")


@pytest.mark.engine
@pytest.mark.parametrize("file", ["seed_prisma-net.tflite", "seed_prisma_nchw.onnx"])
def test_the_originals_weights_give_the_originals_picture(file, shared, tmp_path):
    path = original(shared, file)
    net = KIND.build()
    load(net, path)
    picture = portrait(shared, KIND)
    expected = answer(path, KIND, picture, (256, 256), tmp_path)
    with torch.no_grad():
        found = probability(net.eval()(as_tensor(picture, KIND)))[0, 0].numpy()
    assert expected.max() > 0.95, "the picture holds a person"
    assert expected.min() < 0.05
    assert np.abs(found - expected).max() < 1e-3


def test_it_has_the_parameters_of_the_original(shared):
    assert parameters(KIND.build()) == 923_057 == KIND.parameters
    path = original(shared, "seed_prisma-net.tflite")
    floats, numbers, zeros = constants(path)
    # the file holds biases of zero for the depthwise filters, and the shapes of transposed and flat outputs, besides
    assert (floats + numbers, floats - zeros, zeros, numbers) == (923_367, 923_057, 288, 22)


def test_width_norms_and_activation_are_its_users():
    net = KIND.build(width=0.5, norm=True, act="prelu")
    assert net(torch.zeros(2, 3, 64, 96)).shape == (2, 1, 64, 96)
    assert parameters(net) < 923_057 / 3
    assert any(isinstance(each, torch.nn.PReLU) for each in net.modules())
    assert any(isinstance(each, torch.nn.BatchNorm2d) for each in net.modules())
