"""Where the person is: the teacher, mended by the empty room and by strokes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.learn.films import CHAIR, SIZE, film, told
from vcam.errors import InputError, UsageError
from vcam.frames import Frame, Map
from vcam.learn import labels as module
from vcam.learn.labels import Label, Labelled, Labeller, clear_furniture, differs, doubts, draw
from vcam.learn.strokes import doubtful, matched, read_strokes, write_frames
from vcam.settings import Settings
from vcam.testing import FakeSegmenter


def with_chair(matte):
    found = matte.copy()
    found[CHAIR] = 255
    return found


@pytest.fixture
def labelled():
    """A film whose teacher takes the chair for a part of the person."""
    made, true = film()
    every = [with_chair(matte) for matte in true]
    return Labelled(made, [Label(each.copy(), each, np.zeros(each.shape, bool)) for each in every]), true


def iou(one, other) -> float:
    one, other = one >= 128, other >= 128
    return float((one & other).sum() / (one | other).sum())


def test_furniture_that_stood_in_the_empty_room_is_cleared(labelled):
    made, true = labelled
    assert min(iou(label.matte, matte) for label, matte in zip(made.labels, true, strict=True)) < 0.85
    clear_furniture(made, told().room)
    assert min(iou(label.matte, matte) for label, matte in zip(made.labels, true, strict=True)) > 0.97
    # what the teacher said is still known, and that it was overruled
    assert made.labels[0].told[CHAIR].min() == 255
    assert made.labels[0].sure[100:140, 40:80].all()
    assert not made.labels[0].sure[:, 150:].any()


def test_a_person_is_never_cleared_even_in_the_wall_s_colour(labelled):
    # as bright as a wall that is even, but for a shade
    made, true = film(luma=64)
    plate = told().room
    plate.frame.y[:, 100:220], plate.frame.u[...], plate.frame.v[...] = 60, 100, 160
    person = Labelled(made, [Label(matte.copy(), matte, np.zeros(matte.shape, bool)) for matte in true])
    clear_furniture(person, plate)
    assert min(iou(label.matte, matte) for label, matte in zip(person.labels, true, strict=True)) > 0.97


def test_what_the_room_does_not_know_is_not_cleared(labelled):
    made, _ = labelled
    plate = told().room
    plate.known[:, :60] = 0
    clear_furniture(made, plate)
    assert made.labels[0].matte[100, 60] == 255


def test_the_light_may_have_changed_since_the_room_was_shown(labelled):
    made, true = labelled
    for frame in made.film.frames:
        frame.y[...] = np.clip(frame.y + 9.0, 16, 235)
    clear_furniture(made, told().room)
    assert iou(made.labels[0].matte, true[0]) > 0.97


def test_a_room_that_is_another_one_is_refused(monkeypatch):
    made, _ = film(60)
    fake = FakeSegmenter(map_size=(64, 36))
    monkeypatch.setattr(module, "open_network", lambda settings, size: fake)
    with Labeller(Settings(), "teacher", "student", SIZE) as labeller:
        plain = labeller.label(made, None)
        assert len(plain.labels) == 60
        assert plain.recognised is None
        assert not plain.labels[0].sure.any()
        with pytest.raises(InputError, match=r"recognised in 0 % of the frames of me.mkv"):
            labeller.label(made, told(seed=9))
        with pytest.raises(InputError, match="another form"):
            labeller.label(made, told(size=(160, 90)))
    assert fake.closed == 2


def test_doubts_are_where_teacher_and_network_differ_and_the_room_says_nothing(labelled):
    made, true = labelled
    for label, own in zip(made.labels, true, strict=True):
        label.own = own
    found = doubts(made)
    assert found[0][110, 60]
    assert not found[0][:, 200:].any()
    made.labels[0].sure[CHAIR] = True
    assert not doubts(made)[0].any()


class Half:
    """Sees a person of one strength in the left half of what it is shown; what is bright is on that side."""

    own_memory, closed = "", 0

    def __init__(self, strength: float) -> None:
        self.strength, self.shown = strength, []

    def segment(self, frame: Frame) -> Map:
        bright = frame.y[:, : frame.width // 2].mean() > frame.y[:, frame.width // 2 :].mean()
        self.shown.append(bool(bright))
        seen = np.zeros((36, 64), np.float32)
        seen[:, :32] = self.strength
        return Map.whole(np.ascontiguousarray(seen if bright else seen[:, ::-1]), frame)

    def reset(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_label_is_mostly_the_teacher_s_and_each_network_is_asked_mirrored_too(monkeypatch):
    made, _ = film(60)
    for frame in made.frames:
        frame.y[:, : SIZE[0] // 2], frame.y[:, SIZE[0] // 2 :] = 200, 40
    networks = {"teacher": Half(1.0), "student": Half(0.5)}
    monkeypatch.setattr(module, "open_network", lambda settings, size: networks[settings.segment.model])
    with Labeller(Settings(), "teacher", "student", SIZE) as labeller:
        found = labeller.label(made, None)
    assert networks["teacher"].shown[:2] == [True, False]
    assert networks["student"].shown[:2] == [True, False]
    assert found.labels[0].matte[90, 20] == round(255 * (0.7 * 1.0 + 0.3 * 0.5))
    assert found.labels[0].own[90, 20] == 128
    assert found.labels[0].matte[90, 300] == 0


def strokes_of(path, name, *, me=(), other=(), ground=0):
    picture = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    picture[..., 3] = ground
    for line, colour in [*((each, (0, 255, 0, 255)) for each in me), *((each, (0, 0, 255, 255)) for each in other)]:
        cv2.line(picture, *line, colour, 4)
    file = path / name
    cv2.imwrite(str(file), picture)
    return file


def test_a_stroke_over_a_chair_takes_it_out_of_all_frames(labelled, tmp_path):
    made, true = labelled
    stroke = read_strokes(strokes_of(tmp_path, "me-00004.png", other=[((45, 95), (75, 140))]))
    ((number, frame, found),) = matched([stroke], [made.film])
    assert (number, frame.seq) == (0, 4)
    draw(made, frame, found)
    scores = [iou(label.matte, matte) for label, matte in zip(made.labels, true, strict=True)]
    assert min(scores) > 0.95
    assert made.labels[40].sure[110, 60]


def test_a_stroke_in_green_adds_what_was_missed(tmp_path):
    made, true = film()
    missing = [matte.copy() for matte in true]
    for each in missing:
        each[140:] = 0
    lost = Labelled(made, [Label(each.copy(), each, np.zeros(each.shape, bool)) for each in missing])
    left = int(np.flatnonzero(true[4][160])[0])
    stroke = read_strokes(strokes_of(tmp_path, "me-00004.png", me=[((left + 20, 160), (left + 80, 160))]))
    draw(lost, made.learnt[4], stroke)
    assert iou(lost.labels[4].matte, true[4]) > 0.95


def test_strokes_that_say_nothing_are_named(tmp_path):
    with pytest.raises(UsageError, match="does not say which frame"):
        read_strokes(strokes_of(tmp_path, "me.png", me=[((1, 1), (9, 9))]))
    with pytest.raises(InputError, match="nothing red or green"):
        read_strokes(strokes_of(tmp_path, "me-00001.png"))
    with pytest.raises(InputError, match="no transparent ground"):
        read_strokes(strokes_of(tmp_path, "me-00001.png", me=[((1, 1), (9, 9))], ground=255))
    made, _ = film()
    far = read_strokes(strokes_of(tmp_path, "me-00999.png", me=[((1, 1), (9, 9))]))
    with pytest.raises(UsageError, match="drawn on no frame"):
        matched([far], [made])


def test_frames_to_draw_on_are_few_apart_and_for_their_owner(tmp_path):
    made, _ = film()
    some = np.zeros(SIZE[::-1], bool)
    some[:40, :40] = True
    nothing = np.zeros(SIZE[::-1], bool)
    chosen = doubtful(made, [some] * 20 + [nothing] * 10)
    assert len(chosen) == 3
    assert min(np.diff([frame.seq for frame in chosen])) >= 5
    assert doubtful(made, [nothing] * 30) == []
    paths = write_frames(tmp_path, made, chosen)
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o600] * 3
    assert matched([read_strokes(strokes_of(tmp_path, paths[0].name, me=[((1, 1), (9, 9))]))], [made])


def test_mattes_differ_where_they_say_something_else():
    one, other = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    other[0] = 200
    other[1] = 20
    assert differs(one, other).tolist() == [[True] * 4, [False] * 4, [False] * 4, [False] * 4]
