"""What the catalogue says of networks is held to the published files, where these are at hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.segment.helpers import as_input, iou, network_on, portraits
from vcam.errors import UsageError
from vcam.models.cards import SUFFIXES, read_card
from vcam.models.catalogue import catalogue, entry_of
from vcam.models.fetch import check_address
from vcam.models.find import find_model
from vcam.models.tflite_onnx import to_onnx

NAMES = list(catalogue())
TRIED = [name for name in NAMES if catalogue()[name].status == "tried"]


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_makes_a_card_that_can_be_read(name: str, tmp_path: Path) -> None:
    entry = catalogue()[name]
    path = tmp_path / f"{name}.toml"
    path.write_text(entry.card(name, "0" * 64))
    card = read_card(path)
    assert (card.input, card.output, card.states) == (entry.input, entry.output, entry.states)
    assert (card.title, card.origin, card.licence) == (entry.title, entry.origin, entry.licence)
    assert card.file == f"{name}{entry.suffix}"
    assert entry.suffix in SUFFIXES


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_where_it_is_published_and_under_which_licence(name: str) -> None:
    entry = catalogue()[name]
    assert bool(entry.npm) != bool(entry.address)
    assert check_address(entry.place).startswith("https://")
    assert entry.member or not entry.npm
    assert entry.about.endswith(".")
    # a licence that is not known is not a permissive one
    assert entry.permissive == ("unclear" not in entry.weights and "GPL" not in entry.weights)


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(UsageError, match="did you mean selfie-multiclass") as told:
        entry_of("selfie-multi")
    assert told.value.exit_status == 2
    with pytest.raises(UsageError, match="vcam models list --all"):
        entry_of("qqq")


@pytest.mark.engine
@pytest.mark.parametrize("name", TRIED)
def test_the_published_file_finds_the_person(name: str, shared: Path, tmp_path: Path) -> None:
    entry = catalogue()[name]
    sums = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in (shared / "models").iterdir()}
    if entry.sha256 not in sums:
        pytest.skip(f"the published file of {name} is not at hand")
    if entry.convert:
        pytest.importorskip("onnx")
    published = sums[entry.sha256]
    assert published.stat().st_size == entry.bytes
    network = tmp_path / f"{name}{entry.suffix}"
    network.write_bytes(to_onnx(published.read_bytes(), name) if entry.convert else published.read_bytes())
    network.with_suffix(".toml").write_text(entry.card(name, hashlib.sha256(network.read_bytes()).hexdigest()))
    card = find_model(str(network), (1280, 720))
    finder = network_on("openvino", card, tmp_path)
    found = [iou(finder.find(as_input(picture, card)), mask) for picture, mask in portraits(shared, 2)]
    assert min(found) > 0.7, found
