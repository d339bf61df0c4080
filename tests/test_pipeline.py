from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.errors import CameraError, CameraStalled, EngineError, OutputError
from vcam.frames import Box, Frame, Map
from vcam.matte.factory import make_matte
from vcam.matte.soft import SoftMatte
from vcam.pipeline import Pipeline, open_pipeline
from vcam.settings import BackgroundSettings, MatteSettings, Settings
from vcam.testing import FakeCamera, FakeClock, FakeSegmenter, RecordingOutput, middle_person, pattern_frame

SIZE = (96, 64)


def composer(spec: str = "color:#204080", size: tuple[int, int] = SIZE) -> PlateComposer:
    return PlateComposer(parse_background(spec, BackgroundSettings()), size)


def pipeline(frames, segmenter=None, matte=None, spec: str = "color:#204080", outputs=None) -> Pipeline:
    return Pipeline(
        FakeCamera(frames, size=SIZE),
        segmenter or FakeSegmenter(),
        matte or make_matte(MatteSettings(temporal=0, edge=0, refine=False)),
        composer(spec),
        [RecordingOutput()] if outputs is None else outputs,
        clock=FakeClock(),
    )


def shows_the_room(picture: np.ndarray, source: Frame) -> bool:
    """Whether the left edge, where there never is a person, holds the source's own samples."""
    frame = Frame.wrap(picture, *SIZE)
    return bool((np.abs(frame.y[:, :16].astype(int) - source.y[:, :16]) <= 3).mean() > 0.5)


def test_the_person_is_kept_and_the_room_is_gone() -> None:
    frames = [pattern_frame(SIZE, n) for n in range(3)]
    running = pipeline(frames)
    running.run()
    for picture, source in zip(running.outputs[0].frames, frames, strict=True):
        shown = Frame.wrap(picture, *SIZE)
        assert np.abs(shown.y[:, 40:56].astype(int) - source.y[:, 40:56]).max() <= 1
        assert not shows_the_room(picture, source)
        assert np.unique(shown.y[:, :16]).size == 1


def test_each_matte_is_made_from_its_own_frame() -> None:
    """The person is a stripe at a place that only the frame tells; a matte that is one frame late misses it."""

    def stripe(frame: Frame) -> np.ndarray:
        probability = np.zeros((64, 96), np.float32)
        probability[:, 10 * frame.seq : 10 * frame.seq + 10] = 1
        return probability

    running = pipeline([pattern_frame(SIZE, n) for n in range(8)], FakeSegmenter(stripe, SIZE))
    running.run()
    for number, picture in enumerate(running.outputs[0].frames):
        shown, source = Frame.wrap(picture, *SIZE), pattern_frame(SIZE, number)
        right = (shown.y == source.y).mean(axis=0) > 0.9
        assert right[10 * number + 2 : 10 * number + 8].all()
        assert right.sum() <= 12


class Resting(FakeSegmenter):
    """Is asked for every second frame only, and says so."""

    last: Map | None = None

    def segment(self, frame: Frame) -> Map:
        if frame.seq % 2 and self.last:
            return replace(self.last, seq=frame.seq)
        self.last = super().segment(frame)
        return self.last


def test_a_frame_for_which_the_network_rested_is_shown_with_its_own_picture_and_counted() -> None:
    frames = [pattern_frame(SIZE, n) for n in range(6)]
    running = pipeline(frames, Resting())
    running.run()
    assert running.timings.skipped == 3
    assert running.timings.without_person == 0
    for picture, source in zip(running.outputs[0].frames, frames, strict=True):
        assert np.abs(Frame.wrap(picture, *SIZE).y[:, 40:56].astype(int) - source.y[:, 40:56]).max() <= 1
        assert not shows_the_room(picture, source)


def test_a_map_of_another_frame_or_of_no_part_of_it_is_no_map() -> None:
    frames = [pattern_frame(SIZE, n) for n in range(1, 3)]
    for wrong in ({"seq": 0}, {"box": Box(0, 0, 98, 64)}, {"box": Box(1, 0, 96, 64)}):
        segmenter = FakeSegmenter()
        whole = segmenter.segment
        segmenter.segment = lambda frame, whole=whole, wrong=wrong: replace(whole(frame), **wrong)  # type: ignore[misc]
        running = pipeline(frames, segmenter)
        running.run()
        assert running.timings.without_person == 2, wrong
        assert not any(shows_the_room(*pair) for pair in zip(running.outputs[0].frames, frames, strict=True))


@pytest.mark.parametrize(
    "fault",
    [
        EngineError("gone"),
        RuntimeError("unexpected"),
        MemoryError(),
        np.zeros((2, 3, 4), np.float32),
        np.zeros((0, 0), np.float32),
        np.full((24, 32), np.nan, np.float32),
        np.ones((24, 32, 1), np.float32),
        np.ones((24, 32), np.float64),
    ],
    ids=["engine error", "any error", "no memory", "three dimensions", "no map", "NaN", "a channel", "float64"],
)
@pytest.mark.parametrize("spec", ["color:#204080", "blur", "pixelate"])
def test_a_frame_whose_matte_fails_is_shown_without_person_and_the_next_is_whole(fault, spec) -> None:
    script = {1: fault}
    segmenter = FakeSegmenter(lambda frame: script.get(frame.seq, middle_person((32, 24))))
    frames = [pattern_frame(SIZE, n) for n in range(3)]
    running = pipeline(frames, segmenter, spec=spec)
    running.run()
    _, broken, last = running.outputs[0].frames
    shown, source = Frame.wrap(broken, *SIZE), frames[1]
    assert (np.abs(shown.y.astype(int) - source.y) <= 2).mean() < 0.2, "samples of a frame without a matte got out"
    assert running.timings.without_person == 1
    assert running.outputs[0].numbers == [0, 1, 2]
    if spec.startswith("color"):
        assert not shows_the_room(last, frames[2])
    assert np.abs(Frame.wrap(last, *SIZE).y[:, 40:56].astype(int) - frames[2].y[:, 40:56]).max() <= 1


def test_a_matte_of_another_frame_never_composites() -> None:
    class Late(SoftMatte):
        def update(self, probability, frame):
            alpha = super().update(probability, frame)
            alpha.seq -= 1
            return alpha

    running = pipeline([pattern_frame(SIZE, n) for n in range(4)], matte=Late(MatteSettings()))
    running.run()
    assert running.timings.without_person == 4
    assert all(np.unique(Frame.wrap(picture, *SIZE).y).size == 1 for picture in running.outputs[0].frames)


def test_a_failure_is_told_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    segmenter = FakeSegmenter(lambda frame: EngineError("gone") if 1 <= frame.seq <= 5 else middle_person((32, 24)))
    pipeline([pattern_frame(SIZE, n) for n in range(9)], segmenter).run()
    assert [record.message for record in caplog.records] == [
        "the person cannot be shown: gone",
        "the picture is complete again",
    ]


def test_without_a_background_no_network_runs_and_the_room_is_shown() -> None:
    segmenter = FakeSegmenter()
    frames = [pattern_frame(SIZE, n) for n in range(2)]
    running = pipeline(frames, segmenter, spec="none")
    running.run()
    assert segmenter.calls == 0
    assert all(shows_the_room(*pair) for pair in zip(running.outputs[0].frames, frames, strict=True))


def test_stop_frames_and_a_satisfied_output_end_the_run() -> None:
    frames = [pattern_frame(SIZE, n) for n in range(20)]
    running = pipeline(frames)
    running.run(frames=4)
    assert len(running.outputs[0].frames) == 4
    running = pipeline(frames, outputs=[RecordingOutput(enough=6)])
    running.run()
    assert len(running.outputs[0].frames) == 6
    running = pipeline(frames)
    running.composer.without_person = running.composer.compose = lambda frame, *rest: (running.stop(), frame)[1]
    running.run()
    assert len(running.outputs[0].frames) == 1


@pytest.mark.parametrize(("sent", "silence", "given_up"), [(0, 9, False), (0, 11, True), (1, 2, False), (1, 4, True)])
def test_a_silent_camera_is_waited_for_and_longest_before_its_first_frame(
    sent: int, silence: int, given_up: bool
) -> None:
    """The camera's deadline is half a second; three seconds are allowed for between two frames."""

    class Silent(FakeCamera):
        def read(self) -> Frame | None:
            try:
                return super().read()
            except CameraStalled:
                running._clock.now += 0.5
                raise

    frames: list[Frame | Exception] = [pattern_frame(SIZE, number) for number in range(3)]
    running = pipeline([*frames[:sent], *[CameraStalled("late")] * 2 * silence, *frames[sent:]])
    running.camera = Silent(running.camera._script, size=SIZE)
    with pytest.raises(CameraStalled, match="late") if given_up else nullcontext():
        running.run()
    assert running.timings.frames == (sent if given_up else 3)


def test_closing_finishes_outputs_and_lets_everything_go() -> None:
    running = pipeline([pattern_frame(SIZE)])
    with running:
        running.open_outputs(SIZE, 30)
        running.run()
    assert running.outputs[0].opened == (SIZE, 30)
    assert (running.outputs[0].closed, running.outputs[0].aborted) == (1, 0)
    assert running.camera.closed == running.matting.segmenter.closed == 1


@pytest.mark.parametrize("where", ["camera", "output"])
def test_an_error_at_either_end_aborts_the_outputs(where: str) -> None:
    running = pipeline([pattern_frame(SIZE), CameraError("unplugged")])
    if where == "output":
        running.outputs[0].fail = OutputError("disk full")
    expected, words = (CameraError, "unplugged") if where == "camera" else (OutputError, "disk full")
    with pytest.raises(expected, match=words), running:
        running.run()
    assert (running.outputs[0].closed, running.outputs[0].aborted) == (0, 1)
    assert running.camera.closed == 1


def test_outputs_that_opened_are_aborted_when_a_later_one_cannot_open() -> None:
    class Refusing(RecordingOutput):
        def open(self, size, fps):
            raise OutputError("no")

    good = RecordingOutput()
    running = pipeline([], outputs=[good, Refusing()])
    with pytest.raises(OutputError, match="no"):
        running.open_outputs(SIZE, 30)
    assert good.aborted == 1


def test_latency_counts_from_the_capture_of_a_live_camera() -> None:
    clock = FakeClock()
    frame = pattern_frame(SIZE)
    frame.timestamp = clock.now - 0.25
    running = Pipeline(
        FakeCamera([frame], size=SIZE, live=True),
        FakeSegmenter(),
        make_matte(MatteSettings()),
        composer(),
        [],
        clock=clock,
    )
    running.run()
    assert running.timings.latency_ms() == pytest.approx({"p50": 250, "p95": 250, "p99": 250})


@pytest.mark.engine
@pytest.mark.parametrize(("still", "model"), [(True, "selfie-general"), (False, "selfie-landscape")])
def test_pictures_of_their_own_get_the_better_model_and_films_that_of_their_shape(still: bool, model: str) -> None:
    settings = Settings().replace(segment__backend="onnxruntime", background__spec="green")
    with open_pipeline(settings, FakeCamera([]), (1280, 720), [], still=still) as opened:
        assert opened.matting.segmenter is not None
        assert opened.matting.segmenter.description.startswith(model)
