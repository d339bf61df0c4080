from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from torch.nn.functional import binary_cross_entropy

from tests.train.helpers import parameters
from vcam import extras
from vcam.errors import UsageError
from vcam.train.nets.layers import WithProbability
from vcam.train.nets.registry import ARCHITECTURES, architecture

PUBLISHED = {
    "selfie": 0.106e6,
    "selfie-landscape": 0.106e6,
    "prisma-net": 923_367,
    "mobile-unet": 3.624e6,
    "mobile-unet-bilinear": 3_620_673,
    "slim-net": 0.347e6,
    "mobile-unet-v3": 2.552e6,
    "mobile-unet-v3-half": 1.192e6,
    "mobile-unet-v3-256": 0.940e6,
    "portrait-net": 2.06e6,
    "portrait-net-video": 2.06e6,
}
"""As their authors give them, or as one counts in the file: with zeros and shapes where converters store those."""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_is_what_its_entry_says(name):
    kind = architecture(name)
    net = kind.build(norm=False).eval()
    assert parameters(net) == kind.parameters
    assert abs(kind.parameters / PUBLISHED[name] - 1) < 0.01
    assert (net.size, net.channels) == (kind.size, kind.channels)
    width, height = kind.size
    given = torch.zeros(1, kind.channels, height, width)
    with torch.no_grad():
        assert net(given).shape == (1, kind.outputs, height, width)
        probability = WithProbability(net)(given)
    assert probability.shape == (1, 1, height, width)
    assert 0 <= float(probability.min()) <= float(probability.max()) <= 1
    assert all((kind.source, kind.good_for))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_weight_of_it_is_trained(name):
    kind = architecture(name)
    net = kind.build(norm=True).train()
    given = torch.rand(2, kind.channels, 64, 64)
    net(given).sum().backward()
    assert not [part for part, each in net.named_parameters() if each.grad is None]
    assert all(torch.isfinite(each.grad).all() for each in net.parameters())


@pytest.mark.long
@pytest.mark.parametrize(
    "name", sorted(set(ARCHITECTURES) - {"selfie-landscape", "mobile-unet", "mobile-unet-v3", "portrait-net"})
)
def test_it_learns_one_picture(name):
    kind = architecture(name)
    net = kind.build()
    mask = torch.zeros(2, 1, 64, 64)
    mask[0, :, 16:, 20:44], mask[1, :, 8:40, 4:30] = 1, 1
    given = (0.2 + 0.6 * mask + 0.1 * torch.rand(2, kind.channels, 64, 64)).clamp(0, 1)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    errors = []
    for _ in range(8):
        loss = binary_cross_entropy(WithProbability(net)(given).clamp(1e-6, 1 - 1e-6), mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[-1] < 0.9 * errors[0], errors


def test_an_unknown_name_is_answered_with_the_names_that_there_are():
    with pytest.raises(UsageError, match="no architecture unet") as caught:
        architecture("unet")
    assert "mobile-unet-v3-half" in caught.value.hint


@pytest.mark.process
def test_without_pytorch_the_list_is_there_and_building_names_the_extra():
    script = """
import sys
sys.modules["torch"] = None
import vcam.cli.main
from vcam.errors import UsageError
from vcam.train.nets.registry import ARCHITECTURES, architecture
assert len(ARCHITECTURES) == 11
try:
    architecture("selfie").build()
except UsageError as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == extras.command("train")
