"""From the bytes of a camera to a frame of planar I420, whatever way the camera lays out its samples."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from vcam.camera.jpeg import Bytes, open_decoder
from vcam.camera.jpeghead import CUT, Fault
from vcam.camera.layouts import GREY, RGB, believable_stride, line_bytes, picture_bytes, reader
from vcam.colour import BLUE, CHROMA_SPAN, LUMA_SPAN, NEUTRAL, RED
from vcam.frames import Frame, PixelFormat, check_size
from vcam.types import U8, Size

Matrix = Literal["bt601", "bt709"]

_KR_KB = {"bt601": (RED, BLUE), "bt709": (0.2126, 0.0722)}


class Unpacker:
    """Turns buffers of one pixel format and size into frames.

    Planes are views of the given bytes where the format allows it, else of buffers that the unpacker owns and uses
    again for the next frame.
    """

    def __init__(
        self,
        pixel_format: PixelFormat,
        size: Size,
        *,
        stride: int | None = None,
        full_range: bool | None = None,
        matrix: Matrix = "bt601",
    ) -> None:
        """Get buffers for `size` = (width, height), both even.

        stride: bytes from one line of luma (or of all there is, in a packed layout) to the next, None if lines are
        adjacent; chroma planes of their own have lines half as long. full_range: samples use 0..255; None takes the
        usual: full for grey and RGB, else limited. matrix: how the source weighs its colours; what is not BT.601 is
        converted. JPEG is always full-range BT.601, so it takes neither; RGB has no matrix.

        Raises `UsageError` for a size I420 cannot hold, `ValueError` for a stride that cannot be.
        """
        self._size = check_size(*size, what="the camera's picture")
        self._jpeg = open_decoder(size) if pixel_format is PixelFormat.MJPEG else None
        self._matrix = None
        if self._jpeg is not None:
            return
        line = line_bytes(pixel_format, size[0])
        if believable_stride(pixel_format, size, stride or line, 0) is None:
            raise ValueError(f"a stride of {stride} bytes cannot hold {size[0]} pixels of {pixel_format.value}")
        self._length = picture_bytes(pixel_format, stride or line, size[1])
        if full_range is None:
            full_range = pixel_format in GREY | RGB
        self._reads = reader(pixel_format, size, stride or line, full_range)
        if matrix != "bt601" and pixel_format not in GREY | RGB:
            self._matrix = _ToBt601(size, matrix, full_range)

    def unpack(self, data: Bytes, timestamp: float, seq: int) -> Frame | None:
        """The frame in `data`, or None if it is too short or damaged: `fault` says why.

        The frame is valid until the next call, and no longer than `data` is. Bytes after the picture, which some
        drivers add, are ignored.
        """
        frame = self._planes(data)
        if frame is None:
            return None
        if self._matrix is not None:
            frame = self._matrix.convert(frame)
        frame.timestamp, frame.seq = timestamp, seq
        return frame

    @property
    def fault(self) -> Fault:
        """What was wrong with the last picture that was none."""
        return self._jpeg.fault if self._jpeg is not None else CUT

    def _planes(self, data: Bytes) -> Frame | None:
        if self._jpeg is not None:
            return self._jpeg.decode(data)
        samples = np.frombuffer(data, np.uint8)
        return None if samples.size < self._length else self._reads(samples)


class _ToBt601:
    """Converts planes made with another matrix.

    With luma Y and centred chroma B = (b - y) / (2 (1 - Kb)), R = (r - y) / (2 (1 - Kr)) (ITU-R BT.601-7, BT.709-6),
    going through linear combinations of r, g, b gives 3x3 weights from (Y, B, R) to (Y', B', R'). Luma keeps weight
    1 and chroma depends on chroma only, so B' and R' are made at half size, as is what chroma adds to luma, which is
    then scaled up.
    """

    def __init__(self, size: Size, matrix: Matrix, full_range: bool) -> None:
        width, height = size
        weights = _rgb_to_ybr("bt601") @ np.linalg.inv(_rgb_to_ybr(matrix))
        self._weights = weights[1:, 1:]
        self._luma_weights = weights[0, 1:] * (1.0 if full_range else LUMA_SPAN / CHROMA_SPAN)
        self._frame = Frame.allocate(width, height)
        self._shift_half = np.empty((height // 2, width // 2), np.uint8)
        self._shift = np.empty((height, width), np.uint8)

    def convert(self, frame: Frame) -> Frame:
        """The frame in BT.601, in a buffer that this object owns."""
        target = self._frame
        self._mix(frame, self._luma_weights, self._shift_half)
        cv2.resize(self._shift_half, frame.size, dst=self._shift, interpolation=cv2.INTER_LINEAR)
        cv2.addWeighted(frame.y, 1.0, self._shift, 1.0, -NEUTRAL, dst=target.y)
        self._mix(frame, self._weights[0], target.u)
        self._mix(frame, self._weights[1], target.v)
        target.full_range = frame.full_range
        return target

    @staticmethod
    def _mix(frame: Frame, weights: np.ndarray, out: U8) -> None:
        """out = w0 (Cb - 128) + w1 (Cr - 128) + 128."""
        blue, red = float(weights[0]), float(weights[1])
        cv2.addWeighted(frame.u, blue, frame.v, red, NEUTRAL * (1.0 - blue - red), dst=out)


def _rgb_to_ybr(matrix: Matrix) -> np.ndarray:
    red, blue = _KR_KB[matrix]
    luma = np.array([red, 1.0 - red - blue, blue])
    return np.stack(
        [luma, (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)), (np.array([1, 0, 0]) - luma) / (2 * (1 - red))]
    )
