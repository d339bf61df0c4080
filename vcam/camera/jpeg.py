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
from typing import Final, Protocol, TypeAlias

import cv2
import numpy as np

from vcam.camera.jpegfit import Fit
from vcam.camera.jpeghead import CUT, DAMAGED, Fault, Head, has_end, read_head, with_end
from vcam.colour import FULL, NEUTRAL
from vcam.errors import UsageError, VcamError
from vcam.frames import Frame
from vcam.scaling import halve
from vcam.types import U8, Size

Bytes: TypeAlias = "bytes | memoryview | U8"
"""One encoded picture."""

_LIBRARIES = ("libturbojpeg.so.0", "libturbojpeg.so")
_HARMLESS = ("Invalid SOS parameters", "JFIF revision", "Adobe color transform")
_STRAY_BYTES = re.compile(r"(\d+) extraneous bytes before marker")
_MAX_STRAY_BYTES = 16


class JpegDecoder(Protocol):
    """Decodes pictures of one size."""

    @property
    def fault(self) -> Fault:
        """Why the last picture that could not be shown was none."""

    def decode(self, data: Bytes) -> Frame | None:
        """The picture as I420 planes, or None if it is damaged, truncated, no JPEG, or of quite another size.

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
    library.tjDecompress2.argtypes = [
        pointer, pointer, length, pointer, integer, integer, integer, integer, integer,
    ]  # fmt: skip
    library.tjGetErrorCode.argtypes = [pointer]
    library.tjGetErrorStr2.argtypes = [pointer]
    library.tjGetErrorStr2.restype = ctypes.c_char_p


def _is_harmless(warning: str) -> bool:
    """Whether the picture is whole in spite of a warning: many cameras put a few stray bytes before a marker."""
    stray = _STRAY_BYTES.search(warning)
    if stray:
        return int(stray[1]) <= _MAX_STRAY_BYTES
    return any(word in warning for word in _HARMLESS)


class _Decoder:
    """What both decoders have in common: the look at a picture before it is decoded, and at its size."""

    def __init__(self, size: Size) -> None:
        self.fault = DAMAGED
        self._fit = Fit(size)
        self._colours = _Colours()

    def decode(self, data: Bytes) -> Frame | None:
        """See `JpegDecoder`."""
        coded = np.frombuffer(data, np.uint8)
        head = read_head(coded)
        if isinstance(head, Fault):
            self.fault = head
            return None
        fault = self._fit.fault(head.size)
        if fault is None and not has_end(coded, head):
            ended = with_end(coded)
            if ended is None:
                fault = CUT
            else:
                coded = np.frombuffer(ended, np.uint8)
        if fault is not None:
            self.fault = fault
            return None
        frame = self._decode(coded[head.start :], head)
        if isinstance(frame, Fault):
            self.fault = frame
            return None
        return self._fit.fit(frame, head.size)

    def _decode(self, coded: U8, head: Head) -> Frame | Fault:
        """The whole picture, a last odd column or line perhaps left out."""
        raise NotImplementedError


class _Colours:
    """Buffers for pictures of red, green and blue, or of CMYK, on their way to planes of the limited range."""

    def __init__(self) -> None:
        self._pixels = self._bgr = np.empty((0, 0, 3), np.uint8)
        self._frame: Frame | None = None

    def pixels(self, head: Head) -> U8:
        """Where a decoder writes the pixels, uint8 (height, width, 4) for CMYK, or 3 for BGR."""
        width, height = head.size
        shape = (height, width, 4 if head.components == 4 else 3)
        if self._pixels.shape != shape:
            self._pixels = np.empty(shape, np.uint8)
            self._bgr = np.empty((height, width, 3), np.uint8) if shape[2] == 4 else self._pixels
            self._frame = None
        return self._pixels

    def frame(self, head: Head) -> Frame:
        """The planes of the pixels."""
        height, width = (side // 2 * 2 for side in self._pixels.shape[:2])
        if head.components == 4:
            self._mix_inks(head.adobe)
        if self._frame is None:
            self._frame = Frame.allocate(width, height)
        assert self._frame.buffer is not None
        packed = self._frame.buffer.reshape(height * 3 // 2, width)
        cv2.cvtColor(self._bgr[:height, :width], cv2.COLOR_BGR2YUV_I420, dst=packed)
        return self._frame

    def _mix_inks(self, inverted: bool) -> None:
        # the light that inks let through is multiplied; Adobe's numbers are of that light
        light = self._pixels if inverted else cv2.bitwise_not(self._pixels)
        black = light[..., 3]
        for channel, ink in enumerate((2, 1, 0)):
            self._bgr[..., channel] = cv2.multiply(light[..., ink], black, scale=1 / FULL)


class _Planes:
    """Where libturbojpeg puts the planes of pictures of one size and subsampling, and the frame that they make."""

    def __init__(self, size: Size, sampling: Size | None) -> None:
        """sampling: pixels for a sample of chroma, across and down; None for grey."""
        (width, height), (across, down) = size, sampling or (1, 1)
        # the library rounds planes up to whole groups of the pixels that share their chroma
        whole = -(-width // across) * across, -(-height // down) * down
        halves = (height + 1) // 2, (width + 1) // 2
        coded = (whole[1] // down, whole[0] // across)
        if width % 2 == 0 and height % 2 == 0 and whole == size:
            self.frame = Frame.allocate(width, height)
            luma = self.frame.y
        else:
            luma = np.empty(whole[::-1], np.uint8)
            self.frame = Frame(luma[:height, :width], np.empty(halves, np.uint8), np.empty(halves, np.uint8))
        self.frame.full_range = True
        self._chroma: tuple[U8, U8] = (self.frame.u, self.frame.v)
        self._pairs = False
        if sampling is None:
            self.frame.u[...] = NEUTRAL
            self.frame.v[...] = NEUTRAL
        elif coded != halves:
            self._chroma = (np.empty(coded, np.uint8), np.empty(coded, np.uint8))
            self._pairs = coded == (2 * halves[0], halves[1])
        planes = (luma, *self._chroma)
        self.pointers = (ctypes.c_void_p * 3)(*(plane.ctypes.data for plane in planes))
        self.strides = (ctypes.c_int * 3)(*(plane.strides[0] for plane in planes))
        self._luma = luma

    def finish(self) -> Frame:
        """The frame, once the planes are filled."""
        if self._chroma[0] is not self.frame.u:
            for source, target in zip(self._chroma, (self.frame.u, self.frame.v), strict=True):
                if self._pairs:
                    # ten times faster than a resize by area, and the same result
                    cv2.addWeighted(source[0::2], 0.5, source[1::2], 0.5, 0, dst=target)
                else:
                    halve(source, target)
        return self.frame


class TurboJpegDecoder(_Decoder):
    """Planes straight from libturbojpeg, full range as JFIF defines them.

    Written for the API of libjpeg-turbo 2.x, which 3.x still exports. The GIL is released while it decodes.
    """

    _FASTDCT = 2048
    _LIMITSCANS = 32768
    _FLAGS = _FASTDCT | _LIMITSCANS
    _WARNING = 0
    _YCBCR, _GREY_COLORS = 1, 2
    _BGR, _CMYK = 1, 11
    _SAMPLINGS: Final[dict[int, Size | None]] = {
        0: (1, 1), 1: (2, 1), 2: (2, 2), 3: None, 4: (1, 2), 5: (4, 1), 6: (1, 4),
    }  # fmt: skip

    def __init__(self, size: Size, library: ctypes.CDLL) -> None:
        super().__init__(size)
        self._library = library
        self._handle = self._start()
        self._info = [ctypes.c_int() for _ in range(4)]
        self._planes: tuple[tuple[Size, int], _Planes] | None = None
        self._has_tables = False

    def _start(self) -> ctypes.c_void_p:
        handle = ctypes.c_void_p(self._library.tjInitDecompress())
        if not handle:
            raise VcamError("libturbojpeg could not start", "VCAM_JPEG=simplejpeg uses the other decoder")
        return handle

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self._library.tjDestroy(self._handle)

    def _decode(self, coded: U8, head: Head) -> Frame | Fault:
        if self._has_tables and not head.tables:
            # the tables of another picture would be taken for the standard ones
            self._start_anew()
        self._has_tables = head.tables
        frame = self._decode_with(coded, head)
        if isinstance(frame, Fault):
            # the tables of a damaged picture stay in the decoder, and make it refuse sound ones
            self._start_anew()
        return frame

    def _start_anew(self) -> None:
        self._library.tjDestroy(self._handle)
        self._handle = self._start()

    def _decode_with(self, coded: U8, head: Head) -> Frame | Fault:
        address = coded.ctypes.data
        width, height, layout, colors = self._info
        failed = self._library.tjDecompressHeader3(self._handle, address, coded.size, width, height, layout, colors)
        fault = self._fault() if failed else None
        if fault or colors.value not in (self._YCBCR, self._GREY_COLORS) or layout.value not in self._SAMPLINGS:
            # also what has samples in a pattern of its own
            return self._decode_colours(address, coded.size, head)
        if (width.value, height.value) != head.size:
            return DAMAGED
        if self._planes is None or self._planes[0] != (head.size, layout.value):
            self._planes = (head.size, layout.value), _Planes(head.size, self._SAMPLINGS[layout.value])
        planes = self._planes[1]
        failed = self._library.tjDecompressToYUVPlanes(
            self._handle, address, coded.size, planes.pointers, 0, planes.strides, 0, self._FLAGS
        )
        return (self._fault() if failed else None) or planes.finish()

    def _decode_colours(self, address: int, length: int, head: Head) -> Frame | Fault:
        pixels = self._colours.pixels(head)
        kind = self._CMYK if head.components == 4 else self._BGR
        failed = self._library.tjDecompress2(
            self._handle, address, length, pixels.ctypes.data, *head.size[:1], 0, head.size[1], kind, self._FLAGS
        )
        return (self._fault() if failed else None) or self._colours.frame(head)

    def _fault(self) -> Fault | None:
        """What the library complains of, if it matters."""
        words = self._library.tjGetErrorStr2(self._handle).decode("ascii", "replace")
        if self._library.tjGetErrorCode(self._handle) == self._WARNING and _is_harmless(words):
            return None
        return _fault_of(words)


class SimpleJpegDecoder(_Decoder):
    """BGR by the wheel simplejpeg, then limited-range planes by OpenCV."""

    def __init__(self, size: Size) -> None:
        super().__init__(size)
        import simplejpeg

        self._decode_jpeg = simplejpeg.decode_jpeg

    def _decode(self, coded: U8, head: Head) -> Frame | Fault:
        pixels = self._colours.pixels(head)
        kind = "CMYK" if head.components == 4 else "BGR"
        try:
            self._decode_jpeg(coded, kind, fastdct=True, fastupsample=True, buffer=pixels)
        except LookupError:
            # simplejpeg's answer to colours or a subsampling it does not know
            return DAMAGED
        except ValueError as error:
            # a mere warning comes after the whole picture was written
            if not _is_harmless(str(error)):
                return _fault_of(str(error))
        return self._colours.frame(head)


def _fault_of(words: str) -> Fault:
    return CUT if "remature end" in words else DAMAGED
