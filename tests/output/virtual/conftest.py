from __future__ import annotations

import pytest

from tests.output.virtual.helpers import WAITING, FakeLoopback
from vcam.output.virtual import camera
from vcam.v4l2 import loopback, raw
from vcam.v4l2.discover import Node


@pytest.fixture
def loopback_with(monkeypatch, tmp_path):
    def make(**kept):
        device = FakeLoopback(**kept)
        path = tmp_path / "video20"
        path.touch()
        device.path = path
        monkeypatch.setattr(raw, "ioctl", device.ioctl)
        monkeypatch.setattr(loopback, "forgets_output", lambda: False)
        monkeypatch.setattr(camera, "list_nodes", lambda: [Node(path, 20, "vcam", WAITING)])
        return device, path

    return make
