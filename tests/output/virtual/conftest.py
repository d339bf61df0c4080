from __future__ import annotations

import pytest

from tests.output.virtual.helpers import WAITING, FakeLoopback
from vcam.output.virtual import camera
from vcam.output.virtual import loopback as writing
from vcam.output.virtual.guard import Guard
from vcam.output.virtual.loopback import LoopbackWriter
from vcam.v4l2 import loopback, raw
from vcam.v4l2.discover import Node


@pytest.fixture
def loopback_with(monkeypatch, tmp_path):
    def make(*, leaves=False, **kept):
        """leaves: the card at the end is written as well, into the file that tests look at, and a guard waits."""
        device = FakeLoopback(**kept)
        if not leaves:
            monkeypatch.setattr(LoopbackWriter, "_leave", lambda writer, card: None)
            monkeypatch.setattr(writing, "Guard", lambda path: Guard(path, ("true",)))
        path = tmp_path / "video20"
        path.touch()
        device.path = path
        monkeypatch.setattr(raw, "ioctl", device.ioctl)
        monkeypatch.setattr(loopback, "forgets_output", lambda: False)
        monkeypatch.setattr(camera, "list_nodes", lambda: [Node(path, 20, "vcam", WAITING)])
        return device, path

    return make
