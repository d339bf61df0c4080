"""The matte of the real stages, as the settings ask for them, scored against true mattes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vcam.compose.matteview import matte_picture
from vcam.datasets.folder import Pair, read_pair
from vcam.errors import InputError
from vcam.filmroom import RoomSource, Told, check, unrecognised
from vcam.frames import Frame
from vcam.matte.base import Matte
from vcam.matte.factory import make_matte
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


Watch = Callable[[Frame, U8, U8], None]
"""Takes a frame, the matte that was found and the true one, both uint8 (height, width)."""


def score(
    clip: Iterable[tuple[Frame, U8]],
    matting: Matting,
    progress: Callable[[int], None] = lambda done: None,
    watch: Watch = lambda frame, found, true: None,
) -> Scores:
    """The scores of a matting on one clip, or one picture; it is reset before. `progress` is told each frame."""
    matting.reset()
    meter = Meter()
    for done, (frame, true) in enumerate(clip, 1):
        height, width = true.shape
        # frames of odd pictures are padded
        found = matting.picture(frame)[:height, :width]
        meter.add(found, true)
        watch(frame, found, true)
        progress(done)
    return meter.scores


@dataclass(frozen=True, slots=True)
class Helped:
    """The scores with what is known of the room."""

    scores: Scores
    recognised: int
    """Frames in which the room was recognised."""
    learnt_from: int
    """Frames that the room was learnt from; neither these nor the same frames without the room are scored."""


def score_both(
    clip: Iterable[tuple[Frame, U8]],
    matting: Matting,
    told: Told,
    other: Matte,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Scores, Helped]:
    """The scores of one clip without and with what is told of its room; the network looks once at each frame.

    other: a matte stage as that of the matting, for the corrected maps. Both are reset before.
    """
    matting.reset()
    other.reset()
    kept = told.kept()
    alone, helped = Meter(), Meter()
    recognised = 0
    for done, (frame, true) in enumerate(clip, 1):
        height, width = true.shape
        seen = matting.look(frame)
        without = matte_picture(matting.matte.update(seen, frame))[:height, :width]
        corrected = kept.correct(seen, frame)
        known = matte_picture(other.update(corrected, frame))[:height, :width]
        if done > told.begins:
            alone.add(without, true)
            helped.add(known, true)
            recognised += corrected is not seen
        progress(done)
    return alone.scores, Helped(helped.scores, recognised, told.begins)


@dataclass(frozen=True, slots=True)
class Item:
    """The scores of one picture or clip. helped: where the room behind it was told."""

    pair: Pair
    scores: Scores
    helped: Helped | None = None
    notes: tuple[str, ...] = ()
    """What a person should know of them."""


class Evaluation:
    """Works off the pairs of a folder, keeping the network loaded between pictures; a context manager."""

    def __init__(
        self, settings: Settings, *, size: Size | None = None, plain: bool = False, room: RoomSource | None = None,
        watch: Watch = lambda frame, found, true: None,
    ) -> None:  # fmt: skip
        """size: what pictures and videos are scaled to first, None for their own size. plain: as for `open_scored`.

        room: what is known of the rooms; scores are then those without and with it. Raises `UsageError` for settings
        that have no use for it. watch: is shown every frame that is scored, but for those with a room.
        """
        if room:
            check(settings)
        self._watch = watch
        self._settings, self._size, self._plain, self._room = settings, size, plain, room
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
            if self._room:
                return self._both(pair, matting, self._room, lambda done: progress(done, count))
            return Item(pair, score(
                read_pair(pair, self._size), matting, lambda done: progress(done, count), self._watch
            ))  # fmt: skip
        finally:
            if pair.video:
                matting.close()

    def _both(self, pair: Pair, matting: Matting, room: RoomSource, progress: Callable[[int], None]) -> Item:
        def frames() -> Iterator[Frame]:
            return (frame for frame, _ in read_pair(pair, self._size))

        _, true = next(read_pair(pair, self._size))
        told = room.of(pair.source, (true.shape[1], true.shape[0]), matting, frames if pair.video else None)
        other = make_matte(self._settings.matte, still=not pair.video)
        alone, helped = score_both(read_pair(pair, self._size), matting, told, other, progress)
        if not alone.frames:
            raise InputError(
                f"nobody is to be seen in {pair.source}: all of it tells of the room", "give a clip with somebody in it"
            )
        word = unrecognised(pair.source.name, helped.recognised, alone.frames)
        return Item(pair, alone, helped, (*told.notes, *([word] if word else [])))

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
        entries = [{"name": item.pair.name, **_plain_numbers(item.scores), **_helped([item])} for item in group]
        mean = {**_plain_numbers(Scores.mean(item.scores for item in group)), **_helped(group)} if group else None
        result[name] = {"count": len(group), "mean": mean, "items": entries}
    return result


def _helped(items: Sequence[Item]) -> dict[str, Any]:
    """What is to be said of the room where it was told."""
    helped = [item.helped for item in items if item.helped]
    if not helped:
        return {}
    scores = _plain_numbers(Scores.mean(each.scores for each in helped))
    recognised = 100 * sum(each.recognised for each in helped) / sum(each.scores.frames for each in helped)
    known = {"recognised": recognised, "learnt_from": sum(each.learnt_from for each in helped)}
    return {"with_room": {**scores, **known}}


def _plain_numbers(scores: Scores) -> dict[str, float | int | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(scores).items()}
