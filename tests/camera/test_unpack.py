from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.camera.memory import encode_frames
from vcam.camera.unpack import Unpacker
from vcam.errors import UsageError
from vcam.frames import Frame, PixelFormat

RAW = [PixelFormat.I420, PixelFormat.NV12, PixelFormat.YUYV]
ENCODED = [*RAW, PixelFormat.MJPEG]
SIZE = (34, 18)
RNG = np.random.default_rng(5)


def random_frame(size=SIZE) -> Frame:
    frame = Frame.allocate(*size)
    frame.buffer[:] = RNG.integers(0, 256, frame.buffer.size)
    return frame


@pytest.mark.parametrize("pixel_format", RAW)
def test_raw_formats_give_back_every_sample(pixel_format):
    sent = random_frame()
    [data] = encode_frames([sent], pixel_format)
    got = Unpacker(pixel_format, SIZE).unpack(data, 4.5, 7)
    for mine, theirs in zip(got.planes, sent.planes, strict=True):
        assert np.array_equal(mine, theirs)
    assert (got.timestamp, got.seq, got.full_range) == (4.5, 7, False)


def test_yuyv_takes_the_mean_of_two_lines_of_chroma():
    data = np.zeros((2, 16, 2), np.uint8)
    data = np.tile(data, (8, 1, 1))
    data[0::2, 0::2, 1], data[1::2, 0::2, 1] = 100, 110
    data[0::2, 1::2, 1], data[1::2, 1::2, 1] = 40, 60
    got = Unpacker(PixelFormat.YUYV, (16, 16)).unpack(data.tobytes(), 0, 0)
    assert (got.u == 105).all()
    assert (got.v == 50).all()


def padded(data: bytes, line: int, stride: int) -> bytes:
    lines = np.frombuffer(data, np.uint8).reshape(-1, line)
    return np.pad(lines, ((0, 0), (0, stride - line)), constant_values=222).tobytes()


def test_line_stride_is_honoured():
    sent = random_frame()
    width, height = SIZE
    nv12, yuyv = (encode_frames([sent], kind)[0] for kind in (PixelFormat.NV12, PixelFormat.YUYV))
    luma = padded(sent.y.tobytes(), width, 48)
    chroma = padded(sent.u.tobytes(), width // 2, 24) + padded(sent.v.tobytes(), width // 2, 24)
    for kind, stride, data in (
        (PixelFormat.I420, 48, luma + chroma),
        (PixelFormat.NV12, 64, padded(nv12, width, 64)),
        (PixelFormat.YUYV, 96, padded(yuyv, 2 * width, 96)),
    ):
        got = Unpacker(kind, SIZE, stride=stride).unpack(data, 0, 0)
        for mine, theirs in zip(got.planes, sent.planes, strict=True):
            assert np.array_equal(mine, theirs), kind
    assert height == got.height


@pytest.mark.parametrize("pixel_format", ENCODED)
@pytest.mark.parametrize("kind", [bytes, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_short_or_empty_buffers_give_none_and_the_next_frame_is_fine(pixel_format, kind):
    [data] = encode_frames([random_frame()], pixel_format)
    unpacker = Unpacker(pixel_format, SIZE)
    assert unpacker.unpack(kind(data[:-1] if pixel_format is not PixelFormat.MJPEG else data[:-9]), 0, 0) is None
    assert unpacker.unpack(kind(b""), 0, 0) is None
    assert unpacker.unpack(kind(data), 0, 3).seq == 3
    assert unpacker.unpack(kind(data + bytes(512)), 0, 4).seq == 4


def test_nothing_is_copied_of_i420():
    data = np.zeros(SIZE[0] * SIZE[1] * 3 // 2, np.uint8)
    got = Unpacker(PixelFormat.I420, SIZE).unpack(data, 0, 0)
    assert np.shares_memory(got.y, data)
    assert np.shares_memory(got.v, data)
    assert got.buffer is not None


def test_buffers_are_used_again():
    unpacker = Unpacker(PixelFormat.YUYV, SIZE)
    first, second = (unpacker.unpack(encode_frames([random_frame()], PixelFormat.YUYV)[0], 0, n) for n in (0, 1))
    assert first.y is second.y


# rgb, and its limited-range codes by BT.709 (ITU-R BT.709-6, rounded) and BT.601
COLOURS = [
    ((255, 0, 0), (63, 102, 240), (81, 90, 240)),
    ((0, 255, 0), (173, 42, 26), (145, 54, 34)),
    ((0, 0, 255), (32, 240, 118), (41, 240, 110)),
    ((255, 255, 255), (235, 128, 128), (235, 128, 128)),
    ((0, 0, 0), (16, 128, 128), (16, 128, 128)),
]


@pytest.mark.parametrize(("rgb", "bt709", "bt601"), COLOURS)
@pytest.mark.parametrize("pixel_format", RAW)
def test_bt709_becomes_bt601(pixel_format, rgb, bt709, bt601):
    sent = Frame.allocate(*SIZE)
    sent.fill(*bt709)
    [data] = encode_frames([sent], pixel_format)
    got = Unpacker(pixel_format, SIZE, matrix="bt709").unpack(data, 2.0, 9)
    for plane, expected in zip(got.planes, bt601, strict=True):
        assert np.abs(plane.astype(int) - expected).max() <= 2
    assert (got.timestamp, got.seq) == (2.0, 9)


def test_a_source_of_bt709_in_full_range_stays_full_range():
    # red in full range is Y 54, Cb 99, Cr 255 by BT.709 and Y 76, Cb 85, Cr 255 by BT.601
    sent = Frame.allocate(*SIZE)
    sent.fill(54, 99, 255)
    got = Unpacker(PixelFormat.I420, SIZE, full_range=True, matrix="bt709").unpack(sent.buffer, 0, 0)
    assert got.full_range
    for plane, expected in zip(got.planes, (76, 85, 255), strict=True):
        assert np.abs(plane.astype(int) - expected).max() <= 2


# with the decoder that is there, and with the one that is everywhere
@pytest.mark.parametrize(
    ("pixel_format", "decoder"), [*((each, "") for each in ENCODED), (PixelFormat.MJPEG, "simplejpeg")]
)
@pytest.mark.parametrize("bgr", [(0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255), (30, 140, 200)])
def test_known_colours_come_out_as_opencv_sees_them(pixel_format, decoder, bgr, monkeypatch):
    monkeypatch.setenv("VCAM_JPEG", decoder)
    picture = np.full((32, 64, 3), bgr, np.uint8)
    expected = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    y, u, v = int(expected[0, 0]), int(expected[32, 0]), int(expected[40, 0])
    got = Unpacker(pixel_format, (64, 32)).unpack(encode_frames([picture], pixel_format)[0], 0, 0)
    # of floats: bytes would stay bytes, and wrap round
    scale = (219 / 255, 16.0, 224 / 255) if got.full_range else (1.0, 0.0, 1.0)
    assert np.abs(got.y * scale[0] + scale[1] - y).max() <= 2
    assert np.abs((got.u - 128.0) * scale[2] + 128 - u).max() <= 2
    assert np.abs((got.v - 128.0) * scale[2] + 128 - v).max() <= 2


def test_impossible_sizes_and_strides_are_refused():
    with pytest.raises(UsageError, match="even"):
        Unpacker(PixelFormat.NV12, (33, 18))
    with pytest.raises(ValueError, match="stride of 40"):
        Unpacker(PixelFormat.YUYV, SIZE, stride=40)
