"""`harmonise` in the loop, with engines that run: on a camera, on films, and when the network will not."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.standin import arguments, stand_in
from vcam.batch import Batch, Job
from vcam.camera.demo import DemoScene
from vcam.compose.composer import PlateComposer
from vcam.compose.filters import adviser
from vcam.compose.filters.adviser import Beside, InLine
from vcam.compose.filters.harmonise import Harmonise
from vcam.errors import EngineError
from vcam.files import Overwriting
from vcam.frames import Frame
from vcam.matte.factory import make_matte
from vcam.output.y4m import Y4MFile
from vcam.pipeline import Pipeline, open_pipeline
from vcam.settings import Settings
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput

SIZE = (160, 96)
FRAMES = 24
WORDS = "harmonise:model=light,smooth=0.2"
SEEN = np.zeros((4, 8))
# what is seen of the person and of the place has its say
SEEN[:3, 0], SEEN[3, 3] = 0.5, -0.5


@pytest.fixture(autouse=True)
def _network(own_models: Path) -> None:
    stand_in(own_models, "light", always=arguments(gamma=0.5, saturation=-0.4), by_means=SEEN)


def demo() -> list[Frame]:
    scene = DemoScene(SIZE)
    scene.open()
    frames = []
    for number in range(FRAMES):
        frame = Frame.allocate(*SIZE)
        frame.copy_from(scene.frame(number))
        frame.seq, frame.timestamp = number, number / 30
        frames.append(frame)
    return frames


def opened(
    chain: tuple[str, ...], *, live: bool, background: str = "color:#c06020"
) -> tuple[Pipeline, RecordingOutput]:
    settings = Settings().replace(filters__chain=chain, background__spec=background, segment__private=True)
    settings = settings.replace(filters__decontaminate=0.0)
    camera, output = FakeCamera(demo(), size=SIZE, live=live), RecordingOutput()
    camera.open()
    pipeline = open_pipeline(settings, camera, SIZE, [output])
    pipeline.matting.exchange(FakeSegmenter(), make_matte(settings.matte, still=True)).close()  # type: ignore[union-attr]
    pipeline.open_outputs(SIZE, 30)
    return pipeline, output


def filter_of(pipeline: Pipeline) -> Harmonise:
    assert isinstance(pipeline.composer, PlateComposer)
    assert pipeline.composer._filters is not None
    (filter_,) = pipeline.composer._filters._person
    assert isinstance(filter_, Harmonise)
    return filter_


def film(*chain: str, background: str = "color:#c06020") -> np.ndarray:
    pipeline, output = opened(chain, live=False, background=background)
    with pipeline:
        if chain:
            assert isinstance(filter_of(pipeline)._asked, InLine)
        pipeline.run()
        assert not pipeline.timings.without_person
    return np.stack(output.frames)


def test_in_a_film_the_person_is_lit_and_it_comes_out_the_same_every_time() -> None:
    plain, first = film(), film(WORDS)
    time.sleep(0.3)
    np.testing.assert_array_equal(first, film(WORDS))
    assert (first != plain).mean() > 0.02
    # from the very first frame on
    assert (first[0] != plain[0]).any()
    # and never where only the background is
    assert (first == plain).mean() > 0.3


def test_before_ones_own_room_nothing_is_changed() -> None:
    for background in ("blur", "pixelate"):
        np.testing.assert_array_equal(film(WORDS, background=background), film(background=background))


def test_live_it_is_asked_beside_the_loop_and_no_frame_is_lost() -> None:
    plain = film()
    pipeline, output = opened((WORDS,), live=True)
    with pipeline:
        asked = filter_of(pipeline)._asked
        assert isinstance(asked, Beside)
        while pipeline.step():
            asked.wait(60)
        assert not pipeline.timings.without_person
    shown = np.stack(output.frames)
    assert len(shown) == FRAMES
    # what came of the first frame counts from the second one on
    np.testing.assert_array_equal(shown[0], plain[0])
    assert (shown[1] != plain[1]).any()
    assert (shown[-1] != plain[-1]).any()


@pytest.mark.parametrize("live", [False, True])
def test_a_network_that_fails_never_costs_the_person(live: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: adviser.Adviser, picture: np.ndarray) -> None:
        raise EngineError("the device is gone")

    monkeypatch.setattr(adviser.Adviser, "advise", fail)
    pipeline, output = opened((WORDS,), live=live)
    with pipeline:
        pipeline.run()
        assert not pipeline.timings.without_person
    np.testing.assert_array_equal(np.stack(output.frames), film())


def test_an_engine_that_gives_nonsense_is_left_and_the_picture_goes_on(own_models: Path) -> None:
    # right for the black picture of its trial, and out of its range for others
    beyond = np.zeros((4, 8))
    beyond[3, 0] = 9.0
    stand_in(own_models, "light", by_means=beyond)
    np.testing.assert_array_equal(film(WORDS), film())


@pytest.mark.process
def test_a_film_in_a_file_becomes_the_same_bytes_twice(tmp_path: Path) -> None:
    source = Y4MFile(tmp_path / "film.y4m")
    scene = DemoScene((320, 180))
    scene.open()
    source.open((320, 180), 30)
    for number in range(12):
        source.write(scene.frame(number))
    source.close()
    made = []
    for name, chain in (("one", (WORDS,)), ("two", (WORDS,)), ("plain", ())):
        settings = Settings().replace(
            filters__chain=chain, background__spec="color:#c06020", filters__decontaminate=0.0
        )
        with Batch(settings, mattes=False) as batch:
            target = tmp_path / f"{name}.y4m"
            batch.run(Job(tmp_path / "film.y4m", target, False, Overwriting(True)), lambda done, of: None)
        made.append(target.read_bytes())
    assert made[0] == made[1]
    assert made[0] != made[2]
