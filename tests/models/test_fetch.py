from __future__ import annotations

import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.models.server import Answer, Server, endless, redirect, whole
from vcam.errors import ModelError, UsageError, VcamError
from vcam.models import fetch as module
from vcam.models.cards import read_card
from vcam.models.fetch import check_address, fetch
from vcam.models.find import find_model
from vcam.models.store import pull

pytestmark = pytest.mark.process


@pytest.fixture
def safe_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The same over https, with a certificate that is trusted."""
    if not shutil.which("openssl"):
        pytest.skip("no certificate can be made: sudo apt install openssl")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    made = ["-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1"]
    subprocess.run(["openssl", "req", *made, "-addext", "subjectAltName=IP:127.0.0.1"], capture_output=True, check=True)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    server.scheme = "https"
    server.start()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "gopher://127.0.0.1/"])
def test_only_http_is_followed(place: str, server: Server, tmp_path: Path) -> None:
    server.answer = redirect(place)
    with pytest.raises(ModelError):
        fetch(f"{server.address}/x.toml", tmp_path / "x", 100)
    assert not (tmp_path / "x").exists()


def test_what_began_safe_stays_safe(safe_server: Server, server: Server, tmp_path: Path) -> None:
    server.answer = whole(b"intercepted")
    safe_server.answer = redirect(f"{server.address}/x.toml")
    with pytest.raises(ModelError, match="from https to http, which is not safe"):
        fetch(f"{safe_server.address}/x.toml", tmp_path / "x", 100)
    assert server.asked == []
    safe_server.answer = whole(b"safe")
    server.answer = redirect(f"{safe_server.address}/x.toml")
    fetch(f"{server.address}/x.toml", tmp_path / "x", 100)
    assert (tmp_path / "x").read_bytes() == b"safe"


def test_an_endless_answer_ends(server: Server, tmp_path: Path) -> None:
    server.answer = endless(bytes(1 << 16))
    with pytest.raises(ModelError, match="larger than 1024 kB"):
        fetch(f"{server.address}/x.onnx", tmp_path / "x", 1 << 20)
    assert (tmp_path / "x").stat().st_size <= 1 << 20


@pytest.mark.parametrize(
    "answer",
    [endless(b"#", 0.05), endless(b"X-Drip: 1\r\n", 0.05, head=False), endless(b"H", 0.05, head=False)],
    ids=["body", "headers", "first line"],
)
@pytest.mark.parametrize("secure", [False, True])
def test_drops_are_no_stream(
    answer: Answer, secure: bool, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = request.getfixturevalue("safe_server" if secure else "server")
    monkeypatch.setattr(module, "_GRACE", 0.5)
    server.answer = answer
    begin = time.monotonic()
    with pytest.raises(ModelError):
        fetch(f"{server.address}/x.toml", tmp_path / "x", 1 << 16)
    # at a drop in fifty milliseconds it would take an hour
    assert time.monotonic() - begin < 30


def test_silence_ends_as_well(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SILENCE", 0.3)
    server.answer = lambda handler: time.sleep(2)
    with pytest.raises(ModelError, match="timed out"):
        fetch(f"{server.address}/x.toml", tmp_path / "x", 100)


def test_what_a_server_says_does_not_steer_the_terminal(server: Server, tmp_path: Path) -> None:
    server.answer = lambda handler: handler.wfile.write(b"HTTP/1.0 404 \x1b[31mred\r\n\r\n")
    with pytest.raises(ModelError) as caught:
        fetch(f"{server.address}/x.toml", tmp_path / "x", 100)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/x.toml",
        "ftp://host/x.toml",
        "x.toml",
        "http:///x.toml",
        "http://[::1/x.toml",
        "http://h:99999/x.toml",
    ],
)
def test_an_address_is_http_or_none(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a model"):
        check_address(address)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        check_address("https://me:secret@host/x.toml")
    assert "secret" not in str(caught.value)


def test_an_address_may_hold_any_letter() -> None:
    assert check_address("http://host/ä b\udce4.toml?q=ü#f") == "http://host/%C3%A4%20b%E4.toml?q=%C3%BC"


CARD = find_model("selfie-landscape", (1, 1))


def card_of(file: str) -> bytes:
    """The card of a network of vcam, with another file's name."""
    return CARD.path.read_bytes().replace(f'file = "{CARD.file}"'.encode(), f"file = {file}".encode())


@pytest.mark.parametrize(
    "file",
    [r'"../../evil.onnx"', r'"/etc/evil.onnx"', r'"a\nb.onnx"', r'"evil.onnx\n"', r'"..onnx"', r'"-x.onnx"',
     r'".x.onnx"', r'"evil\u0000.onnx"', r'"\u001b[31m.onnx"', r'"x\u009b.onnx"', r'"a\\b.onnx"'],
)  # fmt: skip
def test_a_card_names_a_file_beside_it_and_nothing_else(file: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(card_of(file))
    with pytest.raises(ModelError, match=r"file = .* is not valid"):
        read_card(path)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    return tmp_path / "data/vcam/models"


@pytest.mark.parametrize("file", ["http:evil.onnx", "?x.onnx", "#x.onnx", "data:,x.onnx", "%2e%2e%2fx.onnx"])
def test_a_network_is_asked_for_beside_its_card_and_nowhere_else(file: str, server: Server, kept: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        whole(card_of(f'"{file}"') if ".toml" in handler.path else CARD.file_path.read_bytes())(handler)

    server.answer = answer
    assert pull(f"{server.address}/nets/mine.toml?a=b").name == "mine"
    card, network = server.asked
    assert card == "/nets/mine.toml?a=b"
    assert network.startswith("/nets/")
    assert not set(network[6:]) & set("/?#:")
    assert sorted(path.name for path in kept.iterdir()) == ["mine.onnx", "mine.toml"]


@pytest.mark.parametrize("name", ["../x", "/x", "auto", ".x", "-x", "a\nb", "\x1b[31mred", "x" * 101, "\u202egnp"])
def test_a_name_that_is_no_name_is_refused_before_anything_is_fetched(name: str, server: Server, kept: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a model"):
        pull(f"{server.address}/mine.toml", name)
    assert server.asked == []
    assert not kept.exists()


def test_what_breaks_off_leaves_nothing_behind(server: Server, kept: Path, tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        data = CARD.file_path.read_bytes()
        if handler.path.endswith(".toml"):
            return whole(CARD.path.read_bytes())(handler)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[:1000])

    server.answer = answer
    with pytest.raises(ModelError, match="broke off after 1000 of"):
        pull(f"{server.address}/mine.toml")
    assert not kept.exists()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_card_that_cannot_be_written_takes_its_network_with_it(
    server: Server, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vcam.models import store

    class Full(store.PartialFile):
        def commit(self, *, lasting: bool = False) -> None:
            if self.path.suffix == ".toml":
                raise VcamError("the disk is full")
            super().commit(lasting=lasting)

    monkeypatch.setattr(store, "PartialFile", Full)
    server.answer = lambda handler: whole(
        (CARD.path if handler.path.endswith(".toml") else CARD.file_path).read_bytes()
    )(handler)
    with pytest.raises(VcamError, match="the disk is full"):
        pull(f"{server.address}/mine.toml")
    assert list(kept.iterdir()) == []
