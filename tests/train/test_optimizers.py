"""How weights follow their gradients."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'vcam[train]'")

from lightning_fabric import Fabric
from torch import nn

from vcam.train.optimizers import DECAY, Muon, Optimizers, orthogonal
from vcam.train.recipe import Recipe

RATE = 0.01


def recipe(**changed):
    return Recipe(**{
        "network": "selfie", "data": "", "size": (64, 64), "epochs": 1, "losses": {"dice": 1.0}, "rate": RATE,
        "optimizer": "muon", **changed,
    })  # fmt: skip


def some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(32, 32), (24, 88), (88, 24), (5, 900)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_directions_stay_and_have_one_length(shape, dtype):
    matrix = some(*shape)
    made = orthogonal(matrix.to(dtype)).float()
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    along = torch.diagonal(left.T @ made @ right.T)
    assert along.min() > 0.6
    assert along.max() < 1.3
    # and nothing crosswise
    across = left.T @ made @ right.T - torch.diag(along)
    assert across.abs().max() < 0.1


def _orthogonal(matrix):
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    return left @ right


@pytest.mark.parametrize("shape", [(32, 16, 1, 1), (16, 64, 1, 1), (24, 16, 3, 3), (80, 8, 2, 2), (520, 8, 2, 2)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("exact", [True, False])
def test_a_step_goes_along_the_orthogonal_gradient_and_is_as_long_as_one_of_adamw(shape, layout, exact):
    weight = nn.Parameter(some(*shape).to(memory_format=layout))
    before = weight.detach().clone()
    gradient = some(*shape, seed=1)
    weight.grad = 1000 * gradient.to(memory_format=layout)
    Muon([weight], RATE, exact=exact).step()
    step = weight.detach() - before * (1 - RATE * DECAY)
    assert 0.14 * RATE < step.square().mean().sqrt() < 0.24 * RATE
    # many rows would take long: their columns are the rows then
    turned = shape[0] > 512
    matrix = (gradient.transpose(0, 1) if turned else gradient).flatten(1)
    wanted = -_orthogonal(matrix)
    found = (step.transpose(0, 1) if turned else step).flatten(1)
    assert torch.nn.functional.cosine_similarity(found.flatten(), wanted.flatten(), 0) > 0.97


def test_the_gradients_of_before_count():
    weight = nn.Parameter(torch.zeros(16, 16))
    muon = Muon([weight], RATE, exact=True)
    gradient = some(16, 16)
    for _ in range(20):
        weight.grad = gradient.clone()
        muon.step()
    there = weight.detach().clone()
    weight.grad = -gradient
    muon.step()
    assert ((weight.detach() - there) * gradient).sum() < 0, "twenty steps outweigh one"


def _taken(optimizer):
    """Which of five layers take a step that is not AdamW's, whose first one changes each weight by the rate."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 3, groups=16), nn.Conv2d(16, 32, 1), nn.ConvTranspose2d(32, 8, 2),
        nn.Conv2d(8, 1, 1),
    )  # fmt: skip
    before = [each.weight.detach().clone() for each in net]
    fabric = Fabric(accelerator="cpu")
    optimizers = Optimizers(recipe(optimizer=optimizer), net, fabric)
    for number, each in enumerate(net.parameters()):
        each.grad = some(*each.shape, seed=number)
    biases = [each.bias.detach().clone() for each in net]
    optimizers.step()
    # neither decays
    for each, bias in zip(net, biases, strict=True):
        assert torch.allclose((each.bias - bias).abs(), torch.full_like(bias, RATE), atol=1e-5)
    return [
        not torch.allclose((each.weight - old * (1 - RATE * DECAY)).abs(), torch.full_like(old, RATE), atol=1e-5)
        for each, old in zip(net, before, strict=True)
    ]


def test_it_takes_what_mixes_channels_and_leaves_the_rest():
    assert _taken("muon") == [False, False, True, True, False]
    assert _taken("adamw") == [False] * 5


def _trained(steps, kept=None, optimizer="muon"):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 1))
    optimizers = Optimizers(recipe(optimizer=optimizer), net, Fabric(accelerator="cpu"))
    if kept:
        net.load_state_dict(kept[0])
        optimizers.restore(kept[1])
    for number in steps:
        optimizers.rate = RATE / (1 + number)
        optimizers.forget()
        net(some(2, 3, 8, 8, seed=number)).square().mean().backward()
        optimizers.step()
    return {name: each.clone() for name, each in net.state_dict().items()}, optimizers.state(), optimizers.rate


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_it_goes_on_where_it_was(optimizer):
    whole, _, rate = _trained(range(6), optimizer=optimizer)
    assert rate == pytest.approx(RATE / 6)
    weights, state, _ = _trained(range(3), optimizer=optimizer)
    gone_on, _, _ = _trained(range(3, 6), (weights, state), optimizer)
    for name, each in whole.items():
        assert torch.equal(each, gone_on[name])


def test_a_state_from_when_there_was_one_goes_on():
    weights, (state,), _ = _trained(range(3), optimizer="adamw")
    whole, _, _ = _trained(range(6), optimizer="adamw")
    gone_on, _, _ = _trained(range(3, 6), (weights, state), "adamw")
    assert torch.equal(whole["2.weight"], gone_on["2.weight"])
    with pytest.raises(ValueError, match="group"):
        _trained(range(3, 6), (weights, state), "muon")


def test_what_has_no_gradient_stays():
    weight = nn.Parameter(some(16, 16))
    before = weight.detach().clone()
    Muon([weight], RATE, exact=True).step()
    assert torch.equal(weight, before)


def test_the_gradient_is_shortened_as_one_vector():
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 1))
    optimizers = Optimizers(recipe(), net, Fabric(accelerator="cpu"))
    for each in net.parameters():
        each.grad = torch.ones_like(each)
    count = sum(each.numel() for each in net.parameters())
    assert optimizers.clip(net, 5.0) == pytest.approx(math.sqrt(count), rel=1e-4)
    squares = sum(float(each.grad.square().sum()) for each in net.parameters())
    assert math.sqrt(squares) == pytest.approx(5, rel=1e-3)
    net[0].weight.grad[0] = math.nan
    assert math.isnan(optimizers.clip(net, 5.0))
