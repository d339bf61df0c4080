"""What is kept for good of what a page has changed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vcam.errors import VcamError
from vcam.settings import FIELDS
from vcam.settings.shown import without_secrets
from vcam.web import talk

Keeps = Callable[..., tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def keeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keeps:
    """Keep what a running vcam has: what was said of it, and what the config file has then."""
    config = tmp_path / "config.toml"

    def keep(text: str, **running: Any) -> tuple[dict[str, Any], dict[str, Any]]:
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
                return without_secrets(values) if method == "get" else {"config": str(config), "profile": ""}

        monkeypatch.setattr(talk, "ControlClient", Client)
        told = talk.keep("control")
        return told, tomllib.loads(config.read_text())

    return keep


def test_a_background_and_a_camera_are_kept(keeps: Keeps) -> None:
    told, file = keeps("", background__spec="green", camera__source="demo", matte__edge=4.0)
    assert set(told["saved"]) == {"background.spec", "camera.source", "matte.edge"}
    assert told["left"] == []
    assert file["background"]["spec"] == "green"
    assert file["camera"]["source"] == "demo"


@pytest.mark.parametrize("address", ["rtsp://me:word@house/door", "rtsp://me:w/ord@house", "//me:word@house"])
def test_an_address_is_never_written_without_its_password(keeps: Keeps, address: str) -> None:
    told, file = keeps("", camera__source=address, matte__edge=4.0)
    assert (told["saved"], told["left"]) == (["matte.edge"], ["camera.source"])
    assert "camera" not in file


def test_an_address_as_the_file_has_it_is_no_change(keeps: Keeps) -> None:
    text = '[camera]\nsource = "rtsp://me:word@house/door"\n'
    told, file = keeps(text, camera__source="rtsp://me:word@house/door")
    assert (told["saved"], told["left"]) == ([], [])
    assert file["camera"]["source"] == "rtsp://me:word@house/door"


def test_what_the_file_for_all_users_says_is_no_change(
    keeps: Keeps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    system = tmp_path / "etc/vcam/config.toml"
    system.parent.mkdir(parents=True)
    system.write_text("[matte]\nsoftness = 0.9\n")
    told, file = keeps("", matte__softness=0.9, matte__edge=4.0)
    assert told["saved"] == ["matte.edge"]
    assert "softness" not in file["matte"]


def test_the_vcam_that_is_started_is_the_one_that_serves_the_panel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a package's program shuts out modules of the user, which python -m vcam would take
    own = tmp_path / "vcam"
    own.write_text('#!/bin/sh\necho "vcam: started as $*" >&2\nexit 3\n')
    own.chmod(0o755)
    monkeypatch.setattr(talk, "program", lambda: [str(own)])
    with pytest.raises(VcamError, match="started as start --name desk"):
        talk.start("desk")
