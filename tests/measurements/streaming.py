"""What a stream costs vcam and the virtual camera, and how it lives through what networks do; nginx on this machine.

python -m tests.measurements/streaming.py TRIAL AMOUNT; not part of the suite.

    cpu SECONDS      CPU of vcam's own process for each frame that is pushed, 720p at 30 frames a second
    latency SECONDS  the virtual camera's latency without and with a stream, in turns
    kills COUNT      the server killed so often: how soon the stream is back, and what the virtual camera noticed
    cut SECONDS      the same for a network that is gone for so long; needs root, for network namespaces
    drift SECONDS    flashes and clicks of the same moments, pulled back and compared; needs pulseaudio. A third word
                     is how many parts in a million the microphone's clock is too fast, 100 if there is none
"""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.output.encoded.claps import Microphone, Recorder, clicks, flashes
from tests.output.encoded.helpers import Cable, Nginx, until
from vcam.camera.memory import MemoryCamera
from vcam.frames import Frame, PixelFormat
from vcam.measure.bench import demo_frames
from vcam.output.encoded.stream import StreamOutput, StreamState
from vcam.output.null import MemoryOutput
from vcam.pipeline import Pipeline, open_pipeline, tune_process
from vcam.settings import Settings, StreamSettings
from vcam.timings import Usage

SIZE, FPS = (1280, 720), 30
BLOCK = 90
"""Frames after which a loop without the stream and one with it take turns."""


class VirtualCamera(MemoryOutput):
    """Notes when each frame was captured and when it was there."""

    description = "virtual camera"

    def __init__(self) -> None:
        super().__init__()
        self.captured: list[float] = []
        self.arrived: list[float] = []

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self.captured.append(frame.timestamp)
        self.arrived.append(time.monotonic())

    def clear(self) -> None:
        self.captured, self.arrived = [], []

    def seen(self) -> dict[str, Any]:
        """Latency and the longest time between two frames, in milliseconds."""
        late = 1e3 * (np.array(self.arrived) - np.array(self.captured))
        gaps = 1e3 * np.diff(self.arrived)
        return {
            "frames": len(late),
            "p50_ms": float(np.percentile(late, 50)),
            "p99_ms": float(np.percentile(late, 99)),
            "longest_gap_ms": float(gaps.max()),
            "gaps_over_2_frames": int((gaps > 2e3 / FPS).sum()),
        }


class Loop:
    """The real loop on a camera in memory, in a thread, with a virtual camera and a stream."""

    def __init__(self, url: str) -> None:
        tune_process()
        settings = Settings().replace(output__size=f"{SIZE[0]}x{SIZE[1]}")
        frames = demo_frames(SIZE, PixelFormat.NV12)
        self.camera = MemoryCamera(frames, PixelFormat.NV12, SIZE, FPS)
        self.camera.open()
        self.screen, self.stream = VirtualCamera(), StreamOutput(url, StreamSettings())
        self.pipeline: Pipeline = open_pipeline(settings, self.camera, SIZE, [self.screen])
        self.pipeline.open_outputs(SIZE, FPS)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            self.pipeline.step()

    def push(self, on: bool) -> None:
        """Begin the stream and wait until it is there, or end it."""
        if on:
            self.stream.open(SIZE, FPS)
            self.pipeline.outputs = [self.screen, self.stream]
            until(lambda: self.stream.state is StreamState.STREAMING, 60, self.stream.status)
        else:
            self.pipeline.outputs = [self.screen]
            self.stream.close()

    def over(self) -> None:
        self._ending.set()
        self._thread.join()
        self.pipeline.close()


@contextmanager
def running(url: str) -> Iterator[Loop]:
    loop = Loop(url)
    try:
        time.sleep(3)
        yield loop
    finally:
        loop.over()


def cpu(seconds: float) -> None:
    """A loop that does nothing but make a picture in the same buffer each time, and the same with a stream."""
    tune_process()
    composed, source = Frame.allocate(*SIZE), demo_frames(SIZE, PixelFormat.I420)
    pictures = itertools.cycle([Frame.wrap(np.frombuffer(data, np.uint8), *SIZE) for data in source])

    def turn(output: StreamOutput | None) -> float:
        begun, due = Usage.now(), time.monotonic()
        for _ in range(BLOCK):
            due += 1 / FPS
            time.sleep(max(0.0, due - time.monotonic()))
            composed.copy_from(next(pictures))
            composed.timestamp = time.monotonic()
            if output is not None:
                output.write(composed)
        return 1e3 * (Usage.now() - begun).cpu / BLOCK

    alone, pushing = [], []
    with tempfile.TemporaryDirectory() as folder:
        server = Nginx(Path(folder)).start()
        output = StreamOutput(server.url("cpu"), StreamSettings())
        for _ in range(max(1, round(seconds / 15))):
            alone.append(turn(None))
            output.open(SIZE, FPS)
            while output.state is not StreamState.STREAMING:
                turn(output)
            pushing += [turn(output) for _ in range(4)]
            output.close()
        server.kill()
    report(alone=np.median(alone), with_stream=np.median(pushing), dropped=output.dropped,
           cpu_ms_per_frame=np.median(pushing) - np.median(alone))  # fmt: skip


def latency(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Nginx(Path(folder)).start()
        with running(server.url("latency")) as loop:
            late: dict[bool, list[float]] = {False: [], True: []}
            for pushing in (False, True) * max(1, round(seconds / 60)):
                if pushing:
                    loop.push(True)
                time.sleep(2)
                loop.screen.clear()
                time.sleep(30)
                seen = loop.screen.seen()
                late[pushing].append(seen["p99_ms"])
                report(pushing=pushing, **seen)
                if pushing:
                    loop.push(False)
        server.kill()
    report(p99_without=np.median(late[False]), p99_with=np.median(late[True]),
           moved_ms=np.median(late[True]) - np.median(late[False]))  # fmt: skip


def kills(count: float) -> None:
    back = []
    with tempfile.TemporaryDirectory() as folder:
        server = Nginx(Path(folder)).start()
        with running(server.url("kills")) as loop:
            loop.push(True)
            loop.screen.clear()
            dropped = loop.camera.dropped
            for number in range(int(count)):
                server.kill()
                # away for 0.3 to 10 s: short of and long after the longest wait between two tries
                time.sleep((0.3, 1.0, 3.0, 10.0)[number % 4])
                server.start()
                back.append(until(lambda: loop.stream.state is StreamState.STREAMING, 60, loop.stream.status))
                time.sleep(2)
            noticed = loop.screen.seen() | {"camera_frames_missed": loop.camera.dropped - dropped}
            loop.push(False)
        server.kill()
    report(kills=len(back), back_s_median=float(np.median(back)), back_s_worst=max(back), **noticed)


def cut(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, Cable() as cable:
        server = Nginx(Path(folder), cable=cable).start()
        with running(server.url("cut")) as loop:
            loop.push(True)
            time.sleep(3)
            loop.screen.clear()
            dropped = loop.camera.dropped
            cable.cut()
            lost = until(lambda: loop.stream.state is not StreamState.STREAMING, 60, loop.stream.status)
            time.sleep(max(0.0, seconds - lost))
            cable.mend()
            back = until(lambda: loop.stream.state is StreamState.STREAMING, 60, loop.stream.status)
            time.sleep(3)
            noticed = loop.screen.seen() | {"camera_frames_missed": loop.camera.dropped - dropped}
            loop.push(False)
        server.kill()
    report(cut_s=seconds, noticed_after_s=lost, back_after_s=back, **noticed)


def drift(seconds: float, too_fast: float = 100.0) -> None:
    """A small picture, so that a busy machine keeps up; what is measured are clocks."""
    size = (320, 180)
    dark, bright = Frame.allocate(*size), Frame.allocate(*size)
    bright.fill(235, 128, 128)
    with tempfile.TemporaryDirectory() as folder, Microphone(Path(folder), too_fast * 1e-6) as microphone:
        server = Nginx(Path(folder)).start()
        output = StreamOutput(server.url("drift"), StreamSettings(audio=microphone.device))
        output.open(size, FPS)
        recorder: Recorder | None = None
        for number in itertools.count():
            # captured at the same moments as the clicks are heard, and 20 ms on the way
            captured = microphone.begun + number / FPS
            if captured < time.monotonic() - 0.5:
                continue
            time.sleep(max(0.0, captured + 0.02 - time.monotonic()))
            frame = bright if number % FPS < 3 else dark
            frame.timestamp = captured
            output.write(frame)
            if recorder is None and output.state is StreamState.STREAMING:
                recorder, end = Recorder(server.url("drift"), Path(folder, "pulled.mkv")), time.monotonic() + seconds
            if recorder is not None and time.monotonic() > end:
                break
        assert recorder is not None
        status = output.status()
        recorder.stop()
        output.close()
        server.kill()
        seen, heard = flashes(recorder.path), clicks(recorder.path)
    apart = np.array([1e3 * (heard[np.abs(heard - at).argmin()] - at) for at in seen])
    tenth = max(1, len(apart) // 10)
    slope = float(np.polyfit(seen, apart, 1)[0]) * (seen[-1] - seen[0])
    report(sound=status["sound"], microphone_too_fast_ppm=too_fast, flashes=len(seen), clicks=len(heard),
           sound_after_picture_ms_first_tenth=np.median(apart[:tenth]),
           sound_after_picture_ms_last_tenth=np.median(apart[-tenth:]),
           least_ms=apart.min(), most_ms=apart.max(), drift_ms=slope)  # fmt: skip


def report(**values: Any) -> None:
    rounded = {key: round(float(value), 3) if isinstance(value, float) else value for key, value in values.items()}
    print(json.dumps(rounded), flush=True)


TRIALS = {"cpu": cpu, "latency": latency, "kills": kills, "cut": cut, "drift": drift}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in TRIALS:
        sys.exit(__doc__)
    TRIALS[sys.argv[1]](*map(float, sys.argv[2:]))
