"""Run in the virtual machine by test_vm.py: vivid as an HDMI grabber, whose driver lists no sizes and no rates."""

from __future__ import annotations

import pytest

from tests.vm.guest import CAMERA, set_control
from vcam.camera.device import V4L2Camera
from vcam.camera.ranking import Rank, judge
from vcam.machine.inventory import take_inventory
from vcam.v4l2 import device
from vcam.v4l2.discover import list_nodes

SIZE = (640, 360)


@pytest.fixture
def signal():
    yield
    set_control("dv_timings_signal_mode", 0)


def test_a_grabber_gives_the_picture_that_it_has():
    with device.opened(CAMERA) as fd:
        assert not list(device.enum_sizes(fd, "YUYV"))
    camera = V4L2Camera("auto", SIZE, 30, 2.0)
    camera.open()
    frame = camera.read()
    assert (frame.size, camera.size) == ((1280, 720), (1280, 720))
    assert camera.fps == pytest.approx(60, abs=1)
    camera.close()


def test_a_grabber_is_known_as_one_and_its_modes_are_listed():
    node = next(node for node in list_nodes() if node.path == CAMERA)
    assert judge(node).rank is Rank.GRABBER
    entry = next(entry for entry in take_inventory(SIZE, 30).cameras if entry.node.path == CAMERA)
    assert (1280, 720) in {offer.size for offer in entry.offers if offer.usable}
    assert entry.chosen.size == (1280, 720)
    assert "socket" in entry.passed_over


def test_without_a_signal_it_says_so(signal, caplog):
    # the menu's "No Signal"
    set_control("dv_timings_signal_mode", 1)
    camera = V4L2Camera("auto", SIZE, 30, 2.0)
    camera.open()
    camera.close()
    assert "gets no signal on its input HDMI" in caplog.text
    entry = next(entry for entry in take_inventory(SIZE, 30).cameras if entry.node.path == CAMERA)
    assert entry.lacks == "signal"
