"""Run in the virtual machine by tests/vm/test_vm.py: a page in Chromium asks for a camera and gets vcam."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import subprocess
import threading

import pytest

from tests.vm.guest import CAMERA, Daemon, report, show_bars, until

CHROMIUM = "/usr/lib/chromium/chromium"
PAGE = b"""<!doctype html><video id=video autoplay muted playsinline></video><canvas id=canvas></canvas><script>
async function look() {
  const seen = {};
  try {
    const wanted = {width: 640, height: 360};
    const first = await navigator.mediaDevices.getUserMedia({video: wanted});
    const devices = await navigator.mediaDevices.enumerateDevices();
    seen.devices = devices.filter(device => device.kind == 'videoinput').map(device => device.label);
    const mine = devices.find(device => device.label.startsWith('vcam'));
    first.getTracks().forEach(track => track.stop());
    const stream = await navigator.mediaDevices.getUserMedia({video: {...wanted, deviceId: {exact: mine.deviceId}}});
    seen.label = stream.getVideoTracks()[0].label;
    video.srcObject = stream;
    await new Promise(done => video.onloadeddata = done);
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    const paper = canvas.getContext('2d', {willReadFrequently: true});
    for (let i = 0; i < 60; i++) {
      paper.drawImage(video, 0, 0);
      seen.corners = [[2, 2], [canvas.width - 3, 2], [2, canvas.height - 3]].map(
        ([x, y]) => [...paper.getImageData(x, y, 1, 1).data].slice(0, 3));
      if (seen.corners[0][2] > 100) break;
      await new Promise(done => setTimeout(done, 100));
    }
    const before = video.getVideoPlaybackQuality().totalVideoFrames, began = performance.now();
    await new Promise(done => setTimeout(done, 2000));
    seen.rate = (video.getVideoPlaybackQuality().totalVideoFrames - before) / (performance.now() - began) * 1000;
    seen.size = [canvas.width, canvas.height];
  } catch (error) { seen.error = error.name + ': ' + error.message; }
  await fetch('/seen', {method: 'POST', body: JSON.stringify(seen)});
}
look();
</script>"""


class Site:
    """One page on this machine, and what it reported."""

    def __init__(self):
        site, self.seen, self._done = self, {}, threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(PAGE)

            def do_POST(self):
                site.seen = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()
                site._done.set()

            def log_message(self, *words):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def wait(self, seconds):
        assert self._done.wait(seconds), "the page has not reported"
        return self.seen

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


def browse(port, folder):
    # what the guest tells malloc is for programs that hold large pictures; Chromium has an allocator of its own
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    quiet = ["--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update"]
    return subprocess.Popen(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", *quiet,
         "--use-fake-ui-for-media-stream", f"--user-data-dir={folder}", f"http://localhost:{port}/"],
        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
    )  # fmt: skip


@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium: apt install chromium")
def test_a_page_in_chromium_sees_vcam_by_name_and_the_new_background(site, tmp_path):
    show_bars()
    with Daemon() as daemon:
        daemon.wait_until("idle")
        browser = browse(site.port, tmp_path)
        try:
            seen = site.wait(400)
        finally:
            # it is a dozen processes, one of which has the camera
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
        report(f"Chromium: {seen}")
        assert "error" not in seen
        assert any(label.startswith("vcam") for label in seen["devices"])
        assert seen["label"].startswith("vcam")
        # of the bars the corners would be white and black; #204080 is what vcam shows behind the person
        for corner in seen["corners"][:2]:
            assert all(abs(mine - wanted) < 10 for mine, wanted in zip(corner, (0x20, 0x40, 0x80), strict=True)), seen
        daemon.wait_until("idle", 20)
        # it is closed in a thread
        until(lambda: not daemon.holds(CAMERA), 3, "the camera is closed")
