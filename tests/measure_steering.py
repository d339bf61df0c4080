"""What steering costs the picture: missed frames and latency at 30 frames a second, alone and under attack.

python tests/measure_steering.py [SECONDS]; not part of the suite.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from vcam.assets import asset
from vcam.bench import demo_frames
from vcam.camera.geometry import Reframed
from vcam.camera.memory import MemoryCamera
from vcam.daemon import runtime
from vcam.daemon.changes import Parts
from vcam.daemon.client import ControlClient
from vcam.daemon.control import Control, Origin
from vcam.daemon.live import Live
from vcam.frames import PixelFormat
from vcam.output.null import MemoryOutput
from vcam.settings import Settings

SIZE = (640, 360)
LISTEN = (
    "import selectors, socket, sys\n"
    "chosen = selectors.DefaultSelector()\n"
    "for number in range(100):\n"
    "    peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1]); peer.sendall(sys.argv[2].encode() + b'\\n')\n"
    "    chosen.register(peer, selectors.EVENT_READ)\n"
    "while True:\n"
    "    for key, _ in chosen.select():\n"
    "        if not key.fileobj.recv(65536): sys.exit(1)\n"
)
SHOUT = (
    "import socket, sys\n"
    "while True:\n"
    "    try:\n"
    "        peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1])\n"
    "        while True: peer.sendall(b'\\0garbage\\n' * 1000)\n"
    "    except OSError: pass\n"
)


def nothing(seconds: float) -> dict[str, Any]:
    time.sleep(seconds)
    return {}


def changes(count: int) -> dict[str, Any]:
    """So many live changes, one after the other as fast as they are answered."""
    backgrounds = itertools.cycle(("color:#204080", str(asset("dusk.jpg")), "blur", "pixelate"))
    spent = []
    with ControlClient() as client:
        for number in range(count):
            begun = time.perf_counter()
            if number % 5 == 0:
                client.call("background", {"spec": next(backgrounds)})
            else:
                client.call("set", {"matte.edge": number % 9, "camera.mirror": bool(number % 2)})
            spent.append(time.perf_counter() - begun)
    spent.sort()
    return {"change_ms_p50": 1e3 * spent[count // 2], "change_ms_p99": 1e3 * spent[count * 99 // 100]}


def round_trips(count: int) -> dict[str, Any]:
    spent = []
    with ControlClient() as client:
        for _ in range(count):
            begun = time.perf_counter()
            client.call("status")
            spent.append(time.perf_counter() - begun)
            time.sleep(0.005)
    spent.sort()
    return {"round_trip_ms_p50": 1e3 * spent[count // 2], "round_trip_ms_p99": 1e3 * spent[count * 99 // 100]}


def crowd(seconds: float) -> dict[str, Any]:
    """A hundred clients that listen, and one that shouts."""
    path = str(runtime.socket_path())
    line = '{"jsonrpc":"2.0","method":"subscribe","params":{"events":["state","metrics"]},"id":1}'
    # processes of their own, or they would be measured as part of vcam
    listening = subprocess.Popen([sys.executable, "-c", LISTEN, path, line])
    time.sleep(1)
    shouting = subprocess.Popen([sys.executable, "-c", SHOUT, path])
    time.sleep(seconds)
    left = listening.poll() is not None
    for process in (listening, shouting):
        process.kill()
        process.wait()
    return {"listeners_lost": left}


def main(seconds: float) -> None:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
    encoded = demo_frames(SIZE, PixelFormat.MJPEG)
    cameras: list[MemoryCamera] = []

    def camera(settings: Any, size: Any, fps: float) -> Reframed:
        cameras.append(MemoryCamera(encoded, PixelFormat.MJPEG, SIZE, 30.0))
        return Reframed(cameras[-1], SIZE, settings.mirror, settings.crop)

    settings = Settings().replace(output__size=f"{SIZE[0]}x{SIZE[1]}", output__targets=("null",))
    life = Live(
        settings, camera=camera(settings.camera, SIZE, 30.0), outputs=[MemoryOutput()], parts=Parts(camera=camera)
    )
    runner = threading.Thread(target=life.run)
    trials: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("alone", lambda: nothing(seconds)),
        ("round trips", lambda: round_trips(500)),
        ("1000 changes", lambda: changes(1000)),
        ("alone", lambda: nothing(seconds)),
        ("100 clients and a shouter", lambda: crowd(seconds)),
        ("alone", lambda: nothing(seconds)),
    ]
    with Control(life, Origin()):
        runner.start()
        while life.timings is None or life.timings.frames < 60:
            time.sleep(0.1)
        for name, trial in trials:
            life.timings.reset()
            dropped = cameras[0].dropped
            report = trial()
            missed = cameras[0].dropped - dropped
            frames = life.timings.frames
            report |= {"frames": frames, "missed": missed, "missed_percent": 100 * missed / max(1, frames + missed)}
            report |= life.timings.latency_ms()
            print(name, json.dumps({key: round(value, 2) for key, value in report.items()}), flush=True)
        life.stop()
        runner.join()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
