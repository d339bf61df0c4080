"""What the panel costs, and how soon a click is seen, in a real headless Chromium before a vcam that runs.

    python -m tests.measurements.panel [ROUNDS]          not part of the suite; needs Chromium

Processor time of vcam and of the panel's process, with a page that looks and with one that is hidden, take turns ROUNDS
times, so that what else the machine does falls on both alike. Of vcam it is that of a frame, since a busy machine does
not always give it 30 of them. A frame of vcam takes ten times what a picture adds to it, so on a busy machine that
difference is noise. `vcam_writing_ms_a_picture` is what handing it out takes, in the stage of the loop in which that is
done and in the thread of those who look: it holds there too. `jpeg` is what this process takes meanwhile for a bare
JPEG of that size: a yardstick for how busy the machine is. Then 20 clicks: from each to the first picture on the page
that is another. At last a hundred pages are opened and closed.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import simplejpeg

from tests.web.browser import Browser, Page
from tests.web.running import Running, until

SECONDS = 8.0
"""Of each span that is measured."""
CLICKS = 20

TICK = os.sysconf("SC_CLK_TCK")

CLICK = """new Promise(done => {
  const canvas = document.querySelector('canvas'), pen = canvas.getContext('2d', {willReadFrequently: true});
  const corner = () => pen.getImageData(4, 4, 1, 1).data.slice(0, 3);
  const before = corner(), begun = performance.now();
  [...document.querySelectorAll('.tile button')].find(b => b.innerText.includes('%s')).click();
  const look = () => corner().some((level, at) => Math.abs(level - before[at]) > 24)
    ? done(performance.now() - begun) : setTimeout(look, 2);
  look() })"""


def spent(pid: int) -> float:
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def threads(pid: int) -> float:
    """Seconds of processor time of all threads of a process but the first, which is the loop's."""
    told = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if task.name != str(pid):
            with suppress(OSError):
                told += int((task / "schedstat").read_text().split()[0])
    return told / 1e9


def span(running: Running, page: Page) -> dict[str, float]:
    """Milliseconds of processor time a second, and frames and pictures a second, of vcam and on the page."""
    pids = {"vcam": running.vcam.pid, "panel": running.panel.pid}
    frames = "+(document.querySelector('canvas').dataset.frames ?? 0)"
    made = running.ask("status")["frames"]
    begun, before, shown = time.monotonic(), {name: spent(pid) for name, pid in pids.items()}, page.run(frames)
    beside = threads(pids["vcam"])
    time.sleep(SECONDS)
    passed = time.monotonic() - begun
    beside = 1000 * (threads(pids["vcam"]) - beside) / passed
    told = {name: 1000 * (spent(pid) - before[name]) / passed for name, pid in pids.items()}
    status = running.ask("status")
    made = (status["frames"] - made) / passed
    # of the last 3 seconds
    writing = status["cpu_ms"].get("write", 0.0) * made + beside
    pictures = (page.run(frames) - shown) / passed
    return told | {"pictures": pictures, "frames": made, "writing": writing, "jpeg": yardstick()}


def yardstick() -> float:
    """Milliseconds of processor time for a JPEG of the page's size."""
    chance = np.random.default_rng(1)
    planes = tuple(chance.integers(90, 130, (360 // part, 640 // part), np.uint8) for part in (1, 2, 2))
    told = []
    for _ in range(30):
        begun = time.thread_time()
        simplejpeg.encode_jpeg_yuv_planes(*planes, quality=80, fastdct=True)
        told.append(1000 * (time.thread_time() - begun))
    return statistics.median(told)


def hide(page: Page) -> None:
    page.run("[...document.querySelectorAll('figcaption button')].find(b => b.innerText === 'Hide').click()")


def costs(running: Running, page: Page, rounds: int) -> dict[str, float]:
    spans: dict[str, list[dict[str, float]]] = {"looks": [], "hidden": []}
    for _ in range(rounds):
        spans["looks"].append(span(running, page))
        hide(page)
        time.sleep(0.5)
        spans["hidden"].append(span(running, page))
        page.run("document.querySelector('.veil button').click()")
        time.sleep(1)
    told = {
        f"{name}_{kind}": statistics.median(each[kind] for each in found)
        for name, found in spans.items()
        for kind in ("vcam", "panel", "frames", "pictures", "writing", "jpeg")
    }
    pictures, frames = told["looks_pictures"], told["looks_frames"]
    vcam = (told["looks_vcam"] / frames - told["hidden_vcam"] / told["hidden_frames"]) * frames / pictures
    panel = (told["looks_panel"] - told["hidden_panel"]) / pictures
    writing = (told["looks_writing"] - told["hidden_writing"]) / pictures
    return told | {
        "vcam_ms_a_picture": vcam,
        "vcam_writing_ms_a_picture": writing,
        "panel_ms_a_picture": panel,
        "in_jpegs": (writing + panel) / told["looks_jpeg"],
        "load": os.getloadavg()[0],
    }


def clicks(page: Page) -> dict[str, float]:
    page.run("document.getElementById('tab-background').click()")
    page.wait("document.querySelectorAll('.tile').length > 5")
    told = []
    for number in range(CLICKS):
        told.append(page.run(CLICK % ("Colour", "Green")[number % 2]))
        time.sleep(0.7)
    told.sort()
    return {"click_ms_p50": statistics.median(told), "click_ms_least": told[0], "click_ms_most": told[-1]}


def pages(running: Running, browser: Browser) -> dict[str, float]:
    def open_files() -> int:
        return len(os.listdir(f"/proc/{running.panel.pid}/fd"))

    def looking() -> int:
        return sum(output.get("viewers", 0) for output in running.ask("status")["outputs"])

    until(lambda: not looking())
    before = open_files()
    for _ in range(100):
        page = browser.page()
        page.go(running.link.partition("#")[0])
        page.wait("document.querySelector('canvas')?.dataset.frames > 0")
        page.call("Page.close")
    until(lambda: not looking())
    until(lambda: open_files() <= before)
    return {"opened_and_closed": 100, "left_open": open_files() - before, "still_looking": looking()}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    folder = Path(tempfile.mkdtemp(prefix="vcam-panel-"))
    # the picture of a camera, larger than the page's
    running = Running(folder, size="1280x720")
    try:
        with Browser() as browser:
            page = browser.page()
            page.go(running.link)
            page.wait("document.querySelector('canvas')?.dataset.frames > 10", 120)
            told = costs(running, page, rounds) | clicks(page)
            page.call("Page.close")
            told |= pages(running, browser)
    finally:
        running.close()
    print(json.dumps({name: round(value, 2) for name, value in told.items()}, indent=2))


if __name__ == "__main__":
    main()
