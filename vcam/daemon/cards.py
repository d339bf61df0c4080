"""The placeholders: what is shown where there is no frame, with words that say why."""

from __future__ import annotations

from vcam.compose.placeholder import placeholder
from vcam.daemon.base import State
from vcam.errors import VcamError
from vcam.frames import Frame
from vcam.types import Size

WORDS = {
    State.STARTING: "vcam is starting",
    State.IDLE: "the camera is off",
    State.WAITING: "the camera is starting",
    State.PAUSED: "paused",
}

KEPT = 8
"""Cards that are kept, before all are thrown away: errors come in many wordings."""


class Cards:
    """Placeholders of one size, each drawn once for its words. For the loop's thread."""

    def __init__(self, size: Size) -> None:
        """size: (width, height) of the pictures."""
        self.size = size
        self._drawn: dict[str, Frame] = {}

    def resize(self, size: Size) -> None:
        """Give cards of another size from now on."""
        self.size = size
        self._drawn.clear()

    def card(self, state: State, error: VcamError | None, now: float, words: str = "") -> Frame:
        """The card for a state, or for what is wrong with the camera; `now` becomes its time stamp.

        words: in place of those. It stays ours and must not be written to. The same words give the same object, as
        `ShowsStills` wants it.
        """
        words = words or (error.message if error else WORDS.get(state, ""))
        if words not in self._drawn:
            if len(self._drawn) > KEPT:
                self._drawn.clear()
            self._drawn[words] = placeholder(self.size, words)
        card = self._drawn[words]
        card.timestamp = now
        return card
