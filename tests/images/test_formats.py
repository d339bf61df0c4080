"""A picture is a picture: its format is one that Pillow decodes itself, whatever the file is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.overlay import read_rgba
from vcam.errors import InputError
from vcam.images import read_image
from vcam.settings import BackgroundSettings

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n%%EndComments\nshowpage\n%%EOF\n" + b"%" * 200


@pytest.fixture
def ghostscript(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Ghostscript that notes that it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program, log = folder / "gs", tmp_path / "called"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] || echo "$*" >> {log}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    return log


@pytest.mark.parametrize(
    "read", [read_image, read_rgba, lambda path: parse_background(str(path), BackgroundSettings())]
)
def test_postscript_that_is_called_a_picture_starts_no_ghostscript(read, ghostscript: Path, tmp_path: Path) -> None:
    path = tmp_path / "beach.png"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(InputError):
        read(path)
    assert not ghostscript.exists()


def test_pillow_alone_would_have_started_it(ghostscript: Path, tmp_path: Path) -> None:
    path = tmp_path / "beach.png"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(OSError), Image.open(path) as opened:  # noqa: PT011 - of Pillow, whatever it says
        opened.load()
    assert ghostscript.exists()


@pytest.mark.parametrize(
    "format_", ["JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "JPEG2000", "ICO", "TGA", "PCX"]
)
def test_the_formats_that_people_have_are_read_whatever_the_file_is_called(format_: str, tmp_path: Path) -> None:
    if format_ == "JPEG2000" and not features.check("jpg_2000"):
        pytest.skip("this Pillow has no JPEG 2000")
    path = tmp_path / "picture.png"
    Image.new("RGB", (32, 32), (200, 100, 50)).save(path, format_)
    read = read_image(path)
    assert np.abs(read[8, 16].astype(int) - (50, 100, 200)).max() <= 6
