"""`vcam web`: asks before it fetches, writes the folder, serves it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.webpage.package import pack, use_stand_in
from vcam.cli.main import cli
from vcam.webpage.folder import MARK
from vcam.webpage.serving import make_app, policy


def _web(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["web", *map(str, words)])


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    use_stand_in(monkeypatch, tmp_path / "cache")
    file = tmp_path / "it.tgz"
    file.write_bytes(pack())
    return file


@pytest.mark.usefixtures("package")
def test_nothing_is_fetched_unless_somebody_says_yes(tmp_path: Path) -> None:
    said = _web(tmp_path / "page")
    assert said.exit_code != 0
    assert "fetched once from" in said.stderr
    assert "127.0.0.1:1" in said.stderr
    assert not (tmp_path / "page").exists()
    assert not (tmp_path / "cache").exists()
    dry = _web(tmp_path / "page", "--dry-run")
    assert dry.exit_code == 0
    assert "would fetch onnxruntime-web" in dry.stdout
    assert not (tmp_path / "page").exists()


def test_the_page_is_whole(tmp_path: Path, package: Path) -> None:
    said = _web(tmp_path / "page", "--onnxruntime", package)
    assert said.exit_code == 0, said.output
    assert said.stdout == f"{tmp_path / 'page'}\n"
    place = tmp_path / "page"
    names = set(json.loads((place / MARK).read_bytes())["files"])
    assert names == {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()} - {MARK}
    # the worker knows all of them but itself
    listed = re.search(r"const FILES = (\[.*\]);", (place / "sw.js").read_text())
    assert listed
    assert set(json.loads(listed[1])) == names - {"sw.js"}
    about = json.loads((place / "about.json").read_bytes())
    assert [each["name"] for each in about["networks"]] == ["selfie-landscape", "selfie-general"]
    assert about["defaults"] == {
        "temporal": 0.9, "edge": 0.5, "softness": 0.3, "islands": 0.15, "lightWrap": 0.0, "blur": 50.0,
    }  # fmt: skip
    for each in about["backgrounds"]:
        assert {f"backgrounds/{each['name']}.jpg", f"backgrounds/{each['name']}-small.jpg"} <= names
    words = (place / "LICENSES.txt").read_text()
    for of in ("Microsoft Corporation", "Google LLC", "Apache License", "the vcam authors", "WITHOUT WARRANTY"):
        assert of in words
    # every module that a file of the page loads is there
    for path in place.glob("*.js"):
        for name in re.findall(r'from "\./([\w.]+)"|import\("\./([\w.]+)"\)|URL\("([\w.]+\.js)"', path.read_text()):
            assert "".join(name) in names
    again = _web(place, "--onnxruntime", package)
    assert "0 of" in again.stderr


def test_a_folder_of_somebody_else_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "own.txt").touch()
    said = _web(tmp_path)
    assert said.exit_code != 0
    assert "did not write" in str(said.exception)


def test_nothing_of_the_page_leads_elsewhere() -> None:
    """Its policy lets nothing in from other places, and its files name none."""
    rules = dict(rule.split(" ", 1) for rule in policy().split("; "))
    assert rules.pop("script-src") == "'self' 'wasm-unsafe-eval'"
    assert rules["default-src"] == "'none'"
    for name, value in rules.items():
        assert set(value.split()) <= {"'self'", "'none'", "blob:", "data:", "mediastream:"}, name
    page = Path(make_app.__code__.co_filename).with_name("page")
    for path in page.iterdir():
        addresses = set(re.findall(r"https?://[\w.]+", path.read_text(encoding="utf-8")))
        assert addresses <= {"http://www.w3.org"}, path


@pytest.mark.process
def test_it_is_served_on_this_machine_alone(tmp_path: Path, package: Path) -> None:
    pytest.importorskip("uvicorn")
    assert _web(tmp_path / "page", "--onnxruntime", package).exit_code == 0
    (tmp_path / "page" / "private.txt").write_text("not of the page")
    script = (
        "import sys, pathlib, socket; from vcam.webpage.serving import serve; sock = socket.socket();"
        "sock.bind(('127.0.0.1', 0)); serve(pathlib.Path(sys.argv[1]), sock, lambda said: print(said, flush=True))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "page")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout
        address = child.stdout.readline().strip()
        for name, kind in (("", "text/html"), ("app.js", "text/javascript"), ("sw.js", "text/javascript")):
            with urllib.request.urlopen(address + name) as answer:
                assert answer.headers["Content-Type"].startswith(kind)
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert answer.headers["Content-Security-Policy"] == policy()
        with urllib.request.urlopen(f"{address}onnxruntime/ort-wasm-simd-threaded.wasm") as answer:
            assert answer.headers["Content-Type"] == "application/wasm"
        for name in ("private.txt", "vcam-page.json", "../it.tgz", "%2e%2e/it.tgz", "models"):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(address + name)
            assert caught.value.code == 404
            caught.value.close()
    finally:
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
