"""Streams to real servers on this machine: what viewers see, and what becomes of a stream when the server goes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from stream_helpers import (
    Cable,
    Doorkeeper,
    Microphone,
    Nginx,
    Recorder,
    Relay,
    clicks,
    flashes,
    free_port,
    psnr,
    pull,
    until,
)

from vcam.compose.composer import PlateComposer
from vcam.compose.factory import parse_background
from vcam.daemon.live import Live
from vcam.errors import OutputError, UsageError
from vcam.ffmpeg import find_ffmpeg
from vcam.frames import Frame
from vcam.matte.factory import make_matte
from vcam.output import stream as stream_module
from vcam.output.encoding import can_hide_options, find_encoder, forget_encoders, suggested_bitrate
from vcam.output.stream import StreamOutput, StreamState
from vcam.pipeline import Pipeline
from vcam.settings import BackgroundSettings, Settings, StreamSettings
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput, pattern_frame
from vcam.timings import resident_mb

pytestmark = pytest.mark.process

SIZE = (320, 180)
KILLS = int(os.environ.get("VCAM_TEST_SERVER_KILLS", "5"))
CUT = float(os.environ.get("VCAM_TEST_NETWORK_CUT", "6"))
"""Seconds."""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path)
    yield server
    server.kill()


class Pushing:
    """Frames into a stream at the pace of a camera, from a thread; `worst` is the longest that a `write` took."""

    def __init__(self, output: StreamOutput, size: tuple[int, int] = SIZE, fps: float = 30.0) -> None:
        self.output, self.size, self.fps = output, size, fps
        self.worst, self.written = 0.0, 0
        self.pictures = [self._picture(number) for number in range(8)]
        self.picture_at: Callable[[float], Frame] = lambda now: self.pictures[self.written % len(self.pictures)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _picture(self, number: int) -> Frame:
        frame = Frame.allocate(*self.size)
        frame.y[:] = np.linspace(30, 220, self.size[0]).astype(np.uint8)
        frame.y[:32, number * 16 : number * 16 + 32] = 126
        frame.u[:], frame.v[:] = 100, 150
        return frame

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._ending.is_set():
            now = time.monotonic()
            frame = self.picture_at(now)
            frame.timestamp = now
            self.output.write(frame)
            self.worst = max(self.worst, time.monotonic() - frame.timestamp)
            self.written += 1
            time.sleep(max(0.0, begun + self.written / self.fps - time.monotonic()))

    def __enter__(self) -> Pushing:
        self.output.open(self.size, self.fps)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ending.set()
        self._thread.join(5)
        self.output.close()
        assert self.output.state is StreamState.STOPPED
        assert not children(), "an ffmpeg was left behind"

    def until(self, *states: StreamState, seconds: float = 20.0) -> float:
        return until(lambda: self.output.state in states, seconds, self.output.status)


def children() -> list[str]:
    """The ffmpegs among this process's children, zombies too."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        # threads and processes end while this looks
        with suppress(OSError):
            for pid in (task / "children").read_text().split():
                with suppress(OSError):
                    if Path(f"/proc/{pid}/comm").read_text().startswith("ffmpeg"):
                        found.append(pid)
    return found


def stream(url: str, **settings: object) -> StreamOutput:
    return StreamOutput(url, StreamSettings(**{"bitrate": 1500, **settings}))


def room_and_person(number: int) -> Frame:
    """A room that is nothing but loud red."""
    frame = Frame.allocate(*SIZE)
    frame.fill(81, 90, 240)
    frame.seq, frame.timestamp, frame.full_range = number, time.monotonic(), True
    return frame


def person(frame: Frame) -> np.ndarray:
    probability = np.zeros((24, 32), np.float32)
    return probability


def script() -> Iterator[Frame]:
    number = 0
    while True:
        time.sleep(1 / 30)
        yield room_and_person(number)
        number += 1


class Script:
    def __iter__(self) -> Iterator[Frame]:
        return script()


def test_viewers_see_the_replaced_background_and_never_the_room(nginx: Nginx, shared: Path) -> None:
    """The whole loop, with placeholders before it is live, pushed to a server and pulled back from it."""
    nginx.start()
    output, screen = stream(nginx.url("room")), RecordingOutput()
    settings = Settings().replace(output__size="320x180", background__spec="dusk.jpg")
    from vcam.assets import asset

    def build(settings: Settings, camera: FakeCamera, size: tuple[int, int], outputs: list) -> Pipeline:
        background = parse_background(str(asset("dusk.jpg")), BackgroundSettings())
        background.prepare(size)
        composer = PlateComposer(background, size)
        return Pipeline(camera, FakeSegmenter(person, (32, 24)), make_matte(settings.matte), composer, outputs)

    camera = FakeCamera(Script(), size=SIZE, live=True)
    screen.watchers = False
    life = Live(settings, camera=camera, outputs=[output, screen], open_pipeline=build)
    thread = threading.Thread(target=life.run)
    thread.start()
    try:
        until(lambda: output.state is StreamState.STREAMING, 20, output.status)
        pulled = pull(nginx.url("room"), 90, SIZE)
    finally:
        life.stop()
        thread.join(10)
    assert camera.opened >= 1, "the stream counts as a reader"
    source = Frame.wrap(screen.frames[-1], *SIZE)
    assert max(psnr(pulled[-1].y, source.y), 0) > 30
    assert min(psnr(pulled[-1].u, source.u), psnr(pulled[-1].v, source.v)) > 30
    for frame in pulled:
        assert int(frame.v.max()) < 200, "the room was seen"


def test_pictures_come_back_as_they_were_sent_at_a_constant_rate_with_sound(nginx: Nginx) -> None:
    nginx.start()
    output = stream(nginx.url("stream1"))
    with Pushing(output) as pushing:
        pushing.until(StreamState.STREAMING)
        pulled = pull(nginx.url("stream1"), 60, SIZE)
        command = [
            find_ffmpeg(),
            "-hide_banner",
            "-nostdin",
            "-i",
            nginx.url("stream1"),
            "-t",
            "0.1",
            "-f",
            "null",
            "-",
        ]
        told = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False).stderr
    assert max(psnr(pulled[30].y, picture.y) for picture in pushing.pictures) > 30
    assert re.search(r"Video: h264.*yuv420p\(tv, smpte170m/bt709/bt709", told), told
    assert "Audio: aac" in told
    assert pushing.worst < 0.1


@pytest.mark.parametrize("name", ["a/b", "stream?token=abc&x=1", "stream-with-a-very-long-name-" + 60 * "x"])
def test_names_reach_the_server_as_they_were_given(nginx: Nginx, name: str) -> None:
    nginx.start()
    with Pushing(stream(nginx.url(name, "LiveApp"))) as pushing:
        if "/" in name:
            # two parts are an application of their own, which this server lacks
            pushing.until(StreamState.FAILED)
        else:
            pushing.until(StreamState.STREAMING)
            wanted = name.partition("?")
            assert f"publish: name='{wanted[0]}' args='{wanted[2]}'" in nginx.log.read_text()


def test_a_server_that_comes_later_is_found(nginx: Nginx) -> None:
    with Pushing(stream(nginx.url("late"))) as pushing:
        pushing.until(StreamState.WAITING)
        assert "refused" in pushing.output.status()["error"]
        assert not pushing.output.watched()
        time.sleep(1.0)
        nginx.start()
        assert pushing.until(StreamState.STREAMING) < 5 + 1
        assert pushing.output.watched()


def test_a_server_that_takes_its_time_to_answer_gets_the_stream_at_the_first_try(nginx: Nginx) -> None:
    nginx.start()
    relay = Relay(nginx.port, 3.0)
    try:
        with Pushing(stream(f"rtmp://127.0.0.1:{relay.port}/LiveApp/far")) as pushing:
            pushing.until(StreamState.STREAMING)
            assert pull(nginx.url("far"), 30, SIZE)
            status = pushing.output.status()
            assert (status["state"], status["connections"], status["error"]) == ("streaming", 1, "")
    finally:
        relay.close()


def test_a_server_that_is_killed_again_and_again_has_the_stream_back_within_seconds(nginx: Nginx) -> None:
    took = []
    nginx.start()
    with Pushing(stream(nginx.url("stubborn"))) as pushing:
        pushing.until(StreamState.STREAMING)
        for _ in range(KILLS):
            nginx.kill()
            until(lambda: pushing.output.state is not StreamState.STREAMING, 10)
            time.sleep(0.5)
            nginx.start()
            took.append(pushing.until(StreamState.STREAMING))
            assert len(children()) == 1
        pulled = pull(nginx.url("stubborn"), 30, SIZE)
        assert max(psnr(pulled[-1].y, picture.y) for picture in pushing.pictures) > 30
    print(f"back after {sorted(round(seconds, 2) for seconds in took)} s; slowest write {pushing.worst * 1e3:.1f} ms")
    assert max(took) < 5
    assert pushing.output.status()["connections"] == KILLS + 1
    # the loop was never held up for as long as two frames
    assert pushing.worst < 2 / 30


def test_a_network_that_is_gone_for_a_while_holds_up_nothing_and_the_stream_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if CUT < stream_module.STALL_PATIENCE + 2:
        monkeypatch.setattr(stream_module, "STALL_PATIENCE", CUT / 3)
    with Cable() as cable:
        server = Nginx(tmp_path, cable=cable).start()
        try:
            with Pushing(stream(server.url("cut"))) as pushing:
                pushing.until(StreamState.STREAMING)
                before = resident_mb()
                cable.cut()
                begun = time.monotonic()
                until(lambda: pushing.output.state is not StreamState.STREAMING, 30)
                assert pushing.output.status()["error"]
                time.sleep(max(0.0, CUT - (time.monotonic() - begun)))
                assert len(children()) <= 1
                assert resident_mb() - before < 50
                cable.mend()
                took = pushing.until(StreamState.STREAMING)
                pulled = pull(server.url("cut"), 30, SIZE)
                assert max(psnr(pulled[-1].y, picture.y) for picture in pushing.pictures) > 30
        finally:
            server.kill()
    print(f"cut for {CUT:g} s, back after {took:.1f} s; slowest write {pushing.worst * 1e3:.1f} ms")
    assert pushing.worst < 2 / 30


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
            recorder = Recorder(nginx.url("clap"), tmp_path / "pulled.mkv")
            time.sleep(8)
            recorder.stop()
    seen, heard = flashes(recorder.path), clicks(recorder.path)
    assert len(seen) >= 4
    apart = [float(heard[np.abs(heard - at).argmin()] - at) for at in seen]
    # a flash is at the next frame after its moment
    assert abs(np.median(apart)) < 0.07


def test_a_server_that_accepts_and_never_reads_is_given_up_without_holding_up_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_module, "CONNECT_PATIENCE", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with Pushing(stream(f"rtmp://127.0.0.1:{port}/LiveApp/x")) as pushing:
            pushing.until(StreamState.WAITING)
            assert "takes no picture" in pushing.output.status()["error"]
            assert pushing.worst < 0.1


def test_a_server_that_stops_reading_is_lost_and_found_again(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "STALL_PATIENCE", 2.0)
    nginx.start()
    # enough to fill what the kernel holds for a connection
    output = stream(nginx.url("deaf"), bitrate=60_000)
    noise = np.random.default_rng(1)
    with Pushing(output, (640, 360)) as pushing:
        for picture in pushing.pictures:
            picture.y[:] = noise.integers(16, 235, picture.y.shape, np.uint8)
        pushing.until(StreamState.STREAMING)
        nginx.pause(signal.SIGSTOP)
        try:
            pushing.until(StreamState.WAITING, seconds=30)
            assert "takes no more" in output.status()["error"]
        finally:
            nginx.pause(signal.SIGCONT)
        pushing.until(StreamState.STREAMING)
        assert pushing.worst < 0.2


def test_a_key_that_is_refused_is_tried_ever_more_slowly_and_taken_once_it_is_right(tmp_path: Path) -> None:
    keeper = Doorkeeper()
    server = Nginx(tmp_path, on_publish=keeper.url).start()
    try:
        with Pushing(stream(server.url("wrong-key"))) as pushing:
            pushing.until(StreamState.FAILED)
            assert "refuses" in pushing.output.status()["error"]
            assert "wrong-key" not in str(pushing.output.status())
            time.sleep(4)
            assert 2 <= keeper.asked <= 5
            keeper.welcome.add("wrong-key")
            pushing.until(StreamState.STREAMING, seconds=30)
    finally:
        server.kill()
        keeper.close()


def test_an_ffmpeg_that_is_killed_is_replaced(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("killed"))) as pushing:
        pushing.until(StreamState.STREAMING)
        os.kill(int(children()[0]), signal.SIGKILL)
        until(lambda: pushing.output.status()["connections"] == 2, 15, pushing.output.status)
        pushing.until(StreamState.STREAMING)


def test_the_encoder_stands_back_behind_the_loop(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("meek"))) as pushing:
        pushing.until(StreamState.STREAMING)
        encoder = int(children()[0])
        for task in Path(f"/proc/{encoder}/task").iterdir():
            assert os.getpriority(os.PRIO_PROCESS, int(task.name)) > os.getpriority(os.PRIO_PROCESS, 0)


def test_closing_says_goodbye_to_the_server_at_once(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("bye"))) as pushing:
        pushing.until(StreamState.STREAMING)
        begun = time.monotonic()
    assert time.monotonic() - begun < 3
    assert "deleteStream" in nginx.log.read_text()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return certificate, key


@pytest.mark.parametrize("tls", ["any", "the file", "system"])
def test_rtmps_believes_only_the_certificates_it_was_told_to(
    tmp_path: Path, certificate: tuple[Path, Path], tls: str
) -> None:
    server = Nginx(tmp_path, tls=certificate).start()
    settings = {"tls": str(certificate[0]) if tls == "the file" else tls}
    try:
        with Pushing(stream(f"rtmps://localhost:{server.tls_port}/LiveApp/sealed", **settings)) as pushing:
            if tls == "system":
                pushing.until(StreamState.FAILED)
                assert "certificate" in pushing.output.status()["error"]
            else:
                pushing.until(StreamState.STREAMING)
                assert pull(server.url("sealed"), 5, SIZE)
    finally:
        server.kill()


@pytest.mark.parametrize("scheme", ["srt", "udp", "rtsp"])
def test_the_other_kinds_of_server_get_the_picture_too(scheme: str) -> None:
    kind = socket.SOCK_STREAM if scheme == "rtsp" else socket.SOCK_DGRAM
    port = free_port(kind)
    sent_to = {
        "srt": f"srt://127.0.0.1:{port}?streamid=secret-id&passphrase=secret-phrase",
        "udp": f"udp://127.0.0.1:{port}",
        "rtsp": f"rtsp://127.0.0.1:{port}/live",
    }[scheme]
    listens_at = {
        "srt": (f"srt://127.0.0.1:{port}?mode=listener&passphrase=secret-phrase", ()),
        "udp": (f"udp://127.0.0.1:{port}?timeout=20000000", ()),
        "rtsp": (f"rtsp://127.0.0.1:{port}/live", ("-rtsp_flags", "listen")),
    }[scheme]
    pulled: list[Frame] = []
    listener = threading.Thread(
        target=lambda: pulled.extend(pull(listens_at[0], 20, SIZE, options=listens_at[1])), daemon=True
    )
    with Pushing(stream(sent_to)) as pushing:
        listener.start()
        listener.join(40)
        assert "secret" not in str(pushing.output.status())
    assert len(pulled) == 20
    assert max(psnr(pulled[-1].y, picture.y) for picture in pushing.pictures) > 30


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("rtmp://nosuch.invalid/LiveApp/secret-key", "resolve"),
        ("rtmp://127.0.0.1:1/LiveApp/secret-key", "refused"),
        ("rtmp://[::1]:1/LiveApp/secret-key", "refused|assign"),
    ],
)
def test_what_cannot_be_reached_is_waited_for_and_said_without_the_key(
    url: str, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Pushing(stream(url)) as pushing:
        pushing.until(StreamState.WAITING)
        assert re.search(complaint, pushing.output.status()["error"])
    assert "secret-key" not in caplog.text + str(pushing.output.status())


def test_without_an_ffmpeg_the_stream_fails_in_words_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "ffmpeg"
    old.write_text("#!/bin/sh\necho ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright\n")
    old.chmod(0o755)
    monkeypatch.setenv("VCAM_FFMPEG", str(old))
    find_ffmpeg.cache_clear()
    forget_encoders()
    try:
        with Pushing(stream("rtmp://127.0.0.1:1/LiveApp/x")) as pushing:
            pushing.until(StreamState.FAILED)
            assert "older than 5.1" in pushing.output.status()["error"]
    finally:
        find_ffmpeg.cache_clear()
        forget_encoders()


def test_an_encoder_that_is_listed_but_does_not_work_is_not_chosen() -> None:
    assert find_encoder("h264", "auto", SIZE, 30, "rtmp").name == "libx264"
    if not Path("/dev/dri").exists():
        with pytest.raises(OutputError, match="no ffmpeg here can encode"):
            find_encoder("h264", "h264_vaapi", SIZE, 30, "rtmp")


def test_the_key_is_not_on_ffmpegs_command_line_where_that_ffmpeg_can_be_told_otherwise(nginx: Nginx) -> None:
    if not can_hide_options(find_ffmpeg()):
        pytest.skip("this ffmpeg takes no options of protocols from a file")
    nginx.start()
    with Pushing(stream(nginx.url("secret-key"))) as pushing:
        pushing.until(StreamState.STREAMING)
        command = Path(f"/proc/{children()[0]}/cmdline").read_bytes()
        assert b"LiveApp" in command
        assert b"secret-key" not in command
        assert "publish: name='secret-key'" in nginx.log.read_text()


def test_a_machine_without_the_microphone_streams_silence_and_says_so(nginx: Nginx) -> None:
    nginx.start()
    with Pushing(stream(nginx.url("mute"), audio="alsa:no-such-card")) as pushing:
        pushing.until(StreamState.STREAMING)
        assert "nothing can be heard from alsa:no-such-card" in pushing.output.status()["sound"]


@pytest.mark.parametrize(
    ("size", "fps", "kbit"), [((1280, 720), 30, 2800), ((1920, 1080), 30, 6200), ((64, 48), 5, 300)]
)
def test_the_bit_rate_goes_by_the_size(size: tuple[int, int], fps: float, kbit: int) -> None:
    assert suggested_bitrate(size, fps) == kbit


def test_an_odd_size_is_refused_when_the_stream_is_opened() -> None:
    with pytest.raises(UsageError, match="even"):
        stream("rtmp://127.0.0.1/LiveApp/x").open((321, 180), 30)


def test_memory_stays_bounded_while_the_server_is_away() -> None:
    output, frame = stream("rtmp://127.0.0.1:1/LiveApp/x"), pattern_frame((1280, 720))
    threads = threading.active_count()
    output.open(frame.size, 30)
    try:
        until(lambda: output.state is StreamState.WAITING, 20, output.status)
        before = resident_mb()
        for _ in range(500):
            output.write(frame)
            time.sleep(0.001)
        # far less than the 690 MB that were written
        assert resident_mb() - before < 100
        assert threading.active_count() <= threads + 2
    finally:
        output.close()
