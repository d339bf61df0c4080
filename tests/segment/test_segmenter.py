from __future__ import annotations

import logging
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from tests.infer.helpers import Clock, ScriptedEngine, choice
from tests.segment.helpers import unchecked
from vcam.errors import EngineError, UsageError
from vcam.frames import Frame
from vcam.infer.runner import FIRST_PAUSE
from vcam.models.cards import StateCard
from vcam.segment.region import EVERY
from vcam.segment.rest import SETTLE
from vcam.segment.segmenter import NetworkSegmenter, open_segmenter
from vcam.settings import SegmentSettings

SIZE = (640, 480)
FRAME = Frame.allocate(*SIZE)


def _segmenter(*choices, **keys):
    return NetworkSegmenter(SegmentSettings(), SIZE, choices=choices, card=unchecked(), **keys)


def _warnings(caplog):
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_an_engine_that_throws_costs_one_frame_and_is_replaced(caplog):
    first, second = ScriptedEngine(0.2, failing=(1,)), ScriptedEngine(0.8)
    segmenter = _segmenter(choice("a", first), choice("b", second))
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.2)
    with pytest.raises(EngineError, match="the device is gone"):
        segmenter.segment(FRAME)
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.8)
    assert first.closed == 1
    assert _warnings(caplog) == ["a on CPU failed: the device is gone"]


def test_an_engine_whose_map_holds_no_numbers_costs_one_frame_and_is_replaced():
    def dazzled(picture):
        return np.where(picture[np.newaxis, ..., 1] > 128, np.nan, 0.2).astype(np.float32)

    segmenter = _segmenter(choice("a", ScriptedEngine(dazzled)), choice("b", ScriptedEngine(0.8)))
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.2)
    with pytest.raises(EngineError, match="not numbers"):
        segmenter.segment(_bright(600, 800))
    assert segmenter.segment(FRAME).probability[0, 0] == np.float32(0.8)


def test_the_engines_are_tried_again_after_a_pause_by_the_clock_that_is_given():
    clock = Clock()
    segmenter = _segmenter(choice("a", lambda: ScriptedEngine(failing=(0,))), clock=clock)
    for message in ("the device is gone", "shortly"):
        with pytest.raises(EngineError, match=message):
            segmenter.segment(FRAME)
    clock.now += FIRST_PAUSE
    with pytest.raises(EngineError, match="the device is gone"):
        segmenter.segment(FRAME)


def test_no_engine_at_the_start_is_an_error_with_every_reason():
    with pytest.raises(EngineError, match="no driver; too old") as caught:
        _segmenter(choice("a", EngineError("no driver")), choice("b", EngineError("too old")))
    assert "--backend" in caught.value.hint


def test_an_unknown_model_is_a_usage_error():
    with pytest.raises(UsageError):
        NetworkSegmenter(SegmentSettings(model="nope"), SIZE, choices=[choice("a", ScriptedEngine())])


def test_reset_and_close_reach_the_engine():
    engine = ScriptedEngine()
    segmenter = _segmenter(choice("a", engine))
    before = engine.resets
    segmenter.reset()
    segmenter.close()
    segmenter.close()
    assert (engine.resets - before, engine.closed) == (1, 1)


def _person(picture):
    """A map with somebody where the picture is bright."""
    return (picture[np.newaxis, ..., 1] > 128).astype(np.float32)


def _seeing_engine():
    """Finds whatever is bright."""
    return ScriptedEngine(_person)


def _bright(x0, x1, y0=300):
    frame = Frame.allocate(1280, 720)
    frame.y[y0:, x0:x1] = 200
    return frame


def _with_memory(card, memory):
    if memory == "previous_mask":
        return msgspec.structs.replace(card, input=msgspec.structs.replace(card.input, previous_mask=True))
    return msgspec.structs.replace(card, states=(StateCard(input="r", shape=(1,)),))


def test_of_a_small_person_the_map_is_of_their_surroundings():
    segmenter = _segmenter(choice("a", _seeing_engine()))
    seen = segmenter.segment(_bright(600, 800))
    x0, y0, x1, y1 = seen.box
    assert (x1 - x0) * (y1 - y0) < 0.4 * 1280 * 720
    columns = np.nonzero(seen.probability[-1] > 0.5)[0]
    found = x0 + np.array([columns[0], columns[-1] + 1]) * (x1 - x0) / 256
    np.testing.assert_allclose(found, [600, 800], atol=3)


def test_without_the_region_or_with_a_network_that_has_a_memory_the_map_is_of_the_whole_frame():
    card = unchecked()
    still = Frame.allocate(1280, 720)
    for settings, memory in (
        (SegmentSettings(region=False), ""),
        (SegmentSettings(skip_still=True), "previous_mask"),
        (SegmentSettings(skip_still=True), "states"),
    ):
        engine = _seeing_engine()
        own = _with_memory(card, memory) if memory else card
        segmenter = NetworkSegmenter(settings, SIZE, choices=[choice("a", engine)], card=own)
        assert segmenter.segment(_bright(600, 800)).box == (0, 0, 1280, 720)
        for _ in range(30):
            segmenter.segment(still)
        assert engine.seen == 31, "every frame must be seen"


def test_while_nothing_changes_around_a_small_person_the_whole_frame_is_not_looked_at():
    engine = _seeing_engine()
    segmenter, frame = _segmenter(choice("a", engine)), _bright(600, 800)

    def looks_at_the_whole(frame, frames):
        before = engine.seen
        for _ in range(frames):
            segmenter.segment(frame)
        return engine.seen - before - frames

    looks_at_the_whole(frame, 2 * EVERY)
    assert looks_at_the_whole(frame, 4 * (EVERY + 1)) == 0
    # a lamp that is too small to be a person
    changed = _bright(600, 800)
    changed.y[40:64, 40:64] = 200
    assert looks_at_the_whole(changed, EVERY + 1) == 1


def _resting(engine):
    return NetworkSegmenter(SegmentSettings(skip_still=True), SIZE, choices=[choice("a", engine)], card=unchecked())


def _show(segmenter, frame, seq):
    frame.seq = seq
    seen = segmenter.segment(frame)
    assert seen.seq == seq
    return seen


def test_while_nothing_moves_the_map_is_that_of_an_earlier_frame_and_says_so():
    engine = _seeing_engine()
    segmenter, frame = _resting(engine), _bright(300, 1000, 100)
    maps = [_show(segmenter, frame, seq) for seq in range(40)]
    asked = [seen.seq for seen in maps if seen.origin == seen.seq]
    assert len(asked) == engine.seen < 10
    assert all(seen.origin == max(seq for seq in asked if seq <= seen.seq) for seen in maps)
    moved = _bright(310, 1010, 100)
    assert _show(segmenter, moved, 40).origin == 40


@pytest.mark.parametrize("event", ["reset", "size", "failure"])
def test_after_an_event_the_network_is_asked_though_nothing_has_moved(event):
    engine = _seeing_engine()
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
        # however long nothing moves, there is no map that could be used again
        for seq in range(13, 13 + 2 * SETTLE):
            with pytest.raises(EngineError):
                _show(segmenter, frame, seq)
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
def test_for_pictures_of_their_own_the_better_model_is_opened_whatever_their_shape():
    segmenter = open_segmenter(SegmentSettings(backend="onnxruntime"), (1280, 720), still=True)
    assert segmenter.description.startswith("selfie-general")


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
    def open_(network, device, threads):
        if device != "CPU":
            raise EngineError(f"no {device}")
        return ScriptedEngine()

    return open_


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
