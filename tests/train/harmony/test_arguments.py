"""The torch form of the arguments is held to the one definition, and gradients pass through it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from vcam import harmony
from vcam.train.harmony.arguments import apply


def planes(chance, count=1, side=16):
    # all levels, those beyond the limited range as well
    return chance.integers(0, 256, (count, 3, side, side)).astype(np.float32)


def test_torch_and_numpy_are_one_definition():
    chance = np.random.default_rng(1)
    given = planes(chance, 40)
    arguments = chance.uniform(-1, 1, (40, 8)).astype(np.float32)
    arguments[:8] = np.eye(8)
    arguments[8:16] = -np.eye(8)
    arguments[16] = 0
    arguments[17], arguments[18] = 3.0, -3.0
    found = apply(torch.from_numpy(given), torch.from_numpy(arguments)).numpy()
    for one, told, mine in zip(given, arguments, found, strict=True):
        true = np.stack(harmony.apply(*one, told))
        np.testing.assert_allclose(mine, true, atol=0.02)


def test_zero_leaves_legal_samples_alone():
    given = torch.from_numpy(planes(np.random.default_rng(2)).clip(16, 235))
    torch.testing.assert_close(apply(given, torch.zeros(1, 8)), given, atol=1e-3, rtol=0)


@pytest.mark.parametrize("level", [0, 16, 128, 235, 255])
def test_gradients_are_numbers_even_in_black_and_white(level):
    given = torch.full((1, 3, 4, 4), float(level))
    arguments = torch.full((1, 8), 0.1, requires_grad=True)
    apply(given, arguments).sum().backward()
    assert torch.isfinite(arguments.grad).all()


def test_the_arguments_of_a_disturbance_are_found_by_gradients_alone():
    chance = np.random.default_rng(3)
    true = torch.from_numpy(chance.uniform(60, 190, (1, 3, 16, 16)).astype(np.float32))
    shown = apply(true, torch.tensor([[0.3, -0.2, 0.3, 0.4, -0.3, 0.0, 0.0, 0.2]]))
    told = torch.zeros(1, 8, requires_grad=True)
    optimizer = torch.optim.Adam([told], lr=0.02)
    before = float(((shown - true) ** 2).mean())
    for _ in range(200):
        optimizer.zero_grad()
        off = ((apply(shown, told) - true) ** 2).mean()
        off.backward()
        optimizer.step()
    assert float(off.detach()) < 0.02 * before
