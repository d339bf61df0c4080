"""Files that are no settings, or hardly: each is told in a sentence, soon, whatever it holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from vcam.cli.main import cli
from vcam.errors import ConfigError
from vcam.settings import load
from vcam.settings.saving import problems

GOOD = b"[output]\nfps = 25\n"


@pytest.mark.parametrize("content", [GOOD, b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n")])
def test_a_file_means_the_same_with_a_mark_and_with_other_ends_of_lines(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    assert load(environ={}, path=path).settings.output.fps == 25
    assert problems(path) == []


DEEP = {
    "dots": b".".join([b"a"] * 4000) + b" = 1\n",
    "a header": b"[" + b".".join([b"a"] * 4000) + b"]\nx = 1\n",
    "a list of tables": b"[[" + b".".join([b"a"] * 4000) + b"]]\nx = 1\n",
    "a profile": b"[profiles." + b".".join([b"a"] * 4000) + b"]\nx = 1\n",
    "a setting": GOOD + b"a." * 4000 + b"b = 1\n",
    "brackets": b"[output]\nfps = " + b"[" * 5000 + b"]" * 5000 + b"\n",
    "some brackets": b"[output]\nfps = " + b"[" * 60 + b"]" * 60 + b"\n",
    "braces": b"x = " + b"{a=" * 5000 + b"1" + b"}" * 5000 + b"\n",
}


@pytest.mark.parametrize("kind", DEEP)
def test_what_nests_without_end_is_told_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(DEEP[kind])
    with pytest.raises(ConfigError, match="tables within tables") as caught:
        load(environ={}, path=path)
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["pipe", "folder", "loop", "huge", "other text", "zeros", "digits"])
def test_what_is_no_file_of_settings_is_told_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    else:
        contents = {"huge": b"#\n" * 200_000, "other text": GOOD.decode().encode("utf-16"), "zeros": b"\0" * 100}
        path.write_bytes(contents.get(kind, b"[output]\nfps = " + b"9" * 5000))
    with pytest.raises(ConfigError) as caught:
        load(environ={}, path=path)
    assert caught.value.hint
    assert "sys." not in str(caught.value)


def test_what_is_wrong_by_the_thousand_is_told_soon(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[output]\n" + "".join(f"k{number} = 1\n" for number in range(15_000)))
    begun = time.process_time()
    assert 0 < len(problems(path)) <= 50
    assert time.process_time() - begun < 5


def test_a_line_that_is_shown_does_not_steer_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"[output]\nfps = \x1b[31m25\n")
    result = CliRunner().invoke(cli, ["config", "check", str(path)])
    assert result.exit_code == 0  # what click makes of a status; main makes 78 of it
    assert "line 2" in result.stderr
    assert "\x1b" not in result.stderr
