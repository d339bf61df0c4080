"""A microphone that hears clicks, and how far apart flashes and clicks of the same moments arrive."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tests.output.encoded.helpers import until


class Microphone:
    """A PulseAudio of its own with one source, which hears a click at each full second after `begun`.

    Its clock is `too_fast` by that fraction, as those of sound cards are by some: it gives more samples than it should.
    """

    RATE = 44100

    def __init__(self, folder: Path, too_fast: float = 0.0) -> None:
        if not shutil.which("pulseaudio"):
            pytest.skip("pulseaudio is not installed")
        self.device, self.begun = "pulse:vcam-clicks", 0.0
        self._folder, self._rate = folder, self.RATE * (1 + too_fast)
        self._socket, self._pipe = folder / "pulse.socket", folder / "samples"
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._click)

    def __enter__(self) -> Microphone:
        source = f"module-pipe-source source_name=vcam-clicks file={self._pipe} format=s16le channels=1"
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += ["-L", f"{source} rate={self.RATE}"]
        command += ["-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}"]
        home = {"HOME": str(self._folder), "XDG_RUNTIME_DIR": str(self._folder), "PATH": os.environ["PATH"]}
        self._process = subprocess.Popen(
            command, env=home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self._socket.exists() and self._pipe.exists(), 60)
        self._server = os.environ.get("PULSE_SERVER")
        os.environ["PULSE_SERVER"] = f"unix:{self._socket}"
        self.begun = time.monotonic()
        self._thread.start()
        return self

    def _click(self) -> None:
        descriptor, sample, chunk = os.open(self._pipe, os.O_WRONLY | os.O_NONBLOCK), 0, self.RATE // 100
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 16384)
        while not self._ending.is_set():
            at = (sample + np.arange(chunk)) / self._rate % 1.0
            tone = np.where(at < 0.02, 20_000 * np.sin(2 * np.pi * 1000 * at), 0.0).astype("<i2")
            sample += chunk
            time.sleep(max(0.0, self.begun + sample / self._rate - time.monotonic()))
            # what nobody takes is gone, as in the air
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(descriptor, tone.tobytes())
        os.close(descriptor)

    def __exit__(self, *exc: object) -> None:
        self._ending.set()
        self._thread.join(30)
        self._process.kill()
        self._process.wait()
        if self._server is None:
            del os.environ["PULSE_SERVER"]
        else:
            os.environ["PULSE_SERVER"] = self._server


class Recorder:
    """Keeps what a viewer gets, picture and sound, as it came."""

    def __init__(self, url: str, path: Path) -> None:
        self.path = path
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", url, "-c", "copy", str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)


def flashes(path: Path) -> np.ndarray:
    """The moments, in seconds, at which a recording's picture turns from dark to bright."""
    said = _filtered(path, "-vf", "scale=16:16,signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-")
    times = np.array(re.findall(r"pts_time:(-?[\d.]+)", said), float)
    bright = np.array(re.findall(r"YAVG=([\d.]+)", said), float) > 128
    # what was there already at the beginning did not rise
    return times[1:][bright[1:] & ~bright[:-1]]


def clicks(path: Path) -> np.ndarray:
    """The moments, in seconds, at which a recording's sound turns from silent to loud."""
    said = _filtered(path, "-af", "silencedetect=n=-20dB:d=0.3,ametadata=print:key=lavfi.silence_end:file=-")
    return np.array(re.findall(r"silence_end=([\d.]+)", said), float)


def _filtered(path: Path, kind: str, chain: str) -> str:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-copyts", "-i", str(path), "-vn" if kind == "-af" else "-an"]
    command += [kind, chain, "-f", "null", "-"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
