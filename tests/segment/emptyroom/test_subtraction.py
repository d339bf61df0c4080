"""Background subtraction on a room that is known with and without a person."""

from __future__ import annotations

import stat

import cv2
import numpy as np
import pytest

from vcam.camera.demo import DemoScene, room
from vcam.errors import EngineError, UsageError
from vcam.frames import Frame
from vcam.images import bgr_to_frame
from vcam.segment.emptyroom.learner import RoomLearner
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.emptyroom.roomfile import RoomPlace, read_room
from vcam.segment.emptyroom.subtraction import STEP_OUT, PersonShape, SubtractionSegmenter
from vcam.segment.segmenter import open_segmenter
from vcam.settings import SegmentSettings, Settings

SIZE = (640, 360)
MODES = ["static", "adaptive"]
FRAMES = 12


def noisy(frame: Frame, seed: int, gain: float = 1.0) -> Frame:
    chance = np.random.default_rng(seed)
    copy = Frame.allocate(*frame.size)
    for target, plane, strength in zip(copy.planes, frame.planes, (3.0, 1.5, 1.5), strict=True):
        # light changes colours with brightness: in limited range round their own zero
        zero = 16 if target is copy.y else 128
        samples = (plane.astype(np.float32) - zero) * gain + zero
        samples += strength * chance.standard_normal(plane.shape, np.float32)
        np.copyto(target, np.clip(np.rint(samples), 16, 235), casting="unsafe")
    return copy


@pytest.fixture(scope="module")
def empty() -> Frame:
    return bgr_to_frame(room(SIZE))


@pytest.fixture(scope="module")
def scene() -> DemoScene:
    scene = DemoScene(SIZE, 30.0)
    scene.open()
    return scene


def settings(mode: str = "static", **changes: object) -> SegmentSettings:
    given = {f"segment__{name}": value for name, value in changes.items()}
    return Settings().replace(segment__backend="subtraction", segment__subtraction=mode,
                              segment__room_frames=FRAMES, **given).segment  # fmt: skip


def build(tmp_path, mode: str = "static", **changes: object) -> SubtractionSegmenter:
    return SubtractionSegmenter(settings(mode, **changes), SIZE, place=place(tmp_path))


def place(tmp_path, name: str = "camera") -> RoomPlace:
    return RoomPlace.of(name, name, SIZE, tmp_path / "rooms")


def learn(segmenter: SubtractionSegmenter, empty: Frame) -> None:
    for seed in range(FRAMES - 1):
        with pytest.raises(EngineError, match="step out"):
            segmenter.segment(noisy(empty, seed))
    segmenter.segment(noisy(empty, FRAMES))


def overlap(probability: np.ndarray, alpha: np.ndarray) -> float:
    true = cv2.resize(alpha, probability.shape[::-1], interpolation=cv2.INTER_AREA) >= 128
    found = probability >= 0.5
    return (found & true).sum() / (found | true).sum()


@pytest.mark.parametrize("mode", MODES)
def test_the_person_before_a_learnt_room_is_found(mode, tmp_path, empty, scene) -> None:
    segmenter = build(tmp_path, mode)
    learn(segmenter, empty)
    for number in (0, 20, 45, 70, 100):
        probability = segmenter.segment(noisy(scene.frame(number), number)).probability
        assert probability.dtype == np.float32
        assert probability.shape == segmenter.map_size[::-1]
        assert 0 <= probability.min() <= probability.max() <= 1
        assert overlap(probability, scene.true_alpha(number)) > 0.85, number


@pytest.mark.parametrize("mode", MODES)
def test_nobody_is_found_in_the_empty_room(mode, tmp_path, empty) -> None:
    segmenter = build(tmp_path, mode)
    learn(segmenter, empty)
    assert all(segmenter.segment(noisy(empty, 50 + seed)).probability.max() == 0 for seed in range(6))


@pytest.mark.long
def test_an_adaptive_room_follows_the_light_though_somebody_sits_before_it(tmp_path, empty, scene) -> None:
    segmenter = build(tmp_path, "adaptive")
    learn(segmenter, empty)
    frames = 240
    for number in range(frames):
        gain = 1 + 0.15 * number / frames
        probability = segmenter.segment(noisy(scene.frame(number % 20), number, gain)).probability
    assert overlap(probability, scene.true_alpha((frames - 1) % 20)) > 0.85
    # nor has the person become part of the room, or the room behind stayed as dark as it was
    assert segmenter.segment(noisy(empty, 1, 1.15)).probability.mean() < 0.02


def test_while_it_learns_it_says_what_to_do_and_gives_no_matte(tmp_path, empty) -> None:
    segmenter = build(tmp_path)
    assert segmenter.notice == STEP_OUT
    learn(segmenter, empty)
    assert segmenter.notice == ""


def test_somebody_who_moves_is_not_taken_for_the_room(tmp_path, empty, scene) -> None:
    segmenter = build(tmp_path)
    for number in range(0, 6 * FRAMES, 3):
        with pytest.raises(EngineError):
            segmenter.segment(scene.frame(number))
    learn(segmenter, empty)
    assert overlap(segmenter.segment(scene.frame(20)).probability, scene.true_alpha(20)) > 0.85


def test_a_known_room_is_loaded_and_learnt_only_when_asked(tmp_path, empty, scene) -> None:
    learn(build(tmp_path), empty)
    assert overlap(build(tmp_path).segment(scene.frame(0)).probability, scene.true_alpha(0)) > 0.85
    with pytest.raises(EngineError, match="step out"):
        build(tmp_path, relearn=True).segment(empty)
    # what was known is not lost before another room is learnt
    assert build(tmp_path).segment(empty).probability.max() == 0


def test_what_is_kept_is_the_room_of_this_camera_as_a_network_would_use_it(tmp_path, empty) -> None:
    learn(build(tmp_path), empty)
    (file,) = (tmp_path / "rooms").iterdir()
    assert file == place(tmp_path).path != place(tmp_path, "another").path
    kept = read_room(file)
    assert kept.about.how == "watched"
    assert kept.room.known.all()
    assert np.abs(kept.room.frame.y.astype(int) - empty.y).mean() < 1.5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_written_of_a_private_room_nor_of_a_film(tmp_path, empty, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    learn(build(tmp_path, private=True), empty)
    learn(SubtractionSegmenter(settings(), SIZE), empty)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("how", "share"), [("learnt", 1.0), ("told", 0.5)])
def test_a_room_that_nobody_called_empty_or_that_is_half_known_is_learnt_anew(how, share, tmp_path, empty) -> None:
    known = np.full(empty.u.shape, 255, np.uint8)
    known[: round((1 - share) * known.shape[0])] = 0
    place(tmp_path).write(RoomPicture(empty, known), how, 1.0)
    learn(build(tmp_path), empty)
    assert build(tmp_path).segment(empty).probability.max() == 0


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_a_damaged_room_is_learnt_anew(content, tmp_path, empty) -> None:
    learn(build(tmp_path), empty)
    (file,) = (tmp_path / "rooms").iterdir()
    file.write_bytes(content)
    learn(build(tmp_path), empty)
    assert build(tmp_path).segment(empty).probability.max() == 0


def test_a_room_that_cannot_be_kept_is_used_all_the_same(tmp_path, empty, caplog) -> None:
    (tmp_path / "rooms").write_text("in the way")
    learn(build(tmp_path), empty)
    assert "cannot be kept" in caplog.text


def test_the_camera_going_off_does_not_cost_the_room(tmp_path, empty, scene) -> None:
    segmenter = build(tmp_path)
    learn(segmenter, empty)
    segmenter.reset()
    assert overlap(segmenter.segment(scene.frame(0)).probability, scene.true_alpha(0)) > 0.85


def test_frames_before_and_after_a_break_are_not_one_room() -> None:
    learner = RoomLearner(3, 20, (64, 64))

    def add(level: int) -> RoomPicture | None:
        frame = Frame.allocate(64, 64)
        frame.fill(level, 128, 128)
        return learner.add(frame, frame.planes)

    assert add(60) is add(60) is None
    learner.reset()
    assert add(65) is add(65) is None
    room = add(65)
    assert room is not None
    assert (room.frame.y == 65).all()


def test_a_camera_that_changes_its_range_is_the_same_room(tmp_path, empty, scene) -> None:
    learn(build(tmp_path), empty)
    segmenter = build(tmp_path)
    for number in range(6):
        limited, full = scene.frame(number), Frame.allocate(*SIZE)
        for target, plane, zero, span in zip(full.planes, limited.planes, (16, 128, 128), (219, 224, 224), strict=True):
            levels = (plane.astype(np.float32) - zero) * 255 / span + (0 if zero == 16 else 128)
            np.copyto(target, np.clip(np.rint(levels), 0, 255), casting="unsafe")
        full.full_range = True
        try:
            probability = segmenter.segment(full).probability
        except EngineError:
            assert number < 4
    assert overlap(probability, scene.true_alpha(5)) > 0.85


def test_between_an_arm_and_the_body_the_room_is_not_shown(tmp_path, empty) -> None:
    segmenter = build(tmp_path)
    learn(segmenter, empty)
    frame = noisy(empty, 1)
    body, hole = np.zeros(SIZE[::-1], np.uint8), np.zeros(SIZE[::-1], np.uint8)
    cv2.rectangle(body, (200, 120), (440, 360), 255, -1)
    cv2.rectangle(hole, (280, 180), (360, 300), 255, -1)
    body[hole > 0] = 0
    frame.y[body > 0] = 110
    frame.u[body[::2, ::2] > 0], frame.v[body[::2, ::2] > 0] = 100, 170
    try:
        probability = segmenter.segment(frame).probability
    except EngineError:
        return
    middle = cv2.erode(hole, np.ones((21, 21)))
    shown = cv2.resize(probability, SIZE)[middle > 0]
    assert (shown > 0.5).mean() < 0.05


def test_a_camera_that_was_moved_shows_nobody_instead_of_the_room(tmp_path, empty) -> None:
    segmenter = build(tmp_path)
    learn(segmenter, empty)
    elsewhere = Frame.allocate(*SIZE)
    elsewhere.fill(230, 60, 200)
    with pytest.raises(EngineError, match="moved") as caught:
        segmenter.segment(elsewhere)
    assert "segment.relearn" in caught.value.hint
    assert "moved" in segmenter.notice
    segmenter.segment(empty)
    assert segmenter.notice == ""


def test_shapes_lose_holes_and_specks_and_keep_a_raised_hand() -> None:
    difference = np.zeros((144, 256), np.uint8)
    difference[40:144, 80:180] = 255
    difference[70:90, 110:140] = 0
    difference[30:50, 210:228] = 255
    difference[10:13, 10:13] = 255
    probability = PersonShape((256, 144)).clean(difference)
    assert probability[80, 125] == 1
    assert probability[40, 219] == 1
    assert probability[:20, :20].max() == 0
    assert probability[60, 79] == pytest.approx(probability[60, 180], abs=0.01)


def test_the_backend_is_chosen_by_its_setting_and_bad_modes_are_refused() -> None:
    for mode in ("static", "adaptive", "mog2"):
        assert isinstance(open_segmenter(settings(mode), SIZE, "nowhere"), SubtractionSegmenter)
    with pytest.raises(UsageError):
        settings("median")
