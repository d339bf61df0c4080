"""What is wrong with settings is found before anything is opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.places import ROOT
from vcam.cli.main import cli
from vcam.daemon import live
from vcam.daemon.checks import check_settings, check_words
from vcam.errors import VcamError
from vcam.settings import Settings

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a filter": ({"filters__chain": ("vignete",)}, "vignete"),
    "its parameter": ({"filters__chain": ("vignette:amount=x",)}, "amount=x"),
    "its file": ({"filters__chain": ("lut:file=missing.cube",)}, "missing.cube"),
    "a word": ({"background__spec": "blurr"}, "blurr"),
    "its value": ({"background__spec": "blur:900"}, "blur:900"),
    "a background": ({"background__spec": "missing.jpg"}, "missing.jpg"),
    "an overlay": ({"overlay__front": "missing.png"}, "missing.png"),
    "another overlay": ({"overlay__back": "missing.png"}, "missing.png"),
    "a picture for a pause": ({"overlay__pause_picture": "missing.png"}, "missing.png"),
    "a network": ({"segment__model": "missing"}, "missing"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("check", [check_words, check_settings])
def test_what_is_wrong_is_named(what: str, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    changes, said = WRONG[what]
    with pytest.raises(VcamError, match=re.escape(said)):
        check(Settings().replace(**changes))


@pytest.mark.parametrize("check", [check_words, check_settings])
def test_what_is_right_passes(check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture = str(ROOT / "docs/images/before-after.jpg")
    for changes in (
        {},
        {"background__spec": picture},
        {"overlay__front": picture, "overlay__pause_picture": picture},
        {"filters__chain": ("vignette",)},
    ):
        check(Settings().replace(camera__source="demo", output__targets=("null",), **changes))


@pytest.mark.parametrize("words", [["--front", "missing.png"], ["--background", "missing.jpg"], ["--model", "missing"]])
def test_vcam_start_says_so_before_it_opens_anything(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*rest: object, **more: object) -> None:
        raise AssertionError("a life has begun")

    monkeypatch.setattr(live, "Live", never)
    done = CliRunner().invoke(cli, ["start", "--camera", "demo", "--output", "null", *words], standalone_mode=False)
    assert isinstance(done.exception, VcamError)
    assert "missing" in done.exception.message
