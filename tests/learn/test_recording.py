"""The films that vcam takes itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from vcam.camera.file import VideoFile
from vcam.errors import CameraError, CameraStalled, DeviceError, UsageError
from vcam.frames import Frame
from vcam.learn import recording
from vcam.learn.recording import as_running, camera_let_go, film
from vcam.settings import Settings
from vcam.testing import FakeCamera, pattern_frame

SIZE = (64, 48)


class Endless:
    """Frames without an end, or what comes instead of the one of a number."""

    def __init__(self, at: int = -1, instead: Exception | None = None) -> None:
        self.at, self.instead = at, instead

    def __iter__(self) -> Iterator[Frame | Exception]:
        for number in itertools.count():
            yield self.instead if number == self.at and self.instead else pattern_frame(SIZE, number % 50)


def taken(camera, folder, **changes):
    told = []
    files = film(
        Settings(), folder, lambda *step: told.append(step), camera=camera, **{"wait": 0.02, "seconds": 0.1, **changes}
    )
    return files, told


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(recording, "ROOM_SECONDS", 0.1)


@pytest.mark.process
def test_two_films_for_their_owner_and_the_camera_is_off(tmp_path):
    camera = FakeCamera(Endless(), size=SIZE, live=True)
    (me, room), told = taken(camera, tmp_path)
    assert camera.closed == 1
    for path in (me, room):
        assert path.stat().st_mode & 0o777 == 0o600
        film_ = VideoFile(path)
        film_.open()
        assert film_.size == SIZE
        film_.close()
    assert list(dict.fromkeys(step for step, _, _ in told)) == ["wait me", "film me", "wait room", "film room"]
    me.unlink()
    (_, room), _ = taken(FakeCamera(Endless(), size=SIZE), tmp_path, room=False)
    assert room is None


@pytest.mark.process
@pytest.mark.parametrize("instead", [KeyboardInterrupt(), CameraError("it was unplugged")], ids=["ctrl-c", "lost"])
def test_broken_off_nothing_is_left_and_the_camera_is_off(tmp_path, instead):
    camera = FakeCamera([], size=SIZE)
    reads = itertools.count()

    def read():
        if next(reads) == 8:
            raise instead
        return pattern_frame(SIZE, 1)

    camera.read = read
    with pytest.raises(type(instead)):
        taken(camera, tmp_path, wait=0.0, seconds=60)
    assert camera.closed == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.process
def test_a_moment_of_silence_is_waited_for_and_an_end_is_an_error(tmp_path):
    (me, _), _ = taken(FakeCamera(Endless(4, CameraStalled("silence")), size=SIZE), tmp_path, room=False)
    me.unlink()
    camera = FakeCamera([pattern_frame(SIZE, number) for number in range(3)], size=SIZE)
    with pytest.raises(CameraError, match="sends nothing more"):
        taken(camera, tmp_path, seconds=60)
    assert camera.closed == 1


class Daemon:
    """A vcam that runs, as its client sees it."""

    states: dict[str, str]
    values: dict[str, object]

    def __init__(self, name, *, timeout=0):
        if name not in self.states:
            raise DeviceError("gone")
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass

    def call(self, method, params=None):
        if method == "status":
            return {"state": self.states[self.name]}
        if method == "get":
            return self.values
        if self.old and params:
            raise UsageError("pause: it has no by")
        assert params == (None if self.old else {"by": "vcam learn"})
        self.states[self.name] = {"pause": "paused", "resume": "live"}[method]
        return {}


@pytest.fixture
def daemons(monkeypatch):
    Daemon.old = False
    Daemon.states = {"control": "live", "other": "paused"}
    Daemon.values = {"camera.source": "/dev/video7", "camera.mirror": True, "camera.rotate": "0", "camera.flip": False,
                     "camera.crop": "", "output.size": "640x480"}  # fmt: skip
    monkeypatch.setattr(recording, "ControlClient", Daemon)
    monkeypatch.setattr(recording, "running_names", lambda: ["control", "gone", "other"])
    return Daemon


def test_a_vcam_that_runs_is_paused_and_goes_on_whatever_happens(daemons):
    with camera_let_go() as paused:
        assert paused == ["control"]
        assert daemons.states == {"control": "paused", "other": "paused"}
    # the one that was paused already stays so
    assert daemons.states == {"control": "live", "other": "paused"}
    with pytest.raises(KeyboardInterrupt), camera_let_go():
        raise KeyboardInterrupt
    assert daemons.states["control"] == "live"


def test_a_vcam_from_before_an_upgrade_is_paused_as_well(daemons):
    daemons.old = True
    with camera_let_go():
        assert daemons.states["control"] == "paused"
    assert daemons.states["control"] == "live"


def test_its_camera_is_the_one_that_is_filmed_with(daemons):
    seen = as_running(Settings())
    assert (seen.camera.source, seen.camera.mirror, seen.output.size) == ("/dev/video7", True, "640x480")
    # what is hidden in an address cannot be asked for
    daemons.values["camera.source"] = "rtsp://door/***"
    assert as_running(Settings()) == Settings()
