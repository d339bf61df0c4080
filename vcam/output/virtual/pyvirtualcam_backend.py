"""vcam's way to v4l2loopback for programs that use pyvirtualcam: importing this module registers the backend "vcam".

    import pyvirtualcam
    import vcam.output.virtual.pyvirtualcam_backend

    with pyvirtualcam.Camera(1280, 720, 30, backend="vcam") as camera:
        camera.send(picture)

Other than pyvirtualcam's own backend it finds a device by its card's name as well, tells readers the rate, says who
holds a device, and leaves one usable whose program was killed. vcam itself needs neither this module nor pyvirtualcam.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from vcam import extras
from vcam.errors import OutputDeviceError, UsageError, VcamError
from vcam.frames import PixelFormat, check_size
from vcam.output.virtual.camera import find_outputs
from vcam.output.virtual.loopback import LoopbackWriter
from vcam.types import U8, Size

NAME = "vcam"

# pyvirtualcam names formats by libyuv's codes
_AS_THEY_ARE = {"I420": PixelFormat.I420, "NV12": PixelFormat.NV12, "YUY2": PixelFormat.YUYV}
_CONVERTED: dict[str, tuple[int, int | None]] = {
    "raw ": (3, cv2.COLOR_RGB2YUV_I420),
    "24BG": (3, cv2.COLOR_BGR2YUV_I420),
    "ABGR": (4, cv2.COLOR_RGBA2YUV_I420),
}
"""Channels, and the conversion to I420: BT.601, limited range, as everywhere in vcam."""


class Backend:
    """One virtual camera, as `pyvirtualcam.Backend` describes it. Takes RGB, BGR, RGBA, I420, NV12 and YUYV.

    `send` raises `OutputDeviceError`; pyvirtualcam turns what the constructor raises into a `RuntimeError` that says
    the same.
    """

    def __init__(self, *, width: int, height: int, fps: float, fourcc: int, device: str | None, **_: Any) -> None:
        """device: a path, a number, or part of the card's label; None for the first that is free.

        Raises `UsageError` for a size or format that cannot be shown, `OutputDeviceError` for a device that is missing,
        held or refuses.
        """
        code = fourcc.to_bytes(4, "little").decode("latin-1")
        if code not in _AS_THEY_ARE and code not in _CONVERTED:
            raise UsageError(f"vcam does not write {code} to virtual cameras", "use RGB, BGR, RGBA, I420, NV12 or YUYV")
        size = check_size(width, height)
        self._code = code if code in _AS_THEY_ARE else "I420"
        channels, self._conversion = _CONVERTED.get(code, (0, None))
        self._shape = (height, width, channels)
        self._i420: U8 = np.empty((height * 3 // 2, width), np.uint8)
        self._device = device
        self._writer = _first(device or "auto", _AS_THEY_ARE[self._code], size, fps)

    def send(self, frame: U8) -> None:
        """Deliver one picture: uint8, flat and contiguous, in the format and size given to the constructor."""
        if self._conversion is not None:
            cv2.cvtColor(frame.reshape(self._shape), self._conversion, dst=self._i420)
            frame = self._i420.reshape(-1)
        self._writer.send(frame)

    def device(self) -> str:
        """The name that was given, else the device's path."""
        return self._device or str(self._writer.path)

    def native_fourcc(self) -> int:
        """libyuv's code of what the device is given."""
        return int.from_bytes(self._code.encode(), "little")

    def close(self) -> None:
        """Let go of the device; readers see their stream end."""
        self._writer.close()


def _first(target: str, layout: PixelFormat, size: Size, fps: float) -> LoopbackWriter:
    errors: list[VcamError] = []
    for node in find_outputs(target):
        try:
            return LoopbackWriter(node.path, layout, size, fps)
        except OutputDeviceError as error:
            errors.append(error)
    raise errors[0]


def register() -> None:
    """Make the backend known to pyvirtualcam under `NAME`; done when this module is imported."""
    try:
        import pyvirtualcam
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{error}: {extras.command('pyvirtualcam')}", name=error.name) from error
    pyvirtualcam.register_backend(NAME, Backend)


register()
