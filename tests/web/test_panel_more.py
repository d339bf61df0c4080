"""More of the panel in a real browser: the matte and the room, cameras, profiles, two pages, keys alone."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.web.browser import CHROMIUM, Browser, Page
from tests.web.running import Running, change, tab, until
from vcam.assets import asset
from vcam.compose.filters.registry import KINDS

pytestmark = [
    pytest.mark.process,
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: sudo apt install chromium"),
]

AXE = next((path for path in (os.environ.get("VCAM_AXE", ""), "/usr/share/javascript/axe-core/axe.min.js") if path), "")
TABS = ["background", "looks", "camera", "out", "settings", "status", "doctor"]

KIND = "document.querySelector('canvas').dataset.kind"


def pressed(page: Page) -> str:
    return str(page.run("document.querySelector('.views [aria-pressed=\"true\"]').dataset.view"))


def see_the_room(running: Running) -> int:
    return sum(output.get("see_the_room", 0) for output in running.ask("status")["outputs"])


def view(page: Page, name: str) -> None:
    page.run(f"document.querySelector('.views [data-view={name}]').click()")


def show_the_room(page: Page) -> None:
    view(page, "both")
    page.wait("document.querySelector('dialog[open] #show-room')")
    page.run("document.getElementById('show-room').click()")
    page.wait(f"{KIND} === 'both'")


def back(running: Running, page: Page) -> None:
    """The page shows what others see again, and vcam says so."""
    page.wait(f"{KIND} === 'shown'")
    assert pressed(page) == "shown"
    until(lambda: not see_the_room(running))


def test_the_matte_is_shown_in_black_and_white(page: Page) -> None:
    view(page, "matte")
    page.wait(f"{KIND} === 'matte'")
    colours = page.run("""(() => { const c = document.querySelector('canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        let grey = true, light = 0; for (let i = 0; i < d.length; i += 4) {
          grey &&= Math.abs(d[i] - d[i + 1]) < 3 && Math.abs(d[i] - d[i + 2]) < 3; light += d[i] > 200 }
        return [grey, light / (d.length / 4)] })()""")
    assert colours[0]
    assert 0.1 < colours[1] < 0.7
    view(page, "shown")
    page.wait(f"{KIND} === 'shown'")


def test_the_room_is_shown_after_a_click_that_says_so_and_not_before(running: Running, page: Page) -> None:
    view(page, "both")
    page.wait("document.querySelector('dialog[open]')?.innerText.includes('Show your room')")
    assert see_the_room(running) == 0
    page.run("[...document.querySelectorAll('dialog[open] button')].find(b => b.innerText === 'No').click()")
    page.wait("!document.querySelector('dialog[open]')")
    assert pressed(page) == "shown"
    show_the_room(page)
    assert see_the_room(running) == 1
    # left the room, which is not green; right what others see, which is
    left, right = page.run("""(() => { const c = document.querySelector('canvas'), x = c.getContext('2d');
        return [4, c.width / 2 + 4].map(at => [...x.getImageData(at, 4, 1, 1).data].slice(0, 3)) })()""")
    assert right[1] > 200
    assert right[0] < 60
    assert abs(left[1] - left[0]) < 60
    view(page, "shown")
    back(running, page)
    # it is asked again each time
    view(page, "both")
    page.wait("document.querySelector('dialog[open] #show-room')")
    page.run("document.querySelector('dialog[open]').close()")


def test_in_a_pause_the_room_is_not_shown(running: Running, page: Page) -> None:
    show_the_room(page)
    running.ask("pause")
    page.wait(f"{KIND} === 'placeholder'")
    assert page.run("document.querySelector('canvas').width") == 640
    running.ask("resume")
    page.wait(f"{KIND} === 'both'")
    view(page, "shown")
    back(running, page)


def test_a_page_that_is_hidden_goes_back_to_what_others_see(running: Running, browser: Browser, page: Page) -> None:
    show_the_room(page)
    other = browser.page()
    other.call("Page.bringToFront")
    page.wait("document.visibilityState === 'hidden'")
    until(lambda: not see_the_room(running))
    assert page.run(KIND) != "both"
    page.call("Page.bringToFront")
    back(running, page)
    other.call("Page.close")


def test_a_page_that_is_loaded_anew_goes_back_to_what_others_see(running: Running, page: Page) -> None:
    show_the_room(page)
    page.call("Page.reload")
    page.wait("document.readyState === 'complete' && document.querySelector('canvas')?.dataset.frames > 2")
    back(running, page)


CAMERAS = {
    "cameras": [
        {"name": "Desk Cam", "source": "/dev/video0", "path": "/dev/video0", "mode": "1280x720 MJPEG at 30 fps",
         "note": "", "usable": True, "used": True},
        {"name": "Broken", "source": "/dev/video9", "path": "/dev/video9", "mode": "", "note": "it has no format",
         "usable": False, "used": False},
    ],
    "controls": [
        {"name": "brightness", "kind": "integer", "minimum": 0, "maximum": 255, "step": 5, "default": 128, "value": 100,
         "active": True, "choices": []},
        {"name": "power_line_frequency", "kind": "menu", "minimum": 0, "maximum": 2, "step": 1, "default": 1,
         "value": 1, "active": True, "choices": [[0, "Off"], [1, "50 Hz"], [2, "60 Hz"]]},
        {"name": "auto_focus", "kind": "boolean", "minimum": 0, "maximum": 1, "step": 1, "default": 1, "value": 1,
         "active": True, "choices": []},
        {"name": "focus", "kind": "integer", "minimum": 0, "maximum": 255, "step": 1, "default": 0, "value": 0,
         "active": False, "choices": []},
    ],
}  # fmt: skip


def stand_in(page: Page, path: str, answer: Any) -> None:
    """What a request of the page gets instead of the panel's answer."""
    page.run(f"""(() => {{ const real = window.fetch; window.fetch = (asked, how) => asked === '{path}'
        ? Promise.resolve(new Response(JSON.stringify({json.dumps(answer)}))) : real(asked, how) }})()""")


def test_cameras_and_what_they_can_set_are_widgets(running: Running, page: Page) -> None:
    stand_in(page, "/api/cameras", CAMERAS)
    tab(page, "camera")
    page.wait("document.getElementById('k-brightness')")
    radios = page.run("[...document.querySelectorAll('input[name=camera]')].map(i => [i.disabled, i.checked])")
    # the first that works, two cameras, and the demo, which is on
    assert radios == [[False, False], [False, False], [True, False], [False, True]]
    assert page.run("document.getElementById('k-brightness').step") == "5"
    assert page.run("document.getElementById('k-focus').disabled")
    change(page, "k-brightness", "150")
    running.until("camera.controls", "brightness=150")
    change(page, "k-power_line_frequency", "2", "change")
    running.until("camera.controls", "brightness=150,power_line_frequency=2")
    page.run("document.getElementById('k-auto_focus').click()")
    running.until("camera.controls", "brightness=150,power_line_frequency=2,auto_focus=0")
    page.run("document.querySelector('[aria-label=\"Back to default: Brightness\"]').click()")
    running.until("camera.controls", "power_line_frequency=2,auto_focus=0,brightness=128")
    page.run(
        "document.querySelector('header').querySelectorAll('button').forEach(b => b.innerText === 'Undo' && b.click())"
    )
    running.until("camera.controls", "brightness=150,power_line_frequency=2,auto_focus=0")


def test_another_camera_is_chosen_and_one_that_is_refused_says_why(running: Running, page: Page) -> None:
    page.run("document.querySelectorAll('input[name=camera]')[1].click()")
    page.wait("document.querySelector('#panel .error')?.innerText.includes('/dev/video0')")
    page.wait("document.querySelectorAll('input[name=camera]')[3].checked")
    assert running.get("camera.source") == "demo"


def test_a_room_that_cannot_be_learnt_says_why_beside_the_button(running: Running, page: Page) -> None:
    # the demo is no camera
    tab(page, "camera")
    page.wait("[...document.querySelectorAll('#panel button')].some(b => b.innerText === 'Learn my room')")
    page.run("[...document.querySelectorAll('#panel button')].find(b => b.innerText === 'Learn my room').click()")
    page.wait("[...document.querySelectorAll('#panel .error')].some(e => e.innerText.includes('room'))")
    page.wait("document.querySelector('.state').innerText === 'On air'")


def button(page: Page, label: str) -> str:
    return f"document.querySelector('[aria-label={json.dumps(label)}]')"


def test_a_profile_is_made_used_saved_and_removed(running: Running, page: Page) -> None:
    tab(page, "settings")
    change(page, "w-matte.edge", "4")
    running.until("matte.edge", 4.0)
    change(page, "profile-name", "evening")
    page.run("document.getElementById('profile-name').form.querySelector('button').click()")
    page.wait(f"{button(page, 'Use: evening')}?.disabled")
    assert running.ask("status")["profile"] == "evening"
    config = running.folder / "config/vcam/config.toml"
    assert tomllib.loads(config.read_text())["profiles"]["evening"]["matte"]["edge"] == 4
    change(page, "w-matte.edge", "9")
    running.until("matte.edge", 9.0)
    page.run(f"{button(page, 'Save what is set now into evening')}.click()")
    until(lambda: tomllib.loads(config.read_text())["profiles"]["evening"]["matte"]["edge"] == 9)
    page.wait("document.querySelector('.note')?.innerText.includes('evening')")
    # the one in use stays
    assert page.run(f"{button(page, 'Remove: evening')}.disabled")
    page.run(f"{button(page, 'Use: none')}.click()")
    page.wait(f"!{button(page, 'Remove: evening')}.disabled")
    assert running.ask("status")["profile"] == ""
    # the same name again is refused beside the field
    change(page, "profile-name", "evening")
    page.run("document.getElementById('profile-name').form.querySelector('button').click()")
    page.wait("document.querySelector('#panel .error')?.innerText.includes('already')")
    page.run(f"window.confirm = () => true, {button(page, 'Remove: evening')}.click()")
    page.wait(f"!{button(page, 'Remove: evening')}")
    assert "profiles" not in tomllib.loads(config.read_text())


def test_two_pages_that_change_the_same_setting_end_with_the_same(
    running: Running, browser: Browser, page: Page
) -> None:
    other = browser.page()
    # the cookie is the browser's
    other.go(running.link.partition("#")[0])
    other.wait("document.getElementById('tab-settings')")
    tab(other, "settings")
    tab(page, "settings")
    slider = "document.getElementById('w-matte.islands')"
    other.wait(slider)
    for number in range(20):
        change((page, other)[number % 2], "w-matte.islands", f"{number / 10:g}")
    # whichever came last counts for both
    shown = f"+{slider}.value"
    until(lambda: page.run(shown) == other.run(shown) == running.get("matte.islands"))
    change(page, "w-matte.islands", "0.3")
    running.until("matte.islands", 0.3)
    change(other, "w-matte.islands", "0.7")
    running.until("matte.islands", 0.7)
    page.call("Page.bringToFront")
    page.wait(f"{slider}.value === '0.7'")
    # what the other page has changed since is not taken back by this one's undo
    page.run("document.activeElement.blur()")
    page.key("u")
    page.wait("document.querySelector('.note')?.innerText.includes('matte.islands')")
    assert running.get("matte.islands") == 0.7
    page.run("document.querySelector('.note button').click()")
    other.call("Page.close")
    page.call("Page.bringToFront")


def test_keys_are_those_of_the_window(running: Running, page: Page) -> None:
    page.run("document.activeElement.blur()")
    running.until("filters.chain", [])
    for key, name in (("c", "color-transfer"), ("s", "seamless-clone"), ("m", "smoothstep"), ("h", "harmonise")):
        if name not in KINDS:
            continue
        page.key(key)
        running.until("filters.chain", [name])
        page.key(key)
        running.until("filters.chain", [])
    before = running.get("matte.temporal")
    page.key("-")
    running.until("matte.temporal", round(float(str(before)) - 0.1, 3))
    page.key("+")
    running.until("matte.temporal", before)
    page.key("f")
    running.until("segment.skip_still", True)
    page.key("u")
    running.until("segment.skip_still", False)
    page.key("a")
    running.until("framing.auto", True)
    page.key("a")
    running.until("framing.auto", False)
    was = running.get("background.spec")
    page.key("b")
    until(lambda: running.get("background.spec") != was)


def drop(page: Page, name: str, data: bytes) -> None:
    page.run(
        f"""(() => {{ const data = new DataTransfer(), bytes = new Uint8Array({list(data)});
        data.items.add(new File([bytes], '{name}'));
        const dropped = new DragEvent('drop', {{dataTransfer: data, bubbles: true}});
        document.querySelector('.page').dispatchEvent(dropped) }})()"""
    )


def test_pictures_of_ones_own_are_shown_in_turn(running: Running, page: Page) -> None:
    tab(page, "background")
    for name in ("one.jpg", "two.jpg"):
        drop(page, name, asset("dusk.jpg").read_bytes())
        running.until("background.spec", str(running.folder / "data/vcam/backgrounds" / name))
    page.wait("[...document.querySelectorAll('.tile .name')].some(n => n.innerText === 'All of them in turn')")
    page.run("[...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('All of them')).click()")
    running.until("background.spec", str(running.folder / "data/vcam/backgrounds"))
    page.wait("document.getElementById('w-background.interval')")
    page.run("[...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('Green')).click()")
    running.until("background.spec", "green")


def test_a_recording_is_started_seen_and_stopped(running: Running, page: Page) -> None:
    tab(page, "out")
    file = running.folder / "talk.mkv"
    change(page, "record", str(file))
    page.run("document.getElementById('record').form.querySelector('button').click()")
    page.wait("document.querySelector('.out .line')?.innerText.includes('recording')")
    page.wait(f"{button(page, f'Stop: {file}')}")
    # ffmpeg takes its time to begin
    until(lambda: any(output.get("written_kb", 0) > 1 for output in running.ask("status")["outputs"]), 120)
    page.run(f"{button(page, f'Stop: {file}')}.click()")
    page.wait("!document.querySelector('.out .line')")
    until(lambda: file.exists() and file.stat().st_size > 1000)
    # the same file again: refused beside the field
    page.run("document.getElementById('record').form.querySelector('button').click()")
    page.wait("document.querySelector('#panel .error')?.innerText.includes('talk.mkv')")


def test_the_address_of_a_stream_is_hidden_sent_and_gone(running: Running, page: Page) -> None:
    tab(page, "out")
    assert page.run("document.getElementById('stream').type") == "password"
    change(page, "stream", "rtmp://127.0.0.1:1/live/SECRETKEY")
    page.run("document.getElementById('stream').form.querySelector('button').click()")
    page.wait(f"{button(page, 'Stop: 127.0.0.1')}")
    assert page.run("document.getElementById('stream').value") == ""
    assert "SECRETKEY" not in page.run("document.documentElement.outerHTML")
    page.run(f"{button(page, 'Stop: 127.0.0.1')}.click()")
    page.wait(f"!{button(page, 'Stop: 127.0.0.1')}")
    change(page, "stream", "nonsense")
    page.run("document.getElementById('stream').form.querySelector('button').click()")
    page.wait("document.querySelector('#panel .error')")


def test_an_output_is_added_and_removed(running: Running, page: Page) -> None:
    tab(page, "out")
    file = running.folder / "talk.y4m"
    change(page, "output", str(file))
    page.run("document.getElementById('output').form.querySelector('button').click()")
    until(lambda: str(file) in [output["target"] for output in running.ask("status")["outputs"]])
    remove = (
        f"[...document.querySelectorAll('.out button')].find(b => b.getAttribute('aria-label')?.includes('{file}'))"
    )
    page.wait(remove)
    page.run(f"{remove}.click()")
    until(lambda: str(file) not in [output["target"] for output in running.ask("status")["outputs"]])
    until(lambda: file.exists() and file.stat().st_size > 1000)


def test_everything_is_reached_by_keys_alone(running: Running, page: Page) -> None:
    tab(page, "background")
    page.run("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")
    seen: list[str] = []
    for _ in range(200):
        page.key("Tab")
        here = page.run("""(() => { const e = document.activeElement; const s = getComputedStyle(e, ':focus-visible');
            return [e.id || e.getAttribute('aria-label') || e.innerText.trim() || e.tagName, s.outlineStyle] })()""")
        if here[0] == "tab-background":
            break
        seen.append(here[0])
        assert here[1] != "none", here
    assert {"Pause", "Save for good", "Matte", "Before & after", "Hide"} <= set(seen)
    page.key("ArrowRight")
    page.wait("document.activeElement.id === 'tab-looks' && document.activeElement.ariaSelected === 'true'")
    page.key("ArrowLeft")
    page.wait("document.activeElement.id === 'tab-background'")
    page.key("Tab")
    page.key("Tab")
    page.key("Enter")
    running.until("background.spec", "blur")
    # the question about the room as well: Escape says no
    page.run("document.querySelector('.views [data-view=both]').focus()")
    page.key("Enter")
    page.wait("document.querySelector('dialog[open]')")
    page.key("Escape")
    page.wait("!document.querySelector('dialog[open]')")
    assert pressed(page) == "shown"


@pytest.mark.skipif(not Path(AXE or "/none").is_file(), reason="no axe-core: VCAM_AXE=node_modules/axe-core/axe.min.js")
@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
@pytest.mark.parametrize("width", [1360, 360])
def test_axe_finds_nothing(page: Page, dark: bool, width: int) -> None:
    page.look_like(width=width, height=800, dark=dark)
    page.run(Path(AXE).read_text("utf-8") + "; true")
    for name in TABS:
        tab(page, name)
        if name == "doctor":
            page.run("document.querySelector('#panel .row button').click()")
            page.wait("document.querySelector('.findings .cure')")
        assert page.run("document.documentElement.scrollWidth") <= width
        _nothing(page, name)
    for opens in (
        "document.querySelector('header [aria-label=Shortcuts]')",
        "document.querySelector('[data-view=both]')",
    ):
        page.run(f"{opens}.click()")
        page.wait("document.querySelector('dialog[open]')")
        _nothing(page, opens)
        page.run("document.querySelector('dialog[open]').close()")
    page.look_like()


def _nothing(page: Page, where: str) -> None:
    found = page.run("""axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v =>
        v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')))""")
    assert found == [], where
