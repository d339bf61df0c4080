"""Whatever Pillow and its plugins raise, and whenever, is an `InputError` with the file's name and a cure."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError

from tests.datasets.helpers import read_matte
from tests.places import ROOT
from vcam.camera.file import PictureFile
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.overlay import picture_overlay
from vcam.errors import InputError, UsageError
from vcam.images import MAX_PIXELS, opening, read_image, read_rgba
from vcam.settings import BackgroundSettings

FAULTS = [
    RuntimeError("decoding of color planes failed"), NotImplementedError("pixel format"), IndexError("index"),
    struct.error("unpack"), ValueError("value"), SyntaxError("not a TIFF"), OverflowError("too large"), MemoryError(),
    RecursionError("deep"), zlib.error("incorrect header"), KeyError("tag"), TypeError("none"), EOFError("end"),
    AttributeError("fp"), ZeroDivisionError("by zero"), AssertionError(), UnicodeDecodeError("utf-8", b"", 0, 1, ""),
    OSError("image file is truncated"), OSError(5, "Input/output error"), Image.DecompressionBombError("bomb"),
    UnidentifiedImageError("none"), BufferError("buffer"), LookupError("codec"), ArithmeticError(), StopIteration(),
]  # fmt: skip


def background(path: Path) -> None:
    found = parse_background(str(path), BackgroundSettings())
    try:
        found.prepare((64, 48))
    finally:
        found.close()


READERS = {
    "image": read_image,
    "overlay": read_rgba,
    "front": lambda path: picture_overlay(path, "top", 0.5),
    "matte": read_matte,
    "camera": lambda path: PictureFile(path).open(),
    "background": background,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("where", ["open", "load", "getexif"])
def test_nothing_but_an_input_error_comes(
    where: str, fault: Exception, reader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "beach.png"
    Image.new("RGB", (40, 30)).save(path)

    def fail(*args: object, **options: object) -> None:
        raise fault

    target = {"open": PngImagePlugin.PngImageFile, "load": ImageFile.ImageFile, "getexif": Image.Image}[where]
    monkeypatch.setattr(target, {"open": "_open"}.get(where, where), fail)
    if where == "getexif":
        monkeypatch.setattr(PngImagePlugin.PngImageFile, where, fail)
        # how it is turned is not known, but everything else is
        READERS[reader](path)
        return
    with pytest.raises(InputError, match=r"beach\.png") as caught:
        READERS[reader](path)
    assert caught.value.hint


@pytest.mark.parametrize("compressed", [True, False])
def test_many_words_in_a_picture_do_not_hide_it(compressed: bool, tmp_path: Path) -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("workflow", "all that led to this picture " * 100_000, zip=compressed)
    words.add_itxt("more", "and that " * 200_000, zip=compressed)
    Image.new("RGB", (40, 30), (200, 100, 50)).save(tmp_path / "made.png", pnginfo=words)
    assert read_image(tmp_path / "made.png")[0, 0].tolist() == [50, 100, 200]


def test_an_interrupt_is_nobody_s_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "beach.png"
    Image.new("RGB", (40, 30)).save(path)

    def fail(self: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(KeyboardInterrupt):
        read_image(path)


def test_no_warning_of_pillow_s_reaches_anybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "beach.png"
    Image.new("RGB", (40, 30)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(path).shape == (30, 40, 3)


def bitmap(width: int, height: int) -> bytes:
    """The head of a BMP of that size, with no samples."""
    return b"BM" + struct.pack("<IHHIIiiHHIIIIII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("size", [(20000, 20000), (MAX_PIXELS // 100 + 1, 100), (100, 10**7)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "bomb.bmp"
    path.write_bytes(bitmap(*size))
    for read in READERS.values():
        with pytest.raises(InputError, match="too many") as caught:
            read(path)
        assert "megapixels" in caught.value.hint


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe, folder, empty = tmp_path / "pipe.png", tmp_path / "folder.png", tmp_path / "empty.png"
    os.mkfifo(pipe)
    folder.mkdir()
    empty.touch()
    for path, words in ((pipe, "not a file|neither"), (folder, "is a folder"), (empty, "is empty")):
        for read in (read_image, read_rgba, read_matte):
            with pytest.raises(InputError, match=words):
                read(path)
    with pytest.raises(UsageError, match="there is no picture"):
        read_image(tmp_path / "none.png")


def test_a_file_is_not_mapped_since_it_may_be_cut_while_it_is_read(tmp_path: Path) -> None:
    # Pillow maps these when it is given their name, libtiff when it is given a descriptor
    for name in ("plain.bmp", "plain.tif", "plain.ppm"):
        path = tmp_path / name
        Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(path)
        with opening.open_picture(path) as image:
            path.write_bytes(path.read_bytes()[:200])
            maps = Path("/proc/self/maps").read_text("utf-8", "replace")
            try:
                image.load()
            except OSError:
                continue
            assert name not in maps


@pytest.mark.long
@pytest.mark.process
def test_damaged_pictures_of_every_format_are_input_errors_and_nothing_else() -> None:
    """For half a minute, or for as long as VCAM_FUZZ_SECONDS says; VCAM_FUZZ_SEED makes others."""
    seconds, seed = float(os.environ.get("VCAM_FUZZ_SECONDS", "30")), os.environ.get("VCAM_FUZZ_SEED", "1")
    words = ["--seconds", str(seconds), "--seed", seed]
    done = subprocess.run(
        [sys.executable, "-m", "tests.images.fuzz_pictures", *words],
        cwd=ROOT, capture_output=True, timeout=seconds + 120, check=False,
    )  # fmt: skip
    said = done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, "\n".join(line for line in said.splitlines() if line)[-4000:]
    counted = done.stdout.decode().split()
    assert int(counted[0]) > 50 * min(1.0, seconds)
