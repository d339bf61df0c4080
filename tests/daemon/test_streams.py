"""Streams and recordings of the daemon: on a machine without a virtual camera, begun and ended while it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media.films import has_sound
from tests.output.encoded.helpers import Nginx, pull, until
from vcam.daemon import streams
from vcam.daemon.streams import hide_keys, stream_key, stream_outputs
from vcam.errors import UsageError
from vcam.media.probe import probe
from vcam.output.encoded.stream import StreamOutput
from vcam.settings import Settings

SIZE = (320, 180)


def test_the_key_comes_from_a_file_or_else_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file")
    path.chmod(0o600)
    assert stream_key(Settings(), {"VCAM_RTMP_KEY": "from-environment"}) == "from-environment"
    settings = Settings().replace(stream__key_file=str(path), stream__rtmp=("rtmp://host/live2",))
    assert stream_key(settings, {"VCAM_RTMP_KEY": "from-environment"}) == "from-file"
    assert stream_outputs(settings)[0].description == "stream to rtmp://host/live2/***"


def test_a_key_that_no_stream_needs_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VCAM_RTMP_KEY", "key-of-mine")
    stream_outputs(Settings().replace(stream__rtmp=("rtmp://host/app/instance/name",)))
    assert "the stream key is not used" in caplog.text
    assert "key-of-mine" not in caplog.text
    (output,) = stream_outputs(Settings().replace(stream__rtmp=("rtmp://host/live/0123abcd",)))
    assert output.is_same(StreamOutput("rtmp://host/live/0123abcd/key-of-mine"))


@pytest.mark.parametrize(
    "url", ["rtmp://host/live/SECRET", "rtmp://host/a/b/SECRET?t=HIDE/ME", "rtmp://host/live?t=SECRET"]
)
def test_keys_are_hidden_whether_or_not_one_is_given_apart(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    hidden: set[str] = set()
    monkeypatch.setattr(streams, "hide_arguments", hidden.update)
    hide_keys(Settings().replace(stream__rtmp=(url,)))
    for word in sorted(hidden, key=len, reverse=True):
        url = url.replace(word, "***")
    assert "SECRET" not in url
    assert "HIDE" not in url


def test_the_same_stream_twice_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="twice"):
        stream_outputs(Settings().replace(stream__rtmp=("rtmp://h/a/b", "rtmp://h/a/b")))


class Started:
    """`vcam start` on the demo scene, as a process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "VCAM_CONFIG": os.devnull}
        words = ["start", "--camera", "demo", "--size", "320x180", "--background", "color:#204080", *options]
        self.messages = folder / "messages"
        with self.messages.open("w") as messages:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vcam", *words],
                env=self.environment, stdin=subprocess.DEVNULL, stderr=messages,
            )  # fmt: skip

    def vcam(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "vcam", *words], env=self.environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout if check else done.stderr

    def outputs(self) -> list[dict]:
        try:
            return list(json.loads(self.vcam("status", "--json"))["outputs"])
        except (AssertionError, ValueError):
            return []

    def streaming(self) -> bool:
        return any(output.get("state") == "streaming" for output in self.outputs())


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Nginx]:
    server = Nginx(tmp_path).start()
    yield server
    server.kill()


@pytest.mark.process
@pytest.mark.engine
def test_a_stream_alone_needs_no_virtual_camera_and_can_be_steered(nginx: Nginx, tmp_path: Path) -> None:
    if list(Path("/dev").glob("video*")):
        pytest.skip("this machine has video devices")
    daemon = Started(tmp_path, "--rtmp", nginx.url("secret-key"))
    try:
        until(lambda: daemon.process.poll() is not None or daemon.streaming(), 60, daemon.messages.read_text)
        assert pull(nginx.url("secret-key"), 10, SIZE)
        assert b"secret-key" not in Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
        found = json.loads(daemon.vcam("status", "--json"))
        assert (found["watched"], found["camera"]["on"]) == (True, True)
        assert "secret-key" not in json.dumps(found) + daemon.vcam("get", "stream.rtmp")

        told = " ".join(daemon.vcam("status").split())
        assert "streaming for" in told
        assert "libx264, sound: silent" in told
        assert "frames sent" in told

        daemon.vcam("set", "stream.audio=silent", "stream.keep_free=1")
        film = tmp_path / "film.mkv"
        daemon.vcam("record", "start", str(film))
        assert "exists" in daemon.vcam("record", "start", str(film), check=False)
        until(lambda: film.stat().st_size > 1000, 30)
        daemon.vcam("record", "stop")
        assert (probe(film).size, has_sound(probe(film))) == (SIZE, True)

        daemon.vcam("stream", "stop")
        assert "nothing to stop" in daemon.vcam("stream", "stop", check=False)
        assert "that vcam can send to" in daemon.vcam("stream", "start", "ftp://host/secret-key", check=False)
        daemon.vcam("stream", "start", nginx.url("other-key"))
        until(daemon.streaming, 30)
        assert "already" in daemon.vcam("stream", "start", nginx.url("other-key"), check=False)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(30) == 0
    finally:
        daemon.process.kill()
        daemon.process.wait()
    said = daemon.messages.read_text()
    assert "secret-key" not in said
    assert "other-key" not in said
