from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import answer, as_tensor, constants, original, parameters, portrait
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import architecture
from vcam.train.weights import Loaded, load

KIND = architecture("slim-net")
FILE = "seed_slim_reshape_v2.tflite"


@pytest.mark.engine
def test_the_originals_weights_give_the_originals_picture(shared, tmp_path):
    path = original(shared, FILE)
    net = KIND.build()
    assert load(net, path) == Loaded(223, "order")
    picture = portrait(shared, KIND)
    expected = answer(path, KIND, picture, (512, 512), tmp_path)
    with torch.no_grad():
        found = probability(net.eval()(as_tensor(picture, KIND)))[0, 0].numpy()
    assert expected.max() > 0.95, "the picture holds a person"
    assert expected.min() < 0.05
    assert np.abs(found - expected).max() < 1e-3


def test_it_has_the_parameters_of_the_original(shared):
    assert parameters(KIND.build()) == 347_570 == KIND.parameters
    floats, _, zeros = constants(original(shared, FILE))
    # three shortcuts share the bias of the branch that they are added to: both began at 0 and saw the same gradients
    assert floats - zeros == 347_570 - 64 - 128 - 64


def test_norms_and_activation_are_its_users():
    net = KIND.build(norm=True, act="swish")
    assert net(torch.zeros(2, 3, 64, 96)).shape == (2, 2, 64, 96)
    assert not any(isinstance(each, torch.nn.PReLU) for each in net.modules())
