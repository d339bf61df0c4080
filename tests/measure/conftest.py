from __future__ import annotations

import msgspec
import pytest

from vcam.models.find import best_model
from vcam.settings import SegmentSettings
from vcam.testing import FakeSegmenter
from vcam.types import Size


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[SegmentSettings, Size, FakeSegmenter]]:
    """The networks that were opened, each with its settings and size; they find a person in the middle."""
    networks: list[tuple[SegmentSettings, Size, FakeSegmenter]] = []

    def open_segmenter(settings: SegmentSettings, size: Size, room: str, *, still: bool) -> FakeSegmenter:
        settings = msgspec.structs.replace(settings, model=best_model(size, still=still))
        networks.append((settings, size, FakeSegmenter()))
        return networks[-1][2]

    monkeypatch.setattr("vcam.matting.open_segmenter", open_segmenter)
    return networks
