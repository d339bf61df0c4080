"""The client says nothing before it knows who listens, and believes nothing that is no answer."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import ROOT
from vcam.cli.main import main
from vcam.control.client import ControlClient
from vcam.control.place import make_sockets_folder, socket_path, sockets_folder
from vcam.errors import DeviceError, VcamError

CALLS = {
    "status": [], "get": [], "watch": [], "pause": [], "stop": [], "background": ["/home/me/plan.jpg"],
    "set": ["stream.rtmp=rtmp://live.example/app/SECRET"], "stream": ["start", "rtmp://live.example/app/SECRET"],
    "record": ["start", "/tmp/x.mkv"],
}  # fmt: skip


class Liar:
    """Listens where the daemon's socket should be, keeps what it is sent, and answers with given lines."""

    def __init__(self, answer: bytes = b"") -> None:
        self.heard, self.connects, self.answer = b"", 0, answer
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(str(socket_path()))
        self.socket.listen(8)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            self.connects += 1
            with peer:
                while data := peer.recv(65536):
                    self.heard += data
                    if not self.answer:
                        break
                    peer.sendall(self.answer)

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(30)


@pytest.fixture
def liar() -> Iterator[Liar]:
    make_sockets_folder()
    liar = Liar()
    yield liar
    liar.close()


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[object, str]:
    """A command's exit status, and what it said."""
    monkeypatch.setattr(sys, "argv", ["vcam", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return ended.value.code, out + err


@pytest.mark.parametrize("command", CALLS)
def test_nothing_is_said_to_a_socket_in_a_folder_that_others_may_use(
    liar: Liar, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for mode in (0o755, 0o770, 0o777, 0o1777):
        sockets_folder().chmod(mode)
        code, text = said(capsys, monkeypatch, command, *CALLS[command])
        assert code == 1
        assert "others may use" in text
        assert "chmod 700" in text
    assert (liar.heard, liar.connects) == (b"", 0)


@pytest.mark.parametrize("command", CALLS)
def test_nothing_is_said_to_a_folder_of_another_user(
    liar: Liar, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vcam.control.place.os.getuid", lambda: 4242)
    code, text = said(capsys, monkeypatch, command, *CALLS[command])
    assert code == 1
    assert "not a folder of your own" in text
    assert (liar.heard, liar.connects) == (b"", 0)


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    sockets_folder().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VcamError, match="not a folder of your own"):
        ControlClient()


def test_nothing_is_said_to_another_user_who_listens(liar: Liar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vcam.control.client.peer_is_welcome", lambda sock: False)
    with pytest.raises(VcamError, match="another user: nothing was sent to it"):
        ControlClient()
    assert liar.heard == b""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user: sudo")
def test_the_kernel_says_who_listens() -> None:
    """A socket that another user listens at, in a folder that is this user's."""
    folder = make_sockets_folder()
    script = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "os.setresuid(4242, 4242, 4242); s.listen(1); print(flush=True); c, _ = s.accept(); c.settimeout(30);"
        "print(c.recv(99), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder / "control.sock")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        # root's folder, root asks, and the listener is nobody of those two
        with pytest.raises(VcamError, match="another user"):
            ControlClient()
        assert other.stdout.readline() == "b''\n"


def test_without_a_folder_vcam_does_not_run() -> None:
    assert not sockets_folder().exists()
    with pytest.raises(DeviceError, match="not running"):
        ControlClient()


@pytest.mark.parametrize(
    "answer",
    [b"nonsense\n", b"[]\n", b"3\n", b'{"id":1}\n', b"\xff\n", b"[" * 100_000 + b"\n", b'{"id":1,"error":{}}\n'],
)
def test_what_is_no_answer_is_an_error_of_vcam(liar: Liar, answer: bytes) -> None:
    liar.answer = answer
    with ControlClient(timeout=30) as client, pytest.raises(VcamError):
        client.call("status")


def test_what_is_sent_back_steers_no_terminal(
    liar: Liar, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = r"evil \u001b[31mred\u202e\u0007"
    for answer, command in (
        (f'{{"id":1,"result":{{"started":"{evil}"}}}}', ("stream", "start", "rtmp://a/b/c")),
        (f'{{"id":1,"result":{{"background.spec":"{evil}"}}}}', ("get", "background.spec")),
        (f'{{"id":1,"result":{{"changed":{{"{evil}":"{evil}"}},"restart":["{evil}"]}}}}', ("background", "blur")),
        (f'{{"id":1,"error":{{"code":1,"message":"{evil}","data":{{"hint":"{evil}"}}}}}}', ("pause",)),
    ):
        liar.answer = answer.encode() + b"\n"
        text = said(capsys, monkeypatch, *command)[1]
        assert r"\x1b[31mred\u202e\x07" in text
        assert not {"\x1b", "\u202e", "\x07"} & set(text)
