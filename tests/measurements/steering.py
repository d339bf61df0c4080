"""What steering costs the picture: missed frames and latency at 30 frames a second, alone and under attack.

    python -m tests.measurements.steering [PAIRS]        not part of the suite

Alone and under attack take turns in one process, PAIRS times, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from vcam.assets import asset
from vcam.camera.memory import MemoryCamera
from vcam.camera.shape import ShapedCamera
from vcam.control.client import ControlClient
from vcam.control.place import socket_path
from vcam.daemon.changes import Parts
from vcam.daemon.live import Live
from vcam.daemon.methods import Control
from vcam.daemon.origin import Origin
from vcam.frames import Frame, PixelFormat
from vcam.measure.bench import demo_frames
from vcam.output.null import MemoryOutput
from vcam.settings import Settings

SIZE = (640, 360)
BLOCK, SETTLE = 6.0, 1.5
"""Seconds that are measured at a time, and that the crowd is given to come and go before."""

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


def changes(count: int) -> dict[str, float]:
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


def round_trips(count: int) -> dict[str, float]:
    spent = []
    with ControlClient() as client:
        for _ in range(count):
            begun = time.perf_counter()
            client.call("status")
            spent.append(time.perf_counter() - begun)
            time.sleep(0.005)
    spent.sort()
    return {"round_trip_ms_p50": 1e3 * spent[count // 2], "round_trip_ms_p99": 1e3 * spent[count * 99 // 100]}


def elsewhere(name: str, count: int) -> dict[str, float]:
    """What a client measures in a process of its own, as clients are."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.measurements.steering", name, str(count)], check=True, stdout=subprocess.PIPE
    )
    report: dict[str, float] = json.loads(done.stdout)
    return report


class Crowd:
    """A hundred clients that listen, and one that shouts, while the block lasts."""

    def __enter__(self) -> Crowd:
        path = str(socket_path())
        line = '{"jsonrpc":"2.0","method":"subscribe","params":{"events":["state","metrics"]},"id":1}'
        # processes of their own, or they would be measured as part of vcam
        self._listening = subprocess.Popen([sys.executable, "-c", LISTEN, path, line])
        self._shouting = subprocess.Popen([sys.executable, "-c", SHOUT, path])
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._listening.poll() is None, "a listener was dropped"
        for process in (self._listening, self._shouting):
            process.kill()
            process.wait()


class Stopwatch:
    """How long each frame takes from the camera to the output, in milliseconds, once as it is and once without the time
    in which the loop was ready to run and other processes had the processors: what is left is work, and waiting for
    the other threads of vcam.
    """

    def __init__(self) -> None:
        self.whole: list[float] = []
        self.own: list[float] = []
        self._begun = (0.0, 0.0)

    def begin(self) -> None:
        self._begun = self._now()

    def end(self) -> None:
        spent, queued = (1e3 * (now - then) for now, then in zip(self._now(), self._begun, strict=True))
        self.whole.append(spent)
        self.own.append(spent - queued)

    @staticmethod
    def _now() -> tuple[float, float]:
        # the second number is the nanoseconds in the run queue: Documentation/scheduler/sched-stats.rst
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return time.monotonic(), int(file.read().split()[1]) / 1e9


class Timed(MemoryOutput):
    def __init__(self, watch: Stopwatch) -> None:
        super().__init__()
        self._watch = watch

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self._watch.end()


class TimedCamera(ShapedCamera):
    watch: Stopwatch

    def read(self) -> Frame | None:
        frame = super().read()
        self.watch.begin()
        return frame


def measure(watch: Stopwatch) -> tuple[list[float], list[float]]:
    """Both times of every frame of the next BLOCK seconds."""
    watch.whole, watch.own = [], []
    time.sleep(BLOCK)
    return watch.whole, watch.own


def server_cpu() -> float:
    """Seconds of CPU that the control socket's thread has used."""
    thread = next(thread for thread in threading.enumerate() if thread.name == "vcam-control")
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


def in_turns(watch: Stopwatch, pairs: int) -> dict[str, float]:
    """The latency alone and under attack, and how one compares with the other."""
    calm: list[tuple[list[float], list[float]]] = []
    loud: list[tuple[list[float], list[float]]] = []
    spent = 0.0
    for _ in range(pairs):
        time.sleep(SETTLE)
        calm.append(measure(watch))
        with Crowd():
            time.sleep(SETTLE)
            begun = server_cpu()
            loud.append(measure(watch))
            spent += server_cpu() - begun
    report: dict[str, float] = {"server_ms_per_s": 1e3 * spent / (pairs * BLOCK)}
    for kind, name in enumerate(("", "own_")):
        both = [list(itertools.chain.from_iterable(block[kind] for block in blocks)) for blocks in (calm, loud)]
        for percent in (50, 95, 99):
            before, after = (percentile(values, percent) for values in both)
            report |= {f"{name}p{percent}": before, f"{name}p{percent}_loud": after}
        ratios = [percentile(after[kind], 99) / percentile(before[kind], 99)
                  for before, after in zip(calm, loud, strict=True)]  # fmt: skip
        # between calm blocks there is nothing but chance
        chance = [percentile(after[kind], 99) / percentile(before[kind], 99)
                  for before, after in itertools.pairwise(calm)]  # fmt: skip
        report[f"{name}p99_ratio"] = after / before
        report[f"{name}p99_ratio_median"] = statistics.median(ratios)
        report[f"{name}p99_chance"] = statistics.median(max(ratio, 1 / ratio) for ratio in chance)
    return report | {"frames": len(both[0]), "frames_loud": len(both[1])}


def main(pairs: int) -> None:
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp()
    encoded = demo_frames(SIZE, PixelFormat.MJPEG)
    cameras: list[MemoryCamera] = []
    watch = Stopwatch()

    def camera(settings: Any, size: Any, fps: float) -> ShapedCamera:
        cameras.append(MemoryCamera(encoded, PixelFormat.MJPEG, SIZE, 30.0))
        reframed = TimedCamera(cameras[-1], SIZE, settings.mirror, settings.crop)
        reframed.watch = watch
        return reframed

    settings = Settings().replace(output__size=f"{SIZE[0]}x{SIZE[1]}", output__targets=("null",))
    life = Live(
        settings, camera=camera(settings.camera, SIZE, 30.0), outputs=[Timed(watch)], parts=Parts(camera=camera)
    )
    runner = threading.Thread(target=life.run)
    trials: list[tuple[str, Callable[[], dict[str, float]]]] = [
        ("round trips", lambda: elsewhere("round_trips", 1000)),
        ("1000 changes", lambda: elsewhere("changes", 1000)),
        ("100 clients and a shouter, in turns with nobody", lambda: in_turns(watch, pairs)),
    ]
    with Control(life, Origin()):
        runner.start()
        while life.timings is None or life.timings.frames < 60:
            time.sleep(0.1)
        for name, trial in trials:
            dropped, begun = cameras[0].dropped, time.monotonic()
            report = trial()
            missed = cameras[0].dropped - dropped
            report["missed_percent"] = 100 * missed / (30.0 * (time.monotonic() - begun))
            print(name, json.dumps({key: round(value, 3) for key, value in report.items()}), flush=True)
        life.stop()
        runner.join()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps({"round_trips": round_trips, "changes": changes}[sys.argv[1]](int(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
