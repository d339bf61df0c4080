"""JPEG pictures from a camera, decoded into I420 planes.

libturbojpeg, where the system has it, stops before the colour conversion and gives the planes as the camera sent them:
half the work of a decoder that makes RGB. Elsewhere the wheel `simplejpeg`, which carries the same library, makes BGR
and OpenCV turns that into limited-range planes. Frames without Huffman tables, as webcams send them, are fine: the
library puts in the standard ones.
"""

from __future__ import annotations

import ctypes
import os
import re
from functools import cache
from typing import Protocol, TypeAlias

import cv2
import numpy as np

from vcam.colour import NEUTRAL
from vcam.errors import UsageError, VcamError
from vcam.frames import Frame
from vcam.scaling import halve
from vcam.types import U8, Size

Bytes: TypeAlias = "bytes | memoryview | U8"
"""One encoded picture."""

_LIBRARIES = ("libturbojpeg.so.0", "libturbojpeg.so")
_TAIL = 4096
_HARMLESS = ("Invalid SOS parameters", "JFIF revision", "Adobe color transform")
_STRAY_BYTES = re.compile(r"(\d+) extraneous bytes before marker")
_MAX_STRAY_BYTES = 16


class JpegDecoder(Protocol):
    """Decodes pictures of one size."""

    def decode(self, data: Bytes) -> Frame | None:
        """The picture as I420 planes, or None if it is damaged, truncated, no JPEG, or of another size.

        The frame belongs to the decoder and is valid until the next call; it says itself whether it is full range.
        """


def open_decoder(size: Size) -> JpegDecoder:
    """The fastest decoder present; `VCAM_JPEG` forces "turbojpeg" or "simplejpeg".

    `size` must be even. Raises `UsageError` for another word in `VCAM_JPEG`, `VcamError` if the one named is missing.
    """
    wanted = os.environ.get("VCAM_JPEG", "")
    if wanted not in ("", "turbojpeg", "simplejpeg"):
        raise UsageError(f"VCAM_JPEG={wanted} is not a JPEG decoder", "unset it, or use turbojpeg or simplejpeg")
    library = None if wanted == "simplejpeg" else _load_library()
    if library is not None:
        return TurboJpegDecoder(size, library)
    if wanted == "turbojpeg":
        raise VcamError("libturbojpeg was not found", "sudo apt install libturbojpeg0, or unset VCAM_JPEG")
    return SimpleJpegDecoder(size)


@cache
def _load_library() -> ctypes.CDLL | None:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            _declare(library)
        except (OSError, AttributeError):
            continue
        return library
    return None


def _declare(library: ctypes.CDLL) -> None:
    """Give the functions their types; raises `AttributeError` if the library is older than 2.0."""
    pointer, integer, length = ctypes.c_void_p, ctypes.c_int, ctypes.c_ulong
    out = ctypes.POINTER(integer)
    library.tjInitDecompress.restype = pointer
    library.tjInitDecompress.argtypes = []
    library.tjDestroy.argtypes = [pointer]
    library.tjDecompressHeader3.argtypes = [pointer, pointer, length, out, out, out, out]
    library.tjDecompressToYUVPlanes.argtypes = [
        pointer, pointer, length, ctypes.POINTER(pointer), integer, out, integer, integer,
    ]  # fmt: skip
    library.tjGetErrorCode.argtypes = [pointer]
    library.tjGetErrorStr2.argtypes = [pointer]
    library.tjGetErrorStr2.restype = ctypes.c_char_p


def _is_whole(data: U8) -> bool:
    """Whether a picture has its start and end markers; what drivers put after the end does not count.

    The search costs a microsecond and saves the decoding of a picture that lost its end on the way.
    """
    if data.size < 64 or data[0] != 0xFF or data[1] != 0xD8:
        return False
    return data[-_TAIL:].tobytes().rfind(b"\xff\xd9") >= 0


def _is_harmless(warning: str) -> bool:
    """Whether the picture is whole in spite of a warning: many cameras put a few stray bytes before a marker."""
    stray = _STRAY_BYTES.search(warning)
    if stray:
        return int(stray[1]) <= _MAX_STRAY_BYTES
    return any(word in warning for word in _HARMLESS)


class TurboJpegDecoder:
    """Planes straight from libturbojpeg, full range as JFIF defines them.

    Written for the API of libjpeg-turbo 2.x, which 3.x still exports. The GIL is released while it decodes.
    """

    _FASTDCT = 2048
    _LIMITSCANS = 32768
    _WARNING = 0
    _YCBCR, _GREY_COLORS = 1, 2
    _S444, _S422, _S420, _GREY, _S440, _S411 = range(6)

    def __init__(self, size: Size, library: ctypes.CDLL) -> None:
        self._frame = Frame.allocate(*size)
        self._frame.full_range = True
        self._size = size
        self._library = library
        self._handle = self._start()
        self._info = [ctypes.c_int() for _ in range(4)]
        self._layout = -1
        self._chroma: tuple[U8, U8] = (self._frame.u, self._frame.v)
        self._pointers = (ctypes.c_void_p * 3)()
        self._strides = (ctypes.c_int * 3)()

    def _start(self) -> ctypes.c_void_p:
        handle = ctypes.c_void_p(self._library.tjInitDecompress())
        if not handle:
            raise VcamError("libturbojpeg could not start", "VCAM_JPEG=simplejpeg uses the other decoder")
        return handle

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.tjDestroy(self._handle)

    def decode(self, data: Bytes) -> Frame | None:
        """See `JpegDecoder`."""
        coded = np.frombuffer(data, np.uint8)
        if not _is_whole(coded):
            return None
        if self._decode(coded):
            return self._frame
        # the tables of a damaged picture stay in the decoder, and make it refuse sound ones
        self._library.tjDestroy(self._handle)
        self._handle = self._start()
        return None

    def _decode(self, coded: U8) -> bool:
        address = coded.ctypes.data
        width, height, layout, colors = self._info
        failed = self._library.tjDecompressHeader3(self._handle, address, coded.size, width, height, layout, colors)
        if failed and not self._only_warned():
            return False
        if (width.value, height.value) != self._size or colors.value not in (self._YCBCR, self._GREY_COLORS):
            return False
        if layout.value != self._layout and not self._lay_out(layout.value):
            return False
        failed = self._library.tjDecompressToYUVPlanes(
            self._handle, address, coded.size, self._pointers, 0, self._strides, 0, self._FASTDCT | self._LIMITSCANS
        )
        if failed and not self._only_warned():
            return False
        self._halve_chroma()
        return True

    def _only_warned(self) -> bool:
        if self._library.tjGetErrorCode(self._handle) != self._WARNING:
            return False
        return _is_harmless(self._library.tjGetErrorStr2(self._handle).decode("ascii", "replace"))

    def _lay_out(self, layout: int) -> bool:
        """Choose where the decoder puts its chroma planes; False for a subsampling that is not known."""
        width, height = self._size
        shapes = {
            self._S444: (height, width),
            self._S422: (height, width // 2),
            self._S420: (height // 2, width // 2),
            self._S440: (height // 2, width),
            # the library rounds the plane up to whole groups of four pixels
            self._S411: (height, (width + 3) // 4),
            self._GREY: (height // 2, width // 2),
        }
        if layout not in shapes or (layout == self._S411 and width % 4):
            return False
        if layout in (self._S420, self._GREY):
            self._chroma = (self._frame.u, self._frame.v)
        else:
            self._chroma = (np.empty(shapes[layout], np.uint8), np.empty(shapes[layout], np.uint8))
        if layout == self._GREY:
            self._frame.u[...] = NEUTRAL
            self._frame.v[...] = NEUTRAL
        for index, plane in enumerate((self._frame.y, *self._chroma)):
            self._pointers[index] = plane.ctypes.data
            self._strides[index] = plane.strides[0]
        self._layout = layout
        return True

    def _halve_chroma(self) -> None:
        if self._layout in (self._S420, self._GREY):
            return
        for source, target in zip(self._chroma, (self._frame.u, self._frame.v), strict=True):
            if self._layout == self._S422:
                # ten times faster than a resize by area, and the same result
                cv2.addWeighted(source[0::2], 0.5, source[1::2], 0.5, 0, dst=target)
            else:
                halve(source, target)


class SimpleJpegDecoder:
    """BGR by the wheel simplejpeg, then limited-range planes by OpenCV."""

    def __init__(self, size: Size) -> None:
        import simplejpeg

        self._decode_jpeg = simplejpeg.decode_jpeg
        self._decode_header = simplejpeg.decode_jpeg_header
        self._frame = Frame.allocate(*size)
        self._size = size
        width, height = size
        assert self._frame.buffer is not None
        self._packed = self._frame.buffer.reshape(height * 3 // 2, width)
        self._bgr = np.empty((height, width, 3), np.uint8)

    def decode(self, data: Bytes) -> Frame | None:
        """See `JpegDecoder`."""
        coded = np.frombuffer(data, np.uint8)
        if not _is_whole(coded):
            return None
        try:
            height, width = self._decode_header(coded, strict=False)[:2]
            if (width, height) != self._size:
                return None
            self._decode_jpeg(coded, "BGR", fastdct=True, fastupsample=True, buffer=self._bgr)
        except LookupError:
            # simplejpeg's answer to colours or a subsampling it does not know
            return None
        except ValueError as error:
            # a mere warning comes after the whole picture was written
            if not _is_harmless(str(error)):
                return None
        cv2.cvtColor(self._bgr, cv2.COLOR_BGR2YUV_I420, dst=self._packed)
        return self._frame
