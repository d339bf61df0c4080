"""Trainings that were broken off and go on."""

from __future__ import annotations

import os

import msgspec
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'vcam[train]'")

from tests.train.sets import recipe, same, train
from vcam.errors import ModelError
from vcam.train import loop, runs
from vcam.train.recipe import read_recipe
from vcam.train.runs import load_run, read_state
from vcam.train.session import Session

pytestmark = pytest.mark.long


class Killed(BaseException):
    """Ends a training as SIGKILL does: nothing is written any more."""


def test_a_killed_training_goes_on_to_the_same_weights_as_one_that_was_not(tmp_path, data, monkeypatch):
    monkeypatch.setattr(loop, "ROUND", 8)
    made = recipe(data, size=(128, 128), freeze=0.4, small=0.5)
    train(tmp_path / "whole", made)
    one, best = (read_state(tmp_path / "whole" / name) for name in (runs.LAST, runs.BEST))
    monkeypatch.setattr(loop, "SAVE", 0.0)
    # of two steps an epoch: with a frozen encoder, after it has thawed, at an epoch's end
    for kill_at in (1, 3, 4):
        broken = tmp_path / f"broken-{kill_at}"
        steps = 0

        def tell(kind, figures, kill_at=kill_at):
            nonlocal steps
            steps += kind == "step"
            if steps > kill_at:
                raise Killed

        with pytest.raises(Killed):
            train(broken, made, tell=tell)
        assert read_state(broken / runs.LAST)["steps"] == kill_at
        # what happens meanwhile in a program is of no account
        torch.manual_seed(99)
        assert train(broken, read_recipe(broken / runs.RECIPE), resume=True).ended
        other = read_state(broken / runs.LAST)
        for name in ("model", "average"):
            assert same(one[name], other[name]), (kill_at, name)
        assert one["steps"] == other["steps"] == 6
        assert [row["val_miou"] for row in one["history"]] == [row["val_miou"] for row in other["history"]]
        assert same(best["model"], read_state(broken / runs.BEST)["model"])


def test_a_run_from_before_there_was_a_choice_of_optimizers_goes_on(tmp_path, data):
    train(tmp_path / "whole", recipe(data, epochs=5, optimizer="adamw", schedule="plateau"))
    old = tmp_path / "old"
    train(old, recipe(data, epochs=3, optimizer="adamw", schedule="plateau"))
    state = read_state(old / runs.LAST)
    (state["optimizer"],) = state["optimizer"]
    runs.write_state(old / runs.LAST, state)
    lines = (old / runs.RECIPE).read_text().splitlines()
    (old / runs.RECIPE).write_text("\n".join(line for line in lines if not line.startswith("optimizer")))
    made = read_recipe(old / runs.RECIPE)
    assert made.optimizer == "adamw"
    assert train(old, msgspec.structs.replace(made, epochs=5), resume=True).ended
    one, other = (read_state(each / runs.LAST) for each in (tmp_path / "whole", old))
    assert same(one["model"], other["model"])


def test_a_training_that_is_made_longer_does_not_go_back_to_small_pictures(tmp_path, data, monkeypatch):
    made = recipe(data, network="selfie", epochs=2, small=0.5)
    train(tmp_path / "run", made)
    seen = []
    step = loop.Training._step
    monkeypatch.setattr(loop.Training, "_step", lambda training, batch: (
        seen.append(tuple(batch["picture"].shape[-2:])), step(training, batch),
    )[1])  # fmt: skip
    train(tmp_path / "run", recipe(data, network="selfie", epochs=20, small=0.5), resume=True)
    assert set(seen) == {(64, 64)}
    assert len(seen) == 36


def test_a_resumed_training_learns_from_what_it_began_with_though_that_file_is_gone(tmp_path, data, monkeypatch):
    monkeypatch.setattr(loop, "SAVE", 0.0)
    train(tmp_path / "first", recipe(data, network="selfie", epochs=2))
    start = tmp_path / "first" / runs.BEST
    made = recipe(data, network="selfie", epochs=2, start=str(start), teacher="selfie-general", keep=0.5,
                  losses={"cross-entropy": 1.0, "distillation": 1.0})  # fmt: skip
    train(tmp_path / "whole", made)
    steps = []

    def tell(kind, figures):
        if kind == "step":
            steps.append(figures)
        if len(steps) > 1:
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path / "broken", made, tell=tell)
    start.unlink()
    train(tmp_path / "broken", made, resume=True)
    assert same(*(read_state(tmp_path / name / runs.LAST)["model"] for name in ("whole", "broken")))
    assert same(*(read_state(tmp_path / name / runs.BEST)["model"] for name in ("whole", "broken")))


def test_ctrl_c_keeps_the_best_and_the_rest_of_the_training(tmp_path, data, monkeypatch):
    monkeypatch.setattr(loop, "ROUND", 8)
    sessions = []

    def tell(kind, figures):
        if kind == "round":
            sessions[0].stop()

    sessions.append(Session(recipe(data), tmp_path / "run", tell=tell))
    outcome = sessions[0].run()
    assert not outcome.ended
    assert outcome.epochs == 1
    assert outcome.best is not None
    notes = []

    def listen(kind, figures):
        if kind == "note":
            notes.append(figures["words"])

    assert Session(recipe(data), tmp_path / "run", resume=True, tell=listen).run().epochs == 3
    assert notes == []
    assert Session(recipe(data), tmp_path / "run", resume=True, tell=listen).run().epochs == 3
    assert notes == ["it was at its end already: --epochs or --minutes makes it longer"]


def test_what_was_killed_before_anything_was_saved_begins_again(tmp_path, data):
    Session(recipe(data, epochs=1), tmp_path / "run")
    assert os.listdir(tmp_path / "run") == [runs.RECIPE]
    notes = []
    made = read_recipe(tmp_path / "run" / runs.RECIPE)
    session = Session(made, tmp_path / "run", resume=True, tell=lambda kind, figures: notes.append(figures))
    assert session.run().ended
    assert "begins again" in notes[0]["words"]


def test_a_state_of_another_network_and_a_damaged_one_are_refused(tmp_path, data):
    train(tmp_path / "run", recipe(data, epochs=1))
    with pytest.raises(ModelError, match="another training"):
        Session(recipe(data, network="selfie"), tmp_path / "run", resume=True)
    path = tmp_path / "run" / runs.LAST
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ModelError, match="damaged"):
        Session(recipe(data), tmp_path / "run", resume=True)
    os.truncate(tmp_path / "run" / runs.BEST, 1000)
    with pytest.raises(ModelError, match="damaged"):
        load_run(tmp_path / "run")
