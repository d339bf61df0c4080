"""What vcam says of a camera whose pictures cannot be shown."""

from __future__ import annotations

import numpy as np
import pytest

from tests.camera.test_device import LENGTH, SIZE, FakeKernel, camera, kernel  # noqa: F401
from vcam.camera.device import V4L2Camera
from vcam.camera.memory import encode_frames
from vcam.errors import CameraStalled
from vcam.frames import PixelFormat


def jpeg(size: tuple[int, int]) -> bytes:
    return encode_frames([np.full((size[1], size[0], 3), 90, np.uint8)], PixelFormat.MJPEG)[0]


FAULTS = {
    "cut": (jpeg(SIZE)[:-60], "are cut short", "cable"),
    "zeros": (bytes(900), "something else than the JPEG", "vcam devices"),
    "larger": (jpeg((160, 120)), "pictures of 160x120 instead of the 64x32", "--size 160x120"),
    "nothing": (b"", "are cut short", "cable"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_is_wrong_with_the_pictures_is_named(
    kernel: FakeKernel,  # noqa: F811
    camera: V4L2Camera,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    data, words, hint = FAULTS[what]
    kernel.modes = {"MJPG": {SIZE: [30]}}
    camera.open()
    memory = np.memmap(kernel.node.path, np.uint8, "r+")
    memory[:] = np.tile(np.frombuffer(data.ljust(LENGTH, b"\0"), np.uint8), 4)
    kernel.on_idle = lambda: kernel.capture(used=len(data))
    caplog.set_level("INFO")
    with pytest.raises(CameraStalled, match=words) as caught:
        camera.read()
    assert "damaged" not in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.sends
    assert camera.dropped > 1
    # once, not for every frame
    assert len([record for record in caplog.records if words in record.getMessage()]) == 1
