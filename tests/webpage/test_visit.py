"""The page as people visit it: the camera comes and goes, the network does, and it is used without a mouse."""

from __future__ import annotations

import base64
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.web.browser import Browser, Page
from tests.webpage.visiting import Site, click, frames, text, visit

pytestmark = [pytest.mark.process, pytest.mark.long]

ON = "vcam.app.loop.shown === 'person'"
ALERT = "[role=alert]"


def _refusing(name: str) -> str:
    return f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{name}'));"


def _shown(page: Page, path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    page.picture(path)
    picture = cv2.imread(str(path))
    assert picture is not None
    return picture.astype(np.uint8)


def test_the_camera_is_on_only_while_it_is_wanted(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    assert text(page, ".state") == "Camera off"
    assert site.asked.count("/models/selfie-landscape.onnx") == 0
    click(page, "button.main")
    page.wait(ON)
    assert text(page, ".state") == "Live"
    # a camera that is unplugged: the placeholder at once, and it is opened again when it is back
    page.run("vcam.app.video.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended')); 0")
    assert page.run("vcam.app.loop.shown") == "placeholder"
    assert text(page, ALERT).startswith("The camera is gone")
    page.wait(ON)
    assert text(page, ALERT) == ""
    page.run("globalThis.track = vcam.app.video.srcObject.getVideoTracks()[0]; 0")
    click(page, "button.main")
    assert page.run("vcam.app.loop.shown") == "placeholder"
    assert page.run("track.readyState") == "ended"
    assert text(page, ".state") == "Camera off"
    assert [each for each in page.console if "ReadPixels" not in each] == []


def test_what_is_shown_is_recorded(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = visit(browser, site, "test=1&engine=wasm&background=green&size=640x360")
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    click(page, "button.main")
    page.wait(ON)
    click(page, "figcaption button:nth-of-type(2)")
    page.wait("vcam.app.recording?.parts.length >= 2")
    click(page, "figcaption button:nth-of-type(2)")
    page.wait("vcam.app.note.startsWith('Saved as')")
    end = time.monotonic() + 60
    while not (films := [path for path in tmp_path.iterdir() if path.suffix in (".webm", ".mp4")]):
        assert time.monotonic() < end
        time.sleep(0.05)
    film = cv2.VideoCapture(str(films[0]))
    there, first = film.read()
    film.release()
    assert there
    assert first.shape == (360, 640, 3)
    assert np.abs(first[20, 20].astype(int) - (0, 255, 0)).max() < 40


def test_a_camera_that_cannot_be_had_is_said(browser: Browser, site: Site) -> None:
    for name, words in (
        ("NotAllowedError", "do not let"),
        ("NotFoundError", "no camera"),
        ("NotReadableError", "in use"),
    ):
        page = visit(browser, site, before=_refusing(name))
        click(page, "button.main")
        page.wait(f"document.querySelector('{ALERT}').textContent.includes({words!r})")
        assert text(page, ".state") == "Not working"
    page = visit(browser, site, before="Object.defineProperty(navigator, 'mediaDevices', {value: undefined});")
    click(page, "button.main")
    page.wait(f"document.querySelector('{ALERT}').textContent.includes('gives pages no camera')")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("delete globalThis.WebAssembly;", "no WebAssembly"),
        ("HTMLCanvasElement.prototype.getContext = () => null;", "no WebGL2"),
        ("globalThis.fetch = () => Promise.reject(new TypeError('no'));", "A file of this page is missing"),
    ],
)
def test_an_old_browser_is_told_what_it_lacks(browser: Browser, site: Site, before: str, words: str) -> None:
    page = visit(browser, site, "", before)
    page.wait(f"document.querySelector('{ALERT}')")
    assert words in text(page, ALERT)


def test_a_lost_graphics_processor_comes_back(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    click(page, "button.main")
    page.wait(ON)
    page.run("globalThis.lose = vcam.app.painter.tools.gl.getExtension('WEBGL_lose_context'); lose.loseContext(); 0")
    page.wait("vcam.app.lost")
    assert "was lost" in text(page, ALERT)
    page.run("lose.restoreContext(); 0")
    page.wait(f"!vcam.app.lost && {ON}")
    assert text(page, ALERT) == ""


def test_it_works_without_a_network_from_the_second_time_on(browser: Browser, site: Site, folder: Path) -> None:
    """On any web server: the threads of the network need headers, which the service worker adds."""
    site.end()
    site = Site(folder, plain=True)
    page = visit(browser, site)
    assert page.run("crossOriginIsolated") is False
    page.run("navigator.serviceWorker.ready.then(() => 0)")
    page.wait("navigator.serviceWorker.controller")
    # what only WebGPU needs is twice as large, and was not fetched
    assert not any("asyncify" in path for path in site.asked)
    site.end()
    page.go(f"{site.address}?test=1&engine=wasm")
    page.wait("globalThis.vcam && crossOriginIsolated")
    click(page, "button.main")
    page.wait(ON)
    page.run("vcam.app.figures(); 0")
    assert "Works offlineyes" in text(page, ".facts")


def test_another_program_that_has_the_port_later_is_not_hidden(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    page.run("navigator.serviceWorker.ready.then(() => 0)")
    page.wait("navigator.serviceWorker.controller")
    site.end()

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>theirs</title><p id=theirs>theirs")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", urlsplit(site.address).port or 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        page.go(site.address)
        page.wait("document.querySelector('#theirs')")
        # before the page was answered
        assert page.run("navigator.serviceWorker.getRegistrations().then(all => all.length)") == 0
        assert page.run("caches.keys().then(all => all.filter(name => name.startsWith('vcam page')).length)") == 0
        other.shutdown()


STAYS = (
    "navigator.serviceWorker.getRegistration().then(async (there) => !!there &&"
    " (await caches.keys()).filter(name => name.startsWith('vcam page')).length === 1)"
)


def test_what_is_no_page_and_has_no_end_is_shown_and_ends_nothing(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    page.run("navigator.serviceWorker.ready.then(() => 0)")
    page.wait("navigator.serviceWorker.controller")
    # a file of its own, and one that it does not have
    for path, sign in (
        ("icon.svg", "document.documentElement?.tagName === 'svg'"),
        ("nowhere", "performance.getEntriesByType('navigation')[0]?.responseStatus === 404"),
    ):
        page.go(f"{site.address}{path}")
        page.wait(sign)
        assert page.run(STAYS), path
    site.end()
    over = threading.Event()

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = {
                "/log": (200, "text/plain", b"endless", True),
                "/slow": (200, "text/html", b"<p>endless", True),
                "/broken": (500, "text/html", b"<p>broken", False),
            }
            status, kind, text, endless = said.get(urlsplit(self.path).path, (404, "text/html", b"<p>missing", False))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            # a browser waits for more where it has to guess
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(text + b" " * 2000)
            self.wfile.flush()
            if endless:
                over.wait(120)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", urlsplit(site.address).port or 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        try:
            for path, words in (
                ("log", "endless"), ("slow", "endless"), ("broken", "broken"), ("", "missing"),
            ):  # fmt: skip
                page.go(f"{site.address}{path}")
                page.wait(f"document.body?.innerText.includes({words!r})")
                assert page.run(STAYS), path
        finally:
            over.set()
            other.shutdown()


def test_as_a_source_in_obs_it_is_the_picture_alone(browser: Browser, site: Site, tmp_path: Path) -> None:
    page = visit(browser, site, "test=1&bare=1&background=color:%232040a0&size=640x360&engine=wasm")
    page.wait(ON)
    page.look_like(width=640, height=360)
    page.wait("innerWidth === 640")
    assert page.run("document.body.innerText.trim()") == ""
    assert page.run("document.querySelectorAll('#app *').length") == 1
    picture = _shown(page, tmp_path / "bare.png")
    assert np.abs(picture[10, 10].astype(int) - (0xA0, 0x40, 0x20)).max() <= 3
    # nothing of it is kept for the page that people see
    assert page.run("localStorage.getItem('vcam settings')") is None


def test_nothing_is_asked_of_anybody_else(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    click(page, "button.main")
    page.wait(ON)
    names = page.run("performance.getEntriesByType('resource').map((each) => each.name)")
    assert names
    assert all(name.startswith((site.address, f"blob:{site.address}")) for name in names)
    assert page.run("fetch('https://example.org/').then(() => 'fetched', () => 'refused')") == "refused"


def test_it_is_used_by_keyboard_and_read_aloud(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    page.run("document.querySelector('details').open = true; document.querySelector('[value=blur]').focus(); 0")
    page.call(
        "Input.dispatchKeyEvent", type="rawKeyDown", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
    )
    page.call("Input.dispatchKeyEvent", type="keyUp", key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    page.wait("vcam.app.settings.background === 'color'")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    acting = {"button", "radio", "checkbox", "switch", "slider", "combobox", "link", "ColorWell", "img", "image"}
    found = {
        node["role"]["value"]: node.get("name", {}).get("value", "")
        for node in nodes
        if not node.get("ignored") and node["role"]["value"] in acting
    }
    assert {"button", "radio", "slider", "switch", "checkbox"} <= found.keys()
    unnamed = [
        node["role"]["value"]
        for node in nodes
        if not node.get("ignored")
        and node["role"]["value"] in acting
        and not node.get("name", {}).get("value", "").strip()
    ]
    assert unnamed == []


def test_it_fits_a_narrow_screen(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    page.look_like(width=360, height=740)
    page.wait("innerWidth === 360")
    page.run("document.querySelector('details').open = true; 0")
    assert page.run("document.documentElement.scrollWidth") <= 360


def test_a_picture_of_ones_own_is_kept(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    page.run("vcam.app.own(new File(['no picture'], 'a.png')).then(() => 0)")
    assert "no picture" in page.run("vcam.app.note")
    assert page.run("vcam.app.settings.background") == "blur"
    jpeg = base64.b64encode(cv2.imencode(".jpg", frames(1)[0])[1].tobytes()).decode()
    page.run(
        f"const bytes = Uint8Array.from(atob('{jpeg}'),"
        " (letter) => letter.charCodeAt(0)); vcam.app.own(new File([bytes], 'room.jpg')).then(() => 0)"
    )
    page.wait("vcam.app.painter.backdrop.wish.kind === 'image'")
    page.go(f"{site.address}?test=1")
    page.wait("globalThis.vcam?.app.painter.backdrop.wish.kind === 'image'")
    assert page.run("vcam.app.settings.background") == "own"
    assert page.run("!document.querySelector('[value=own]').closest('label').hidden")
