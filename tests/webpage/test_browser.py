"""What the page makes of frames, in a real browser, beside what vcam makes of the same frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.web.browser import Browser
from tests.webpage.visiting import SIZE, Site, frames, show, visit
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.matting import open_matting
from vcam.settings import Settings

pytestmark = [pytest.mark.process, pytest.mark.long]


def test_its_matte_is_that_of_vcam(browser: Browser, site: Site) -> None:
    """Within 4 levels on average is what is asked for; over the edge alone it is less. See docs/browser.md."""
    page = visit(browser, site)
    settings = Settings().replace(segment__region=False)
    with open_matting(settings, SIZE) as matting:
        for number, bgr in enumerate(frames(13)[::4]):
            frame = bgr_to_frame(bgr)
            frame.seq, frame.timestamp = number, number / 30
            wanted = matting.picture(frame)
            said = show(page, bgr, "matte")
            assert (said["kind"], said["shown"], said["seq"]) == ("matte", "person", number + 1)
            found = said["pixels"][..., 0]
            assert np.mean(wanted > 127) > 0.1
            apart = np.abs(found.astype(int) - wanted)
            edge = (cv2.dilate(wanted, np.ones((5, 5))) > 0) & (cv2.erode(wanted, np.ones((5, 5))) < 255)
            assert apart.mean() < 0.3
            assert apart[edge].mean() < 4.3


def test_person_and_background_are_in_the_picture(browser: Browser, site: Site) -> None:
    page = visit(browser, site, "test=1&engine=wasm&background=color:%23204060")
    bgr = frames(1)[0]
    matte = show(page, bgr, "matte")["pixels"][..., 0]
    shown = show(page, bgr, "picture")["pixels"]
    assert np.all(shown[..., 3] == 255)
    nobody, body = matte == 0, matte == 255
    assert np.abs(shown[nobody][:, :3].astype(int) - (0x20, 0x40, 0x60)).max() <= 1
    assert np.abs(shown[body][:, :3].astype(int) - bgr[body][:, ::-1]).max() <= 1
    # mirrored, and cut out for OBS
    page.run("vcam.app.set('mirror', true); vcam.app.set('background', 'clear'); 0")
    cut = show(page, bgr, "picture")["pixels"][:, ::-1]
    assert np.all(cut[nobody] == 0)
    assert np.abs(cut[body][:, :3].astype(int) - bgr[body][:, ::-1]).max() <= 1
    assert np.all(cut[body][:, 3] == 255)


def test_the_blur_has_no_halo(browser: Browser, site: Site) -> None:
    """As vcam's own: the room is blurred from what is no person, and both look alike."""
    from vcam.compose.backgrounds.fromframe import BlurBackground
    from vcam.compose.composer import PlateComposer

    page = visit(browser, site)
    bgr = frames(1)[0]
    frame = bgr_to_frame(bgr)
    with open_matting(Settings().replace(segment__region=False), SIZE) as matting:
        alpha = matting.alpha(frame)
        composer = PlateComposer(BlurBackground(), SIZE)
        wanted = frame_to_bgr(composer.compose(frame, alpha, 0.0))[..., ::-1]
    nobody = (show(page, bgr, "matte")["pixels"][..., 0] == 0).astype(np.uint8)
    apart = np.abs(show(page, bgr, "picture")["pixels"][..., :3].astype(int) - wanted)
    near = (nobody > 0) & (cv2.erode(nobody, np.ones((31, 31), np.uint8)) == 0)
    assert np.count_nonzero(near) > 10000
    assert apart.mean() < 2.0
    # where the person would be mixed in, it would be 13
    assert apart[near].mean() < 3.0


def test_the_light_of_the_background_wraps(browser: Browser, site: Site) -> None:
    page = visit(browser, site, "test=1&engine=wasm&background=color:%23ffffff")
    bgr = frames(1)[0]
    matte = show(page, bgr, "matte")["pixels"][..., 0]
    plain = show(page, bgr, "picture")["pixels"][..., :3].astype(int)
    page.run("vcam.app.set('lightWrap', 1); 0")
    wrapped = show(page, bgr, "picture")["pixels"][..., :3].astype(int)
    body = (matte == 255).astype(np.uint8)
    inner = cv2.erode(body, np.ones((41, 41), np.uint8)) > 0
    rim = (cv2.erode(body, np.ones((3, 3), np.uint8)) > 0) & (cv2.erode(body, np.ones((13, 13), np.uint8)) == 0)
    assert np.abs(wrapped - plain)[inner].max() <= 1
    assert (wrapped - plain)[rim].mean() > 4


def test_no_frame_is_shown_with_the_matte_of_another(browser: Browser, site: Site) -> None:
    page = visit(browser, site)
    assert show(page, frames(1)[0])["kind"] == "matte"
    thrown = page.run(
        "(() => { try { vcam.app.painter.show({seq: 999}, vcam.app.settings); }"
        " catch (error) { return error.message } })()"
    )
    assert thrown == "the matte of frame 999, which is not there"
    # a slot that holds another frame by now is not read with the matte of the last
    thrown = page.run(
        "(() => { const {last} = vcam.app.painter; last.slot.holds++;"
        " try { vcam.app.painter.read(vcam.app.settings); } catch (error) { return error.message } })()"
    )
    assert "for frame" in thrown
    # what comes late for a frame that was given up is passed over
    page.run("vcam.app.loop.nothing(); vcam.app.loop.found({kind: 'matte', seq: 1}); 0")
    assert page.run("vcam.app.loop.shown") == "placeholder"


def test_in_doubt_nothing_of_the_room_is_shown(browser: Browser, site: Site) -> None:
    """A map that shows all of the frame as a person all of a sudden, and an engine that lies or breaks."""
    page = visit(browser, site, "test=1&engine=wasm&background=blur")
    bgr = frames(1)[0]
    assert show(page, bgr)["shown"] == "person"
    page.run(
        "(async () => { const {Doubt, BELIEVED, WAIT, WRONG} = await import('./doubt.js');"
        " const all = new Float32Array(256 * 144).fill(1), none = new Float32Array(256 * 144);"
        " const noise = all.map((_, at) => at % 2), half = all.map(() => 0.5), nan = all.map(() => NaN);"
        " const doubt = new Doubt(256); const said = [];"
        " for (const [map, proven] of [[none, 0], [all, 0], [all, 1], [all, 2], [all, 4], [all, 0], [none, 0],"
        "   [all, 9], [noise, 9], [half, 9], [nan, 9]]) said.push(doubt.judge(map, proven));"
        " globalThis.said = said.join(' '); })()"
    )
    assert page.run("said") == "believed wait wait wait believed believed believed wait wrong wrong wrong"
    # the engine is refused whose answer to a known picture is wrong, and there is no other
    page.run("vcam.app.about.networks.forEach((each) => each.known.forEach((one) => one.answer = [[99]])); 0")
    page.run("vcam.app.startEngine(vcam.app.about.networks[0]); 0")
    page.wait("vcam.app.loop.engine.error && !vcam.app.loop.engine.choices.length")
    page.run("vcam.app.say(); 0")
    assert "is wrong by" in page.run("document.querySelector('[role=alert]').textContent")
    page.run("vcam.app.frame(vcam.app.canvas, 640, 360); 0")
    assert page.run("vcam.app.loop.shown") == "placeholder"
