"""Filters and framing in the loop: made from settings, changed live, never in the way of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vcam.camera.operator import CameraOperator
from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.errors import ConfigError, UsageError
from vcam.frames import Map
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline, open_pipeline
from vcam.settings import Settings, load
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput, pattern_frame

SIZE = (64, 48)


def pipeline(settings: Settings, frames: int = 4) -> tuple[Pipeline, RecordingOutput]:
    output = RecordingOutput()
    composer = PlateComposer(ColorBackground((200, 30, 30)), SIZE)
    composer.set_filters(make_effects(settings.filters, settings.overlay))
    camera = FakeCamera([pattern_frame(SIZE, number) for number in range(frames)], size=SIZE)
    camera.open()
    matte = make_matte(settings.matte, still=True)
    operator = CameraOperator(settings.framing)
    return Pipeline(camera, FakeSegmenter(), matte, composer, [output], operator=operator), output


def test_filters_change_between_two_frames_and_go_without_a_trace() -> None:
    plain, expected = pipeline(Settings())
    plain.run()
    loop, output = pipeline(Settings())
    loop.step()
    loop.exchange(effects=make_effects(Settings().replace(filters__chain=("grey",)).filters, Settings().overlay))
    loop.step()
    loop.exchange(effects=make_effects(Settings().filters, Settings().overlay))
    loop.run()
    chroma = SIZE[0] * SIZE[1]
    assert (output.frames[1][chroma:] == 128).all()
    for index in (0, 2, 3):
        np.testing.assert_array_equal(output.frames[index], expected.frames[index])


def test_a_filter_that_breaks_shows_nobody() -> None:
    loop, output = pipeline(Settings().replace(filters__chain=("sharpen",)))

    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    assert isinstance(loop.composer, PlateComposer)
    assert loop.composer._filters is not None
    loop.composer._filters._person[0].change = broken  # type: ignore[method-assign]
    loop.step()
    assert loop.timings.without_person == 1
    # the background alone: all of one colour
    assert len(set(output.frames[0][: SIZE[0] * SIZE[1]])) == 1


def test_the_matte_of_a_framed_picture_belongs_to_the_frame_that_is_shown() -> None:
    loop, output = pipeline(Settings().replace(framing__auto=True, framing__speed=2.0), frames=60)
    seen: list[np.ndarray] = []
    person = np.zeros((24, 32), np.float32)
    person[10:, 10:20] = 1

    def watch(frame):  # type: ignore[no-untyped-def]
        seen.append(frame.y.copy())
        return Map.whole(person, frame)

    loop.matting.segmenter.segment = watch  # type: ignore[method-assign]
    loop.run()
    assert loop.operator.view.scale < 1
    middle = output.frames[-1][: SIZE[0] * SIZE[1]].reshape(SIZE[1], SIZE[0])[-6:, 28:32]
    np.testing.assert_array_equal(middle, seen[-1][-6:, 28:32])
    assert (seen[-1] != pattern_frame(SIZE, 59).y).any()


def test_a_chain_comes_from_options_the_environment_and_the_config_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[filters]\nchain = ["grey", "lut:file=a, b.cube,strength=0.5"]\n')
    assert load(path=path, environ={}).settings.filters.chain == ("grey", "lut:file=a, b.cube,strength=0.5")
    environ = {"VCAM_FILTERS_CHAIN": "opacity:value=0.5; color-transfer:strength=1,smooth=2"}
    chain = load(path=path, environ=environ).settings.filters.chain
    assert chain == ("opacity:value=0.5", "color-transfer:strength=1,smooth=2")
    assert load(assignments=["filters.chain="], path=path, environ={}).settings.filters.chain == ()


def test_settings_out_of_range_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[filters]\nlight_wrap = nan\n")
    with pytest.raises(ConfigError, match=r"filters\.light_wrap"):
        load(path=path, environ={})
    with pytest.raises(UsageError, match=r"framing\.zoom"):
        Settings().replace(framing__zoom=0.5)


@pytest.mark.parametrize("auto", [True, False])
def test_auto_framing_that_can_see_nobody_says_so(auto: bool, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings().replace(background__spec="none", framing__auto=auto)
    open_pipeline(settings, FakeCamera([], size=SIZE), SIZE, []).close()
    assert ("auto-framing does nothing" in caplog.text) == auto
