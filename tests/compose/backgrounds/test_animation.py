"""Animated pictures: frames put together as browsers do, each for its time, and limits on what they may cost."""

from __future__ import annotations

import io
import logging
import struct
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from tests.compose.backgrounds.helpers import GREYS, SIZE, animate, luma, parse, plate
from vcam.compose.backgrounds import animation
from vcam.compose.backgrounds.animation import AnimationReader, look_at_animation
from vcam.compose.backgrounds.moving import VideoBackground
from vcam.compose.backgrounds.static import ImageBackground
from vcam.errors import InputError
from vcam.images import frame_to_bgr

MOVING = [name for name in ("gif", "png", "webp", "avif") if name in ("gif", "png") or features.check(name)]


def lossless(suffix: str) -> dict[str, object]:
    return {"webp": {"lossless": True}, "avif": {"quality": 95}}.get(suffix, {})


def played(path: Path, count: int, rate: int = 10, size=SIZE) -> list[np.ndarray]:
    """The frames that are played, `rate` a second, as BGR."""
    reader = AnimationReader(path, size, Fraction(rate), "stretch")
    try:
        return [frame_to_bgr(reader.read()) for _ in range(count)]
    finally:
        reader.close()


def greys(frames: list[np.ndarray]) -> list[int]:
    """Which of `GREYS` each frame has."""
    return [min(range(4), key=lambda index: abs(int(frame[5, 5, 1]) - GREYS[index])) for frame in frames]


@pytest.mark.parametrize("suffix", MOVING)
def test_each_frame_is_shown_for_its_time_round_after_round(suffix: str, tmp_path: Path) -> None:
    path = animate(tmp_path / f"a.{suffix}", duration=[100, 200, 100, 300], **lossless(suffix))
    assert greys(played(path, 21)) == [0, 1, 1, 2, 3, 3, 3] * 3


@pytest.mark.parametrize("delay", [0, 10])
@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_no_delay_is_the_tenth_of_a_second_of_browsers(suffix: str, delay: int, tmp_path: Path) -> None:
    path = animate(tmp_path / f"a.{suffix}", duration=[delay] * 4, **lossless(suffix))
    found = look_at_animation(path)
    assert found is not None
    assert found.rate == 10
    assert greys(played(path, 8)) == [0, 1, 2, 3] * 2


def gif(size: tuple[int, int], frames: list[tuple[int, tuple[int, int, int, int], int]], delay: int = 10) -> bytes:
    """A GIF written by hand. frames: disposal, box (left, top, width, height) and colour; colour 3 is transparent."""
    palette = bytes((255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9))
    data = b"GIF89a" + struct.pack("<HHBBB", *size, 0x91, 0, 0) + palette
    for disposal, box, colour in frames:
        data += b"\x21\xf9\x04" + struct.pack("<BHBB", disposal << 2 | 1, delay, 3, 0)
        data += b"\x2c" + struct.pack("<HHHHB", *box, 0)
        # codes of three bits: clear before each pixel, so that they never grow
        bits = "".join(f"{code:03b}"[::-1] for _ in range(box[2] * box[3]) for code in (4, colour)) + "101"
        codes = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
        data += b"\x02" + b"".join(
            bytes((len(codes[at : at + 255]),)) + codes[at : at + 255] for at in range(0, len(codes), 255)
        )
        data += b"\0"
    return data + b";"


RED, GREEN, BLUE, CLEAR = (0, 0, 255), (0, 255, 0), (255, 0, 0), (128, 128, 128)
"""In BGR; what is transparent lies over mid grey."""


@pytest.mark.parametrize(
    ("disposal", "left", "right"),
    [
        # the second frame covers the right half, the third is clear: what is left is what the second leaves behind
        (1, RED, BLUE),
        (2, RED, CLEAR),
        (3, RED, RED),
    ],
)
def test_a_frame_leaves_behind_what_it_says(disposal: int, left, right, tmp_path: Path) -> None:
    whole, half, corner = (0, 0, 32, 24), (16, 0, 16, 24), (0, 0, 1, 1)
    path = tmp_path / "a.gif"
    path.write_bytes(gif((32, 24), [(1, whole, 0), (disposal, half, 2), (1, corner, 3)]))
    first, second, third = played(path, 3, size=(32, 24))
    for frame, wanted in ((first, (RED, RED)), (second, (RED, BLUE)), (third, (left, right))):
        for x, colour in zip((8, 24), wanted, strict=True):
            assert np.abs(frame[12, x].astype(int) - colour).max() <= 4
    # and the same in the next round
    again = played(path, 6, size=(32, 24))[5]
    assert np.abs(again.astype(int) - third).max() <= 1


def test_what_is_transparent_is_as_in_a_still_picture(tmp_path: Path) -> None:
    for suffix in MOVING:
        clear, red = Image.new("RGBA", (32, 24)), Image.new("RGBA", (32, 24), (255, 0, 0, 255))
        path = tmp_path / f"a.{suffix}"
        options = lossless(suffix) | ({"disposal": 2} if suffix in ("gif",) else {})
        clear.save(path, save_all=True, append_images=[red], duration=100, loop=0, **options)
        first, second = played(path, 2, size=(32, 24))
        assert np.abs(first.astype(int) - 128).max() <= 4, suffix
        assert np.abs(second[12, 16].astype(int) - RED).max() <= 6, suffix


def test_the_still_picture_in_an_animated_png_is_not_one_of_its_frames(tmp_path: Path) -> None:
    still, *frames = (Image.new("RGB", (32, 24), (grey,) * 3) for grey in (255, *GREYS[:2]))
    path = tmp_path / "a.png"
    still.save(path, save_all=True, append_images=frames, default_image=True, duration=100, loop=0)
    assert greys(played(path, 4)) == [0, 1, 0, 1]


def test_an_animation_is_converted_to_srgb_as_a_picture_is(tmp_path: Path) -> None:
    from tests.images.test_profiles import SPACES, profile, right

    colours = [(200, 60, 60), (60, 200, 60)]
    frames = [Image.new("RGB", (32, 24), colour) for colour in colours]
    space = SPACES["Adobe RGB"]
    frames[0].save(
        tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=100, icc_profile=profile(space, 2.2)
    )
    for frame, colour in zip(played(tmp_path / "a.png", 2), colours, strict=True):
        assert np.abs(frame[5, 5, ::-1] - right(np.array(colour), space, 563 / 256)).max() <= 4


@pytest.mark.parametrize("suffix", MOVING)
def test_one_that_is_cut_is_played_up_to_there(suffix: str, tmp_path: Path, caplog) -> None:
    noise = np.random.default_rng(1).integers(0, 80, (4, 24, 32, 3), np.uint8)
    frames = [Image.fromarray(np.uint8(grey) + part // 8) for grey, part in zip(GREYS, noise, strict=True)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0, **lossless(suffix))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 5 // 8])
    try:
        with caplog.at_level(logging.WARNING):
            seen = greys(played(path, 12))
    except InputError:
        # these decoders want all of the file
        assert suffix in ("webp", "avif")
        return
    assert seen[0] == 0
    assert len(set(seen)) >= 2
    assert len([record for record in caplog.records if "is played up to" in record.getMessage()]) <= 1


def test_one_whose_first_frame_is_damaged_is_an_input_error(tmp_path: Path) -> None:
    path = animate(tmp_path / "a.gif", duration=100)
    data = bytearray(path.read_bytes())
    path.write_bytes(bytes(data[: data.index(b"\x2c\0\0") + 12]))
    with pytest.raises(InputError, match=r"a\.gif"):
        plate(parse(path))


def big(path: Path, side: int, count: int) -> None:
    """A GIF of frames of one colour; a small file."""
    buffer = io.BytesIO()
    frames = [Image.new("P", (side, side), index) for index in range(count)]
    for frame in frames:
        frame.putpalette([40, 40, 40, 90, 90, 90, 140, 140, 140, 190, 190, 190])
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    path.write_bytes(buffer.getvalue())


def test_one_too_large_to_move_is_shown_still_and_quickly(tmp_path: Path, caplog) -> None:
    big(tmp_path / "bomb.gif", 3200, 3)
    began = time.process_time()
    background = parse(tmp_path / "bomb.gif")
    background.prepare(SIZE)
    assert isinstance(background, ImageBackground)
    assert abs(int(background.without_person(0.0).frame.y[20, 20]) - luma(40)) <= 1
    assert time.process_time() - began < 5
    assert "too large to move" in caplog.text


def test_the_first_frame_of_a_large_one_waits_for_few_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    big(tmp_path / "large.gif", 2000, 4)
    looked = []
    delay = animation._delay
    monkeypatch.setattr(animation, "_delay", lambda image: looked.append(image.tell()) or delay(image))
    assert look_at_animation(tmp_path / "large.gif") is not None
    assert looked == [0, 1, 2]


def test_thousands_of_frames_are_not_looked_through_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    delay = animation._delay
    monkeypatch.setattr(animation, "_delay", lambda image: looked.append(image.tell()) or delay(image))
    path = tmp_path / "long.gif"
    path.write_bytes(gif((16, 16), [(1, (0, 0, 1, 1), index % 3) for index in range(20000)]))
    background = VideoBackground(path)
    background.prepare(SIZE)
    background.close()
    assert 0 < len(looked) < 2000


def test_frames_of_a_round_are_decoded_once_and_a_long_round_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = animate(tmp_path / "a.gif", duration=100)
    decoded = []
    whole = animation.flattened
    monkeypatch.setattr(animation, "flattened", lambda *words: decoded.append(1) or whole(*words))
    assert greys(played(path, 12)) == [0, 1, 2, 3] * 3
    assert len(decoded) == 4
    monkeypatch.setattr(animation, "_KEPT_BYTES", 3 * SIZE[0] * SIZE[1] * 3 // 2)
    decoded.clear()
    reader = AnimationReader(path, SIZE, Fraction(10), "stretch")
    for _ in range(12):
        reader.read()
    assert len(decoded) == 12
    assert reader._round == []
    reader.close()
