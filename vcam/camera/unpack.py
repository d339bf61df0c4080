"""From the bytes of a camera to a frame of planar I420, whatever way the camera lays out its samples."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from vcam.camera.jpeg import Bytes, open_decoder
from vcam.colour import BLUE, CHROMA_SPAN, LUMA_SPAN, NEUTRAL, RED
from vcam.frames import Frame, PixelFormat, check_size
from vcam.types import U8, Size

Matrix = Literal["bt601", "bt709"]

_KR_KB = {"bt601": (RED, BLUE), "bt709": (0.2126, 0.0722)}
_LITTLE_ENDIAN_PAIR = np.dtype("<u2")


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

        stride: bytes from one line of luma (or YUYV) to the next, None if lines are adjacent; the chroma lines of
        I420 are half as long. full_range: samples use 0..255; None takes the usual, limited. matrix: how the source
        weighs its colours; what is not BT.601 is converted. JPEG is always full-range BT.601, so it takes neither.

        Raises `UsageError` for a size I420 cannot hold, `ValueError` for a stride shorter than a line.
        """
        self._size = check_size(*size, what="the camera's picture")
        width, height = size
        self._format = pixel_format
        self._full_range = bool(full_range)
        line = 2 * width if pixel_format is PixelFormat.YUYV else width
        self._stride = stride or line
        if self._stride < line or (pixel_format is PixelFormat.I420 and self._stride % 2):
            raise ValueError(f"a stride of {stride} bytes cannot hold {width} pixels of {pixel_format.value}")
        self._length = self._stride * height
        if pixel_format in (PixelFormat.I420, PixelFormat.NV12):
            self._length = self._length * 3 // 2
        self._jpeg = open_decoder(size) if pixel_format is PixelFormat.MJPEG else None
        if pixel_format in (PixelFormat.YUYV, PixelFormat.NV12):
            self._own = Frame.allocate(width, height)
        if pixel_format is PixelFormat.YUYV:
            self._chroma = np.empty((height, width), np.uint8)
            self._chroma_half = np.empty((height // 2, width), np.uint8)
        self._matrix = None
        if matrix != "bt601" and self._jpeg is None:
            self._matrix = _ToBt601(size, matrix, self._full_range)

    def unpack(self, data: Bytes, timestamp: float, seq: int) -> Frame | None:
        """The frame in `data`, or None if it is too short, damaged, or a JPEG of another size.

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

    def _planes(self, data: Bytes) -> Frame | None:
        if self._jpeg is not None:
            return self._jpeg.decode(data)
        samples = np.frombuffer(data, np.uint8)
        if samples.size < self._length:
            return None
        if self._format is PixelFormat.I420:
            frame = self._from_i420(samples)
        elif self._format is PixelFormat.NV12:
            frame = self._from_nv12(samples)
        else:
            frame = self._from_yuyv(samples)
        frame.full_range = self._full_range
        return frame

    def _from_i420(self, samples: U8) -> Frame:
        width, height = self._size
        if self._stride == width:
            return Frame.wrap(samples, width, height)
        half = self._stride // 2
        luma, chroma = self._stride * height, half * (height // 2)
        return Frame(
            samples[:luma].reshape(height, self._stride)[:, :width],
            samples[luma : luma + chroma].reshape(height // 2, half)[:, : width // 2],
            samples[luma + chroma : luma + 2 * chroma].reshape(height // 2, half)[:, : width // 2],
        )

    def _from_nv12(self, samples: U8) -> Frame:
        width, height = self._size
        lines = samples[: self._length].reshape(height * 3 // 2, self._stride)[:, :width]
        cv2.split(_pairs(lines[height:]), [self._own.u, self._own.v])
        return Frame(lines[:height], self._own.u, self._own.v)

    def _from_yuyv(self, samples: U8) -> Frame:
        """Y0 Cb Y1 Cr to planes; two lines share the mean of their chroma.

        Luma is the low byte of each 16-bit pair, so narrowing pairs to bytes picks it out; read one byte further on,
        the same narrowing picks out the chroma. That takes a third of the time of a split into channels.
        """
        width, height = self._size
        lines = samples[: self._length].reshape(height, self._stride)[:, : 2 * width]
        frame = self._own
        np.copyto(frame.y, lines.view(_LITTLE_ENDIAN_PAIR), casting="unsafe")
        np.copyto(self._chroma[:, :-1], lines[:, 1:-1].view(_LITTLE_ENDIAN_PAIR), casting="unsafe")
        self._chroma[:, -1] = lines[:, -1]
        cv2.addWeighted(self._chroma[0::2], 0.5, self._chroma[1::2], 0.5, 0, dst=self._chroma_half)
        cv2.split(_pairs(self._chroma_half), [frame.u, frame.v])
        return frame


def _pairs(lines: U8) -> U8:
    """Lines of Cb Cr Cb Cr... as a picture of two channels, without copying."""
    height, width = lines.shape
    return np.lib.stride_tricks.as_strided(lines, (height, width // 2, 2), (lines.strides[0], 2, 1))


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
