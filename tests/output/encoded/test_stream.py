"""Streams to real servers on this machine: what viewers see, and what is kept secret."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.output.encoded.claps import Recorder
from tests.output.encoded.helpers import (
    SIZE,
    Doorkeeper,
    Nginx,
    Pushing,
    children,
    free_port,
    psnr,
    pull,
    stream,
    until,
)
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.daemon.live import Live
from vcam.errors import OutputError, UsageError
from vcam.frames import Frame
from vcam.matte.factory import make_matte
from vcam.media.ffmpeg import find_ffmpeg
from vcam.output.encoded import stream as stream_module
from vcam.output.encoded.encoding import can_hide_options, find_encoder, forget_encoders, suggested_bitrate
from vcam.output.encoded.stream import StreamOutput, StreamState
from vcam.pipeline import Pipeline
from vcam.settings import BackgroundSettings, Settings, StreamSettings
from vcam.testing import FakeCamera, FakeSegmenter, RecordingOutput

pytestmark = pytest.mark.process


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
        until(lambda: output.state is StreamState.STREAMING, 60, output.status)
        pulled = pull(nginx.url("room"), 90, SIZE)
    finally:
        life.stop()
        thread.join(30)
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
    assert pushing.was_never_held_up(), (pushing.worst, pushing.late)


def test_a_camera_of_another_rate_gives_a_stream_of_constant_rate_with_a_key_frame_every_two_seconds(
    nginx: Nginx, tmp_path: Path
) -> None:
    if not shutil.which("ffprobe"):
        pytest.skip("ffprobe is not installed")
    nginx.start()
    with Pushing(stream(nginx.url("even"))) as pushing:
        pushing.until(StreamState.STREAMING)
        pushing.fps = 17.0
        time.sleep(pushing.written / 17 - pushing.written / 30 + 1)
        recorder = Recorder(nginx.url("even"), tmp_path / "pulled.mkv")
        time.sleep(7)
        recorder.stop()
        assert pushing.output.status()["doubled"] > 60
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time,flags"]
    told = subprocess.run([*command, "-of", "csv=p=0", str(recorder.path)], capture_output=True, text=True, check=True)
    packets = [line.split(",") for line in told.stdout.split()]
    times = np.array([float(seconds) for seconds, *_ in packets])
    assert len(times) > 90
    assert np.abs(np.diff(times) - 1 / 30).max() < 0.002
    keys = times[[flags.startswith("K") for _, flags, *_ in packets]]
    assert len(keys) >= 2
    assert np.abs(np.diff(keys) - 2.0).max() < 0.002


@pytest.mark.parametrize(
    "name", ["a/b", "stream?token=abc&x=1", "stream?token=a/b==", "stream-with-a-very-long-name-" + 60 * "x"]
)
def test_names_reach_the_server_as_they_were_given(nginx: Nginx, name: str) -> None:
    nginx.start()
    with Pushing(stream(nginx.url(name, "LiveApp"))) as pushing:
        if name == "a/b":
            # two parts are an application of their own, which this server lacks
            pushing.until(StreamState.FAILED)
        else:
            pushing.until(StreamState.STREAMING)
            wanted = name.partition("?")
            assert f"publish: name='{wanted[0]}' args='{wanted[2]}'" in nginx.log.read_text()


@pytest.mark.parametrize("hides", [True, False])
@pytest.mark.parametrize(
    ("url", "key", "application", "name"),
    [
        ("live/0123abcd", "SECRET-123", "live/0123abcd", "SECRET-123"),
        ("live/0123abcd/", "folder/SECRET?t=a/b", "live/0123abcd", "folder/SECRET?t=a/b"),
        ("live", "SECRET?t=a/b", "live", "SECRET?t=a/b"),
        ("live/0123abcd/SECRET-123", "", "live/0123abcd", "SECRET-123"),
        ("live?backup=1", "SECRET-123", "live", "SECRET-123"),
    ],
)
def test_application_and_key_reach_the_server_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, key: str, application: str, name: str, hides: bool
) -> None:
    if hides and not can_hide_options(find_ffmpeg()):
        pytest.skip("this ffmpeg takes no options of protocols from a file")
    monkeypatch.setattr(stream_module, "can_hide_options", lambda program: hides)
    server = Nginx(tmp_path, applications=("live", "live/0123abcd")).start()
    try:
        with Pushing(StreamOutput(server.url("x").replace("LiveApp/x", url), StreamSettings(), key=key)) as pushing:
            pushing.until(StreamState.STREAMING)
            shown = f"{pushing.output.status()} {pushing.output.description}"
            command = Path(f"/proc/{children()[0]}/cmdline").read_bytes().decode()
        log, (plain, _, query) = server.log.read_text(), name.partition("?")
        assert f"connect: app='{application}'" in log
        assert f"publish: name='{plain}' args='{query}'" in log
        assert "SECRET" not in shown
        assert ("SECRET" in command) is not hides
    finally:
        server.kill()


def test_a_key_that_is_refused_is_tried_ever_more_slowly_and_taken_once_it_is_right(tmp_path: Path) -> None:
    keeper = Doorkeeper()
    server = Nginx(tmp_path, on_publish=keeper.url).start()
    try:
        with Pushing(stream(server.url("wrong-key"))) as pushing:
            pushing.until(StreamState.FAILED)
            assert "refuses" in pushing.output.status()["error"]
            assert "wrong-key" not in str(pushing.output.status())
            time.sleep(4)
            assert keeper.asked <= 5
            until(lambda: keeper.asked >= 2)
            keeper.welcome.add("wrong-key")
            pushing.until(StreamState.STREAMING)
    finally:
        server.kill()
        keeper.close()


def test_closing_says_goodbye_to_the_server_at_once(nginx: Nginx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "CLOSE_PATIENCE", 40.0)
    nginx.start()
    with Pushing(stream(nginx.url("bye"))) as pushing:
        pushing.until(StreamState.STREAMING)
        begun = time.monotonic()
    assert time.monotonic() - begun < 20
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
        "udp": (f"udp://127.0.0.1:{port}?timeout=60000000", ()),
        # without a limit newer ffmpegs refuse to listen: they take their own default for out of range
        "rtsp": (f"rtsp://127.0.0.1:{port}/live", ("-rtsp_flags", "listen", "-listen_timeout", "60")),
    }[scheme]
    pulled: list[Frame] = []
    listener = threading.Thread(
        target=lambda: pulled.extend(pull(listens_at[0], 20, SIZE, options=listens_at[1])), daemon=True
    )
    with Pushing(stream(sent_to)) as pushing:
        listener.start()
        listener.join(90)
        assert "secret" not in str(pushing.output.status())
    assert len(pulled) == 20
    assert max(psnr(pulled[-1].y, picture.y) for picture in pushing.pictures) > 30


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
        with pytest.raises(OutputError, match="h264_vaapi does not work here: there is no graphics card") as caught:
            find_encoder("h264", "h264_vaapi", SIZE, 30, "rtmp")
        assert "stream.encoder=libx264" in caught.value.hint


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


@pytest.mark.parametrize(
    ("size", "fps", "kbit"), [((1280, 720), 30, 2800), ((1920, 1080), 30, 6200), ((64, 48), 5, 300)]
)
def test_the_bit_rate_goes_by_the_size(size: tuple[int, int], fps: float, kbit: int) -> None:
    assert suggested_bitrate(size, fps) == kbit


def test_an_odd_size_is_refused_when_the_stream_is_opened() -> None:
    with pytest.raises(UsageError, match="even"):
        stream("rtmp://127.0.0.1/LiveApp/x").open((321, 180), 30)
