"""Every layout of samples, packed here byte by byte as <linux/videodev2.h> describes it, against known colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.camera.layouts import GREY, RGB, believable_stride, line_bytes, picture_bytes
from vcam.camera.modes import KNOWN, Mode, choose_mode
from vcam.camera.unpack import Unpacker
from vcam.frames import Frame, PixelFormat

SIZE = (34, 18)
PATCHES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 140, 30)]
"""Red, green and blue."""

PLANAR = {"YU12": "uv", "YV12": "vu"}
SEMI_PLANAR = {"NV12": "uv", "NV21": "vu", "NV16": "uv", "NV61": "vu"}
PACKED = {"YUYV": "yuyv", "YVYU": "yvyu", "UYVY": "uyvy", "VYUY": "vyuy"}
COLOURS = {
    "BGR3": "bgr", "RGB3": "rgb", "BGR4": "bgr-", "RGB4": "-rgb", "XR24": "bgr-", "AR24": "bgr-", "BX24": "-rgb",
    "BA24": "-rgb", "XB24": "rgb-", "AB24": "rgb-", "RX24": "-bgr", "RA24": "-bgr",
}  # fmt: skip
BITS = {"GREY": 8, "Y10": 10, "Y12": 12, "Y14": 14, "Y16": 16}
CODES = [*PLANAR, "422P", *SEMI_PLANAR, "M420", *PACKED, *BITS, *COLOURS, "RGBP"]


def samples(rgb, size=SIZE, full_range=False):
    """Y, Cb and Cr by BT.601, float (height, width), as the formulas of ITU-R BT.601 and T.871 have it."""
    red, green, blue = (np.asarray(channel, float) / 255 for channel in np.moveaxis(np.asarray(rgb), -1, 0))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    zero, spans = (0, (255, 255)) if full_range else (16, (219, 224))
    return zero + spans[0] * luma, 128 + spans[1] * (blue - luma) / 1.772, 128 + spans[1] * (red - luma) / 1.402


def lines(plane, stride):
    """The lines of a plane, with something in the padding that must not be seen."""
    plane = np.ascontiguousarray(plane)
    data = plane.view(np.uint8).reshape(plane.shape[0], -1)
    return np.pad(data, ((0, 0), (0, stride - data.shape[1])), constant_values=222).tobytes()


def pack(code, picture, padding=0, full_range=False):
    """A picture, uint8 (height, width, 3) RGB, in one of the layouts, and its stride."""
    height, width, _ = picture.shape
    stride = line_bytes(KNOWN[code], width) + padding
    y, u, v = (np.rint(plane).clip(0, 255).astype(np.uint8) for plane in samples(picture, full_range=full_range))
    channels = {"y": y, "u": u[:, ::2], "v": v[:, ::2]}
    if code in PLANAR:
        chroma = b"".join(lines(channels[name][::2], stride // 2) for name in PLANAR[code])
        return lines(y, stride) + chroma, stride
    if code == "422P":
        return lines(y, stride) + lines(channels["u"], stride // 2) + lines(channels["v"], stride // 2), stride
    if code in SEMI_PLANAR or code == "M420":
        step = 1 if code in ("NV16", "NV61") else 2
        chroma = np.stack([channels[name][::step] for name in SEMI_PLANAR.get(code, "uv")], -1).reshape(-1, width)
        if code == "M420":
            return lines(
                np.concatenate([y.reshape(-1, 2, width), chroma[:, None]], 1).reshape(-1, width), stride
            ), stride
        return lines(y, stride) + lines(chroma, stride), stride
    if code in PACKED:
        order = iter({"y": [y[:, ::2], y[:, 1::2]], "u": [u[:, ::2]], "v": [v[:, ::2]]}[name] for name in PACKED[code])
        taken = {"y": 0, "u": 0, "v": 0}
        places = []
        for name, planes in zip(PACKED[code], order, strict=True):
            places.append(planes[taken[name]])
            taken[name] += 1
        return lines(np.stack(places, -1).reshape(height, -1), stride), stride
    if code in BITS:
        exact = samples(picture, full_range=True)[0] / 255 * ((1 << BITS[code]) - 1)
        return lines(np.rint(exact).astype(np.uint8 if code == "GREY" else "<u2"), stride), stride
    if code == "RGBP":
        red, green, blue = (picture[..., n].astype(int) for n in range(3))
        return lines((red * 31 // 255 << 11 | green * 63 // 255 << 5 | blue * 31 // 255).astype("<u2"), stride), stride
    letters = {"r": picture[..., 0], "g": picture[..., 1], "b": picture[..., 2], "-": np.full((height, width), 77)}
    return lines(np.stack([letters[name] for name in COLOURS[code]], -1).astype(np.uint8), stride), stride


def limited(frame: Frame) -> list[np.ndarray]:
    y, u, v = (plane.astype(float) for plane in frame.planes)
    return [y, u, v] if not frame.full_range else [16 + y * 219 / 255, *((c - 128) * 224 / 255 + 128 for c in (u, v))]


def patches(rgb, other=(90, 90, 90)):
    """One colour on the left of an upper half, grey elsewhere: a plane that is turned round is seen."""
    picture = np.full((SIZE[1], SIZE[0], 3), other, np.uint8)
    picture[: SIZE[1] // 2 // 2 * 2, : SIZE[0] // 2 // 2 * 2] = rgb
    return picture


def expected(code, picture):
    y, u, v = samples(picture)
    if KNOWN[code] in GREY:
        return y, np.full_like(u, 128)[::2, ::2], np.full_like(v, 128)[::2, ::2]
    return y, u[::2, ::2], v[::2, ::2]


def test_every_layout_that_vcam_reads_is_tried_here():
    assert set(CODES) == {each.value for each in PixelFormat} - {"MJPG"}


@pytest.mark.parametrize("rgb", PATCHES)
@pytest.mark.parametrize("code", CODES)
def test_known_colours_come_out_within_two_levels(code, rgb):
    picture = patches(rgb)
    data, stride = pack(code, picture)
    assert len(data) == picture_bytes(KNOWN[code], stride, SIZE[1])
    frame = Unpacker(KNOWN[code], SIZE).unpack(data, 1.0, 3)
    # five bits of red and blue are known to four of 255 only
    near = 5 if code == "RGBP" else 2
    for plane, wanted in zip(limited(frame), expected(code, picture), strict=True):
        assert np.abs(plane - wanted).max() <= near
    assert (frame.timestamp, frame.seq) == (1.0, 3)


@pytest.mark.parametrize("padding", [2, 14, 32, 30])
@pytest.mark.parametrize("code", CODES)
def test_the_padding_of_lines_is_never_seen(code, padding):
    picture = np.random.default_rng(3).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    data, stride = pack(code, picture, padding)
    padded = Unpacker(KNOWN[code], SIZE, stride=stride).unpack(data, 0, 0)
    dense = Unpacker(KNOWN[code], SIZE).unpack(pack(code, picture)[0], 0, 0)
    for mine, theirs in zip(padded.planes, dense.planes, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("code", [code for code in CODES if code not in PLANAR and code != "422P"])
def test_an_odd_stride_is_no_trouble(code):
    picture = patches((200, 140, 30))
    data, stride = pack(code, picture, 5 if KNOWN[code] not in RGB else 7)
    odd = Unpacker(KNOWN[code], SIZE, stride=stride).unpack(data, 0, 0)
    dense = Unpacker(KNOWN[code], SIZE).unpack(pack(code, picture)[0], 0, 0)
    for mine, theirs in zip(odd.planes, dense.planes, strict=True):
        assert np.array_equal(mine, theirs)


@pytest.mark.parametrize("code", CODES)
def test_too_short_a_buffer_gives_none_and_what_follows_the_picture_is_ignored(code):
    data, _ = pack(code, patches((0, 255, 0)))
    unpacker = Unpacker(KNOWN[code], SIZE)
    assert unpacker.unpack(data[:-1], 0, 0) is None
    assert unpacker.unpack(data + bytes(99), 0, 5).seq == 5


@pytest.mark.parametrize("code", [code for code in CODES if KNOWN[code] in GREY | RGB])
def test_the_limited_range_is_taken_at_its_word(code):
    """Samples that span 16 to 235 come out as the luma that they are."""
    picture = (16 + patches((200, 140, 30)).astype(float) * 219 / 255).round().astype(np.uint8)
    frame = Unpacker(KNOWN[code], SIZE, full_range=False).unpack(pack(code, picture)[0], 0, 0)
    assert not frame.full_range
    wanted = expected(code, (picture - 16.0) * 255 / 219)
    for plane, exact in zip(frame.planes, wanted, strict=True):
        assert np.abs(plane.astype(float) - exact).max() <= (6 if code == "RGBP" else 3)


@pytest.mark.parametrize("code", [code for code in CODES if KNOWN[code] not in GREY | RGB])
def test_the_full_range_is_said_of_the_frame(code):
    picture = patches((200, 140, 30))
    frame = Unpacker(KNOWN[code], SIZE, full_range=True).unpack(pack(code, picture, full_range=True)[0], 0, 0)
    assert frame.full_range
    for plane, wanted in zip(limited(frame), expected(code, picture), strict=True):
        assert np.abs(plane - wanted).max() <= 2


@pytest.mark.parametrize("code", CODES)
def test_another_matrix_matters_to_luma_and_chroma_alone(code):
    """A source of BT.709 is converted; grey has no colours, and red, green and blue no matrix."""
    data, _ = pack(code, patches((200, 140, 30)))
    plain, other = (
        [plane.copy() for plane in Unpacker(KNOWN[code], SIZE, matrix=matrix).unpack(data, 0, 0).planes]
        for matrix in ("bt601", "bt709")
    )
    same = all(np.array_equal(mine, theirs) for mine, theirs in zip(plain, other, strict=True))
    assert same == (KNOWN[code] in GREY | RGB)


def test_samples_beyond_the_bits_that_are_said_to_be_used_are_white():
    data = np.full(SIZE[::-1], 0xFFFF, "<u2").tobytes()
    assert (Unpacker(PixelFormat.Y10, SIZE).unpack(data, 0, 0).y == 255).all()


@pytest.mark.parametrize("code", [code for code in COLOURS if code[0] in "BR"])
def test_colours_are_those_of_opencv(code):
    picture = np.random.default_rng(5).integers(0, 256, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
    frame = Unpacker(KNOWN[code], SIZE).unpack(pack(code, picture)[0], 0, 0)
    assert np.array_equal(frame.buffer, cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).reshape(-1))


@pytest.mark.parametrize(
    ("code", "stride", "length", "believed"),
    [
        ("YUYV", 1280, 1280 * 480, 1280),
        ("YUYV", 1344, 0, 1344),
        ("YUYV", 640, 640 * 480 * 2, None),  # the width instead
        ("NV12", 960, 640 * 480 * 3 // 2, None),  # the bits of all planes together
        ("YU12", 960, 640 * 480 * 3 // 2, None),
        ("YU12", 641, 0, None),
        ("BGR3", 0, 0, None),
        ("BGR3", 1920, 1920 * 480, 1920),
        ("GREY", 641, 641 * 480, 641),
        # too small a buffer by all accounts: nothing is known
        ("YUYV", 1344, 100, 1344),
    ],
)
def test_a_stride_that_cannot_be_meant_is_not_believed(code, stride, length, believed):
    assert believable_stride(KNOWN[code], (640, 480), stride, length) == believed


def test_grey_is_the_last_choice_whatever_it_offers():
    offered = [Mode(PixelFormat.GREY, (1280, 720), 60), Mode(PixelFormat.MJPEG, (320, 240), 5)]
    assert choose_mode(offered, (1280, 720), 30) == offered[1]
    assert choose_mode(offered[:1], (1280, 720), 30) == offered[0]


def test_what_is_cheaper_to_unpack_is_taken_first():
    modes = [Mode(each, (1280, 720), 30) for each in PixelFormat]
    order = []
    while modes:
        order.append(choose_mode(modes, (1280, 720), 30).format)
        modes.remove(Mode(order[-1], (1280, 720), 30))
    assert order[0] is PixelFormat.NV12
    places = [order.index(PixelFormat(code)) for code in ("NV12", "YU12", "YUYV", "BGR3", "MJPG", "GREY")]
    assert places == sorted(places)
