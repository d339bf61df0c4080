"""`vcam devices`: the table and its JSON, of machines that a test makes up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.doctor.helpers import loopback, node, webcam
from vcam.cli.devices import devices
from vcam.machine import inventory
from vcam.machine.inventory import CameraEntry, Inventory, Offer
from vcam.v4l2 import raw

BRIDGE = raw.V4L2_CAP_VIDEO_CAPTURE | raw.V4L2_CAP_IO_MC
OFFERS = tuple(
    Offer(code, (640, 480), (30.0,), False) for code in ("BA81", "GBRG", "GRBG", "RGGB", "BG10", "GB10", "BA10")
)


@pytest.fixture
def shown(monkeypatch):
    """What the command prints of these cameras."""

    def run(*cameras, options=(), virtual=(), columns=160):
        monkeypatch.setattr(inventory, "take_inventory", lambda *_: Inventory(cameras, virtual))
        environ = {"COLUMNS": str(columns)}
        return CliRunner().invoke(devices, list(options), env=environ, catch_exceptions=False).stdout

    return run


def test_why_auto_takes_another_camera_is_shown(shown):
    infrared = webcam(passed_over="is an infrared camera: cameras with colours come first")
    said = shown(infrared)
    assert "not auto" in said
    assert "it is an infrared camera: cameras with colours come first" in said
    (camera,) = json.loads(shown(infrared, options=["--json"]))["cameras"]
    assert camera["not_auto"].startswith("is an infrared camera")


def test_nodes_of_a_bridge_are_shown_as_one(shown):
    nodes = [CameraEntry(node(f"/dev/video{number}", "ipu6", "isys", BRIDGE), passed_over="x") for number in range(8)]
    said = shown(webcam(), *nodes)
    assert said.count("ipu6") == 1
    assert "/dev/video4 and 3 more" in said
    assert "the media controller must wire up first" in said
    assert len(json.loads(shown(*nodes, options=["--json"]))["cameras"]) == 8


def test_a_missing_signal_and_formats_that_are_not_read_are_shown(shown):
    said = shown(webcam(lacks="signal", offers=OFFERS))
    assert "no signal" in said
    assert "not read by vcam: BA81, GBRG, GRBG, RGGB, BG10 and 2 more" in said


def test_of_two_alike_the_port_is_shown(shown):
    links = [(Path("/dev/v4l/by-id/usb-Cam"), Path(f"/dev/v4l/by-path/pci-usb-0:{port}")) for port in (1, 2)]
    entries = [replace(webcam(), node=replace(webcam().node, links=names)) for names in links]
    assert "by-path" not in shown(entries[0])
    assert "by port      /dev/v4l/by-path/pci-usb-0:2" in shown(*entries)
    assert json.loads(shown(entries[0], options=["--json"]))["cameras"][0]["by_path"] == str(links[0][1])


def test_commands_stand_on_one_line_however_narrow_the_terminal_is(shown):
    offers = tuple(Offer(code, (1280, 720), (30.0,), False) for code in ("H264",))
    said = shown(replace(webcam(offers=offers), chosen=None), columns=40)
    (line,) = [line for line in said.splitlines() if "ffmpeg -f v4l2" in line]
    assert line.endswith("ffmpeg -f v4l2 -input_format h264 -i /dev/video0 -pix_fmt yuv420p -f v4l2 /dev/videoN")
    cure = "you may not open /dev/video0: sudo usermod -aG video mona, then log out and in again"
    assert any(line.endswith(cure) for line in shown(webcam(problem=cure), columns=40).splitlines())
    said = shown(virtual=(loopback(problem=cure),), columns=40)
    assert any(line.endswith(cure) for line in said.splitlines())
    assert "/dev/video20" in said
