"""When frames are shown, from what ffmpeg prints of packets, and of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import make
from vcam.camera.file import VideoFile
from vcam.media.ffmpeg import local_url
from vcam.media.reader import VideoReader
from vcam.media.times import FrameTimes, read_times

UNKNOWN = -(1 << 63)


def times(
    tick: str, stamps: Sequence[int | tuple[int, int]], length: int, last: int = 0, flags: str = ""
) -> FrameTimes | None:
    """Of packets with these times, or (time of decoding, time); the last has its own length if that is not 0."""
    lines = ["#software: x", f"#tb 0: {tick}", "#media_type 0: video"]
    for number, stamp in enumerate(stamps):
        decoded, shown = stamp if isinstance(stamp, tuple) else (stamp, stamp)
        lasts = last if last and number == len(stamps) - 1 else length
        lines.append(f"0, {decoded:10}, {shown:10}, {lasts:8}, 99, 0xad0fbd1a{flags}")
    return read_times(lines)


@pytest.mark.parametrize(
    ("tick", "step", "rate"),
    [
        ("1/30000", 1001, Fraction(30000, 1001)),
        ("1/24000", 1001, Fraction(24000, 1001)),
        ("1/12800", 512, Fraction(25)),
        ("1/75", 9, Fraction(25, 3)),
        ("1/15000", 1001, Fraction(15000, 1001)),
        ("1/1", 1, Fraction(1)),
        ("1/240", 1, Fraction(240)),
        ("1001/30000", 1, Fraction(30000, 1001)),
    ],
)
def test_an_even_film_has_its_exact_rate(tick: str, step: int, rate: Fraction) -> None:
    found = times(tick, [step * number for number in range(100)], step)
    assert found is not None
    assert (found.even, found.mean, found.held, found.count) == (rate, rate, None, 100)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(25, 3), Fraction(60)])
def test_milliseconds_do_not_make_a_film_uneven(rate: Fraction) -> None:
    found = times("1/1000", [round(1000 * number / rate) for number in range(5000)], round(1000 / rate))
    assert found is not None
    assert found.even == rate


def test_the_order_of_decoding_does_not_matter() -> None:
    found = times("1/25", [(-2, 0), (-1, 3), (0, 1), (1, 2), (2, 4)], 1)
    assert found is not None
    assert (found.even, found.end) == (25, Fraction(1, 5))


def test_what_is_not_even_is_told() -> None:
    jitter = times("1/1000", [0, 33, 67, 112, 133], 33)
    late = times("1/25", [10, 11, 12, 13], 1)
    gap = times("1/25", [0, 1, 2, 80, 81], 1)
    tail = times("1/25", [0, 1, 2, 3], 1, 100)
    one = times("1/25", [0], 1, 50)
    for found in (jitter, late, gap, tail, one):
        assert found is not None
        assert found.even is None
    assert late is not None
    assert (late.start, late.mean) == (Fraction(2, 5), 25)
    assert tail is not None
    assert (tail.held, tail.end) == (4, Fraction(103, 25))
    assert one is not None
    assert (one.held, one.mean) == (2, 0)


def test_a_length_that_is_none_is_not_believed() -> None:
    found = times("1/1000", [0, 33, 67, 100], 1)
    assert found is not None
    assert (found.last, found.end) == (None, Fraction(1, 10) + Fraction(1, 30))


def test_what_an_edit_list_leaves_out_is_no_frame() -> None:
    assert times("1/25", [0, 1], 1, flags=", F=0x5") is None
    kept = times("1/25", [0, 1], 1, flags=", F=0x1, S=1, 8")
    assert kept is not None
    assert kept.count == 2


def test_where_only_decoding_is_timed_the_start_is_a_guess() -> None:
    found = times("1/25", [(-2, 0), (-1, UNKNOWN), (0, 1), (1, UNKNOWN)], 1)
    assert found is not None
    assert (found.guessed, found.even, found.start) == (True, 25, 0)
    begun = found.begun(0.04)
    assert (begun.start, begun.end) == (Fraction(1, 25), Fraction(1, 5))
    assert times("1/25", [(UNKNOWN, UNKNOWN), (UNKNOWN, 0)], 1) is None
    assert times("1/25", [], 1) is None


@pytest.mark.parametrize(
    ("tick", "scale"),
    [("1/15360", 15360), ("1/1000", 1000), ("1/25", 1000), ("1001/30000", 30000), ("1/1000000", 90000)],
)
def test_a_file_counts_in_ticks_that_hold_the_times(tick: str, scale: int) -> None:
    found = times(tick, [0, 1, 5], 1)
    assert found is not None
    assert found.timescale == scale


RAMP = "color=black:s=64x48:r=30:d=1,format=yuv420p,geq=lum='20+5*N':cb=128:cr=128"


@pytest.mark.process
def test_a_stamped_reader_gives_every_frame_with_its_own_time(tmp_path: Path) -> None:
    uneven = ("-vf", "select='lt(n,10)+not(mod(n,4))'", "-fps_mode", "vfr")
    film = make(tmp_path / "film.mkv", "-f", "lavfi", "-i", RAMP, *uneven, "-c:v", "ffv1")
    with VideoReader(local_url(film), (64, 48), Fraction(30), stamped=True) as reader:
        seen = [(round(30 * frame.timestamp), round(float(np.mean(frame.y)))) for frame in iter(reader.read, None)]
    assert seen == [(n, 20 + 5 * n) for n in range(30) if n < 10 or n % 4 == 0]


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "options", "first"),
    [
        ("xvid.avi", ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"), 0.04),
        ("raw.h264", ("-c:v", "libx264"), 0.0),
    ],
)
def test_a_film_that_tells_no_times_has_those_of_its_decoder(
    name: str, options: tuple[str, ...], first: float, tmp_path: Path
) -> None:
    film = make(tmp_path / name, "-f", "lavfi", "-i", RAMP.replace("r=30", "r=25"), *options)
    camera = VideoFile(film)
    camera.open()
    seen = [frame.timestamp for frame in iter(camera.read, None)]
    camera.close()
    assert camera.times is not None
    assert camera.frames == 25
    assert float(camera.times.start) == pytest.approx(first)
    assert seen == pytest.approx([first + number / 25 for number in range(25)])
