"""Resident memory of `vcam start` under thousands of live changes, with real networks (docs/performance.md).

    python -m tests.measurements.memory [CHANGES [KIND,KIND...]]

The plateau is the median from the 201st change on; the memory must stay within 15 % of it from there to the end.
"""

from __future__ import annotations

import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vcam.assets import asset
from vcam.control.client import ControlClient
from vcam.errors import VcamError

SETTLING = 200
TOLERANCE = 0.15
EVERY = 10
"""Changes between two looks at the memory."""


def wishes(rnd: random.Random, film: str | None) -> dict[str, Callable[[], dict[str, Any] | None]]:
    """For each kind of change, what makes one; None is a pause. film: a video, for a camera and a background."""
    pick, films = rnd.choice, [film] if film else []
    dusk = str(asset("dusk.jpg"))
    return {
        "background": lambda: {
            "background.spec": pick(["blur", "blur:80", "pixelate", "green", "color:#123456", dusk, "none", *films])
        },
        "size": lambda: {"output.size": pick(["1280x720", "640x360", "960x540"])},
        "filters": lambda: {"filters.chain": pick(["", "hologram", "low-light", "color-transfer;vignette", "alpha"])},
        "matte": lambda: {"matte.temporal": round(rnd.random(), 2), "matte.refine": rnd.random() < 0.7},
        "segment": lambda: {
            "segment.region": rnd.random() < 0.5,
            "segment.backend": pick(["onnxruntime", "openvino"]),
            "segment.model": pick(["selfie-general", "selfie-landscape"]),
        },
        "camera": lambda: {"camera.mirror": rnd.random() < 0.5, "camera.crop": pick(["", "640x360+100+100"])},
        "source": lambda: {"camera.source": pick(["demo", *films])},
        "framing": lambda: {"framing.auto": rnd.random() < 0.5},
        "overlay": lambda: {"overlay.text": pick(["", "hello", "x" * 30]), "overlay.clock": rnd.random() < 0.5},
        "bad": lambda: {"background.spec": "/nonexistent.jpg"},
        "pause": lambda: None,
    }


class Process:
    """`vcam start` on the built-in scene, for as long as it is inside."""

    def __init__(self, folder: Path, *options: str, size: str = "1280x720") -> None:
        """folder: for its socket and log."""
        self._log = (folder / "log").open("wb")
        self._environ = os.environ | {"XDG_RUNTIME_DIR": str(folder)}
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
        command = [sys.executable, "-m", "vcam", "start", "--camera", "demo", "--background", "green"]
        command += ["--output", "null", "--size", size, "--set", "output.always_on=true", *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self._log, env=self._environ)

    def client(self) -> ControlClient:
        """A client, once it serves."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return ControlClient()
            except VcamError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise
                time.sleep(0.1)

    def resident_mb(self) -> float:
        """What it has in memory now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        found = re.search(r"VmRSS:\s+(\d+)", status)
        assert found
        return int(found[1]) / 1024

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()


def measure(
    process: Process, client: ControlClient, changes: int, kinds: list[str], film: str | None = None, pause: float = 0.0
) -> list[float]:
    """Resident memory in MB, after every tenth change."""
    rnd = random.Random(1)
    makers = wishes(rnd, film)
    found = []
    for number in range(1, changes + 1):
        wish = makers[rnd.choice(kinds)]()
        try:
            if wish is None:
                client.call("pause")
                client.call("resume")
            else:
                client.call("set", wish)
        except VcamError as error:
            if "/nonexistent.jpg" not in str(error):
                print(f"refused: {error}", file=sys.stderr)
        time.sleep(pause)
        if number % EVERY == 0:
            found.append(process.resident_mb())
    return found


def judge(found: list[float], settling: int = SETTLING) -> tuple[float, float, float]:
    """Plateau, largest value and last value, all after the first `settling` changes."""
    rest = found[settling // EVERY :]
    return statistics.median(rest), max(rest), rest[-1]


def make_film(path: Path) -> str:
    """Two seconds of the built-in scene."""
    command = [sys.executable, "-m", "vcam", "demo", "--frames", "60", "--output", str(path), "--size", "640x360"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return str(path)


def main() -> None:
    changes = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film = make_film(folder / "film.mp4")
        kinds = sys.argv[2].split(",") if len(sys.argv) > 2 else list(wishes(random.Random(), None))
        with Process(folder) as process, process.client() as client:
            time.sleep(3)
            before = process.resident_mb()
            found = measure(process, client, changes, kinds, film)
            print(f"{before:.0f} MB at first, then after every {EVERY} changes:")
            print(" ".join(f"{value:.0f}" for value in found))
            if len(found) > SETTLING // EVERY:
                plateau, largest, last = judge(found)
                print(
                    f"plateau {plateau:.0f}, largest {largest:.0f} ({largest / plateau - 1:+.0%}), last {last:.0f} MB"
                )


if __name__ == "__main__":
    main()
