"""The placeholders: what is shown where there is no frame, with words that say why."""

from __future__ import annotations

import logging

from vcam.compose.placeholder import placeholder
from vcam.daemon.base import State
from vcam.daemon.pausepicture import pause_picture
from vcam.errors import VcamError
from vcam.frames import Frame
from vcam.types import Size

log = logging.getLogger(__name__)

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
        self._drawn: dict[tuple[str, str], Frame] = {}

    def resize(self, size: Size) -> None:
        """Give cards of another size from now on."""
        self.size = size
        self._drawn.clear()

    def card(self, state: State, error: VcamError | None, now: float, words: str = "", picture: str = "") -> Frame:
        """The card for a state, or for what is wrong with the camera; `now` becomes its time stamp.

        words: in place of those. picture: the path of one to be shown instead, with `words` on it if there are any; one
        that cannot be read is logged, and the card is shown. It stays ours and must not be written to. The same words
        give the same object, as `ShowsStills` wants it.
        """
        told = words or (error.message if error else WORDS.get(state, ""))
        key = (told, picture)
        if key not in self._drawn:
            if len(self._drawn) > KEPT:
                self._drawn.clear()
            under = self._read(picture) if picture else None
            self._drawn[key] = placeholder(self.size, told if under is None else words, under)
        card = self._drawn[key]
        card.timestamp = now
        return card

    def _read(self, picture: str) -> Frame | None:
        try:
            return pause_picture(picture, self.size)
        except VcamError as error:
            log.warning("the picture for a pause cannot be shown: %s", error)
            return None
