"""The page in a real Firefox, whose WebGL draws by software: what it makes of a frame, and of the camera."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from tests.pipewire.marionette import FIREFOX, SOFTWARE, Firefox, Screen
from tests.webpage.visiting import SIZE, Site, frames
from vcam.images import bgr_to_frame
from vcam.matting import open_matting
from vcam.settings import Settings

pytestmark = [
    pytest.mark.process, pytest.mark.long,
    pytest.mark.skipif(not FIREFOX, reason="no Firefox: sudo apt install firefox-esr"),
    pytest.mark.skipif(not Screen.PROGRAM, reason="no Xvfb: sudo apt install xvfb"),
]  # fmt: skip


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    fake: dict[str, object] = {"media.navigator.streams.fake": True}
    with Screen() as display, Firefox(SOFTWARE | fake, display) as found:
        yield found


def visit(firefox: Firefox, site: Site, words: str) -> None:
    firefox.go(f"{site.address}?test=1&engine=wasm&{words}")
    until(firefox, "!!globalThis.vcam || document.body.innerText.includes('WebGL2')")
    if not firefox.run("!!globalThis.vcam"):
        pytest.skip("this Firefox has no WebGL2 here")


def until(firefox: Firefox, expression: str) -> None:
    end = time.monotonic() + 90
    while not firefox.run(expression):
        assert time.monotonic() < end, f"never: {expression}; {firefox.run('document.body.innerText')}"
        time.sleep(0.1)


def test_its_matte_is_that_of_vcam_in_firefox_too(firefox: Firefox, site: Site) -> None:
    visit(firefox, site, "background=blur")
    bgr = frames(1)[0]
    png = base64.b64encode(cv2.imencode(".png", bgr)[1].tobytes()).decode()
    firefox.run("vcam.app.startEngine(vcam.app.about.networks[0]), 0")
    said: dict[str, Any] = firefox.run(f"vcam.frame('{png}', 'matte')")
    assert (said["kind"], said["shown"]) == ("matte", "person")
    found = np.frombuffer(base64.b64decode(said["pixels"]), np.uint8).reshape(SIZE[1], SIZE[0], 4)[..., 0]
    frame = bgr_to_frame(bgr)
    with open_matting(Settings().replace(segment__region=False), SIZE) as matting:
        wanted = matting.picture(frame)
    assert np.mean(wanted > 127) > 0.1
    assert np.abs(found.astype(int) - wanted).mean() < 0.3
    # threads of the network may share memory
    assert firefox.run("crossOriginIsolated")


def test_it_shows_what_the_camera_of_firefox_gives(firefox: Firefox, site: Site) -> None:
    """That has nobody in it: the room alone is not shown, but out of focus."""
    visit(firefox, site, "bare=1&background=blur&size=640x480")
    until(firefox, "vcam.app.loop.shown === 'person' && vcam.app.loop.figures.frames > 5")
    assert firefox.run("vcam.app.camera.error + vcam.app.loop.engine.error") == ""
