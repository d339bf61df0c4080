"""The one door to Pillow: whatever goes wrong behind it is an `InputError` that names the file."""

from __future__ import annotations

import io
import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import cv2

from vcam.errors import InputError, UsageError, VcamError
from vcam.images.heif import decode_heif
from vcam.images.kinds import Kind, kind_of

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 100_000_000
"""A picture larger than this is refused: 300 MB of samples is a mistake or an attack, not a background."""

_MAX_BYTES = 1 << 30
"""Of a TIFF, which is read as a whole: 100 megapixels of four channels of 16 bits, and something."""

_MAX_WORDS = 32 << 20
"""Bytes of words, or of a profile, in one chunk of a PNG."""

_COMMON = ("JPEG", "PNG", "GIF", "BMP", "PPM")
_FORMATS = (*_COMMON, "MPO", "WEBP", "TIFF", "AVIF", "JPEG2000", "DIB", "ICO", "TGA", "PCX", "DDS", "PSD", "QOI", "SGI")
"""Pillow's names of the formats that are opened, whatever a file is called. All of them are decoded by Pillow itself:
it hands PostScript to Ghostscript, and metafiles and others to further programs. The first are loaded with Pillow."""

AGAIN = "export or download the picture again"
_KNOWN = "use JPEG, PNG, WebP, AVIF, TIFF or BMP"


_CV_NO_MEMORY = -4
"""OpenCV's code for an allocation that failed."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether that is what went wrong: Python, OpenCV and Pillow's decoders each have words of their own for it."""
    if isinstance(error, cv2.error):
        return bool(error.code == _CV_NO_MEMORY)
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and "out of memory" in str(error))


@contextmanager
def enough_memory(path: str | os.PathLike[str]) -> Iterator[None]:
    """Within it a picture is loaded, for which there may be too little memory. Raises `InputError` then."""
    try:
        yield
    except (MemoryError, cv2.error, OSError) as error:
        if not is_out_of_memory(error):
            raise
        raise _no_memory(path) from error


def _no_memory(path: str | os.PathLike[str]) -> InputError:
    return InputError(
        f"there is not enough memory to load {os.fspath(path)}",
        "give a smaller picture: one as large as the output is enough",
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What is done within with a picture of this file raises `InputError`, whatever Pillow or its plugins raise.

    They decode when a picture is opened, loaded, turned to another frame or asked for its EXIF, and damaged files make
    them raise nearly everything: RuntimeError, NotImplementedError, IndexError, struct.error, MemoryError. Pillow's
    warnings, as of large pictures at half of what it refuses, are vcam's to give and not shown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except VcamError:
        raise
    except Exception as error:
        raise _input_error(path, error) from error


def _input_error(path: Path, error: Exception) -> InputError:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return InputError(f"{path} is not a picture that vcam can read", _KNOWN)
    if isinstance(error, PermissionError):
        return InputError(f"{path} may not be read", f"chmod u+r {path}")
    if isinstance(error, Image.DecompressionBombError):
        return InputError(f"{path} has too many pixels to load", _smaller())
    if is_out_of_memory(error):
        return _no_memory(path)
    if isinstance(error, NotImplementedError):
        return InputError(f"{path} is stored in a way that vcam cannot read: {error}", "export it as PNG or JPEG")
    if isinstance(error, OSError) and error.errno:
        return InputError(f"{path} cannot be read: {error.strerror}", "is it on a drive that has gone?")
    # others have told nobody that they would be read
    words = str(error) if isinstance(error, (OSError, SyntaxError, ValueError, RuntimeError)) else ""
    return InputError(f"{path} is damaged" + (f": {words}" if words else ""), AGAIN)


def _smaller() -> str:
    return f"scale it below {MAX_PIXELS // 1_000_000} megapixels"


def check_pixels(path: Path, width: int, height: int) -> None:
    """Raise `InputError` for a picture with more than `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise InputError(f"{path} has {width}x{height} pixels, too many to load", _smaller())


@contextmanager
def open_picture(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """A picture's file, looked at but not decoded yet; what is done with it within is `reading`.

    Raises as `open_into` does.
    """
    path = Path(path)
    with ExitStack() as files:
        image = open_into(files, path)
        with reading(path):
            yield image


def open_into(files: ExitStack, path: Path) -> Image.Image:
    """A picture, not decoded yet, that is closed with `files`; whatever is done with it has to be `reading`.

    Raises `UsageError` if there is no such file, `InputError` for what is no picture, empty, damaged or too large.
    """
    with reading(path), ExitStack() as own:
        if _refuse(path) is Kind.HEIF:
            image = decode_heif(path, MAX_PIXELS)
        else:
            # not by its name: Pillow would map the file, and the kernel ends who reads a mapped file that was cut
            image = _opened(path, own.enter_context(path.open("rb")))
        own.enter_context(image)
        check_pixels(path, image.width, image.height)
        files.push(own.pop_all())
    return image


def _opened(path: Path, file: BinaryIO) -> Image.Image:
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    # a PNG with a profile, or words, of more than a megabyte would not be opened at all: programs that make pictures
    # from a description write all they know into them
    PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, _MAX_WORDS)
    try:
        return Image.open(file, formats=_COMMON)
    except UnidentifiedImageError:
        Image.init()
    file.seek(0)
    image = Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])
    if image.format != "TIFF":
        return image
    check_pixels(path, image.width, image.height)
    if os.fstat(file.fileno()).st_size > _MAX_BYTES:
        raise InputError(f"{path} is too large a file", "save its first page alone")
    # libtiff maps files as well
    file.seek(0)
    return Image.open(io.BytesIO(file.read()), formats=["TIFF"])


def _refuse(path: Path) -> Kind:
    """What a file is; raises for what need not be opened to know that it is no picture."""
    if not path.exists():
        raise UsageError(f"there is no picture {path}", "check the path")
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a picture", "name a file in it")
    if not path.is_file():
        raise InputError(f"{path} is not a file", "give the path of a picture")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", AGAIN)
    kind, quoted = kind_of(path), shlex.quote(str(path))
    if kind is Kind.SVG:
        raise InputError(f"{path} is an SVG drawing, which vcam does not draw", f"rsvg-convert {quoted} -o drawing.png")
    if kind is Kind.JXL:
        raise InputError(f"{path} is a JPEG XL picture, which vcam does not read", f"djxl {quoted} picture.png")
    return kind
