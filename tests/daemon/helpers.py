"""A daemon in a thread, made of fakes, whose picture tells by its samples what it was made with."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner

from vcam.camera.base import Camera
from vcam.camera.shape import ShapedCamera
from vcam.cli.main import cli
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.control.place import DEFAULT_NAME
from vcam.daemon.base import State
from vcam.daemon.changes import Parts
from vcam.daemon.live import Live
from vcam.daemon.methods import Control
from vcam.daemon.notify import Notifier
from vcam.daemon.origin import Origin
from vcam.errors import CameraError, ModelError, VcamError
from vcam.frames import Frame
from vcam.matte.factory import make_matte
from vcam.pipeline import Pipeline
from vcam.settings import CameraSettings, Settings, flatten
from vcam.testing import FakeSegmenter, RecordingOutput
from vcam.types import Size

SIZE = (96, 64)
SETTINGS = Settings().replace(
    output__size="96x64",
    output__targets=("null",),
    background__spec="color:#204080",
    camera__source="one",
    background__fade=0,
)
PERSON = {"one": 200, "two": 150}
"""The luma of what each camera shows; the person is at the left third of it."""


class LuminousCamera:
    """A live camera whose person has the luma of `PERSON`; numbers go on from camera to camera."""

    live, fps, dropped = True, 30.0, 0
    numbers = itertools.count()

    def __init__(self, source: str, interval: float = 0.001) -> None:
        self.description, self.size, self.interval = f"camera {source}", SIZE, interval
        self.opened = self.closed = 0
        self.is_open = False
        self._frame = Frame.allocate(*SIZE)
        self._frame.fill(40, 128, 128)
        self._frame.y[:, :32] = PERSON.get(source, 0)
        self.fault: Exception | None = None if source in PERSON else CameraError(f"there is no {source}", "plug it in")

    def check(self) -> None:
        if self.fault:
            raise self.fault

    def open(self) -> None:
        self.check()
        self.opened += 1
        self.is_open = True

    def read(self) -> Frame | None:
        assert self.is_open, "a closed camera was read"
        time.sleep(self.interval)
        self._frame.seq = next(self.numbers)
        self._frame.timestamp = time.monotonic()
        return self._frame

    def close(self) -> None:
        self.closed += 1
        self.is_open = False


def bright(frame: Frame) -> np.ndarray:
    """The person is what is bright, in this very frame."""
    return (frame.y > 100).astype(np.float32)


class Screen(RecordingOutput):
    """A virtual camera: it shows placeholders too, and a test decides whether somebody reads it."""

    live = True


class Daemon:
    """A `Live` in a thread while the block lasts, and everything it was given."""

    def __init__(
        self,
        settings: Settings = SETTINGS,
        *,
        camera: Camera | None = None,
        screen: Any = None,
        finds: Callable[[], FakeSegmenter] = lambda: FakeSegmenter(bright, SIZE),
        notifier: Notifier | None = None,
        interval: float = 0.001,
        **parts: Any,
    ) -> None:
        """camera: in place of a luminous one. finds: makes networks. interval: seconds between two frames. parts: in
        place of those for `Parts`."""
        self.cameras: list[LuminousCamera] = []
        self.networks: list[FakeSegmenter] = []
        self.interval, self.finds = interval, finds
        self.screen = screen or Screen()
        given = {"camera": self.camera, "segmenter": self.network, "background": parse_background, "matte": make_matte}
        self.parts = Parts(**(given | parts))
        self.life = Live(
            settings,
            camera=camera or self.parts.camera(settings.camera, SIZE, 30.0),
            outputs=[self.screen],
            open_pipeline=self.pipeline,
            parts=self.parts,
            notifier=notifier,
        )
        self.told: list[tuple[State, str]] = []
        """Each state that it was in, and why."""
        self.life.observers.append(lambda state, cause: self.told.append((state, cause)))
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def camera(self, settings: CameraSettings, size: Size, fps: float) -> ShapedCamera:
        self.cameras.append(LuminousCamera(settings.source, self.interval))
        return ShapedCamera(self.cameras[-1], size, settings.mirror, settings.crop, int(settings.rotate), settings.flip)

    def network(self, settings: Any, size: Size, *room: str) -> FakeSegmenter:
        if settings.model == "broken":
            raise ModelError("the network is damaged", "take another")
        self.networks.append(self.finds())
        return self.networks[-1]

    def pipeline(self, settings: Settings, camera: Any, size: Size, outputs: list[Any]) -> Pipeline:
        background = self.parts.background(settings.background.spec, settings.background)
        network = self.network(settings.segment, size) if background.needs_alpha else None
        composer = PlateComposer(background, size)
        room = self.parts.room(settings, size, settings.camera.source)
        return Pipeline(camera, network, self.parts.matte(settings.matte), composer, outputs, room=room)

    def _run(self) -> None:
        try:
            self.life.run()
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Daemon:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.life.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"still {self.life.state}"
            assert self.thread.is_alive(), self.error
            time.sleep(0.001)

    def live(self) -> Daemon:
        self.until(lambda: self.life.state is State.LIVE and len(self.screen.frames) > 3)
        return self

    def set(self, **changes: object) -> Any:
        """Settings by key with two underscores for the dot, applied; raises what `Changer.change` does."""
        return self.life.changer.change(lambda current: current.replace(**changes)).result(30)

    def pictures(self, start: int = 0) -> Iterator[Frame]:
        for packed in self.screen.frames[start:]:
            yield Frame.wrap(packed, *SIZE)

    def more(self, count: int = 5) -> list[Frame]:
        """The pictures that come from now on."""
        start = len(self.screen.frames)
        self.until(lambda: len(self.screen.frames) >= start + count)
        return list(self.pictures(start))


def refused(daemon: Daemon, **changes: object) -> VcamError:
    try:
        daemon.set(**changes)
    except VcamError as error:
        return error
    raise AssertionError(f"{changes} were taken")


OPTIONS = {
    "output.size": "96x64", "output.targets": ("null",), "background.spec": "color:#204080", "camera.source": "one",
    "matte.edge": 2.0, "background.fade": 0.0,
}  # fmt: skip
"""What `Steered` was started with."""

CONFIG = """[matte]
softness = 0.5

[profiles.work]
background.spec = "color:#c02020"
matte.edge = 7
"""
"""Its config file."""


class Steered:
    """A daemon with its control socket and a config file."""

    def __init__(
        self, folder: Path, options: Mapping[str, Any] = {}, *, name: str = DEFAULT_NAME, **daemon: Any
    ) -> None:
        """options: besides `OPTIONS`; name: of the daemon; daemon: for `Daemon`."""
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG)
        self.origin = Origin({**OPTIONS, **options}, (), "", self.config)
        self.daemon = Daemon(self.origin.read(), **daemon)
        self.control = Control(self.daemon.life, self.origin, name)

    @property
    def settings(self) -> dict[str, Any]:
        return flatten(self.daemon.life.settings)


def run(*words: str) -> Any:
    """What a command has come to: its output, and the exception that it ended with."""
    return CliRunner().invoke(cli, list(words), standalone_mode=False)
