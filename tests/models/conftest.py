from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.server import Server
from vcam.assets import data_folder

SHIPPED = data_folder("models") / "selfie-general.toml"


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, Path]:
    """A copy of a shipped model that may be spoilt: (network, card)."""
    network, card = tmp_path / "selfie-general.onnx", tmp_path / "selfie-general.toml"
    network.write_bytes(SHIPPED.with_suffix(".onnx").read_bytes())
    card.write_text(SHIPPED.read_text())
    return network, card


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
