"""Small films made by ffmpeg, and what comes out of one, whichever ffmpeg there is."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcam.media.ffmpeg import MediaInfo, find_ffmpeg, local_input
from vcam.media.probe import find_ffprobe

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
SOUND = ("-f", "lavfi", "-i", "sine=d=1")


def make(path: Path, *arguments: str) -> Path:
    """A file made by ffmpeg."""
    command = [find_ffmpeg(), "-v", "error", "-y", *arguments, f"file:{path}"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def wheel() -> str:
    """The ffmpeg of the wheel."""
    return str(pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe())


def use(program: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have vcam use this ffmpeg, or the one it finds if it is ""."""
    if program:
        monkeypatch.setenv("VCAM_FFMPEG", program)
    find_ffmpeg.cache_clear()
    yield find_ffmpeg()
    find_ffmpeg.cache_clear()


def need_ffprobe() -> None:
    if find_ffprobe(find_ffmpeg()) is None:
        pytest.skip("there is no ffprobe beside this ffmpeg")


def has_sound(info: MediaInfo) -> bool:
    """Whether a file has sound that can be played."""
    return any(track.kind == "audio" and track.codec for track in info.tracks)


def packets(path: Path, track: str = "V:0") -> list[float]:
    """When the frames of a track are shown, in seconds from the start of the file, in order."""
    command = [find_ffmpeg(), "-v", "error", *local_input(path), "-map", f"0:{track}", "-c", "copy"]
    done = subprocess.run([*command, "-f", "framecrc", "-"], check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    above, below = next(line for line in lines if line.startswith("#tb 0:")).split(":")[1].split("/")
    tick = int(above) / int(below)
    return sorted(int(line.split(",")[2]) * tick for line in lines if line[0] != "#")
