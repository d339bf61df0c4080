"""`vcam loopback cover`: which virtual cameras get a card, and what is written into them."""

from __future__ import annotations

import mmap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.output.virtual.helpers import WAITING
from vcam.cli.main import cli
from vcam.compose.placeholder import off
from vcam.errors import OutputDeviceError
from vcam.machine import cover
from vcam.output.virtual import camera
from vcam.v4l2 import loopback, raw
from vcam.v4l2.device import PixelLayout
from vcam.v4l2.discover import Node

FED = replace(WAITING, flags=raw.V4L2_CAP_VIDEO_CAPTURE)
PAGE = mmap.PAGESIZE


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Node]:
    """One that nobody feeds, of three buffers full of something, and one that is fed."""
    nodes = []
    for number, capabilities in ((20, WAITING), (21, FED)):
        path = tmp_path / f"video{number}"
        path.write_bytes(b"\xff" * (3 * PAGE))
        nodes.append(Node(path, number, f"cam{number}", capabilities))
    for module in (cover, camera):
        monkeypatch.setattr(module, "list_nodes", lambda: nodes)
    monkeypatch.setattr(cover, "held_format", lambda fd: PixelLayout("YU12", (64, 32), bytes=3072))
    monkeypatch.setattr(loopback, "forgets_output", lambda: False)
    return nodes


def test_all_that_nobody_feeds_get_the_card(devices: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICE_RESULT", raising=False)
    done = CliRunner().invoke(cli, ["loopback", "cover"], standalone_mode=False)
    assert "3 buffers covered" in done.output
    idle, fed = (np.fromfile(node.path, np.uint8).reshape(3, PAGE) for node in devices)
    assert (idle[:, :3072] == off((64, 32)).buffer).all()
    assert (fed == 255).all()


def test_after_a_normal_end_of_the_service_there_is_nothing_to_do(
    devices: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_RESULT", "success")
    CliRunner().invoke(cli, ["loopback", "cover"], standalone_mode=False)
    assert devices[0].path.read_bytes() == b"\xff" * (3 * PAGE)


def test_one_that_is_fed_is_refused(devices: list[Node]) -> None:
    with pytest.raises(OutputDeviceError, match="is fed by"):
        cover.cover_left("cam21")
    assert [buffers for _, buffers in cover.cover_left("20")] == [3]


def test_a_device_that_holds_nothing_or_another_layout(devices: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    def none(fd: int) -> PixelLayout:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(cover, "held_format", none)
    assert cover.cover_left()[0][1] == 0
    monkeypatch.setattr(cover, "held_format", lambda fd: PixelLayout("RGB3", (32, 32), bytes=3072))
    assert cover.cover_left()[0][1] == 3
    assert devices[0].path.read_bytes() == bytes(3 * PAGE)
