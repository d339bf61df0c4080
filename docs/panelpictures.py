"""Makes the pictures of docs/panel.md and README: a real Chromium before a vcam that shows the demo. `make panel`.

python -m docs.panelpictures [FOLDER]        docs/images by default
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.web.browser import Browser, Page
from tests.web.running import Running, tab
from vcam.assets import asset

IMAGES = Path(__file__).resolve().parent / "images"

SHOTS = (
    ("panel-dark", "background", {"width": 1280, "height": 800, "dark": True}, ""),
    ("panel-light", "looks", {"width": 1280, "height": 800, "dark": False}, "matte"),
    ("panel-both", "camera", {"width": 1280, "height": 800, "dark": True}, "both"),
    ("panel-narrow", "background", {"width": 380, "height": 820, "dark": False}, ""),
)
"""Name, section, how the page looks, and what is shown above."""


def shoot(page: Page, folder: Path) -> None:
    """One picture after the other, into the folder."""
    for name, section, look, view in SHOTS:
        page.look_like(**look)  # type: ignore[arg-type]
        tab(page, section)
        page.run(f"document.querySelector('.views [data-view={view or 'shown'}]').click()")
        if view == "both":
            page.run("document.getElementById('show-room').click()")
        page.wait(f"document.querySelector('canvas').dataset.kind === '{view or 'shown'}'")
        page.wait("[...document.querySelectorAll('.tile img')].every(i => i.complete || i.loading === 'lazy')")
        frames = page.run("+document.querySelector('canvas').dataset.frames")
        page.wait(f"document.querySelector('canvas').dataset.frames > {frames + 15}")
        page.picture(folder / f"{name}.png")


def main() -> None:
    """All pictures, of a vcam of their own."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    with tempfile.TemporaryDirectory() as scratch:
        own = Path(scratch, "data/vcam/backgrounds")
        own.mkdir(parents=True)
        for name in ("dusk", "room"):
            shutil.copy(asset(f"{name}.jpg"), own / f"{name}.jpg")
        running = Running(Path(scratch), size="1280x720", background="loft")
        try:
            with Browser() as browser:
                page = browser.page()
                page.look_like(width=1280, height=800)
                page.go(running.link)
                page.wait("document.querySelector('canvas')?.dataset.frames > 60", 120)
                shoot(page, folder)
        finally:
            running.close()


if __name__ == "__main__":
    main()
