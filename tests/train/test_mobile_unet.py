from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from tests.train.helpers import answer, as_tensor, constants, original, parameters, portrait
from vcam.train.nets.layers import probability
from vcam.train.nets.registry import architecture
from vcam.train.weights import Loaded, load

BILINEAR, TRANSPOSED = architecture("mobile-unet-bilinear"), architecture("mobile-unet")
FILE = "seed_bilinear_fin_munet_uint8.tflite"


@pytest.mark.engine
@pytest.mark.parametrize("norm", [False, True], ids=["folded", "norms"])
def test_the_originals_weights_give_the_originals_picture(norm, shared, tmp_path):
    path = original(shared, FILE)
    net = BILINEAR.build(norm=norm)
    load(net, path)
    picture = portrait(shared, BILINEAR)
    expected = answer(path, BILINEAR, picture, (128, 128), tmp_path)
    with torch.no_grad():
        found = probability(net.eval()(as_tensor(picture, BILINEAR)))[0, 0].numpy()
    assert expected.max() > 0.95, "the picture holds a person"
    assert expected.min() < 0.05
    assert np.abs(found - expected).max() < 1e-3


def test_both_forms_have_the_parameters_of_the_original(shared):
    for kind in (BILINEAR, TRANSPOSED):
        assert parameters(kind.build(norm=False)) == 3_620_617 == kind.parameters
    floats, numbers, zeros = constants(original(shared, FILE))
    # and the paddings, sizes and shapes that operators take, 56 whole numbers of which some are shared
    assert (floats, zeros) == (3_620_617, 0)
    assert 3_620_617 < floats + numbers <= 3_620_673


@pytest.mark.parametrize("kind", [BILINEAR, TRANSPOSED], ids=lambda kind: kind.name)
def test_width_and_dropout_are_its_users(kind):
    wide, narrow = (parameters(kind.build(norm=False, width=width)) for width in (1.0, 0.35))
    assert narrow < 3_620_617 < wide
    net = kind.build(dropout=0.5)
    picture = torch.rand(2, 3, 64, 96)
    assert net(picture).shape == (2, 1, 64, 96)
    with torch.no_grad():
        assert not torch.equal(net(picture), net(picture)), "in training it drops"
        assert torch.equal(net.eval()(picture), net(picture))


def test_an_encoder_takes_its_part_of_a_larger_network(shared):
    path = original(shared, FILE)
    whole, other = BILINEAR.build(norm=False), TRANSPOSED.build(norm=False)
    load(whole, path)
    assert load(other.encoder, path, sample=torch.zeros(1, 3, 128, 128), whole=False) == Loaded(51, "order")
    for mine, theirs in zip(other.encoder.parameters(), whole.encoder.parameters(), strict=True):
        assert torch.equal(mine, theirs)
