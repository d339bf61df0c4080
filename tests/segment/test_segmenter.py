from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from vcam.errors import EngineError, ModelError, UsageError
from vcam.frames import Frame
from vcam.models.cards import CostCard, StateCard, find_model
from vcam.segment.segmenter import AutoSegmenter, EngineChoice, engine_choices, open_segmenter
from vcam.settings import SegmentSettings

SIZE = (640, 480)
FRAME = Frame.allocate(*SIZE)


class ScriptedEngine:
    """Fails on the frames whose numbers are given; its map holds `value`."""

    name, device = "scripted", "CPU"

    def __init__(self, value=0.5, failing=()):
        self.value, self.failing = value, failing
        self.seen = self.closed = self.resets = 0

    def infer(self, picture):
        self.seen += 1
        if self.seen - 1 in self.failing:
            raise EngineError("the device is gone")
        return np.full((256, 256), self.value, np.float32)

    def reset(self):
        self.resets += 1

    def close(self):
        self.closed += 1


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def _choice(name, engine):
    """engine: what to open, or the exception to raise instead."""

    def open_(card, threads):
        made = engine() if callable(engine) and not isinstance(engine, type) else engine
        if isinstance(made, Exception):
            raise made
        return made

    return EngineChoice(name, "CPU", open_)


def _segmenter(*choices, **keys):
    return AutoSegmenter(SegmentSettings(), SIZE, choices=choices, **keys)


def _warnings(caplog):
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_the_first_engine_that_opens_is_used(caplog):
    segmenter = _segmenter(_choice("a", EngineError("no driver")), _choice("b", ScriptedEngine(0.7)))
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.7)
    assert _warnings(caplog) == ["a on CPU failed: no driver", "b on CPU takes over"]


def test_an_engine_that_throws_costs_one_frame_and_is_replaced(caplog):
    first, second = ScriptedEngine(0.2, failing=(1,)), ScriptedEngine(0.8)
    segmenter = _segmenter(_choice("a", first), _choice("b", second))
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.2)
    with pytest.raises(EngineError, match="the device is gone"):
        segmenter.segment(FRAME)
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.8)
    assert first.closed == 1
    assert _warnings(caplog) == ["a on CPU failed: the device is gone"]


def test_when_none_is_left_all_are_tried_again_after_a_growing_pause(caplog):
    clock = Clock()
    opened = []

    def open_():
        opened.append(clock.now)
        return ScriptedEngine(failing=range(9))

    segmenter = _segmenter(_choice("a", open_), clock=clock)
    for _ in range(100):
        with pytest.raises(EngineError):
            segmenter.segment(FRAME)
        clock.now += 0.1
    # at once, then after 1, 2 and 4 seconds, give or take a frame
    np.testing.assert_allclose(np.diff(opened), [1, 2, 4], atol=0.25)
    assert len(_warnings(caplog)) == 1


def test_an_engine_that_comes_back_ends_the_pauses():
    clock = Clock()
    engines = iter([ScriptedEngine(failing=(0,)), EngineError("still gone"), ScriptedEngine(0.9)])
    segmenter = _segmenter(_choice("a", lambda: next(engines)), clock=clock)
    for _ in range(2):
        with pytest.raises(EngineError):
            segmenter.segment(FRAME)
        clock.now += 1.1
    with pytest.raises(EngineError, match="shortly"):
        segmenter.segment(FRAME)
    clock.now += 1
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.9)


def test_no_engine_at_the_start_is_an_error_with_every_reason():
    with pytest.raises(EngineError, match="no driver; too old") as caught:
        _segmenter(_choice("a", EngineError("no driver")), _choice("b", EngineError("too old")))
    assert "--backend" in caught.value.hint


def test_a_broken_model_is_not_hidden_by_the_next_engine():
    with pytest.raises(ModelError, match="broken"):
        _segmenter(_choice("a", ModelError("broken")), _choice("b", ScriptedEngine()))


def test_an_unknown_model_is_a_usage_error():
    with pytest.raises(UsageError):
        AutoSegmenter(SegmentSettings(model="nope"), SIZE, choices=[_choice("a", ScriptedEngine())])


def test_reset_and_close_reach_the_engine():
    engine = ScriptedEngine()
    segmenter = _segmenter(_choice("a", engine))
    segmenter.reset()
    segmenter.close()
    segmenter.close()
    assert (engine.resets, engine.closed) == (1, 1)


def _person(picture):
    """A map with somebody where the picture is bright."""
    return (picture[..., 1] > 128).astype(np.float32)


class SeeingEngine(ScriptedEngine):
    """Finds whatever is bright."""

    def infer(self, picture):
        super().infer(picture)
        return _person(picture)


def _bright(x0, x1, y0=300):
    frame = Frame.allocate(1280, 720)
    frame.y[y0:, x0:x1] = 200
    return frame


def _with_memory(card, memory):
    if memory == "previous_mask":
        return msgspec.structs.replace(card, input=msgspec.structs.replace(card.input, previous_mask=True))
    return msgspec.structs.replace(card, states=(StateCard(input="r", shape=(1,)),))


def test_of_a_small_person_the_map_is_of_their_surroundings():
    segmenter = _segmenter(_choice("a", SeeingEngine()))
    seen = segmenter.segment(_bright(600, 800))
    x0, y0, x1, y1 = seen.box
    assert (x1 - x0) * (y1 - y0) < 0.4 * 1280 * 720
    columns = np.nonzero(seen.probability[-1] > 0.5)[0]
    found = x0 + np.array([columns[0], columns[-1] + 1]) * (x1 - x0) / 256
    np.testing.assert_allclose(found, [600, 800], atol=3)


def test_without_the_region_or_with_a_network_that_has_a_memory_the_map_is_of_the_whole_frame():
    card = find_model("selfie-general", SIZE)
    still = Frame.allocate(1280, 720)
    for settings, memory in (
        (SegmentSettings(region=False), ""),
        (SegmentSettings(skip_still=True), "previous_mask"),
        (SegmentSettings(skip_still=True), "states"),
    ):
        engine = SeeingEngine()
        own = _with_memory(card, memory) if memory else card
        segmenter = AutoSegmenter(settings, SIZE, choices=[_choice("a", engine)], card=own)
        assert segmenter.segment(_bright(600, 800)).box == (0, 0, 1280, 720)
        for _ in range(30):
            segmenter.segment(still)
        assert engine.seen == 31, "every frame must be seen"


def _resting(engine):
    return AutoSegmenter(SegmentSettings(skip_still=True), SIZE, choices=[_choice("a", engine)])


def _show(segmenter, frame, seq):
    frame.seq = seq
    seen = segmenter.segment(frame)
    assert seen.seq == seq
    return seen


def test_while_nothing_moves_the_map_is_that_of_an_earlier_frame_and_says_so():
    engine = SeeingEngine()
    segmenter, frame = _resting(engine), _bright(300, 1000, 100)
    maps = [_show(segmenter, frame, seq) for seq in range(40)]
    asked = [seen.seq for seen in maps if seen.origin == seen.seq]
    assert len(asked) == engine.seen < 10
    assert all(seen.origin == max(seq for seq in asked if seq <= seen.seq) for seen in maps)
    moved = _bright(310, 1010, 100)
    assert _show(segmenter, moved, 40).origin == 40


@pytest.mark.parametrize("event", ["reset", "size", "failure"])
def test_after_an_event_the_network_is_asked_though_nothing_has_moved(event):
    engine = SeeingEngine()
    segmenter, frame = _resting(engine), _bright(300, 1000, 100)
    for seq in range(12):
        last = _show(segmenter, frame, seq)
    assert last.origin < 11
    if event == "reset":
        segmenter.reset()
    elif event == "size":
        # the same picture at half the size looks the same to the network
        half = Frame.allocate(640, 360)
        half.y[...] = frame.y[::2, ::2]
        frame = half
    else:
        engine.failing = range(1000)
        with pytest.raises(EngineError):
            _show(segmenter, _bright(310, 1010, 100), 12)
        with pytest.raises(EngineError):
            _show(segmenter, frame, 13)
        return
    seen = _show(segmenter, frame, 14)
    assert seen.origin == 14
    assert seen.box == (0, 0, *frame.size)


@pytest.mark.engine
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize(("size", "map_size"), [((1280, 720), (256, 144)), (SIZE, (256, 256))])
def test_open_segmenter_runs_the_shipped_model_for_the_frame(backend, size, map_size, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    segmenter = open_segmenter(SegmentSettings(backend=backend), size)
    probability = segmenter.segment(Frame.allocate(*size)).probability
    assert segmenter.map_size == map_size
    assert probability.shape == map_size[::-1]
    assert probability.max() < 0.1, "nobody is in a black picture"
    assert backend in segmenter.description


@pytest.mark.engine
@pytest.mark.parametrize("device", ["GPU", "NPU", "VPU"])
def test_a_device_that_is_missing_falls_back_to_the_cpu_and_tells(device, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("vcam.infer.openvino.OpenVinoEngine", _refusing("openvino"))
    segmenter = open_segmenter(SegmentSettings(device=device), SIZE)
    assert segmenter.description.endswith("on CPU")
    wanted = "NPU" if device == "VPU" else device
    assert any(f"openvino on {wanted} failed" in message for message in _warnings(caplog))


def _refusing(name):
    def open_(card, device, threads):
        if device != "CPU":
            raise EngineError(f"no {device}")
        return ScriptedEngine()

    return open_


def test_accelerators_of_either_runtime_come_before_any_cpu(monkeypatch):
    monkeypatch.setattr("vcam.infer.openvino.accelerator_nodes", lambda: [Path("/dev/dri/renderD128")])
    monkeypatch.setattr("vcam.infer.openvino.devices", lambda: ["CPU", "GPU.0", "GPU.1"])
    monkeypatch.setattr("vcam.infer.onnxruntime.candidates", lambda device: ["GPU", "CPU"])
    names = [choice.name for choice in engine_choices(SegmentSettings(), find_model("selfie-general", SIZE))]
    assert names == ["openvino on GPU", "onnxruntime on GPU", "onnxruntime on CPU", "openvino on CPU"]


@pytest.mark.parametrize(
    ("file", "costs", "expected"),
    [
        ("a.onnx", (2.3, 2.1), ["onnxruntime on CPU", "openvino on CPU"]),
        ("a.onnx", (2.1, 2.3), ["openvino on CPU", "onnxruntime on CPU"]),
        ("a.onnx", (None, None), ["openvino on CPU", "onnxruntime on CPU"]),
        ("a.tflite", (2.3, 2.1), ["openvino on CPU"]),
    ],
)
def test_on_the_cpu_the_runtime_goes_first_that_the_card_says_is_cheaper(file, costs, expected, monkeypatch):
    monkeypatch.setattr("vcam.infer.openvino.accelerator_nodes", lambda: [])
    cost = CostCard("here", *costs)
    card = msgspec.structs.replace(find_model("selfie-general", SIZE), file=file, cost=cost)
    assert [choice.name for choice in engine_choices(SegmentSettings(), card)] == expected


def test_a_runtime_that_is_not_installed_leaves_the_other(monkeypatch):
    def missing(device):
        raise EngineError("OpenVINO does not start")

    monkeypatch.setattr("vcam.infer.openvino.candidates", missing)
    card = find_model("selfie-general", SIZE)
    assert [choice.name for choice in engine_choices(SegmentSettings(), card)] == ["onnxruntime on CPU"]
    with pytest.raises(EngineError, match="no inference runtime works"):
        engine_choices(SegmentSettings(backend="openvino"), card)


def test_without_accelerators_only_the_runtime_that_is_used_is_loaded():
    """Each runtime costs tens of megabytes; the memory budget has room for one."""
    code = (
        "import sys; from vcam.settings import SegmentSettings;"
        "from vcam.segment.segmenter import open_segmenter;"
        "import vcam.infer.openvino as openvino; openvino.accelerator_nodes = lambda: [];"
        "open_segmenter(SegmentSettings(), (1280, 720));"
        "print(sorted({'openvino', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(eval(done.stdout)) == 1
