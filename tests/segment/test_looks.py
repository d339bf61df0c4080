"""What is seen of one frame, by a network that hands back what it is shown."""

from __future__ import annotations

import numpy as np

from vcam.frames import Box, Frame
from vcam.segment.looks import Looks
from vcam.segment.prepare import Preparer
from vcam.segment.rest import Surroundings
from vcam.testing import pattern_frame

SIGHT = (64, 36)
SIZE = (256, 144)
WHOLE = Box(0, 0, *SIZE)
PART = Box(32, 16, 160, 88)


class Echo:
    """Says of a picture that it is what it shows."""

    def find(self, picture):
        return picture[..., 1].astype(np.float32)


class Counted(Preparer):
    shrunk = 0

    def shrink(self, frame):
        self.shrunk += 1
        return super().shrink(frame)


def _looks(frame: Frame, surroundings: Surroundings | None = None) -> tuple[Looks, Counted]:
    whole = Counted(SIGHT, "RGB")
    return Looks(frame, Echo(), (whole, Preparer(SIGHT, "RGB")), surroundings or Surroundings()), whole


def _alone(frame: Frame) -> np.ndarray:
    return Preparer(SIGHT, "RGB").prepare(frame)[..., 1].astype(np.float32)


def test_the_network_sees_the_part_that_is_asked_for_in_whatever_order():
    frame = pattern_frame(SIZE, 3)
    looks, _ = _looks(frame)
    for part in (WHOLE, PART, WHOLE, Box(0, 0, 128, 72), PART):
        np.testing.assert_array_equal(looks.at(part), _alone(frame.view(part)))


def test_the_frame_is_reduced_when_that_is_asked_for_and_once():
    looks, whole = _looks(pattern_frame(SIZE))
    looks.at(PART)
    assert whole.shrunk == 0
    looks.planes()
    looks.is_quiet_around(PART)
    looks.at(WHOLE)
    looks.at(WHOLE)
    assert whole.shrunk == 1


def test_that_the_whole_was_reduced_does_not_mean_that_it_was_seen():
    looks, _ = _looks(pattern_frame(SIZE))
    looks.planes()
    looks.at(PART)
    assert not looks.saw_whole
    looks.at(WHOLE)
    assert looks.saw_whole


def test_a_pyramid_is_that_of_the_part_seen_last_or_of_the_whole_and_never_of_an_earlier_frame():
    preparers = Preparer(SIGHT, "RGB"), Preparer(SIGHT, "RGB")
    earlier = Looks(pattern_frame(SIZE, 1), Echo(), preparers, Surroundings())
    earlier.at(WHOLE)
    earlier.at(PART)
    looks = Looks(pattern_frame(SIZE, 2), Echo(), preparers, Surroundings())
    assert looks.pyramid(WHOLE) == looks.pyramid(PART) == ()
    looks.at(PART)
    assert looks.pyramid(WHOLE) == ()
    assert looks.pyramid(PART)[-1].size == SIGHT
    looks.planes()
    assert looks.pyramid(WHOLE)[-1] is not looks.pyramid(PART)[-1]
    looks.at(Box(0, 0, 128, 72))
    assert looks.pyramid(PART) == ()


def test_quiet_is_what_has_not_changed_outside_of_the_part():
    surroundings = Surroundings()
    before, _ = _looks(pattern_frame(SIZE), surroundings)
    surroundings.remember(before.planes())
    frame = pattern_frame(SIZE)
    frame.y[30:60, 60:120] = 235
    inside, _ = _looks(frame, surroundings)
    assert inside.is_quiet_around(PART)
    frame.y[100:140, 200:240] = 235
    outside, _ = _looks(frame, surroundings)
    assert not outside.is_quiet_around(PART)
