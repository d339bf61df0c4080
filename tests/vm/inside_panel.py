"""Run in the virtual machine by tests/vm/test_vm.py: the panel's list of cameras, and controls set while vcam runs."""

from __future__ import annotations

import pytest

from tests.vm.guest import CAMERA, VCAM, Daemon, Reader, show_bars, until
from vcam.control.client import ControlClient
from vcam.errors import VcamError
from vcam.web import cameras

NAME = "control"


@pytest.fixture(scope="module")
def running():
    show_bars()
    with Daemon() as daemon, Reader() as reader:
        daemon.wait_until("live")
        yield daemon, reader


@pytest.fixture
def reader(running, monkeypatch):
    daemon, reader = running
    # where its sockets are: each test has a folder of its own
    monkeypatch.setenv("XDG_RUNTIME_DIR", daemon._runtime)
    return reader


def controls():
    return {control["name"]: control for control in cameras.listed(NAME)["controls"]}


def wish(text):
    with ControlClient(NAME) as vcam:
        return vcam.call("set", {"camera.controls": text})


def test_the_camera_in_use_is_listed_and_the_virtual_ones_are_not(reader):
    told = cameras.listed(NAME)["cameras"]
    assert [each["path"] for each in told] == [str(CAMERA)]
    assert told[0]["used"]
    assert told[0]["usable"]
    assert "vivid" in told[0]["name"]
    assert str(VCAM) not in str(told)


def test_a_control_is_set_at_once_while_the_picture_goes_on(reader):
    about = controls()["brightness"]
    assert (about["kind"], about["minimum"], about["maximum"]) == ("integer", 0, 255)
    for value in (90, 160):
        wish(f"brightness={value}")
        assert controls()["brightness"]["value"] == value
        reader.read()
    menus = [control for control in controls().values() if control["kind"] == "menu"]
    assert menus
    assert all(control["choices"] for control in menus)


def test_what_the_camera_will_not_do_is_refused_and_changes_nothing(reader):
    wish("brightness=100")
    for text in ("brightness=900", "nonsense=1"):
        with pytest.raises(VcamError, match=r"brightness|nonsense"):
            wish(text)
    assert controls()["brightness"]["value"] == 100
    with ControlClient(NAME) as vcam:
        assert vcam.call("get", {"key": "camera.controls"}) == {"camera.controls": "brightness=100"}


def test_the_list_opens_the_camera_for_a_moment_and_disturbs_nobody(reader):
    before = reader.read()
    for _ in range(10):
        cameras.listed(NAME)
    after = reader.read()
    assert before is not None
    assert after is not None
    until(lambda: reader.read() is not None, 15.0, lambda: "a frame")
