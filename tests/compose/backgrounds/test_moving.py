"""Slide shows, films and animations as backgrounds."""

from __future__ import annotations

import itertools
import logging
import subprocess
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from tests.compose.backgrounds.helpers import GREYS, SIZE, animate, film, luma, parse, plate
from vcam.compose.backgrounds import slides as slides_module
from vcam.compose.backgrounds.animation import AnimationReader, look_at_animation
from vcam.compose.backgrounds.moving import VideoBackground
from vcam.compose.backgrounds.prefetch import AHEAD, Prefetcher
from vcam.compose.backgrounds.slides import SlideShow
from vcam.errors import InputError
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg


def watch(background, times) -> list[int]:
    """The plate's luma at each point of the scripted clock, with time for the decoder to keep up."""
    seen, source = [], background._source
    for now in times:
        deadline = time.monotonic() + 30
        while len(source._ready) < AHEAD and time.monotonic() < deadline:
            time.sleep(0.001)
        seen.append(int(background.without_person(now).frame.y[24, 32]))
    return seen


def slides(folder: Path, *names: str) -> None:
    for name, grey in zip(names, GREYS, strict=False):
        Image.new("L", (40, 30), grey).save(folder / name)


def settle(show: SlideShow) -> None:
    """Wait until the next picture is loaded."""
    assert show._next is not None
    show._next.exception(timeout=30)


def test_a_picture_that_breaks_its_library_does_not_break_the_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    slides(tmp_path, "a.png", "b.png", "c.png")
    load = slides_module.load_picture

    def broken(path: Path, *rest: object) -> Frame:
        if path.name == "b.png":
            raise IndexError("of a table within")
        return load(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(slides_module, "load_picture", broken)
    show = SlideShow(tmp_path, 1.0)
    show.prepare((64, 48))
    seen, now = set(), 0.0
    while len(seen) < 2:
        show.without_person(now)
        seen.add(show._name)
        assert show._next is not None
        show._next.exception(30)
        now += 1.0
        assert now < 20
    show.close()
    assert seen == {"a.png", "c.png"}
    assert "of a table within" in caplog.text


def test_a_slide_show_turns_by_the_clock_in_the_order_of_names(tmp_path: Path) -> None:
    slides(tmp_path, "a.png", "b.jpg", "c.png")
    show = parse(tmp_path, interval=10.0)
    show.prepare(SIZE)
    seen = []
    for now in (100.0, 109.9, 110.1, 119.9, 120.0, 129.0, 130.5, 139.9, 140.0):
        settle(show)
        before = show.without_person(now)
        seen.append(int(before.frame.y[5, 5]))
        assert show.without_person(now).version == before.version
    a, b, c = (luma(grey) for grey in GREYS[:3])
    assert [abs(one - other) <= 1 for one, other in zip(seen, [a, a, b, b, c, c, a, a, b], strict=True)] == [True] * 9
    show.close()
    show.close()


def test_a_slide_show_after_a_long_pause_turns_once_and_goes_on(tmp_path: Path) -> None:
    slides(tmp_path, "a.png", "b.png", "c.png")
    show = SlideShow(tmp_path, 10.0)
    show.prepare(SIZE)
    versions = []
    for now in (0.0, 1000.0, 1000.1, 1009.9, 1010.1):
        settle(show)
        versions.append(show.without_person(now).version)
    assert versions == [0, 1, 1, 1, 2]
    show.close()


def test_unreadable_pictures_are_passed_over_with_one_warning(tmp_path: Path, caplog) -> None:
    slides(tmp_path, "a.png", "c.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    show = SlideShow(tmp_path, 1.0)
    with caplog.at_level(logging.WARNING):
        show.prepare(SIZE)
        seen = set()
        for now in range(6):
            settle(show)
            seen.add(int(show.without_person(float(now)).frame.y[5, 5]))
    assert seen == {luma(GREYS[0]), luma(GREYS[1])}
    assert len([record for record in caplog.records if "b.png" in record.getMessage()]) == 1
    show.close()


def test_a_refused_picture_is_tried_again_once_it_is_another(tmp_path: Path, monkeypatch) -> None:
    slides(tmp_path, "a.png")
    (tmp_path / "b.png").write_bytes(b"half of it")
    tried, load = [], slides_module.load_picture
    monkeypatch.setattr(
        slides_module, "load_picture", lambda path, *words: tried.append(path.name) or load(path, *words)
    )
    show = SlideShow(tmp_path, 1.0)
    show.prepare(SIZE)
    for now in range(4):
        settle(show)
        show.without_person(float(now))
    assert tried.count("b.png") == 1
    Image.new("L", (40, 30), GREYS[1]).save(tmp_path / "b.png")
    seen = set()
    for now in range(4, 8):
        settle(show)
        seen.add(int(show.without_person(float(now)).frame.y[5, 5]))
    assert luma(GREYS[1]) in seen
    show.close()


def test_the_last_picture_stays_when_the_folder_goes_away(tmp_path: Path) -> None:
    slides(tmp_path, "a.png")
    show = SlideShow(tmp_path, 1.0)
    show.prepare(SIZE)
    (tmp_path / "a.png").unlink()
    tmp_path.rmdir()
    for now in range(4):
        settle(show)
        assert show.without_person(float(now)).version == 0
    show.close()


def test_a_folder_without_pictures_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture"):
        SlideShow(tmp_path, 1.0).prepare(SIZE)


@pytest.mark.process
def test_a_film_runs_at_its_own_rate_and_loops(tmp_path: Path) -> None:
    background = VideoBackground(film(tmp_path / "film.mkv", 1.0, 10))
    background.prepare(SIZE)
    # 30 calls a second of a film of 10 frames a second, twice round
    seen = watch(background, [50 + step / 30 for step in range(60)])
    assert [round((value - 30) / 10) for value in seen[1::3]] == [*range(10), *range(10)]
    assert all(len({*seen[start : start + 3]}) == 1 for start in range(0, 60, 3))
    background.close()
    background.close()


@pytest.mark.process
def test_a_fast_film_keeps_its_speed_when_looked_at_seldom(tmp_path: Path) -> None:
    background = VideoBackground(film(tmp_path / "film.mkv", 1.0, 20))
    background.prepare(SIZE)
    seen = watch(background, [step / 4 for step in range(9)])
    # 5 frames a step, a few frames late at most once it has started
    steps = {(later - earlier) // 10 % 20 for earlier, later in itertools.pairwise(seen[2:])}
    assert steps == {5}
    background.close()


@pytest.mark.process
def test_a_film_stands_still_while_nobody_looks(tmp_path: Path) -> None:
    background = VideoBackground(film(tmp_path / "film.mkv", 1.0, 10))
    background.prepare(SIZE)
    before = watch(background, [0.0, 0.1])[-1]
    after = watch(background, [1000.0, 1000.1])[-1]
    assert 0 <= (after - before) // 10 <= 4
    background.close()


@pytest.mark.process
@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_an_animation_keeps_its_delays_and_loops(tmp_path: Path, suffix: str) -> None:
    lossless = {"lossless": True} if suffix == "webp" else {}
    path = animate(tmp_path / f"a.{suffix}", duration=[100, 200, 100, 300], **lossless)
    found = look_at_animation(path)
    assert found is not None
    assert found.rate == 10
    background = parse(path)
    background.prepare(SIZE)
    seen = watch(background, [step / 10 + 0.01 for step in range(14)])
    grey = [min(range(4), key=lambda index: abs(luma(GREYS[index]) - value)) for value in seen]
    assert grey == [0, 1, 1, 2, 3, 3, 3] * 2
    background.close()


@pytest.mark.process
def test_an_animation_with_crooked_delays_is_sampled_no_faster_than_30(tmp_path: Path) -> None:
    path = animate(tmp_path / "a.gif", duration=[70, 110, 130, 50])
    background = VideoBackground(path)
    background.prepare(SIZE)
    assert background._rate == 30
    background.close()


@pytest.mark.process
@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
def test_films_fit_as_pictures_do(tmp_path: Path, fit: str) -> None:
    path = tmp_path / "tall.mkv"
    source = "color=black:s=60x240:r=5:d=1,geq=lum='if(lt(Y,120),200,50)':cb=128:cr=128"
    command = [find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", "-c:v", "ffv1", path]
    subprocess.run(command, check=True)
    background = parse(path, fit=fit)
    frame = plate(background, (160, 96))
    assert abs(int(frame.y[40, 80]) - 200) <= 2
    assert abs(int(frame.y[56, 80]) - 50) <= 2
    corner = {"cover": 200, "contain": 16, "stretch": 200}[fit]
    assert abs(int(frame.y[4, 4]) - corner) <= 2
    assert abs(int(frame.y[4, 80]) - 200) <= 2
    background.close()


@pytest.mark.process
def test_a_film_without_frames_is_an_input_error(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75")])  # the first cluster
    with pytest.raises(InputError, match=r"film\.mkv"):
        parse(path).prepare(SIZE)


class ScriptedReader:
    """Gives some frames, then ends or fails."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.left, self.error, self.closed = count, error, False
        self.frame = Frame.allocate(*SIZE)

    def read(self) -> Frame | None:
        if self.left == 0:
            if self.error:
                raise self.error
            return None
        self.frame.y.fill(self.left)
        self.left -= 1
        return self.frame

    def close(self) -> None:
        self.closed = True


def test_a_decoder_that_dies_is_started_again_while_the_last_frame_stays(caplog) -> None:
    readers = [ScriptedReader(2, InputError("crashed")), ScriptedReader(3)]
    opened = iter(readers)
    source = Prefetcher(lambda: next(opened), SIZE, "film")
    first = source.start()
    assert first.y[0, 0] == 2
    deadline = time.monotonic() + 30
    values = []
    while len(values) < 2 and time.monotonic() < deadline:
        frame, _ = source.take(1)
        if frame is not None:
            values.append(int(frame.y[0, 0]))
        time.sleep(0.01)
    assert values == [1, 3]
    assert readers[0].closed
    assert "crashed" in caplog.text
    source.close()
    assert readers[1].closed


def test_a_decoder_that_keeps_dying_is_started_less_and_less_often(caplog, monkeypatch) -> None:
    for name, value in (("_FIRST_WAIT", 0.01), ("_LONGEST_WAIT", 0.04), ("_HEALTHY", 5)):
        monkeypatch.setattr(f"vcam.compose.backgrounds.prefetch.{name}", value)
    # the fifth reaches its end, and then it begins anew
    counts = iter([1, 1, 1, 1, 5, 1, 100])
    source = Prefetcher(lambda: ScriptedReader(next(counts)), SIZE, "film")
    source.start()
    deadline = time.monotonic() + 30
    while len(caplog.messages) < 5 and time.monotonic() < deadline:
        source.take(1)
        time.sleep(0.001)
    source.close()
    waits = [message.rpartition("again in ")[2] for message in caplog.messages]
    assert waits[:5] == ["0.01 s", "0.02 s", "0.04 s", "0.04 s", "0.01 s"]


def test_reading_ahead_is_bounded_and_never_waits() -> None:
    before = set(threading.enumerate())
    reader = ScriptedReader(200)
    source = Prefetcher(lambda: reader, SIZE, "film")
    source.start()
    time.sleep(0.1)
    assert reader.left >= 200 - 5
    start = time.monotonic()
    for _ in range(20):
        source.take(30)
    assert time.monotonic() - start < 10
    source.close()
    assert not any(thread.name == "decode film" for thread in set(threading.enumerate()) - before)


def test_frames_that_are_to_be_left_out_are_not_among_those_that_are_ready_next() -> None:
    source = Prefetcher(lambda: ScriptedReader(100), SIZE, "film")

    def full() -> bool:
        deadline = time.monotonic() + 30
        while len(source._ready) < AHEAD and time.monotonic() < deadline:
            time.sleep(0.001)
        return len(source._ready) == AHEAD

    # they count down from 100
    assert source.start().y[0, 0] == 100
    for shown in (98, 88, 78):
        assert full()
        frame, taken = source.take(10, skip_below=10)
        assert taken == 10
        assert frame is not None
        assert frame.y[0, 0] == shown
    assert full()
    assert source.take(10)[1] == AHEAD
    assert full()
    assert source.take(20, skip_below=10)[1] == AHEAD
    source.close()


def test_a_decoder_with_nothing_to_give_is_an_error_at_the_start() -> None:
    with pytest.raises(InputError, match="no frame"):
        Prefetcher(lambda: ScriptedReader(0), SIZE, "film").start()


def test_a_damaged_animation_is_an_input_error(tmp_path: Path) -> None:
    path = animate(tmp_path / "a.webp", duration=100, size=(300, 200), lossless=True)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"a\.webp"):
        AnimationReader(path, SIZE, Fraction(10), "cover").read()
