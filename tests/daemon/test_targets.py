"""The outputs that settings ask for, and what cannot be meant by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon.helpers import SETTINGS
from vcam.daemon.live import Live
from vcam.daemon.targets import make_outputs, refuse_camera_as_output, targets_of
from vcam.errors import OutputDeviceError, UsageError
from vcam.settings import Settings
from vcam.v4l2.discover import Node

NODES = [Node(Path("/dev/video0"), 0, "UVC Camera"), Node(Path("/dev/video7"), 7, "vcam")]
SAME = [
    ("/dev/video7", "/dev/video7"),
    ("7", "/dev/video7"),
    ("/dev/video7", "vcam"),
    ("vcam", "/dev/video7"),
    ("/dev/../dev/video7", "/dev/video7"),
]
OTHERS = [
    ("0", "/dev/video7"),
    ("UVC", "vcam"),
    ("auto", "auto"),
    ("demo", "null"),
    ("film.mp4", "film.mp4"),
    ("rtsp://host/x", "rtsp://host/x"),
    ("nosuch", "nosuch"),
    # that part of a name is in both: it says nothing
    ("c", "c"),
]


@pytest.fixture(autouse=True)
def _nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.daemon.targets.list_nodes", lambda: NODES)


def asked(source: str, target: str) -> Settings:
    return SETTINGS.replace(camera__source=source, output__targets=("null", target))


@pytest.mark.parametrize(("source", "target"), SAME)
def test_a_device_cannot_be_read_and_written_at_once(source: str, target: str) -> None:
    with pytest.raises(UsageError, match="camera and output at once") as caught:
        Live(asked(source, target))
    assert "vcam devices" in caught.value.hint


@pytest.mark.parametrize(("source", "target"), OTHERS)
def test_two_devices_or_none_are_no_such_mistake(source: str, target: str) -> None:
    refuse_camera_as_output(asked(source, target))


def test_the_same_output_twice_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="given twice"):
        Live(SETTINGS.replace(output__targets=("null", "null")))


def test_outputs_come_before_streams_and_the_recording() -> None:
    settings = SETTINGS.replace(stream__rtmp=("rtmp://host/live/key",), stream__record="film.mkv")
    described = [output.description for output in make_outputs(settings)]
    assert len(described) == 3
    assert described[1] == "stream host to rtmp://host/live/***"
    assert "film.mkv" in described[2]


def test_a_stream_alone_does_without_a_virtual_camera(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(target: str) -> list[Node]:
        raise OutputDeviceError("there is no virtual camera")

    monkeypatch.setattr("vcam.output.virtual.camera.find_outputs", none)
    caplog.set_level("INFO")
    alone = Settings().replace(stream__rtmp=("rtmp://host/live/key",))
    assert targets_of(alone) == ()
    assert "without a virtual camera: there is no virtual camera" in caplog.text
    # nobody is let down silently who wants nothing else
    assert targets_of(Settings()) == ("auto",)
    monkeypatch.setattr("vcam.output.virtual.camera.find_outputs", lambda target: NODES[1:])
    assert targets_of(alone) == ("auto",)
