"""PODs, against bytes written by hand after <spa/pod/pod.h>."""

from __future__ import annotations

import struct

import pytest

from vcam.frames import PixelFormat
from vcam.pipewire import formats, pod

FORMAT = bytes.fromhex(
    "38000000 0f000000 03000400 04000000"  # 56 bytes, an object, a format, agreed on
    "01000000 00000000 04000000 03000000 02000000 00000000"  # media type: id 2
    "03000200 00000000 08000000 0a000000 00050000 d0020000"  # size: rectangle 1280x720
)


def test_an_object_has_the_bytes_of_the_header_files() -> None:
    made = pod.make_object(
        pod.Type.FORMAT, pod.Param.FORMAT, {pod.Key.MEDIA_TYPE: pod.Id(2), pod.Key.SIZE: pod.Rectangle(1280, 720)}
    )
    assert made == FORMAT
    assert pod.read_object(FORMAT) == {pod.Key.MEDIA_TYPE: pod.Id(2), pod.Key.SIZE: pod.Rectangle(1280, 720)}


def test_a_choice_holds_its_values_side_by_side() -> None:
    choice = pod.Choices(pod.Choice.RANGE, (pod.Fraction(30, 1), pod.Fraction(0, 1), pod.Fraction(60, 1)))
    made = pod.make_object(pod.Type.FORMAT, pod.Param.ENUM_FORMAT, {pod.Key.FRAMERATE: choice})
    assert made[24:] == struct.pack("=IIIIII", 40, 19, 1, 0, 8, 11) + struct.pack("=6I", 30, 1, 0, 1, 60, 1)
    assert pod.read_object(made) == {pod.Key.FRAMERATE: choice}
    assert pod.chosen(choice) == pod.Fraction(30, 1)


def test_a_property_of_a_type_that_vcam_does_not_know_is_left_out() -> None:
    string = struct.pack("=IIII", 0x30001, 0, 3, 8) + b"abc\0\0\0\0\0"
    body = FORMAT[8:] + string
    assert pod.read_object(struct.pack("=II", len(body), 15) + body) == pod.read_object(FORMAT)


@pytest.mark.parametrize(
    "damaged",
    [b"", FORMAT[:7], FORMAT[:-8], b"\x38\0\0\0\x0e\0\0\0" + FORMAT[8:],
     FORMAT[:24] + b"\xff\xff\0\0" + FORMAT[28:], FORMAT[:4] + b"\x0f\0\0\0" + FORMAT[8:20] + b"\0" * 4],
)  # fmt: skip
def test_what_is_cut_off_or_no_object_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off|no object|longer"):
        pod.read_object(damaged)


def test_a_format_of_a_megabyte_is_not_read() -> None:
    with pytest.raises(ValueError, match="bytes for a format"):
        pod.size_of_object(struct.pack("=II", 1 << 20, 15))


@pytest.mark.parametrize(
    ("fps", "expected"), [(30.0, (30, 1)), (29.97, (2997, 100)), (12.5, (25, 2)), (30000 / 1001, (30000, 1001))]
)
def test_a_rate_becomes_a_fraction(fps: float, expected: tuple[int, int]) -> None:
    assert formats.fraction(fps) == pod.Fraction(*expected)


def test_the_wishes_begin_with_the_size_and_rate_and_end_with_anything() -> None:
    wishes = [pod.read_object(each) for each in formats.wishes((PixelFormat.NV12, PixelFormat.YUYV), (1280, 720), 30)]
    assert wishes[0][pod.Key.SIZE] == pod.Rectangle(1280, 720)
    assert wishes[0][pod.Key.FORMAT] == pod.Choices(pod.Choice.ENUM, (pod.Id(23), pod.Id(23), pod.Id(4)))
    assert wishes[1][pod.Key.MEDIA_SUBTYPE] == pod.Id(pod.SUBTYPE_MJPG)
    last = wishes[-1][pod.Key.SIZE]
    assert isinstance(last, pod.Choices)
    assert last.values[1] == pod.Rectangle(16, 16)
