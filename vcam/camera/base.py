"""What the pipeline expects of a source of frames."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from vcam.frames import Frame
from vcam.types import Size

PATIENCE = 0.2
"""Seconds that a live camera's `read` waits for a frame. Longer would leave those who watch without a picture; whoever
reads decides how many such silences are one too many."""

FIRST_FRAME = 10.0
"""Seconds of silence that a camera is allowed before its first frame: some webcams set their exposure first, a network
camera has to be reached and begins with its next key frame. What the settings allow for later frames counts here if it
is more."""


class Camera(Protocol):
    """A source of frames: a V4L2 device, a video or picture file, the demo scene, or a scripted fake.

    The object is cheap to build and touches nothing until `open`. After `close` it may be opened again.
    """

    @property
    def description(self) -> str:
        """For people: the card's name and mode, or the file's path."""

    @property
    def size(self) -> Size:
        """(width, height) of the frames; known once open."""

    @property
    def fps(self) -> float:
        """Frames per second that the source delivers; known once open."""

    @property
    def live(self) -> bool:
        """True if the source sets the pace itself (a device); False if it may be read as fast as one likes (a file)."""

    def check(self) -> None:
        """Raise what `open` would raise, as far as that can be told without switching the camera on."""

    def open(self) -> None:
        """Get ready to read.

        Raises `CameraError` if the source is missing, busy, forbidden or not a camera, `InputError` for a file that
        cannot be read, `UsageError` for a size that cannot be.
        """

    def read(self) -> Frame | None:
        """The newest frame, waiting for it if need be; None once a finite source has ended.

        The frame belongs to the camera and is valid until the next `read` or `close`. A damaged frame is dropped and
        counted (`dropped`), never returned. Raises `CameraStalled` if a live source sends nothing for `PATIENCE`,
        also before its first frame, `CameraError` if it is gone.
        """

    @property
    def dropped(self) -> int:
        """Frames lost since `open`: damaged, or superseded by a newer one before they were read."""

    def close(self) -> None:
        """Let go of the source (the light goes off). Never raises; may be called twice."""


@runtime_checkable
class TakesWishes(Protocol):
    """A camera with several modes."""

    def wish(self, size: Size) -> None:
        """Take the mode that is nearest to this size when it is opened the next time."""


@runtime_checkable
class Remembers(Protocol):
    """A camera that stays the same one, among others like it."""

    def remember(self, other: Camera) -> None:
        """Be the one that `other` is, if both mean the same source."""
