"""Engines that are tried in turn, by engines that do as they are told."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from tests.infer.helpers import PICTURE, Clock, ScriptedEngine, choice, described
from vcam.errors import EngineError, ModelError
from vcam.infer.base import Output, Picture, State
from vcam.infer.choices import EngineChoice
from vcam.infer.runner import LONGEST_PAUSE, Runner, open_engine

NETWORK = described(Path("tiny.onnx"))
BLACK = NETWORK.blank()[0]
GREY = np.full_like(BLACK, 128)


def first_value(outputs):
    return float(outputs[0].flat[0])


def runner(*choices, read=first_value, **keys):
    return Runner(NETWORK, choices, read, **keys)


def warnings(caplog):
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


def test_the_first_engine_that_opens_is_used(caplog):
    run = runner(choice("a", EngineError("no driver")), choice("b", ScriptedEngine(0.75)))
    assert run.run(GREY) == 0.75
    assert run.description == "tiny, scripted on CPU"
    assert warnings(caplog) == ["a on CPU failed: no driver", "b on CPU takes over"]


def test_an_engine_that_throws_costs_one_run_and_is_replaced(caplog):
    first, second = ScriptedEngine(0.25, failing=(1,)), ScriptedEngine(0.75)
    run = runner(choice("a", first), choice("b", second))
    assert run.run(GREY) == 0.25
    with pytest.raises(EngineError, match="the device is gone"):
        run.run(GREY)
    assert run.description == "tiny, no engine works"
    assert run.run(GREY) == 0.75
    assert first.closed == 1
    assert warnings(caplog) == ["a on CPU failed: the device is gone"]


def _no_numbers(outputs):
    if not np.isfinite(outputs[0]).all():
        raise EngineError("that is no number")
    return first_value(outputs)


def _one_over(picture):
    """Fails on white, as a network that divides by what is left of it."""
    return np.full((1, 1), np.nan if picture.max() == 255 else 1.0)


def test_an_engine_whose_values_cannot_be_read_is_replaced_as_one_that_throws(caplog):
    first = ScriptedEngine(_one_over)
    run = runner(choice("a", first), choice("b", ScriptedEngine(0.75)), read=_no_numbers)
    with pytest.raises(EngineError, match="no number"):
        run.run(np.full_like(BLACK, 255))
    assert first.closed == 1
    assert run.run(GREY) == 0.75
    assert warnings(caplog) == ["a on CPU failed: that is no number"]


def test_an_engine_is_seen_at_work_on_black_pictures_before_it_counts(caplog):
    shown = []

    def answer(picture):
        shown.append(picture.copy())
        return np.full((1, 1), np.nan)

    first, second = ScriptedEngine(answer), ScriptedEngine(0.75)
    run = runner(choice("a", first), choice("b", second), read=_no_numbers)
    (picture,) = shown
    assert (picture.shape, picture.dtype, picture.any()) == (PICTURE.shape, np.uint8, False)
    assert (first.closed, second.closed) == (1, 0)
    # what the network carries from picture to picture shall not begin with that one
    assert (second.seen, second.resets) == (0, 1)
    assert run.run(GREY) == 0.75
    assert warnings(caplog) == ["a on CPU failed: that is no number", "b on CPU takes over"]


def test_an_engine_that_throws_at_its_first_work_is_closed_and_the_error_is_told():
    engine = ScriptedEngine(failing=(-1,))
    with pytest.raises(EngineError, match="the device is gone"):
        open_engine(choice("a", engine), NETWORK, lambda ask: first_value(ask(BLACK)))
    assert engine.closed == 1


def test_an_error_that_is_nobody_s_fault_is_handed_on_and_the_engine_kept():
    def answer(picture):
        if picture.any():
            raise ZeroDivisionError
        return picture

    engine = ScriptedEngine(answer)
    run = runner(choice("a", engine))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            run.run(GREY)
    assert engine.closed == 0


def test_every_picture_of_a_network_with_several_reaches_the_engine():
    small = Picture((4, 2), "NHWC", (0,), (1,), "b")
    network = described(
        Path("two.onnx"), Picture((8, 6), "NHWC", (0, 0, 0), (1, 1, 1), "a"), small, outputs=(Output((1,)),)
    )
    shapes = []

    class Two(ScriptedEngine):
        def infer(self, *pictures):
            shapes.append([picture.shape for picture in pictures])
            return super().infer(*pictures)

    Runner(network, [choice("a", Two())], first_value).run(*network.blank())
    assert shapes == [[(6, 8, 3), (2, 4, 1)]] * 2


def test_several_pictures_or_outputs_need_names():
    for several in ({"pictures": (PICTURE, PICTURE)}, {"outputs": (Output((1,)), Output((1,)))}):
        with pytest.raises(ValueError, match="name"):
            described(Path("x.onnx"), *several.get("pictures", ()), outputs=several.get("outputs", (Output((1,)),)))


def test_when_none_is_left_all_are_tried_again_after_a_growing_pause(caplog):
    clock = Clock()
    opened = []

    def open_():
        opened.append(clock.now)
        return ScriptedEngine(failing=range(9))

    run = runner(choice("a", open_), clock=clock)
    for _ in range(900):
        with pytest.raises(EngineError):
            run.run(GREY)
        clock.now += 0.1
    # at once, then after 1, 2, 4 seconds and so on, give or take a picture
    np.testing.assert_allclose(np.diff(opened), [1, 2, 4, 8, 16, LONGEST_PAUSE], atol=0.25)
    assert len(warnings(caplog)) == 1


def test_an_engine_that_comes_back_ends_the_pauses():
    clock = Clock()
    engines = iter(
        [ScriptedEngine(failing=(0,)), EngineError("still gone"), ScriptedEngine(0.75, (1,)), ScriptedEngine(0.25)]
    )
    run = runner(choice("a", lambda: next(engines)), clock=clock)
    for _ in range(2):
        with pytest.raises(EngineError):
            run.run(GREY)
        clock.now += 1.1
    with pytest.raises(EngineError, match="shortly"):
        run.run(GREY)
    clock.now += 1
    assert run.run(GREY) == 0.75
    with pytest.raises(EngineError, match="the device is gone"):
        run.run(GREY)
    # the next pause is the first again
    clock.now += 1.1
    assert run.run(GREY) == 0.25


def test_no_engine_at_the_start_is_an_error_with_every_reason():
    with pytest.raises(EngineError, match="no driver; too old") as caught:
        runner(choice("a", EngineError("no driver")), choice("b", EngineError("too old")), hint="buy another")
    assert caught.value.hint == "buy another"


def test_a_broken_network_is_not_hidden_by_the_next_engine():
    with pytest.raises(ModelError, match="broken"):
        runner(choice("a", ModelError("broken")), choice("b", ScriptedEngine()))


def test_a_network_that_breaks_while_running_leaves_the_next_engine_its_turn():
    engines = iter([ScriptedEngine(failing=(0,)), ModelError("the file is gone")])
    run = runner(choice("a", lambda: next(engines)), choice("b", EngineError("no driver")), clock=Clock())
    with pytest.raises(EngineError):
        run.run(GREY)
    with pytest.raises(EngineError, match="no driver"):
        run.run(GREY)


def test_threads_reset_and_close_reach_the_engine():
    engine, given = ScriptedEngine(), []

    def open_(network, threads):
        given.append((network, threads))
        return engine

    run = runner(EngineChoice("a", "CPU", open_), threads=3)
    run.reset()
    run.close()
    run.close()
    assert given == [(NETWORK, 3)]
    assert (engine.resets, engine.closed) == (2, 1)


def test_states_that_have_gone_bad_cost_no_frame_and_not_the_engine(caplog):
    class Spoilt(ScriptedEngine):
        """Fails on every picture after a white one, until it is reset."""

        bad = False

        def infer(self, *pictures):
            if self.bad:
                raise EngineError("that is no number")
            self.bad = bool(pictures[0].max() == 255)
            return super().infer(*pictures)

        def reset(self):
            self.bad = False
            super().reset()

    network = described(Path("tiny.onnx"), states=(State("s", (1,), "t"),))
    engine = Spoilt(0.25)
    run = Runner(network, [choice("a", engine)], first_value)
    assert [run.run(np.full_like(BLACK, 255)), run.run(GREY)] == [0.25, 0.25]
    assert engine.closed == 0
    assert warnings(caplog) == []
    stateless = Spoilt(0.25)
    run = runner(choice("a", stateless))
    run.run(np.full_like(BLACK, 255))
    with pytest.raises(EngineError, match="no number"):
        run.run(GREY)
    assert stateless.closed == 1


def test_an_engine_that_fails_its_trial_is_passed_over_and_one_that_fails_it_later_replaced(caplog):
    def trial(ask):
        if ask(BLACK)[0].flat[0] > 0.5:
            raise EngineError("wrong")

    first, second, third = ScriptedEngine(0.75), ScriptedEngine(0.25), ScriptedEngine(0.5)
    run = runner(choice("a", first), choice("b", second), choice("c", third), trial=trial)
    assert run.run(GREY) == 0.25
    run.examine(trial)
    assert second.closed == 0
    second._answer = 0.75
    with pytest.raises(EngineError, match="wrong"):
        run.examine(trial)
    run.examine(trial)
    assert (first.closed, second.closed) == (1, 1)
    assert run.run(GREY) == 0.5
    assert warnings(caplog) == ["a on CPU failed: wrong", "b on CPU takes over", "b on CPU failed: wrong"]
