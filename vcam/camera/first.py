"""The camera that this machine has, by whichever way it can be read."""

from __future__ import annotations

from vcam.camera.base import Camera
from vcam.camera.controls import ControlWishes
from vcam.camera.device import V4L2Camera
from vcam.camera.pipewire import PipeWireCamera
from vcam.errors import CameraError
from vcam.frames import Frame
from vcam.pipewire import loop
from vcam.types import Size


class FirstCamera:
    """What `auto` means: a V4L2 camera, and where there is none that can be read, one of PipeWire's.

    Laptops with MIPI sensors (Intel IPU6 and later) have no other. Once found it stays that one; whatever kind it is,
    it is a `vcam.camera.base.Camera`.
    """

    live = True

    def __init__(self, device: V4L2Camera, size: Size, fps: float, timeout: float) -> None:
        self._device, self._size, self._fps, self._timeout = device, size, fps, timeout
        self._chosen: Camera = device
        self._found = False

    @property
    def description(self) -> str:
        return self._chosen.description

    @property
    def size(self) -> Size:
        return self._chosen.size

    @property
    def fps(self) -> float:
        return self._chosen.fps

    @property
    def dropped(self) -> int:
        return self._chosen.dropped

    def check(self) -> None:
        """See `Camera.check`."""
        self._choose()

    def open(self) -> None:
        """See `Camera.open`."""
        self._choose()
        self._chosen.open()
        self._found = True

    def _choose(self) -> None:
        if self._found:
            self._chosen.check()
            return
        try:
            self._device.check()
        except CameraError:
            other = self._other()
            if other is None:
                raise
            self._chosen = other
        else:
            self._chosen = self._device

    def _other(self) -> Camera | None:
        if not loop.is_there():
            return None
        camera = self._of_pipewire()
        try:
            camera.check()
        except CameraError:
            return None
        return camera

    def _of_pipewire(self) -> PipeWireCamera:
        return PipeWireCamera("", self._size, self._fps, self._timeout, of_this_machine=True)

    def read(self) -> Frame | None:
        """See `Camera.read`."""
        return self._chosen.read()

    def close(self) -> None:
        self._chosen.close()

    def wish(self, size: Size) -> None:
        """See `vcam.camera.base.TakesWishes`."""
        self._size = size
        self._device.wish(size)
        if isinstance(self._chosen, PipeWireCamera):
            self._chosen.wish(size)

    def adjust(self, controls: ControlWishes) -> None:
        """See `vcam.camera.controls.Adjustable`; PipeWire's cameras have none that vcam sets."""
        self._device.adjust(controls)

    def remember(self, other: Camera) -> None:
        """See `vcam.camera.base.Remembers`."""
        if isinstance(other, FirstCamera):
            self._device.remember(other._device)
            if isinstance(other._chosen, PipeWireCamera):
                self._chosen = camera = self._of_pipewire()
                camera.remember(other._chosen)
                self._found = other._found
