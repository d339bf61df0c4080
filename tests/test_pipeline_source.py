"""What a finished picture was made from: known while it is written, and not a moment longer."""

from __future__ import annotations

from tests.test_pipeline import SIZE, pipeline
from vcam.errors import EngineError
from vcam.frames import Frame, MadeFrom
from vcam.pipeline import Pipeline
from vcam.testing import FakeSegmenter, RecordingOutput, middle_person, pattern_frame


class Asks(RecordingOutput):
    """Keeps what each picture was made from."""

    pipeline: Pipeline

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[MadeFrom | None] = []
        self.pairs: list[tuple[int, int]] = []

    def write(self, frame: Frame) -> None:
        source = self.pipeline.made_from
        assert source is None or source.frame.seq == frame.seq
        self.sources.append(source)
        if source is not None and source.alpha is not None:
            self.pairs.append((source.frame.seq, source.alpha.seq))
        super().write(frame)


def run(segmenter: FakeSegmenter, count: int = 3, spec: str = "color:#204080") -> tuple[Pipeline, Asks]:
    asks = Asks()
    asks.pipeline = running = pipeline(
        [pattern_frame(SIZE, n) for n in range(count)], segmenter, spec=spec, outputs=[asks]
    )
    for _ in range(count):
        running.step()
        assert running.made_from is None
    return running, asks


def test_frame_and_matte_are_those_of_the_picture() -> None:
    _, asks = run(FakeSegmenter())
    assert asks.pairs == [(0, 0), (1, 1), (2, 2)]


def test_one_without_a_matte_of_its_own_tells_nothing() -> None:
    def sometimes(frame: Frame) -> object:
        return EngineError("it is broken") if frame.seq == 1 else middle_person((32, 24))

    _, asks = run(FakeSegmenter(sometimes))  # type: ignore[arg-type]
    assert [source is None for source in asks.sources] == [False, True, False]


def test_one_that_is_shown_again_tells_nothing() -> None:
    running, asks = run(FakeSegmenter(), 1)
    assert running.repeat()
    assert [source is None for source in asks.sources] == [False, True]


def test_a_background_that_needs_no_matte_has_none() -> None:
    _, asks = run(FakeSegmenter(), 1, "none")
    (source,) = asks.sources
    assert source is not None
    assert source.alpha is None
