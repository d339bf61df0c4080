"""A daemon on trial: every fault there is, every setting changed, and a witness who looks at each picture."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.daemon.helpers import Daemon, Screen
from tests.trials.faults import (
    Faults,
    FaultyBackground,
    FaultyBlender,
    FaultyMatte,
    FaultyRoom,
    Network,
    Room,
    RoomFaults,
)
from tests.trials.scene import SIZE, shows_the_room
from vcam.camera.shape import ShapedCamera
from vcam.compose.composer import PlateComposer
from vcam.errors import ModelError, OutputDeviceError, VcamError
from vcam.frames import Frame
from vcam.pipeline import Pipeline
from vcam.segment.region import RegionTracker
from vcam.segment.rest import RestCheck
from vcam.settings import FIELDS, Settings
from vcam.types import U8

FRAMES = 10_000
SETTINGS = Settings().replace(
    output__size="128x64", output__targets=("null",), background__spec="color:#204080", camera__source="one",
    matte__edge=0, segment__skip_still=True,
)  # fmt: skip


class Witness(Screen):
    """Looks at every picture that leaves; keeps the guilty."""

    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self._faults = faults
        self.seen = 0
        self.guilty: list[tuple[int, U8]] = []
        self.innocent: Callable[[], bool] = lambda: True
        self.size = SIZE

    def open(self, size: tuple[int, int], fps: float) -> None:
        super().open(size, fps)
        self.size = size

    def resize(self, size: tuple[int, int]) -> None:
        self.size = size

    def write(self, frame: Frame) -> None:
        if self._faults.due("output lost"):
            raise OutputDeviceError("the module was unloaded")
        self.seen += 1
        assert frame.size == self.size
        # at another size the chequerboard is lost, and the colours tell: see test_privacy_effects
        if frame.size == SIZE and shows_the_room(frame) and self.innocent():
            self.guilty.append((frame.seq, frame.y.copy()))


Wishes = Callable[[], Iterator[tuple[str, object]]]


class Trial(Daemon):
    """A daemon with every fault there is, whose settings are changed as fast as they can be."""

    pipeline_class: type[Pipeline] = Pipeline
    composer_class: type[PlateComposer] = PlateComposer
    tracker_class: type[RegionTracker] = RegionTracker
    check_class: type[RestCheck] = RestCheck
    faults_class: type[Faults] = Faults
    settings = SETTINGS

    def __init__(self) -> None:
        self.faults = self.faults_class()
        FaultyRoom.faults, FaultyRoom.used = self.faults if isinstance(self.faults, RoomFaults) else None, 0
        super().__init__(
            self.settings,
            background=lambda spec, settings: FaultyBackground(self.faults, spec, settings),
            matte=lambda settings: FaultyMatte(self.faults, settings),
        )
        self.screen = Witness(self.faults)
        self.life.outlets._outlets[0].output = self.screen
        # whoever asks for the room is shown it
        self.screen.innocent = lambda: self.life.settings.background.spec != "none"

    def camera(self, settings: Any, size: Any, fps: float) -> Any:
        shape = settings.mirror, settings.crop, int(settings.rotate), settings.flip
        return ShapedCamera(Room(self.faults, settings.source), SIZE, *shape)

    def network(self, settings: Any, size: Any, *room: str) -> Any:
        if settings.model == "broken":
            raise ModelError("damaged")
        return Network(self.faults, settings, self.tracker_class((16, 16)), self.check_class())

    def pipeline(self, settings: Settings, camera: Any, size: Any, outputs: list[Any]) -> Pipeline:
        background = self.parts.background(settings.background.spec, settings.background)
        composer = self.composer_class(background, SIZE)
        fit = composer._fit

        def fit_faultily(size: tuple[int, int]) -> None:
            fit(size)
            composer._blender = blender = FaultyBlender(size)
            blender.faults = self.faults

        composer._fit = fit_faultily  # type: ignore[method-assign]
        fit_faultily(SIZE)
        network, matte = self.network(settings.segment, SIZE), self.parts.matte(settings.matte)
        made = self.pipeline_class(camera, network, matte, composer, outputs)
        made.matting.exchange_room(self.parts.room(settings, SIZE, settings.camera.source))
        return made

    def judge(self, frames: int, *, enough: int | None = None, wishes: Wishes | None = None) -> int:
        """Run for so many frames, or until `enough` pictures show the room; how many do."""
        self.made: dict[str, int] = {}
        self.refused = 0
        with self:
            for key, value in itertools.cycle(list((wishes or every_wish)())):
                if self.faults.now >= frames or not self.thread.is_alive():
                    break
                if enough is not None and len(self.screen.guilty) >= enough:
                    break
                try:
                    self.set(**{key.replace(".", "__"): value})
                    self.made[key] = self.made.get(key, 0) + 1
                except VcamError:
                    self.refused += 1
        assert self.error is None
        timings = self.life.timings
        assert timings is not None
        self.complete = 1 - timings.without_person / timings.frames
        return len(self.screen.guilty)


def every_wish() -> Iterator[tuple[str, object]]:
    """Values for every setting that may change live, good and bad ones, and the way back."""
    words = {
        "background.spec": ["blur", "none", "color:#c02020", "none", "pixelate", "nosuch.png", "blur:100", "green"],
        "camera.source": ["two", "nosuch", "one"],
        "camera.crop": ["64x32+0+0", "128x64+64+0", ""],
        "segment.model": ["broken", "other", "auto"],
        "filters.chain": ["nosuch", "grey", ""],
        "output.size": ["64x32", "127x64", "128x64"],
        "overlay.text": ["hello", ""],
    }
    for key, known in FIELDS.items():
        if not known.live:
            continue
        if known.type is bool:
            values: list[object] = [not known.default, known.default]
            if key == "segment.skip_still":
                values.reverse()
        elif known.choices:
            values = [*known.choices, known.default]
        elif known.minimum is not None:
            # an offset outward shows the room by design: as wide as the person asked for
            values = [known.minimum, 0.5, known.minimum if key == "matte.edge" else known.maximum, known.default]
        else:
            values = list(words.get(key, [known.default]))
        if key == "matte.edge":
            values = [-30, 0.5, 0]
        yield from ((key, value) for value in values)
