"""What the pipeline expects of a place where frames go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from vcam.frames import Frame
from vcam.types import Size


class AlwaysWatched:
    """What outputs have in common that take every frame they are given."""

    live = False

    def watched(self) -> bool:
        return True

    def fileno(self) -> int | None:
        return None


@runtime_checkable
class Resizable(Protocol):
    """An output whose consumer need not know the size of the picture beforehand, or takes it scaled."""

    def resize(self, size: Size) -> None:
        """Take frames of another size from the next one on; it is open. Raises as `Output.open` does, and is then to
        be opened anew."""


class Output(Protocol):
    """A sink: virtual camera, file, stream, window, standard output or nothing.

    The object is cheap to build and touches nothing until `open`.
    """

    @property
    def description(self) -> str:
        """For people: the device and its card, or the file's path."""

    @property
    def live(self) -> bool:
        """True for a device or window that somebody may be looking at: it is shown the placeholder while vcam starts.

        False for files, which hold nothing but finished pictures.
        """

    # `any_thread = True`, on those that have it: a placeholder may come from another thread than the loop's while that
    # hangs, under the lock of `vcam.daemon.outlets`

    def watched(self) -> bool:
        """Whether somebody takes the frames. Unknown counts as somebody; files and windows always take them."""

    def fileno(self) -> int | None:
        """A descriptor that becomes readable when `watched` may have changed, None if there is none."""

    def open(self, size: Size, fps: float) -> None:
        """Get ready for frames of that size at about that rate.

        Raises `OutputDeviceError` for a device that is missing, held or refuses, `OutputError` for a file or encoder
        that cannot be started, `UsageError` for a size it can never take.
        """

    def write(self, frame: Frame) -> None:
        """Deliver one composited frame (limited range, the size given to `open`).

        The frame belongs to the caller and changes after the call: a sink that needs it later copies it. Must not
        wait for a slow consumer longer than a frame lasts when the source is live. Raises `OutputError`.
        """

    @property
    def finished(self) -> bool:
        """True once the consumer has gone for good and the pipeline should end: a closed window, a closed pipe."""

    def close(self) -> None:
        """Finish what was written and let go; a file appears under its final name here. Raises `OutputError`."""

    def abort(self) -> None:
        """Let go and leave nothing half-written behind. Never raises; may be called after `close`."""


@runtime_checkable
class ShowsStills(Protocol):
    """An output to which a picture that does not change costs less than others."""

    def show(self, still: Frame) -> None:
        """As `Output.write`; the same object means the same picture, but for its time stamp and number."""


@runtime_checkable
class LeavesCard(Protocol):
    """An output that goes on showing something after its end."""

    card: Callable[[Size], Frame] | None
    """Gives that picture, of the size asked for; None for a plain dark one."""


@runtime_checkable
class OffersCamera(Protocol):
    """An output that other programs list as a camera."""

    @property
    def camera_name(self) -> str:
        """The name under which they list it; empty while it is not there."""


@runtime_checkable
class TakesKeys(Protocol):
    """An output at which somebody may press keys."""

    on_key: Callable[[str], None] | None
    """Called with the name of what a key stands for, in the thread of `write`."""

    def say(self, text: str) -> None:
        """Show words for a moment. May be called from any thread."""
