"""Pictures from and to files: one way to read them all, whatever their depth, mode or orientation."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vcam.errors import InputError, OutputError, UsageError
from vcam.files import Overwriting, no_file, write_whole
from vcam.frames import Box, Frame
from vcam.types import F32, U8, Size

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 100_000_000
"""A picture larger than this is refused: 300 MB of samples is a mistake or an attack, not a background."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif"})


_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")
_FORMATS = (*_COMMON, "MPO", "WEBP", "TIFF", "AVIF", "JPEG2000", "DIB", "ICO", "TGA", "PCX", "DDS", "PSD", "QOI", "SGI")
"""Pillow's names of the formats that are opened, whatever a file is called. All of them are decoded by Pillow itself:
it hands PostScript to Ghostscript, and metafiles and others to further programs. The first are loaded with Pillow."""


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """A picture's file, looked at but not decoded yet; the caller closes it.

    Raises what Pillow raises: `UnidentifiedImageError` for other formats, else `OSError`, `SyntaxError`, `ValueError`
    or `DecompressionBombError`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path, formats=_COMMON)
    except UnidentifiedImageError:
        Image.init()
        return Image.open(path, formats=[name for name in _FORMATS if name in Image.OPEN])


def read_image(path: str | os.PathLike[str]) -> U8:
    """Read a picture as uint8 (height, width, 3) BGR, upright as its EXIF orientation says.

    Transparent pixels are laid over mid grey; 16-bit, grey, palette and CMYK pictures are converted. Raises
    `UsageError` if there is no such file, `InputError` if it is empty, truncated, too large or no picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    path = Path(path)
    try:
        other = no_file(path)
    except PermissionError as error:
        raise InputError(f"{path} may not be read", f"chmod u+rx {path.parent}") from error
    except OSError as error:
        raise UsageError(f"there is no picture {path}", "check the path") from error
    if other:
        raise InputError(f"{path} is {other}, not a picture", "give the path of a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", "export the picture again")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures at half of what it refuses; the check below is vcam's own
            warnings.simplefilter("ignore")
            with open_picture(path) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise InputError(
                        f"{path} has {opened.width}x{opened.height} pixels, too many to load",
                        f"scale it below {MAX_PIXELS // 1_000_000} megapixels",
                    )
                return _to_bgr(ImageOps.exif_transpose(opened))
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is not a picture that vcam can read", "use JPEG, PNG, WebP, TIFF or BMP") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read", f"chmod u+r {path}") from error
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{path} has too many pixels to load", f"scale it below {MAX_PIXELS // 1_000_000} megapixels"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}", "export or download the picture again") from error


def _to_bgr(image: Image.Image) -> U8:
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I", "F"):
        # Pillow clips these to 8 bits instead of scaling them
        deep = np.asarray(image, np.float32)
        top = 65535.0 if image.mode.startswith("I") else max(float(deep.max(initial=1.0)), 1e-6)
        grey = np.clip(deep * (255.0 / top), 0, 255).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = rgba[..., 3:].astype(np.float32) / 255.0
        flat = rgba[..., :3] * alpha + 128.0 * (1.0 - alpha)
        return np.ascontiguousarray(flat.round().astype(np.uint8)[..., ::-1])
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])


def bgr_to_frame(picture: U8) -> Frame:
    """A BGR picture as a limited-range frame of its own; odd sides are padded by repeating the last row or column."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
            np.uint8, copy=False
        )
        height, width = picture.shape[:2]
    packed = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    return Frame.wrap(packed.reshape(-1).astype(np.uint8, copy=False), width, height)


def frame_to_bgr(frame: Frame) -> U8:
    """A limited-range frame as uint8 (height, width, 3) BGR, a fresh array."""
    if frame.full_range:
        raise ValueError("a full-range frame must be composited before it is shown")
    packed = frame.packed().reshape(frame.height * 3 // 2, frame.width)
    return cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420).astype(np.uint8, copy=False)


def place_map(part: U8 | F32, box: Box, size: Size, whole: U8 | F32) -> None:
    """Write a small map (height, width) of a part of a picture into one of the whole, of any size, that is else 0.

    size: of the picture that `box` is a part of. Bounds are rounded outward to pixels of the map.
    """
    rows, columns = whole.shape
    x0, x1 = box.x0 * columns // size[0], -(-box.x1 * columns // size[0])
    y0, y1 = box.y0 * rows // size[1], -(-box.y1 * rows // size[1])
    whole.fill(0)
    target = whole[y0:y1, x0:x1]
    cv2.resize(part, target.shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)


def between_maps(box: Box, shape: tuple[int, ...], other: Box, other_shape: tuple[int, ...]) -> F32:
    """The affine map, float32 (2, 3), from pixels of a map of one box to those of a map of another.

    Boxes are parts of one picture, shapes (height, width) those of the maps.
    """
    rows, columns = shape
    across, down = (box.x1 - box.x0) / columns, (box.y1 - box.y0) / rows
    wide, tall = (other.x1 - other.x0) / other_shape[1], (other.y1 - other.y0) / other_shape[0]
    # centres lie half a pixel inside
    return np.array(
        [
            [across / wide, 0, (0.5 * across + box.x0 - other.x0) / wide - 0.5],
            [0, down / tall, (0.5 * down + box.y0 - other.y0) / tall - 0.5],
        ],
        np.float32,
    )


def write_image(path: str | os.PathLike[str], picture: U8, rule: Overwriting | None = None) -> None:
    """Write a BGR or grey picture under its final name only once it is complete.

    The format follows the suffix. rule: for a file that a person named. Raises `UsageError` for an unknown suffix or
    where there can be no such file, `OutputError` if it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path.name}: {path.suffix or 'no suffix'} is not a kind of picture", "use .png or .jpg")
    suffix = path.suffix.lower()
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    ok, data = cv2.imencode(suffix, picture, quality)
    if not ok:
        raise OutputError(f"cannot encode {path.name} as {path.suffix}", "use .png or .jpg")
    write_whole(path, lambda partial: partial.write_bytes(data.tobytes()), rule=rule)
