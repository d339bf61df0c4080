"""What a file is shows in its content; its suffix counts only where that tells nothing."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features

from vcam.camera.file import is_picture
from vcam.compose.backgrounds.factory import parse_background
from vcam.errors import InputError, UsageError
from vcam.images import Kind, heif, kind_of, pictures_in, read_image, write_image, written_suffix
from vcam.settings import BackgroundSettings
from vcam.suffixes import IMAGE_SUFFIXES


def boxed(brand: bytes, *more: bytes) -> bytes:
    """The beginning of a file of boxes: its kind, and what else it conforms to."""
    body = b"ftyp" + brand + bytes(4) + b"".join(more)
    return struct.pack(">I", len(body) + 4) + body + bytes(200)


CONTENTS = {
    Kind.HEIF: [boxed(b"heic", b"mif1", b"heic"), boxed(b"mif1", b"heic"), boxed(b"msf1", b"hevc"), boxed(b"heix")],
    Kind.PICTURE: [boxed(b"avif", b"mif1"), boxed(b"mif1", b"avif", b"miaf"), boxed(b"avis")],
    Kind.OTHER: [boxed(b"isom", b"mp42"), boxed(b"qt  "), b"\x1aE\xdf\xa3" + bytes(99), b"RIFF\0\0\0\0AVI LIST",
                 b"YUV4MPEG2 W64 H48\n", b"\0\0\0\x08wide\0\0\0\0mdat"],
    Kind.SVG: [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xef\xbb\xbf <?xml version='1.0'?>\n<!-- a --><svg >",
               b"<!DOCTYPE svg PUBLIC ''>\n<svg\nwidth='1'/>"],
    Kind.JXL: [b"\xff\x0a" + bytes(20), b"\0\0\0\x0cJXL \r\n\x87\n"],
    Kind.GIF: [b"GIF89a" + bytes(20)],
}  # fmt: skip


@pytest.mark.parametrize("name", ["photo", "photo.jpg", "photo.mp4", "photo.gif", "photo.heic"])
@pytest.mark.parametrize(("kind", "content"), [(kind, each) for kind, group in CONTENTS.items() for each in group])
def test_content_decides_whatever_the_name_says(kind: Kind, content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert kind_of(tmp_path / name) is kind


def saved() -> list[str]:
    needs = {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}
    formats = ["JPEG", "PNG", "BMP", "PPM", "TIFF", "ICO", "DDS", "SGI", "QOI", *needs]
    return [name for name in formats if name not in needs or features.check(needs[name])]


@pytest.mark.parametrize("format_", saved())
@pytest.mark.parametrize("name", ["photo", "photo.mp4", "photo.txt"])
def test_a_picture_needs_no_suffix(format_: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    Image.new("RGB", (32, 32), (200, 100, 50)).save(path, format_)
    assert kind_of(path) is Kind.PICTURE
    assert is_picture(path)
    assert read_image(path).shape == (32, 32, 3)
    assert pictures_in(tmp_path) == [path]


@pytest.mark.parametrize("suffix", [".tga", ".pcx", ".JPG"])
def test_where_the_content_tells_nothing_the_suffix_does(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a{suffix}").write_bytes(b"\x0a\x63 what")
    (tmp_path / "a.mov").write_bytes(b"\x0a\x63 what")
    assert kind_of(tmp_path / f"a{suffix}") is Kind.PICTURE
    assert kind_of(tmp_path / "a.mov") is Kind.OTHER


def test_a_gif_is_a_picture_unless_it_moves(tmp_path: Path) -> None:
    frames = [Image.new("L", (16, 16), grey) for grey in (10, 200)]
    frames[0].save(tmp_path / "still.gif")
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert is_picture(tmp_path / "still.gif")
    assert not is_picture(tmp_path / "moving.gif")


def test_a_folder_s_pictures_are_those_that_a_person_sees(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jfif", "no suffix", ".hidden.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name, "PNG")
    Image.new("L", (8, 8)).save(tmp_path / "z.gif")
    # what macOS and Windows leave beside pictures
    (tmp_path / "._b.PNG").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    (tmp_path / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    (tmp_path / "desktop.ini").write_text("[.ShellClassInfo]")
    (tmp_path / "drawing.svg").write_text("<svg/>")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [path.name for path in pictures_in(tmp_path)] == ["a.jfif", "b.PNG", "no suffix"]
    assert [path.name for path in pictures_in(tmp_path, gifs=True)][-1] == "z.gif"


@pytest.mark.parametrize(
    ("name", "format_", "wanted"),
    [
        ("a.jfif", "JPEG", ".jfif"), ("a.JPE", "JPEG", ".JPE"), ("a.jpg", "PNG", ".jpg"), ("a", "JPEG", ".jpg"),
        ("a", "PNG", ".png"), ("a.psd", "PNG", ".png"), ("a.gif", "GIF", ".png"), ("a.b", "JPEG", ".png"),
    ],
)  # fmt: skip
def test_what_is_made_of_a_picture_has_a_suffix_that_vcam_writes(
    name: str, format_: str, wanted: str, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / name, format_)
    assert written_suffix(tmp_path / name) == wanted
    made = tmp_path / f"made{wanted}"
    write_image(made, np.zeros((8, 8, 3), np.uint8))
    assert read_image(made).shape == (8, 8, 3)


def test_every_suffix_that_is_written_is_read_again(tmp_path: Path) -> None:
    for suffix in IMAGE_SUFFIXES:
        if suffix == ".avif" and not (features.check("avif") and cv2.haveImageWriter(".avif")):
            continue
        picture = np.full((32, 32, 3), (50, 100, 200), np.uint8)
        for written in (picture, picture[..., 1]):
            write_image(tmp_path / f"a{suffix}", written)
            wanted = np.full_like(picture, 124) if suffix == ".pgm" else picture
            wanted = wanted if written.ndim == 3 else np.full_like(picture, 100)
            assert np.abs(read_image(tmp_path / f"a{suffix}").astype(int) - wanted).max() <= 3


def background(path: Path) -> object:
    return parse_background(str(path), BackgroundSettings())


@pytest.mark.parametrize("read", [read_image, background])
@pytest.mark.parametrize(
    ("name", "content", "cure"),
    [
        ("logo.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "rsvg-convert"),
        ("logo.svgz", b"\x1f\x8b\x08\0", "rsvg-convert"),
        ("logo.png", b"<?xml version='1.0'?><svg/>", "rsvg-convert"),
        ("a b.jxl", b"\xff\x0a" + bytes(20), "djxl '"),
    ],
)
def test_what_is_no_picture_of_pixels_is_refused_with_a_cure(
    read, name: str, content: bytes, cure: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(tmp_path / name)
    assert cure in caught.value.hint


def test_a_name_that_means_nothing_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        kind_of(tmp_path / "none.png")
    with pytest.raises(InputError, match="cannot be read"):
        kind_of(tmp_path / ("n" * 300))
    with pytest.raises(InputError):
        read_image(tmp_path / ("n" * 300))


HEIC = boxed(b"heic", b"mif1")
"""As far as it is looked at before a decoder is asked."""


def program(folder: Path, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `heif-convert` in the way of the real one; pillow-heif is not there."""
    (folder / "bin").mkdir()
    script = folder / "bin" / "heif-convert"
    script.write_text(f"#!/bin/sh\n{words}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:/usr/bin:/bin")
    monkeypatch.setattr(heif, "_PROGRAMS", ("heif-convert",))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_heic_is_a_picture_and_says_what_would_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo.heic").write_bytes(HEIC)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert is_picture(tmp_path / "photo.heic")
    for read in (read_image, lambda path: parse_background(str(path), BackgroundSettings()).prepare((64, 48))):
        with pytest.raises(InputError, match="HEIC picture") as caught:
            read(tmp_path / "photo.heic")
        assert "vcam[heic]" in caught.value.hint


def test_heic_is_decoded_by_the_program_of_libheif(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photo.heic").write_bytes(HEIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    # which has turned it already, whatever the EXIF says that it hands on
    Image.new("RGB", (40, 30), (200, 100, 50)).save(tmp_path / "decoded.png", exif=exif)
    program(tmp_path, f'cp {tmp_path}/decoded.png "$2"', monkeypatch)
    read = read_image(tmp_path / "photo.heic")
    assert read.shape == (30, 40, 3)
    assert read[0, 0].tolist() == [50, 100, 200]


@pytest.mark.parametrize("words", ["echo 'Invalid input' >&2; exit 1", "exit 0"])
def test_heic_that_its_program_does_not_read_is_an_input_error(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.heic").write_bytes(HEIC)
    program(tmp_path, words, monkeypatch)
    with pytest.raises(InputError, match=r"photo\.heic"):
        read_image(tmp_path / "photo.heic")


@pytest.mark.parametrize("prefix", ["/usr/lib/vcam", "/home/x/.venv"])
def test_where_nothing_reads_heic_each_cure_is_named_once(
    prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heif, "_PROGRAMS", ("no-such-program",))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "prefix", prefix)
    with pytest.raises(InputError) as caught:
        heif.decode_heif(tmp_path / "a.heic", 100)
    assert caught.value.hint.count("sudo apt install libheif-examples") == 1
    assert caught.value.hint.endswith("; or save it as JPEG")
    assert ("vcam[heic]" in caught.value.hint) == (prefix != "/usr/lib/vcam")


@pytest.mark.process
def test_heic_is_decoded_by_pillow_heif_in_a_process_of_its_own(tmp_path: Path) -> None:
    code = (
        "import sys, numpy, pillow_heif; from PIL import Image; "
        "pillow_heif.from_pillow(Image.new('RGB', (40, 30), (200, 100, 50))).save(sys.argv[1], quality=90)"
    )
    if not importlib.util.find_spec("pillow_heif"):
        pytest.skip("pillow-heif is not installed")
    # made in another process, since this one may hold pyvirtualcam
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "photo.heic")], check=True)
    read = read_image(tmp_path / "photo.heic")
    assert read.shape == (30, 40, 3)
    assert np.abs(read[15, 20].astype(int) - (50, 100, 200)).max() <= 3
    assert "_pillow_heif" not in sys.modules
    (tmp_path / "cut.heic").write_bytes((tmp_path / "photo.heic").read_bytes()[:300])
    with pytest.raises(InputError, match=r"cut\.heic"):
        read_image(tmp_path / "cut.heic")
