from __future__ import annotations

import numpy as np
import pytest

from vcam.assets import asset
from vcam.camera.demo import PERIOD, DemoScene, _at_half_size, room
from vcam.errors import UsageError
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.testing import FakeClock

SIZE = (640, 360)


@pytest.fixture(scope="module")
def scene():
    made = DemoScene(SIZE, 30)
    made.open()
    return made


def test_a_frame_depends_on_its_number_alone(scene):
    other = DemoScene(SIZE, 30)
    other.open()
    later = [other.read() for _ in range(18)][-1]
    assert later.seq == 17
    assert np.array_equal(scene.frame(17).buffer, later.buffer)


def test_the_motion_loops_and_moves(scene):
    start = scene.frame(0).y.astype(int)
    period = round(PERIOD * 30)
    assert np.array_equal(scene.frame(period).y, start)
    step = np.abs(scene.frame(1).y - start).mean()
    far = np.abs(scene.frame(period // 3).y - start).mean()
    seam = np.abs(scene.frame(period - 1).y - start).mean()
    assert far > 3 * step > 0
    assert seam < 2 * step


@pytest.mark.parametrize("number", [0, 25, 60, 95])
def test_the_true_matte_tells_room_from_person(scene, number):
    frame = scene.frame(number)
    alpha = scene.true_alpha(number)
    assert alpha.shape == frame.y.shape
    outside = alpha == 0
    behind = bgr_to_frame(room(SIZE))
    assert np.array_equal(frame.y[outside], behind.y[outside])
    inside = alpha == 255
    assert (np.abs(frame.y[inside].astype(int) - behind.y[inside]) > 8).mean() > 0.7


@pytest.mark.parametrize("number", range(0, 120, 8))
def test_the_bust_rests_on_the_lower_edge(scene, number):
    alpha = scene.true_alpha(number)
    rows = np.flatnonzero((alpha > 128).any(axis=1))
    share = (rows[-1] + 1 - rows[0]) / SIZE[1]
    assert rows[-1] == SIZE[1] - 1
    assert 0.6 <= share <= 0.78
    assert (alpha[-1] == 255).mean() > 0.25
    columns = np.flatnonzero((alpha > 128).any(axis=0))
    assert columns[0] > 0
    assert columns[-1] < SIZE[0] - 1


def test_chroma_follows_luma(scene):
    scene.frame(40)
    alpha = scene.true_alpha(40)
    red = frame_to_bgr(scene.frame(40))[alpha == 255].astype(int)
    # the suit is orange: where luma and chroma are apart, this share falls
    orange = (red[:, 2] > 180) & (red[:, 0] < 110)
    assert orange.mean() > 0.3
    v = scene.frame(40).v
    assert np.array_equal(v[alpha[::2, ::2] == 0][:50], bgr_to_frame(room(SIZE)).v[alpha[::2, ::2] == 0][:50])


def test_chroma_moves_to_the_places_between_luma_samples():
    motion = np.float32([[1.02, -0.3, 7.0], [0.3, 0.98, -4.5]])
    half = _at_half_size(motion)
    for x, y in ((0.0, 0.0), (13.0, 5.0), (40.5, 99.0)):
        moved = half @ np.float32([x, y, 1])
        assert 2 * moved + 0.5 == pytest.approx(motion @ np.float32([2 * x + 0.5, 2 * y + 0.5, 1]), abs=1e-3)


def test_the_room_has_enough_detail_to_show_a_leak():
    y = bgr_to_frame(room(SIZE)).y.astype(int)
    assert np.abs(np.diff(y, axis=1)).mean() > 3


@pytest.mark.parametrize("size", [(1280, 720), (360, 640), (480, 480), (64, 48)])
def test_any_size_works(size):
    scene = DemoScene(size)
    scene.open()
    frame = scene.read()
    assert frame.size == size
    assert 0.1 < (scene.true_alpha(0) > 128).mean() < 0.6
    scene.close()
    scene.close()


def test_an_odd_size_is_refused():
    with pytest.raises(UsageError, match="even"):
        DemoScene((641, 360)).open()


def test_a_paced_scene_waits_for_its_frames():
    clock = FakeClock(50.0)
    scene = DemoScene(SIZE, 25, True, clock=clock, sleep=clock.sleep)
    scene.open()
    assert [scene.read().timestamp for _ in range(3)] == pytest.approx([50.0, 50.04, 50.08])
    free = DemoScene(SIZE, 25)
    free.open()
    assert [free.read().timestamp for _ in range(3)] == pytest.approx([0, 0.04, 0.08])


def test_the_demo_background_is_a_full_hd_picture():
    assert read_image(asset("dusk.jpg")).shape == (1080, 1920, 3)
    assert asset("dusk.jpg").stat().st_size < 300_000
