"""The camera: opened when wanted, let go when not, opened again when lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from vcam.daemon.keeper import CameraKeeper
from vcam.errors import CameraError
from vcam.testing import FakeCamera, FakeClock


class Obstinate(FakeCamera):
    """Raises `fault` when it is opened."""

    fault: Exception | None = None

    def open(self) -> None:
        super().open()
        if self.fault:
            raise self.fault


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def camera() -> Obstinate:
    return Obstinate([])


@pytest.fixture
def keeper(camera: Obstinate, clock: FakeClock) -> Iterator[CameraKeeper]:
    keeper = CameraKeeper(camera, clock=clock)
    yield keeper
    keeper.close()


def until(keeper: CameraKeeper, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
        keeper.look()


def test_a_camera_that_does_not_come_back_holds_up_neither_the_end_nor_the_process(
    camera: Obstinate, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go, in_it = threading.Event(), threading.Event()

    def hang() -> None:
        in_it.set()
        let_go.wait(60)

    monkeypatch.setattr(camera, "open", hang)
    keeper = CameraKeeper(camera)
    keeper.want()
    assert in_it.wait(30)
    began = time.monotonic()
    keeper.close()
    assert time.monotonic() - began < 20
    # the interpreter waits for every other thread at its end
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "vcam-camera")
    let_go.set()


def test_it_knows_since_when_a_camera_owes_its_first_frame(
    keeper: CameraKeeper, camera: Obstinate, clock: FakeClock
) -> None:
    assert keeper.silent_since is None
    for _ in range(2):
        keeper.want()
        until(keeper, lambda: keeper.ready)
        opened = clock.now
        clock.now += 5
        keeper.look()
        assert keeper.silent_since == opened
        keeper.worked()
        assert keeper.silent_since is None
        keeper.release()
    keeper.exchange(FakeCamera([]), on=True)
    assert keeper.silent_since == clock.now
    keeper.exchange(FakeCamera([]), on=False)
    assert keeper.silent_since is None


def test_it_never_blocks_its_caller() -> None:
    wake_up = threading.Event()

    class Slow(FakeCamera):
        def open(self) -> None:
            assert wake_up.wait(60), "the caller waits for it"

    keeper = CameraKeeper(Slow([]))
    for _ in range(2):
        keeper.want()
        keeper.look()
        assert not keeper.ready
    wake_up.set()
    until(keeper, lambda: keeper.ready)
    keeper.close()


def test_it_is_opened_once_however_often_it_is_wanted(keeper: CameraKeeper, camera: Obstinate) -> None:
    keeper.want()
    keeper.want()
    until(keeper, lambda: keeper.ready)
    keeper.want()
    keeper.release()
    until(keeper, lambda: camera.closed == 1)
    assert camera.opened == 1


def test_one_that_cannot_be_opened_is_tried_again_after_a_while(
    keeper: CameraKeeper, camera: Obstinate, clock: FakeClock
) -> None:
    camera.fault = CameraError("it is in use")
    keeper.want()
    until(keeper, lambda: keeper.error is camera.fault)
    keeper.want()
    clock.now += 0.2
    keeper.want()
    assert camera.opened == 1
    clock.now += 0.1
    camera.fault = None
    keeper.want()
    until(keeper, lambda: keeper.ready)
    assert keeper.error is not None, "that it could be opened tells nothing yet"
    keeper.worked()
    assert keeper.error is None


def test_whatever_opening_it_raises_is_told_as_its_error(keeper: CameraKeeper, camera: Obstinate) -> None:
    camera.fault = ZeroDivisionError("a bug")
    keeper.want()
    until(keeper, lambda: keeper.error is not None)
    assert isinstance(keeper.error, CameraError)
    assert keeper.error.message == "the camera cannot be opened: a bug"


def test_one_that_was_lost_waits_longer_each_time_until_a_frame_comes(
    keeper: CameraKeeper, camera: Obstinate, clock: FakeClock
) -> None:
    def wait_until_opened(times: int) -> float:
        began = clock.now
        while not keeper.ready:
            clock.now += 0.05
            keeper.want()
            until(keeper, lambda: keeper._opening is None)
        assert camera.opened == times
        return round(clock.now - began, 2)

    wait_until_opened(1)
    waits = []
    for times in (2, 3):
        keeper.lost(CameraError("unplugged"))
        assert not keeper.ready
        waits.append(wait_until_opened(times))
    keeper.worked()
    keeper.lost(CameraError("unplugged"))
    waits.append(wait_until_opened(4))
    assert waits == pytest.approx([0.25, 0.5, 0.25], abs=0.06)
    keeper.release()
    until(keeper, lambda: camera.closed == 4)


def test_what_was_wrong_is_forgotten_once_nobody_wants_it(keeper: CameraKeeper, camera: Obstinate) -> None:
    camera.fault = CameraError("it is in use")
    keeper.want()
    until(keeper, lambda: keeper.error is not None)
    keeper.release()
    assert keeper.error is None
    camera.fault = None
    keeper.want()
    until(keeper, lambda: keeper.ready)
    assert camera.opened == 2, "it had to wait for nobody's sake"


def test_one_that_opens_only_after_it_was_let_go_is_closed() -> None:
    wake_up = threading.Event()

    class Slow(FakeCamera):
        def open(self) -> None:
            super().open()
            wake_up.wait(60)

    camera = Slow([])
    keeper = CameraKeeper(camera)
    keeper.want()
    keeper.release()
    wake_up.set()
    while not (keeper._opening and keeper._opening.done()):
        time.sleep(0.001)
    keeper.release()
    assert not keeper.ready
    until(keeper, lambda: camera.closed == 1)
    keeper.close()


def test_one_that_was_still_being_opened_when_another_came_says_nothing_about_that(camera: Obstinate) -> None:
    wake_up = threading.Event()

    class Slow(FakeCamera):
        def open(self) -> None:
            wake_up.wait(60)
            raise CameraError("too late")

    keeper = CameraKeeper(Slow([]))
    keeper.want()
    keeper.exchange(camera, on=False)
    wake_up.set()
    keeper.want()
    until(keeper, lambda: keeper.ready)
    assert keeper.error is None
    assert camera.opened == 1
    keeper.close()


def test_the_log_tells_when_its_light_is_on_and_what_is_wrong_once(
    keeper: CameraKeeper, camera: Obstinate, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for fault in (CameraError("gone"), CameraError("gone"), CameraError("in use"), None):
        camera.fault = fault
        clock.now += 10
        keeper.want()
        until(keeper, lambda: keeper._opening is None)
    keeper.release()
    assert [record.getMessage() for record in caplog.records] == [
        "gone",
        "in use",
        "camera on: fake camera",
        "camera off",
    ]


def test_another_one_takes_its_place(keeper: CameraKeeper, camera: Obstinate) -> None:
    keeper.want()
    until(keeper, lambda: keeper.ready)
    other = Obstinate([])
    keeper.exchange(other, on=True)
    assert keeper.ready
    assert keeper.camera is other
    assert keeper.error is None
    until(keeper, lambda: camera.closed == 1)


def test_another_camera_is_told_of_and_the_same_one_turned_is_not(
    keeper: CameraKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    same, other = FakeCamera([]), FakeCamera([])
    same.description, other.description = keeper.camera.description, "another"
    with caplog.at_level("INFO"):
        keeper.exchange(same, on=False)
        assert caplog.text == ""
        keeper.exchange(other, on=False)
    assert [record.message for record in caplog.records] == ["another camera: another"]
