"""Maps that are not believed at once."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.errors import EngineError
from vcam.frames import Frame, Map
from vcam.segment.doubt import Doubt

ROWS, COLUMNS = 90, 160
ONES = np.ones((ROWS, COLUMNS), np.float32)
chance = np.random.default_rng(0)


def wide(share, top=0):
    """Somebody who takes this share of the columns, with a soft edge."""
    across = np.clip((share * COLUMNS - np.arange(COLUMNS)) / 6 + 0.5, 0, 1)
    seen = np.tile(across, (ROWS, 1)).astype(np.float32)
    seen[:top] = 0
    return seen


ALMOST = wide(0.95, top=3)


class Judge:
    """Shows maps, a frame each; `asked` are the known pictures, `wrong` makes their answers wrong."""

    def __init__(self, fps=30.0, proven=True, again=None):
        self.doubt, self.fps, self.again = Doubt(), fps, again
        self.asked, self.wrong, self.seq = [], False, 0
        self.examine = self._examine if proven else None

    def _examine(self, everything):
        self.asked.append(everything)
        if self.wrong:
            raise EngineError("wrong")

    def shows(self, probability, reused=False):
        self.seq += 1
        frame = Frame.allocate(64, 48)
        frame.seq, frame.timestamp = self.seq, self.seq / self.fps
        seen = Map(probability, (0, 0, 64, 48), self.seq, self.seq - reused)
        try:
            assert self.doubt.judge(seen, frame, self.examine, self.again).probability is not None
        except EngineError:
            return False
        return True

    def until_shown(self, probability):
        return next(frames for frames in range(1, 100) if self.shows(probability))


@pytest.mark.parametrize("sudden", [ONES, ALMOST])
@pytest.mark.parametrize("before", [[], [wide(0.3)], [wide(0.0)]], ids=["start", "person", "nobody"])
@pytest.mark.parametrize("fps", [5, 10, 30, 60])
def test_all_of_the_picture_at_once_is_shown_soon_but_not_at_once(sudden, before, fps):
    judge = Judge(fps)
    assert all(judge.shows(seen) for seen in before)
    frames = judge.until_shown(sudden)
    assert frames >= 3
    assert (frames - 1) / fps < 0.5
    assert len(judge.asked) >= 3 or judge.asked[-1]
    # then it is believed as long as it lasts
    assert all(judge.shows(sudden) for _ in range(9))


def test_it_is_not_believed_when_the_known_pictures_come_out_wrong():
    judge = Judge()
    judge.wrong = True
    assert not any(judge.shows(ONES) for _ in range(100))


def test_a_single_frame_of_it_leaves_the_next_one_its_doubts():
    judge = Judge()
    for _ in range(20):
        assert not judge.shows(ONES)
        assert judge.shows(wide(0.3))


def test_a_map_that_is_used_again_is_no_second_look():
    judge = Judge()
    assert not judge.shows(ALMOST)
    assert not any(judge.shows(ALMOST, reused=True) for _ in range(8))


def test_who_walks_up_to_the_camera_is_shown_in_every_frame():
    judge = Judge()
    assert all(judge.shows(wide(share)) for share in np.linspace(0.2, 0.98, 12))
    assert judge.asked == []


def test_what_is_the_same_everywhere_is_doubted_even_of_somebody_who_is_near():
    judge = Judge()
    assert judge.shows(wide(0.75))
    assert not judge.shows(ONES)


@pytest.mark.parametrize(
    "nonsense",
    [
        np.full_like(ONES, 0.5),
        np.full_like(ONES, 0.2),
        np.full_like(ONES, 0.6) + 0.01 * chance.random(ONES.shape, np.float32),
        chance.random(ONES.shape, np.float32),
        (np.indices(ONES.shape).sum(axis=0) % 2).astype(np.float32),
    ],
    ids=["half", "a fifth", "nearly constant", "noise", "chequers"],
)
def test_what_says_nothing_is_never_shown_and_the_engine_is_asked(nonsense):
    judge = Judge()
    assert judge.shows(wide(0.3))
    assert not any(judge.shows(nonsense) for _ in range(60))
    assert len(judge.asked) == 60


def test_nobody_and_a_crowd_are_no_nonsense():
    judge = Judge()
    crowd = sum(np.roll(wide(0.1), 32 * place, axis=1) for place in range(4)).clip(0, 1).astype(np.float32)
    for seen in (np.zeros_like(ONES), np.full_like(ONES, 0.03), crowd, wide(0.5, top=30)):
        assert judge.shows(seen)
    assert judge.asked == []


def test_a_segmenter_that_cannot_be_asked_is_believed_late_and_never_where_all_is_the_same():
    judge = Judge(proven=False)
    assert not any(judge.shows(ONES) for _ in range(100))
    judge.doubt.reset()
    assert 12 <= judge.until_shown(ALMOST) <= 15


def test_a_picture_of_its_own_is_looked_at_again_at_once():
    second = Map(ALMOST, (0, 0, 64, 48), 1, 1)
    judge = Judge(again=lambda: second)
    assert judge.shows(ALMOST)
    assert judge.asked == [True]
    judge = Judge(again=lambda: Map(wide(0.3), (0, 0, 64, 48), 1, 1))
    assert not judge.shows(ALMOST)


def test_after_a_reset_nobody_is_near_any_more():
    judge = Judge()
    assert judge.shows(wide(0.7))
    assert judge.shows(ALMOST)
    judge.doubt.reset()
    assert not judge.shows(ALMOST)


@pytest.mark.parametrize(
    "odd", [np.zeros((0, 0), np.float32), np.ones((1, 4, 4), np.float32), np.ones((4, 4), np.uint8)]
)
def test_what_is_no_map_is_left_for_the_matte_to_refuse(odd):
    assert Judge().shows(odd)
