from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.daemon.helpers import SETTINGS, SIZE, Daemon
from vcam.cli import run
from vcam.daemon.base import State
from vcam.daemon.live import Live
from vcam.errors import CameraError, CameraStalled, ModelError, OutputDeviceError, OutputError, UsageError
from vcam.frames import Frame
from vcam.settings import Settings
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput, pattern_frame

pytestmark = pytest.mark.usefixtures("quick")


def is_composited(picture: np.ndarray) -> bool:
    """The plain blue background at the left edge, as no placeholder has it."""
    frame = Frame.wrap(picture, *SIZE)
    return bool(np.unique(frame.y[:, :16]).size == 1 and abs(int(frame.u[0, 0]) - 159) < 8)


def composited(daemon: Daemon) -> int:
    """How many frames have been shown so far."""
    return sum(is_composited(picture) for picture in daemon.screen.frames)


class Endless:
    """A script that starts anew with each opening of the camera."""

    def __init__(self, *firsts: list[Frame | Exception]) -> None:
        self.firsts = list(firsts)

    def __iter__(self) -> Iterator[Frame | Exception]:
        if self.firsts:
            yield from self.firsts.pop(0)
        number = 100
        while True:
            time.sleep(0.001)
            yield pattern_frame(SIZE, number)
            number += 1


def start(script: Endless | None = None, *, watchers: bool = True, settings: Settings = SETTINGS) -> Daemon:
    """A daemon whose person fills the middle third."""
    daemon = Daemon(
        settings, camera=FakeCamera(script or Endless(), size=SIZE, live=True), finds=lambda: FakeSegmenter()
    )
    daemon.screen.watchers = watchers
    return daemon


def test_while_nobody_watches_the_camera_stays_closed_and_the_placeholder_flows() -> None:
    with start(watchers=False) as daemon:
        daemon.until(lambda: daemon.life.state is State.IDLE and len(daemon.screen.frames) > 10)
    assert daemon.life.keeper.camera.opened == 0
    assert composited(daemon) == 0


def test_a_reader_switches_the_camera_on_and_its_leaving_switches_it_off() -> None:
    with start(watchers=False) as daemon:
        camera = daemon.life.keeper.camera
        daemon.until(lambda: daemon.life.state is State.IDLE)
        assert not daemon.life.watched
        for turn in (1, 2):
            daemon.screen.watchers = True
            seen = composited(daemon)
            daemon.until(lambda seen=seen: composited(daemon) > seen + 3)
            assert daemon.life.watched
            daemon.screen.watchers = False
            daemon.until(lambda: daemon.life.state is State.IDLE)
            # in a thread of its own
            daemon.until(lambda turn=turn: camera.closed >= turn)
            assert camera.opened == daemon.networks[0].resets == turn


def test_a_reader_that_comes_back_at_once_finds_the_camera_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.daemon.states.LINGER", 60.0)
    with start() as daemon:
        daemon.live()
        daemon.screen.watchers = False
        daemon.until(lambda: not daemon.life.watched)
        daemon.screen.watchers = True
        time.sleep(0.1)
        assert daemon.life.keeper.camera.opened == 1
        assert daemon.life.state is State.LIVE


def test_always_on_keeps_the_camera_open_without_readers() -> None:
    with start(watchers=False, settings=SETTINGS.replace(output__always_on=True)) as daemon:
        daemon.until(lambda: composited(daemon) > 3)
        assert not daemon.life.watched


def test_a_lost_camera_gives_a_placeholder_and_comes_back_by_itself() -> None:
    first = [pattern_frame(SIZE, n) for n in range(5)] + [CameraError("it was unplugged")]
    with start(Endless(first)) as daemon:
        daemon.until(lambda: daemon.life.keeper.camera.opened >= 2 and composited(daemon) > 10)
        assert daemon.networks[0].resets == 1, "what was seen before still weighs"
        _, error = daemon.life.monitor.last_error
        assert error.message == "it was unplugged"
    frames = daemon.screen.frames
    shown = [index for index, picture in enumerate(frames) if is_composited(picture)]
    assert any(not is_composited(picture) for picture in frames[shown[0] : shown[-1]])
    for picture in frames:
        raw = np.abs(Frame.wrap(picture, *SIZE).y[:, :16].astype(int) - pattern_frame(SIZE, 0).y[:, :16]) <= 3
        assert raw.mean() < 0.5


def test_a_camera_that_has_ended_is_a_lost_one() -> None:
    class Ends:
        """One frame each time it is opened."""

        def __iter__(self) -> Iterator[Frame]:
            yield pattern_frame(SIZE)

    daemon = Daemon(camera=FakeCamera(Ends(), size=SIZE, live=True))
    with daemon:
        daemon.until(lambda: (State.DEGRADED, "fake camera has ended") in daemon.told)
        daemon.until(lambda: daemon.life.keeper.camera.opened >= 3)


def test_a_camera_that_cannot_be_opened_is_tried_again_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    class Busy(FakeCamera):
        def open(self) -> None:
            super().open()
            if self.opened < 4:
                raise CameraError("/dev/video0 is in use by zoom")

    daemon = Daemon(camera=Busy(Endless(), size=SIZE, live=True), finds=lambda: FakeSegmenter())
    with daemon:
        daemon.until(lambda: composited(daemon) > 3)
    assert [record.message for record in caplog.records].count("/dev/video0 is in use by zoom") == 1


def test_a_short_stall_is_bridged_with_the_last_picture() -> None:
    first = [pattern_frame(SIZE, 0), CameraStalled("late"), CameraStalled("late")]
    with start(Endless(first)) as daemon:
        daemon.until(lambda: composited(daemon) > 8)
    shown = [picture for picture in daemon.screen.frames if is_composited(picture)]
    assert [np.array_equal(shown[0], picture) for picture in shown[1:4]] == [True, True, False]
    assert daemon.life.monitor.repeated == 2
    assert daemon.life.keeper.camera.opened == 1


def test_a_stall_before_the_first_frame_shows_the_placeholder() -> None:
    first = [CameraStalled("late"), CameraStalled("late")]
    with start(Endless(first)) as daemon:
        daemon.until(lambda: composited(daemon) > 3)
    assert daemon.life.monitor.repeated == 0
    assert daemon.life.keeper.camera.opened == 1


class Late:
    """A camera that is silent for some time after each opening, longer than a stall may last."""

    def __init__(self, error: CameraStalled, seconds: float) -> None:
        self.error, self.seconds = error, seconds

    def __iter__(self) -> Iterator[Frame | Exception]:
        begin = time.monotonic()
        while time.monotonic() < begin + self.seconds:
            time.sleep(0.01)
            yield self.error
        yield from Endless()


def test_a_camera_with_a_late_first_frame_is_not_opened_anew() -> None:
    settings = SETTINGS.replace(camera__timeout=0.2)
    with start(Late(CameraStalled("late"), 0.6), settings=settings) as daemon:
        daemon.until(lambda: daemon.life.state is State.WAITING)
        daemon.until(lambda: composited(daemon) > 3)
        assert daemon.life.keeper.camera.opened == 1
        assert daemon.life.monitor.repeated == 0


def test_one_that_sends_what_cannot_be_shown_has_started() -> None:
    settings = SETTINGS.replace(camera__timeout=0.2)
    with start(Late(CameraStalled("only damaged pictures", sends=True), 60), settings=settings) as daemon:
        daemon.until(lambda: daemon.life.keeper.camera.opened >= 2)
        # it may be tried again by now
        daemon.until(lambda: (State.DEGRADED, "only damaged pictures") in daemon.told)


def test_while_the_first_frame_is_waited_for_the_placeholder_flows_and_a_pause_is_answered() -> None:
    with start(Late(CameraStalled("late"), 60)) as daemon:
        daemon.until(lambda: daemon.life.state is State.WAITING and daemon.life.keeper.ready)
        shown = len(daemon.screen.frames)
        daemon.until(lambda: len(daemon.screen.frames) > shown + 5)
        daemon.life.pause().result(30)
        assert daemon.life.state is State.PAUSED
        daemon.until(lambda: daemon.life.keeper.camera.closed > 0)
    assert composited(daemon) == 0


def test_a_long_stall_is_a_lost_camera() -> None:
    first = [pattern_frame(SIZE, 0)] + [CameraStalled("late")] * 100_000
    with start(Endless(first), settings=SETTINGS.replace(camera__timeout=0.2)) as daemon:
        daemon.until(lambda: daemon.life.keeper.camera.opened >= 2 and composited(daemon) > 3)
        assert daemon.networks[0].resets == 1


def test_a_camera_that_cannot_be_had_at_the_start_is_an_error_unless_it_is_waited_for() -> None:
    class Missing(FakeCamera):
        def check(self) -> None:
            raise CameraError("there is no camera", "plug one in")

    with pytest.raises(CameraError, match="no camera"):
        Daemon(camera=Missing([], live=True)).life.run()
    with Daemon(SETTINGS.replace(camera__wait=True), camera=Missing(Endless(), size=SIZE, live=True)) as daemon:
        daemon.live()


def test_the_last_error_may_be_the_network_s_or_an_output_s() -> None:
    with Daemon() as daemon:
        daemon.live()
        daemon.networks[0]._script = lambda frame: RuntimeError("it is hot")
        daemon.until(lambda: daemon.life.monitor.last_error is not None)
        assert str(daemon.life.monitor.last_error[1]) == "it is hot"
    with Daemon() as daemon:
        daemon.live()
        daemon.screen.fail = OutputError("the disk is full")
        daemon.thread.join(30)
    assert str(daemon.error) == "the disk is full"


def test_what_cannot_be_opened_at_the_start_is_an_error_and_nothing_stays_open() -> None:
    before = set(threading.enumerate())
    daemon = start(settings=SETTINGS.replace(segment__model="broken"))
    with pytest.raises(ModelError):
        daemon.life.run()
    assert daemon.screen.aborted == 1
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("vcam"):
            # one that was told to end may take a moment
            thread.join(30)
            assert not thread.is_alive(), thread.name


def test_an_output_that_cannot_be_opened_at_the_start_is_an_error_or_is_waited_for() -> None:
    def busy(*shape: object) -> None:
        raise OutputDeviceError("somebody else has it")

    daemon = start()
    daemon.screen.open = busy
    with pytest.raises(OutputDeviceError):
        daemon.life.run()
    daemon = start(settings=SETTINGS.replace(camera__wait=True))
    opens, daemon.screen.open = daemon.screen.open, busy
    with daemon:
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.screen.open = opens
        daemon.until(lambda: composited(daemon) > 3)


def test_the_number_of_frames_ends_the_run_and_finishes_the_outputs() -> None:
    daemon = start()
    pipeline = daemon.life.run(frames=7)
    assert pipeline.timings.frames == 7
    assert (daemon.screen.closed, daemon.screen.aborted) == (1, 0)
    assert daemon.life.keeper.camera.closed >= 1
    assert (daemon.life.state, daemon.life.cause) == (State.STOPPING, "done")


def test_whatever_a_frame_raises_the_placeholder_says_so() -> None:
    with start(Endless([pattern_frame(SIZE, 0), ZeroDivisionError("a bug")])) as daemon:
        said = "unexpected ZeroDivisionError: a bug (vcam --debug start)"
        daemon.until(lambda: (State.DEGRADED, said) in daemon.told)
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_a_filter_that_cannot_be_is_found_before_anything_is_opened() -> None:
    with pytest.raises(UsageError, match="vignette"):
        Live(SETTINGS.replace(filters__chain=("vignette:strength=9",)), outputs=[])


def test_whoever_closes_the_window_of_the_demo_ends_it_and_that_of_a_call_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[bool] = []

    class Brief(Live):
        def __init__(self, settings: Settings, *, together: bool = False) -> None:
            given.append(together)
            window, other = RecordingOutput(enough=2), RecordingOutput(enough=4)
            super().__init__(settings, outputs=[window, other], together=together)
            self.window, self.other = window, other

    monkeypatch.setattr("vcam.daemon.live.Live", Brief)
    settings = SETTINGS.replace(camera__source="demo", background__spec="none")
    run._play(settings, None)
    assert given == [True]
    for together, frames in ((True, 2), (False, 4)):
        life = Brief(settings, together=together)
        life.run()
        assert (len(life.window.numbers), len(life.other.numbers)) == (2, frames)
