"""The panel as people use it: a real browser, a vcam that runs, pictures that change."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.web.browser import CHROMIUM, Browser, Page
from tests.web.running import Running, change, tab
from vcam.assets import asset

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: sudo apt install chromium"),
]


CORNER = """(() => { const c = document.querySelector('canvas');
  return [...c.getContext('2d').getImageData(4, 4, 1, 1).data].slice(0, 3).join() })()"""


def colour_of(page: Page) -> tuple[int, ...]:
    return tuple(int(part) for part in page.run(CORNER).split(","))


def near(page: Page, colour: tuple[int, int, int], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while any(abs(a - b) > 16 for a, b in zip(colour_of(page), colour, strict=True)):
        assert time.monotonic() < end, f"{colour_of(page)}, not {colour}"
        time.sleep(0.05)


def test_the_link_is_all_that_it_takes_and_does_not_stay_in_the_address(page: Page) -> None:
    assert "#" not in page.run("location.href")
    page.wait("document.querySelector('.state').innerText === 'On air'")
    assert page.console == []


def test_the_preview_is_what_others_see(page: Page) -> None:
    near(page, (0, 255, 0))


def test_a_click_on_a_background_changes_the_picture(running: Running, page: Page) -> None:
    tab(page, "background")
    page.wait("document.querySelectorAll('.tile').length > 5")
    page.run("[...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('Colour')).click()")
    running.until("background.spec", "color:#0f766e")
    near(page, (15, 118, 110))
    page.run("[...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('Green')).click()")
    near(page, (0, 255, 0))


def test_a_ready_made_background_is_shown_and_taken(running: Running, page: Page) -> None:
    page.wait("document.querySelector('img[src=\"/api/ready/sea\"]')?.naturalWidth > 0")
    page.run("document.querySelector('img[src=\"/api/ready/sea\"]').closest('button').click()")
    running.until("background.spec", "sea")
    page.wait("document.querySelector('.tile .chosen')?.innerText.trim() === 'sea'")


def drop(page: Page, name: str, data: bytes) -> None:
    page.run(
        f"""(() => {{ const data = new DataTransfer(), bytes = new Uint8Array({list(data)});
        data.items.add(new File([bytes], '{name}'));
        const dropped = new DragEvent('drop', {{dataTransfer: data, bubbles: true}});
        document.querySelector('.page').dispatchEvent(dropped) }})()"""
    )


def test_a_dropped_picture_becomes_the_background(running: Running, page: Page) -> None:
    drop(page, "dusk.jpg", asset("dusk.jpg").read_bytes())
    running.until("background.spec", str(running.folder / "data/vcam/backgrounds/dusk.jpg"))
    page.wait("[...document.querySelectorAll('img[src^=\"/api/small/\"]')].some(i => i.naturalWidth > 0)")


def test_a_picture_of_ones_own_is_taken_out_when_it_is_not_shown(running: Running, page: Page) -> None:
    file = running.folder / "data/vcam/backgrounds/dusk.jpg"
    remove = "document.querySelector('.tile .remove')"
    page.wait(f"!{remove}")
    page.run("[...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('Green')).click()")
    page.wait(remove)
    page.run(f"window.confirm = () => false, {remove}.click()")
    assert file.exists()
    page.run(f"window.confirm = () => true, {remove}.click()")
    page.wait("!document.querySelector('img[src^=\"/api/small/\"]')")
    assert not file.exists()


def test_a_dropped_file_that_is_no_picture_is_said(running: Running, page: Page) -> None:
    before = running.get("background.spec")
    drop(page, "evil.jpg", b"no picture")
    page.wait("document.querySelector('#panel .error')?.innerText.includes('evil')")
    assert running.get("background.spec") == before


def test_every_kind_of_widget_changes_the_running_vcam(running: Running, page: Page) -> None:
    tab(page, "settings")
    change(page, "w-matte.edge", "4")
    running.until("matte.edge", 4.0)
    page.run("document.getElementById('w-camera.mirror').click()")
    running.until("camera.mirror", True)
    change(page, "w-overlay.text_place", "top", "change")
    running.until("overlay.text_place", "top")
    change(page, "w-overlay.text", "Good morning")
    page.run("document.getElementById('w-overlay.text').dispatchEvent(new FocusEvent('blur'))")
    running.until("overlay.text", "Good morning")
    change(page, "w-stream.keep_free", "700")
    page.run("document.getElementById('w-stream.keep_free').dispatchEvent(new FocusEvent('blur'))")
    running.until("stream.keep_free", 700.0)


def test_a_change_is_undone(running: Running, page: Page) -> None:
    page.run("document.getElementById('w-camera.flip').click()")
    running.until("camera.flip", True)
    page.run("[...document.querySelectorAll('header button')].find(b => b.innerText === 'Undo').click()")
    running.until("camera.flip", False)


def test_what_is_refused_says_why_beside_the_widget(running: Running, page: Page) -> None:
    change(page, "w-overlay.front", "/nowhere.png")
    page.run("document.getElementById('w-overlay.front').dispatchEvent(new FocusEvent('blur'))")
    page.wait("document.getElementById('w-overlay.front').closest('.widget').querySelector('.error')")
    assert running.get("overlay.front") == ""
    # the widget shows what is
    page.wait("document.getElementById('w-overlay.front').value === ''")


def test_an_empty_number_changes_nothing(running: Running, page: Page) -> None:
    change(page, "w-stream.keep_free", "")
    page.run("document.getElementById('w-stream.keep_free').dispatchEvent(new FocusEvent('blur'))")
    page.wait("document.getElementById('w-stream.keep_free').value === '700'")
    page.run("document.getElementById('w-camera.flip').click()")
    running.until("camera.flip", True)
    page.run("document.getElementById('w-camera.flip').click()")
    running.until("camera.flip", False)
    assert running.get("stream.keep_free") == 700.0


def test_a_change_from_elsewhere_is_seen_on_the_page(running: Running, page: Page) -> None:
    command = [sys.executable, "-m", "vcam", "set", "matte.softness=0.7"]
    subprocess.run(command, env=running.environ, check=True, capture_output=True)
    page.wait("document.getElementById('w-matte.softness').value === '0.7'")


def test_filters_are_added_moved_and_taken_out(running: Running, page: Page) -> None:
    tab(page, "looks")
    change(page, "add-filter", "grey", "change")
    running.until("filters.chain", ["grey"])
    change(page, "add-filter", "alpha", "change")
    running.until("filters.chain", ["grey", "alpha"])
    change(page, "f-1-sigma", "7")
    running.until("filters.chain", ["grey", "alpha:sigma=7"])
    # a slider that is dragged: the last value counts
    page.run("""(() => { const w = document.getElementById('f-1-sigma');
        for (let at = 5; at <= 30; at++) { w.value = at; w.dispatchEvent(new Event('input', {bubbles: true})) }
        w.value = 7; w.dispatchEvent(new Event('input', {bubbles: true})) })()""")
    page.wait("document.getElementById('f-1-sigma').value === '7'")
    sent = page.run("performance.getEntriesByType('resource').filter(e => e.name.endsWith('/api/filters')).length")
    assert sent < 12, "newer values wait while one is under way"
    running.until("filters.chain", ["grey", "alpha:sigma=7"])
    page.run("document.querySelector('[aria-label=\"Up: alpha\"]').click()")
    running.until("filters.chain", ["alpha:sigma=7", "grey"])
    page.run("document.querySelector('[aria-label=\"Remove: alpha\"]').click()")
    running.until("filters.chain", ["grey"])


def test_keys_do_what_they_say(running: Running, page: Page) -> None:
    before = running.get("camera.mirror")
    page.run("document.activeElement.blur()")
    page.key("x")
    running.until("camera.mirror", not before)
    chain = list(running.get("filters.chain"))  # type: ignore[call-overload]
    page.key("h")
    running.until("filters.chain", [*chain, "harmonise"])
    tab(page, "looks")
    page.wait(f"document.getElementById('f-{len(chain)}-strength')?.type === 'range'")
    page.wait(f"document.getElementById('f-{len(chain)}-model')?.value === 'harmonise'")
    page.run("document.activeElement.blur()")
    page.key("h")
    running.until("filters.chain", chain)
    page.key("p")
    page.wait("document.querySelector('.state').innerText === 'Paused'")
    page.wait("document.querySelector('figcaption').innerText.includes('placeholder')")
    page.key("p")
    page.wait("document.querySelector('.state').innerText === 'On air'")


def test_save_for_good_writes_the_config_file(running: Running, page: Page) -> None:
    tab(page, "background")
    page.run("[...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('Pixels')).click()")
    running.until("background.spec", "pixelate")
    page.key("s", control=True)
    page.wait("document.querySelector('.note')?.innerText.includes('Saved in')")
    text = (running.folder / "config/vcam/config.toml").read_text()
    assert 'spec = "pixelate"' in text
    assert "softness = 0.7" in text
    assert "grey" in text


def test_status_and_doctor_are_shown(page: Page) -> None:
    tab(page, "status")
    page.wait("document.querySelectorAll('.chart polyline').length === 2")
    assert "demo" in page.run("document.getElementById('panel').innerText")


ACTS = {
    "button",
    "checkbox",
    "combobox",
    "progressbar",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
}


@pytest.mark.parametrize("name", ["background", "looks", "camera", "out", "settings", "status", "doctor"])
def test_every_control_has_a_name_and_a_narrow_screen_cuts_nothing_off(page: Page, name: str) -> None:
    page.look_like(width=360, height=800)
    tab(page, name)
    if name == "doctor":
        page.run("document.querySelector('#panel .row button').click()")
        page.wait("document.querySelector('.findings .cure')")
    assert page.run("document.documentElement.scrollWidth") <= 360
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node.get("name", {}).get("value")) for node in nodes if not node["ignored"]]
    acts = [each for each in found if each[0].lower() in ACTS]
    assert len(acts) > 8
    assert [each for each in acts if not each[1]] == []
    page.look_like()


def test_while_the_page_is_hidden_nobody_looks(running: Running, page: Page) -> None:
    page.run("[...document.querySelectorAll('figcaption button')].find(b => b.innerText === 'Hide').click()")

    def previews() -> int:
        return sum("preview" in output["description"] for output in running.ask("status")["outputs"])

    end = time.monotonic() + 20
    while previews():
        assert time.monotonic() < end
        time.sleep(0.02)
    page.run("document.querySelector('.veil button').click()")
    frames = page.run("+document.querySelector('canvas').dataset.frames")
    page.wait(f"document.querySelector('canvas').dataset.frames > {frames + 2}")
    assert previews() == 1


def test_a_page_of_somebody_else_in_the_same_browser_gets_nothing(
    running: Running, browser: Browser, page: Page, tmp_path: Path
) -> None:
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    target = running.link.partition("#")[0].rstrip("/")
    (tmp_path / "evil.html").write_text("<p>evil</p>")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    before = running.get("background.spec")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        evil = browser.page()
        # the same host, as cookies know hosts, on another port: the strictest cookie goes along
        evil.go(f"http://127.0.0.1:{server.server_port}/evil.html")
        evil.wait("document.body?.innerText === 'evil'")
        order = {"method": "set", "params": {"background.spec": "none"}}
        asked = f"{{method: 'POST', mode: 'no-cors', credentials: 'include', body: {json.dumps(json.dumps(order))}}}"
        assert evil.run(f"fetch('{target}/api/call', {asked}).then(r => r.type, e => 'no')") in ("opaque", "no")
        read = f"fetch('{target}/api/about', {{credentials: 'include'}}).then(r => r.text(), e => 'no')"
        assert evil.run(read) == "no"
        socket = f"""new Promise(done => {{ const s = new WebSocket('{target.replace("http", "ws")}/api/live');
            s.onopen = () => done('open'); s.onerror = () => done('no') }})"""
        assert evil.run(socket) == "no"
        frame = f"""new Promise(done => {{ const f = document.createElement('iframe'); f.src = '{target}/';
            f.onload = () => {{ try {{ done(f.contentDocument ? 'read' : 'no') }} catch {{ done('no') }} }};
            document.body.append(f) }})"""
        assert evil.run(frame) == "no"
        server.shutdown()
    assert running.get("background.spec") == before


def test_a_link_with_a_wrong_token_shows_nothing(running: Running) -> None:
    with Browser() as other:
        page = other.page()
        page.go(running.link.partition("#")[0] + "#wrong")
        page.wait("document.querySelector('[role=alert]')?.innerText.includes('vcam panel')")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(running.link.partition("#")[0] + "api/about")


def test_a_vcam_that_dies_and_comes_back_is_lived_through(running: Running, page: Page) -> None:
    # another tab was in front: a page that cannot be seen does not look
    page.call("Page.bringToFront")
    running.vcam.kill()
    running.vcam.wait()
    page.wait("document.querySelector('.state').innerText === 'Not running'")
    page.wait("document.querySelector('.banner.bad')")
    running.vcam = running.start()
    page.wait("document.querySelector('.state').innerText === 'On air'")
    frames = page.run("+document.querySelector('canvas').dataset.frames")
    page.wait(f"document.querySelector('canvas').dataset.frames > {frames + 2}")
    page.wait("!document.querySelector('.banner.bad')")
