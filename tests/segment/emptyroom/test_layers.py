from __future__ import annotations

import numpy as np
import pytest

from vcam import native
from vcam.frames import Frame
from vcam.segment.emptyroom.layers import PATIENCE, SAME, Layers
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.types import U8

SIZE = (64, 48)
HALF = (24, 32)
NEED = 4
EVERYWHERE, NOWHERE = np.ones(HALF, np.uint8), np.zeros(HALF, np.uint8)


def plain(y: int, u: int = 120, v: int = 140) -> Frame:
    frame = Frame.allocate(*SIZE)
    frame.fill(y, u, v)
    return frame


def without_loops(monkeypatch: pytest.MonkeyPatch, need: int = NEED) -> Layers:
    monkeypatch.setattr(native, "kernels", lambda: None)
    return Layers(SIZE, full_range=False, need=need)


@pytest.fixture(params=["the loop", "numpy"])
def layers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Layers:
    if request.param == "numpy":
        return without_loops(monkeypatch)
    if native.kernels() is None:
        pytest.skip("the compiled loops were not built: sudo apt install gcc libc6-dev, then install vcam anew")
    return Layers(SIZE, full_range=False, need=NEED)


def seen(layers: Layers, frame: Frame, times: int = 1, sure: U8 = EVERYWHERE) -> RoomPicture:
    for _ in range(times):
        layers.learn(frame, sure, NOWHERE)
    return layers.picture()


def test_nothing_is_known_before_it_was_seen_often_enough(layers: Layers) -> None:
    assert not seen(layers, plain(90), NEED - 1).known.any()
    room = seen(layers, plain(90))
    assert room.known.all()
    assert (room.frame.y == 90).all()
    assert (room.frame.u == 120).all()


def test_what_is_not_surely_the_room_is_never_learnt(layers: Layers) -> None:
    sure = EVERYWHERE.copy()
    sure[5:15, 8:20] = 0
    room = seen(layers, plain(90), 50, sure)
    assert np.array_equal(room.known != 0, sure != 0)


def test_what_may_be_somebody_missed_is_doubted_and_never_becomes_the_room(layers: Layers) -> None:
    seen(layers, plain(90), NEED)
    assert not seen(layers, plain(200), 3 * NEED, 2 * EVERYWHERE).known.any()
    # what was seen meanwhile counts for nothing later
    assert not seen(layers, plain(200), NEED - 1).known.any()
    room = seen(layers, plain(90), 1, 2 * EVERYWHERE)
    assert room.known.all()
    assert (room.frame.y == 90).all()


def test_a_chair_that_was_moved_is_doubted_at_once_and_learnt_anew(layers: Layers) -> None:
    seen(layers, plain(90), NEED)
    moved = plain(90)
    moved.y[10:30, 20:40] = 200
    moved.u[5:15, 10:20] = 60
    room = seen(layers, moved)
    assert not room.known[5:15, 10:20].any()
    assert room.known[0, 0]
    room = seen(layers, moved, NEED - 1)
    assert room.known.all()
    assert (room.frame.y[12:28, 22:38] == 200).all()


def test_one_pixel_alone_is_noise(layers: Layers) -> None:
    seen(layers, plain(90), NEED)
    speck = plain(90)
    speck.u[7, 7] = 20
    assert seen(layers, speck).known.all()


def test_a_shadow_is_never_doubted_and_takes_much_longer(layers: Layers) -> None:
    seen(layers, plain(150, 128, 128), NEED)
    dark = plain(90, 128, 128)
    room = seen(layers, dark, NEED * PATIENCE - 1)
    assert room.known.all()
    assert (room.frame.y == 150).all()
    assert (seen(layers, dark).frame.y == 90).all()


def test_what_agrees_is_averaged_in_and_noise_goes(layers: Layers) -> None:
    chance = np.random.default_rng(1)
    for _ in range(60):
        frame = plain(90)
        frame.y += chance.integers(-6, 7, frame.y.shape, dtype=np.int8).astype(np.uint8)
        layers.learn(frame, EVERYWHERE, NOWHERE)
    assert np.abs(layers.picture().frame.y.astype(int) - 90).max() <= 3


def test_the_light_of_the_frame_is_taken_off(layers: Layers) -> None:
    seen(layers, plain(100, 128, 128), NEED)
    lines = ((1.2, 1.0, 1.0), (10.0, 0.0, 0.0))
    for _ in range(40):
        layers.learn(plain(130, 128, 128), EVERYWHERE, NOWHERE, lines)
    assert (layers.picture().frame.y == 100).all()


def test_something_strange_is_doubted_without_being_learnt(layers: Layers) -> None:
    seen(layers, plain(90), NEED)
    strange = NOWHERE.copy()
    strange[5:15, 5:15] = 1
    for _ in range(30):
        layers.learn(plain(200, 60, 60), NOWHERE, strange)
    room = layers.picture()
    assert not room.known[8, 8]
    assert room.known[20, 28]
    assert (room.frame.y == 90).all()


def test_a_known_room_is_gone_on_with(layers: Layers) -> None:
    room = RoomPicture(plain(77), np.full(HALF, 255, np.uint8))
    layers.begin(room)
    assert (layers.picture().frame.y == 77).all()
    with pytest.raises(ValueError, match="instead of"):
        layers.begin(RoomPicture(Frame.allocate(32, 32), np.zeros((16, 16), np.uint8)))


def test_the_loop_learns_what_numpy_learns(kernels: native.Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = Layers(SIZE, full_range=False, need=3)
    slow = without_loops(monkeypatch, 3)
    chance = np.random.default_rng(3)
    base = chance.integers(30, 220, (6, 8), np.uint8)
    for step in range(80):
        frame = Frame.allocate(*SIZE)
        for plane in frame.planes:
            scale = plane.shape[0] // 6
            noisy = np.kron(base, np.ones((scale, scale))) + chance.normal(0, 3, plane.shape)
            np.copyto(plane, np.clip(noisy, 0, 255), casting="unsafe")
        if step % 20 == 19:
            base = np.roll(base, 1, 1)
        sure = (chance.random(HALF) < 0.8).astype(np.uint8) * chance.integers(1, 3, HALF, np.uint8)
        strange = (chance.random(HALF) < 0.02).astype(np.uint8)
        lines = ((1.0 + 0.1 * (step % 3), 1.0, 1.0), (float(step % 5), 0.0, 1.0)) if step % 2 else SAME
        for layers in (fast, slow):
            layers.learn(frame, sure, strange, lines)
    mine, theirs = fast.picture(), slow.picture()
    assert np.mean(mine.known != theirs.known) < 0.01
    known = np.kron((mine.known & theirs.known) != 0, np.ones((2, 2), bool))
    assert np.quantile(np.abs(mine.frame.y.astype(int) - theirs.frame.y)[known], 0.99) <= 1
