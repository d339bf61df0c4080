"""`vcam train`: its words, its help, and the training as a program that is killed, stopped and shared."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import msgspec
import pytest
from click.testing import CliRunner

from tests.cli.helpers import offered
from vcam import extras
from vcam.cli.main import cli
from vcam.cli.reference import commands_page
from vcam.cli.train import train as group
from vcam.cli.training import Wishes, recipe_of, shares
from vcam.errors import UsageError

VCAM = [sys.executable, "-m", "vcam"]
HAVE = all(importlib.util.find_spec(name) for name in ("torch", "lightning_fabric"))
needs_training = pytest.mark.skipif(not HAVE, reason="needs pip install 'vcam[train]'")


def vcam(*words: object, **environ: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environ}
    return subprocess.run([*VCAM, *map(str, words)], capture_output=True, text=True, timeout=300, env=env)


def wishes(**changes):
    options = {name: changes.pop(name) for name in list(changes) if name not in ("data", "out", "config", "resume")}
    given = {"data": Path("set"), "out": Path("run"), "config": None, "resume": False, **changes}
    return Wishes(given["data"], given["out"], None, given["config"], given["resume"], False, options)


@pytest.fixture
def data(tmp_path):
    from tests.train.sets import make_set

    return make_set(tmp_path / "data")


# words


def test_help_tells_of_the_training_and_of_the_commands_beside_it():
    told = CliRunner().invoke(cli, ["train", "--help"], prog_name="vcam").output
    assert told.startswith("Usage: vcam train DATA --network NAME --out RUN [OPTIONS] | COMMAND")
    for words in ("--network NAME", "--resume", "Commands:", "list"):
        assert words in told
    assert " fit" not in told
    told = CliRunner().invoke(cli, ["train", "list", "--help"], prog_name="vcam").output
    assert told.startswith("Usage: vcam train list [OPTIONS]")


def test_a_mistake_is_told_in_the_words_that_were_typed():
    done = CliRunner().invoke(cli, ["train", "portraits", "--bogus"], prog_name="vcam")
    assert done.exit_code == 2
    assert "Usage: vcam train DATA" in done.output
    assert "fit" not in done.output
    # options may come first
    done = CliRunner().invoke(cli, ["train", "--batch", "none", "portraits"], prog_name="vcam")
    assert "'none' is not a valid integer" in done.output


def test_the_reference_shows_the_options_under_the_name_that_is_typed():
    page = commands_page(cli)
    part = page[page.index("\n## vcam train\n") :]
    part = part[: part.index("\n## ", 5)]
    assert "    vcam train DATA --network NAME --out RUN [OPTIONS] | COMMAND [ARGS]..." in part
    assert "- `--network NAME`: " in part
    assert "\n### vcam train list\n" in part
    assert "train fit" not in page


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (("train", "li"), ["list"]),
        (("train", "por"), ["<file>"]),
        (("train", "--net"), ["--network"]),
        (("train", "portraits", "--sche"), ["--schedule"]),
        (("train", "portraits", "--network", "selfie-l"), ["selfie-landscape"]),
        (("train", "--network", "pri"), ["prisma-net"]),
        (("train", "portraits", "--loss", "di"), ["dice", "distillation"]),
        (("train", "portraits", "--teacher", "selfie-g"), ["selfie-general"]),
        (("train", "portraits", "--precision", "b"), ["bf16"]),
        (("train", "list", "--j"), ["--json"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_shell_offers_commands_options_and_values(words, there):
    assert offered(*words) == there


def test_every_option_of_the_training_reaches_the_recipe_or_is_a_way_to_run_it():
    from vcam.train.recipe import Recipe

    ways = {"out", "preview", "config", "resume", "as_json", "help"}
    names = {each.name for each in group.commands["fit"].params if isinstance(each, click.Option)} - ways
    renamed = {"loss": "losses", "option": "options"}
    assert {renamed.get(name, name) for name in names} <= set(Recipe.__struct_fields__)


def test_the_list_has_what_one_chooses_by():
    done = CliRunner().invoke(cli, ["train", "list", "--json"])
    rows = json.loads(done.output)
    assert [row["name"] for row in rows][:3] == ["selfie", "selfie-landscape", "prisma-net"]
    assert {"size", "parameters", "good_for", "source"} <= set(rows[0])
    assert "prisma-net" in CliRunner().invoke(cli, ["train", "list"]).output


def test_options_become_a_recipe():
    made = recipe_of(wishes(
        network="portrait-net", loss=("boundary=0.5", "dice"), option=("width=0.5", "act=relu6"), size="128x64",
        start=Path("a.pt"), epochs=3,
    ))  # fmt: skip
    assert made.losses == {"boundary": 0.5, "dice": 1.0}
    assert made.options == {"norm": True, "boundary": True, "width": 0.5, "act": "relu6"}
    assert (made.size, made.epochs, made.minutes, made.rate) == ((128, 64), 3, 0.0, 0.0001)
    assert made.start == os.path.abspath("a.pt")
    assert made.data == os.path.abspath("set")
    made = recipe_of(wishes(network="portrait-net", loss=("boundary",)))
    assert made.options == {"norm": True, "boundary": True}
    assert (made.minutes, made.epochs, made.rate) == (10.0, 0, 0.006)
    assert recipe_of(wishes(network="selfie", prior=True)).options["channels"] == 4
    assert recipe_of(wishes(network="selfie", teacher="x")).losses["distillation"] == 1.0
    assert recipe_of(wishes(network="selfie")).precision == "float32"
    assert recipe_of(wishes(network="mobile-unet", encoder=Path("a.pt"))).freeze == pytest.approx(1 / 3)
    # what knows something already has been trained at the whole size
    assert [recipe_of(wishes(network="selfie", **given)).small for given in (
        {}, {"start": Path("a.pt")}, {"encoder": Path("a.pt")}, {"schedule": "plateau"}, {"patience": 9},
        {"start": Path("a.pt"), "small": 0.3},
    )] == [0.5, 0, 0, 0, 0, 0.3]  # fmt: skip
    assert recipe_of(wishes(network="mobile-unet", encoder=Path("a.pt"))).rate == 0.002
    # what knows something keeps more of it so, and a small one gains nothing
    assert [recipe_of(wishes(**{"network": "mobile-unet", **given})).optimizer for given in (
        {}, {"start": Path("a.pt")}, {"encoder": Path("a.pt")}, {"start": Path("a.pt"), "optimizer": "muon"},
        {"network": "selfie"}, {"network": "slim-net"},
    )] == ["muon", "adamw", "muon", "muon", "adamw", "muon"]  # fmt: skip


@needs_training
def test_a_training_has_the_process_keep_what_it_frees(monkeypatch, tmp_path):
    kept = []
    monkeypatch.setattr("vcam.train.heap.keep_freed", lambda: kept.append(True))
    out = str(tmp_path / "run")
    done = CliRunner().invoke(cli, ["train", str(tmp_path / "nothing"), "--network", "selfie", "--out", out])
    assert done.exit_code
    assert kept == [True]


def test_a_step_of_a_small_network_takes_more_pictures(monkeypatch):
    batches = {
        name: recipe_of(wishes(network=name)).batch for name in ("selfie", "selfie-landscape", "slim-net", "prisma-net")
    }
    assert batches == {"selfie": 16, "selfie-landscape": 16, "slim-net": 8, "prisma-net": 8}
    assert recipe_of(wishes(network="selfie", batch=4)).batch == 4
    # of several processes all together
    batches = []
    for processes in ("2", "4"):
        monkeypatch.setenv("WORLD_SIZE", processes)
        batches += [recipe_of(wishes(network=name)).batch for name in ("selfie", "slim-net")]
    assert batches == [8, 8, 8, 8]


def test_half_of_what_a_network_knows_stays_unless_a_teacher_holds_it_or_it_is_let_go():
    start = Path("a.pt")
    assert recipe_of(wishes(network="selfie", start=start)).keep == 0.5
    assert recipe_of(wishes(network="selfie", start=start, keep=0.0)).keep == 0
    assert recipe_of(wishes(network="selfie", start=start, keep=0.25)).keep == 0.25
    assert recipe_of(wishes(network="selfie", start=start, teacher="x")).keep == 0
    assert recipe_of(wishes(network="selfie")).keep == 0
    assert recipe_of(wishes(network="mobile-unet", encoder=start)).keep == 0


def test_a_recipe_is_made_again_with_what_is_given_beside_it(tmp_path):
    from vcam.train.recipe import write_recipe

    first = recipe_of(wishes(network="selfie", epochs=3, seed=5, batch=8))
    write_recipe(tmp_path / "recipe.toml", first)
    again = recipe_of(wishes(data=None, config=tmp_path / "recipe.toml"))
    assert again == first
    other = recipe_of(wishes(config=tmp_path / "recipe.toml", network="prisma-net", minutes=2.0))
    assert (other.network, other.seed, other.batch, other.minutes, other.epochs) == ("prisma-net", 5, 8, 2.0, 0)


def test_weights_to_begin_with_are_a_file_a_run_or_a_model_by_its_name(tmp_path, monkeypatch):
    from vcam.models.find import find_model

    monkeypatch.chdir(tmp_path)

    def start(path):
        return recipe_of(wishes(network="selfie", start=Path(path))).start

    assert start("selfie-general") == str(find_model("selfie-general", (1280, 720)).file_path)
    assert start("nothing.onnx") == str(tmp_path / "nothing.onnx")
    assert start("runs/nothing") == str(tmp_path / "runs/nothing")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "best.pt").touch()
    assert start("mine") == str(tmp_path / "mine" / "best.pt")
    with pytest.raises(UsageError, match="there is no model") as caught:
        start("selfie-generl")
    assert "selfie-general" in caught.value.hint


def test_a_boundary_head_a_mask_before_and_options_go_together(tmp_path):
    from vcam.train.recipe import write_recipe

    given = {"network": "portrait-net", "loss": ("boundary", "dice"), "prior": True, "option": ("width=0.5",)}
    made = recipe_of(wishes(**given))
    assert made.options == {"norm": True, "boundary": True, "channels": 4, "width": 0.5}
    assert made.prior
    assert recipe_of(wishes(**{**given, "option": ("boundary=false",)})).options["boundary"] is False
    write_recipe(tmp_path / "recipe.toml", made)
    # the same words again go on with it, others do not
    assert recipe_of(wishes(**given, out=tmp_path, resume=True)) == made
    for match, other in (("another --loss", {"loss": ("dice",)}), ("another --option", {"option": ("width=0.6",)}),
                         ("another DATA", {"data": Path("others")}), ("another --rate", {"rate": 0.5}),
                         ("another --from", {"start": Path("a.pt")})):  # fmt: skip
        with pytest.raises(UsageError, match=match):
            recipe_of(wishes(**{**given, **other}, out=tmp_path, resume=True))
    # of another recipe, what is given is changed alone
    config = tmp_path / "recipe.toml"
    assert recipe_of(wishes(config=config, option=("act=relu",))).options == {**made.options, "act": "relu"}
    without = recipe_of(wishes(config=config, prior=False))
    assert (without.prior, "channels" in without.options) == (False, False)
    assert recipe_of(wishes(config=config, network="selfie")).options == {"norm": True, "channels": 4}
    # what was meant for a network that began with nothing
    assert made.small == 0.5
    begun = recipe_of(wishes(config=config, start=Path("a.pt")))
    assert (begun.small, begun.rate, begun.keep, begun.optimizer) == (0, 0.0001, 0.5, "adamw")
    write_recipe(config, msgspec.structs.replace(made, optimizer="adamw"))
    begun = recipe_of(wishes(config=config, encoder=Path("a.pt")))
    assert (begun.rate, begun.optimizer) == (0.002, "adamw")
    # what is right for one architecture is not for another
    assert [recipe_of(wishes(config=config, network=name)).optimizer for name in ("selfie", "slim-net")] == [
        "adamw", "muon"]  # fmt: skip
    assert recipe_of(wishes(config=config, teacher="x")).losses == {"distillation": 1.0, "boundary": 1.0, "dice": 1.0}


def test_what_cannot_be_meant_is_refused():
    for match, hint, given in (
        ("no architecture slefie", "did you mean selfie", {"network": "slefie"}),
        ("which architecture", "vcam train list", {}),
        ("dice=much gives no weight", "dice=0.5", {"network": "selfie", "loss": ("dice=much",)}),
        ("wide is no option", "width", {"network": "selfie", "option": ("wide",)}),
        ("which pictures", "vcam train DATA", {"network": "selfie", "data": None}),
        ("nothing in run", "--resume", {"resume": True}),
    ):
        with pytest.raises(UsageError, match=match) as caught:
            recipe_of(wishes(**given))
        assert hint in caught.value.hint


def test_cores_are_shared_by_what_makes_pictures_and_what_computes():
    assert [shares(cores, processes) for cores, processes in ((1, 1), (2, 1), (2, 2), (8, 1), (16, 2))] == [
        (1, 1), (1, 2), (1, 1), (2, 8), (2, 8),
    ]  # fmt: skip


@pytest.mark.process
def test_without_the_extra_the_cure_is_told(tmp_path):
    script = "import sys; sys.modules['torch'] = None; from vcam.cli.main import main; main()"
    words = ["train", str(tmp_path), "--network", "selfie", "--out", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert extras.command("train") in done.stderr
    assert "https://download.pytorch.org/whl/cpu" in done.stderr
    assert "Traceback" not in done.stderr


@needs_training
def test_a_preview_is_written_over_nothing(data, tmp_path):
    def drawn(path):
        words = ["train", str(data), "--network", "selfie", "--size", "64x64", "--preview", str(path)]
        return CliRunner().invoke(cli, words, standalone_mode=False).exception

    assert drawn(tmp_path / "look.png") is None
    before = (tmp_path / "look.png").read_bytes()
    assert "exists" in drawn(tmp_path / "look.png").message
    assert (tmp_path / "look.png").read_bytes() == before
    mask = data / "mask" / "p00.png"
    before = mask.read_bytes()
    assert "is the input itself" in drawn(mask).message
    assert mask.read_bytes() == before


# programs

TINY = (
    "--network", "mobile-unet-v3-half", "--size", "64x64", "--batch", 8, "--workers", 1, "--threads", 1, "--seed", 3,
)  # fmt: skip


def weights(run: Path):
    from vcam.train.runs import read_state

    return read_state(run / "last.pt")["model"]


@needs_training
@pytest.mark.process
@pytest.mark.long
def test_a_training_that_was_killed_goes_on_to_the_same_weights(tmp_path, data):
    import torch

    # 40 epochs of one step to a round: it is killed after the first, at any step
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = vcam("train", data, *TINY, "--epochs", 50, "--out", whole)
    assert done.returncode == 0, done.stderr
    words = [*VCAM, "train", data, *TINY, "--epochs", 50, "--out", broken, "--json"]
    with subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if (broken / "last.pt").exists() and json.loads(line)["event"] == "step":
                break
        process.kill()
    assert process.returncode == -signal.SIGKILL
    done = vcam("train", "--out", broken, "--resume", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["event"] == "done"
    assert lines[-1]["ended"]
    assert lines[-1]["epochs"] == 50
    one, other = weights(whole), weights(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)


@needs_training
@pytest.mark.process
@pytest.mark.long
def test_ctrl_c_says_how_to_go_on(tmp_path, data):
    words = [*VCAM, "train", data, *TINY, "--minutes", 30, "--out", tmp_path / "my run"]
    with subprocess.Popen([*map(str, words)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = [process.stderr.readline()]
        assert "mIoU" in said[0], said
        process.send_signal(signal.SIGINT)
        said += process.stderr.readlines()
    text = "".join(said)
    assert process.returncode == 130, text
    assert "the best so far, of epoch" in text
    assert f"vcam train --out '{tmp_path / 'my run'}' --resume" in text
    assert "Traceback" not in text
    assert {"best.pt", "last.pt", "curves.png", "worst.png", "recipe.toml"} <= set(os.listdir(tmp_path / "my run"))


@needs_training
@pytest.mark.process
@pytest.mark.long
def test_two_processes_train_one_network(tmp_path, data):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = ["-m", "vcam", "train", data, "--network", "portrait-net", "--size", "64x64", "--batch", 2, "--epochs", 4,
             "--freeze", 0.5, "--loss", "boundary", "--loss", "consistency", "--workers", 0, "--device", "cpu",
             "--out", tmp_path / "run"]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *map(str, words)], capture_output=True, text=True, timeout=300, env=env
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # the first one speaks, and no other
    assert done.stderr.count("epoch 4: loss") == 1
    assert done.stdout.count("the mean of all masks") == 1
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["ended"]
    assert result["epochs"] == 4
    from vcam.train.runs import load_run, read_state

    assert load_run(tmp_path / "run").network == "portrait-net"
    state = read_state(tmp_path / "run" / "last.pt")
    assert len(state["chance"]) == 2
    # 9 pictures, 2 of each process a step
    assert state["steps"] == 4 * 2
