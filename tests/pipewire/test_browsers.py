"""Real browsers, with a real portal between them and PipeWire."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from tests.pipewire.marionette import FIREFOX, Firefox, FirefoxEnded
from tests.web.browser import CHROMIUM, Browser
from vcam.output.virtual.pipewire import PipeWireCamera

pytestmark = [pytest.mark.process, pytest.mark.long]

# a browser asks the portal when it is first asked for a camera, and says that there is none until it has the answer
CAMERA = """(async () => {
  let stream = null, failure = null;
  for (let tries = 0; tries < 20 && !stream; tries++) {
    try { stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}}); }
    catch (error) { failure = error; await new Promise(done => setTimeout(done, 500)); }
  }
  if (!stream) throw failure;
  const video = document.createElement("video");
  video.muted = true; video.srcObject = stream;
  await video.play();
  const canvas = document.createElement("canvas"), paint = canvas.getContext("2d"), seen = [];
  for (let frames = 0; frames < 40; frames++) {
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    paint.drawImage(video, 0, 0);
    seen.push(Array.from(paint.getImageData(50, 50, 1, 1).data).slice(0, 3));
    await new Promise(done => setTimeout(done, 50));
  }
  const label = stream.getVideoTracks()[0].label, size = [video.videoWidth, video.videoHeight];
  stream.getTracks().forEach(track => track.stop());
  return {label, size, seen};
})()"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>camera</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """Browsers give cameras to pages of this machine."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def judge(found: dict[str, object] | str) -> None:
    assert isinstance(found, dict), found
    assert found["label"] == "vcam"
    assert found["size"] == [640, 480]
    seen = found["seen"]
    assert isinstance(seen, list)
    last = [pixel for pixel in seen if any(pixel)]
    assert len({tuple(pixel) for pixel in last}) > 3, "the picture does not move"
    assert all(red > green + 40 and red > blue + 40 for red, green, blue in last), last


def test_firefox_shows_the_camera(output: PipeWireCamera, page: str) -> None:
    if not FIREFOX:
        pytest.skip("needs Firefox: apt install firefox-esr")
    for tries_left in (2, 1, 0):
        try:
            with Firefox() as browser:
                browser.go(page)
                judge(browser.run(CAMERA))
                return
        except FirefoxEnded:
            # on a busy machine it now and then ends while its portal answers
            if not tries_left:
                raise


def test_chromium_shows_the_camera_with_its_flag(output: PipeWireCamera, page: str) -> None:
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt install chromium")
    with Browser("--enable-features=WebRtcPipeWireCamera", "--use-fake-ui-for-media-stream") as browser:
        tab = browser.page()
        tab.go(page)
        judge(tab.run(CAMERA))
