"""Network cameras: a phone that sends JPEG over HTTP, and an IP camera that speaks RTSP, both on this machine."""

from __future__ import annotations

import contextlib
import re
import socketserver
import struct
import subprocess
import threading
import time

import numpy as np
import pytest

from tests.output.encoded.helpers import free_port
from vcam.camera.url import UrlCamera
from vcam.errors import CameraError
from vcam.media.ffmpeg import find_ffmpeg

pytestmark = pytest.mark.process

SIZE = (96, 64)
RED = ["-v", "error", "-re", "-f", "lavfi", "-i", "color=c=0xFF0000:s=192x128:r=30"]


def assert_red(frame):
    assert frame.size == SIZE
    assert not frame.full_range
    means = [float(plane.mean()) for plane in frame.planes]
    np.testing.assert_allclose(means, (81, 90, 240), atol=4)


def opened(url, seconds=60.0):
    """The camera and its first frame; its server may need a moment to come up."""
    deadline = time.monotonic() + seconds
    while True:
        camera = UrlCamera(url, SIZE, 30, 5)
        camera.open()
        try:
            return camera, camera.read()
        except CameraError:
            camera.close()
            assert time.monotonic() < deadline
            time.sleep(0.1)


def read_many(camera):
    for _ in range(200):
        camera.read()


def test_a_phone_that_sends_jpeg_over_http():
    url = f"http://127.0.0.1:{free_port()}/video"
    phone = subprocess.Popen(
        [find_ffmpeg(), *RED, "-pix_fmt", "yuvj420p", "-f", "mpjpeg", "-listen", "1", url],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        camera, frame = opened(url)
        assert_red(frame)
        for _ in range(5):
            assert_red(camera.read())
        phone.kill()
        phone.wait()
        with pytest.raises(CameraError, match="has ended"):
            read_many(camera)
        camera.close()
    finally:
        phone.kill()
        phone.wait()


class RtspCamera(socketserver.BaseRequestHandler):
    """As much of RTSP as a camera needs: an MPEG transport stream in RTP packets over the same connection."""

    SDP = (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
        "m=video 0 RTP/AVP 33\r\na=control:track1\r\n"
    )

    def handle(self):
        lines = self.request.makefile("rb")
        while request := lines.readline().decode():
            head = ""
            while (line := lines.readline().decode()).strip():
                head += line
            number = re.search(r"CSeq: *(\d+)", head, re.IGNORECASE)[1]
            method = request.split()[0]
            self.server.methods.append(method)
            more, body = "", ""
            if method == "DESCRIBE":
                body = self.SDP
                more = f"Content-Base: {request.split()[1]}/\r\nContent-Type: application/sdp\r\n"
            elif method == "SETUP":
                assert "RTP/AVP/TCP" in head
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
            elif method == "OPTIONS":
                more = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            answer = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
            self.request.sendall(answer.encode())
            if method == "PLAY":
                with contextlib.suppress(OSError):
                    self.play()
                return

    def play(self):
        encoder = [find_ffmpeg(), *RED, "-c:v", "mpeg2video", "-g", "5", "-q:v", "2", "-f", "mpegts", "-"]
        source = subprocess.Popen(
            encoder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        try:
            number = 0
            while data := source.stdout.read(7 * 188):
                stamp = int(time.monotonic() * 90000) & 0xFFFFFFFF
                packet = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, stamp, 1) + data
                self.request.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                number += 1
        finally:
            source.kill()
            source.stdout.close()
            source.wait()


def test_a_camera_that_speaks_rtsp():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), RtspCamera) as server:
        server.daemon_threads = True
        server.methods = []
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        camera, frame = opened(f"rtsp://127.0.0.1:{server.server_address[1]}/live")
        assert_red(frame)
        for _ in range(5):
            assert_red(camera.read())
        camera.close()
        server.shutdown()
    assert server.methods[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
