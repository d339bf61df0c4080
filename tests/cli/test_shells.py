"""What shells offer, in the shells themselves where they are installed, and what is told to each."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from vcam.cli import shells
from vcam.cli.main import cli

CASES = {
    # what is typed; the words that bash, and fish and zsh put in place of the last one; whether the word goes on
    "vcam set camera.mirr": ("camera.mirror=", "camera.mirror=", True),
    "vcam set camera.mirror=": ("true false", "camera.mirror=true camera.mirror=false", False),
    "vcam set matte.edge=3 camera.mirror=t": ("true", "camera.mirror=true", False),
    "vcam start --set matte.ed": ("matte.edge=", "matte.edge=", True),
    "vcam start --set=matte.ed": ("matte.edge=", "--set=matte.edge=", True),
    "vcam start --set=camera.mirror=f": ("false", "--set=camera.mirror=false", False),
    "vcam start --set output.fp": ("output.fps=", "output.fps=", True),
    "vcam start --background pix": ("pixelate pixelate:", "pixelate pixelate:", True),
    "vcam start --background=pixelate": ("pixelate pixelate:", "--background=pixelate --background=pixelate:", True),
    "vcam start --set background.spec=gree": ("green", "background.spec=green", False),
    "vcam start --filter vign": ("vignette", "vignette", False),
    "vcam resu": ("resume", "resume", False),
}
FISH = shutil.which("fish") or ""
TOOL = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m vcam "$@"\n'


def complete(kind: type[ShellComplete], monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    completion = kind(cli, {}, "vcam", "_VCAM_COMPLETE")
    args, incomplete = completion.get_completion_args()
    return [completion.format_completion(item) for item in completion.get_completions(args, incomplete)]


@pytest.mark.parametrize("line", CASES)
def test_what_bash_puts_in_place_of_what_it_takes_for_the_last_word(line: str, monkeypatch) -> None:
    words, _, goes_on = CASES[line]
    last = line.replace("=", " ").rpartition(" ")[2]
    told = complete(shells.Bash, monkeypatch, COMP_LINE=line, COMP_WORD=last)
    assert [entry.partition(",")[2] for entry in told] == words.split()
    assert any(entry.startswith("open,") for entry in told) == goes_on


@pytest.mark.parametrize("line", CASES)
def test_what_zsh_and_fish_put_in_place_of_the_last_word(line: str, monkeypatch) -> None:
    _, words, goes_on = CASES[line]
    typed = line.split()
    told = complete(shells.Zsh, monkeypatch, COMP_WORDS=line, COMP_CWORD=str(len(typed) - 1))
    entries = [entry.split("\n") for entry in told]
    assert [value.replace("\\:", ":") for _, value, _ in entries] == words.split()
    assert any(kind == "open" for kind, *_ in entries) == goes_on
    told = complete(shells.Fish, monkeypatch, COMP_WORDS=line, COMP_CWORD=typed[-1])
    assert [entry.partition("\t")[0].partition(",")[2] for entry in told] == words.split()


def test_a_file_of_a_setting_is_looked_for_without_the_settings_name(monkeypatch) -> None:
    line = "vcam start --set overlay.front=lo"
    word = line.split()[-1]
    assert complete(shells.Fish, monkeypatch, COMP_WORDS=line, COMP_CWORD=word) == ["file,lo,overlay.front="]
    assert complete(shells.Bash, monkeypatch, COMP_LINE=line, COMP_WORD="lo") == ["file,lo"]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A vcam on the path, and a folder with a file."""
    program = tmp_path / "bin/vcam"
    program.parent.mkdir()
    program.write_text(TOOL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", ":".join(filter(None, sys.path)))
    (tmp_path / "logo.png").touch()
    return tmp_path


def source(shell: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "vcam", "completion", shell], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("bash"), reason="no bash: apt install bash")
def test_bash_puts_no_space_behind_a_word_that_goes_on(tool: Path) -> None:
    script = (
        source("bash")
        + """
compopt() { echo "compopt $*"; }
for line in "vcam set camera.mirr" "vcam set camera.mirror=t"; do
    COMP_LINE=$line COMP_POINT=${#line} COMPREPLY=()
    _vcam_completion vcam "${line##*[ =]}" ""
    echo "[${COMPREPLY[*]}]"
done
"""
    )
    said = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd=tool).stdout
    assert said.split() == ["compopt", "-o", "nospace", "[camera.mirror=]", "[true]"]


@pytest.mark.process
@pytest.mark.skipif(not FISH, reason="no fish: apt install fish")
def test_fish_offers_settings_and_files(tool: Path) -> None:
    script = (
        source("fish")
        + """
for line in "vcam start --set=matte.ed" "vcam start --set overlay.front=lo"
    complete -C "$line" | string replace -r '\t.*' ''
end
"""
    )
    said = subprocess.run([FISH, "-c", script], capture_output=True, text=True, cwd=tool).stdout
    assert said.split() == ["--set=matte.edge=", "overlay.front=logo.png"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_names_a_function_of_vcam(shell: str) -> None:
    assert "_vcam_completion" in source(shell)
