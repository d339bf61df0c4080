from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from vcam.cli.filters import filters
from vcam.compose.filters.registry import KINDS, parse_filter
from vcam.errors import UsageError


def run(*words: str) -> str:
    result = CliRunner().invoke(filters, words)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_filter_is_listed_with_what_it_does() -> None:
    listed = json.loads(run("--json"))
    assert [one["name"] for one in listed] == list(KINDS)
    # the table wraps what is said, not the names, which stand at the beginning of their lines
    first = [line.split()[0] for line in run().splitlines() if line.startswith("  ") and line[2:3].strip()]
    assert first == ["filter", *KINDS]


@pytest.mark.parametrize("name", [name for name in KINDS if name != "lut"])
def test_what_is_listed_can_be_given_as_it_stands(name: str) -> None:
    (one,) = json.loads(run(name, "--json"))
    values = ",".join(f"{known['name']}={known['default']}" for known in one["parameters"])
    parse_filter(f"{name}:{values}")
    for known in one["parameters"]:
        if "low" in known:
            for value in (known["low"], known["high"]):
                if name != "smoothstep":
                    parse_filter(f"{name}:{known['name']}={value}")
        for value in known.get("choices", ()):
            parse_filter(f"{name}:{known['name']}={value}")


def test_one_filter_is_shown_with_its_ranges() -> None:
    page = run("Light_Wrap")
    assert "from 8 to 120" in " ".join(page.split())
    assert "vcam start --filter light-wrap:strength=0.5" in page


def test_a_name_that_is_none_gets_the_nearest() -> None:
    result = CliRunner().invoke(filters, ["vignete"])
    assert result.exit_code != 0
    assert isinstance(result.exception, UsageError)
    assert "did you mean vignette" in result.exception.hint
