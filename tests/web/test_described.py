from __future__ import annotations

import pytest

from vcam.compose.filters.registry import KINDS, parse_filters
from vcam.errors import UsageError
from vcam.settings import FIELDS
from vcam.web.described import (
    FRAMED,
    USED_MOST,
    chain_described,
    chain_written,
    filters_described,
    settings_described,
)


def test_every_setting_has_a_widget_made_from_the_tree() -> None:
    told = {entry["key"]: entry for entry in settings_described()}
    assert list(told) == list(FIELDS)
    assert told["camera.mirror"]["kind"] == "switch"
    assert told["camera.rotate"]["kind"] == "choice"
    assert told["camera.rotate"]["choices"] == ["0", "90", "180", "270"]
    edge = told["matte.edge"]
    assert (edge["kind"], edge["minimum"], edge["maximum"], edge["live"]) == ("slider", -30, 30, True)
    assert told["stream.keep_free"]["kind"] == "number"
    assert told["filters.chain"]["kind"] == "list"
    assert told["overlay.text"]["kind"] == "text"
    assert told["stream.rtmp"]["secret"]
    # it may be an address, of which the page has what everybody may see
    assert not told["camera.source"]["secret"]
    assert [told[key]["whole"] for key in ("segment.threads", "matte.edge")] == [True, False]
    assert all(entry["help"] for entry in told.values())
    assert set(USED_MOST) == {key for key, entry in told.items() if entry["used_most"]}
    assert len(USED_MOST) == 11
    assert set(FRAMED) == {key for key, entry in told.items() if entry["framed"]}


def test_what_is_locked_is_marked() -> None:
    told = {entry["key"]: entry["locked"] for entry in settings_described(["matte.edge"])}
    assert [key for key, locked in told.items() if locked] == ["matte.edge"]


def test_every_filter_has_its_parameters() -> None:
    told = {entry["name"]: entry for entry in filters_described()}
    assert list(told) == list(KINDS)
    (sigma,) = (entry for entry in told["alpha"]["parameters"] if entry["name"] == "sigma")
    assert (sigma["kind"], sigma["minimum"], sigma["maximum"], sigma["default"]) == ("slider", 0.5, 40, 3.0)


@pytest.mark.parametrize("chain", [[], ["alpha"], ["alpha:sigma=5", "grey"], ["smoothstep:low=0.3,high=0.9"]])
def test_a_chain_comes_back_as_it_was_taken_apart(chain: list[str]) -> None:
    assert chain_written(chain_described(chain)) == chain
    parse_filters(chain_written(chain_described(chain)))


def test_a_value_without_a_name_is_the_first_parameters() -> None:
    (entry,) = chain_described(["alpha:7"])
    assert entry["values"] == {"sigma": 7.0}
    assert chain_written([entry]) == ["alpha:sigma=7"]


def test_a_value_as_by_default_is_left_out() -> None:
    assert chain_written([{"name": "alpha", "values": {"sigma": 3.0}}]) == ["alpha"]


def test_a_filter_that_is_none_stays_as_it_stands() -> None:
    (entry,) = chain_described(["nonsense:a=1"])
    assert not entry["known"]
    assert chain_written([entry]) == ["nonsense:a=1"]


@pytest.mark.parametrize("entry", [3, {}, {"name": "nonsense"}, {"name": "alpha", "values": 5}, {"values": {}}])
def test_what_is_no_filter_is_said(entry: object) -> None:
    with pytest.raises(UsageError):
        chain_written([entry])  # type: ignore[list-item]
