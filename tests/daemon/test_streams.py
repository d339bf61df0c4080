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

from tests.cli.helpers import offered
from tests.daemon.helpers import Steered, run
from tests.media.films import has_sound
from tests.output.encoded.helpers import Nginx, pull, until
from vcam.control.client import ControlClient
from vcam.daemon import streams
from vcam.daemon.streams import hide_keys, stream_key, stream_outputs
from vcam.errors import UsageError
from vcam.media.probe import probe
from vcam.output.encoded.stream import StreamOutput
from vcam.settings import Settings
from vcam.settings.shown import without_secrets

SIZE = (320, 180)


def test_the_key_comes_from_a_file_or_else_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-file")
    path.chmod(0o600)
    assert stream_key(Settings(), {"VCAM_RTMP_KEY": "from-environment"}) == "from-environment"
    settings = Settings().replace(stream__key_file=str(path), stream__rtmp=("rtmp://host/live2",))
    assert stream_key(settings, {"VCAM_RTMP_KEY": "from-environment"}) == "from-file"
    assert stream_outputs(settings)[0].description == "stream host to rtmp://host/live2/***"


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


def named(*urls: str) -> list[str]:
    outputs = stream_outputs(Settings().replace(stream__rtmp=urls))
    return [output.name for output in outputs if isinstance(output, StreamOutput)]


def test_streams_have_names_that_are_no_secrets() -> None:
    assert named("rtmp://Host:99/live/KEY", "rtmp://host/live/OTHER", "srt://[::1]:9?streamid=KEY") == [
        "host", "host-2", "::1",
    ]  # fmt: skip
    assert named("rtmp://host/live/KEY", "host=rtmp://host/live/OTHER") == ["host-2", "host"]
    assert named("main=rtmps://h/app/KEY?x=1", "second=rtmp://h/app/KEY") == ["main", "second"]
    with pytest.raises(UsageError, match="'main' already"):
        named("main=rtmp://h/a/KEY", "main=rtmp://h/a/OTHER")
    with pytest.raises(UsageError, match="twice"):
        named("main=rtmp://h/a/KEY", "rtmp://h/a/KEY")


def test_a_name_is_no_part_of_the_address_and_stays_where_the_key_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings().replace(stream__rtmp=("main=rtmp://host/live/SECRET",))
    (output,) = stream_outputs(settings)
    assert isinstance(output, StreamOutput)
    assert (output.url, output.status()["name"]) == ("rtmp://host/live/***", "main")
    assert output.is_same(StreamOutput("rtmp://host/live/SECRET"))
    assert without_secrets({"stream.rtmp": settings.stream.rtmp}) == {"stream.rtmp": ("main=rtmp://host/live/***",)}
    hidden: set[str] = set()
    monkeypatch.setattr(streams, "hide_arguments", hidden.update)
    hide_keys(settings)
    assert "SECRET" in hidden
    # the key that was given apart, for one that has a name
    monkeypatch.setenv("VCAM_RTMP_KEY", "key-of-mine")
    (output,) = stream_outputs(Settings().replace(stream__rtmp=("main=rtmp://host/live/",)))
    assert isinstance(output, StreamOutput)
    assert output.is_same(StreamOutput("rtmp://host/live/key-of-mine"))


def test_a_stream_is_ended_by_its_name(steered: Steered, client: ControlClient) -> None:
    for url in ("main=rtmp://127.0.0.1:1/live/KEY", "rtmp://127.0.0.1:1/live/OTHER", "rtmp://127.0.0.1:1/live/THIRD"):
        assert "KEY" not in str(client.call("stream_start", {"url": url}))
    assert _streams(client) == ["main", "127.0.0.1", "127.0.0.1-2"]
    assert offered("stream", "stop", "m") == ["main"]
    assert "stream main to rtmp://127.0.0.1:1/live/***" in run("stream", "stop", "main").output
    error = run("stream", "stop", "main").exception
    assert (error.message, error.hint) == ("there is no stream 'main'", "there is 127.0.0.1, 127.0.0.1-2")
    assert "vcam stream stop 127.0.0.1 ends" in run("stream", "start", "rtmp://127.0.0.1:1/live/OTHER").exception.hint
    run("stream", "stop", "rtmp://127.0.0.1:1/live/OTHER")
    assert _streams(client) == ["127.0.0.1-2"]
    run("stream", "stop")
    assert _streams(client) == []
    assert "nothing to stop" in run("stream", "stop", "main").exception.message


def _streams(client: ControlClient) -> list[str]:
    return [output["name"] for output in client.call("status")["outputs"] if output.get("kind") == "stream"]


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
