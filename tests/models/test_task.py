"""Networks of another task: their cards, and that none of them is ever asked where somebody is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.models.conftest import SHIPPED
from tests.standin import SIDE, stand_in
from vcam.assets import data_folder
from vcam.cli import complete
from vcam.cli.models import models
from vcam.errors import ModelError, UsageError
from vcam.learn.lesson import best_teacher
from vcam.models.cards import InputCard, OutputCard, read_card
from vcam.models.catalogue import Entry
from vcam.models.convert import ORIGINALS
from vcam.models.find import best_model, card_paths, find_model
from vcam.segment import answers
from vcam.segment.segmenter import open_segmenter
from vcam.settings import SegmentSettings


def run(*words: str) -> str:
    result = CliRunner().invoke(models, words)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_card_says_what_engines_need(tmp_path: Path) -> None:
    card = read_card(stand_in(tmp_path))
    network = card.network()
    assert card.task == "harmonise"
    assert network.pictures[0].shape == (SIDE, SIDE, 4)
    assert network.outputs[0].shape == (8,)
    assert read_card(SHIPPED).task == "person"


@pytest.mark.parametrize(
    ("change", "to", "message", "hint"),
    [
        ('task = "harmonise"', 'task = "cats"', "task = 'cats' is not valid", "one of person, harmonise"),
        ('task = "harmonise"\n', "", "output.form = 'arguments' is not valid", "that of the task harmonise"),
        ('form = "arguments"', 'form = "logits"', "output.form = 'logits' is not valid", "has the form arguments"),
        ('channels = "YCbCrA"', 'channels = "RGB"', "input.channels = 'RGB' is not valid", "takes YCbCrA"),
        ('channels = "YCbCrA"\n', "", "input.channels = 'RGB' is not valid", "takes YCbCrA"),
        (r"mean = \[0, 0, 0, 0\]\n", "", "input.mean has 3 numbers", "needs 4"),
        (r'form = "arguments"', 'form = "arguments"\nsize = [64, 64]', "output.size is not for", "leave output.size"),
        (r"\[cost\]", '[known]\nunchecked = "x"\n[cost]', "known is not for the task", "leave known out"),
        (r"\[cost\]", '[[states]]\ninput = "a"\nshape = [1]\n[cost]', "states is not for", "leave states out"),
        ('channels = "YCbCrA"', 'channels = "YCbCrA"\nprevious_mask = true', "input.previous_mask is not for", "leave"),
    ],
)  # fmt: skip
def test_a_bad_card_is_refused_naming_the_key(tmp_path: Path, change: str, to: str, message: str, hint: str) -> None:
    card = stand_in(tmp_path)
    text, count = re.subn(change, to, card.read_text(), count=1)
    assert count == 1
    card.write_text(text)
    with pytest.raises(ModelError) as caught:
        read_card(card)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("change", "to", "message", "hint"),
    [
        ('channels = "RGB"', 'channels = "YCbCrA"', "input.channels = 'YCbCrA'", "RGB or BGR"),
        (r'form = ".*"\nsize = .*', 'form = "logits"', "output.size is missing", "width, height"),
    ],
)
def test_a_card_for_people_still_needs_what_it_needed(model, change: str, to: str, message: str, hint: str) -> None:
    text, count = re.subn(change, to, model[1].read_text(), count=1)
    assert count == 1
    model[1].write_text(text)
    with pytest.raises(ModelError, match=message) as caught:
        read_card(model[1])
    assert hint in caught.value.hint


def test_it_is_no_network_for_people_by_whatever_way_it_is_named(own_models: Path) -> None:
    card = stand_in(own_models, "light")
    for words in ("light", str(card), str(card.with_suffix(".onnx")), str(own_models)):
        with pytest.raises(UsageError, match="light harmonises: it is no network that finds people") as caught:
            find_model(words, (1280, 720))
        assert "--filter harmonise" in caught.value.hint
    with pytest.raises(UsageError, match="harmonises"):
        open_segmenter(SegmentSettings(model="light"), (1280, 720))
    assert find_model("light", (1280, 720), task="harmonise").path == card
    assert find_model("light", (1280, 720), task=None).path == card
    # nor is it offered in place of one
    with pytest.raises(UsageError) as missing:
        find_model("ligh", (1280, 720))
    assert "light" not in missing.value.hint


def test_it_is_listed_apart(own_models: Path) -> None:
    stand_in(own_models, "light")
    (own_models / "broken.toml").write_text("task = [")
    assert own_models / "light.toml" not in card_paths("person")
    assert own_models / "light.toml" in card_paths("harmonise")
    # what is wrong with it is told in the list
    assert own_models / "broken.toml" in card_paths("person")
    assert "light" not in [row["name"] for row in json.loads(run("list", "--json"))]
    assert "light" not in [row["name"] for row in json.loads(run("list", "--all", "--json"))]
    (line,) = (line for line in run("list").splitlines() if "light" in line)
    assert line.startswith("for --filter harmonise: ")
    assert "light" not in list(complete._models())
    assert "light" in list(complete._all_models())
    assert "harmonise" in run("show", "light")


def test_vcams_own_is_listed_apart_and_never_taken_for_one_that_finds_people(own_models: Path) -> None:
    assert [path.stem for path in card_paths("harmonise")] == ["harmonise"]
    assert [path.stem for path in card_paths("person")] == ["selfie-general", "selfie-landscape"]
    assert "for --filter harmonise: harmonise\n" in run("list")
    for size in ((1280, 720), (720, 1280), (48, 48)):
        assert {best_model(size), best_model(size, still=True)} <= {"selfie-general", "selfie-landscape"}
    with pytest.raises(UsageError, match="harmonise harmonises: it is no network that finds people"):
        find_model("harmonise", (1280, 720))
    with pytest.raises(UsageError, match="harmonises"):
        open_segmenter(SegmentSettings(model="harmonise"), (1280, 720))
    assert find_model("harmonise", (1280, 720), task="harmonise").licence == "MIT"
    assert best_teacher() == ""
    assert "harmonise" not in {original.name for original in ORIGINALS}
    # nobody keeps another one under its name
    card = stand_in(own_models.parent / "made", "harmonise")
    refused = CliRunner().invoke(models, ["add", str(card)]).exception
    assert isinstance(refused, UsageError)
    assert "a model of vcam itself" in refused.message


def test_it_is_verified_added_and_removed_as_others_are(own_models: Path, tmp_path: Path) -> None:
    card = stand_in(tmp_path / "made", "light")
    assert "--filter harmonise:model=mine" in run("add", str(card), "--name", "mine")
    (result,) = json.loads(run("verify", "mine", "--json"))
    assert result["ok"]
    assert {"card", "checksum"} < set(result["checks"])
    run("remove", "mine")
    assert not (own_models / "mine.toml").exists()


def test_one_that_gives_no_arguments_is_not_kept(own_models: Path, tmp_path: Path) -> None:
    card = stand_in(tmp_path / "made", "light", always=[float("nan")] * 8)
    result = CliRunner().invoke(models, ["add", str(card)])
    assert result.exit_code != 0
    assert not own_models.exists() or not list(own_models.iterdir())


def test_the_catalogue_writes_its_card_as_well(tmp_path: Path) -> None:
    stand_in(tmp_path, "light")
    entry = Entry(
        "Light", "gives light", "MIT", "MIT", "tried", "light.onnx", 1, "0" * 64, "here",
        InputCard("NCHW", (64, 64), "YCbCrA", (0, 0, 0, 0), (255, 255, 255, 255)), OutputCard("arguments"),
        address="https://example.org/light.onnx", task="harmonise",
    )  # fmt: skip
    path = tmp_path / "made.toml"
    path.write_text(entry.card("made", "0" * 64))
    assert read_card(path).task == "harmonise"
    assert read_card(path).output.form == "arguments"


def test_answers_to_the_known_pictures_are_not_written_into_it(tmp_path: Path) -> None:
    own = data_folder("models") / "harmonise.toml"
    card = tmp_path / own.name
    card.write_bytes(own.read_bytes())
    card.with_suffix(".onnx").write_bytes(own.with_suffix(".onnx").read_bytes())
    before = card.read_text()
    result = CliRunner().invoke(answers.main, [str(card)])
    assert result.exit_code == 0, result.output
    assert card.read_text() == before
