from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from torch import nn

from vcam.train.nets.layers import (
    ConvBlock,
    SameConv2d,
    SameConvTranspose2d,
    activation,
    divisible,
    enlarged,
    probability,
    same_pads,
)


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "dilation", "pads"),
    [(256, 3, 2, 1, (0, 1)), (9, 3, 2, 1, (1, 1)), (32, 5, 2, 1, (1, 2)), (16, 3, 1, 8, (8, 8)), (64, 2, 2, 1, (0, 0))],
)
def test_padding_is_that_of_tensorflow(side, kernel, stride, dilation, pads):
    # https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    assert same_pads(side, kernel, stride, dilation) == pads


def test_a_strided_convolution_begins_at_the_first_sample():
    layer = SameConv2d(1, 1, 3, stride=2, bias=False)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        row = layer(torch.arange(1.0, 5).reshape(1, 1, 1, 4).expand(1, 1, 4, 4))[0, 0, 0]
    assert row.tolist() == [3 * (1 + 2 + 3), 3 * (3 + 4 + 0)]
    assert layer(torch.zeros(1, 1, 5, 7)).shape[-2:] == (3, 4)


def test_a_transposed_convolution_is_cut_where_the_convolution_pads():
    layer = SameConvTranspose2d(1, 1, 3, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2, 4]) * torch.ones(1, 1, 3, 1))
        row = layer(torch.tensor([[1.0, 10]]).reshape(1, 1, 1, 2))[0, 0, 0]
    # 1 2 4, and 10 20 40 two further on; the last, 40, sticks out
    assert row.tolist() == [1, 2, 4 + 10, 20]


@pytest.mark.parametrize(
    ("corners", "expected"),
    [
        ("half-pixel", [0, 0.25, 0.75, 1.5, 2.5, 3]),
        ("asymmetric", [0, 0.5, 1, 2, 3, 3]),
        ("aligned", [0, 0.4, 0.8, 1.4, 2.2, 3]),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_each_kind_of_enlargement_finds_its_samples(corners, expected, training):
    row = torch.tensor([0.0, 1, 3]).reshape(1, 1, 1, 3).expand(1, 1, 3, 3).clone().requires_grad_(training)
    for found in (enlarged(row, corners), enlarged(row.mT, corners).mT):
        assert found.shape == (1, 1, 6, 6)
        assert torch.allclose(found[0, 0, 2], torch.tensor(expected))


def test_an_enlargement_of_one_pixel_in_training():
    assert torch.equal(enlarged(torch.ones(1, 1, 1, 1, requires_grad=True), "asymmetric"), torch.ones(1, 1, 2, 2))


def test_the_gradient_of_an_enlargement_in_training_is_that_of_the_operator():
    x = torch.rand(2, 3, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weight = torch.rand(2, 3, 8, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    mine = x.clone().requires_grad_()
    (enlarged(mine, "asymmetric") * weight).sum().backward()
    with torch.no_grad():
        # linear, so each entry of the gradient is what its pixel alone comes to
        pixels = torch.eye(20, dtype=torch.float64).reshape(20, 1, 4, 5)
        expected = torch.einsum("phw,nchw->ncp", enlarged(pixels, "asymmetric")[:, 0], weight)
    assert torch.allclose(mine.grad.flatten(2), expected)


def test_what_a_transposed_convolution_cuts_out_lies_by_itself_for_the_norm_behind_it():
    x = torch.rand(2, 4, 3, 3).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert SameConvTranspose2d(4, 6, 3)(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("none", [-4.0, -1.0, 7.0]),
        ("relu", [0.0, 0.0, 7.0]),
        ("relu6", [0.0, 0.0, 6.0]),
        ("prelu", [-1.0, -0.25, 7.0]),
        ("hard-swish", [0.0, -1 / 3, 7.0]),
        ("swish", [-0.07194, -0.26894, 6.99362]),
    ],
)
def test_activations_by_their_names(name, values):
    with torch.no_grad():
        found = activation(name, 3)(torch.tensor([-4.0, -1.0, 7.0]).reshape(1, 3, 1, 1))
    assert torch.allclose(found.reshape(-1), torch.tensor(values), atol=1e-4)


def test_another_activation_is_refused():
    with pytest.raises(ValueError, match="no activation tanh"):
        activation("tanh", 3)


def test_channels_are_rounded_as_mobilenet_does():
    assert [divisible(each) for each in (16 * 0.5, 24 * 0.5, 32 * 0.35, 24 * 0.75, 3)] == [8, 16, 16, 24, 8]


def test_a_person_is_the_second_of_two_classes():
    assert probability(torch.tensor([0.0]).reshape(1, 1, 1, 1)).item() == 0.5
    two = torch.tensor([0.0, 3.0]).reshape(1, 2, 1, 1)
    assert probability(two).item() == pytest.approx(0.952574)


def test_symmetric_padding_differs_where_the_stride_is_two():
    one, other = (ConvBlock(1, 1, 3, stride=2, norm=False, symmetric=kind) for kind in (False, True))
    other.load_state_dict(one.state_dict())
    picture = torch.rand(1, 1, 8, 8)
    with torch.no_grad():
        assert one(picture).shape == other(picture).shape == (1, 1, 4, 4)
        assert not torch.allclose(one(picture), other(picture))
