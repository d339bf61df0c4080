from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    # both need the panel's packages, which may be missing
    from tests.web.browser import Browser, Page
    from tests.web.running import Running


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    from tests.web.running import Running

    running = Running(tmp_path_factory.mktemp("panel"))
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from tests.web.browser import Browser

    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(running: Running, browser: Browser) -> Page:
    page = browser.page()
    page.go(running.link)
    page.wait("document.querySelector('canvas')?.dataset.frames > 2")
    # pictures may come before the settings and what is known of filters, without which keys do nothing
    page.wait("document.querySelector('#panel button, #panel input')")
    page.wait("[...document.querySelectorAll('dialog kbd')].some(each => each.textContent === 'C')")
    return page
