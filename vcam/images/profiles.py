"""Colours of other spaces as sRGB, which is what cameras send and screens show.

What says which colours are meant: an ICC profile in the file; in PNG else the chunk sRGB, else gAMA and cHRM, as the
PNG specification orders them. Colours are mapped by the perceptual intent, as browsers do it; for the usual profiles
of cameras and screens, which are a matrix and three curves, all intents are the same.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_log = logging.getLogger(__name__)

_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
"""The ICC's names of the colour spaces of Pillow's modes."""

_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""White, red, green and blue of sRGB (IEC 61966-2-1) as chunk cHRM has them: x and y of each."""


def to_srgb(image: Image.Image, source: Image.Image, name: str) -> Image.Image:
    """A picture in the mode L, RGB, CMYK or LAB as RGB in sRGB.

    source: what it was made from, whose profile counts; name: its file, for people. A profile that cannot be used is
    said once and left out.
    """
    profile = source.info.get("icc_profile")
    if not profile and source.format == "PNG":
        profile = profile_of_chunks(source.info)
    if not isinstance(profile, bytes) or not profile:
        profile = None
    if profile is None and image.mode != "LAB":
        return _rgb(image)
    try:
        return _managed(image, profile)
    except Exception as error:
        if image.mode == "LAB":
            raise
        # littlecms raises its own errors, and for some damage whatever comes of it
        _say_once(f"{name}: its colour profile cannot be used, so its colours may be off: {error}")
        return _rgb(image)


def _rgb(image: Image.Image) -> Image.Image:
    # Pillow would make a copy of one that is RGB already
    return image if image.mode == "RGB" else image.convert("RGB")


def _managed(image: Image.Image, profile: bytes | None) -> Image.Image:
    from PIL import Image, ImageCms

    # TIFF's own L*a*b* has no need of a profile
    mode, transform = _transform(None if image.mode == "LAB" else profile, image.mode)
    if transform is None:
        return image
    if mode == "L":
        return Image.merge("RGB", [image.point(table) for table in transform])
    result = ImageCms.applyTransform(image.convert(mode) if mode != image.mode else image, transform)
    assert result is not None
    return result


# the frames of an animation have all the same
@lru_cache(maxsize=4)
def _transform(profile: bytes | None, mode: str) -> tuple[str, Any]:
    """The mode that a picture needs to have, and what makes sRGB of it; None where that would change nothing.

    For greys it is a table for each of red, green and blue.
    """
    from PIL import Image, ImageCms

    if profile is None:
        own = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    else:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = str(own.profile.xcolor_space).strip()
        if space == "RGB" and mode == "L":
            mode = "RGB"
        if space != _SPACES[mode]:
            raise ImageCms.PyCMSError(f"it is one for {space}, the picture is {_SPACES[mode]}")
    srgb, intent = ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL
    if mode == "L":
        # littlecms' own short cut is coarse where it is dark
        exact = ImageCms.buildTransform(own, srgb, mode, "RGB", intent, ImageCms.Flags.NOOPTIMIZE)
        greys = Image.fromarray(np.arange(256, dtype=np.uint8)[np.newaxis])
        return mode, np.asarray(ImageCms.applyTransform(greys, exact))[0].T.tolist()
    transform = ImageCms.buildTransform(own, srgb, mode, "RGB", intent)
    return mode, None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: Any) -> bool:
    """Whether it leaves every colour within a level: most profiles are that of sRGB itself, in one of many versions."""
    from PIL import Image, ImageCms

    steps = np.arange(0, 256, 17, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    after = ImageCms.applyTransform(Image.fromarray(colours), transform)
    return bool(np.abs(np.asarray(after).astype(np.int16) - colours).max() <= 1)


@lru_cache(maxsize=256)
def _say_once(words: str) -> None:
    _log.warning("%s", words)


def profile_of_chunks(info: dict[Any, Any]) -> bytes | None:
    """The profile that PNG's chunks gAMA and cHRM amount to; None where they are missing, or mean sRGB.

    cHRM without gAMA is left out, as browsers do.
    """
    gamma, points = info.get("gamma"), info.get("chromaticity", _SRGB)
    if "srgb" in info or not isinstance(gamma, float) or not 0.05 <= gamma <= 5:
        return None
    near = len(points) == 8 and all(abs(a - b) < 0.004 for a, b in zip(points, _SRGB, strict=True))
    # 1/2.2 is how sRGB is said in this chunk
    if len(points) != 8 or (near and abs(gamma - 0.45455) < 0.01):
        return None
    return matrix_profile(_SRGB if near else points, 1 / gamma)


_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""From XYZ to the cones' responses: ICC.1:2022, annex E.3."""

_D50 = np.array([0.9642, 1.0, 0.8249])


def matrix_profile(points: Sequence[float], gamma: float) -> bytes | None:
    """An ICC profile (version 4) of white, red, green and blue, x and y of each, and a power law.

    None for points that are no colours. The formula is that of ICC.1:2022 and of SMPTE RP 177: the primaries are
    weighted so that they add up to white, and the whole is adapted to D50.
    """
    x, y = np.array(points, np.float64).reshape(4, 2).T
    if y.min() < 1e-4:
        return None
    columns = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white, primaries = columns[:, 0], columns[:, 1:]
    try:
        weighted = primaries * np.linalg.solve(primaries, white)
    except np.linalg.LinAlgError:
        return None
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD @ weighted
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 4:
        return None
    curve = b"para" + bytes(8) + struct.pack(">i", round(gamma * 65536))
    parts = {b"wtpt": _xyz(_D50), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    parts |= {name: _xyz(adapted[:, index]) for index, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    table, data, at = struct.pack(">I", len(parts)), b"", 128 + 4 + 12 * len(parts)
    for name, part in parts.items():
        table += name + struct.pack(">II", at + len(data), len(part))
        data += part
    kind = (bytes(4), 0x04300000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp")
    head = struct.pack(">I4sI4s4s4s12s4s", at + len(data), *kind)
    return (head.ljust(68, b"\0") + _xyz(_D50)[8:]).ljust(128, b"\0") + table + data


def _xyz(values: np.ndarray) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))
