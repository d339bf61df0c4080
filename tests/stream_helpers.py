"""Servers that streams are sent to, on free ports of this machine, and frames pulled back from them."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vcam.ffmpeg import find_ffmpeg
from vcam.frames import Frame

MODULES = Path("/usr/lib/nginx/modules")


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 20.0, what: object = "") -> float:
    """Wait for something to come true; the seconds that it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"not within {seconds} s {what() if callable(what) else what}"
        time.sleep(0.02)
    return time.monotonic() - begun


class Nginx:
    """nginx with an RTMP application LiveApp, as Ant Media names it; `tls` adds an rtmps port in front of it."""

    def __init__(self, folder: Path, *, on_publish: str = "", tls: tuple[Path, Path] | None = None) -> None:
        for module in ("ngx_rtmp_module.so", *(("ngx_stream_module.so",) if tls else ())):
            if not shutil.which("nginx", path="/usr/sbin:/usr/bin") or not (MODULES / module).exists():
                pytest.skip("nginx with its rtmp and stream modules is not installed")
        self.folder, self.port, self.tls_port = folder, free_port(), free_port()
        self.log = folder / "nginx.log"
        self._process: subprocess.Popen[bytes] | None = None
        publish = f"on_publish {on_publish};" if on_publish else ""
        front = ""
        if tls:
            front = f"""stream {{ server {{ listen 127.0.0.1:{self.tls_port} ssl; proxy_pass 127.0.0.1:{self.port};
                ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}; }} }}"""
        (folder / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {folder}/nginx.pid; error_log {self.log} info;
            load_module {MODULES}/ngx_rtmp_module.so;
            {f"load_module {MODULES}/ngx_stream_module.so;" if tls else ""}
            events {{ worker_connections 64; }}
            rtmp {{ server {{ listen 127.0.0.1:{self.port}; chunk_size 4096;
                application LiveApp {{ live on; record off; {publish} }} }} }}
            {front}""")

    def url(self, name: str, application: str = "LiveApp") -> str:
        return f"rtmp://127.0.0.1:{self.port}/{application}/{name}"

    def start(self) -> Nginx:
        command = [str(shutil.which("nginx", path="/usr/sbin:/usr/bin")), "-p", str(self.folder)]
        command += ["-c", str(self.folder / "nginx.conf"), "-e", str(self.log)]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self._answers() or self._process is None or self._process.poll() is not None, 10)
        assert self._answers(), self.log.read_text()
        return self

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, signal: int) -> None:
        assert self._process is not None
        self._process.send_signal(signal)


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
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def pull(
    url: str, count: int, size: tuple[int, int], *, options: tuple[str, ...] = (), patience: float = 40
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
