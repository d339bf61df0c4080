"""Colours of other spaces come out as sRGB, within 2 levels of what the matrices of the standards say."""

from __future__ import annotations

import io
import logging
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from vcam.images import profiles, read_image, read_rgba, write_image

D65, D50 = (0.3127, 0.3290), (0.3457, 0.3585)
SRGB = (D65, ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
SPACES = {
    "Display P3": (D65, ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
    "Adobe RGB": (D65, ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))),
    "ProPhoto": (D50, ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))),
    "BT.2020": (D65, ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046))),
}
GAMMAS = {"Display P3": None, "Adobe RGB": 563 / 256, "ProPhoto": 1.8, "BT.2020": 2.4}
"""None: sRGB's own curve."""

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def xyz_of(point: tuple[float, float]) -> np.ndarray:
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_xyz(space) -> np.ndarray:
    """From linear RGB of a space to XYZ under D50, as ICC profiles have it."""
    white, primaries = space
    columns = np.array([xyz_of(point) for point in primaries]).T
    matrix = columns @ np.diag(np.linalg.inv(columns) @ xyz_of(white))
    cones = (BRADFORD @ xyz_of(D50)) / (BRADFORD @ xyz_of(white))
    return np.linalg.inv(BRADFORD) @ np.diag(cones) @ BRADFORD @ matrix


def srgb_linear(value: np.ndarray) -> np.ndarray:
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def srgb_coded(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def right(rgb: np.ndarray, space, gamma: float | None) -> np.ndarray:
    """What 8-bit RGB of a space is in sRGB, by the matrices alone."""
    value = rgb / 255.0
    linear = srgb_linear(value) if gamma is None else value**gamma
    return 255 * srgb_coded(linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(space)).T)


def profile(space, gamma: float | None, kind: bytes = b"RGB ") -> bytes:
    """An ICC profile of version 2, written by hand."""

    def xyz(values) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))

    if gamma is None:
        samples = srgb_linear(np.linspace(0, 1, 1024))
        curve = b"curv" + bytes(4) + struct.pack(">I1024H", 1024, *(round(each * 65535) for each in samples))
    else:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    name = b"by hand\0"
    parts = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(79),
        b"wtpt": xyz(xyz_of(D50)),
    }
    if kind == b"RGB ":
        columns = to_xyz(space).T
        parts |= {tag: xyz(column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
        parts |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    else:
        parts[b"kTRC"] = curve
    at, table, data = 132 + 12 * len(parts), struct.pack(">I", len(parts)), b""
    for tag, part in parts.items():
        table += tag + struct.pack(">II", at + len(data), len(part))
        data += part + bytes(-len(part) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s", at + len(data), 0x02400000, b"mntr", kind, b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + xyz((0.9642, 1, 0.8249))[8:] + bytes(48) + table + data


def patches() -> np.ndarray:
    """Colours of which sRGB can show most: (1, count, 3)."""
    steps = np.array([0, 60, 128, 200, 255], np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)


def read_rgb(path: Path) -> np.ndarray:
    return read_image(path)[..., ::-1].astype(int)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_a_picture_in_another_space_becomes_srgb(name: str, suffix: str, tmp_path: Path) -> None:
    path, space, gamma = tmp_path / f"p.{suffix}", SPACES[name], GAMMAS[name]
    options = {"lossless": True} if suffix == "webp" else {}
    Image.fromarray(patches()).save(path, icc_profile=profile(space, gamma), **options)
    wanted = right(patches(), space, gamma)
    assert np.abs(read_rgb(path) - wanted).max() <= 2
    # and it was not right before
    assert np.abs(patches() - wanted).max() > 20


def test_a_cut_out_in_another_space_keeps_its_alpha(tmp_path: Path) -> None:
    rgba = np.dstack((patches(), np.arange(125, dtype=np.uint8)[np.newaxis]))
    space, gamma = SPACES["Adobe RGB"], GAMMAS["Adobe RGB"]
    Image.fromarray(rgba).save(tmp_path / "p.png", icc_profile=profile(space, gamma))
    read = read_rgba(tmp_path / "p.png")
    assert np.array_equal(read[..., 3], rgba[..., 3])
    assert np.abs(read[..., :3] - right(patches(), space, gamma)).max() <= 2


@pytest.mark.parametrize("mode", ["L", "I;16", "LA"])
def test_a_grey_picture_with_a_profile_of_greys_becomes_srgb(mode: str, tmp_path: Path) -> None:
    ramp = np.arange(0, 256, 5, dtype=np.uint8)[np.newaxis]
    picture = Image.fromarray(ramp) if mode != "I;16" else Image.fromarray(ramp.astype(np.uint16) * 257)
    if mode == "LA":
        picture = picture.convert("LA")
    picture.save(tmp_path / "g.png", icc_profile=profile(SRGB, 1.0, b"GRAY"))
    wanted = 255 * srgb_coded(ramp / 255.0)
    assert np.abs(read_rgb(tmp_path / "g.png") - wanted[..., np.newaxis]).max() <= 2


def test_a_grey_picture_with_a_profile_of_colours_keeps_to_its_curve(tmp_path: Path) -> None:
    ramp = np.arange(0, 256, 5, dtype=np.uint8)[np.newaxis]
    Image.fromarray(ramp).save(tmp_path / "g.png", icc_profile=profile(SRGB, 1.8))
    wanted = 255 * srgb_coded((ramp / 255.0) ** (round(1.8 * 256) / 256))
    assert np.abs(read_rgb(tmp_path / "g.png") - wanted[..., np.newaxis]).max() <= 2


def test_a_palette_is_converted_with_its_pictures_profile(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 1))
    picture.putpalette([0, 0, 0, 250, 20, 30, 20, 240, 40, 200, 200, 200])
    picture.putdata([0, 1, 2, 3])
    space = SPACES["Display P3"]
    picture.save(tmp_path / "p.png", icc_profile=profile(space, None))
    wanted = right(np.array([[[0, 0, 0], [250, 20, 30], [20, 240, 40], [200, 200, 200]]]), space, None)
    assert np.abs(read_rgb(tmp_path / "p.png") - wanted).max() <= 2


def test_lab_is_read_as_the_colours_it_means(tmp_path: Path) -> None:
    # greys, whose a* and b* are 0, by the formula of CIE 15
    lab = np.array([[[0, 0, 0], [128, 0, 0], [255, 0, 0]]], np.uint8)
    Image.frombytes("LAB", (3, 1), lab.tobytes()).save(tmp_path / "lab.tif")
    wanted = 255 * srgb_coded(np.array([0, lightness(128 / 255 * 100), 1]))
    assert np.abs(read_rgb(tmp_path / "lab.tif")[0] - wanted[:, np.newaxis]).max() <= 2


@pytest.mark.parametrize(
    "broken",
    [
        b"no profile at all",
        profile(SPACES["Adobe RGB"], 2.2)[:200],
        profile(SPACES["Adobe RGB"], 2.2, b"GRAY"),
        profile(SPACES["Adobe RGB"], 2.2)[:128] + struct.pack(">I", 0xFFFFFFFF) + bytes(60),
    ],
)
def test_a_profile_that_cannot_be_used_is_said_once_and_left_out(broken: bytes, tmp_path: Path, caplog) -> None:
    path = tmp_path / "p.png"
    Image.fromarray(patches()).save(path, icc_profile=broken)
    for _ in range(2):
        assert np.array_equal(read_rgb(path), patches())
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "p.png: its colour profile cannot be used" in record.getMessage()


def test_a_picture_whose_profile_is_srgb_is_left_as_it_is(tmp_path: Path) -> None:
    built_in = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, each in enumerate((built_in, profile(SRGB, None))):
        path = tmp_path / f"{number}.png"
        Image.fromarray(patches()).save(path, icc_profile=each)
        assert np.array_equal(read_rgb(path), patches())
        assert profiles._transform(each, "RGB")[1] is None


def test_a_picture_without_a_profile_loads_no_colour_management(tmp_path: Path) -> None:
    Image.fromarray(patches()).save(tmp_path / "p.png")
    code = f"import sys; from vcam.images import read_image; read_image({str(tmp_path / 'p.png')!r}); "
    code += "sys.exit('PIL.ImageCms' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_inks_with_a_profile_are_converted_by_it(tmp_path: Path) -> None:
    path = tmp_path / "inks.jpg"
    darkest = lightness(128 / 255 * 100)
    for black in (0, 64, 128):
        Image.new("CMYK", (16, 16), (0, 0, 0, black)).save(path, icc_profile=cmyk_profile(), quality=100)
        # the perceptual intent makes the darkest ink black, and scales what is lighter
        light = lightness((255 - 127 * black / 255) / 255 * 100)
        wanted = 255 * srgb_coded((light - darkest) / (1 - darkest))
        assert np.abs(read_rgb(path)[8, 8] - wanted).max() <= 2


def lightness(star: float) -> np.ndarray:
    """Y of L* above 8, by CIE 15."""
    return np.array(((star + 16) / 116) ** 3)


def cmyk_profile() -> bytes:
    """Inks of which only black does anything: L* falls from 100 to 50. An 8-bit table (lut8), ICC.1:2001-04."""
    grid = b"".join(
        bytes((255 if not black else 128, 128, 128)) for _ in range(8) for black in (0, 1)
    )  # cyan, magenta, yellow, and black the fastest
    identity = bytes(range(256))
    unit = b"".join(struct.pack(">i", 65536 if row == column else 0) for row in range(3) for column in range(3))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + unit + identity * 4 + grid + identity * 3
    parts = {b"A2B0": lut, b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)}
    at, table, data = 132 + 24, struct.pack(">I", 2), b""
    for tag, part in parts.items():
        table += tag + struct.pack(">II", at + len(data), len(part))
        data += part + bytes(-len(part) % 4)
    head = struct.pack(">I4xI4s4s4s12x4s", at + len(data), 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    return head.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061) + bytes(48) + table + data


def chunk(info: PngImagePlugin.PngInfo, gamma: float, space=None) -> PngImagePlugin.PngInfo:
    info.add(b"gAMA", struct.pack(">I", round(gamma * 100000)))
    if space:
        points = (space[0], *space[1])
        info.add(b"cHRM", struct.pack(">8I", *(round(each * 100000) for point in points for each in point)))
    return info


@pytest.mark.parametrize("name", ["Adobe RGB", "BT.2020", "Display P3"])
def test_png_s_own_chunks_count_where_there_is_no_profile(name: str, tmp_path: Path) -> None:
    info = chunk(PngImagePlugin.PngInfo(), 1 / 2.2, SPACES[name])
    Image.fromarray(patches()).save(tmp_path / "p.png", pnginfo=info)
    assert np.abs(read_rgb(tmp_path / "p.png") - right(patches(), SPACES[name], 2.2)).max() <= 2


def test_png_s_gamma_alone_counts_as_well(tmp_path: Path) -> None:
    Image.fromarray(patches()).save(tmp_path / "p.png", pnginfo=chunk(PngImagePlugin.PngInfo(), 1.0))
    assert np.abs(read_rgb(tmp_path / "p.png") - right(patches(), SRGB, 1.0)).max() <= 2


@pytest.mark.parametrize("gamma", [0.45455, 0.0, 40000.0])
def test_png_s_usual_or_senseless_gamma_changes_nothing(gamma: float, tmp_path: Path) -> None:
    Image.fromarray(patches()).save(tmp_path / "p.png", pnginfo=chunk(PngImagePlugin.PngInfo(), gamma, SRGB))
    assert np.array_equal(read_rgb(tmp_path / "p.png"), patches())


def test_png_s_word_that_it_is_srgb_is_stronger_than_its_gamma(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")
    Image.fromarray(patches()).save(tmp_path / "p.png", pnginfo=chunk(info, 1.0))
    assert np.array_equal(read_rgb(tmp_path / "p.png"), patches())


@pytest.mark.parametrize("points", [(0.0,) * 8, (0.3, 0.3) * 4, (0.3127, 0.329, 0.64, 0.33, 0.64, 0.33, 0.64, 0.33)])
def test_points_that_are_no_colours_make_no_profile(points: tuple[float, ...]) -> None:
    assert profiles.matrix_profile(points, 2.2) is None


def test_what_is_written_has_no_profile(tmp_path: Path) -> None:
    Image.fromarray(patches()).save(tmp_path / "p.png", icc_profile=profile(SPACES["ProPhoto"], 1.8))
    for suffix in ("png", "jpg", "tif"):
        write_image(tmp_path / f"out.{suffix}", read_image(tmp_path / "p.png"))
        with Image.open(io.BytesIO((tmp_path / f"out.{suffix}").read_bytes())) as written:
            assert "icc_profile" not in written.info
