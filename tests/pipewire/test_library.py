"""A libpipewire that is missing, broken, or another one than vcam knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from vcam.errors import DeviceError
from vcam.pipewire import raw


def refusal(monkeypatch: pytest.MonkeyPatch, library: str) -> DeviceError:
    monkeypatch.setattr(raw, "LIBRARY", library)
    with pytest.raises(DeviceError) as caught:
        raw.library.__wrapped__()
    return caught.value


def test_none_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refusal(monkeypatch, "libpipewire-none.so.0")
    assert error.message == "this machine has no PipeWire library"
    assert "apt install libpipewire-0.3-0" in error.hint


def test_one_that_cannot_be_loaded_is_not_said_to_be_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "libpipewire-0.3.so.0"
    broken.write_text("junk")
    error = refusal(monkeypatch, str(broken))
    assert error.message == f"this machine's {broken} cannot be loaded: file too short"
    assert "same processor" in error.hint


def test_one_that_lacks_a_function_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refusal(monkeypatch, "libm.so.6")
    assert "not one that vcam knows" in error.message
    assert "0.3.50" in error.hint
