"""Models by their names, by their paths, and by the picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcam.errors import ModelError, UsageError
from vcam.models.find import best_model, checksum, find_model, load_model


@pytest.mark.parametrize(
    ("size", "name"),
    [((1280, 720), "selfie-landscape"), ((720, 480), "selfie-landscape"), ((640, 480), "selfie-general"),
     ((720, 1280), "selfie-general")],
)  # fmt: skip
def test_auto_goes_by_the_shape_of_the_frame(size, name):
    assert best_model(size) == find_model("auto", size).name == name


def test_a_file_that_is_too_large_to_be_a_network_is_not_even_read(model: tuple[Path, Path]) -> None:
    network, card = model
    with network.open("r+b") as file:
        # nothing of it is stored
        file.truncate(3 << 30)
    with pytest.raises(ModelError, match="is larger than 2 GB"):
        load_model(card)


def test_of_pictures_of_their_own_auto_takes_the_better_network_whatever_their_shape():
    for size in ((1280, 720), (640, 480)):
        assert best_model(size, still=True) == find_model("auto", size, still=True).name == "selfie-general"


def test_a_model_that_is_named_is_taken_for_any_picture():
    assert find_model("selfie-landscape", (640, 480), still=True).name == "selfie-landscape"


def test_a_path_of_a_network_or_its_card_is_taken(model):
    for path in model:
        assert find_model(str(path), (640, 480)).file_path == model[0]


def test_a_model_of_the_users_own_folder_is_found_by_name(model, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "vcam/models"
    folder.mkdir(parents=True)
    model[0].rename(folder / model[0].name)
    model[1].rename(folder / "mine.toml")
    assert find_model("mine", (640, 480)).file_path == folder / model[0].name


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match="did you mean selfie-landscape"):
        find_model("selfie-landscap", (640, 480))


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="there is no model file"):
        find_model(str(tmp_path / "no.onnx"), (640, 480))


def test_a_network_without_a_card_is_refused(model):
    model[1].unlink()
    with pytest.raises(ModelError, match="no model card") as caught:
        find_model(str(model[0]), (640, 480))
    assert "selfie-general.toml" in caught.value.hint


def test_a_changed_network_is_refused_and_the_hint_gives_its_checksum(model):
    model[0].write_bytes(model[0].read_bytes() + b"\0")
    with pytest.raises(ModelError, match="checksum differs") as caught:
        find_model(str(model[0]), (640, 480))
    assert checksum(model[0]) in caught.value.hint


def test_a_card_whose_network_is_gone_is_refused(model):
    model[0].unlink()
    with pytest.raises(ModelError, match="there is no network"):
        find_model(str(model[1]), (640, 480))


def test_a_card_of_another_network_is_refused(model):
    other = model[0].with_name("other.onnx")
    other.write_bytes(b"x")
    other.with_suffix(".toml").write_text(model[1].read_text())
    with pytest.raises(ModelError, match="is the card of selfie-general"):
        find_model(str(other), (640, 480))


def test_the_file_with_the_weights_of_a_network_leads_to_its_card(model):
    weights = model[0].with_suffix(".bin")
    weights.write_bytes(b"")
    assert find_model(str(weights), (640, 480)).path == model[1]


def test_a_folder_stands_for_its_one_model_or_the_one_of_its_name(model, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    # settings that are no card, as a training leaves them
    (folder / "recipe.toml").write_text("network = 'selfie'")
    with pytest.raises(UsageError, match="is a folder without a model"):
        find_model(str(folder), (640, 480))
    (folder / "best.pt").touch()
    with pytest.raises(UsageError) as caught:
        find_model(str(folder), (640, 480))
    assert caught.value.hint == f"vcam train export {folder} --to onnx"
    network, card = model
    for name in ("other", "mine"):
        (folder / f"{name}.onnx").write_bytes(network.read_bytes())
        text = card.read_text("utf-8").replace(f'file = "{network.name}"', f'file = "{name}.onnx"')
        (folder / f"{name}.toml").write_text(text, "utf-8")
        assert find_model(str(folder), (640, 480)).name == name
    # a bare word is a folder here where no model has that name
    monkeypatch.chdir(folder.parent)
    assert find_model("mine", (640, 480)).name == "mine"
    (folder / "mine.toml").rename(folder / "third.toml")
    (folder / "mine.onnx").rename(folder / "third.onnx")
    with pytest.raises(UsageError, match=r"several models: other\.toml, third\.toml"):
        find_model(str(folder), (640, 480))
