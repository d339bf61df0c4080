from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.daemon.helpers import PERSON, SETTINGS, SIZE, Daemon, refused
from vcam.camera.shape import ShapedCamera
from vcam.compose.backgrounds.factory import parse_background
from vcam.daemon.base import State
from vcam.daemon.changes import ONLY_READ, Parts, Situation, difference, prepare, split
from vcam.errors import CameraError, InputError, ModelError, UsageError, VcamError
from vcam.frames import Frame
from vcam.settings import FIELDS, Settings
from vcam.testing import FakeSegmenter

pytestmark = pytest.mark.usefixtures("quick")

BLUE, RED = "color:#204080", "color:#c02020"


def chroma(picture: Frame) -> int:
    """Cr at the right edge, where there is never a person: the background's colour."""
    assert np.unique(picture.v[:, 40:]).size == 1
    return int(picture.v[0, 45])


def nothing_was_dropped(daemon: Daemon) -> bool:
    """Between the first composited frame and the last one each number comes once, in order."""
    numbers = [number for number in daemon.screen.numbers if number]
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_background_is_swapped_between_two_frames_and_none_is_lost_or_mixed() -> None:
    with Daemon() as daemon:
        daemon.live()
        old = chroma(daemon.more(1)[0])
        assert daemon.set(background__spec=RED).changed == {"background.spec": RED}
        after = daemon.more()
        start = next(number for number, picture in enumerate(daemon.screen.numbers) if picture)
        colours = [chroma(picture) for picture in daemon.pictures(start)]
    new = chroma(after[0])
    assert new != old
    assert {chroma(picture) for picture in after} == {new}
    assert set(colours) == {old, new}
    assert colours == sorted(colours, key=lambda colour: colour == new), "the old one came back"
    assert nothing_was_dropped(daemon)


def test_the_same_background_again_is_read_anew(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), np.full((64, 96, 3), 50, np.uint8))
    with Daemon(SETTINGS.replace(background__spec=str(path))) as daemon:
        daemon.live()
        cv2.imwrite(str(path), np.full((64, 96, 3), 220, np.uint8))
        daemon.life.changer.change(lambda current: current, renew=frozenset(("background",))).result(5)
        assert daemon.more()[-1].y[0, -1] > 150


def test_a_background_that_is_slow_to_load_does_not_hold_up_the_picture() -> None:
    gate = threading.Event()

    class Slow:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def prepare(self, size: Any) -> None:
            gate.wait(5)
            self.inner.prepare(size)

    def background(spec: str, settings: Any) -> Any:
        inner = parse_background(spec, settings)
        return Slow(inner) if spec == RED else inner

    with Daemon(background=background) as daemon:
        daemon.live()
        change = daemon.life.changer.change(lambda current: current.replace(background__spec=RED))
        old = {chroma(picture) for picture in daemon.more(20)}
        assert not change.done()
        gate.set()
        change.result(5)
        assert {chroma(picture) for picture in daemon.more()} != old
    assert nothing_was_dropped(daemon)


def test_a_background_that_cannot_be_loaded_changes_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n but then nothing")
    with Daemon() as daemon:
        daemon.live()
        old = chroma(daemon.more(1)[0])
        assert isinstance(refused(daemon, background__spec=str(broken)), InputError)
        assert "nosuch" in str(refused(daemon, background__spec="nosuch.png"))
        assert {chroma(picture) for picture in daemon.more()} == {old}
        assert daemon.life.settings == SETTINGS
    assert nothing_was_dropped(daemon)


def test_of_several_changes_all_are_made_or_none() -> None:
    closed: list[str] = []

    def background(spec: str, settings: Any) -> Any:
        made = parse_background(spec, settings)
        close = made.close
        made.close = lambda: (closed.append(spec), close())  # type: ignore[method-assign]
        return made

    with Daemon(background=background) as daemon:
        daemon.live()
        old = chroma(daemon.more(1)[0])
        error = refused(daemon, background__spec=RED, matte__edge=9, segment__model="broken")
        assert isinstance(error, ModelError)
        assert daemon.life.settings == SETTINGS
        assert closed == [RED], "what was made ready in vain stays open"
        assert {chroma(picture) for picture in daemon.more()} == {old}
        assert len(daemon.networks) == 1


def test_the_edge_of_the_matte_moves() -> None:
    with Daemon(SETTINGS.replace(matte__edge=0, matte__temporal=0)) as daemon:
        daemon.live()

        def columns() -> int:
            return int((daemon.more(3)[-1].v[16, :] != chroma(daemon.more(1)[0])).sum())

        before = columns()
        daemon.set(matte__edge=30)
        assert columns() > before
    assert nothing_was_dropped(daemon)


def test_a_mirror_needs_no_other_camera() -> None:
    with Daemon() as daemon:
        daemon.live()
        assert daemon.more(1)[0].y[32, 5] == PERSON["one"]
        daemon.set(camera__mirror=True)
        assert {int(picture.y[32, -5]) for picture in daemon.more()} == {PERSON["one"]}
        assert [camera.opened for camera in daemon.cameras] == [1]
    assert nothing_was_dropped(daemon)


@pytest.mark.parametrize(
    ("words", "place"), [({"rotate": 180}, (32, -5)), ({"rotate": "180", "flip": True, "mirror": True}, (32, 5))]
)
def test_half_a_turn_needs_no_other_camera(words: dict[str, Any], place: tuple[int, int]) -> None:
    with Daemon() as daemon:
        daemon.live()
        daemon.set(**{f"camera__{name}": value for name, value in words.items()})
        assert {int(picture.y[place]) for picture in daemon.more()} == {PERSON["one"]}
        assert [camera.opened for camera in daemon.cameras] == [1]
    assert nothing_was_dropped(daemon)


def test_a_picture_that_lies_is_asked_of_the_source_anew() -> None:
    with Daemon() as daemon:
        daemon.live()
        assert isinstance(refused(daemon, camera__rotate="45"), UsageError)
        daemon.set(camera__rotate=90)
        # the person's third of the columns is the upper one of the lines
        daemon.until(lambda: int(daemon.more(1)[0].y[5, 48]) == PERSON["one"])
        assert [camera.opened for camera in daemon.cameras] == [1, 1]
        daemon.set(camera__rotate=270)
        assert {int(picture.y[-5, 48]) for picture in daemon.more()} == {PERSON["one"]}
        assert len(daemon.cameras) == 2
    assert nothing_was_dropped(daemon)


def test_a_crop_that_is_not_within_the_picture_is_refused() -> None:
    with Daemon() as daemon:
        daemon.live()
        assert isinstance(refused(daemon, camera__crop="96x64+8+8"), UsageError)
        daemon.set(camera__crop="48x32+0+0")
        # the person fills two thirds of the part
        assert {int(picture.y[32, 50]) for picture in daemon.more()} == {PERSON["one"]}
        assert [camera.opened for camera in daemon.cameras] == [1]


def test_another_camera_is_opened_beside_the_old_one_and_shown_once_it_is_there() -> None:
    with Daemon() as daemon:
        daemon.live()
        daemon.set(camera__source="two")
        assert {int(picture.y[32, 5]) for picture in daemon.more()} == {PERSON["two"]}
        first, second = daemon.cameras
        daemon.until(lambda: not first.is_open)
        assert (first.opened, second.opened) == (1, 1)
        assert daemon.life.state is State.LIVE
        shown = {int(picture.y[32, 5]) for picture in list(daemon.pictures())[3:]}
    assert shown == set(PERSON.values()), "there was something else in between"
    assert second.closed


def test_a_camera_that_cannot_be_opened_leaves_the_old_one_on() -> None:
    with Daemon() as daemon:
        daemon.live()
        assert isinstance(refused(daemon, camera__source="three"), CameraError)
        assert {int(picture.y[32, 5]) for picture in daemon.more()} == {PERSON["one"]}
        assert daemon.cameras[0].is_open
        assert daemon.life.settings.camera.source == "one"
    assert nothing_was_dropped(daemon)


def test_while_nobody_watches_another_camera_is_not_switched_on() -> None:
    daemon = Daemon()
    daemon.screen.watchers = False
    with daemon:
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.set(camera__source="two")
        assert isinstance(refused(daemon, camera__source="three"), CameraError)
        time.sleep(0.02)
        assert [camera.opened for camera in daemon.cameras] == [0, 0, 0]
        daemon.screen.watchers = True
        daemon.until(lambda: daemon.life.state is State.LIVE)
        assert daemon.more()[-1].y[32, 5] == PERSON["two"]


def test_a_camera_that_is_known_by_two_names_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.daemon.changes._node", lambda source: "/dev/video0")
    camera = ShapedCamera(Daemon().cameras[0], SIZE)
    camera.open()
    busy = Daemon()
    parts = Parts(camera=lambda settings, size, fps: busy.camera(settings, size, fps))
    now = Situation(camera, True, True, SIZE, 30.0)
    prepared = prepare(SETTINGS, SETTINGS.replace(camera__source="other", camera__mirror=True), now, parts)
    assert prepared.camera is None
    assert prepared.shape is not None
    assert prepared.shape[1].mirror


class OneOfTwins:
    """A camera that can be opened only once, and remembers which one it is."""

    live = True

    def __init__(self, trouble: CameraError | None = None) -> None:
        self.trouble = trouble
        self.remembered: list[object] = []
        self.opened = 0

    def remember(self, other: object) -> None:
        self.remembered.append(other)

    def check(self) -> None:
        if self.trouble:
            raise self.trouble

    def open(self) -> None:
        self.opened += 1

    def close(self) -> None:
        pass


def test_another_format_is_checked_and_then_the_same_camera_closed_and_opened() -> None:
    old, new = OneOfTwins(), OneOfTwins()
    now = Situation(ShapedCamera(old, SIZE), True, True, SIZE, 30.0)  # type: ignore[arg-type]
    parts = Parts(camera=lambda settings, size, fps: ShapedCamera(new, size))  # type: ignore[arg-type]
    prepared = prepare(SETTINGS, SETTINGS.replace(camera__format="mjpeg", camera__mirror=True), now, parts)
    assert prepared.camera is not None
    assert not prepared.camera_on, "the loop closes the old one and then opens it"
    assert (new.remembered, new.opened) == ([old], 0)
    new.trouble = CameraError("it has no MJPEG pictures")
    with pytest.raises(CameraError, match="no MJPEG"):
        prepare(SETTINGS, SETTINGS.replace(camera__format="mjpeg"), now, parts)


def test_a_camera_that_is_off_stays_the_one_it_is_when_its_settings_change() -> None:
    old, new = OneOfTwins(), OneOfTwins()
    now = Situation(ShapedCamera(old, SIZE), False, True, SIZE, 30.0)  # type: ignore[arg-type]
    parts = Parts(camera=lambda settings, size, fps: ShapedCamera(new, size))  # type: ignore[arg-type]
    prepare(SETTINGS, SETTINGS.replace(camera__mirror=True), now, parts)
    assert new.remembered == [old]


def test_another_network_is_loaded_beside_the_old_one_which_is_closed_then() -> None:
    with Daemon() as daemon:
        daemon.live()
        daemon.set(segment__backend="onnxruntime")
        old, new = daemon.networks
        daemon.until(lambda: new.calls > 3)
        assert (old.closed, new.closed) == (1, 0)
        calls = old.calls
        daemon.more()
        assert old.calls == calls
    assert nothing_was_dropped(daemon)


def test_a_network_is_loaded_once_a_background_needs_one() -> None:
    with Daemon(SETTINGS.replace(background__spec="none")) as daemon:
        daemon.live()
        assert daemon.networks == []
        assert isinstance(refused(daemon, background__spec=RED, segment__model="broken"), ModelError)
        daemon.set(background__spec=RED)
        assert len({chroma(picture) for picture in daemon.more()} | {128}) == 2
        assert len(daemon.networks) == 1


def test_a_picture_of_before_a_change_is_never_shown_again() -> None:
    """Else a camera that hangs just then would have the room, which was to be hidden, shown once more."""
    with Daemon(SETTINGS.replace(background__spec="none")) as daemon:
        daemon.live()
        pipeline = daemon.life.pipeline
        assert pipeline is not None
        shown = daemon.life.mailbox.post(lambda: pipeline.repeat()).result(5)
        assert shown
        network = FakeSegmenter()
        blue = parse_background(BLUE, SETTINGS.background)

        def exchanged() -> bool:
            pipeline.exchange(background=blue, segmenter=network)
            return pipeline.repeat()

        assert not daemon.life.mailbox.post(exchanged).result(5)


def test_always_on_takes_effect_at_once() -> None:
    with Daemon() as daemon:
        daemon.screen.watchers = False
        daemon.until(lambda: daemon.life.state is State.IDLE)
        daemon.set(output__always_on=True)
        daemon.until(lambda: daemon.life.state is State.LIVE)
        daemon.set(output__always_on=False)
        daemon.until(lambda: daemon.life.state is State.IDLE)


def test_a_setting_that_needs_a_new_start_is_refused_with_everything_else() -> None:
    with Daemon() as daemon:
        daemon.live()
        error = refused(daemon, output__fps=10, matte__edge=9)
        assert "output.fps" in error.message
        assert "vcam start" in error.hint
        assert daemon.life.settings == SETTINGS
        change = daemon.life.changer.change(
            lambda now: now.replace(output__fps=10, matte__edge=9), strict=False
        ).result(5)
        assert (change.changed, change.restart) == ({"matte.edge": 9.0}, ("output.fps",))


def test_every_setting_that_may_change_live_is_made_ready_by_something() -> None:
    handled = {"camera", "segment", "matte", "background", "filters", "overlay", "framing"}
    live = {key for key, known in FIELDS.items() if known.live}
    assert {key for key in live - ONLY_READ if key.split(".")[0] not in handled} == {"output.size"}


def test_settings_are_split_into_those_that_may_change_and_the_others() -> None:
    old, new = Settings(), Settings().replace(matte__edge=5, output__fps=15, camera__wait=True)
    allowed, fixed = split(old, new)
    assert difference(old, allowed) == {"matte.edge": 5.0}
    assert fixed == ("camera.wait", "output.fps")


def test_a_network_that_keeps_failing_is_a_state_of_its_own_that_ends_by_itself() -> None:
    with Daemon() as daemon:
        daemon.live()
        network = daemon.networks[0]
        healthy, network._script = network._script, lambda frame: RuntimeError("it is hot")
        daemon.until(lambda: daemon.life.state is State.DEGRADED)
        assert "it is hot" in daemon.life.cause
        assert (daemon.more()[-1].y != PERSON["one"]).all()
        network._script = healthy
        daemon.until(lambda: daemon.life.state is State.LIVE)


def test_whatever_a_camera_raises_the_virtual_camera_goes_on() -> None:
    with Daemon() as daemon:
        daemon.live()
        camera = daemon.cameras[0]
        read, faults = camera.read, [ZeroDivisionError("a bug"), MemoryError()]
        camera.read = lambda: read() if not faults else (_ for _ in ()).throw(faults.pop())  # type: ignore[method-assign]
        daemon.until(lambda: not faults and daemon.life.state is State.LIVE)
        assert daemon.more()[-1].y[32, 5] == PERSON["one"]


def test_a_change_that_is_asked_for_before_the_start_is_made_after_it() -> None:
    daemon = Daemon()
    change = daemon.life.changer.change(lambda now: now.replace(background__spec=RED))
    with daemon:
        assert change.result(10).changed == {"background.spec": RED}
        daemon.live()
        red = chroma(daemon.more(1)[0])
        daemon.set(background__spec=BLUE)
        assert chroma(daemon.more(1)[-1]) != red


def test_where_there_is_no_start_a_change_is_refused() -> None:
    daemon = Daemon(SETTINGS.replace(camera__source="nosuch"))
    change = daemon.life.changer.change(lambda now: now.replace(background__spec=RED))
    with pytest.raises(CameraError):
        daemon.life.run()
    with pytest.raises(VcamError, match="stopping"):
        change.result(5)


def test_who_waits_for_a_change_when_vcam_stops_is_told() -> None:
    gate = threading.Event()

    def slow(settings: Any, size: Any) -> FakeSegmenter:
        gate.wait(5)
        return FakeSegmenter()

    with Daemon(segmenter=slow) as daemon:
        daemon.live()
        waiting = [daemon.life.changer.change(lambda now: now.replace(segment__device="CPU")) for _ in range(2)]
        time.sleep(0.02)
        daemon.life.stop()
        gate.set()
    with pytest.raises(VcamError, match="stopping"):
        waiting[0].result(5)
    assert waiting[1].cancelled() or waiting[1].exception(5) is not None
    with pytest.raises(VcamError, match="stopping"):
        daemon.set(matte__edge=1)
    with pytest.raises(VcamError, match="stopping"):
        daemon.life.pause().result(5)


def test_hundreds_of_changes_in_a_row_lose_no_frame_and_leave_nothing_behind() -> None:
    with Daemon() as daemon:
        daemon.live()
        threads = threading.active_count()
        for turn in range(100):
            daemon.set(background__spec=(RED, BLUE)[turn % 2])
            daemon.set(matte__edge=turn % 20, camera__mirror=bool(turn % 2))
            daemon.set(segment__device=("CPU", "AUTO")[turn % 2])
        assert threading.active_count() <= threads
        assert sum(not network.closed for network in daemon.networks) == 1
    assert nothing_was_dropped(daemon)
    assert daemon.error is None


def test_every_change_of_state_is_told_with_its_cause() -> None:
    daemon = Daemon()
    told: list[tuple[State, str]] = []
    daemon.life.observers.append(lambda state, cause: told.append((state, cause)))
    with daemon:
        daemon.live()
        daemon.life.pause().result(5)
    states = [state for state, _ in told]
    assert states[-3:] == [State.LIVE, State.PAUSED, State.STOPPING]
    assert all(cause for _, cause in told)
