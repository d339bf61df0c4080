"""The matte of the real stages, as the settings ask for them, scored against true mattes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vcam.datasets.folder import Pair, read_pair
from vcam.frames import Frame
from vcam.matting import Matting, open_matting, open_network
from vcam.measure.meter import Meter, Scores
from vcam.measure.unrefined import UnrefinedMatte
from vcam.media.filters import square_size
from vcam.media.probe import probe
from vcam.pipeline import tune_process
from vcam.settings import Settings
from vcam.types import U8, Size


def open_scored(settings: Settings, size: Size, *, still: bool = False, plain: bool = False) -> Matting:
    """What is to be scored, as the settings ask for it, for frames of `size`.

    still: frames are pictures of their own. plain: the network's map of the whole frame, only scaled up. Raises as
    `open_matting` does.
    """
    tune_process()
    if plain:
        return Matting(open_network(settings.replace(segment__region=False), size, still=still), UnrefinedMatte())
    return open_matting(settings, size, still=still)


def score(
    clip: Iterable[tuple[Frame, U8]], matting: Matting, progress: Callable[[int], None] = lambda done: None
) -> Scores:
    """The scores of a matting on one clip, or one picture; it is reset before. `progress` is told each frame."""
    matting.reset()
    meter = Meter()
    for done, (frame, true) in enumerate(clip, 1):
        height, width = true.shape
        # frames of odd pictures are padded
        meter.add(matting.picture(frame)[:height, :width], true)
        progress(done)
    return meter.scores


@dataclass(frozen=True, slots=True)
class Item:
    """The scores of one picture or clip."""

    pair: Pair
    scores: Scores


class Evaluation:
    """Works off the pairs of a folder, keeping the network loaded between pictures; a context manager."""

    def __init__(self, settings: Settings, *, size: Size | None = None, plain: bool = False) -> None:
        """size: what pictures and videos are scaled to first, None for their own size. plain: as for `open_scored`."""
        self._settings, self._size, self._plain = settings, size, plain
        self._stills: Matting | None = None
        self._network = ""

    @property
    def network(self) -> str:
        """What the last pair was done with, for people; empty before the first."""
        return self._network

    def run(self, pair: Pair, progress: Callable[[int, int | None], None] = lambda done, of: None) -> Item:
        """The scores of one pair. `progress` is told frames done, and of how many. Raises `VcamError`."""
        matting = self._of_videos(pair) if pair.video else self._of_pictures()
        self._network = matting.description
        count = probe(pair.source).frames if pair.video else 1
        try:
            return Item(pair, score(read_pair(pair, self._size), matting, lambda done: progress(done, count)))
        finally:
            if pair.video:
                matting.close()

    def close(self) -> None:
        """Free the network."""
        if self._stills:
            self._stills.close()
            self._stills = None

    def __enter__(self) -> Evaluation:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _of_videos(self, pair: Pair) -> Matting:
        # the model `auto` goes by the shape of the picture
        return open_scored(self._settings, self._size or square_size(probe(pair.source)), plain=self._plain)

    def _of_pictures(self) -> Matting:
        if self._stills is None:
            self._stills = open_scored(self._settings, self._size or (256, 256), still=True, plain=self._plain)
        return self._stills


def report(items: Sequence[Item], network: str) -> dict[str, Any]:
    """The scores as `vcam eval --json` prints them; what has no value is None."""
    groups = {"pictures": [item for item in items if not item.pair.video]}
    groups["videos"] = [item for item in items if item.pair.video]
    result: dict[str, Any] = {"segmenter": network}
    for name, group in groups.items():
        entries = [{"name": item.pair.name, **_plain_numbers(item.scores)} for item in group]
        mean = _plain_numbers(Scores.mean(item.scores for item in group)) if group else None
        result[name] = {"count": len(group), "mean": mean, "items": entries}
    return result


def _plain_numbers(scores: Scores) -> dict[str, float | int | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(scores).items()}
