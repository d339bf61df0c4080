"""Films through `Batch`: every frame at its own time, and what goes with the picture kept."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.media.films import PICTURE, SOUND, make, packets, use, wheel
from vcam.batch import Batch, Done, Job
from vcam.camera.file import VideoFile
from vcam.files import Overwriting
from vcam.media.ffmpeg import find_ffmpeg, local_input
from vcam.media.probe import probe
from vcam.media.times import film_times, frame_times
from vcam.output.encoded.file import VideoFileOutput
from vcam.settings import Settings

pytestmark = pytest.mark.process

MILLISECOND = 0.00101


@pytest.fixture(params=["system", "wheel"])
def ffmpeg(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from use(wheel() if request.param == "wheel" else "", monkeypatch)


def apply(source: Path, target: Path) -> Done:
    """The film through the pipeline, with its own background."""
    with Batch(Settings().replace(background__spec="none"), mattes=False) as batch:
        return batch.run(Job(source, target, False, Overwriting(True)), lambda done, of: None)


def levels(path: Path, track: int = 0) -> list[float]:
    """The brightness of each frame."""
    command = [find_ffmpeg(), "-v", "error", *local_input(path), "-map", f"0:{track}", "-fps_mode", "passthrough"]
    command += ["-vf", "scale=16:16,format=gray", "-f", "rawvideo", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    return [float(np.mean(frame)) for frame in np.frombuffer(data, np.uint8).reshape(-1, 256)]


def steps(rate: str, seconds: float) -> tuple[str, ...]:
    """A film whose frames get brighter one by one."""
    return (
        "-f",
        "lavfi",
        "-i",
        f"color=black:s=64x48:r={rate}:d={seconds},format=yuv420p,geq=lum='20+1.5*N':cb=128:cr=128",
    )


H264 = ("-c:v", "libx264", "-preset", "ultrafast")
JITTER = "settb=1/1000,setpts='(N/30+0.012*random(1))/TB'"
TIMED = {
    "browser.webm": (*steps("30", 2), "-vf", JITTER, "-enc_time_base", "1:1000", "-fps_mode", "passthrough",
                     "-c:v", "libvpx", "-auto-alt-ref", "0", "-live", "1"),
    "phone.mp4": (*steps("30", 2), "-vf", "select='lt(n,20)+not(mod(n,3))'", "-fps_mode", "vfr", *H264),
    "uneven.mkv": (*steps("30", 2), "-vf", JITTER, "-enc_time_base", "1:1000", "-fps_mode", "passthrough", *H264),
    "gap.mp4": (*steps("25", 5), "-vf", "select='not(between(t,1,4))'", "-fps_mode", "vfr", *H264),
    "lapse.mp4": (*steps("1", 4), *H264),
    "slow_motion.mp4": (*steps("240", 0.4), *H264),
    "ntsc.mp4": (*steps("30000/1001", 1.5), *H264),
    "film.mkv": (*steps("24000/1001", 1.5), *H264),
    "quick.mp4": (*steps("60000/1001", 1), *H264),
    "thirds.mp4": (*steps("25/3", 4), *H264),
    "film.ts": (*steps("25", 1), "-c:v", "mpeg2video"),
    "film.avi": (*steps("25", 1), "-c:v", "mpeg4"),
    "one.mp4": (*steps("25", 0.04), *H264),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "suffix"),
    [(name, "mp4") for name in TIMED] + [(name, "mkv") for name in ("browser.webm", "phone.mp4", "film.mkv")],
)
def test_every_frame_keeps_its_time_and_its_place(name: str, suffix: str, tmp_path: Path) -> None:
    film, target = make(tmp_path / name, *TIMED[name]), tmp_path / f"out.{suffix}"
    done = apply(film, target)
    before, after = packets(film), packets(target)
    assert done.frames == len(before) == len(after)
    assert after == pytest.approx(before, abs=MILLISECOND)
    assert done.notes == []
    shown = levels(target)
    assert all(earlier < later for earlier, later in pairwise(shown)), shown


def test_progress_knows_how_many_frames_there_will_be(tmp_path: Path) -> None:
    film, told = make(tmp_path / "film.webm", *TIMED["browser.webm"]), []
    assert probe(film).duration is None
    with Batch(Settings().replace(background__spec="none"), mattes=False) as batch:
        batch.run(Job(film, tmp_path / "out.mp4", False), lambda done, of: told.append((done, of)))
    assert told == [(number + 1, 60) for number in range(60)]


def test_sound_ends_with_an_uneven_picture_that_was_ended_early(tmp_path: Path, ffmpeg: str) -> None:
    film = make(
        tmp_path / "film.mp4", *TIMED["phone.mp4"][:4], "-f", "lavfi", "-i", "sine=d=4", *TIMED["phone.mp4"][4:]
    )
    camera = VideoFile(film)
    camera.open()
    output = VideoFileOutput(tmp_path / "out.mp4", audio_from=film, times=camera.uneven)
    output.open(camera.size, camera.fps)
    for _ in range(25):
        frame = camera.read()
        assert frame is not None
        output.write(frame)
    camera.close()
    output.end_early()
    output.close()
    picture, sound = ends(tmp_path / "out.mp4")
    assert packets(tmp_path / "out.mp4") == pytest.approx(packets(film)[:25], abs=MILLISECOND)
    assert sound == pytest.approx(picture, abs=0.1)


def test_uneven_frames_keep_their_times_with_either_ffmpeg(tmp_path: Path, ffmpeg: str) -> None:
    for name in ("browser.webm", "phone.mp4"):
        film, target = make(tmp_path / name, *TIMED[name]), tmp_path / "out.mp4"
        apply(film, target)
        assert packets(target) == pytest.approx(packets(film), abs=MILLISECOND)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_last_frame_is_held_as_long_as_it_was(suffix: str, tmp_path: Path, ffmpeg: str) -> None:
    plain = make(tmp_path / "plain.mp4", *steps("25", 1), *H264, "-bf", "0")
    tail = "setts=duration=if(gt(PTS*TB\\,0.95)\\,4/TB\\,DURATION)"
    film = make(tmp_path / "film.mp4", "-i", str(plain), "-c", "copy", "-bsf:v", tail)
    target = tmp_path / f"out.{suffix}"
    apply(film, target)
    assert probe(film).duration == pytest.approx(4.96, abs=0.01)
    assert probe(target).duration == pytest.approx(4.96, abs=0.01)
    assert packets(target) == pytest.approx(packets(film), abs=MILLISECOND)


def test_the_delays_of_a_gif_are_kept(tmp_path: Path) -> None:
    from PIL import Image

    frames = [Image.new("RGB", (64, 48), (level, level, level)) for level in (40, 80, 120, 160)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 700, 50, 1500])
    apply(tmp_path / "a.gif", tmp_path / "out.mp4")
    assert packets(tmp_path / "out.mp4") == pytest.approx([0, 0.1, 0.8, 0.85], abs=MILLISECOND)
    assert probe(tmp_path / "out.mp4").duration == pytest.approx(2.35, abs=0.02)


def test_a_size_that_changes_midway_costs_no_time(tmp_path: Path) -> None:
    parts = [
        make(tmp_path / f"{size}.mjpeg", "-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.4", "-pix_fmt", "yuvj420p")
        for size in ("64x48", "96x80")
    ]
    both = tmp_path / "both.mjpeg"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    uneven = make(
        tmp_path / "uneven.mkv", "-i", str(both), "-c", "copy", "-bsf:v", "setts=ts=(N*40+5*gt(N\\,12))/1000/TB"
    )
    apply(uneven, tmp_path / "out.mp4")
    assert packets(tmp_path / "out.mp4") == pytest.approx(packets(uneven), abs=MILLISECOND)


def test_frames_of_one_time_are_all_kept(tmp_path: Path) -> None:
    film = make(
        tmp_path / "film.mkv", *steps("25", 1), "-c:v", "ffv1", "-bsf:v", "setts=ts=(N*40-40*eq(N\\,9))/1000/TB"
    )  # fmt: skip
    for suffix in ("mp4", "mkv"):
        assert apply(film, tmp_path / f"out.{suffix}").frames == len(packets(tmp_path / f"out.{suffix}")) == 25


def test_a_film_that_hardly_tells_its_times_loses_no_frame(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mpg", *steps("25", 1), "-c:v", "mpeg2video")
    assert apply(film, tmp_path / "out.mp4").frames == len(packets(tmp_path / "out.mp4")) == 25


def test_a_kind_of_file_without_times_takes_the_true_average_and_says_so(tmp_path: Path) -> None:
    film, target = make(tmp_path / "film.mp4", *TIMED["phone.mp4"]), tmp_path / "out.y4m"
    done = apply(film, target)
    assert "as on average" in "".join(done.notes)
    info, before = probe(target), packets(film)
    assert len(packets(target)) == done.frames == len(before)
    assert float(info.fps) == pytest.approx((len(before) - 1) / (before[-1] - before[0]), rel=0.01)


FLASH = "drawbox=c=white:t=fill:enable='lt(mod(t+0.5,1),0.1)'"
FLASHES = ("-f", "lavfi", "-i", f"color=black:s=64x48:r=30000/1001:d=4,format=yuv420p,{FLASH}")
BEEPS = ("-f", "lavfi", "-i", "aevalsrc='0.9*sin(2*PI*1000*t)*lt(mod(t+0.5,1),0.1)':d=4:s=48000")


def onsets(path: Path) -> tuple[list[float], list[float]]:
    """When it gets bright, and when it gets loud, in seconds from the start of the file."""
    info = probe(path)
    times, bright = film_times(path, info), levels(path, info.track)
    assert times is not None
    shown = sorted(packets(path, str(info.track)))
    shown = [time - shown[0] + float(times.start) for time in shown]
    flashes = [shown[n] for n in range(1, len(bright)) if bright[n] > 150 >= bright[n - 1]]
    command = [find_ffmpeg(), "-v", "error", *local_input(path), "-map", "0:a:0", "-ac", "1", "-ar", "8000"]
    command += ["-af", "aresample=async=1:first_pts=0", "-f", "s16le", "-"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    loud = np.abs(np.frombuffer(data, np.int16).astype(float))
    peaks = np.array([loud[at : at + 8].max() for at in range(0, len(loud) - 8, 8)])
    beeps = [n / 1000 for n in range(20, len(peaks)) if peaks[n] > 3000 and peaks[n - 20 : n].max() < 1500]
    return flashes, beeps


def both(path: Path, *options: str) -> Path:
    return make(path, *FLASHES, *BEEPS, *options)


def moved(path: Path, source: Path, picture: float, sound: float, *options: str) -> Path:
    """The same film with its picture, or its sound, that much later."""
    inputs = ("-itsoffset", str(picture), "-i", str(source), "-itsoffset", str(sound), "-i", str(source))
    return make(path, *inputs, "-map", "0:v", "-map", "1:a", "-c", "copy", *options)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("aac.mp4", "mp4"), ("opus.webm", "mp4"), ("pcm.mkv", "mp4"), ("plain.avi", "mp4"), ("late.mp4", "mp4"),
     ("early.mp4", "mp4"), ("trimmed.mp4", "mp4"), ("opus.webm", "mkv"), ("early.mp4", "mkv"), ("trimmed.mp4", "mkv")],
)  # fmt: skip
def test_picture_and_sound_stay_in_step_to_the_end(kind: str, suffix: str, tmp_path: Path) -> None:
    film = both(tmp_path / "base.mp4", *H264, "-c:a", "aac")
    if kind == "opus.webm":
        film = both(tmp_path / kind, "-c:v", "libvpx", "-c:a", "libopus")
    elif kind == "pcm.mkv":
        film = both(tmp_path / kind, *H264, "-c:a", "pcm_s16le")
    elif kind == "plain.avi":
        film = both(tmp_path / kind, "-c:v", "mpeg4", "-c:a", "mp2")
    elif kind == "late.mp4":
        film = moved(tmp_path / kind, film, 0, 0.7)
    elif kind == "early.mp4":
        film = moved(tmp_path / kind, film, 0.7, 0)
    elif kind == "trimmed.mp4":
        film = make(tmp_path / kind, "-ss", "1.23", "-i", str(film), "-c", "copy")
    target = tmp_path / f"out.{suffix}"
    apply(film, target)
    (flashes, beeps), (flashes_after, beeps_after) = onsets(film), onsets(target)
    assert len(flashes) == len(flashes_after) >= 2
    assert len(beeps) == len(beeps_after) >= 2
    apart = [beep - flash for flash, beep in zip(flashes, beeps, strict=False)]
    apart_after = [beep - flash for flash, beep in zip(flashes_after, beeps_after, strict=False)]
    # 1 ms is the grain at which beeps are looked for
    assert apart_after == pytest.approx(apart, abs=0.0021)


def test_a_transport_stream_keeps_the_distance_of_its_tracks(tmp_path: Path) -> None:
    base = both(tmp_path / "base.mp4", *H264, "-c:a", "aac")
    film = moved(tmp_path / "late.ts", base, 0.3, 0)
    apply(film, tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    times = frame_times(tmp_path / "out.mp4", info.track)
    assert times is not None
    # 21 ms: AAC begins with sound that only gets the decoder going, and the stream has no word for that
    assert float(times.start) == pytest.approx(0.3 + 1024 / 48000, abs=0.001)


def ends(path: Path) -> tuple[float, float]:
    """When picture and sound end."""
    picture = frame_times(path, probe(path).track)
    sound = frame_times(path, next(track.index for track in probe(path).tracks if track.kind == "audio"))
    assert picture is not None
    assert sound is not None
    return float(picture.end), float(sound.end)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_sound_that_is_longer_or_later_than_the_picture_is_whole(suffix: str, tmp_path: Path, ffmpeg: str) -> None:
    film = make(tmp_path / "film.mp4", *steps("25", 1), "-f", "lavfi", "-i", "sine=d=3", *H264)
    late = moved(tmp_path / "late.mp4", film, 0, 0.5)
    for source, end in ((film, 3.0), (late, 3.5)):
        done = apply(source, tmp_path / f"out.{suffix}")
        picture, sound = ends(tmp_path / f"out.{suffix}")
        assert (done.frames, done.notes) == (25, [])
        assert picture == pytest.approx(1.0, abs=0.03)
        assert sound == pytest.approx(end, abs=0.05)


def test_all_that_goes_with_the_picture_is_kept(tmp_path: Path, ffmpeg: str) -> None:
    words, about = tmp_path / "words.srt", tmp_path / "about"
    words.write_text("1\n00:00:00,100 --> 00:00:00,900\nhello there\n")
    about.write_text(
        ";FFMETADATA1\ntitle=A talk\nartist=Me\ndate=2024-05-06\nlocation=+48.1+011.5/\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=One\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=Two\n"
    )
    film = make(
        tmp_path / "film.mkv", *PICTURE, *SOUND, *SOUND, "-i", str(words), "-i", str(about), "-map", "0", "-map", "1",
        "-map", "2", "-map", "3", "-map_metadata", "4", "-map_chapters", "4", *H264, "-c:a:0", "aac",
        "-c:a:1", "pcm_alaw", "-c:s", "srt",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:a:1", "title=Kommentar",
        "-disposition:a:0", "0", "-disposition:a:1", "default", "-metadata:s:s:0", "language=fra",
        "-metadata:s:v:0", "BPS=999", "-metadata:s:v:0", "timecode=nonsense",
    )  # fmt: skip
    kept = {"mkv": ["pcm_alaw", "subrip"], "mp4": ["aac", "mov_text"], "mov": ["pcm_alaw", "mov_text"]}
    for suffix, (second, subtitles) in kept.items():
        target = tmp_path / f"out.{suffix}"
        done = apply(film, target)
        assert "the place where it was filmed" in "".join(done.notes)
        assert ("sound (pcm_alaw)" in "".join(done.notes)) == (suffix == "mp4")
        tracks = [track for track in probe(target).tracks if track.kind != "data"]
        assert [track.codec for track in tracks] == ["h264", "aac", second, subtitles]
        assert [track.default for track in tracks[1:3]] == [False, True]
        told = metadata(target)
        kept_tags = ("title=a talk", "artist=me", "date=2024-05-06", "language=ger", "language=fra", "title=one")
        assert [line for line in kept_tags if line not in told] == []
        assert told.count("[chapter]") == 2
        assert [line for line in ("location", "48.1", "bps", "nonsense") if line in told] == []


def metadata(path: Path) -> str:
    """All tags of a film, as ffmpeg writes them, in small letters."""
    command = [find_ffmpeg(), "-v", "error", *local_input(path), "-map", "0:v", "-map", "0:a", "-map", "0:s"]
    done = subprocess.run([*command, "-c", "copy", "-f", "ffmetadata", "-"], capture_output=True, check=True, text=True)
    return done.stdout.lower()


def test_what_cannot_be_kept_is_left_out_and_named(tmp_path: Path, ffmpeg: str) -> None:
    film = make(tmp_path / "film.mov", *PICTURE, *SOUND, *SOUND, "-map", "0", "-map", "1", "-map", "2", "-c:a", "aac")
    data = film.read_bytes()
    at = data.rindex(b"stsd")
    last = data[at:].replace(b"mp4a", b"zzzz").replace(b"esds", b"free").replace(b"wave", b"free")
    film.write_bytes(data[:at] + last)
    assert [track.codec for track in probe(film).tracks] == ["h264", "aac", ""]
    for suffix in ("mp4", "mov", "mkv"):
        target = tmp_path / f"out.{suffix}"
        assert apply(film, target).notes == [f"out.{suffix}: left out: sound (zzzz)"]
        assert [track.codec for track in probe(target).tracks] == ["h264", "aac"]


def test_no_other_picture_of_a_film_leaves_with_it(tmp_path: Path) -> None:
    """A cover or a second camera shows the room."""
    png = make(tmp_path / "cover.png", *PICTURE, "-frames:v", "1")
    covered = ("-map", "0", "-map", "1", "-c:v:1", "png", "-disposition:v:1", "attached_pic")
    film = make(tmp_path / "film.mp4", *PICTURE, "-i", str(png), *covered)
    two = make(tmp_path / "two.mkv", *PICTURE, *PICTURE, "-map", "0", "-map", "1")
    for source, words in ((film, "cover (png)"), (two, "video (h264)")):
        done = apply(source, tmp_path / "out.mkv")
        assert done.notes == [f"out.mkv: left out: {words}"]
        assert len(probe(tmp_path / "out.mkv").tracks) == 1


def test_a_film_is_turned_once(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", *PICTURE)
    data = bytearray(film.read_bytes())
    at, one = data.index(b"tkhd") + 44, 1 << 16
    data[at : at + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, one, 0, -one, 0, 0, 0, 0, 1 << 30))
    film.write_bytes(data)
    assert probe(film).size == (48, 64)
    apply(film, tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    assert (info.size, info.tracks[0].rotation, info.fps) == ((48, 64), 0.0, Fraction(25))
