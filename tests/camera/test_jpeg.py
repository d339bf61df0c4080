from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image

from vcam.camera import jpeg
from vcam.camera.jpeg import SimpleJpegDecoder, open_decoder
from vcam.camera.jpeghead import CUT, DAMAGED, NO_JPEG
from vcam.errors import UsageError

WIDTH, HEIGHT = 168, 120


@pytest.fixture
def library():
    if jpeg._load_library() is None:
        pytest.skip("libturbojpeg is not installed")


@pytest.fixture(params=["turbojpeg", "simplejpeg"])
def decoder_of(request, monkeypatch):
    if request.param == "turbojpeg":
        request.getfixturevalue("library")
    monkeypatch.setenv("VCAM_JPEG", request.param)
    return open_decoder


def smooth_picture(width=WIDTH, height=HEIGHT, seed=1):
    shape = (5, 7, 3) if width > 100 else (2, 2, 3)
    coarse = np.random.default_rng(seed).integers(20, 236, shape, np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def encode(picture, subsampling="422"):
    if subsampling == "Gray":
        grey = np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None])
        return simplejpeg.encode_jpeg(grey, 90, "GRAY", "Gray")
    return simplejpeg.encode_jpeg(picture, 90, "BGR", subsampling)


def limited(frame):
    """The planes of a frame as float codes of limited range."""
    if not frame.full_range:
        return [plane.astype(float) for plane in frame.planes]
    y, u, v = (plane.astype(float) for plane in frame.planes)
    return [y * 219 / 255 + 16, (u - 128) * 224 / 255 + 128, (v - 128) * 224 / 255 + 128]


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (1920, 1080), (26, 18)])
@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "Gray"])
def test_planes_are_those_of_the_picture(decoder_of, subsampling, size):
    picture = smooth_picture(*size)
    frame = decoder_of(size).decode(encode(picture, subsampling))
    assert frame.size == size
    packed = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma, chroma = size[0] * size[1], size[0] * size[1] // 4
    y, u, v = limited(frame)
    assert np.abs(y.reshape(-1) - packed[:luma]).mean() < 1.5
    if subsampling == "Gray":
        assert np.abs(u - 128).max() < 1
        assert np.abs(v - 128).max() < 1
        return
    # where a picture changes quickly, ways to halve the chroma differ
    near = 4.0 if size[0] < 100 else 1.5
    assert np.abs(u.reshape(-1) - packed[luma : luma + chroma]).mean() < near
    assert np.abs(v.reshape(-1) - packed[luma + chroma :]).mean() < near


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("subsampling", ["422", "444"])
def test_two_lines_share_the_mean_of_their_chroma(monkeypatch, subsampling):
    monkeypatch.setenv("VCAM_JPEG", "turbojpeg")
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[0::2], picture[1::2] = (180, 100, 60), (60, 100, 180)
    frame = open_decoder((WIDTH, HEIGHT)).decode(simplejpeg.encode_jpeg(picture, 100, "BGR", subsampling))
    for plane in limited(frame)[1:]:
        assert np.abs(plane - 130).max() < 9


def test_a_subsampling_may_change_from_frame_to_frame(decoder_of):
    decoder, picture = decoder_of((WIDTH, HEIGHT)), smooth_picture()
    wanted = {kind: limited(decoder.decode(encode(picture, kind))) for kind in ("420", "422", "Gray")}
    for kind in ("Gray", "422", "Gray", "420", "422"):
        for plane, before in zip(limited(decoder.decode(encode(picture, kind))), wanted[kind], strict=True):
            assert np.array_equal(plane, before)


def test_quarter_width_chroma_is_decoded(decoder_of):
    frame = decoder_of((WIDTH, HEIGHT)).decode(encode(smooth_picture(), "411"))
    u = cv2.cvtColor(smooth_picture(), cv2.COLOR_BGR2YUV_I420).reshape(-1)[WIDTH * HEIGHT : WIDTH * HEIGHT * 5 // 4]
    assert np.abs(limited(frame)[1].reshape(-1) - u).mean() < 2.5


def damaged_frames():
    noisy = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    good = encode(noisy)
    middle = len(good) // 2
    return {
        "empty": b"",
        "cut in half": good[:middle],
        "cut in half, end marker left": good[:middle] + b"\xff\xd9",
        "end missing": good[:-40],
        "cut in half, then zeros": good[:middle] + bytes(9000),
        "cut in half, then zeros and an end marker": good[:middle] + bytes(9000) + b"\xff\xd9",
        "header only": good[:40],
        "zeros": bytes(5000),
        "a start and then nothing": b"\xff\xd8" + bytes(5000) + b"\xff\xd9",
        "another size": encode(smooth_picture(2 * WIDTH, HEIGHT)),
        "a marker within the samples": good[:middle] + b"\xff\xd4\xff\xc0" + good[middle + 4 :],
    }


FAULTS = {
    "zeros": NO_JPEG.words,
    "a start and then nothing": CUT.words,
    "cut in half, then zeros and an end marker": DAMAGED.words,
    "another size": "sends pictures of 336x120 instead of the 168x120 it agreed to",
    "a marker within the samples": DAMAGED.words,
}  # fmt: skip


@pytest.mark.parametrize("what", damaged_frames())
def test_damaged_frames_are_dropped_and_the_next_is_fine(decoder_of, what):
    decoder, good = decoder_of((WIDTH, HEIGHT)), encode(smooth_picture())
    expected = decoder.decode(good).y.copy()
    assert decoder.decode(damaged_frames()[what]) is None
    assert decoder.fault.words == FAULTS.get(what, "sends pictures that are cut short")
    assert np.array_equal(decoder.decode(good).y, expected)


def test_random_damage_neither_raises_nor_harms_the_next_frame(decoder_of):
    decoder, good = decoder_of((WIDTH, HEIGHT)), encode(smooth_picture())
    expected = decoder.decode(good).y.copy()
    random = np.random.default_rng(9)
    for _ in range(300):
        data = np.frombuffer(good, np.uint8).copy()
        # mostly in the tables, where it does the most harm
        data[random.integers(2, random.choice([700, data.size]), 4)] = random.integers(0, 256, 4)
        frame = decoder.decode(data)
        assert frame is None or frame.size == (WIDTH, HEIGHT)
        assert np.array_equal(decoder.decode(good).y, expected)


def test_the_quirks_of_webcams_are_no_damage(decoder_of):
    decoder, good = decoder_of((WIDTH, HEIGHT)), encode(smooth_picture())
    expected = decoder.decode(good).y.copy()
    quirks = {
        "padded": good + bytes(700),
        "padded with more": good + bytes(50_000),
        "followed by anything": good + np.random.default_rng(2).bytes(50_000).replace(b"\xff", b"\xfe"),
        "a marker on the border of what is searched first": good + bytes(4095),
        "stray bytes": good[:-2] + b"\x12" * 10 + good[-2:],
        "zeros in front": bytes(7) + good,
        "many zeros in front": bytes(4000) + good,
        "no end marker": good[:-2],
        "half an end marker": good[:-1],
        "a field's marker of old grabbers": good[:2] + b"\xff\xe0\x00\x10AVI1" + bytes(10) + good[2:],
        "fill bytes": good[:2] + b"\xff" * 9 + good[2:],
        "a comment": good[:2] + b"\xff\xfe\x40\x00" + bytes(0x3FFE) + good[2:],
        "a preview in front of its samples": good[:2]
        + b"\xff\xe1"
        + (len(good) + 2).to_bytes(2, "big")
        + good
        + good[2:],
        "a second picture behind it": good + encode(smooth_picture(seed=7)),
    }
    for name, data in quirks.items():
        frame = decoder.decode(data)
        assert frame is not None, name
        assert np.array_equal(frame.y, expected), name


KINDS = {
    "4:4:4": {"subsampling": 0}, "4:2:2": {"subsampling": 1}, "4:2:0": {"subsampling": 2},
    "4:1:1": {"subsampling": "4:1:1"}, "progressive": {"progressive": True}, "tables of its own": {"optimize": True},
    "red, green and blue": {"keep_rgb": True, "subsampling": 0},
    "restarts": {"restart_marker_rows": 1},
}  # fmt: skip


def coded(picture, mode="RGB", **how):
    """A picture, BGR, as Pillow writes it."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[..., ::-1])).convert(mode).save(file, "JPEG", quality=95, **how)
    return file.getvalue()


def near(frame, picture, most=3.0):
    """Whether a frame shows a picture, BGR of the same size."""
    height, width, _ = picture.shape
    packed = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    planes = np.split(packed, [width * height, width * height * 5 // 4])
    return all(
        np.abs(mine.reshape(-1) - theirs.astype(float)).mean() < most
        for mine, theirs in zip(limited(frame), planes, strict=True)
    )


@pytest.mark.parametrize("what", KINDS)
def test_every_kind_of_colour_and_scan_is_decoded(decoder_of, what):
    picture = smooth_picture()
    assert near(decoder_of((WIDTH, HEIGHT)).decode(coded(picture, **KINDS[what])), picture)


def test_inks_are_decoded(decoder_of):
    picture = smooth_picture()
    data = coded(picture, "CMYK")
    assert near(decoder_of((WIDTH, HEIGHT)).decode(data), picture)
    # without Adobe's word the numbers are of ink, not of the light that it leaves
    at = data.index(b"\xff\xee")
    plain = data[:at] + data[at + 16 :]
    assert near(decoder_of((WIDTH, HEIGHT)).decode(plain), np.zeros_like(picture))


def test_a_kind_may_change_from_frame_to_frame(decoder_of):
    decoder, picture = decoder_of((WIDTH, HEIGHT)), smooth_picture()
    for what in [*KINDS, *reversed(KINDS)]:
        assert near(decoder.decode(coded(picture, **KINDS[what])), picture), what


@pytest.mark.parametrize("more", [(0, 8), (8, 0), (16, 24), (1, 1), (0, 1), (31, 31)])
@pytest.mark.parametrize("kind", ["4:2:0", "4:1:1", "red, green and blue"])
def test_what_is_a_little_larger_than_agreed_is_cut(decoder_of, more, kind):
    whole = smooth_picture(WIDTH + more[0], HEIGHT + more[1])
    frame = decoder_of((WIDTH, HEIGHT)).decode(coded(whole, **KINDS[kind]))
    assert frame.size == (WIDTH, HEIGHT)
    assert [plane.shape for plane in frame.planes[1:]] == [(HEIGHT // 2, WIDTH // 2)] * 2
    assert near(frame, whole[:HEIGHT, :WIDTH])


@pytest.mark.parametrize("less", [(0, 8), (8, 0), (16, 24), (1, 1), (0, 1), (31, 31), (-8, 8)])
@pytest.mark.parametrize("kind", ["4:2:0", "4:1:1", "red, green and blue"])
def test_what_is_a_little_smaller_goes_on_with_its_last_lines(decoder_of, less, kind):
    part = smooth_picture(WIDTH - less[0], HEIGHT - less[1])
    frame = decoder_of((WIDTH, HEIGHT)).decode(coded(part, **KINDS[kind]))
    right, below = max(less[0], 0), max(less[1], 0)
    assert frame.size == (WIDTH, HEIGHT)
    assert near(frame, cv2.copyMakeBorder(part[:, :WIDTH], 0, below, 0, right, cv2.BORDER_REPLICATE))


def test_one_field_of_two_is_spread_over_the_height(decoder_of):
    picture = smooth_picture()
    first, second = (coded(np.ascontiguousarray(picture[line::2])) for line in (0, 1))
    frame = decoder_of((WIDTH, HEIGHT)).decode(first + second)
    assert frame.size == (WIDTH, HEIGHT)
    assert near(frame, picture)


@pytest.mark.parametrize("what", ["4:2:0", "4:2:2", "restarts", "tables of its own"])
def test_a_picture_that_is_cut_anywhere_is_shown_whole_or_not_at_all(decoder_of, what):
    decoder = decoder_of((WIDTH, HEIGHT))
    noisy = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    for picture in (noisy, smooth_picture()):
        good = coded(picture, **KINDS[what])
        expected = [plane.copy() for plane in decoder.decode(good).planes]
        for cut in [*range(1, 80), *range(80, len(good), 97)]:
            for data in (good[:-cut], good[:-cut] + b"\xff\xd9", good[:-cut] + bytes(6000)):
                frame = decoder.decode(data)
                assert frame is None or all(map(np.array_equal, frame.planes, expected)), (cut, len(data))


def test_standard_tables_are_not_those_of_the_picture_before(decoder_of):
    decoder, good = decoder_of((WIDTH, HEIGHT)), encode(smooth_picture())
    expected = decoder.decode(good).y.copy()
    decoder.decode(coded(smooth_picture(), optimize=True))
    assert np.array_equal(decoder.decode(without_huffman_tables(good)).y, expected)


def without_huffman_tables(data: bytes) -> bytes:
    kept, at = bytearray(data[:2]), 2
    while data[at + 1] != 0xDA:
        length = int.from_bytes(data[at + 2 : at + 4], "big") + 2
        if data[at + 1] != 0xC4:
            kept += data[at : at + length]
        at += length
    return bytes(kept + data[at:])


def test_frames_without_huffman_tables_decode(decoder_of):
    decoder, good = decoder_of((WIDTH, HEIGHT)), encode(smooth_picture())
    expected = decoder.decode(good).y.copy()
    bare = without_huffman_tables(good)
    assert len(bare) < len(good) - 400
    assert np.array_equal(decoder_of((WIDTH, HEIGHT)).decode(bare).y, expected)


@pytest.mark.usefixtures("library")
def test_both_decoders_agree(monkeypatch):
    frames = []
    for name in ("turbojpeg", "simplejpeg"):
        monkeypatch.setenv("VCAM_JPEG", name)
        frames.append(limited(open_decoder((WIDTH, HEIGHT)).decode(encode(smooth_picture()))))
    for one, other in zip(*frames, strict=True):
        assert np.abs(one - other).max() <= 6
        assert np.abs(one - other).mean() < 1


def test_an_unknown_decoder_is_refused(monkeypatch):
    monkeypatch.setenv("VCAM_JPEG", "fast")
    with pytest.raises(UsageError, match="fast"):
        open_decoder((WIDTH, HEIGHT))


def test_without_the_library_the_wheel_decodes(monkeypatch):
    monkeypatch.setattr(jpeg, "_load_library", lambda: None)
    decoder = open_decoder((WIDTH, HEIGHT))
    assert isinstance(decoder, SimpleJpegDecoder)
    assert decoder.decode(encode(smooth_picture())).size == (WIDTH, HEIGHT)
