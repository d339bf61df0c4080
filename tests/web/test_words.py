"""Every word of the page stands in one table."""

from __future__ import annotations

import re

from vcam.compose.filters.registry import KINDS
from vcam.settings import FIELDS
from vcam.web.app import PAGE

SCRIPTS = [path for path in PAGE.glob("*.js") if path.name not in ("preact.js", "words.js")]
WORDS = (PAGE / "words.js").read_text("utf-8")


def test_every_word_that_is_used_is_there_and_none_is_left_over() -> None:
    used = {name for path in SCRIPTS for name in re.findall(r"\bW\.(\w+)", path.read_text("utf-8"))}
    top = re.sub(r"\{[^{}]*\}|\[[^][]*\]", "", re.sub(r'"[^"]*"', "", WORDS.partition("{")[2].rpartition("}")[0]))
    there = set(re.findall(r"(\w+):", re.sub(r"\{[^{}]*\}|\[[^][]*\]", "", top)))
    assert used - there == set()
    assert there - used == set()


def test_names_of_settings_in_the_table_are_settings() -> None:
    labels = WORDS.partition("labels: {")[2].partition("},")[0]
    keys = re.findall(r'"(\w+\.\w+)":', labels)
    assert len(keys) > 10
    assert set(keys) <= set(FIELDS)


def test_keys_for_filters_are_those_of_the_window() -> None:
    from vcam.output.window import KEYS

    app = (PAGE / "app.js").read_text("utf-8")
    filters = dict(re.findall(r'(\w): "([\w-]+)"', app.partition("const FILTERS = {")[2].partition("}")[0]))
    # a filter that this vcam does not have has no key
    assert {key: name for key, name in filters.items() if name in KINDS} == {
        key: name for key, name in KEYS.items() if name in KINDS
    }
