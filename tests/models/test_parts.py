"""Networks of several files, cards that are none, and names that would not be found again."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from vcam.cli.models import models
from vcam.errors import ModelError, UsageError
from vcam.models.find import find_model, load_model
from vcam.models.parts import external_files
from vcam.models.store import add

SIDE = 64


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "data/vcam/models"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    folder.mkdir()
    return folder


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a protocol buffer."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def tensor(name: str, *locations: str) -> bytes:
    """A weight of 1/3 for each of three channels, in other files if any are named."""
    dims = b"".join(field(1, side) for side in (1, 3, 1, 1))
    head = dims + field(2, 1) + field(8, name)
    if not locations:
        return head + field(9, struct.pack("<3f", *[1 / 3] * 3))
    entries = b"".join(field(13, field(1, "location") + field(2, location)) for location in locations)
    return head + entries + field(14, 1)


def network(*locations: str) -> bytes:
    """An ONNX network: the mean of the channels."""

    def value(name: str, channels: int) -> bytes:
        sides = b"".join(field(1, field(1, side)) for side in (1, channels, SIDE, SIDE))
        return field(1, name) + field(2, field(1, field(1, 1) + field(2, sides)))

    node = field(1, "x") + field(1, "W") + field(2, "c") + field(4, "Conv")
    squash = field(1, "c") + field(2, "y") + field(4, "Sigmoid")
    graph = field(1, node) + field(1, squash) + field(2, "g") + field(5, tensor("W", *locations))
    graph += field(11, value("x", 3)) + field(12, value("y", 1))
    return field(1, 8) + field(8, field(2, 13)) + field(7, graph)


def write(folder: Path, name: str, data: bytes, *, suffix: str = ".onnx", title: str = "Mean", more: str = "") -> Path:
    path = folder / f"{name}{suffix}"
    path.write_bytes(data)
    size = f"size = [{SIDE}, {SIDE}]"
    path.with_name(f"{name}.toml").write_text(
        f'title = "{title}"\nfile = "{path.name}"\nsha256 = "{hashlib.sha256(data).hexdigest()}"\nlicence = "MIT"\n'
        f'origin = "me"\n{more}\n[input]\nlayout = "NCHW"\n{size}\n[output]\nform = "probability"\n{size}\n'
    )
    return path


WEIGHTS = struct.pack("<3f", *[1 / 3] * 3)


@pytest.mark.engine
def test_weights_in_another_file_are_carried_along_and_checked(theirs: Path, own: Path) -> None:
    path = write(theirs, "ext", network("ext.onnx.data"), more='[known]\nunchecked = "it knows nobody"\n')
    (theirs / "ext.onnx.data").write_bytes(WEIGHTS)
    result = CliRunner().invoke(models, ["add", str(path), "--name", "mine"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in own.iterdir()) == ["ext.onnx.data", "mine.onnx", "mine.toml"]
    card = find_model("mine", (1, 1))
    assert card.parts == {"ext.onnx.data": hashlib.sha256(WEIGHTS).hexdigest()}
    (own / "ext.onnx.data").write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelError, match=r"ext\.onnx\.data is not the file of its card"):
        find_model("mine", (1, 1))
    (own / "ext.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"there is no .*ext\.onnx\.data"):
        find_model("mine", (1, 1))


def test_every_file_is_found_wherever_the_network_names_it(tmp_path: Path) -> None:
    inner = field(5, tensor("W", "branch.bin"))
    attribute = field(5, field(1, "then") + field(6, inner))
    sparse = field(15, field(1, tensor("v", "values")) + field(2, tensor("i", "indices")))
    graph = field(1, attribute) + field(5, tensor("a", "one")) + field(5, tensor("b", "two")) + sparse
    function = field(25, field(7, field(5, field(5, tensor("c", "constant")))))
    path = tmp_path / "net.onnx"
    path.write_bytes(field(1, 8) + field(7, graph) + function)
    assert external_files(path) == ["branch.bin", "one", "two", "values", "indices", "constant"]
    data = path.read_bytes()
    for end in range(0, len(data), 7):
        path.write_bytes(data[:end])
        assert set(external_files(path)) <= {"branch.bin", "one", "two", "values", "indices", "constant"}


@pytest.mark.parametrize("place", ["../w.data", "/etc/passwd", "sub/w.data", "..", "", "w\x1b[31m", "mine.toml"])
def test_weights_elsewhere_are_refused(place: str, theirs: Path, own: Path) -> None:
    path = write(theirs, "ext", network(place))
    (theirs.parent / "w.data").write_bytes(WEIGHTS)
    for ask in (load_model, lambda path: add(str(path), "mine")):
        with pytest.raises(ModelError, match="has its weights in") as caught:
            ask(path)
        assert caught.value.hint
        assert "\x1b" not in str(caught.value)
    assert not list(own.iterdir())


def test_a_network_of_two_files_is_refused_without_the_second(theirs: Path, own: Path) -> None:
    path = write(theirs, "net", b"<net/>", suffix=".xml")
    for ask in (load_model, lambda path: add(str(path))):
        with pytest.raises(ModelError, match=r"there is no .*net\.bin"):
            ask(path)
    (theirs / "net.bin").write_bytes(WEIGHTS)
    card = add(str(path), "mine")
    assert card.parts == {"mine.bin": hashlib.sha256(WEIGHTS).hexdigest()}
    (own / "mine.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelError, match="checksum differs"):
        find_model("mine", (1, 1))


def test_weights_of_which_the_card_has_no_checksum_are_said_once(
    theirs: Path, own: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(theirs, "net", b"<net/>", suffix=".xml")
    (theirs / "net.bin").write_bytes(WEIGHTS)
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    for _ in range(2):
        find_model(str(path), (1, 1))
    (said,) = caplog.messages
    assert f'parts."net.bin" = "{digest}" into net.toml' in said
    caplog.clear()
    # what it says to write is what is needed
    path.with_suffix(".toml").write_text(f'parts."net.bin" = "{digest}"\n{path.with_suffix(".toml").read_text()}')
    (theirs / "net.bin").write_bytes(WEIGHTS[::-1])
    with pytest.raises(ModelError, match=r"net\.bin is not the file of its card: its checksum differs"):
        find_model(str(path), (1, 1))
    (theirs / "net.bin").write_bytes(WEIGHTS)
    add(str(path), "mine")
    find_model("mine", (1, 1))
    assert caplog.messages == []


def test_files_of_others_are_left_alone_and_those_of_the_replaced_model_go(theirs: Path, own: Path) -> None:
    first = write(theirs, "one", network("w.data"))
    (theirs / "w.data").write_bytes(WEIGHTS)
    add(str(first))
    other = theirs / "other"
    other.mkdir()
    second = write(other, "two", network("w.data"))
    (other / "w.data").write_bytes(WEIGHTS * 2)
    with pytest.raises(UsageError, match=r"there is a file .*w\.data already"):
        add(str(second))
    assert sorted(file.name for file in own.iterdir()) == ["one.onnx", "one.toml", "w.data"]
    add(str(second), "one", replace=True)
    assert (own / "w.data").read_bytes() == WEIGHTS * 2
    add(str(write(theirs, "whole", network())), "one", replace=True)
    assert sorted(file.name for file in own.iterdir()) == ["one.onnx", "one.toml"]


def test_a_network_without_a_card_in_the_folder_is_not_overwritten(theirs: Path, own: Path) -> None:
    (own / "one.onnx").write_bytes(b"somebody put it there")
    with pytest.raises(UsageError, match=r"one\.onnx already"):
        add(str(write(theirs, "one", network())))
    assert (own / "one.onnx").read_bytes() == b"somebody put it there"


def test_a_replacement_that_fails_leaves_the_model_as_it_was(
    theirs: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(str(write(theirs, "one", network())))
    before = {file.name: file.read_bytes() for file in own.iterdir()}
    changed = write(theirs, "one", network() + field(2, "another"))

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(Exception, match="No space left"):
        add(str(changed), replace=True)
    assert {file.name: file.read_bytes() for file in own.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("my.onnx", "my"), ("My.ONNX", "My"), ("x.toml", "x"), ("net.xml", "net"), ("a/b", "b"), ("my net", "my-net"),
        ("~me", "me"), ("..", "my-network"), (".", "my-network"), ("auto", "my-network"), ("AUTO", "my-network"),
        (" ", "my-network"), ("a\tb", "a-b"), ("x.", "x"), ("\u00e4" * 99 + "\u00e4" * 2, "my-network"),
    ],
)  # fmt: skip
def test_a_name_under_which_nothing_would_be_found_is_refused_with_one_that_will(
    name: str, cure: str, theirs: Path, own: Path
) -> None:
    path = write(theirs, "one", network())
    with pytest.raises(UsageError, match="is no name for a model") as caught:
        add(str(path), name)
    assert caught.value.hint == f"give another one: --name {cure}"
    assert find_model(add(str(path), cure).name, (1, 1)).name == cure


def test_names_that_differ_in_capitals_only_are_one(theirs: Path, own: Path) -> None:
    path = write(theirs, "one", network())
    add(str(path), "mine")
    for name, said in (("Mine", "capitals"), ("mine", "already"), ("Selfie-General", "of vcam itself")):
        with pytest.raises(UsageError, match=said):
            add(str(path), name)


def test_a_model_that_somebody_called_like_a_file_is_found(theirs: Path, own: Path) -> None:
    write(own, "old", network()).with_suffix(".toml").rename(own / "old.onnx.toml")
    (own / "old.onnx").rename(own / "weights.onnx")
    (own / "old.onnx.toml").write_text((own / "old.onnx.toml").read_text().replace('"old.onnx"', '"weights.onnx"'))
    assert find_model("old.onnx", (1, 1)).path == own / "old.onnx.toml"


def deep(text: bytes) -> bytes:
    return text + b"z = " + b"[" * 5000 + b"]" * 5000 + b"\n"


def put(kind: str, path: Path) -> None:
    """Something that is no card where there should be one."""
    good = path.with_name("good.toml").read_bytes()
    contents = {
        "deep": deep(b""),
        "deeper in a table": deep(good),
        "dotted": b".".join([b"a"] * 4000) + b" = 1\n",
        "numbers": good.replace(b"size = [64", b"size = [" + b"9" * 5000, 1),
        "not UTF-8": good.replace(b'"me"', b'"caf\xe9"'),
        "huge": b"# x\n" * 100_000,
        "nan": good.replace(b"[input]", b"[input]\nmean = [nan, 0, 0]"),
        "infinite": good.replace(b"[input]", b"[input]\nscale = [inf, 1, 1]"),
        "costs nothing known": good + b'[cost]\nmeasured_on = "x"\nopenvino_ms = nan\n',
        "unknown key": b'"[red]\\u001b[31m" = 1\n' + good,
        "strange key": good + b'["a.b"."c[0]"]\nx = 1\n',
    }
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "nowhere":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(contents[kind])


@pytest.mark.parametrize(
    "kind",
    [
        "deep", "deeper in a table", "dotted", "numbers", "not UTF-8", "huge", "nan", "infinite",
        "costs nothing known", "unknown key", "strange key", "pipe", "folder", "loop", "nowhere",
    ],
)  # fmt: skip
def test_one_bad_card_is_listed_with_its_reason_among_the_others(kind: str, own: Path) -> None:
    write(own, "good", network())
    put(kind, own / "bad.toml")
    result = CliRunner().invoke(models, ["list", "--json"], catch_exceptions=False)
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["bad"]["error"]
    assert rows["good"]["title"] == "Mean"
    shown = CliRunner().invoke(models, ["list"], catch_exceptions=False, env={"COLUMNS": "200"}).stdout
    assert "good" in shown
    assert "\x1b[31m" not in shown


def test_what_a_card_says_is_neither_markup_nor_a_command_to_the_terminal(own: Path) -> None:
    write(own, "[red]markup", network(), title="U-Net [/b] v2")
    write(own, "escape", network(), title="\\u001b[31mred\\u0007")
    write(own, "long", network(), title="x" * 20_000)
    shown = CliRunner().invoke(models, ["list"], catch_exceptions=False, env={"COLUMNS": "400"}).stdout
    assert "[red]markup" in shown
    assert "U-Net [/b] v2" in shown
    assert "\\x1b[31mred\\x07" in shown
    assert "\x1b" not in shown
    assert "x" * 500 not in shown
    for name in ("[red]markup", "escape"):
        shown = CliRunner().invoke(models, ["show", name], catch_exceptions=False, env={"COLUMNS": "400"}).stdout
        assert "\x1b" not in shown


def test_what_a_killed_run_left_is_no_card(own: Path) -> None:
    write(own, "good", network())
    (own / ".good.part-7-0.toml").write_text("half")
    names = [row["name"] for row in json.loads(CliRunner().invoke(models, ["list", "--json"]).stdout)]
    assert names == ["selfie-general", "selfie-landscape", "good"]


def test_a_card_may_begin_with_a_byte_order_mark(theirs: Path, own: Path) -> None:
    path = write(theirs, "one", network())
    card = path.with_suffix(".toml")
    card.write_bytes(b"\xef\xbb\xbf" + card.read_bytes())
    add(str(path))
    assert find_model("one", (1, 1)).title == "Mean"
