"""What a segmenter has to tell whoever is in the picture is shown in the picture."""

from __future__ import annotations

import numpy as np

from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.errors import EngineError
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline
from vcam.settings import Settings
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput, middle_person, pattern_frame

SIZE = (320, 180)


def test_words_are_shown_while_there_is_a_notice_and_then_the_person() -> None:
    class Asking(FakeSegmenter):
        notice = "step out of the picture"

    segmenter = Asking()
    frames = [pattern_frame(SIZE, number) for number in range(4)]
    camera, output = FakeCamera(frames, size=SIZE), RecordingOutput()
    composer = PlateComposer(parse_background("color:#00a000", Settings().background), SIZE)

    def script(frame):
        if frame.seq < 2:
            return EngineError(segmenter.notice)
        segmenter.notice = ""
        return EngineError("broken") if frame.seq == 2 else middle_person((32, 24))

    segmenter._script = script
    with Pipeline(camera, segmenter, make_matte(Settings().matte), composer, [output]) as pipeline:
        pipeline.run()
    asking, again, broken, person = (picture[: 320 * 180].reshape(180, 320) for picture in output.frames)
    assert np.array_equal(asking, again)
    assert output.numbers == [0, 1, 2, 3]
    assert (asking > 90).sum() > 200, "no words"
    assert np.ptp(asking[:20]) < 20, "the room must not be seen"
    assert np.ptp(broken) <= 1, "without words there is the background"
    assert np.ptp(person) > 50
