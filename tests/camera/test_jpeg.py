from __future__ import annotations

import cv2
import numpy as np
import pytest
import simplejpeg

from vcam.camera import jpeg
from vcam.camera.jpeg import SimpleJpegDecoder, open_decoder
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
        "end marker missing": good[:-2],
        "header only": good[:40],
        "zeros": bytes(5000),
        "a start and then nothing": b"\xff\xd8" + bytes(5000) + b"\xff\xd9",
        "another size": encode(smooth_picture(WIDTH, HEIGHT + 8)),
        "a marker within the samples": good[:middle] + b"\xff\xd4\xff\xc0" + good[middle + 4 :],
    }


@pytest.mark.parametrize("what", damaged_frames())
def test_damaged_frames_are_dropped_and_the_next_is_fine(decoder_of, what):
    decoder, good = decoder_of((WIDTH, HEIGHT)), encode(smooth_picture())
    expected = decoder.decode(good).y.copy()
    assert decoder.decode(damaged_frames()[what]) is None
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
    quirks = {"padded": good + bytes(700), "stray bytes": good[:-2] + b"\x12" * 10 + good[-2:]}
    for name, data in quirks.items():
        frame = decoder.decode(data)
        assert frame is not None, name
        assert np.array_equal(frame.y, expected), name


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
