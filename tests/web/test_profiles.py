"""Profiles that are made on the page."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vcam.errors import UsageError
from vcam.settings import FIELDS
from vcam.settings.shown import without_secrets
from vcam.web import profiles

Vcam = Callable[..., Path]


@pytest.fixture
def vcam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vcam:
    """A vcam that runs with a config file, a profile and settings; gives the file."""
    config = tmp_path / "config.toml"

    def runs(text: str = "", profile: str = "", **running: Any) -> Path:
        config.write_text(text)
        values = {key: field.default for key, field in FIELDS.items()} | {
            key.replace("__", "."): value for key, value in running.items()
        }

        class Client:
            def __init__(self, name: str) -> None:
                pass

            def __enter__(self) -> Client:
                return self

            def __exit__(self, *exc: object) -> None:
                pass

            def call(self, method: str) -> dict[str, Any]:
                return without_secrets(values) if method == "get" else {"config": str(config), "profile": profile}

        monkeypatch.setattr(profiles, "ControlClient", Client)
        return config

    return runs


def test_what_differs_now_becomes_a_profile_and_the_rest_stays(vcam: Vcam) -> None:
    text = "# mine\n[matte]\nedge = 2\n"
    file = vcam(text, matte__edge=5.0, background__spec="green", filters__chain=["grey"])
    told = profiles.make("control", "  evening ")
    assert set(told["saved"]) == {"matte.edge", "background.spec", "filters.chain"}
    assert file.read_text().startswith(text)
    made = tomllib.loads(file.read_text())
    assert made["matte"] == {"edge": 2}
    assert made["profiles"]["evening"] == {
        "matte": {"edge": 5}, "background": {"spec": "green"}, "filters": {"chain": ["grey"]},
    }  # fmt: skip


def test_from_within_a_profile_all_that_differs_from_none_is_taken(vcam: Vcam) -> None:
    file = vcam("[profiles.day.matte]\nedge = 5\n", "day", matte__edge=5.0, matte__softness=0.9)
    profiles.make("control", "evening")
    assert tomllib.loads(file.read_text())["profiles"]["evening"] == {"matte": {"edge": 5, "softness": 0.9}}


def test_saving_into_one_that_is_there_also_takes_back_what_is_as_without_it(vcam: Vcam) -> None:
    text = "[profiles.day.matte]\nedge = 5\nsoftness = 0.1\n[profiles.day.output]\ntargets = ['null']\n"
    file = vcam(text, matte__edge=7.0)
    profiles.make("control", "day", anew=True)
    day = tomllib.loads(file.read_text())["profiles"]["day"]
    assert day == {"matte": {"edge": 7, "softness": FIELDS["matte.softness"].default}, "output": {"targets": ["null"]}}


def test_nothing_secret_is_written(vcam: Vcam) -> None:
    text = '[camera]\nsource = "rtsp://me:word@house"\n[profiles.day.camera]\nsource = "rtsp://you:word@yard"\n'
    file = vcam(text, "day", camera__source="rtsp://you:word@yard", matte__edge=4.0)
    told = profiles.make("control", "evening")
    assert (told["saved"], told["left"]) == (["matte.edge"], ["camera.source"])
    profiles.make("control", "day", anew=True)
    read = tomllib.loads(file.read_text())
    assert read["profiles"]["day"]["camera"]["source"] == "rtsp://you:word@yard"
    assert "camera" not in read["profiles"]["evening"]


@pytest.mark.parametrize(
    "name", ["", "  ", "x" * 41, "a\nb", "\x1b[31m", "-x", ".x", "none", "Next", "previous", None, 5]
)
def test_what_cannot_be_a_name_is_refused(vcam: Vcam, name: Any) -> None:
    file = vcam("", matte__edge=5.0)
    with pytest.raises(UsageError):
        profiles.make("control", name)
    assert file.read_text() == ""


@pytest.mark.parametrize("name", ['a"b', "über uns", "a.b", "[x]", "#1", "日本"])
def test_any_other_word_is_a_name(vcam: Vcam, name: str) -> None:
    file = vcam("", matte__edge=5.0)
    profiles.make("control", name)
    assert tomllib.loads(file.read_text())["profiles"][name] == {"matte": {"edge": 5}}


def test_a_name_that_is_taken_or_is_not_is_said(vcam: Vcam) -> None:
    vcam("[profiles.day.matte]\nedge = 5\n", matte__edge=7.0)
    with pytest.raises(UsageError, match="already"):
        profiles.make("control", "day")
    with pytest.raises(UsageError, match="no profile night"):
        profiles.make("control", "night", anew=True)


def test_without_a_difference_there_is_nothing_to_make(vcam: Vcam) -> None:
    vcam("[matte]\nedge = 5\n", matte__edge=5.0)
    with pytest.raises(UsageError, match="nothing differs"):
        profiles.make("control", "day")


def test_what_is_locked_is_not_saved(vcam: Vcam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = tmp_path / "etc/vcam/config.toml"
    system.parent.mkdir(parents=True)
    system.write_text('locked = ["matte.edge"]\n[matte]\nedge = 1\n')
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    file = vcam("", matte__edge=5.0)
    with pytest.raises(UsageError, match="locked"):
        profiles.make("control", "day")
    assert file.read_text() == ""
    # one that stands in the file all the same does not count, and hinders nothing
    file = vcam("[profiles.day.matte]\nedge = 5\n", matte__edge=1.0, matte__softness=0.9)
    assert profiles.make("control", "day", anew=True)["saved"] == ["matte.softness"]
    assert tomllib.loads(file.read_text())["profiles"]["day"]["matte"] == {"edge": 5, "softness": 0.9}


def test_one_is_removed_but_not_the_one_in_use(vcam: Vcam) -> None:
    file = vcam("[profiles.day.matte]\nedge = 5\n[profiles.night.matte]\nedge = 1\n", "day")
    with pytest.raises(UsageError, match="in use"):
        profiles.remove("control", "day")
    profiles.remove("control", "night")
    assert tomllib.loads(file.read_text()) == {"profiles": {"day": {"matte": {"edge": 5}}}}
