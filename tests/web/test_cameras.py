"""The list of cameras and their controls, from what the kernel says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vcam.errors import CameraError
from vcam.machine.inventory import CameraEntry, Offer
from vcam.v4l2.controls import Control
from vcam.v4l2.discover import Node
from vcam.web import cameras


def node(number: int, card: str, *links: str) -> Node:
    return Node(Path(f"/dev/video{number}"), number, card, links=tuple(Path("/dev/v4l") / link for link in links))


def control(name: str, **more: Any) -> Control:
    about = {"kind": "integer", "minimum": 0, "maximum": 255, "step": 1, "default": 128, "value": 100}
    return Control(id=1, name=name, writable=more.pop("writable", True), active=True, **{**about, **more})


BRIGHTNESS = control("brightness")
POWER = control("power_line", kind="menu", minimum=0, maximum=2, default=1, value=1, choices={0: "Off", 2: "60 Hz"})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A vcam that reads /dev/video2; what is put into it is what there is."""
    there: dict[str, Any] = {"description": "Cam (x) (/dev/video2), 640x480 MJPEG", "cameras": (), "controls": []}

    class Client:
        def __init__(self, name: str) -> None:
            pass

        def __enter__(self) -> Client:
            return self

        def __exit__(self, *exc: object) -> None:
            pass

        def call(self, method: str) -> dict[str, Any]:
            assert method == "status"
            return {"camera": {"description": there["description"]}, "size": "1280x720", "fps": 30.0}

    def controls(asked: Node) -> list[Control]:
        if isinstance(there["controls"], Exception):
            raise there["controls"]
        assert str(asked.path) == "/dev/video2"
        return list(there["controls"])

    monkeypatch.setattr(cameras, "ControlClient", Client)
    monkeypatch.setattr(cameras, "list_cameras", lambda size, fps: there["cameras"])
    monkeypatch.setattr(cameras, "camera_controls", controls)
    return there


def test_each_camera_is_named_by_what_lasts_and_the_one_in_use_is_marked(machine: dict[str, Any]) -> None:
    machine["cameras"] = (
        CameraEntry(node(0, "Desk", "by-id/desk-0", "by-path/1")),
        CameraEntry(node(2, "Cam", "by-path/2")),
        CameraEntry(node(4, "Old")),
    )
    told = cameras.listed("control")["cameras"]
    assert [each["source"] for each in told] == ["/dev/v4l/by-id/desk-0", "/dev/v4l/by-path/2", "/dev/video4"]
    assert [each["used"] for each in told] == [False, True, False]
    assert [each["name"] for each in told] == ["Desk", "Cam", "Old"]
    assert all(each["usable"] for each in told)


def test_twins_are_told_apart_by_their_ports(machine: dict[str, Any]) -> None:
    machine["cameras"] = tuple(
        CameraEntry(node(number, "Twin", "by-id/twin", f"by-path/{number}")) for number in (0, 2)
    )
    assert [each["source"] for each in cameras.listed("control")["cameras"]] == [
        "/dev/v4l/by-path/0", "/dev/v4l/by-path/2",
    ]  # fmt: skip


def test_one_that_cannot_be_read_says_why_and_cannot_be_taken(machine: dict[str, Any]) -> None:
    machine["cameras"] = (
        CameraEntry(node(0, "Shut"), problem="you may not open it"),
        CameraEntry(node(1, "Strange"), offers=(Offer("H264", (640, 480), (30.0,), False),)),
        CameraEntry(node(2, "Grabber"), lacks="signal"),
    )
    told = cameras.listed("control")["cameras"]
    assert [each["usable"] for each in told] == [False, False, True]
    assert [each["note"] for each in told] == [
        "you may not open it", "it has no format that vcam reads", "no signal at its input",
    ]  # fmt: skip


def test_the_controls_are_those_of_the_camera_in_use_that_can_be_set(machine: dict[str, Any]) -> None:
    machine["cameras"] = (CameraEntry(node(0, "Other")), CameraEntry(node(2, "Cam")))
    machine["controls"] = [
        BRIGHTNESS, POWER, control("seen", writable=False), control("press", kind="button"),
        control("fixed", minimum=3, maximum=3), control(""),
    ]  # fmt: skip
    told = cameras.listed("control")["controls"]
    assert [each["name"] for each in told] == ["brightness", "power_line"]
    assert (told[0]["minimum"], told[0]["maximum"], told[0]["step"], told[0]["value"]) == (0, 255, 1, 100)
    assert told[1]["choices"] == [[0, "Off"], [2, "60 Hz"]]


def test_a_camera_that_is_pulled_has_no_controls(machine: dict[str, Any]) -> None:
    machine["cameras"] = (CameraEntry(node(2, "Cam")),)
    machine["controls"] = CameraError("it is gone", "plug it in")
    assert cameras.listed("control")["controls"] == []


@pytest.mark.parametrize(
    ("description", "path"),
    [
        ("demo", ""), ("camera auto", ""), ("Cam (/dev/video0)", "/dev/video0"),
        ("A (/dev/video9) B (/dev/video1), 640x480 YUYV at 30 fps", "/dev/video1"), ("film.mp4 (x)", ""),
    ],
)  # fmt: skip
def test_the_node_is_read_from_the_description(description: str, path: str) -> None:
    assert cameras.node_of(description) == path
