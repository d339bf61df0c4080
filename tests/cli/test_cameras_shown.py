"""`vcam devices`: what the table of a camera says."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from vcam.cli.devices import _camera_problems, _print_problems
from vcam.machine.inventory import CameraEntry, Offer
from vcam.v4l2.discover import Node


def test_a_camera_that_vcam_cannot_read_says_so_with_what_helps() -> None:
    node = Node(Path("/dev/video4"), 4, "Dash Cam", None)
    entry = CameraEntry(node, offers=(Offer("H264", (1920, 1080), (30.0,), False),))
    console = Console(width=200)
    with console.capture() as shown:
        _print_problems(console, *_camera_problems(entry))
    assert "sends only H.264 (its formats: H264)" in shown.get()
    assert "ffmpeg -f v4l2 -input_format h264 -i /dev/video4" in shown.get()
