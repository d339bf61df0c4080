from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs pip install 'vcam[train]'")
pytest.importorskip("lightning_fabric", reason="needs pip install 'vcam[train]'")

from tests.train.sets import make_set, recipe, same, train
from vcam.errors import EngineError, InputError, OutputError, UsageError
from vcam.train import loop, runs
from vcam.train.optimizers import Muon
from vcam.train.recipe import read_recipe
from vcam.train.runs import load_run, read_state
from vcam.train.session import Session

pytestmark = pytest.mark.long


@pytest.mark.parametrize(("optimizer", "epochs"), [("adamw", 16), ("muon", 30)])
def test_a_training_leaves_all_that_is_needed_to_use_it_and_to_do_it_again(tmp_path, data, optimizer, epochs):
    told = []
    made = recipe(
        data, network="selfie", epochs=epochs, rate=0.01, average=0.5, augment=False, optimizer=optimizer
    )  # fmt: skip
    outcome = Session(made, tmp_path / "run", tell=lambda kind, figures: told.append((kind, figures))).run()
    assert outcome.ended
    assert outcome.best is not None
    # it has learnt what shapes are
    assert outcome.best[1] > outcome.baseline[1] + 0.1
    run = load_run(tmp_path / "run")
    assert (run.network, run.size, run.prior, run.values) == ("selfie", (64, 64), False, (0.0, 1.0))
    assert not run.net.training
    state = read_state(tmp_path / "run" / runs.BEST)
    assert set(state) >= {"network", "options", "size", "prior", "values", "model"}
    again = read_recipe(tmp_path / "run" / runs.RECIPE)
    assert again.made["torch"] == torch.__version__
    assert again.made["pictures"] == "9 to train, 3 to validate"
    lines = (tmp_path / "run" / runs.CURVES_CSV).read_text().splitlines()
    assert len(lines) == 1 + len([kind for kind, _ in told if kind == "round"])
    assert lines[0].startswith("epoch,steps,seconds,rate,loss,cross-entropy,val_loss,val_iou,val_miou")
    for name in (runs.CURVES, runs.WORST):
        assert cv2.imread(str(tmp_path / "run" / name)) is not None
    result = json.loads((tmp_path / "run" / runs.RESULT).read_text())
    assert result["best"] == list(outcome.best)
    second = Session(again, tmp_path / "second").run()
    assert second.best == outcome.best
    assert same(state["model"], read_state(tmp_path / "second" / runs.BEST)["model"])


def test_memory_that_is_short_while_weights_change_is_told_and_nothing_is_done_twice(tmp_path, data, monkeypatch):
    session = Session(recipe(data), tmp_path / "run")
    steps = []

    def fails(muon):
        steps.append(muon)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(Muon, "step", fails)
    with pytest.raises(EngineError, match="not enough memory to change the weights"):
        session.run()
    assert len(steps) == 1


@pytest.mark.parametrize("how", [{"epochs": 4}, {"minutes": 1.0}])
def test_the_first_pictures_are_small_and_what_is_scored_never_is(tmp_path, data, monkeypatch, how):
    seen, scored = [], []
    step, score = loop.Training._step, loop.score

    def noted(training, batch):
        seen.append((training.done() < 0.5, tuple(batch["picture"].shape[-2:]), tuple(batch["matte"].shape[-2:])))
        # so that an hour passes in a moment
        training.seconds += 5
        return step(training, batch)

    monkeypatch.setattr(loop.Training, "_step", noted)
    monkeypatch.setattr(loop, "score", lambda net, held, device: (
        scored.extend(tuple(batch["picture"].shape[-2:]) for batch in held), score(net, held, device),
    )[1])  # fmt: skip
    train(tmp_path / "run", recipe(data, **{"network": "selfie", "epochs": 0, "small": 0.5, **how}))
    # the first tells whether there is memory enough
    assert seen[0] == (True, (64, 64), (64, 64))
    for early, picture, matte in seen[1:]:
        assert picture == matte == ((32, 32) if early else (64, 64))
    assert len({early for early, *_ in seen[1:]}) == 2
    assert set(scored) == {(64, 64)}


@pytest.mark.parametrize("how", [{"schedule": "plateau"}, {"patience": 3}])
def test_small_pictures_are_no_plateau(tmp_path, data, how):
    with pytest.raises(UsageError, match="plateau") as caught:
        train(tmp_path / "run", recipe(data, network="selfie", small=0.5, **how))
    assert "--small 0" in caught.value.hint


def test_small_pictures_are_of_a_size_that_the_network_can_halve(data):
    sizes = {
        ("selfie", (256, 256)): (128, 128), ("selfie-landscape", (256, 144)): (128, 80), ("selfie", (64, 64)): (32, 32),
        ("portrait-net", (224, 224)): (128, 128), ("mobile-unet", (128, 128)): (64, 64),
        ("slim-net", (32, 64)): (32, 64),
    }  # fmt: skip
    assert {each: recipe(data, network=each[0], size=each[1]).small_size for each in sizes} == sizes


def test_workers_make_the_same_pictures_as_none(tmp_path, data):
    train(tmp_path / "none", recipe(data, epochs=1))
    train(tmp_path / "two", recipe(data, epochs=1, workers=2))
    assert same(*(read_state(tmp_path / name / runs.LAST)["model"] for name in ("none", "two")))


def test_it_ends_early_where_nothing_improves(tmp_path, data, monkeypatch):
    monkeypatch.setattr(loop, "ROUND", 8)
    outcome = train(tmp_path / "run", recipe(data, network="selfie", epochs=30, patience=4, rate=1e-8, average=0.0))
    assert outcome.ended
    assert outcome.epochs == outcome.best_epoch + 4 < 30


def test_patience_that_is_shorter_than_a_round_waits_for_its_score(tmp_path, data, monkeypatch):
    # two epochs of eight pictures
    monkeypatch.setattr(loop, "ROUND", 16)
    outcome = train(tmp_path / "run", recipe(data, network="selfie", epochs=40, patience=1, rate=1e-8, average=0.0))
    assert outcome.epochs == outcome.best_epoch + 2 < 40
    assert all(row["epoch"] % 2 == 0 for row in read_state(tmp_path / "run" / runs.LAST)["history"])


def test_what_went_wrong_first_is_told(tmp_path, data, monkeypatch):
    session = Session(recipe(data), tmp_path / "run")

    def fails(words, kind):
        raise kind(words, "")

    monkeypatch.setattr(session.training, "run", lambda: fails("no number", EngineError))
    monkeypatch.setattr(session, "_write_curves", lambda: fails("no space", OutputError))
    with pytest.raises(EngineError, match="no number"):
        session.run()


def test_a_mask_before_does_not_give_the_answer_away_and_is_asked_for_where_it_was_learnt_of(tmp_path, data):
    for channels, prior in ((3, False), (4, False), (4, True)):
        made = recipe(data, network="selfie", epochs=1, prior=prior, options={"norm": True, "channels": channels})
        session = Session(made, tmp_path / f"{channels}{prior}")
        assert (session.train.prior, session.val.prior) == (prior, False)
        session.run()
        assert load_run(tmp_path / f"{channels}{prior}").prior == prior


def test_a_loss_that_is_no_number_names_the_pictures_and_keeps_the_best(tmp_path, data, monkeypatch):
    monkeypatch.setattr(loop, "ROUND", 8)
    session = Session(recipe(data), tmp_path / "run")
    losses = session.training.loss

    def broken(net, out, batch, teacher=None):
        loss, parts = losses(net, out, batch, teacher)
        return (loss * float("nan"), parts) if session.training.epoch == 2 else (loss, parts)

    session.training.loss = broken
    with pytest.raises(
        EngineError, match=r"not a number any more, in epoch 2, with the pictures p\d\d, p\d\d"
    ) as caught:
        session.run()
    assert "lower --rate than 0.006" in caught.value.hint
    assert str(tmp_path / "run" / runs.BEST) in caught.value.hint
    assert load_run(tmp_path / "run").network == "mobile-unet-v3-half"
    assert (tmp_path / "run" / runs.CURVES_CSV).exists()


def test_too_little_memory_halves_the_batch_once_and_says_so(tmp_path, data, monkeypatch):
    told = []
    session = Session(recipe(data), tmp_path / "run", tell=lambda kind, figures: told.append((kind, figures)))
    step, most = session.training._step, 3
    monkeypatch.setattr(session.training, "_step", lambda batch: _with_memory(step, session.training, batch, most))
    assert session.run().ended
    notes = [figures["words"] for kind, figures in told if kind == "note"]
    assert notes == ["not enough memory for 4 pictures at once: halved to 2, two halves a step"]
    assert read_state(tmp_path / "run" / runs.LAST)["micro"] == 2
    session = Session(recipe(data), tmp_path / "other")
    step, most = session.training._step, 1
    monkeypatch.setattr(session.training, "_step", lambda batch: _with_memory(step, session.training, batch, most))
    with pytest.raises(EngineError, match="not enough memory for 2 pictures at once") as caught:
        session.run()
    assert "--batch 2" in caught.value.hint


def _with_memory(step, training, batch, most):
    if len(batch["index"]) // training.micro > most:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory")
    return step(batch)


def test_halves_of_a_batch_come_to_the_same_gradients(tmp_path, data):
    nets = []
    for micro in (1, 2):
        session = Session(
            recipe(data, network="selfie", options={"norm": False}, losses={"cross-entropy": 1.0}, epochs=1),
            tmp_path / str(micro),
        )
        session.training.micro = micro
        session.run()
        nets.append(read_state(tmp_path / str(micro) / runs.LAST)["model"])
    assert all(torch.allclose(nets[0][name], nets[1][name], atol=1e-5) for name in nets[0])


def test_a_full_disk_leaves_the_last_good_state_and_is_told(tmp_path, data, monkeypatch):
    monkeypatch.setattr(loop, "SAVE", 0.0)
    monkeypatch.setattr(loop, "ROUND", 8)
    told = []
    write, full = loop.write_state, []

    def fails(path, state):
        if full:
            raise OutputError(f"cannot write {path}: No space left on device", "free some space")
        write(path, state)

    def tell(kind, figures):
        told.append((kind, figures))
        if kind == "step" and figures["epoch"] == 1 and not full:
            full.append(read_state(tmp_path / "run" / runs.LAST)["steps"])

    monkeypatch.setattr(loop, "write_state", fails)
    with pytest.raises(OutputError, match="No space left"):
        train(tmp_path / "run", recipe(data), tell=tell)
    assert any("the one before is kept" in figures["words"] for kind, figures in told if kind == "note")
    assert read_state(tmp_path / "run" / runs.LAST)["steps"] == full[0]
    monkeypatch.setattr(loop, "write_state", write)
    assert Session(recipe(data), tmp_path / "run", resume=True).run().ended


def test_a_picture_that_breaks_while_it_trains_is_named_left_out_and_counted(tmp_path, data):
    told = []
    path = next(iter(sorted((data / "img").glob("*.jpg"))))
    session = Session(recipe(data, epochs=9), tmp_path / "run", tell=lambda kind, figures: told.append((kind, figures)))
    train_names = {entry.name for entry in session.train.entries}
    path = data / "img" / f"{min(train_names)}.jpg"

    def tell(kind, figures):
        told.append((kind, figures))
        if kind == "step" and figures["epoch"] == 7 and not cut:
            cut.append(path.stat().st_size)
            os.truncate(path, cut[0] // 3)
            # what was decoded is kept in memory, until there is no more room
            session.train._kept.clear()

    cut: list[int] = []
    session.training.tell = tell
    outcome = session.run()
    assert list(outcome.broken) == [str(path)]
    notes = [figures["words"] for kind, figures in told if kind == "note"]
    assert len(notes) == 1
    assert str(path) in notes[0]
    assert "left out" in notes[0]


def test_data_that_nothing_can_be_learnt_from_is_refused_before_a_folder_is_made(tmp_path, data):
    def refused(folder, match, kind=InputError):
        with pytest.raises(kind, match=match) as caught:
            Session(recipe(folder), tmp_path / "run")
        assert caught.value.hint
        assert not (tmp_path / "run").exists()

    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no pictures with mattes")
    refused(tmp_path / "nowhere", "there is no folder", UsageError)
    refused(make_set(tmp_path / "one", 1), "one picture")
    black = make_set(tmp_path / "black")
    for path in (black / "mask").iterdir():
        cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))
    refused(black, "nobody in any of the 9 masks")
    white = make_set(tmp_path / "white")
    for path in (white / "mask").iterdir():
        cv2.imwrite(str(path), np.full((64, 64), 255, np.uint8))
    refused(white, "no background in any of the 9 masks")


def test_what_cannot_be_meant_is_refused_with_a_cure(tmp_path, data):
    def refused(match, hint, kind=UsageError, **changes):
        with pytest.raises(kind, match=match) as caught:
            Session(recipe(data, **changes), tmp_path / "run")
        assert hint in caught.value.hint
        assert not (tmp_path / "run").exists()

    refused("no architecture unet", "choose selfie", network="unet")
    refused("no loss dicee", "dice", losses={"dicee": 1.0})
    refused("at 100x64", "multiples of 32", size=(100, 64))
    refused("epochs or minutes", "--epochs", epochs=0)
    refused("epochs or minutes", "--epochs", minutes=1.0)
    refused("rate cannot be nan", "give", rate=float("nan"))
    refused("unexpected keyword argument 'wdith'", "width", options={"wdith": 2})
    refused("no folder", "--backdrops", backdrops=str(tmp_path / "nothing"))
    refused("there is no file", "check", start=str(tmp_path / "nothing.pt"))
    refused("nothing to keep", "--from", keep=0.5)
    refused("keep cannot be 2", "0 to 1", keep=2.0, start="a.pt")
    refused("teacher", "--teacher", losses={"distillation": 1.0})
    refused("there is no model", "known", losses={"distillation": 1.0}, teacher="nonesuch")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(UsageError, match="exists already") as caught:
        Session(recipe(data), tmp_path / "taken")
    assert "--resume" in caught.value.hint


def test_weights_to_begin_with_are_scored_first_and_stay_the_best_if_nothing_is_better(tmp_path, data):
    train(tmp_path / "first", recipe(data, network="selfie", epochs=8, rate=0.01, average=0.5))
    made = recipe(data, network="selfie", epochs=1, rate=1.0, start=str(tmp_path / "first" / runs.BEST))
    outcome = train(tmp_path / "second", made)
    before = json.loads((tmp_path / "first" / runs.RESULT).read_text())["best"]
    assert outcome.start == pytest.approx(before, abs=1e-6)
    assert outcome.best is not None
    assert outcome.best[1] >= outcome.start[1]
    # the best cannot be worse; what the training made of it can
    rows = read_state(tmp_path / "second" / runs.LAST)["history"]
    assert outcome.last == (rows[-1]["val_iou"], rows[-1]["val_miou"])
    assert outcome.last[1] <= outcome.best[1]


def test_every_kind_of_loss_trains_with_a_prior_and_a_teacher(tmp_path, data):
    losses = dict.fromkeys(
        ("cross-entropy", "dice", "focal", "boundary", "consistency", "temporal", "distillation"), 1.0
    )
    made = recipe(
        data, network="portrait-net-video", options={"norm": True, "boundary": True}, epochs=1, losses=losses,
        teacher="selfie-general", schedule="plateau",
    )  # fmt: skip
    outcome = train(tmp_path / "run", made)
    assert outcome.ended
    assert load_run(tmp_path / "run").prior
    row = read_state(tmp_path / "run" / runs.LAST)["history"][-1]
    assert set(losses) <= set(row)
    assert all(np.isfinite(row[name]) for name in losses)
