"""Promise 1 where an engine lies: it reports success, and what it gives is not what the network finds in this frame.

The person is orange and walks; the network finds what is orange. The room behind is a chequerboard of single pixels,
other ones in each frame. Every lie is told from the start, where it must be found out before a frame is shown, and
from the middle of a film. Where the guard against it is taken away, the same trial must find the leak.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from tests.infer.helpers import Clock, choice
from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.composer import PlateComposer
from vcam.errors import EngineError
from vcam.frames import Frame
from vcam.infer.runner import asking
from vcam.matte.factory import make_matte
from vcam.models.cards import KnownCard, ModelCard
from vcam.models.find import find_model
from vcam.output.y4m import Y4MFile
from vcam.pipeline import Pipeline
from vcam.segment.known import PICTURES, KnownPictures, grid
from vcam.segment.segmenter import EXAMINED_EVERY, NetworkSegmenter
from vcam.settings import Settings
from vcam.testing import FakeCamera, RecordingOutput
from vcam.types import F32, U8

SIZE = (256, 144)
WIDE = 60
REACH = 24
"""Pixels around the person that belong to the soft edge."""
FRAMES, BEGIN = 40, 12
SETTINGS = Settings()


def orange(picture: U8) -> F32:
    """What the honest network finds: a soft map of what is orange."""
    seen = (picture[..., 0].astype(np.int16) - picture[..., 2] > 70).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(seen, (9, 9), 0))


class HonestEngine:
    name, device = "honest", "CPU"

    def infer(self, *pictures: U8) -> list[F32]:
        return [orange(pictures[0])[np.newaxis]]

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


class LyingEngine(HonestEngine):
    """Tells the truth until `lying`."""

    def __init__(self, lie: Callable[[F32, F32], F32]) -> None:
        self._lie, self.lying = lie, False
        self._last_true = self._last = np.zeros((0, 0), np.float32)

    def infer(self, *pictures: U8) -> list[F32]:
        (seen,) = true = super().infer(*pictures)
        before, self._last_true = self._last_true, seen
        if self.lying:
            true = [np.asarray(self._lie(seen, before if before.size else np.zeros_like(seen)), np.float32)]
        else:
            self._last = seen
        return true


class StaleEngine(LyingEngine):
    """Reports success and leaves the last true map where it was."""

    def __init__(self) -> None:
        super().__init__(lambda seen, before: self._last if self._last.size else np.zeros_like(seen))


chance = np.random.default_rng(0)
SHIFTED = "shifted by a frame"
LIES: dict[str, Callable[[], LyingEngine]] = {
    "stale": StaleEngine,
    "all ones": lambda: LyingEngine(lambda seen, before: np.ones_like(seen)),
    "nearly all ones": lambda: LyingEngine(lambda seen, before: 1 - 0.1 * chance.random(seen.shape)),
    "constant 0.5": lambda: LyingEngine(lambda seen, before: np.full_like(seen, 0.5)),
    "constant 0.6": lambda: LyingEngine(lambda seen, before: np.full_like(seen, 0.6)),
    "noise": lambda: LyingEngine(lambda seen, before: chance.random(seen.shape)),
    "noise of none and all": lambda: LyingEngine(lambda seen, before: chance.integers(0, 2, seen.shape)),
    "chequers": lambda: LyingEngine(lambda seen, before: np.indices(seen.shape).sum(axis=0) % 2),
    "inside out": lambda: LyingEngine(lambda seen, before: 1 - seen),
    "success without writing": lambda: LyingEngine(lambda seen, before: np.full_like(seen, np.nan)),
    SHIFTED: lambda: LyingEngine(lambda seen, before: before),
}


def scene(seq: int) -> tuple[Frame, int]:
    """A frame, and the column where the person begins: they jump to and fro."""
    left = (20, 150, 85)[seq % 3]
    frame = Frame.allocate(*SIZE)
    rows, columns = np.indices(frame.y.shape)
    frame.y[...] = 120 + 60 * np.where((rows + columns + seq) % 2, 1, -1)
    frame.y[30:, left : left + WIDE] = 140
    frame.u[15:, left // 2 : (left + WIDE) // 2] = 60
    frame.v[15:, left // 2 : (left + WIDE) // 2] = 190
    frame.seq, frame.timestamp = seq, seq / 30
    return frame, left


def shows(picture: U8, seq: int) -> bool:
    """Whether a good part of the room beside the person is seen as the camera saw it, or half of it."""
    frame, left = scene(seq)
    beside = np.ones(frame.y.shape, bool)
    beside[30 - REACH :, max(0, left - REACH) : left + WIDE + REACH] = False
    luma = picture[: SIZE[0] * SIZE[1]].reshape(frame.y.shape).astype(np.float32)
    # the chequers' own contrast, wherever they are mixed into something
    contrast = cv2.resize((luma - luma.mean()) * np.sign(frame.y - 120.0) * beside, (16, 9), interpolation=3)
    return bool((contrast > 12).sum() >= 2)


def card() -> ModelCard:
    """The network's card with what an honest engine finds in the known pictures, as that of a network of vcam."""
    shipped = msgspec.structs.replace(find_model("selfie-landscape", SIZE), known=KnownCard())
    known, ask = KnownPictures(shipped), asking(HonestEngine())
    said = {name: np.rint(grid(known.answer(ask, name))).astype(int).tolist() for name in PICTURES}
    return msgspec.structs.replace(shipped, known=msgspec.convert(said, KnownCard))


class Film:
    """The real pipeline on one engine, and what has left it."""

    def __init__(self, engine: Any, region: bool = False, y4m: Path | None = None) -> None:
        self.clock = Clock()
        self.engine = engine
        settings = SETTINGS.replace(segment__region=region).segment
        segmenter = NetworkSegmenter(settings, SIZE, choices=[choice("a", engine)], card=card(), clock=self.clock)
        self.frames = [scene(seq)[0] for seq in range(FRAMES)]
        camera = FakeCamera(self.frames, size=SIZE, live=True)
        self.output = RecordingOutput()
        outputs = [self.output, *([Y4MFile(y4m)] if y4m else [])]
        composer = PlateComposer(ColorBackground((20, 200, 60)), SIZE)
        self.pipeline = Pipeline(camera, segmenter, make_matte(SETTINGS.matte), composer, outputs)  # type: ignore[arg-type]
        self.pipeline.open_outputs(SIZE, 30)

    def run(self, seconds: float = 1 / 30) -> list[int]:
        """Show it all, the engine lying from frame `BEGIN` on; the numbers of frames that show the room."""
        for seq in range(FRAMES):
            self.engine.lying = seq >= BEGIN
            self.pipeline.step()
            self.clock.now += seconds
        self.pipeline.close()
        return [seq for seq, picture in enumerate(self.output.frames) if shows(picture, seq)]


def test_the_honest_engine_shows_the_person_in_every_frame_and_never_the_room() -> None:
    film = Film(HonestEngine())
    assert film.run() == []
    assert film.pipeline.timings.without_person == 0
    assert shows(scene(5)[0].packed(), 5)
    mixed = scene(5)[0]
    mixed.y[...] = mixed.y // 2 + 50
    assert shows(mixed.packed(), 5)


@pytest.mark.parametrize("lie", LIES)
def test_an_engine_that_lies_from_the_start_is_not_used(lie: str) -> None:
    engine = LIES[lie]()
    engine.lying = True
    with pytest.raises(EngineError, match=r"answers are wrong|not numbers"):
        Film(engine)


@pytest.mark.parametrize("region", [False, True], ids=["whole", "region"])
@pytest.mark.parametrize("lie", [lie for lie in LIES if lie != SHIFTED])
def test_an_engine_that_begins_to_lie_shows_the_room_in_no_frame(lie: str, region: bool) -> None:
    film = Film(LIES[lie](), region)
    assert film.run() == []
    assert film.pipeline.timings.without_person > 0


def test_answers_that_come_a_frame_late_are_found_out_between_two_frames() -> None:
    film = Film(LIES[SHIFTED]())
    # three pictures in turn: one of them at the latest has another answer than the frame before it
    leaks = film.run(seconds=EXAMINED_EVERY / 3)
    assert leaks
    assert max(leaks) < BEGIN + 9
    assert film.pipeline.timings.without_person > 0


def test_a_film_that_is_written_holds_what_the_others_are_given(tmp_path: Path) -> None:
    film = Film(LIES["all ones"](), y4m=tmp_path / "film.y4m")
    film.run()
    data = (tmp_path / "film.y4m").read_bytes()
    for picture in film.output.frames:
        assert picture.tobytes() in data


def believe(*args: Any) -> Any:
    return args[1]


@pytest.mark.parametrize(
    "lie", ["all ones", "nearly all ones", "constant 0.6", "noise", pytest.param("chequers", marks=pytest.mark.long)]
)
def test_without_the_doubt_the_room_would_be_seen(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.segment.doubt.Doubt.judge", believe)
    assert Film(LIES[lie]()).run()


def test_without_the_comparison_of_maps_a_stale_one_would_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.segment.repeats.RepeatCheck.repeats", lambda *args: False)
    assert Film(StaleEngine()).run()


def test_without_the_known_pictures_late_answers_would_be_shown_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.segment.known.KnownPictures._judge", lambda *args: None)
    assert max(Film(LIES[SHIFTED]()).run(seconds=EXAMINED_EVERY / 3)) > FRAMES - 4
    assert Film(LIES["inside out"]()).run()
