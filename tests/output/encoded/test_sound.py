"""The sound of streams: in step with the picture, or silence that is said."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from tests.output.encoded.claps import Microphone, Recorder, clicks, flashes
from tests.output.encoded.helpers import SIZE, Nginx, Pushing, stream, until
from vcam.errors import OutputError
from vcam.frames import Frame
from vcam.media.ffmpeg import ffmpeg_programs
from vcam.media.process import Ffmpeg
from vcam.output.encoded import session as session_module
from vcam.output.encoded import sound
from vcam.output.encoded.stream import StreamState

pytestmark = pytest.mark.process


def test_sound_and_picture_of_the_same_moment_arrive_together(nginx: Nginx, tmp_path: Path) -> None:
    """Of a microphone whose clock is off by more than that of any sound card."""
    nginx.start()
    folder = tmp_path / "pulse"
    folder.mkdir()
    dark, bright = Frame.allocate(*SIZE), Frame.allocate(*SIZE)
    bright.fill(235, 128, 128)
    with Microphone(folder, 5e-4) as microphone:
        output = stream(nginx.url("clap"), audio=microphone.device)
        with Pushing(output) as pushing:
            pushing.picture_at = lambda now: bright if (now - microphone.begun) % 1.0 < 0.1 else dark
            pushing.until(StreamState.STREAMING)
            assert output.status()["sound"] == microphone.device
            # a click in each second, and nothing in between
            until(lambda: -30 < output.status().get("level_db", -99) < 0, 30)
            until(lambda: output.status()["level_db"] < -60, 30)
            recorder = Recorder(nginx.url("clap"), tmp_path / "pulled.mkv")
            time.sleep(8)
            recorder.stop()
    seen, heard = flashes(recorder.path), clicks(recorder.path)
    assert len(seen) >= 4
    apart = [float(heard[np.abs(heard - at).argmin()] - at) for at in seen]
    # a flash is at the next frame after its moment
    assert abs(np.median(apart)) < 0.07


class Clocks:
    """Stands in for the module `time`: the clock of the day can be set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic()

    def time(self) -> float:
        return time.time() + self.ahead


def test_a_clock_that_is_set_parts_sound_and_picture_only_until_the_stream_has_begun_anew(
    nginx: Nginx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nginx.start()
    clocks = Clocks()
    monkeypatch.setattr(session_module, "time", clocks)
    for audio, connections in ("silent", 1), ("microphone", 2):
        folder = tmp_path / audio
        folder.mkdir()
        with Microphone(folder) if audio == "microphone" else nullcontext() as microphone:
            output = stream(nginx.url(audio), audio=microphone.device if microphone else audio)
            with Pushing(output) as pushing:
                pushing.until(StreamState.STREAMING)
                clocks.ahead += 0.5
                time.sleep(3)
                pushing.until(StreamState.STREAMING)
                assert output.status()["connections"] == connections


def test_a_machine_without_the_microphone_streams_silence_and_says_so(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("mute"), audio="alsa:no-such-card")) as pushing:
        pushing.until(StreamState.STREAMING)
        assert "level_db" not in pushing.output.status()
        assert "nothing can be heard from alsa:no-such-card" in pushing.output.status()["sound"]


@pytest.mark.parametrize(("lacks", "measured"), [("", True), ("astats", False), ("ametadata", False)])
def test_an_ffmpeg_that_cannot_measure_records_all_the_same(
    lacks: str, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name in ("asplit", "asetnsamples", "astats", "ametadata", "anullsink", "anull") if name != lacks]
    said = {
        "-filters": "Filters:\n" + "".join(f" .S. {name:16} A->A       What it does.\n" for name in names),
        "-devices": "Devices:\n D  pulse           Pulse audio input\n",
    }
    monkeypatch.setattr(sound, "ask", lambda program, question: said[question])
    monkeypatch.setattr(sound, "run_once", lambda program, trial, **more: None)
    filters = sound.captured("pulse:x", "ffmpeg", 0.0).output[-1]
    assert filters.startswith("aresample=async=1000")
    assert ("astats" in filters) is measured


@pytest.mark.parametrize(
    ("said", "level"), [("-23.44", -23.4), ("-inf", -99.0), ("nan", None), ("0.2", 0.0), ("loud", None), (None, None)]
)
def test_a_level_is_a_number_within_its_bounds(said: str | None, level: float | None) -> None:
    session = object.__new__(session_module.Session)
    session.child = object.__new__(Ffmpeg)
    session.child._progress = {} if said is None else {sound.LEVEL: said}
    assert session.level_db == level


def test_the_level_is_told_by_every_ffmpeg_there_is() -> None:
    """By its progress, of a branch beside what is encoded."""
    programs = [program for program in ffmpeg_programs() if sound._measures(program)]
    assert programs
    for program in programs:
        source = ["-f", "lavfi", "-i", "sine=frequency=1000:duration=2"]
        child = Ffmpeg(program, [*source, "-af", sound._MEASURED, "-f", "null", "-"])
        while child.pump(1.0):
            pass
        level = child.figure(sound.LEVEL)
        assert child.finish(30)
        child.close()
        # a sine of an eighth of full scale
        assert level == pytest.approx(-18.06 - 3.01, abs=0.3)


def test_that_a_microphone_is_silent_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    said = ["no sound comes"]

    def captured(device: str, program: str, since: float) -> sound.Sound:
        if said[0]:
            raise OutputError(said[0])
        return sound.Sound(device)

    monkeypatch.setattr(sound, "captured", captured)
    before = sound.NONE
    heard = []
    for said[0] in ("no sound comes", "no sound comes", "it is held", "it is held", "", "it is held"):
        before = sound.choose_sound(
            "pulse:x", "ffmpeg", 0.0, auto=sound.SILENT, otherwise=sound.SILENT, whose="stream", before=before
        )
        heard.append(len(caplog.records))
    assert heard == [1, 1, 2, 2, 2, 3]
