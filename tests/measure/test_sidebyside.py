"""`vcam eval` with several networks: one table, one page, figures that belong to their pictures."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from tests.datasets.helpers import write_picture
from vcam.cli.eval import eval as command
from vcam.datasets.folder import find_pairs
from vcam.measure import evalpage
from vcam.measure.sidebyside import compare_models, view_of
from vcam.settings import Settings


class Reader(HTMLParser):
    """Rows of cells, and whatever a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[list[str]] = []
        self.fetched: list[str] = []
        self.open = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "tr":
            self.values.append([])
        if tag == "td" and said.get("data-value") is not None:
            self.values[-1].append(str(said["data-value"]))
        self.fetched += [str(said[key]) for key in ("src", "href") if said.get(key)]
        self.open += tag not in ("img", "meta", "link", "br")

    def handle_endtag(self, tag: str) -> None:
        self.open -= 1


@pytest.fixture
def pairs(tmp_path):
    for name in ("a", "b", "c"):
        write_picture(tmp_path / "img", f"{name}.png", tmp_path / f"mask/{name}.png")
    # the worst: its true matte is the opposite
    matte = cv2.imread(str(tmp_path / "mask/b.png"), cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(str(tmp_path / "mask/b.png"), 255 - matte)
    return find_pairs(tmp_path).pairs


def test_the_worst_comes_first_and_rows_keep_their_figures(pairs, opened):
    told = []
    result = compare_models(pairs, Settings(), ["one", "runs/two"], views=True, progress=told.append)
    assert result.models == ("one", "runs/two")
    assert [row.pair.name for row in result.rows] == ["b", "a", "c"]
    assert result.rows[0].worst < result.rows[1].worst
    assert all(len(row.items) == len(row.views) == 2 for row in result.rows)
    assert [network.closed for _, _, network in opened] == [1, 1]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    mean = sum(row.items[0].scores.miou for row in result.rows) / 3
    assert result.means()[0].miou == pytest.approx(mean)
    each = result.report()
    assert [entry["model"] for entry in each] == ["one", "runs/two"]
    assert [item["name"] for item in each[1]["pictures"]["items"]] == ["a", "b", "c"]


def test_what_one_network_cannot_score_is_in_no_figure(pairs, opened, tmp_path):
    (tmp_path / "img/a.png").write_bytes(b"no picture")
    errors = []
    result = compare_models(pairs, Settings(), ["one", "two"], failed=errors.append)
    assert [row.pair.name for row in result.rows] == ["b", "c"]
    assert (result.failed, len(errors)) == (1, 1)


def test_the_page_needs_nothing_else_and_is_whole(pairs, opened):
    result = compare_models(pairs, Settings(), ["<b>&one", "two"], views=True)
    text = evalpage.page(result, "a <title>")
    reader = Reader()
    reader.feed(text)
    assert reader.open == 0
    assert all(address.startswith("data:image/") for address in reader.fetched)
    # three rows: the picture, the true matte, two that were found
    assert len(reader.fetched) == 3 * 4
    assert "<b>" not in text
    assert not re.search(r"https?:", text)
    rows = reader.values[-3:]
    assert [values[0] for values in rows] == ["b", "a", "c"]
    assert float(rows[0][1]) == pytest.approx(result.rows[0].items[0].scores.miou, abs=1e-3)


def test_a_long_page_shows_pictures_of_the_worst_alone(pairs, opened, monkeypatch):
    monkeypatch.setattr(evalpage, "PICTURED", 1)
    reader = Reader()
    text = evalpage.page(compare_models(pairs, Settings(), ["one"], views=True), "t")
    reader.feed(text)
    assert len(reader.fetched) == 3
    assert "The 1 worst have pictures" in text


def test_a_view_tints_what_is_too_much_and_what_is_missing():
    found, true = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    found[:, :20], true[:, 40:] = 255, 255
    view = view_of(np.zeros((40, 60, 3), np.uint8), found, true)
    shown = cv2.imdecode(np.frombuffer(view.found, np.uint8), cv2.IMREAD_COLOR)
    blue, _, red = shown[20, 10].astype(int)
    assert red > blue + 100
    blue, _, red = shown[20, 50].astype(int)
    assert blue > red + 100
    assert shown[20, 30].max() < 30


def run(*words):
    return CliRunner().invoke(command, [str(word) for word in words], standalone_mode=False)


@pytest.mark.engine
def test_two_networks_by_the_command(pairs, tmp_path):
    page = tmp_path / "look.html"
    done = run(tmp_path, "--model", "selfie-general", "--model", "selfie-landscape", "--html", page, "--json")
    assert done.exception is None
    told = json.loads(done.stdout)
    assert set(told) == {"folder", "plain", "failed", "models"}
    assert [each["model"] for each in told["models"]] == ["selfie-general", "selfie-landscape"]
    assert told["models"][0]["segmenter"].startswith("selfie-general")
    assert told["models"][1]["segmenter"].startswith("selfie-landscape")
    assert page.read_text("utf-8").startswith("<!doctype html>")
    # a page is not written over unless it may be
    assert "exists" in run(tmp_path, "--model", "selfie-general", "--html", page).exception.message


def test_a_part_of_a_data_set_is_scored_alone(pairs, tmp_path, opened):
    (tmp_path / "index.csv").write_text("name,split,licence,source,clip,frame\na,train,,,,0\nb,val,,,,0\nc,test,,,,0\n")

    def scored(*words):
        return [each["name"] for each in json.loads(run(tmp_path, *words, "--json").stdout)["pictures"]["items"]]

    assert scored("--split", "val", "--split", "test") == ["b", "c"]
    assert scored("--split", "val", "--model", "selfie-general", "--html", tmp_path / "look.html") == ["b"]
    (tmp_path / "index.csv").write_text("name,split,licence,source,clip,frame\na,train,,,,0\n")
    caught = run(tmp_path, "--split", "test").exception
    assert "has no picture in test" in caught.message
    assert "vcam dataset split" in caught.hint


@pytest.mark.engine
def test_one_network_keeps_its_json(pairs, tmp_path):
    done = run(tmp_path, "--model", "selfie-landscape", "--json")
    assert set(json.loads(done.stdout)) == {"folder", "plain", "failed", "segmenter", "pictures", "videos"}
    with_page = run(tmp_path, "--model", "selfie-landscape", "--json", "--html", tmp_path / "p.html")
    assert json.loads(with_page.stdout) == json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "selfie-general", "--model", "nothing"], "there is no model"),
        (["--model", "selfie-general", "--model", "selfie-general"], "given twice"),
        (["--html", "look.png"], "is no page"),
        (["--html", "nowhere/look.html"], "there is no folder"),
        (["--html", "look.html", "--room", "learn"], "--room goes with one network"),
    ],
)
def test_what_cannot_be_is_said_before_any_picture_is_read(pairs, tmp_path, words, said, opened):
    assert said in run(tmp_path, *words).exception.message
    assert not opened
