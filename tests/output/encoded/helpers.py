"""Servers that streams are sent to, on free ports of this machine, and frames pulled back from them."""

from __future__ import annotations

import http.server
import os
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from vcam.frames import Frame
from vcam.media.ffmpeg import find_ffmpeg
from vcam.output.encoded.stream import StreamOutput, StreamState
from vcam.settings import StreamSettings

SIZE = (320, 180)
MODULES = Path("/usr/lib/nginx/modules")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """One below those that the kernel gives to whoever asks for any: until it is used nobody else gets it."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def until(condition: Callable[[], object], seconds: float = 60.0, what: object = "") -> float:
    """Wait for something to come true; the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s {what() if callable(what) else what}"
        time.sleep(0.02)
    return time.monotonic() - begun


class Nginx:
    """nginx with an RTMP application LiveApp, as Ant Media names it; `tls` adds an rtmps port in front of it."""

    def __init__(
        self,
        folder: Path,
        *,
        on_publish: str = "",
        tls: tuple[Path, Path] | None = None,
        cable: Cable | None = None,
        applications: tuple[str, ...] = ("LiveApp",),
    ) -> None:
        """cable: be at its other end."""
        for module in ("ngx_rtmp_module.so", *(("ngx_stream_module.so",) if tls else ())):
            if not shutil.which("nginx", path="/usr/sbin:/usr/bin") or not (MODULES / module).exists():
                pytest.skip("nginx with its rtmp and stream modules is not installed")
        self.folder, self.port, self.tls_port = folder, free_port(), free_port()
        self.host, self._within = (cable.far, cable.within) if cable else ("127.0.0.1", [])
        self.log = folder / "nginx.log"
        self._process: subprocess.Popen[bytes] | None = None
        publish = f"on_publish {on_publish};" if on_publish else ""
        offered = " ".join(f"application {name} {{ live on; record off; {publish} }}" for name in applications)
        front = ""
        if tls:
            front = f"""stream {{ server {{ listen 127.0.0.1:{self.tls_port} ssl; proxy_pass 127.0.0.1:{self.port};
                ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}; }} }}"""
        (folder / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {self.log} info;
            load_module {MODULES}/ngx_rtmp_module.so;
            {f"load_module {MODULES}/ngx_stream_module.so;" if tls else ""}
            events {{ worker_connections 64; }}
            rtmp {{ server {{ listen {self.host}:{self.port}; chunk_size 4096; {offered} }} }}
            {front}""")

    def url(self, name: str, application: str = "LiveApp") -> str:
        return f"rtmp://{self.host}:{self.port}/{application}/{name}"

    def start(self) -> Nginx:
        command = [*self._within, str(shutil.which("nginx", path="/usr/sbin:/usr/bin")), "-p", str(self.folder)]
        command += ["-c", str(self.folder / "nginx.conf"), "-e", str(self.log)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: self._answers() or self._process is None or self._process.poll() is not None, 30)
            assert self._answers(), self.log.read_text()
        except BaseException:
            self.kill()
            raise
        return self

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, signal: int) -> None:
        assert self._process is not None
        self._process.send_signal(signal)


class Cable:
    """A network cable to a network namespace, which can be cut: packets vanish, nothing says that it is over."""

    def __init__(self) -> None:
        self._name = f"vcam{os.getpid() % 100_000}"
        # of the network for benchmarks, RFC 2544
        self.near, self.far = "198.18.77.1", "198.18.77.2"
        self._nowhere = "blackhole 198.18.77.0/30 metric 9999"
        self.within = ["ip", "netns", "exec", self._name]

    def __enter__(self) -> Cable:
        near, far = f"{self._name}n", f"{self._name}f"
        try:
            used = self._ip("-4 address") + self._ip("-4 route")
            if "198.18." in used:
                pytest.skip("this machine uses 198.18.0.0/15 itself")
            # without the cable nothing may go out by this machine's own way to the network
            self._ip(f"route add {self._nowhere}")
            self._ip(f"netns add {self._name}")
            self._ip(f"link add {near} type veth peer name {far} netns {self._name}")
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            pytest.skip(f"no network namespace can be made here: {error}")
        self._ip(f"address add {self.near}/30 dev {near}")
        self._ip(f"link set {near} up")
        self._ip(f"-n {self._name} address add {self.far}/30 dev {far}")
        self.mend()
        return self

    def cut(self) -> None:
        self._ip(f"-n {self._name} link set {self._name}f down")

    def mend(self) -> None:
        self._ip(f"-n {self._name} link set {self._name}f up")

    def _ip(self, words: str) -> str:
        command = ["ip", *words.split()]
        done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL, text=True)
        return done.stdout

    def __exit__(self, *exc: object) -> None:
        for words in (f"link del {self._name}n", f"netns del {self._name}", f"route del {self._nowhere}"):
            with suppress(OSError, subprocess.CalledProcessError):
                self._ip(words)


class Relay:
    """Passes connections on to a port of this machine, each after `delay` seconds: a server that is far away."""

    def __init__(self, port: int, delay: float) -> None:
        self._port, self._delay = port, delay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer = self._listener.accept()[0]
                threading.Thread(target=self._connect, args=(peer,), daemon=True).start()

    def _connect(self, peer: socket.socket) -> None:
        time.sleep(self._delay)
        with peer, socket.create_connection(("127.0.0.1", self._port)) as server:
            back = threading.Thread(target=self._pass, args=(server, peer), daemon=True)
            back.start()
            self._pass(peer, server)
            back.join()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


class Doorkeeper:
    """Answers nginx's question whether a name may publish: 403, unless it is in `welcome`."""

    def __init__(self, *welcome: str) -> None:
        self.welcome, self.asked = set(welcome), 0
        keeper = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                keeper.asked += 1
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                allowed = any(f"name={name}&" in body + "&" for name in keeper.welcome)
                self.send_response(200 if allowed else 403)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)


def pull(
    url: str, count: int, size: tuple[int, int], *, options: tuple[str, ...] = (), patience: float = 90
) -> list[Frame]:
    """Frames as a viewer gets them."""
    command = [
        shutil.which("ffmpeg") or find_ffmpeg(),
        "-v",
        "error",
        "-nostdin",
        *options,
        "-i",
        url,
        "-map",
        "0:v",
        "-frames:v",
        str(count),
    ]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False)
    length = size[0] * size[1] * 3 // 2
    data = np.frombuffer(done.stdout, np.uint8)
    assert len(data) >= length, done.stderr.decode()
    return [Frame.wrap(data[at : at + length], *size) for at in range(0, len(data) - length + 1, length)]


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


class Pushing:
    """Frames into a stream at the pace of a camera, from a thread.

    `worst` is the longest that a `write` took, `late` says how many took longer than two frames.
    """

    def __init__(self, output: StreamOutput, size: tuple[int, int] = SIZE, fps: float = 30.0) -> None:
        self.output, self.size, self.fps = output, size, fps
        self.worst, self.late, self.written = 0.0, 0, 0
        self.pictures = [self._picture(number) for number in range(8)]
        self.picture_at: Callable[[float], Frame] = lambda now: self.pictures[self.written % len(self.pictures)]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _picture(self, number: int) -> Frame:
        frame = Frame.allocate(*self.size)
        frame.y[:] = np.linspace(30, 220, self.size[0]).astype(np.uint8)
        frame.y[:32, number * 16 : number * 16 + 32] = 126
        frame.u[:], frame.v[:] = 100, 150
        return frame

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._ending.is_set():
            now = time.monotonic()
            frame = self.picture_at(now)
            frame.timestamp = now
            self.output.write(frame)
            took = time.monotonic() - now
            self.worst, self.late = max(self.worst, took), self.late + (took > 2 / 30)
            self.written += 1
            time.sleep(max(0.0, begun + self.written / self.fps - time.monotonic()))

    def __enter__(self) -> Pushing:
        self.output.open(self.size, self.fps)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ending.set()
        self._thread.join(30)
        self.output.close()
        assert self.output.state is StreamState.STOPPED
        assert not children(), "an ffmpeg was left behind"

    def until(self, *states: StreamState, seconds: float = 60.0) -> float:
        return until(lambda: self.output.state in states, seconds, self.output.status)

    def was_never_held_up(self) -> bool:
        """Whether no `write` has waited for a server: it would do so for a second and more.

        On a busy machine any thread rests for longer than two frames at times, but not at every few of them.
        """
        return self.worst < 1.0 and self.late <= 3 + self.written // 50


def children() -> list[str]:
    """The ffmpegs among this process's children, zombies too."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        # threads and processes end while this looks
        with suppress(OSError):
            for pid in (task / "children").read_text().split():
                with suppress(OSError):
                    if Path(f"/proc/{pid}/comm").read_text().startswith("ffmpeg"):
                        found.append(pid)
    return found


def stream(url: str, **settings: object) -> StreamOutput:
    return StreamOutput(url, StreamSettings(**{"bitrate": 1500, **settings}))
