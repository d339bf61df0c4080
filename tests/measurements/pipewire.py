"""What the camera in PipeWire costs, and what it stands: the figures of docs/pipewire.md.

    python -m tests.measurements.pipewire                   all that needs no device, ten minutes
    python -m tests.measurements.pipewire --only cost output order first idle readers restarts kills
    python -m tests.measurements.pipewire --only beside latency     where there is a v4l2loopback, as in tests/vm/vmrun

In a PipeWire session of its own, `vcam start --camera demo` at 1280x720, read by GStreamer. CPU is that of vcam's
process, all threads; beside it the same to `--output null --always-on`, in turns, so that the difference is what the
node costs.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.pipewire.session import Session, inside
from tests.places import ROOT
from vcam.control.client import ControlClient
from vcam.errors import DeviceError, VcamError
from vcam.frames import Frame
from vcam.output.virtual import every
from vcam.output.virtual.pipewire import PipeWireCamera
from vcam.pipewire import loop
from vcam.pipewire.registry import video_nodes

VCAM = (sys.executable, "-m", "vcam")
SIZE = (1280, 720)
PARTS = ("cost", "output", "order", "first", "idle", "readers", "restarts", "kills")
WITH_DEVICE = ("beside", "latency")


def main() -> int:
    """Print a line for each figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*PARTS, *WITH_DEVICE], default=list(PARTS))
    parser.add_argument("--frames", type=int, default=3000, help="of the longest reading")
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--device", default="/dev/video20", help="of v4l2loopback, for beside and latency")
    parser.add_argument("--rounds", type=int, default=6, help="of output, beside and latency")
    options = parser.parse_args()
    session = Session()
    session.start()
    try:
        with inside(session), tempfile.TemporaryDirectory() as folder:
            for part in options.only:
                print(f"{part}: {_measure(part, session, Path(folder), options)}", flush=True)
    finally:
        session.close()
    return 0


def _measure(part: str, session: Session, folder: Path, options: Any) -> str:
    if part == "cost":
        return cost(session, options.frames)
    if part == "output":
        return output(session, options.rounds)
    if part == "order":
        return order(session, options.rounds)
    if part == "first":
        return first(session, folder)
    if part == "idle":
        return idle(session)
    if part == "beside":
        return beside(session, options.device, options.rounds)
    if part == "latency":
        return latency(session, options.device, options.rounds)
    if part == "readers":
        return readers(session, options.readers)
    return restarts(session) if part == "restarts" else kills(session)


@contextmanager
def vcam(session: Session, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`vcam start`, once its node is there."""
    environ = {**session.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*VCAM, "--quiet", "start", "--camera", "demo", *options], env=environ)
    try:
        until(lambda: ours() if {"pipewire", "auto"} & set(options) else answers())
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def ours() -> bool:
    try:
        return any(node.is_virtual for node in video_nodes())
    except DeviceError:
        return False


def answers() -> bool:
    try:
        return bool(status_now())
    except VcamError:
        return False


def until(true: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.01)


def read(session: Session, frames: int, to: str = "/dev/null") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["gst-launch-1.0", "-q", "pipewiresrc", "target-object=vcam.vcam", f"num-buffers={frames}", "!",
         "video/x-raw,format=YUY2", "!", "filesink", f"location={to}"],
        env=session.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def read_device(session: Session, device: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["gst-launch-1.0", "-q", "v4l2src", f"device={device}", "!", "filesink", "location=/dev/null"],
        env=session.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def end(*readers: subprocess.Popen[bytes]) -> None:
    for reader in readers:
        reader.kill()
        reader.wait()


def cpu(process: subprocess.Popen[bytes]) -> float:
    """Seconds of CPU so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(_session: Session) -> dict[str, Any]:
    return status_now()


def status_now() -> dict[str, Any]:
    with ControlClient() as daemon:
        return dict(daemon.call("status"))


def memory(process: subprocess.Popen[bytes]) -> tuple[float, int, int]:
    """MB of its own memory, descriptors, threads."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
    return own / 1024, len(os.listdir(f"/proc/{process.pid}/fd")), len(os.listdir(f"/proc/{process.pid}/task"))


def cost(session: Session, frames: int) -> str:
    """In turns of 300 frames each, until so many were read in all."""
    given: dict[str, list[float]] = {"pipewire": [], "null": []}
    dropped = 0
    for _ in range(max(1, frames // 600)):
        for target, taken in given.items():
            with vcam(session, "--output", target, "--always-on") as process:
                reader = read(session, 10_000) if target == "pipewire" else None
                time.sleep(3)
                before, count = cpu(process), status(session)["frames"]
                time.sleep(20)
                after = status(session)
                taken.append(1000 * (cpu(process) - before) / (after["frames"] - count))
                if reader is not None:
                    dropped += sum(output["dropped"] for output in after["outputs"])
                    reader.kill()
                    reader.wait()
    medians = {name: statistics.median(taken) for name, taken in given.items()}
    more = medians["pipewire"] - medians["null"]
    return f"{medians['pipewire']:.2f} CPU ms a frame, {medians['null']:.2f} to nowhere: {more:+.2f}; {dropped} dropped"


class Written:
    """What v4l2loopback takes at the least: one write of an I420 picture into the kernel's memory."""

    def __init__(self) -> None:
        self._memory = os.memfd_create("written")

    def watched(self) -> bool:
        return True

    def write(self, frame: Frame) -> None:
        os.pwrite(self._memory, frame.packed(), 0)


class Nowhere(Written):
    def write(self, frame: Frame) -> None:
        pass


def output(session: Session, rounds: int) -> str:
    """The output alone, in this process: all its threads, 30 pictures a second, to one reader; in turns."""
    node = PipeWireCamera("vcam")
    node.open(SIZE, 30)
    taken: dict[str, list[float]] = {"to PipeWire": [], "by a write": [], "to nowhere": []}
    for _ in range(rounds):
        reader = read(session, 100_000)
        until(node.watched)
        taken["to PipeWire"].append(_each_frame(node))
        end(reader)
        until(lambda: not node.watched())
        taken["by a write"].append(_each_frame(Written()))
        taken["to nowhere"].append(_each_frame(Nowhere()))
    node.close()
    nothing = statistics.median(taken.pop("to nowhere"))
    return "CPU ms a frame: " + ", ".join(
        f"{name} {statistics.median(values) - nothing:.2f} ({' '.join(f'{value - nothing:.2f}' for value in values)})"
        for name, values in taken.items()
    )


def _each_frame(output: PipeWireCamera | Written | every.EveryCamera, frames: int = 150) -> float:
    frame, due = Frame.allocate(*SIZE), time.monotonic()
    for _ in range(10):
        frame.timestamp = time.monotonic()
        output.write(frame)
        time.sleep(1 / 30)
    before = time.process_time()
    for _ in range(frames):
        frame.timestamp = time.monotonic()
        output.watched()
        output.write(frame)
        due = max(due + 1 / 30, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    return 1000 * (time.process_time() - before) / frames


class Device(Written):
    """In the place of a v4l2loopback device; notes when it has each frame."""

    live, finished, dropped, card, description = True, False, 0, None, "device"

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()
        self.late: list[float] = []

    def watched(self) -> bool:
        return True

    def fileno(self) -> None:
        return None

    def open(self, _size: object, _fps: float) -> None:
        self.late.clear()

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self.late.append(1000 * (time.monotonic() - frame.timestamp))

    def close(self) -> None:
        pass

    abort = close


def order(session: Session, rounds: int) -> str:
    """From the call of `auto` until its device has the frame: without PipeWire, with a node, and with one that is read.

    The device's part is one write, as in `output`.
    """
    there, taken = loop.is_there, {"alone": [], "beside a node": [], "beside a reader": []}  # type: ignore[var-annotated]
    with patch.object(every, "VirtualCamera", Device), patch.object(every, "_has_device", lambda: True):
        for _ in range(rounds):
            for name, values in taken.items():
                with patch.object(loop, "is_there", (lambda: False) if name == "alone" else there):
                    camera = every.EveryCamera()
                    camera.open(SIZE, 30)
                    reader = read(session, 100_000) if name == "beside a reader" else None
                    until(lambda: reader is None or camera._node.watched())  # noqa: B023
                    _each_frame(camera)
                    values += camera._device.late  # type: ignore[attr-defined]
                    if reader is not None:
                        end(reader)
                    camera.close()
    cuts = {name: statistics.quantiles(values, n=20) for name, values in taken.items()}
    return "ms until the device has it, p50 and p95: " + ", ".join(
        f"{name} {cut[9]:.2f} {cut[18]:.2f}" for name, cut in cuts.items()
    )


# the picture as it is: what the outputs differ by is little beside what a network takes
PLAIN = ("--background", "none")


def beside(session: Session, device: str, rounds: int) -> str:
    """One reader of PipeWire's, then one of the device, in turns."""
    given: dict[str, list[float]] = {"pipewire": [], device: []}
    for _ in range(rounds):
        for target, taken in given.items():
            with vcam(session, "--output", target, *PLAIN) as process:
                until(lambda: status(session)["state"] == "idle")
                reader = read(session, 100_000) if target == "pipewire" else read_device(session, device)
                until(lambda: status(session)["state"] == "live")
                time.sleep(2)
                before, count = cpu(process), status(session)["frames"]
                time.sleep(8)
                after = status(session)["frames"]
                taken.append(1000 * (cpu(process) - before) / (after - count))
                end(reader)
    more = [node - other for node, other in zip(*given.values(), strict=True)]
    medians = ", ".join(f"{name} {statistics.median(taken):.2f}" for name, taken in given.items())
    each = " ".join(f"{value:+.2f}" for value in more)
    return f"CPU ms a frame: {medians}; {statistics.median(more):+.2f} to PipeWire ({each})"


def latency(session: Session, device: str, rounds: int) -> str:
    """A reader of the device: without PipeWire, with a node that nobody reads, and with one that somebody reads."""
    given: dict[str, list[tuple[float, float]]] = {"alone": [], "beside a node": [], "beside a reader": []}
    for _ in range(rounds):
        for name, taken in given.items():
            with vcam(session, "--output", device if name == "alone" else "auto", *PLAIN):
                until(lambda: status(session)["state"] == "idle")
                readers = [read_device(session, device)]
                if name == "beside a reader":
                    readers.append(read(session, 100_000))
                until(lambda: status(session)["state"] == "live")
                time.sleep(8)
                found = status(session)["latency_ms"]
                taken.append((found["p50"], found["p95"]))
                end(*readers)
    words = []
    for name, taken in given.items():
        p50, p95 = (statistics.median(values) for values in zip(*taken, strict=True))
        words.append(f"{name} {p50:.2f}, {p95:.2f}")
    return "latency of the device in ms, p50 and p95: " + "; ".join(words)


def first(session: Session, folder: Path) -> str:
    """From the reader's coming to the first frame that is no placeholder, as vcam says it."""
    taken, whole = [], []
    with vcam(session, "--output", "pipewire"):
        for number in range(10):
            until(lambda: status(session)["state"] == "idle")
            target = folder / f"{number}.yuv"
            began = time.monotonic()
            reader = read(session, 10_000, str(target))
            until(lambda: status(session)["watched"])
            came = time.monotonic()
            until(lambda: status(session)["state"] == "live")
            taken.append(time.monotonic() - came)
            whole.append(time.monotonic() - began)
            reader.kill()
            reader.wait()
    known, all_ = statistics.median(taken), statistics.median(whole)
    return f"{known:.2f} s from a reader's coming to live, {all_:.2f} s from its program's start (medians of 10)"


def idle(session: Session) -> str:
    with vcam(session, "--output", "pipewire") as process:
        until(lambda: status(session)["state"] == "idle")
        before = cpu(process)
        time.sleep(30)
        return f"{100 * (cpu(process) - before) / 30:.2f} % of a core"


def readers(session: Session, count: int) -> str:
    failed = 0
    with vcam(session, "--output", "pipewire") as process:
        for number in range(count):
            failed += read(session, 3).wait(60) != 0
            if number == count // 10:
                before = memory(process)
        after = memory(process)
    return f"{failed} of {count} failed; MB, descriptors, threads {before} -> {after}"


def restarts(session: Session) -> str:
    failed = 0
    with vcam(session, "--output", "pipewire") as process:
        before = memory(process)
        for number in range(20):
            session.stop(signal.SIGKILL if number % 2 else signal.SIGTERM)
            session.start()
            until(ours)
            failed += read(session, 5).wait(60) != 0
        after = memory(process)
    return f"{failed} of 20 failed; MB, descriptors, threads {before} -> {after}"


def kills(session: Session) -> str:
    failed = 0
    for _ in range(20):
        with vcam(session, "--output", "pipewire") as process:
            failed += read(session, 5).wait(60) != 0
            process.kill()
            process.wait()
            until(lambda: not ours())
    return f"after {failed} of 20 the next reader got nothing"


if __name__ == "__main__":
    sys.exit(main())
