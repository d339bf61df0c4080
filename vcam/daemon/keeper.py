"""The camera: opened when wanted, let go when not, opened again when lost; never in the way of the picture.

Opening a USB camera takes up to a second, and closing one that hangs can take longer, so both happen in a thread.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future

from vcam.backoff import Backoff
from vcam.camera.base import Camera
from vcam.daemon.worker import Worker
from vcam.errors import CameraError, VcamError

log = logging.getLogger(__name__)

_CLOSING = 0.4
"""Seconds that the end waits for the camera: whoever stops vcam has half a second."""


class CameraKeeper:
    """Keeps one camera open or closed, as wanted.

    `ready` says whether it may be read; `silent_since` is when it was switched on, None once a frame has come; `error`
    is what went wrong last, None once a frame has come. They are as they were when `look` was called last. All methods
    are for the loop's thread and return at once.
    """

    def __init__(self, camera: Camera, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.camera = camera
        self.error: VcamError | None = None
        self.ready = False
        self.silent_since: float | None = None
        self._clock = clock
        self._backoff = Backoff(clock=clock)
        self._worker = Worker("vcam-camera")
        self._opening: Future[None] | None = None

    def check(self) -> None:
        """Raise what would keep the camera from being opened, as far as can be told without switching it on."""
        self.camera.check()

    def look(self) -> None:
        """See what has become of opening it."""
        opening = self._opening
        if opening is None or not opening.done():
            return
        self._opening = None
        try:
            opening.result()
        except VcamError as error:
            self._failed(error)
        except Exception as error:
            log.debug("opening the camera", exc_info=True)
            self._failed(CameraError(f"the camera cannot be opened: {error}"))
        else:
            log.info("camera on: %s", self.camera.description)
            self.ready, self.silent_since = True, self._clock()

    def want(self) -> None:
        """The camera is wanted: have it opened, unless it is, or has failed a moment ago."""
        if not self.ready and self._opening is None and self._backoff.due:
            self._opening = self._worker.submit(self.camera.open)

    def worked(self) -> None:
        """A frame has come: whatever failed before is mended. That it could be opened alone does not tell."""
        self.silent_since = None
        if self.error is not None:
            self.error = None
            self._backoff.reset()

    def _failed(self, error: VcamError) -> None:
        if self.error is None or str(error) != str(self.error):
            log.warning("%s", error)
        self.error = error
        self._backoff.failed()

    def lost(self, error: VcamError) -> None:
        """Reading failed: let the camera go and try again after a while."""
        self.ready = False
        self._failed(error)
        self._worker.submit(self.camera.close)

    def release(self) -> None:
        """The camera is not wanted: its light goes off."""
        self.look()
        if self.ready:
            log.info("camera off")
            self.ready = False
            self._worker.submit(self.camera.close)
        if self._opening is None:
            # nobody is waiting for it, so an old failure is no longer of interest
            self.error = None
            self._backoff.reset()

    def exchange(self, camera: Camera, *, on: bool) -> None:
        """Keep another camera from now on, which is open already or not; the old one is let go."""
        if camera.description != self.camera.description:
            # the same one may only be turned, while it is off
            log.info("another camera: %s", camera.description)
        # behind whatever the worker still does with it
        self._worker.submit(self.camera.close)
        self._opening = None
        self.camera, self.ready, self.error = camera, on, None
        self.silent_since = self._clock() if on else None
        self._backoff.reset()

    def close(self) -> None:
        """Let the camera go for good, waiting at most a moment for one that hangs."""
        self.ready = False
        closing = self._worker.submit(self.camera.close)
        try:
            # one that hangs is left alone with its thread
            closing.result(timeout=_CLOSING)
        except Exception as error:
            log.debug("closing the camera: %s", error)
        self._worker.shutdown()
