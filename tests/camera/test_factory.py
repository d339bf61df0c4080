from __future__ import annotations

import socket
import subprocess
import sys

import numpy as np
import pytest

from vcam.camera.demo import DemoScene
from vcam.camera.device import V4L2Camera
from vcam.camera.factory import make_camera, make_source
from vcam.camera.file import PictureFile
from vcam.camera.first import FirstCamera
from vcam.camera.url import UrlCamera
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.images import write_image
from vcam.media.ffmpeg import find_ffmpeg
from vcam.settings import CameraSettings

SIZE = (64, 48)


def source(word, **more):
    return make_source(CameraSettings(source=word, **more), SIZE, 30)


@pytest.mark.parametrize("word", ["0", "12", "/dev/video0", "/dev/v4l/by-id/x", "Integrated Camera"])
def test_words_for_devices(word):
    assert isinstance(source(word), V4L2Camera)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("demo", DemoScene),
        ("auto", FirstCamera),
        ("AUTO", FirstCamera),
        ("rtsp://host/live", UrlCamera),
        ("http://host/a.mp4", UrlCamera),
    ],
)
def test_words_for_other_sources(word, kind):
    assert isinstance(source(word), kind)


def test_a_file_is_a_file_even_if_a_device_could_have_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "webcam.png", np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "webcam.png").rename(tmp_path / "webcam")
    assert isinstance(source("webcam"), PictureFile)


@pytest.mark.parametrize("word", ["clip.mp4", "no/such/thing", "~/none.jpg"])
def test_a_missing_file_is_named(word):
    with pytest.raises(UsageError, match="there is no file"):
        source(word)


def test_a_folder_is_no_camera(tmp_path):
    with pytest.raises(UsageError, match="folder"):
        source(str(tmp_path))


def test_a_folder_that_happens_to_have_a_cameras_name_does_not_hide_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vcam").mkdir()
    assert isinstance(source("vcam"), V4L2Camera)


def test_crop_mirror_and_size_are_applied(tmp_path):
    picture = np.zeros((96, 128, 3), np.uint8)
    picture[:, :64] = 255
    write_image(tmp_path / "p.png", picture)
    settings = CameraSettings(source=str(tmp_path / "p.png"), mirror=True, crop="64x48+32+0")
    camera = make_camera(settings, SIZE, 30, paced=False)
    camera.open()
    frame = camera.read()
    assert frame.size == camera.size == SIZE
    assert (frame.y[:, :30] == 16).all()
    assert (frame.y[:, 34:] == 235).all()
    assert camera.read() is None
    camera.close()


@pytest.mark.process
def test_a_url_is_cut_to_size_and_its_end_is_an_error(tmp_path):
    path = tmp_path / "clip.mkv"
    command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "color=c=white:s=96x48:r=30:d=0.2"]
    subprocess.run([*command, "-c:v", "ffv1", str(path)], check=True)
    camera = UrlCamera(f"file://{path}", SIZE, 30, 3, clock=lambda: 77.0)
    camera.open()
    frame = camera.read()
    assert frame.size == SIZE
    assert frame.timestamp == 77.0
    assert (frame.y > 230).all()
    for _ in range(5):
        camera.read()
    with pytest.raises(CameraError, match="ended"):
        camera.read()
    camera.close()
    camera.close()


@pytest.mark.process
def test_a_url_that_does_not_answer_is_an_error_without_its_password():
    camera = UrlCamera("http://me:secret@127.0.0.1:9/x", SIZE, 30, 3)
    camera.open()
    with pytest.raises(CameraError, match=r"127\.0\.0\.1:9") as caught:
        camera.read()
    camera.close()
    assert "secret" not in str(caught.value)


@pytest.mark.process
def test_a_url_of_a_kind_that_ffmpeg_does_not_know_is_told_from_one_that_does_not_answer():
    camera = UrlCamera("foo://host/x", SIZE, 30, 3)
    camera.open()
    with pytest.raises(CameraError, match="knows no foo:// addresses"):
        camera.read()
    camera.close()


@pytest.mark.process
def test_a_url_that_stays_silent_is_a_stalled_camera_again_and_again():
    with socket.create_server(("127.0.0.1", 0)) as server:
        camera = UrlCamera(f"http://127.0.0.1:{server.getsockname()[1]}/x", SIZE, 30, 0.2)
        camera.open()
        for _ in range(3):
            with pytest.raises(CameraStalled, match="has sent nothing"):
                camera.read()
        camera.close()


@pytest.mark.parametrize("word", ["rtsp:/host/user=a&password=geheim", "admin:geheim@host/live.mp4"])
def test_half_an_address_is_refused_without_its_password(word):
    with pytest.raises(UsageError, match="incomplete") as refused:
        source(word)
    assert "geheim" not in str(refused.value)


@pytest.mark.process
def test_making_a_camera_imports_no_heavy_library():
    code = (
        "import sys\nfrom vcam.camera.factory import make_camera\nfrom vcam.settings import CameraSettings\n"
        "make_camera(CameraSettings(source='demo'), (64, 48), 30).open()\n"
        "print([name for name in ('PIL', 'simplejpeg', 'openvino', 'onnxruntime', 'pygame') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
