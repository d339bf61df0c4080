"""Promise 1 where looks are made: filters, overlays, auto-framing, backgrounds of the room itself, learnt rooms.

Everything that may look at the whole frame is run on two rooms that differ in nothing but what is behind the person;
what differs in the pictures is what was let through.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.daemon.helpers import Daemon, refused
from tests.trials.faults import Faults, Room
from tests.trials.helpers import SETTINGS, Trial, Witness
from tests.trials.scene import CHEQUERS, ROOM_COLOUR, SIZE, room, the_person
from vcam.assets import asset
from vcam.camera.operator import CameraOperator
from vcam.camera.shape import ShapedCamera
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.compose.effects import make_effects
from vcam.compose.filters.base import Place, Placed
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.registry import KINDS
from vcam.errors import UsageError
from vcam.frames import NOTHING, Alpha, Box, Frame, Map
from vcam.matte import soft
from vcam.matte.factory import make_matte
from vcam.matting import Matting
from vcam.pipeline import Pipeline
from vcam.segment.emptyroom.choice import room_name
from vcam.settings import Settings
from vcam.timings import Timings
from vcam.types import F32, Size

EXACT = SETTINGS.replace(matte__edge=0, matte__softness=0, matte__refine=False, matte__temporal=0)
"""The matte is the person to the pixel, so whatever comes through has come by another way."""

PLACE = 48
"""Column at which the person stands, 32 wide."""

CUBE = "LUT_3D_SIZE 2\n" + "".join(f"{r} {g} {b}\n" for b in (0, 1) for g in (0, 1) for r in (0, 1))


def in_phase(phase: int) -> Frame:
    """The room with its chequerboard, or with the other one of the two that there are."""
    frame = room(PLACE)
    if phase:
        behind = np.ones(frame.y.shape, bool)
        behind[:, PLACE : PLACE + 32] = False
        frame.y[behind] = 240 - frame.y[behind]
    return frame


def let_through(one: Frame, other: Frame) -> float:
    """The contrast of the chequerboard in what differs, at the worst block of 4x4; all of it is 120."""
    difference = (one.y.astype(np.float32) - other.y) * CHEQUERS
    return float(np.abs(cv2.resize(difference, (SIZE[0] // 4, SIZE[1] // 4), interpolation=cv2.INTER_AREA)).max())


def spellings(cube: Path) -> list[str]:
    """Every filter at every place where it can be."""
    found = []
    for kind in KINDS.values():
        values = [f"file={cube}"] if any(parameter.name == "file" for parameter in kind.parameters) else []
        places = [place.value for place in kind.places] if len(kind.places) > 1 else [""]
        for place in places:
            words = ",".join([*values, f"on={place}"] if place else values)
            found.append(f"{kind.name}:{words}" if words else kind.name)
    return found


@pytest.fixture
def cube(tmp_path: Path) -> Path:
    path = tmp_path / "same.cube"
    path.write_text(CUBE)
    return path


def composed(settings: Settings, phase: int, *, clear: bool = False) -> Frame:
    """The picture of one room, as a new composer with these settings makes it."""
    frame = in_phase(phase)
    composer = PlateComposer(parse_background(settings.background.spec, settings.background), SIZE)
    composer.set_filters(make_effects(settings.filters, settings.overlay))
    alpha = make_matte(settings.matte).update(Map.whole(the_person(frame), frame), frame)
    if clear:
        alpha.box = NOTHING
        alpha.small.fill(0)
    picture = Frame.allocate(*SIZE)
    picture.copy_from(composer.compose(frame, alpha, 0.0))
    return picture


def test_what_is_let_through_would_be_seen() -> None:
    assert let_through(in_phase(0), in_phase(1)) > 100
    half = Frame.allocate(*SIZE)
    np.copyto(half.y, cv2.addWeighted(in_phase(0).y, 0.3, half.y, 0.7, 0))
    assert let_through(half, Frame.allocate(*SIZE)) > 15


def test_no_filter_lets_the_room_through_anywhere(cube: Path) -> None:
    spoken = [text for text in spellings(cube) if Place.ALPHA not in KINDS[text.partition(":")[0]].places]
    assert len(spoken) > 15
    for text in spoken:
        settings = EXACT.replace(filters__chain=(text,))
        assert let_through(composed(settings, 0), composed(settings, 1)) < 3, text


@pytest.mark.parametrize(
    "look", [{"filters__decontaminate": 1.0}, {"filters__light_wrap": 1.0}, {"overlay__text": "hello"}], ids=str
)
def test_no_look_lets_the_room_through(look: dict[str, Any]) -> None:
    settings = EXACT.replace(**look)
    assert let_through(composed(settings, 0), composed(settings, 1)) < 3


@pytest.mark.parametrize("spec", ["blur:1", "blur:20", "blur:100", "pixelate:4", "pixelate:128"])
@pytest.mark.parametrize("clear", [False, True], ids=["a person", "nobody"])
def test_a_room_that_is_blurred_has_lost_its_detail_whether_somebody_is_there_or_not(spec: str, clear: bool) -> None:
    settings = EXACT.replace(background__spec=spec)
    assert let_through(composed(settings, 0, clear=clear), composed(settings, 1, clear=clear)) < 12


@pytest.mark.parametrize("size", [(640, 360), (854, 480), (1280, 720), (1920, 1080)], ids=str)
@pytest.mark.parametrize("spec", ["blur:1", "pixelate:4"])
def test_the_weakest_blur_still_takes_letters_of_two_pixels(spec: str, size: tuple[int, int]) -> None:
    frame = Frame.allocate(*size)
    rows, columns = np.indices(frame.y.shape)
    frame.y[...] = np.where((rows // 2 + columns // 2) % 2, 200, 40)
    small = np.zeros((144, 256), np.uint8)
    nobody = Alpha(np.zeros_like(frame.y), np.zeros_like(frame.u), small, NOTHING, 0)
    picture = PlateComposer(parse_background(spec, SETTINGS.background), size).compose(frame, nobody, 0.0)
    assert np.std(picture.y.astype(float)) < 8


def by_colour(frame: Frame) -> F32:
    """What a perfect network finds at any zoom: the person is grey, and the room is not."""
    grey = (np.abs(frame.u.astype(np.int16) - 128) < 8) & (np.abs(frame.v.astype(np.int16) - 128) < 8)
    return cv2.resize(grey.astype(np.float32), frame.size, interpolation=cv2.INTER_NEAREST)


def shows_its_colour(picture: Frame) -> bool:
    """Whether most of a block of 8x8 pixels has the colour that only the room has."""
    near = np.ones(picture.u.shape, np.float32)
    for plane, colour in zip((picture.u, picture.v), ROOM_COLOUR, strict=True):
        near *= np.abs(plane.astype(np.int16) - colour) < 12
    return bool(cv2.resize(near, (SIZE[0] // 8, SIZE[1] // 8), interpolation=cv2.INTER_AREA).max() > 0.6)


KEEP_COLOURS = frozenset(("decontaminate", "light-wrap", "hologram", "smoothstep", "sharpen", "seamless-clone"))
"""Filters after which the room's colour is nobody else's."""


class ColourWitness(Witness):
    """Finds the room by its colour, too, which no zoom takes away; where it is not blurred, it must be nowhere."""

    def __init__(self, trial: Trial) -> None:
        super().__init__(trial.faults)
        self._trial = trial
        self.looked = self.zoomed = 0
        self.circumstances: list[str] = []

    def write(self, frame: Frame) -> None:
        before = len(self.guilty)
        self._judge(frame)
        if len(self.guilty) > before:
            life = self._trial.life
            self.circumstances.append(f"frame {frame.seq} of {frame.size}, {life.state}: {life.settings}")

    def _judge(self, frame: Frame) -> None:
        super().write(frame)
        settings = self._trial.life.settings
        plain = {text.partition(":")[0] for text in settings.filters.chain} <= KEEP_COLOURS
        if plain and settings.background.spec.startswith(("color", "green")):
            self.looked += 1
            operator = self._trial.life.pipeline and self._trial.life.pipeline.operator
            self.zoomed += bool(operator and operator.view.scale < 0.9)
            if shows_its_colour(frame):
                self.guilty.append((frame.seq, frame.u.copy()))


class MoreFaults(Faults):
    KINDS = (*Faults.KINDS, "alpha filter", "person filter", "background filter", "picture filter")
    PRIMES = (*Faults.PRIMES, 37, 41, 43, 47)


class Stumbling:
    """A filter that fails half way, now and then."""

    def __init__(self, faults: Faults, place: Place) -> None:
        self._faults, self._fault = faults, f"{place.value} filter"

    def prepare(self, size: Size) -> None:
        pass

    def change(self, target: Any, *where: Any) -> None:
        if self._faults.due(self._fault):
            plane = target.full if isinstance(target, Alpha) else target.y
            plane[: plane.shape[0] // 2] = 255
            raise (MemoryError, ZeroDivisionError)[self._faults.now % 2]


class SmallPerson(Room):
    """The camera with somebody who leaves room above, at a time that passes quickly, so that there is much zooming."""

    def __init__(self, faults: Faults, source: str) -> None:
        super().__init__(faults, source)
        self._frames = [room(place, top=24) for place in ((0, 64), (96, 32))[source == "two"]]

    def read(self) -> Frame | None:
        frame = super().read()
        if frame is not None:
            frame.timestamp *= 20
        return frame


class EffectsTrial(Trial):
    """The trial with filters that fail, a camera operator, and a network that goes by colour."""

    faults_class = MoreFaults

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.screen = ColourWitness(self)
        self.life.outlets._outlets[0].output = self.screen
        self.screen.innocent = lambda: self.life.settings.background.spec != "none"
        stumbling = [Placed(Stumbling(self.faults, place), place, False) for place in Place]
        monkeypatch.setattr("vcam.compose.effects.Chain", lambda placed: Chain([*placed, *stumbling]))
        monkeypatch.setattr("tests.trials.faults.the_person", by_colour)

    def camera(self, settings: Any, size: Any, fps: float) -> Any:
        return ShapedCamera(
            SmallPerson(self.faults, settings.source),
            SIZE,
            settings.mirror,
            settings.crop,
            int(settings.rotate),
            settings.flip,
        )

    def pipeline(self, settings: Settings, camera: Any, size: Any, outputs: list[Any]) -> Pipeline:
        made = super().pipeline(settings, camera, size, outputs)
        made.operator = CameraOperator(settings.framing)
        return made


def looks(cube: Path) -> Iterator[tuple[str, object]]:
    """Every filter, pictures and words, and a camera operator who is always on the move; backgrounds between them."""
    yield from (
        ("framing.speed", 2),
        ("framing.zoom", 4),
        ("framing.dead_zone", 0),
        ("framing.margin", 0),
        ("framing.auto", True),
    )
    backgrounds = itertools.cycle(["color:#204080", "blur:1", "green", "pixelate", "none", "color:#c02020"])
    for text in spellings(cube):
        yield "background.spec", next(backgrounds)
        yield "filters.chain", (text,)
    yield from (("filters.chain", ()), ("background.spec", "green"), ("filters.light_wrap", 1))
    yield from (("overlay.text", "hello"), ("overlay.front", str(asset("dusk.jpg"))), ("overlay.clock", True))
    yield from (("overlay.text", ""), ("overlay.front", ""), ("overlay.clock", False), ("filters.light_wrap", 0))
    yield from (("framing.auto", False), ("framing.auto", True))
    yield from (
        ("output.size", "64x32"),
        ("framing.auto", False),
        ("output.size", "256x128"),
        ("output.size", "128x64"),
    )


@pytest.mark.long
@pytest.mark.usefixtures("quick")
def test_every_look_with_every_fault_never_shows_the_room(cube: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = EffectsTrial(monkeypatch)
    assert trial.judge(6000, wishes=lambda: looks(cube)) == 0, trial.screen.circumstances
    assert min(trial.faults.met.values()) > 5, trial.faults.met
    assert trial.complete > 0.5
    assert trial.screen.looked > 1000
    assert trial.screen.zoomed > 500


class MatteOfTheWhole(Matting):
    whole: Frame

    def alpha(self, frame: Frame, timings: Timings | None = None) -> Alpha:
        return super().alpha(self.whole, timings)


class FramesAfterwards(Pipeline):
    """Leaky: the matte is that of the whole picture, and what is shown is the part of it."""

    def __init__(self, *parts: Any, **others: Any) -> None:
        super().__init__(*parts, **others)
        self.matting = MatteOfTheWhole(self.matting.segmenter, self.matting.matte)

    def composite(self, frame: Frame, now: float) -> Frame:
        assert isinstance(self.matting, MatteOfTheWhole)
        self.matting.whole = frame
        return super().composite(frame, now)


class WholeBox(PlateComposer):
    """Leaky: what earlier mattes have left outside of the box counts."""

    def compose(self, frame: Frame, alpha: Alpha | None, now: float) -> Frame:
        return super().compose(frame, alpha and replace(alpha, box=Box(0, 0, *SIZE)), now)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("leak", ["framing", "box"])
def test_the_same_trial_finds_a_leak_that_is_built_in(leak: str, cube: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Leaky(EffectsTrial):
        pipeline_class = FramesAfterwards if leak == "framing" else Pipeline
        composer_class = WholeBox if leak == "box" else PlateComposer

    assert Leaky(monkeypatch).judge(6000, enough=1, wishes=lambda: looks(cube)) > 0


@pytest.mark.usefixtures("quick")
def test_probabilities_below_zero_would_be_found_if_they_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soft, "_check", lambda probability: None)
    assert Trial().judge(3000, enough=1) > 0


SUBTRACTION = SETTINGS.replace(segment__backend="subtraction")


def test_a_learnt_room_is_that_of_one_view_of_it() -> None:
    views = [{}, {"camera__mirror": True}, {"camera__crop": "64x32+0+0"}, {"camera__zoom": "200"}]
    views += [{"camera__rotate": 90}, {"camera__rotate": 180}, {"camera__flip": True}]
    names = {room_name(SUBTRACTION.replace(**view), "camera") for view in views}
    assert len(names) == len(views)
    assert room_name(SUBTRACTION.replace(matte__edge=3), "camera") in names


def test_a_room_that_is_mirrored_while_vcam_runs_is_learnt_anew_rather_than_shown() -> None:
    rooms: list[str] = []

    class Learning(Daemon):
        def network(self, settings: Any, size: Size, *room: str) -> Any:
            rooms.extend(room)
            return super().network(settings, size, *room)

    with Learning(SUBTRACTION.replace(output__size="96x64")) as daemon:
        daemon.live()
        for view in ({"camera__mirror": True}, {"camera__crop": "48x32+0+0"}, {"camera__crop": "", "matte__edge": 2}):
            daemon.set(**view)
    assert rooms == ["one mirrored", "one mirrored 48x32+0+0", "one mirrored"]


def test_background_subtraction_and_auto_framing_are_not_had_together() -> None:
    with Daemon(SUBTRACTION.replace(output__size="96x64")) as daemon:
        daemon.live()
        assert "room must stand still" in refused(daemon, framing__auto=True).message
        assert not daemon.life.settings.framing.auto
        daemon.set(segment__backend="auto", framing__auto=True)
        assert "room must stand still" in refused(daemon, segment__backend="subtraction").message
        assert daemon.life.settings.segment.backend == "auto"
    with pytest.raises(UsageError, match="room must stand still"):
        Pipeline.from_settings(SUBTRACTION.replace(camera__source="demo", framing__auto=True))
