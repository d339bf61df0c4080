from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import answer, as_tensor, converted, original, portrait
from vcam.assets import data_folder
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import architecture
from vcam.train.weights import load

FORMS = {
    "selfie": ("selfie_segmentation.tflite", "selfie-general.onnx"),
    "selfie-landscape": ("selfie_segmentation_landscape.tflite", "selfie-landscape.onnx"),
}


@pytest.mark.engine
@pytest.mark.parametrize("norm", [False, True], ids=["folded", "norms"])
@pytest.mark.parametrize("form", FORMS)
def test_the_originals_weights_give_the_originals_picture(form, norm, shared, tmp_path):
    kind, path = architecture(form), original(shared, FORMS[form][0])
    net = kind.build(norm=norm)
    load(net, path)
    picture = portrait(shared, kind)
    width, height = kind.size
    expected = answer(converted(path, tmp_path), kind, picture, (height, width), tmp_path)
    with torch.no_grad():
        found = probability(net.eval()(as_tensor(picture, kind)))[0, 0].numpy()
    assert expected.max() > 0.95, "the picture holds a person"
    assert expected.min() < 0.05
    assert np.abs(found - expected).max() < 1e-3


@pytest.mark.engine
@pytest.mark.parametrize("form", FORMS)
def test_the_shipped_networks_can_be_trained_on(form, shared, tmp_path):
    kind, path = architecture(form), data_folder("models") / FORMS[form][1]
    net = kind.build(norm=False)
    load(net, path)
    picture = portrait(shared, kind, 2)
    width, height = kind.size
    with torch.no_grad():
        found = probability(net.eval()(as_tensor(picture, kind)))[0, 0].numpy()
    assert np.abs(found - answer(path, kind, picture, (height, width), tmp_path)).max() < 1e-3


def test_the_folded_form_has_the_parameters_of_the_original():
    for form in FORMS:
        net = architecture(form).build(norm=False)
        assert sum(each.numel() for each in net.parameters()) == 106_401
