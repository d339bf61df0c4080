"""What is not believed at once: a map that shows the whole frame as a person, and one that shows nothing at all.

A network that has gone wrong most often answers the same everywhere. All ones would show the room as it is. But whoever
comes close to the camera may fill the picture, so such a map, if it comes suddenly, waits for a second look: those of
the next frames, and the known pictures (`vcam.segment.known`), which must still come out right. Who comes closer bit by
bit is not doubted.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from vcam.errors import EngineError
from vcam.frames import Frame, Map
from vcam.types import F32

THERE = 0.25
"""Probability from which something of the room can be seen."""
FULL, NEAR = 0.8, 0.65
"""Shares of the map that are there: from the first on it is full; after one of the second it may become full."""
LOOKS = 4
"""Looks that must agree, the first included; and all known pictures must have been shown, one with each look."""
LONG = 0.3
"""Seconds after which two looks are enough, where frames are rare."""
UNPROVEN_LOOKS, UNPROVEN = 8, 0.4
"""Looks and seconds for a segmenter that cannot be asked what is known."""
FLAT = 0.02
"""A map whose values lie no further apart is the same everywhere."""
SOME, SURE = 0.1, 0.9
"""What is the same everywhere says that nobody is there up to the first, and that somebody is from the second on."""
ROUGH = 0.12
"""Mean difference of neighbouring samples from which on a map is noise. Each outline adds two in a row of about 50."""
_COLUMNS = 64

_EVERYBODY = "all of the picture is a person all of a sudden: it is looked at again before it is shown"
_NOTHING = "the network's map is the same everywhere, or noise: that is no answer"
_CURE = "if it stays so, another --device, --backend or --model may do better; vcam models verify tells more"

Examine = Callable[[bool], None]
"""Shows the engine a known picture, each in its turn, or all with True. Raises `EngineError` if an answer is wrong."""

_NONE, _NEARLY, _FULL, _FLAT = range(4)


class Doubt:
    """Judges the maps of one source in the order of their frames; `reset` when the source changes."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The next frame has nothing to do with the last."""
        self._trust = _NONE
        self._looks = self._shown = 0
        self._since, self._seq = 0.0, -1

    def judge(self, seen: Map, frame: Frame, examine: Examine | None, again: Callable[[], Map] | None = None) -> Map:
        """The map, if it can be believed. What does not look like a map is left for the matte to refuse.

        examine: None for a segmenter that knows no such pictures. again: looks at the same frame once more, where no
        other frame follows that could agree. Raises `EngineError` if the map is not to be shown.
        """
        flat, share = _look_of(seen.probability)
        if share is None:
            self.reset()
            if examine:
                examine(False)
            raise EngineError(_NOTHING, _CURE)
        if share < FULL:
            self._trust, self._looks, self._shown = (_NEARLY if share >= NEAR else _NONE), 0, 0
            return seen
        wanted = _FLAT if flat else _FULL
        if self._trust >= wanted or (self._trust and not flat):
            self._trust = max(self._trust, wanted)
            return seen
        if again and examine:
            seen = self._look_again(examine, again)
            self._trust = wanted
            return seen
        self._agree(seen, frame)
        if not (self._is_proven(frame, examine) if examine else self._is_likely(frame, flat)):
            raise EngineError(_EVERYBODY, _CURE)
        self._trust, self._looks, self._shown = wanted, 0, 0
        return seen

    def _look_again(self, examine: Examine, again: Callable[[], Map]) -> Map:
        examine(True)
        seen = again()
        _, share = _look_of(seen.probability)
        if share is None or share < FULL:
            raise EngineError(_EVERYBODY, _CURE)
        return seen

    def _agree(self, seen: Map, frame: Frame) -> None:
        """One more look; a map that is used a second time is none."""
        if not self._looks:
            self._since = frame.timestamp
        if not self._looks or (seen.origin == seen.seq and frame.seq != self._seq):
            self._looks += 1
        self._seq = frame.seq

    def _is_proven(self, frame: Frame, examine: Examine) -> bool:
        late = self._looks >= 2 and frame.timestamp - self._since >= LONG
        try:
            examine(late)
        except EngineError:
            self.reset()
            raise
        self._shown += 1
        return late or (self._looks >= LOOKS and self._shown >= LOOKS)

    def _is_likely(self, frame: Frame, flat: bool) -> bool:
        """Whether so many looks agree for so long that it may be so, where nothing can be proven.

        What is the same everywhere never may, unless somebody had come close before.
        """
        if flat and not self._trust:
            return False
        return self._looks >= UNPROVEN_LOOKS and frame.timestamp - self._since >= UNPROVEN


def _look_of(probability: F32) -> tuple[bool, float | None]:
    """Whether a map is the same everywhere, and which share of it is there; None if it says nothing.

    Samples are enough. They lie an odd number of pixels apart, so that a chequerboard stays one.
    """
    if probability.ndim != 2 or not probability.size or probability.dtype.kind != "f":
        return False, 0.0
    step = probability.shape[1] // _COLUMNS | 1
    some = np.ascontiguousarray(probability[::step, ::step], np.float32)
    low, high, _, _ = cv2.minMaxLoc(some)
    flat = high - low < FLAT
    if flat and high > SOME and low < SURE:
        return True, None
    if not flat and max(_roughness(some[:, 1:], some[:, :-1]), _roughness(some[1:], some[:-1])) > _limit(some):
        return False, None
    return flat, np.count_nonzero(some > THERE) / some.size


def _roughness(one: F32, other: F32) -> float:
    """The mean difference of neighbours."""
    return cv2.norm(one, other, cv2.NORM_L1) / int(one.size) if one.size else 0.0


def _limit(some: F32) -> float:
    # few samples in a row leave room for few outlines
    return max(ROUGH, 8 / int(some.shape[1]))
