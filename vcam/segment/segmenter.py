"""The segmenter that the pipeline holds: a network, shown as little of the frames as is enough.

Where people are small it sees their surroundings (`vcam.segment.region`); where nothing has moved it may see nothing
(`vcam.segment.rest`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from vcam.errors import EngineError
from vcam.frames import Frame, Map
from vcam.infer.choices import EngineChoice, engine_choices
from vcam.models.cards import ModelCard
from vcam.models.find import find_model
from vcam.segment.base import Segmenter
from vcam.segment.looks import Looks
from vcam.segment.network import PersonNetwork
from vcam.segment.prepare import Preparer
from vcam.segment.region import RegionTracker
from vcam.segment.rest import RestCheck, Surroundings
from vcam.settings import SegmentSettings
from vcam.types import Size

EXAMINED_EVERY = 10.0
"""Seconds from one known picture to the next, while frames come."""


class NetworkSegmenter:
    """The person as a network finds them; see `vcam.segment.base.Segmenter`."""

    def __init__(
        self,
        settings: SegmentSettings,
        frame_size: Size,
        *,
        still: bool = False,
        choices: Sequence[EngineChoice] | None = None,
        card: ModelCard | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """frame_size, still: of the frames to come, for the model `auto`; others are taken too.

        `choices`, `card` and `clock` stand in for what is installed, found and true. The engine has run once when
        this returns. Raises `ModelError` if model or card are unusable, `UsageError` if there is no such model,
        `EngineError` if no engine runs it.
        """
        self._card = find_model(settings.model, frame_size, still=still) if card is None else card
        if choices is None:
            choices = engine_choices(self._card.network(), settings.backend, settings.device)
        self._network = PersonNetwork(self._card, choices, threads=settings.threads, clock=clock)
        picture = self._card.input
        self._preparers = Preparer(picture.size, picture.channels), Preparer(picture.size, picture.channels)
        # one with a memory of its own must see every frame, and all of it
        free = not self._card.remembers
        self.own_memory = "" if free else "the network remembers earlier frames by itself"
        self._tracker = RegionTracker(picture.size) if settings.region and free else None
        self._rest = RestCheck() if settings.skip_still and free else None
        self._surroundings = Surroundings()
        self._size = frame_size
        self._map: Map | None = None
        self._clock, self._examined, self._paused = clock, clock(), False

    @property
    def description(self) -> str:
        return self._network.description

    @property
    def map_size(self) -> Size:
        return self._card.output.size

    def segment(self, frame: Frame) -> Map:
        if self._paused:
            # an accelerator may have been lost with the pause
            self._paused = False
            self.examine(all_pictures=True)
        if frame.size != self._size:
            self._forget()
            self._size = frame.size
        looks = Looks(frame, self._network, self._preparers, self._surroundings)
        if self._rest and self._map and self._rest.may_skip(looks.planes()):
            self._map = replace(self._map, seq=frame.seq, pyramid=looks.pyramid(self._map.box))
            return self._map
        # after a failure there is none to use again
        self._map = None
        if self._tracker:
            probability, box = self._tracker.find(frame.size, looks.at, looks.is_quiet_around)
        else:
            probability, box = looks.at(looks.whole), looks.whole
        if looks.saw_whole and box != looks.whole:
            self._surroundings.remember(looks.planes())
        if self._rest:
            self._rest.remember(looks.planes())
        self._map = Map(probability, box, frame.seq, frame.seq, looks.pyramid(box))
        return self._map

    def examine(self, *, all_pictures: bool = False) -> None:
        """See `vcam.segment.base.Examined`."""
        self._examined = self._clock()
        try:
            self._network.examine(all_pictures=all_pictures)
        except EngineError:
            # what this engine has said before is not to be used again
            self._forget()
            raise

    def idle(self) -> None:
        """See `vcam.segment.base.Examined`. A network with a memory is only asked when it has been reset."""
        if not self._card.remembers and self._is_due():
            # the runner has told the reason, and takes another engine for the next frame
            with suppress(EngineError):
                self.examine()

    def _is_due(self) -> bool:
        return self._clock() - self._examined >= EXAMINED_EVERY

    def _forget(self) -> None:
        """What was found in earlier frames says nothing of the next."""
        self._map = None
        self._surroundings.forget()
        if self._tracker:
            self._tracker.reset()
        if self._rest:
            self._rest.forget()

    def reset(self) -> None:
        self._forget()
        self._network.reset()
        self._paused = self._is_due()

    def close(self) -> None:
        self._network.close()


def open_segmenter(settings: SegmentSettings, size: Size, source: str = "", *, still: bool = False) -> Segmenter:
    """The segmenter for frames of `size`; raises as `NetworkSegmenter` does.

    source: what tells one camera from another, for what has been learnt of its room. still: the frames are pictures of
    their own, for which the model `auto` may be another one.
    """
    if settings.people == "main":
        from vcam.segment.people import main_only

        everybody = msgspec.structs.replace(settings, people="all")
        return main_only(open_segmenter(everybody, size, source, still=still), still=still)
    if settings.backend == "subtraction":
        from vcam.segment.emptyroom.subtraction import SubtractionSegmenter

        return SubtractionSegmenter(settings, size, source)
    if settings.backend == "chroma":
        from vcam.segment.chroma.segmenter import ChromaSegmenter

        return ChromaSegmenter(settings, size)
    return NetworkSegmenter(settings, size, still=still)
