"""A profile is taken out of the config file, and nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from vcam.errors import UsageError, VcamError
from vcam.settings.saving import remove_profile


@pytest.mark.parametrize(
    "text",
    [
        "[profiles.day.matte]\nedge = 5\n",
        "[profiles.day]\nmatte = { edge = 5 }\n",
        "[profiles.day]\nmatte.edge = 5\n",
        "profiles.day.matte.edge = 5\n",
        "profiles = { day = { matte = { edge = 5 } } }\n",
        "[profiles]\nday = { matte = { edge = 5 } }\n",
        "[profiles]\nday.matte.edge = 5\n",
        '[profiles."day".matte]\nedge = 5\n[profiles.day.background]\nspec = "green"\n',
        "[profiles.day.matte]\nedge = 5\n\n[profiles.night.matte]\nedge = 1\n\n[profiles.day.camera]\nmirror = true\n",
        "# mine\n[matte]\nedge = 2 # two\n\n[profiles.day.matte]\nedge = 5\n\n[camera]\nmirror = true\n",
        "[profiles.day.matte]\r\nedge = 5\r\n\r\n[profiles.night.matte]\r\nedge = 1\r\n",
    ],
)
def test_however_it_is_written_it_is_gone_and_the_rest_is_there(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode())
    wanted = tomllib.loads(text)
    del wanted["profiles"]["day"]
    remove_profile(file, "day")
    found = file.read_bytes().decode()
    assert {"profiles": {}} | tomllib.loads(found) == wanted
    for kept in ("# mine", "edge = 2 # two"):
        assert (kept in found) is (kept in text)
    assert ("\r\n" in found) is ("\r\n" in text)


@pytest.mark.parametrize("name", ["night", "", "matte"])
def test_one_that_is_not_there_is_said(name: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[profiles.day.matte]\nedge = 5\n")
    with pytest.raises(UsageError, match="no profile"):
        remove_profile(file, name)
    with pytest.raises(VcamError):
        remove_profile(tmp_path / "none.toml", name)
