"""What the composer expects of a background, and the pipeline of a composer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vcam.frames import Alpha, Frame
from vcam.types import Size


@dataclass(slots=True)
class Plate:
    """The picture behind the person, at output size, limited range.

    `version` changes whenever the samples do. A composer that saw the same version before touches only the person's
    box; a plate whose version never changes therefore costs nothing outside that box. All plates of one background,
    those of `without_person` too, count versions together: the same number means the same samples.

    `scratch` says that the samples are made anew for every frame, so that the composer may draw the person straight
    into them instead of into a copy. `own_room`: they are made from the frame itself, as those of a blurred room are.
    """

    frame: Frame
    version: int
    scratch: bool = False
    own_room: bool = False


class Background(Protocol):
    """What is shown behind the person."""

    @property
    def description(self) -> str:
        """The specification it was made from, for people."""

    @property
    def needs_alpha(self) -> bool:
        """False if the picture does not depend on the person at all, so that no network has to run."""

    def prepare(self, size: Size) -> None:
        """Get ready for frames of `size`; called again when the size changes. Raises `InputError`, `UsageError`."""

    def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
        """The plate for this frame. `now` is in seconds and never decreases; films and slide shows follow it.

        The plate belongs to the background until the next call.
        """

    def without_person(self, now: float) -> Plate | None:
        """What may be shown when there is no matte for a frame.

        Nothing of any frame may be in it that was not masked: None if the background is made from frames.
        """

    def close(self) -> None:
        """Free files and processes. May be called twice."""


@runtime_checkable
class PassesOver(Protocol):
    """A background that goes on without what it cannot show, as a slide show does."""

    error: Exception | None
    """Why it passed over the last thing that it did; None as long as there is none."""


class Composer(Protocol):
    """Puts the person before the background."""

    @property
    def needs_alpha(self) -> bool:
        """False if the background of the moment does without a matte: `compose` then takes None for it."""

    def compose(self, frame: Frame, alpha: Alpha | None, now: float) -> Frame:
        """frame over background by alpha; same size, limited range, the frame's time stamp and number.

        The result belongs to the composer until the next call. Raises `ValueError` if the alpha was made from another
        frame or has another size, or is missing though it is needed: such a picture must never leave.
        """

    def without_person(self, frame: Frame, now: float) -> Frame:
        """The background alone, or the placeholder where there is none; takes only time stamp and number of `frame`."""

    def close(self) -> None:
        """Free the background. May be called twice."""
