"""How many pictures a second the page in a browser makes, and where the time goes, in headless Chromium or Firefox.

    VCAM_ONNXRUNTIME_WEB=onnxruntime-web-1.30.0.tgz python -m tests.measurements.webpage [BROWSER] [SIZE] [BACKGROUND]

Not part of the suite. BROWSER: chromium, or firefox (needs Xvfb); SIZE: 1280x720; BACKGROUND: as in the page's address.
Where there is no graphics processor both draw by software. The camera is the demo's scene as a clip (Chromium), or the
browser's own fake one (Firefox), in which nobody is. `ms` is what each part of a frame takes by the clock of the page:
`take` with the way to the network's size and back to memory, `draw` only what is told to WebGL. `cpu_ms` is processor
time of all of the browser's processes a picture.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from tests.webpage.package import real
from tests.webpage.visiting import Site, frames
from vcam.settings import parse_size
from vcam.webpage.content import page_files
from vcam.webpage.folder import write_page

SECONDS = 12.0

_READY = "return !!globalThis.vcam && vcam.app.loop.shown === 'person'"
_FIGURES = """const {loop} = vcam.app; const {rate, dropped} = loop.rate();
return {pictures: rate, dropped, shown: loop.shown, ms: loop.figures.ms, threads: loop.engine.threads,
        isolated: crossOriginIsolated, software: vcam.app.painter.tools.software, error: loop.engine.error}"""


def spent(pid: int) -> float:
    """Seconds of processor time of a process and all its children that live."""
    told, tick = 0.0, os.sysconf("SC_CLK_TCK")
    children: dict[int, list[int]] = {}
    times: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            times[int(entry.name)] = (int(fields[11]) + int(fields[12])) / tick
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        told += times.get(each, 0.0)
        waiting += children.get(each, [])
    return told


def measure(run: Callable[[str], Any], pid: int, someone: bool) -> dict[str, Any]:
    """Figures of a page that is open. run: what a function of JavaScript with that body gives."""
    end = time.monotonic() + 90
    ready = _READY if someone else "return !!globalThis.vcam && !!vcam.app.loop.engine?.ready && vcam.app.loop.seq > 3"
    while not run(ready):
        if time.monotonic() > end:
            raise SystemExit(f"the page shows nobody: {run('return document.body.innerText')[:500]}")
        time.sleep(0.2)
    time.sleep(4)
    run(_FIGURES)
    begun, before = time.monotonic(), spent(pid)
    time.sleep(SECONDS)
    told: dict[str, Any] = run(_FIGURES)
    passed = time.monotonic() - begun
    busy = spent(pid) - before
    pictures = told["pictures"] * passed
    told["ms"] = {name: round(value, 2) for name, value in told["ms"].items()}
    return told | {
        "pictures": round(told["pictures"], 1),
        "cores": round(busy / passed, 2),
        "cpu_ms": round(1000 * busy / pictures, 1) if pictures else None,
        "load": os.getloadavg()[0],
    }


def chromium(site: Site, size: tuple[int, int], words: str) -> dict[str, Any]:
    from tests.web.browser import Browser

    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, "demo.mjpeg")
        jpegs = [cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes() for bgr in frames(30, size)]
        clip.write_bytes(b"".join(jpegs))
        with Browser(
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={clip}", "--enable-unsafe-swiftshader",
        ) as browser:  # fmt: skip
            page = browser.page()
            page.go(f"{site.address}?{words}")
            return measure(lambda body: page.run(f"(() => {{ {body} }})()"), browser._process.pid, True)


def firefox(site: Site, size: tuple[int, int], words: str) -> dict[str, Any]:
    from tests.pipewire.marionette import SOFTWARE, Firefox, Screen

    fake: dict[str, object] = {"media.navigator.streams.fake": True}
    with Screen() as display, Firefox(SOFTWARE | fake, display) as browser:
        browser.go(f"{site.address}?{words}")
        return measure(lambda body: browser.run(f"(() => {{ {body} }})()"), browser._process.pid, False)


def main() -> None:
    name, size, background = [*sys.argv[1:], *("chromium", "1280x720", "blur")[len(sys.argv) - 1 :]]
    words = f"test=1&bare=1&engine=wasm&background={background.replace('#', '%23')}&size={size}"
    with tempfile.TemporaryDirectory() as folder:
        write_page(Path(folder, "page"), page_files(real()))
        site = Site(Path(folder, "page"))
        try:
            told = {"chromium": chromium, "firefox": firefox}[name](site, parse_size(size), words)
        finally:
            site.end()
    print(json.dumps({"browser": name, "size": size, "background": background} | told, indent=2))


if __name__ == "__main__":
    main()
