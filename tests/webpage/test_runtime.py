"""ONNX Runtime for browsers: fetched once, or taken from this machine, and never anything but what was published."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.models.server import Server, whole
from tests.webpage.package import STAND_IN, pack, use_stand_in
from vcam.errors import InputError, UsageError, VcamError
from vcam.webpage import runtime


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    return use_stand_in(monkeypatch, tmp_path / "cache")


@pytest.mark.process
def test_it_is_fetched_once(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = use_stand_in(monkeypatch, tmp_path / "cache", f"{server.address}/it.tgz")
    server.answer = whole(package)
    told: list[int] = []
    assert runtime.known() is None
    assert runtime.fetched(lambda done, of: told.append(done)) == STAND_IN
    assert told[-1] == len(package)
    server.answer = whole(b"")
    assert runtime.known() == STAND_IN
    assert not list((tmp_path / "cache/vcam/downloads").iterdir())


@pytest.mark.process
def test_another_file_of_that_name_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = use_stand_in(monkeypatch, tmp_path / "cache", f"{server.address}/it.tgz")
    server.answer = whole(b"x" * len(package))
    with pytest.raises(InputError, match="does not give the published") as caught:
        runtime.fetched()
    assert "--onnxruntime" in caught.value.hint
    # and it is not gone on from
    server.answer = whole(package)
    assert runtime.fetched() == STAND_IN


@pytest.mark.process
def test_what_broke_off_is_gone_on_from(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = use_stand_in(monkeypatch, tmp_path / "cache", f"{server.address}/it.tgz")
    asked: list[str | None] = []

    def breaks(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(package)))
        handler.end_headers()
        handler.wfile.write(package[:100])

    def rest(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.headers.get("Range"))
        handler.send_response(206)
        handler.send_header("Content-Length", str(len(package) - 100))
        handler.send_header("Content-Range", f"bytes 100-{len(package) - 1}/{len(package)}")
        handler.end_headers()
        handler.wfile.write(package[100:])

    server.answer = breaks
    with pytest.raises(VcamError, match="broke off") as caught:
        runtime.fetched()
    assert "models" not in caught.value.hint
    server.answer = rest
    assert runtime.fetched() == STAND_IN
    assert asked == ["bytes=100-"]


@pytest.mark.usefixtures("package")
def test_without_a_network_the_cure_is_another_machine() -> None:
    with pytest.raises(VcamError, match="cannot be fetched") as caught:
        runtime.fetched()
    assert "npm pack onnxruntime-web@" in caught.value.hint
    assert "--onnxruntime FILE" in caught.value.hint


@pytest.mark.parametrize("within", [".", "dist", "package/dist", "node_modules/onnxruntime-web/dist", "onnxruntime"])
@pytest.mark.usefixtures("package")
def test_it_is_taken_from_a_folder(tmp_path: Path, within: str) -> None:
    place = tmp_path / "it" / within
    place.mkdir(parents=True)
    for name, content in STAND_IN.items():
        (place / name).write_bytes(content)
    assert runtime.given(tmp_path / "it") == STAND_IN
    (place / "ort.wasm.min.mjs").write_bytes(b"something else")
    with pytest.raises(InputError, match="a checksum differs"):
        runtime.given(tmp_path / "it")


def test_it_is_taken_from_the_package(tmp_path: Path, package: bytes) -> None:
    file = tmp_path / "it.tgz"
    file.write_bytes(package)
    assert runtime.given(file) == STAND_IN
    for other in (package[:-20], b"", b"no package", pack({"a": b"b"}), pack(STAND_IN | {"ort.wasm.min.mjs": b"?"})):
        file.write_bytes(other)
        with pytest.raises(InputError, match=r"it\.tgz is not"):
            runtime.given(file)


@pytest.mark.usefixtures("package")
def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        runtime.given(tmp_path / "it")
    with pytest.raises(UsageError, match="a device"):
        runtime.given(Path("/dev/null"))
    with pytest.raises(InputError, match="lacks"):
        runtime.given(tmp_path)


@pytest.mark.usefixtures("package")
def test_a_damaged_cache_is_passed_over(tmp_path: Path) -> None:
    place = runtime._cache()
    place.mkdir(parents=True)
    for name, content in STAND_IN.items():
        (place / name).write_bytes(content)
    assert runtime.known() == STAND_IN
    (place / "ort.wasm.min.mjs").write_bytes(b"")
    assert runtime.known() is None
    # a page that was made before has them as well
    (tmp_path / "page" / "onnxruntime").mkdir(parents=True)
    for name, content in STAND_IN.items():
        (tmp_path / "page" / "onnxruntime" / name).write_bytes(content)
    assert runtime.known(tmp_path / "page") == STAND_IN


def test_nothing_is_unpacked_but_the_published_package(tmp_path: Path, package: bytes) -> None:
    other = tmp_path / "other.tgz"
    other.write_bytes(package[:-1] + b"x")
    with pytest.raises(InputError, match="is not the package"):
        runtime.given(other)
