from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import answer, as_tensor, constants, original, parameters, portrait
from vcam.train.nets.registry import architecture
from vcam.train.weights import load

KIND = architecture("mobile-unet-v3-256")
FILE = "seed_mnv3_seg_float.tflite"


@pytest.mark.engine
@pytest.mark.parametrize("norm", [False, True], ids=["folded", "norms"])
def test_the_originals_weights_give_the_originals_logits(norm, shared, tmp_path):
    path = original(shared, FILE)
    net = KIND.build(norm=norm)
    load(net, path)
    picture = portrait(shared, KIND)
    expected = answer(path, KIND, picture, (256, 256, 2), tmp_path).transpose(2, 0, 1)
    with torch.no_grad():
        found = net.eval()(as_tensor(picture, KIND))[0].numpy()
    assert expected[1].max() > 3, "the picture holds a person"
    assert expected[0].max() > 3
    assert np.abs(found - expected).max() < 1e-3


def test_every_form_has_the_parameters_of_the_original(shared):
    known = {"mobile-unet-v3": 2_552_241, "mobile-unet-v3-half": 1_192_213, "mobile-unet-v3-256": 940_122}
    for name, count in known.items():
        assert parameters(architecture(name).build(norm=False)) == count == architecture(name).parameters
    floats, _, zeros = constants(original(shared, FILE))
    assert (floats, zeros) == (940_122, 0)


@pytest.mark.parametrize(("name", "outputs"), [("mobile-unet-v3", 1), ("mobile-unet-v3-half", 1), (KIND.name, 2)])
def test_other_sizes_a_previous_mask_and_activations_are_its_users(name, outputs):
    net = architecture(name).build(channels=4, act="relu6")
    assert net(torch.zeros(2, 4, 64, 96)).shape == (2, outputs, 64, 96)
    assert any(isinstance(each, torch.nn.ReLU6) for each in net.modules())
