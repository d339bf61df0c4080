from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.daemon import live as live_module
from vcam.daemon.keeper import CameraKeeper
from vcam.daemon.live import Live, State
from vcam.daemon.outlets import Outlets
from vcam.errors import CameraError, CameraStalled, ModelError, OutputDeviceError, OutputError, UsageError
from vcam.frames import Frame
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline
from vcam.settings import BackgroundSettings, Settings
from vcam.testing import FakeCamera, FakeClock, FakeSegmenter, RecordingOutput, pattern_frame

SIZE = (96, 64)
SETTINGS = Settings().replace(output__size="96x64", output__targets=("null",), background__spec="color:#204080")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "PLACEHOLDER_INTERVAL", 0.002)
    monkeypatch.setattr(live_module, "LINGER", 0.05)
    monkeypatch.setattr("vcam.backoff.FIRST", 0.005)


class Screen(RecordingOutput):
    """A virtual camera: it shows placeholders too, and a test decides whether somebody reads it."""

    live = True

    def composited(self) -> int:
        return sum(is_composited(picture) for picture in self.frames)


def is_composited(picture: np.ndarray) -> bool:
    """The plain blue background at the left edge, as no placeholder has it."""
    frame = Frame.wrap(picture, *SIZE)
    return bool(np.unique(frame.y[:, :16]).size == 1 and abs(int(frame.u[0, 0]) - 159) < 8)


def build(settings, camera, size, outputs) -> Pipeline:
    background = parse_background(settings.background.spec, BackgroundSettings())
    return Pipeline(camera, FakeSegmenter(), make_matte(settings.matte), PlateComposer(background, size), outputs)


def endless() -> Iterator[Frame]:
    number = 0
    while True:
        time.sleep(0.001)
        yield pattern_frame(SIZE, number)
        number += 1


class Endless:
    """A script that starts anew with each opening of the camera."""

    def __init__(self, *firsts: list[Frame | Exception]) -> None:
        self.firsts = list(firsts)

    def __iter__(self) -> Iterator[Frame | Exception]:
        if self.firsts:
            yield from self.firsts.pop(0)
        yield from endless()


class Running:
    """A `Live` in a thread."""

    def __init__(self, life: Live) -> None:
        self.life, self.error = life, None
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.life.run()
        except Exception as error:
            self.error = error

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.life.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()

    def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"still {self.life.state}"
            time.sleep(0.002)


def start(script=None, *, watchers: bool = True, settings: Settings = SETTINGS) -> tuple[Running, FakeCamera, Screen]:
    camera, screen = FakeCamera(script or Endless(), size=SIZE, live=True), Screen()
    screen.watchers = watchers
    return Running(Live(settings, camera=camera, outputs=[screen], open_pipeline=build)), camera, screen


def test_while_nobody_watches_the_camera_stays_closed_and_the_placeholder_flows() -> None:
    running, camera, screen = start(watchers=False)
    with running:
        running.until(lambda: running.life.state is State.IDLE and len(screen.frames) > 10)
    assert camera.opened == 0
    assert screen.composited() == 0


def test_a_reader_switches_the_camera_on_and_its_leaving_switches_it_off() -> None:
    running, camera, screen = start(watchers=False)
    with running:
        running.until(lambda: running.life.state is State.IDLE)
        for turn in (1, 2):
            screen.watchers = True
            seen = screen.composited()
            running.until(lambda seen=seen: screen.composited() > seen + 3)
            screen.watchers = False
            running.until(lambda turn=turn: camera.closed >= turn)
            assert camera.opened == turn
            assert running.life.state is State.IDLE


def test_a_reader_that_comes_back_at_once_finds_the_camera_on() -> None:
    running, camera, screen = start()
    with running:
        running.until(lambda: running.life.state is State.LIVE)
        screen.watchers = False
        time.sleep(0.01)
        screen.watchers = True
        time.sleep(0.1)
        assert camera.opened == 1
        assert running.life.state is State.LIVE


def test_always_on_keeps_the_camera_open_without_readers() -> None:
    running, _, screen = start(watchers=False, settings=SETTINGS.replace(output__always_on=True))
    with running:
        running.until(lambda: screen.composited() > 3)


def test_a_lost_camera_gives_a_placeholder_and_comes_back_by_itself() -> None:
    first = [pattern_frame(SIZE, n) for n in range(5)] + [CameraError("it was unplugged")]
    running, camera, screen = start(Endless(first))
    with running:
        running.until(lambda: camera.opened >= 2 and screen.composited() > 10)
    assert any(not is_composited(picture) for picture in screen.frames[5:])
    for picture in screen.frames:
        raw = np.abs(Frame.wrap(picture, *SIZE).y[:, :16].astype(int) - pattern_frame(SIZE, 0).y[:, :16]) <= 3
        assert raw.mean() < 0.5


def test_a_camera_that_cannot_be_opened_is_tried_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Busy(FakeCamera):
        def open(self) -> None:
            super().open()
            if self.opened < 4:
                raise CameraError("/dev/video0 is in use by zoom")

    screen = Screen()
    running = Running(
        Live(SETTINGS, camera=Busy(Endless(), size=SIZE, live=True), outputs=[screen], open_pipeline=build)
    )
    with running:
        running.until(lambda: screen.composited() > 3)
    assert [record.message for record in caplog.records].count("/dev/video0 is in use by zoom") == 1


def test_a_short_stall_is_bridged_with_the_last_picture() -> None:
    first = [pattern_frame(SIZE, 0), CameraStalled("late"), CameraStalled("late")]
    running, camera, screen = start(Endless(first))
    with running:
        running.until(lambda: screen.composited() > 8)
    shown = [picture for picture in screen.frames if is_composited(picture)]
    assert np.array_equal(shown[0], shown[1])
    assert np.array_equal(shown[0], shown[2])
    assert camera.opened == 1


def test_a_long_stall_is_a_lost_camera() -> None:
    first = [pattern_frame(SIZE, 0)] + [CameraStalled("late")] * 100_000
    settings = SETTINGS.replace(camera__timeout=0.2)
    running, camera, screen = start(Endless(first), settings=settings)
    with running:
        running.until(lambda: camera.opened >= 2 and screen.composited() > 3)


def test_what_cannot_be_opened_at_the_start_is_an_error_and_nothing_stays_open() -> None:
    screen = Screen()

    def broken(*args: object) -> Pipeline:
        raise ModelError("the network is damaged")

    life = Live(SETTINGS, camera=FakeCamera([], size=SIZE), outputs=[screen], open_pipeline=broken)
    with pytest.raises(ModelError):
        life.run()
    assert screen.aborted == 1
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("vcam")] == []


def test_the_number_of_frames_ends_the_run_and_finishes_the_outputs() -> None:
    screen, camera = Screen(), FakeCamera(Endless(), size=SIZE, live=True)
    pipeline = Live(SETTINGS, camera=camera, outputs=[screen], open_pipeline=build).run(frames=7)
    assert pipeline.timings.frames == 7
    assert (screen.closed, screen.aborted) == (1, 0)
    assert camera.closed >= 1


def test_the_same_output_twice_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="twice"):
        Live(SETTINGS.replace(output__targets=("null", "null")))


def test_a_device_that_vanishes_is_taken_up_again_while_the_other_goes_on() -> None:
    clock = FakeClock()
    away, other = Screen(), Screen()
    outlets = Outlets([away, other], clock=clock)
    outlets.open(SIZE, 30)
    away.fail = OutputDeviceError("gone")
    outlets.write(pattern_frame(SIZE))
    away.fail = None
    outlets.write(pattern_frame(SIZE))
    assert (len(away.frames), len(other.frames)) == (0, 2)
    clock.now += 60
    outlets.write(pattern_frame(SIZE))
    assert (len(away.frames), len(other.frames)) == (1, 3)
    assert not outlets.finished


def test_a_file_that_fails_is_given_up_alone_and_its_error_is_raised_at_the_end() -> None:
    file, screen = RecordingOutput(), Screen()
    outlets = Outlets([file, screen], clock=FakeClock())
    outlets.open(SIZE, 30)
    file.fail = OutputError("the disk is full")
    for _ in range(3):
        outlets.write(pattern_frame(SIZE))
    assert (len(file.frames), len(screen.frames)) == (0, 3)
    assert not outlets.finished
    screen.fail = OutputError("gone too")
    outlets.write(pattern_frame(SIZE))
    assert outlets.finished
    with pytest.raises(OutputError, match="disk is full"):
        outlets.close()


def test_files_get_no_placeholder() -> None:
    file, screen = RecordingOutput(), Screen()
    outlets = Outlets([file, screen])
    outlets.open(SIZE, 30)
    outlets.show(pattern_frame(SIZE))
    assert (len(file.frames), len(screen.frames)) == (0, 1)


def test_the_camera_keeper_never_blocks_its_caller() -> None:
    wake_up = threading.Event()

    class Slow(FakeCamera):
        def open(self) -> None:
            assert wake_up.wait(20), "the caller waits for it"

    keeper = CameraKeeper(Slow([]))
    begun = time.monotonic()
    assert not keeper.want()
    assert not keeper.want()
    wake_up.set()
    while not keeper.want():
        assert time.monotonic() - begun < 10
        time.sleep(0.01)
    keeper.close()
