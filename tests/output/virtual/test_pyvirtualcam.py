"""Programs that use pyvirtualcam get vcam's way to a device by one import; vcam itself does without it."""

from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest

from tests.output.virtual.helpers import WAITING, picture
from vcam import extras
from vcam.errors import OutputDeviceError
from vcam.images import bgr_to_frame
from vcam.output.virtual import camera as virtual
from vcam.output.virtual import loopback as device_module
from vcam.v4l2.discover import Node

RED_BGR, RED = (0, 0, 255), (81, 90, 240)


@pytest.fixture
def pyvirtualcam():
    package = pytest.importorskip("pyvirtualcam")
    import vcam.output.virtual.pyvirtualcam_backend  # noqa: F401 - registers

    return package


def test_without_the_package_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    monkeypatch.delitem(sys.modules, "vcam.output.virtual.pyvirtualcam_backend", raising=False)
    with pytest.raises(ModuleNotFoundError, match=re.escape(extras.command("pyvirtualcam"))):
        import vcam.output.virtual.pyvirtualcam_backend  # noqa: F401 - registers


@pytest.mark.process
def test_the_import_registers_the_backend_and_nothing_else_does() -> None:
    pytest.importorskip("pyvirtualcam")
    script = """
import pyvirtualcam.camera as package
import vcam.output.virtual.camera
assert "vcam" not in package.BACKENDS
import vcam.output.virtual.pyvirtualcam_backend as door
assert package.BACKENDS["vcam"] is door.Backend
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_vcam_s_own_output_works_where_pyvirtualcam_is_not_installed(loopback_with, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    _, path = loopback_with()
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    camera.write(picture((64, 32), RED))
    camera.close()
    assert path.read_bytes() == picture((64, 32), RED).buffer.tobytes()


@pytest.mark.parametrize("name", [None, "vcam", "20"])
def test_a_camera_of_pyvirtualcam_feeds_the_device(pyvirtualcam, loopback_with, name) -> None:
    device, path = loopback_with()
    kind = pyvirtualcam.PixelFormat.I420
    with pyvirtualcam.Camera(64, 32, 25, fmt=kind, device=name, backend="vcam") as camera:
        assert (camera.backend, camera.native_fmt) == ("vcam", kind)
        assert camera.device == (name or str(path))
        camera.send(picture((64, 32), RED).packed().reshape(48, 64))
        camera.send(picture((64, 32), RED).packed())
        backend = camera._backend
    assert path.read_bytes() == picture((64, 32), RED).buffer.tobytes() * 2
    assert device.interval == (1, 25)
    assert not device_module.loopback.FED, f"{backend} has let go of the device"


def test_without_a_name_the_first_device_that_can_be_had_is_taken(pyvirtualcam, loopback_with, monkeypatch) -> None:
    _, path = loopback_with()
    gone = Node(path.with_name("video19"), 19, "gone", WAITING)
    monkeypatch.setattr(virtual, "list_nodes", lambda: [gone, Node(path, 20, "vcam", WAITING)])
    with pyvirtualcam.Camera(64, 32, 25, backend="vcam") as camera:
        assert camera.device == str(path)
    with pytest.raises(RuntimeError, match="video19"):
        pyvirtualcam.Camera(64, 32, 25, device="gone", backend="vcam")


@pytest.mark.parametrize("kind", ["RGB", "BGR", "RGBA"])
def test_what_most_programs_have_is_converted(pyvirtualcam, loopback_with, kind) -> None:
    _, path = loopback_with()
    bgr = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)
    shown = {"BGR": bgr, "RGB": bgr[..., ::-1], "RGBA": np.dstack((bgr[..., ::-1], bgr[..., 0]))}[kind]
    fmt = pyvirtualcam.PixelFormat[kind]
    with pyvirtualcam.Camera(64, 32, 30, fmt=fmt, backend="vcam") as camera:
        assert camera.native_fmt is pyvirtualcam.PixelFormat.I420
        camera.send(shown)
    assert path.read_bytes() == bgr_to_frame(bgr).buffer.tobytes()


@pytest.mark.parametrize(("kind", "code", "size"), [("NV12", "NV12", 3072), ("YUYV", "YUYV", 4096)])
def test_other_layouts_go_out_as_they_are(pyvirtualcam, loopback_with, kind, code, size) -> None:
    _, path = loopback_with(code=code)
    samples = np.arange(size, dtype=np.uint32).astype(np.uint8)
    fmt = pyvirtualcam.PixelFormat[kind]
    with pyvirtualcam.Camera(64, 32, 30, fmt=fmt, backend="vcam") as camera:
        assert camera.native_fmt is fmt
        camera.send(samples)
    assert path.read_bytes() == samples.tobytes()


@pytest.mark.parametrize(
    ("size", "kind", "device", "words"),
    [
        ((64, 32), "GRAY", None, "does not write J400"),
        ((63, 32), "RGB", None, "both sides must be even"),
        ((64, 32), "RGB", "zoom", "there is no virtual camera 'zoom'"),
        ((128, 32), "RGB", None, "held in the format YU12 64x32"),
    ],
)
def test_what_cannot_be_had_is_said_in_vcam_s_words(pyvirtualcam, loopback_with, size, kind, device, words) -> None:
    loopback_with()
    fmt = pyvirtualcam.PixelFormat[kind]
    with pytest.raises(RuntimeError, match=f"'vcam' backend: .*{words}"):
        pyvirtualcam.Camera(*size, 30, fmt=fmt, device=device, backend="vcam")


def test_a_device_that_vcam_feeds_is_not_fed_twice(pyvirtualcam, loopback_with) -> None:
    loopback_with()
    camera = virtual.VirtualCamera("vcam")
    camera.open((64, 32), 30)
    with pytest.raises(RuntimeError, match="fed already"):
        pyvirtualcam.Camera(64, 32, 30, backend="vcam")
    camera.close()
    pyvirtualcam.Camera(64, 32, 30, backend="vcam").close()


def test_a_device_that_goes_away_is_vcam_s_error(pyvirtualcam, loopback_with, monkeypatch) -> None:
    loopback_with()
    with pyvirtualcam.Camera(64, 32, 30, backend="vcam") as camera, monkeypatch.context() as patch:
        patch.setattr(device_module.os, "write", lambda *_: 5)
        with pytest.raises(OutputDeviceError, match="took 5 of 3072 bytes"):
            camera.send(np.zeros((32, 64, 3), np.uint8))
