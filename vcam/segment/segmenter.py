"""The segmenter that the pipeline holds: a model, and whichever engine works.

Engines are tried best first, at the start and again when one fails while running: the frame on which it failed has no
mask, the next engine does the next frame. When none is left, all are tried again after a pause that grows, because
what failed may come back: an accelerator after suspend, memory after a rush.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vcam.errors import EngineError, VcamError
from vcam.frames import Box, Frame, Map
from vcam.infer.base import Engine
from vcam.models.cards import ModelCard, find_model
from vcam.segment.base import Segmenter
from vcam.segment.prepare import Preparer
from vcam.segment.region import RegionTracker
from vcam.segment.rest import StillCheck, Surroundings
from vcam.settings import SegmentSettings
from vcam.types import F32, U8, Size

_log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until all engines are tried again after each has failed; doubled each time."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine that could be used. `open(card, threads)` builds it, runs it once, or raises `EngineError`."""

    runtime: str
    device: str
    open: Callable[[ModelCard, int], Engine]

    @property
    def name(self) -> str:
        return f"{self.runtime} on {self.device}"


def engine_choices(settings: SegmentSettings, card: ModelCard) -> list[EngineChoice]:
    """The engines to try for these settings and this network, best first.

    A device asked for by name comes first, but the CPU stays behind it. A runtime asked for by name is the only one.
    Accelerators are OpenVINO's first; for the CPU the card says which runtime is the cheaper.
    Raises `EngineError` if no runtime is installed.
    """
    device = "NPU" if settings.device == "VPU" else settings.device
    choices: list[EngineChoice] = []
    problems: list[str] = []
    backends = {"openvino": _openvino_choices, "onnxruntime": _onnxruntime_choices}
    able = [name for name in backends if name in card.cpu_runtimes]
    for name in able if settings.backend == "auto" else [settings.backend]:
        try:
            choices += backends[name](device)
        except EngineError as error:
            problems.append(str(error))
    if not choices:
        raise EngineError(f"no inference runtime works: {'; '.join(problems)}", "pip install openvino onnxruntime")
    # stable: accelerators stay in the order of the runtimes, and go before any CPU
    on_cpu = {name: place for place, name in enumerate(card.cpu_runtimes, 1)}
    return sorted(choices, key=lambda choice: on_cpu.get(choice.runtime, 1) if choice.device == "CPU" else 0)


def _openvino_choices(device: str) -> list[EngineChoice]:
    from vcam.infer import openvino as runtime

    def choice(place: str) -> EngineChoice:
        return EngineChoice("openvino", place, lambda card, threads: runtime.OpenVinoEngine(card, place, threads))

    return [choice(place) for place in _with_cpu(runtime.candidates(device))]


def _onnxruntime_choices(device: str) -> list[EngineChoice]:
    from vcam.infer import onnxruntime as runtime

    def choice(place: str) -> EngineChoice:
        return EngineChoice("onnxruntime", place, lambda card, threads: runtime.OnnxRuntimeEngine(card, place, threads))

    return [choice(place) for place in _with_cpu(runtime.candidates(device))]


def _with_cpu(devices: list[str]) -> list[str]:
    return list(dict.fromkeys([*devices, "CPU"]))


class AutoSegmenter:
    """A model run by the first engine that works."""

    def __init__(
        self,
        settings: SegmentSettings,
        frame_size: Size,
        *,
        choices: Sequence[EngineChoice] | None = None,
        card: ModelCard | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """frame_size: of the frames to come, for the model `auto`; frames of other sizes are taken too.

        `choices`, `card` and `clock` stand in for what is installed, found and true. The engine has run once when
        this returns. Raises `ModelError` if model or card are unusable, `UsageError` if there is no such model,
        `EngineError` if no engine runs it.
        """
        self._card = find_model(settings.model, frame_size) if card is None else card
        self._threads = settings.threads
        self._choices = list(engine_choices(settings, self._card) if choices is None else choices)
        self._clock = clock
        self._preparer, self._partial = (Preparer(self._card.input.size, self._card.input.channels) for _ in range(2))
        # one with a memory of its own must see every frame, and all of it
        remembers = bool(self._card.states) or self._card.input.previous_mask
        self._tracker = RegionTracker(self._card.input.size) if settings.region and not remembers else None
        self._surroundings = Surroundings()
        self._still = StillCheck() if settings.skip_still and not remembers else None
        self._map: Map | None = None
        self._size = frame_size
        self._warned: set[str] = set()
        self._running = ""
        self._next = 0
        self._pause = FIRST_PAUSE
        self._retry_at = 0.0
        self._engine: Engine | None = None
        if problems := self._open(hide_model_errors=False):
            raise EngineError(
                f"no engine runs the model {self._card.name}: {'; '.join(problems)}",
                "try another --backend, --device or --model; vcam doctor tells more",
            )

    def _open(self, *, hide_model_errors: bool) -> list[str]:
        """Open the next engine that works, or return why none does."""
        problems: list[str] = []
        while self._next < len(self._choices):
            choice = self._choices[self._next]
            self._next += 1
            try:
                self._engine = choice.open(self._card, self._threads)
                self._running = choice.name
                if problems:
                    _log.warning("%s takes over", choice.name)
                return []
            except EngineError as error:
                reason = error.message
            except VcamError as error:
                if not hide_model_errors:
                    raise
                reason = error.message
            problems.append(reason)
            self._warn(choice.name, reason)
        return problems or ["none is left"]

    def _warn(self, name: str, reason: str) -> None:
        """Once an engine: a device that keeps failing must not fill the journal."""
        level = logging.DEBUG if name in self._warned else logging.WARNING
        self._warned.add(name)
        _log.log(level, "%s failed: %s", name, reason)

    @property
    def description(self) -> str:
        if self._engine is None:
            return f"{self._card.name}, no engine works"
        return f"{self._card.name}, {self._engine.name} on {self._engine.device}"

    @property
    def map_size(self) -> Size:
        return self._card.output.size

    def segment(self, frame: Frame) -> Map:
        if frame.size != self._size:
            self._forget()
            self._size = frame.size
        whole = Box(0, 0, *frame.size)
        shrunk = self._preparer.shrink(frame) if self._still else None
        if self._still and shrunk and self._map and self._still.may_skip(shrunk):
            pyramid = self._preparer.pyramid if self._map.box == whole else ()
            self._map = replace(self._map, seq=frame.seq, pyramid=pyramid)
            return self._map
        self._map = None

        shown: dict[Preparer, Box] = {}

        def look(part: Box) -> F32:
            preparer = self._preparer if part == whole else self._partial
            shown[preparer] = part
            ready = shrunk and part == whole
            return self._infer(preparer.picture() if ready else preparer.prepare(frame.view(part)))

        def quiet(part: Box) -> bool:
            nonlocal shrunk
            shrunk = shrunk or self._preparer.shrink(frame)
            return self._surroundings.are_quiet(shrunk, part, frame.size)

        probability, box = self._tracker.find(frame.size, look, quiet) if self._tracker else (look(whole), whole)
        if box != whole and self._preparer in shown:
            self._surroundings.remember(self._preparer.planes)
        if self._still and shrunk:
            self._still.remember(shrunk)
        # what a preparer holds is what it showed last
        pyramid = next((preparer.pyramid for preparer, part in shown.items() if part == box), ())
        self._map = Map(probability, box, frame.seq, frame.seq, pyramid)
        return self._map

    def _infer(self, picture: U8) -> F32:
        engine = self._engine or self._revive()
        try:
            probability = engine.infer(picture)
        except EngineError as error:
            self._drop(engine)
            self._warn(self._running, error.message)
            raise
        self._pause = FIRST_PAUSE
        return probability

    def _forget(self) -> None:
        """What was found in earlier frames says nothing of the next."""
        self._map = None
        self._surroundings.forget()
        if self._tracker:
            self._tracker.reset()
        if self._still:
            self._still.forget()

    def _drop(self, engine: Engine) -> None:
        engine.close()
        self._engine = None
        if self._next >= len(self._choices):
            self._give_up()

    def _give_up(self) -> None:
        """All engines have failed: begin anew, but not at once."""
        self._next = 0
        self._retry_at = self._clock() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _revive(self) -> Engine:
        """The next engine that works. Raises `EngineError` if there is none, or it is too early to try."""
        if self._next == 0 and self._clock() < self._retry_at:
            raise EngineError(f"no engine runs the model {self._card.name}", "they are tried again shortly")
        problems = self._open(hide_model_errors=True)
        if self._engine is None:
            self._give_up()
            raise EngineError(f"no engine runs the model {self._card.name}: {'; '.join(problems)}")
        _log.info("now on %s", self.description)
        return self._engine

    def reset(self) -> None:
        self._forget()
        if self._engine is not None:
            self._engine.reset()

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
            self._engine = None


def open_segmenter(settings: SegmentSettings, size: Size, source: str = "") -> Segmenter:
    """The segmenter for frames of `size`; raises as `AutoSegmenter` does.

    source: what tells one camera from another, for what has been learnt of its room.
    """
    if settings.backend == "subtraction":
        from vcam.segment.emptyroom.subtraction import SubtractionSegmenter

        return SubtractionSegmenter(settings, size, source)
    return AutoSegmenter(settings, size)
