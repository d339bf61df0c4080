from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")

from docs import nets
from vcam.train.nets.registry import architecture


def test_blocks_and_skips_are_those_of_the_network():
    found = nets.blocks_of(architecture("selfie").build(norm=False))
    assert [block.size[0] for block in found] == [128, 64, 32, 16, 32, 64, 128, 256]
    assert [block.skips for block in found] == [set()] * 4 + [{2}, {1}, {0}, set()]
    assert sum(block.parameters for block in found) <= architecture("selfie").parameters


def test_what_an_enlargement_gives_too_much_is_no_resolution_of_its_own():
    found = nets.blocks_of(architecture("prisma-net").build(size=(64, 64)))
    assert [block.size[0] for block in found] == [64, 32, 16, 8, 4, 8, 16, 32, 64]
    assert [sorted(block.skips) for block in found[5:]] == [[3], [2], [1], [0]]


def test_the_drawings_are_those_of_todays_networks():
    said = "python -m docs.nets draws them anew"
    for name, text in nets.drawings().items():
        assert (nets.FOLDER / name).read_text("utf-8") == text, f"{name} is old: {said}"
