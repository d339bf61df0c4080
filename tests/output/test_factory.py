"""What a target on the command line becomes."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from vcam.errors import UsageError
from vcam.output.encoded.file import VideoFileOutput
from vcam.output.factory import make_output
from vcam.output.null import NullOutput
from vcam.output.virtual.every import EveryCamera
from vcam.output.window import WindowOutput
from vcam.output.y4m import Y4MFile


class FakeCamera:
    def __init__(self, target: str) -> None:
        self.target = target


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("vcam.output.virtual.camera")
    module.VirtualCamera = FakeCamera  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vcam.output.virtual.camera", module)


@pytest.mark.parametrize(
    ("target", "kind"),
    [("window", WindowOutput), ("null", NullOutput), ("-", Y4MFile), ("a.y4m", Y4MFile), ("b/c.MP4", VideoFileOutput),
     ("d.mkv", VideoFileOutput), ("e.mov", VideoFileOutput), ("/dev/out.mp4", VideoFileOutput)],
)  # fmt: skip
def test_words_and_suffixes_choose_the_output(target: str, kind: type) -> None:
    assert type(make_output(target, live=True)) is kind


def test_auto_is_every_virtual_camera_that_this_machine_has() -> None:
    assert isinstance(make_output("auto", live=True), EveryCamera)


@pytest.mark.parametrize("target", ["/dev/video20", "OBS Virtual Camera", "Cam v1.2", "/dev/v4l/by-id/usb-x"])
@pytest.mark.usefixtures("camera")
def test_everything_else_is_a_virtual_camera(target: str) -> None:
    output = make_output(target, live=True)
    assert isinstance(output, FakeCamera)
    assert output.target == target


def test_the_address_of_a_stream_is_told_apart_without_its_key() -> None:
    with pytest.raises(UsageError) as caught:
        make_output("rtmp://host/live/SECRET", live=True)
    assert caught.value.message == "rtmp://host/live/*** is the address of a stream, and no output"
    assert "--rtmp" in caught.value.hint


@pytest.mark.parametrize("target", ["out.avi", "out.png", "folder/out", "./out.webm"])
@pytest.mark.usefixtures("camera")
def test_a_file_of_an_unknown_kind_is_refused_with_the_known_ones(target: str) -> None:
    with pytest.raises(UsageError, match=r"\.mkv.*\.mp4.*\.y4m"):
        make_output(target, live=True)


@pytest.mark.usefixtures("camera")
def test_an_empty_target_is_refused() -> None:
    with pytest.raises(UsageError):
        make_output(" ", live=True)


@pytest.mark.parametrize("suffix", ["mp4", "y4m"])
def test_only_a_live_source_may_lose_frames(tmp_path: Path, suffix: str) -> None:
    for live in (True, False):
        output = make_output(str(tmp_path / f"{live}.{suffix}"), live=live)
        output.open((32, 16), 30)
        assert isinstance(output, Y4MFile | VideoFileOutput)
        assert output._writer is not None
        assert (output._writer._thread is not None) == live
        output.abort()
