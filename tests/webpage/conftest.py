from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pytest

from tests.models.conftest import server as server
from tests.webpage.package import real

if TYPE_CHECKING:
    from tests.web.browser import Browser
    from tests.webpage.visiting import Site


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, whole."""
    from vcam.webpage.content import page_files
    from vcam.webpage.folder import write_page

    place = tmp_path_factory.mktemp("web") / "page"
    write_page(place, page_files(real()))
    return place


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    from tests.webpage.visiting import Site, leave

    found = Site(folder)
    yield found
    leave()
    found.end()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """With the demo's scene as its camera: each frame of the clip is a JPEG."""
    # a bare machine has no websockets
    from tests.web.browser import CHROMIUM, Browser
    from tests.webpage.visiting import frames

    if not CHROMIUM:
        pytest.skip("no Chromium: sudo apt install chromium")

    clip = tmp_path_factory.mktemp("clip") / "demo.mjpeg"
    jpegs = [cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes() for bgr in frames(30)]
    clip.write_bytes(b"".join(jpegs))
    with Browser(
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={clip}", "--enable-unsafe-swiftshader",
    ) as found:  # fmt: skip
        yield found
