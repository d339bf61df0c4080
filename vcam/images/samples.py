"""Every depth and mode that Pillow knows as 8 bits of grey, RGB or CMYK, with alpha beside it, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vcam.types import U8

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112


def orientation(image: Image.Image) -> int:
    """How EXIF says that the loaded picture is turned, 1 to 8; 1 where it says nothing, or nothing that is understood.

    TIFF is turned by Pillow itself when it is loaded, and says 1 then.
    """
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:
        # damaged EXIF is no reason not to show the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turned(image: Image.Image, how: int) -> Image.Image:
    """The picture as EXIF's orientation `how` says that it is to be shown."""
    from PIL import Image

    ways = Image.Transpose
    way = {
        2: ways.FLIP_LEFT_RIGHT, 3: ways.ROTATE_180, 4: ways.FLIP_TOP_BOTTOM, 5: ways.TRANSPOSE,
        6: ways.ROTATE_270, 7: ways.TRANSVERSE, 8: ways.ROTATE_90,
    }.get(how)  # fmt: skip
    return image if way is None else image.transpose(way)


def turned_samples(samples: U8, how: int) -> U8:
    """Samples (height, width, ...) as EXIF's orientation `how` says that they are to be shown, a view."""
    if how >= 5:
        samples = samples.swapaxes(0, 1)
    # what is left after the exchange of both axes: mirrored across, down, or both
    if how in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if how in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples


def separate(image: Image.Image) -> tuple[Image.Image, U8 | None]:
    """A loaded picture as L, RGB, CMYK or LAB without alpha, and its alpha (height, width), None where it has none.

    Colour is not multiplied by alpha.
    """
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _shallow(image)
    if mode in ("La", "RGBa"):
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[mode])
    elif image.has_transparency_data and mode not in ("LA", "RGBA"):
        image = image.convert("LA" if mode in ("1", "L") else "RGBA")
    if image.mode in ("LA", "RGBA"):
        alpha = np.asarray(image.getchannel("A"))
        return image.convert("L" if image.mode == "LA" else "RGB"), alpha
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _shallow(image: Image.Image) -> tuple[Image.Image, U8 | None]:
    from PIL import Image

    deep = np.asarray(image)
    alpha = None
    # the one value that PNG declares to be transparent
    if isinstance(clear := image.info.get("transparency"), int):
        alpha = np.where(deep == clear, np.uint8(0), np.uint8(255))
    return Image.fromarray(levels(deep)), alpha


def levels(deep: np.ndarray) -> U8:
    """Samples (height, width) of more than 8 bits, integers or floats, as 8 bits, scaled by what counts as white.

    What is no number is black.
    """
    low, high = _range(deep)
    black, white = _white_of_floats(low, high) if deep.dtype.kind == "f" else _white_of_integers(deep, low, high)
    result = np.empty(deep.shape, np.uint8)
    factor = 255.0 / max(white - black, 1e-30)
    # in pieces, or the floats would take four times the picture's memory
    with np.errstate(all="ignore"):
        for rows in _pieces(deep.shape):
            part = (deep[rows].astype(np.float64) - black) * factor
            result[rows] = np.nan_to_num(np.clip(part, 0, 255), nan=0.0).round()
    return result


def _range(deep: np.ndarray) -> tuple[float, float]:
    """The least and the largest of the samples that are numbers."""
    finite = deep[np.isfinite(deep)] if deep.dtype.kind == "f" else deep
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _white_of_integers(deep: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Black and white: 16 bits, or whatever is there where more bits are used, since nothing says what white is."""
    if deep.dtype.itemsize == 2 or (low >= 0 and high <= 65535):
        return 0.0, 65535.0
    return min(low, 0.0), high


def _white_of_floats(low: float, high: float) -> tuple[float, float]:
    """Black and white of floats, for which there is no rule: 0..1 with a little more for highlights, levels of 8 or 16
    bits, or else whatever is there."""
    if high <= 1.5:
        return 0.0, 1.0
    if 32 <= high <= 255.5:
        return 0.0, 255.0
    if 32768 <= high <= 65535.5:
        return 0.0, 65535.0
    return min(low, 0.0), high


def _pieces(shape: tuple[int, ...], pixels: int = 1 << 20) -> list[slice]:
    """Rows of an array in pieces of about so many pixels."""
    step = max(1, pixels // max(1, shape[1]))
    return [slice(row, row + step) for row in range(0, shape[0], step)]


def over_grey(colour: U8, alpha: U8, grey: int = 128) -> U8:
    """Colour (height, width, 3) laid over grey by alpha (height, width), in the place of `colour`."""
    for rows in _pieces(alpha.shape):
        cover = alpha[rows, :, np.newaxis].astype(np.uint16)
        mixed = colour[rows] * cover + np.uint16(grey) * (255 - cover)
        # rounded
        colour[rows] = (mixed + 127) // 255
    return colour
