"""Every depth and mode is read as the levels that it means, for pictures, overlays and mattes alike."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vcam.images import read_image, read_rgba

RAMP = np.linspace(0, 255, 52).round().astype(np.uint8)[np.newaxis].repeat(4, axis=0)
"""Greys from black to white, (4, 52)."""


def png(samples: np.ndarray, depth: int, colour: int, transparent: bytes = b"") -> bytes:
    """A PNG written by hand, since Pillow writes 16 bits of grey alone. samples: (height, width, channels)."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = samples.astype(">u2" if depth == 16 else np.uint8)
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", samples.shape[1], samples.shape[0], depth, colour, 0, 0, 0)
    parts = part(b"IHDR", head) + (part(b"tRNS", transparent) if transparent else b"")
    return b"\x89PNG\r\n\x1a\n" + parts + part(b"IDAT", zlib.compress(body)) + part(b"IEND", b"")


def tiff(samples: np.ndarray, *, order: str = "<", floats: bool = False, photometric: int = 1) -> bytes:
    """A TIFF of one strip, written by hand. samples: (height, width) or (height, width, channels)."""
    kind = f"{order}{'f' if floats else 'u'}{samples.dtype.itemsize}"
    data = samples.astype(kind).tobytes()
    channels = samples.shape[2] if samples.ndim == 3 else 1
    bits = 8 * samples.dtype.itemsize
    extra = struct.pack(f"{order}{channels}H", *[bits] * channels)
    entries = [
        (256, 4, 1, samples.shape[1]), (257, 4, 1, samples.shape[0]), (259, 3, 1, 1), (262, 3, 1, photometric),
        (277, 3, 1, channels), (278, 4, 1, samples.shape[0]), (279, 4, 1, len(data)), (339, 3, 1, 3 if floats else 1),
    ]  # fmt: skip
    start = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries.append((273, 4, 1, start + len(extra)))
    entries.append((258, 3, channels, bits if channels == 1 else start))
    ifd = struct.pack(f"{order}H", len(entries))
    for tag, kind_, count, value in sorted(entries):
        short = kind_ == 3 and count == 1
        ifd += struct.pack(f"{order}HHI", tag, kind_, count) + struct.pack(f"{order}{'H2x' if short else 'I'}", value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + ifd + bytes(4) + extra + data


def check(path: Path, wanted: np.ndarray, tolerance: int = 1) -> None:
    """Grey levels (height, width), as a picture and as an overlay."""
    for read in (read_image(path), read_rgba(path)[..., :3]):
        assert np.abs(read.astype(int) - wanted[..., np.newaxis].astype(int)).max() <= tolerance


DEEP = {
    "16-bit PNG": png(RAMP[..., np.newaxis].astype(np.uint16) * 257, 16, 0),
    "16-bit RGB PNG": png(RAMP[..., np.newaxis].astype(np.uint16).repeat(3, 2) * 257, 16, 2),
    "16-bit TIFF": tiff(RAMP.astype(np.uint16) * 257),
    "16-bit TIFF, the other order": tiff(RAMP.astype(np.uint16) * 257, order=">"),
    "16-bit RGB TIFF": tiff(RAMP[..., np.newaxis].astype(np.uint16).repeat(3, 2) * 257, photometric=2),
    "TIFF, white is 0": tiff(255 - RAMP, photometric=0),
    "32-bit TIFF": tiff(RAMP.astype(np.uint32) * 257),
    "32-bit TIFF, all bits": tiff(RAMP.astype(np.uint32) * (2**31 // 255 - 1)),
    "floats to 1": tiff(RAMP.astype(np.float32) / 255, floats=True),
    "floats to 255": tiff(RAMP.astype(np.float32), floats=True),
    "floats to 65535": tiff(RAMP.astype(np.float32) * 257, floats=True),
    "floats to anything": tiff(RAMP.astype(np.float32) * 31.4, floats=True),
    "floats, the other order": tiff(RAMP.astype(np.float32) / 255, floats=True, order=">"),
    "PFM": b"Pf\n52 4\n-1.0\n" + (RAMP[::-1].astype("<f4") / 255).tobytes(),
    "16-bit PGM": b"P5\n52 4\n65535\n" + (RAMP.astype(">u2") * 257).tobytes(),
    "PGM of 10 bits": b"P5\n52 4\n1023\n" + (RAMP / 255 * 1023).round().astype(">u2").tobytes(),
}


@pytest.mark.parametrize("name", DEEP)
def test_samples_of_any_depth_keep_their_levels(name: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.img.png"
    path.write_bytes(DEEP[name])
    check(path, RAMP)


def test_what_is_no_number_is_black_and_nothing_else_changes(tmp_path: Path) -> None:
    samples = RAMP.astype(np.float32) / 255
    samples[0, :4] = np.nan, np.inf, -np.inf, 1.2
    (tmp_path / "nan.tif").write_bytes(tiff(samples, floats=True))
    wanted = RAMP.copy()
    wanted[0, :4] = 0, 255, 0, 255
    check(tmp_path / "nan.tif", wanted)
    (tmp_path / "nan.tif").write_bytes(tiff(np.full((4, 52), np.nan, np.float32), floats=True))
    check(tmp_path / "nan.tif", np.zeros_like(RAMP))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"])
def test_every_mode_is_read_as_its_colours(mode: str, tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 30), (255, 255, 255))
    picture.paste((0, 0, 0), (0, 0, 20, 30))
    suffix = {"PA": "tif", "LA": "png", "P": "png", "RGBA": "png"}.get(mode, "tif")
    (picture.convert("P").convert("PA") if mode == "PA" else picture.convert(mode)).save(tmp_path / f"m.{suffix}")
    for read in (read_image(tmp_path / f"m.{suffix}"), read_rgba(tmp_path / f"m.{suffix}")[..., :3]):
        assert read[:, :20].max() <= 1
        assert read[:, 20:].min() >= 254


def test_inks_of_a_jpeg_are_not_turned_round(tmp_path: Path) -> None:
    # Adobe's programs, and Pillow, store them inverted
    Image.new("CMYK", (32, 32), (255, 0, 0, 0)).save(tmp_path / "cyan.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "cyan.jpg")[16, 16].astype(int) - (255, 255, 0)).max() <= 2


def test_transparent_pixels_lie_over_mid_grey_in_pictures_and_stay_so_in_overlays(tmp_path: Path) -> None:
    rgba = np.zeros((4, 256, 4), np.uint8)
    rgba[..., :3], rgba[..., 3] = (200, 100, 0), np.arange(256)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    alpha = np.arange(256)[:, np.newaxis] / 255
    wanted = np.array([0, 100, 200]) * alpha + 128 * (1 - alpha)
    assert np.abs(read_image(tmp_path / "a.png")[0] - wanted).max() <= 0.51
    assert np.array_equal(read_rgba(tmp_path / "a.png"), rgba)


@pytest.mark.parametrize("colour", [0, 2])
def test_the_one_transparent_value_of_a_deep_png_counts(colour: int, tmp_path: Path) -> None:
    channels = 3 if colour else 1
    samples = (RAMP[..., np.newaxis].astype(np.uint16) * 257).repeat(channels, 2)
    clear = struct.pack(">H", int(samples[0, 10, 0])) * channels
    (tmp_path / "t.png").write_bytes(png(samples, 16, colour, clear))
    read = read_rgba(tmp_path / "t.png")
    assert (read[:, 10, 3] == 0).all()
    assert (np.delete(read[..., 3], 10, axis=1) == 255).all()
    assert np.abs(np.delete(read[..., 0], 10, axis=1).astype(int) - np.delete(RAMP, 10, axis=1)).max() <= 1


@pytest.mark.parametrize("transparency", [1, bytes((255, 0, 128, 255))])
def test_a_palette_with_transparency_keeps_it(transparency: int | bytes, tmp_path: Path) -> None:
    picture = Image.new("P", (4, 2))
    picture.putpalette([10, 20, 30, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture.putdata([0, 1, 2, 3] * 2)
    picture.save(tmp_path / "p.png", transparency=transparency)
    clear = [255, 0, 255, 255] if transparency == 1 else list(transparency)
    read = read_rgba(tmp_path / "p.png")
    assert read[0, :, 3].tolist() == clear
    assert read[0, 3, :3].tolist() == [0, 0, 200]


def test_colours_multiplied_by_their_alpha_are_divided_again(tmp_path: Path) -> None:
    samples = np.zeros((4, 4, 4), np.uint8)
    samples[:] = (100, 50, 0, 128)
    picture = Image.frombytes("RGBa", (4, 4), samples.tobytes()).convert("RGBA")
    picture.save(tmp_path / "a.tif")
    read = read_rgba(tmp_path / "a.tif")[0, 0]
    assert np.abs(read.astype(int) - (199, 99, 0, 128)).max() <= 1


def test_a_bitmap_whose_channels_stand_in_another_order_is_read_by_its_masks(tmp_path: Path) -> None:
    head = struct.pack("<IiiHHIIIIII", 108, 2, 1, 1, 32, 3, 8, 2835, 2835, 0, 0)
    head += struct.pack("<IIII", 0xFF000000, 0x0000FF00, 0x000000FF, 0) + b"BGRs" + bytes(48)
    pixels = struct.pack("<II", (200 << 24) | (100 << 8) | 50, (10 << 24) | (20 << 8) | 30)
    (tmp_path / "masks.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 122 + 8, 0, 0, 122) + head + pixels)
    assert read_image(tmp_path / "masks.bmp")[0].tolist() == [[50, 100, 200], [30, 20, 10]]
