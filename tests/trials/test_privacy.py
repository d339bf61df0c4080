"""Promise 1: no picture leaves with the room in it, whatever fails and whatever is changed.

Behind the person every raw frame has a chequerboard of single pixels. It survives in no background, blurred ones
included, so wherever it is found in what left vcam, the room was seen. Where a leak is built in on purpose, the same
run must find it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.trials.helpers import FRAMES, SETTINGS, Trial
from tests.trials.scene import SIZE, room, shows_the_room, the_person
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.frames import Alpha, Box, Frame, Map
from vcam.matte.factory import make_matte
from vcam.matting import Matting
from vcam.pipeline import Pipeline
from vcam.segment.region import Look, Quiet, RegionTracker
from vcam.segment.rest import RestCheck
from vcam.settings import FIELDS
from vcam.timings import Timings
from vcam.types import F32, Size

pytestmark = pytest.mark.usefixtures("quick", "large_region")


@pytest.fixture
def large_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is as high as the picture: their surroundings are most of it, and shall count as small."""
    for name, share in (("ENTER", 0.95), ("LEAVE", 0.98)):
        monkeypatch.setattr(f"vcam.segment.region.{name}", share)


def test_the_room_is_recognised_and_no_background_is_taken_for_it() -> None:
    assert shows_the_room(room(0))
    part = Frame.allocate(*SIZE)
    part.copy_from(room(0))
    part.y[:, :112] = 50
    assert shows_the_room(part)
    alone = Frame.allocate(*SIZE)
    for spec in ("blur:1", "blur", "pixelate:4", "pixelate", "green"):
        background = parse_background(spec, SETTINGS.background)
        composer = PlateComposer(background, SIZE)
        frame = room(32)
        alpha = make_matte(SETTINGS.matte).update(Map.whole(the_person(frame), frame), frame)
        alone.copy_from(composer.compose(frame, alpha, 0.0))
        assert not shows_the_room(alone), spec


@pytest.mark.long
def test_ten_thousand_frames_with_every_fault_and_every_change_never_show_the_room() -> None:
    trial = Trial()
    assert trial.judge(FRAMES) == 0
    assert trial.screen.seen > 0.8 * FRAMES
    # where nobody is ever shown there is nothing to leak
    assert trial.complete > 0.5
    assert min(trial.faults.met.values()) > 10, trial.faults.met
    live = {key for key, known in FIELDS.items() if known.live}
    assert set(trial.made) == live
    assert trial.refused > 10
    assert trial.faults.skipped > 0.02 * FRAMES
    assert trial.faults.parts > 0.05 * FRAMES
    assert sum(trial.made.values()) > 200


class ShowsRawFrames(Pipeline):
    """Leaky: what cannot be composited is shown as it came."""

    def composite(self, frame: Frame, now: float) -> Frame:
        try:
            alpha = self.matting.alpha(frame) if self.composer.needs_alpha else None
            return self.composer.compose(frame, alpha, now)
        except Exception:
            return frame if frame.size == SIZE else self.composer.without_person(frame, now)


class TakesAnyMatte(PlateComposer):
    """Leaky: the matte of an older frame will do."""

    def _check(self, frame: Frame, alpha: Alpha) -> None:
        if alpha.full.shape != frame.y.shape:
            raise ValueError("another size")


class LastGoodMatte(Matting):
    last: Alpha | None = None

    def alpha(self, frame: Frame, timings: Timings | None = None) -> Alpha:
        try:
            alpha = super().alpha(frame, timings)
        except Exception:
            if self.last is None:
                raise
            return replace(self.last, seq=frame.seq)
        self.last = replace(alpha, full=alpha.full.copy(), half=alpha.half.copy())
        return alpha


class KeepsTheMatte(Pipeline):
    """Leaky: where a matte fails, the last good one is used once more."""

    def __init__(self, *parts: Any, **others: Any) -> None:
        super().__init__(*parts, **others)
        self.matting = LastGoodMatte(self.matting.segmenter, self.matting.matte)


class RepeatsAnything(Pipeline):
    """Leaky: what was shown before the background changed is shown again when the camera hangs after it."""

    def exchange(self, **parts: Any) -> list[Any]:
        shown = self._shown
        old = super().exchange(**parts)
        self._shown = shown
        self.repeat()
        return old


class AlwaysAlike(RestCheck):
    """Leaky: whatever the frame shows, the mask of an earlier one will do."""

    def may_skip(self, planes: Any) -> bool:
        return bool(self._reference)


class NoticesLate(RestCheck):
    """Leaky: a change is noticed in the frame after the one that has it."""

    late = False

    def may_skip(self, planes: Any) -> bool:
        late, self.late = self.late, super().may_skip(planes)
        return late and bool(self._reference)


class SaysTheOldRegion(RegionTracker):
    """Leaky: the map is new, the part that it is said to cover is that of the frame before."""

    before: Box | None = None

    def find(self, size: Size, look: Look, quiet: Quiet = lambda region: False) -> tuple[F32, Box]:
        seen, box = super().find(size, look, quiet)
        before, self.before = self.before, box
        return seen, before or box


@pytest.mark.parametrize(
    "leaky", [{"check_class": AlwaysAlike}, {"check_class": NoticesLate}, {"tracker_class": SaysTheOldRegion}]
)
def test_the_same_trial_finds_a_network_that_is_skipped_or_placed_wrongly(leaky: dict[str, Any]) -> None:
    assert type("Leaky", (Trial,), leaky)().judge(3000, enough=1) > 0


def test_the_same_trial_finds_a_matte_that_takes_any_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.matte.soft._check_place", lambda seen, frame: None)
    assert Trial().judge(3000, enough=1) > 0


@pytest.mark.parametrize(
    ("pipeline", "composer"),
    [
        (ShowsRawFrames, PlateComposer),
        (Pipeline, TakesAnyMatte),
        (KeepsTheMatte, PlateComposer),
    ],
    ids=["raw frame on error", "matte one frame old", "last good matte"],
)
def test_the_same_trial_finds_a_leak_that_is_built_in(
    pipeline: type[Pipeline], composer: type[PlateComposer], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaky(Trial):
        pipeline_class, composer_class = pipeline, composer

    assert Leaky().judge(3000, enough=1) > 0


def test_a_picture_kept_from_before_a_change_would_be_found() -> None:
    class Leaky(Trial):
        pipeline_class = RepeatsAnything

        def pipeline(self, *args: Any) -> Pipeline:
            made = super().pipeline(*args)
            exchange = made.exchange

            def late(**parts: Any) -> Any:
                # the settings say already that the room is to be hidden
                spec = getattr(parts["background"], "description", "") if parts["background"] else ""
                self.screen.innocent = lambda: bool(spec) and spec != "none"
                try:
                    return exchange(**parts)
                finally:
                    self.screen.innocent = lambda: self.life.settings.background.spec != "none"

            made.exchange = late  # type: ignore[method-assign]
            return made

    assert Leaky().judge(3000, enough=1) > 0
