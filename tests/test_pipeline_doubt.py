"""What the loop does with a map that shows all of the picture as a person, and in the time between two frames."""

from __future__ import annotations

import numpy as np

from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.composer import PlateComposer
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline
from vcam.settings import Settings
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput, pattern_frame

SIZE = (64, 48)
EVERYBODY = np.ones((24, 32), np.float32)


class Asked(FakeSegmenter):
    """Knows the known pictures, and counts how often it is asked."""

    def __init__(self, script=None):
        super().__init__(script)
        self.asked = self.idled = 0

    def examine(self, *, all_pictures=False):
        self.asked += 1

    def idle(self):
        self.idled += 1


def pipeline(segmenter, frames=12, *, live):
    camera = FakeCamera([pattern_frame(SIZE, seq) for seq in range(frames)], size=SIZE, live=live)
    composer = PlateComposer(ColorBackground((20, 200, 60)), SIZE)
    return Pipeline(camera, segmenter, make_matte(Settings().matte), composer, [RecordingOutput()])


def without_person(made):
    """For each frame whether it was shown without the person."""
    said = []
    while made.step():
        said.append(made.error is not None)
    return said


def test_of_a_camera_a_few_frames_are_left_out_until_others_agree():
    segmenter = Asked(lambda frame: EVERYBODY)
    assert without_person(pipeline(segmenter, live=True)) == [True] * 3 + [False] * 9
    assert segmenter.asked == 4


def test_of_a_film_no_frame_is_left_out_and_the_first_is_looked_at_again():
    segmenter = Asked(lambda frame: EVERYBODY)
    assert not any(without_person(pipeline(segmenter, 3, live=False)))
    assert (segmenter.calls, segmenter.asked) == (4, 1)


def test_after_a_pause_it_is_doubted_anew():
    made = pipeline(Asked(lambda frame: EVERYBODY), live=True)
    said = []
    while made.step():
        said.append(made.error is not None)
        if len(said) == 6:
            made.forget()
    assert said == ([True] * 3 + [False] * 3) * 2


def test_the_network_has_time_of_its_own_after_each_frame():
    segmenter = Asked()
    without_person(pipeline(segmenter, 5, live=True))
    assert segmenter.idled == 5
