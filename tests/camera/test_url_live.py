"""Network cameras that are slow, silent, in a rush or no cameras at all: what is read, how old it is, who sees what."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from vcam.camera.url import UrlCamera, _Lead, nameless
from vcam.errors import CameraError, CameraStalled, UsageError
from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg, run_once
from vcam.media.live import LiveReader

SIZE = (128, 64)
BITS = 8


def jpeg(number: int, size: tuple[int, int] = SIZE) -> bytes:
    """A picture that tells its number in black and white columns."""
    picture = np.zeros((size[1], BITS, 3), np.uint8)
    for bit in range(BITS):
        picture[:, bit] = 255 if number >> bit & 1 else 0
    return cv2.imencode(".jpg", cv2.resize(picture, size, interpolation=cv2.INTER_NEAREST))[1].tobytes()


def number_of(frame) -> int:
    step = frame.width // BITS
    return sum(1 << bit for bit in range(BITS) if frame.y[32, bit * step + step // 2] > 128)


class Phone:
    """Sends JPEG over HTTP, as phones and cheap cameras do."""

    def __init__(self, script: Callable[[Phone], None]) -> None:
        """script: what each connection gets; it calls `send`."""
        phone = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args) -> None:
                pass

            def do_GET(self) -> None:
                phone.requests.append((self.path, self.headers.get("Authorization", "")))
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=--next")
                self.end_headers()
                phone.out = self.wfile
                with contextlib.suppress(OSError):
                    script(phone)

        self.requests: list[tuple[str, str]] = []
        self.sent: dict[int, float] = {}
        self.ended = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.place = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    def send(self, number: int, size: tuple[int, int] = SIZE) -> None:
        data = jpeg(number % 256, size)
        self.sent[number % 256] = time.monotonic()
        head = f"----next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        self.out.write(head.encode() + data + b"\r\n")

    def pace(self, fps: float) -> None:
        """What is due now is sent, as a phone does, until the other side or the test ends."""
        number, began = 0, time.monotonic()
        while not self.ended.is_set():
            number = max(number + 1, int((time.monotonic() - began) * fps))
            time.sleep(max(0.0, began + number / fps - time.monotonic()))
            self.send(number)

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *exc: object) -> None:
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def opened(address: str, *, patience: float = 30.0) -> Iterator[UrlCamera]:
    camera = UrlCamera(address, SIZE, 30, patience)
    camera.open()
    try:
        yield camera
    finally:
        camera.close()


def read_on(camera: UrlCamera) -> None:
    """Until there is none."""
    while camera.read():
        pass


@pytest.mark.process
def test_a_reader_three_times_too_slow_gets_the_newest_frame_and_its_age_does_not_grow() -> None:
    ages, stamps = [], []
    with Phone(lambda phone: phone.pace(30)) as phone, opened(f"http://{phone.place}/video") as camera:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            frame = camera.read()
            now = time.monotonic()
            ages.append(now - phone.sent[number_of(frame)])
            stamps.append(now - frame.timestamp)
            time.sleep(0.1)
        dropped, read = camera.dropped, len(ages)
    # One that gets every frame is two seconds late by then, and ever later; late frames of a busy machine are no trend.
    half = read // 2
    assert np.median(ages[half:]) < 0.8
    assert np.median(ages[half:]) < np.median(ages[2:half]) + 0.5
    assert np.median(stamps) < 0.3
    assert min(stamps) >= 0
    assert dropped >= 0.5 * read


@pytest.mark.process
def test_a_burst_after_a_gap_ends_with_its_last_frame() -> None:
    go = threading.Event()

    def script(phone: Phone) -> None:
        for number in range(10):
            phone.send(number)
            time.sleep(0.03)
        go.wait(60)
        for number in range(10, 60):
            phone.send(number)
        phone.ended.wait(30)

    with Phone(script) as phone, opened(f"http://{phone.place}/video") as camera:
        # after a burst, some versions of ffmpeg keep the last picture until more comes
        while number_of(camera.read()) < 9:
            pass
        go.set()
        end = time.monotonic() + 30
        while number_of(camera.read()) < 58:
            assert time.monotonic() < end
        assert camera.dropped > 0
        assert len(phone.requests) == 1


@pytest.mark.process
def test_no_picture_waits_for_the_next_one() -> None:
    """A camera that sends one a second would be a second late, more on a machine with many cores."""

    def script(phone: Phone) -> None:
        for number in range(6):
            phone.send(number)
            time.sleep(0.1)
        # the connection stays, silent
        phone.ended.wait(120)

    with Phone(script) as phone, opened(f"http://{phone.place}/video", patience=30) as camera:
        while number_of(camera.read()) < 5:
            pass


@pytest.mark.process
def test_a_camera_that_changes_its_size_goes_on_in_the_size_asked_for() -> None:
    def script(phone: Phone) -> None:
        for number in range(255):
            phone.send(number, SIZE if number < 20 else (256, 128))
            if phone.ended.wait(0.02):
                break

    with Phone(script) as phone, opened(f"http://{phone.place}/video") as camera:
        while number_of(frame := camera.read()) < 60:
            assert frame.size == SIZE


@pytest.mark.process
@pytest.mark.parametrize("begun", [False, True])
def test_a_camera_that_falls_silent_is_waited_for_in_short_pieces(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for patience in ("camera.newest", "media.live"):
        monkeypatch.setattr(f"vcam.{patience}._CLOSING", 60.0)

    def script(phone: Phone) -> None:
        for number in range(3 if begun else 0):
            phone.send(number)
        phone.ended.wait(120)

    with Phone(script) as phone, opened(f"http://{phone.place}/video", patience=0.2) as camera:
        seen, end = 0, time.monotonic() + 30
        while begun and not seen:
            assert time.monotonic() < end
            with contextlib.suppress(CameraStalled):
                camera.read()
                seen += 1
        with pytest.raises(CameraStalled) as silent:
            read_on(camera)
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(CameraStalled, match="the network camera has sent nothing for"):
                camera.read()
            assert time.monotonic() - began < 15
        assert phone.place not in silent.value.message
        assert phone.place in silent.value.hint
        began = time.monotonic()
        camera.close()
        assert time.monotonic() - began < 15


class Films(http.server.BaseHTTPRequestHandler):
    folder: Path

    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        data = (self.folder / self.path.partition("?")[0].lstrip("/")).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)


def film(path: Path, seconds: float) -> None:
    """Its luma grows by 0.9 with each frame, from 16 on; thirty are a second."""
    source = f"nullsrc=s=128x64:r=30:d={seconds},geq=lum='16+0.9*N':cb=128:cr=128,format=yuv420p"
    said = run_once(find_ffmpeg(), ["-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-f", "matroska", str(path)])
    assert said is None


@pytest.mark.process
@pytest.mark.parametrize("name", ["clip.mkv", "download?file=clip"])
def test_a_film_behind_an_address_is_played_at_its_own_pace_and_from_its_beginning(tmp_path: Path, name: str) -> None:
    film(tmp_path / name.partition("?")[0], 8)
    handler = type("Handler", (Films,), {"folder": tmp_path})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with opened(f"http://127.0.0.1:{server.server_port}/{name}") as camera:
            camera.read()
            began = time.monotonic()
            while (now := time.monotonic()) < began + 2:
                frame = camera.read()
                now = time.monotonic()
            shown = (float(frame.y.mean()) - 16) / 0.9 / 30
            # at most as long as it has been played, less what it took to know it for a film
            assert 0.2 < shown < now - began + 0.5
        server.shutdown()


@pytest.mark.process
def test_what_a_camera_is_asked_with_is_right_and_on_no_command_line() -> None:
    with Phone(lambda phone: phone.pace(30)) as phone:
        address = f"HTTP://me:s%40cret@{phone.place}/it's/abc;d?user=admin&pwd=geheim77 x"
        with opened(address) as camera:
            camera.read()
            children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
            lines = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
            assert any(b"rawvideo" in line for line in lines)
            for secret in (b"geheim77", b"s%40cret", b"s@cret", phone.place.encode(), b"abc;d"):
                assert not any(secret in line for line in lines)
        path, login = phone.requests[0]
    assert path.replace("%20", " ") == "/it's/abc;d?user=admin&pwd=geheim77 x"
    # "me:s@cret"
    assert login in ("", "Basic bWU6c0BjcmV0")


@pytest.mark.process
def test_what_ffmpeg_says_of_an_address_is_told_without_it() -> None:
    with (
        opened("rtsp://admin:geheim77@127.0.0.1:9/user=admin&password=hunter22") as camera,
        pytest.raises(CameraError) as refused,
    ):
        camera.read()
    said = str(refused.value)
    assert "rtsp://127.0.0.1:9" in said
    assert not any(secret in said for secret in ("geheim77", "hunter22", "admin"))
    assert "127.0.0.1" not in refused.value.message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Connection to tcp://cam.example.org:554?timeout=0 failed: Connection refused",
         "Connection to its address failed: Connection refused"),
        ("Failed to resolve hostname cam.example.org: Name or service not known",
         "Failed to resolve hostname its host: Name or service not known"),
        ("Impossible to open 'rtsp://me:pw77@Cam.example.org:554/key'", "Impossible to open 'its address'"),
        ("method DESCRIBE failed: 401 Unauthorized", "method DESCRIBE failed: 401 Unauthorized"),
    ],
)  # fmt: skip
def test_a_call_does_not_read_where_a_camera_is(said: str, told: str) -> None:
    assert nameless(said, "rtsp://me:pw77@Cam.example.org:554/key") == told


@pytest.mark.parametrize("address", ["rtsp://", "http:///", "rtsp://host/a\nfile b", "http://host/\x00"])
def test_what_cannot_be_an_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        UrlCamera(address, SIZE, 30)


@pytest.mark.process
def test_a_list_of_pieces_may_not_lead_to_files_of_this_machine(tmp_path: Path) -> None:
    film(tmp_path / "private.mkv", 0.2)
    listing = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.2,\nfile://{tmp_path}/private.mkv\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.m3u8").write_text(listing)
    handler = type("Handler", (Films,), {"folder": tmp_path})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with opened(f"http://127.0.0.1:{server.server_port}/list.m3u8") as camera, pytest.raises(CameraError):
            camera.read()
        server.shutdown()


@pytest.mark.process
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_ffmpeg_does_not_hold_a_silent_connection_for_ever(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.media.live._SILENCE", "300000")
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = LiveReader(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/x", SIZE)
        # nobody ends it
        assert not reader.read(Frame.allocate(*SIZE))
        reader.close()
        reader.release()


@pytest.mark.process
def test_a_wrong_path_is_told_in_the_server_s_words(tmp_path: Path) -> None:
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with opened(f"http://127.0.0.1:{server.server_port}/geheim77") as camera, pytest.raises(CameraError) as said:
            camera.read()
        server.shutdown()
    assert "404" in said.value.message
    assert "geheim77" not in str(said.value)


@pytest.mark.process
def test_a_reader_that_waits_is_woken_by_the_end() -> None:
    with Phone(lambda phone: phone.ended.wait(30)) as phone:
        reader = LiveReader(f"http://{phone.place}/x", SIZE)
        ended: list[bool] = []
        thread = threading.Thread(target=lambda: ended.append(reader.read(Frame.allocate(*SIZE))))
        thread.start()
        reader.close()
        thread.join(30)
        assert ended == [False]
        reader.release()


def fed(lead: _Lead, *, rate: float, sent: float, seconds: float, start: float = 0.0) -> float:
    """A stream that says `rate` frames a second and sends `sent`; returns when it ends."""
    count = int(sent * seconds)
    for number in range(count):
        lead.frame(start + number / sent, rate)
        if lead.film:
            break
    return start + count / sent


@pytest.mark.parametrize("likely", [False, True])
@pytest.mark.parametrize("sent", [15.0, 30.0])
def test_no_camera_is_taken_for_a_film_in_an_hour(likely: bool, sent: float) -> None:
    lead = _Lead(likely)
    fed(lead, rate=25.0, sent=sent, seconds=3600)
    assert not lead.film
    assert lead.seconds < 0.3


def test_a_fast_camera_without_time_stamps_is_no_film() -> None:
    lead = _Lead(False)
    fed(lead, rate=25.0, sent=90.0, seconds=600)
    assert not lead.film


def test_what_a_camera_had_kept_for_a_new_viewer_is_not_shown_and_is_no_film() -> None:
    lead = _Lead(False)
    end = fed(lead, rate=30.0, sent=600.0, seconds=0.4)
    assert lead.seconds > 5
    assert lead.rushed
    lead.frame(end + 1 / 30, 30.0)
    assert not lead.rushed
    fed(lead, rate=30.0, sent=30.0, seconds=60, start=end + 2 / 30)
    assert not lead.film
    assert lead.seconds == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("likely", "sent", "patience"), [(False, 300.0, 3.0), (True, 300.0, 0.2), (True, 60.0, 3.0)])
def test_a_film_is_known_soon(likely: bool, sent: float, patience: float) -> None:
    lead = _Lead(likely)
    fed(lead, rate=30.0, sent=sent, seconds=patience)
    assert lead.film


def test_jitter_makes_no_film() -> None:
    lead, now, random = _Lead(True), 0.0, np.random.default_rng(1)
    for number in range(20000):
        now = max(now, number / 30 + random.uniform(0, 0.3))
        lead.frame(now, 30.0)
        assert not lead.film
