from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vcam.cli.main import main
from vcam.settings import FIELDS
from vcam.settings.loading import config_path
from vcam.settings.saving import template


@dataclass
class Said:
    status: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`vcam config ...` in this process."""

    def call(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["vcam", "config", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return Said(int(end.value.code or 0), *capsys.readouterr())

    monkeypatch.setenv("COLUMNS", "160")
    return call


@pytest.fixture(autouse=True)
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The usual one, which need not be there."""
    monkeypatch.delenv("VCAM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vcam").mkdir()
    return config_path()


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes $EDITOR a script that gets the copy's path as $1."""

    def use(script: str) -> None:
        path = tmp_path / "my editor"
        path.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/edited"\n{script}\n')
        path.chmod(0o755)
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"'{path}'")

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return use


def copies(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("vcam-config-*/*"))


def test_show_tells_for_every_setting_its_value_and_where_it_comes_from(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[matte]\nedge = 3\nsoftness = 0.5\n[profiles.work.background]\nspec = 'green'\n[profiles.home]\n")
    monkeypatch.setenv("VCAM_OUTPUT_FPS", "25")
    told = json.loads(run("show", "--json", "--profile", "work", "--softness", "0.7", "--set", "matte.temporal=0").out)
    assert list(told["settings"]) == list(FIELDS)
    assert {key: item["from"] for key, item in told["settings"].items() if item["from"] != "default"} == {
        "matte.edge": "file",
        "matte.softness": "option",
        "matte.temporal": "--set",
        "background.spec": "profile work",
        "output.fps": "environment VCAM_OUTPUT_FPS",
    }
    assert told["settings"]["matte.softness"]["value"] == 0.7
    assert told["settings"]["matte.edge"] == {
        "value": 3, "from": "file", "default": FIELDS["matte.edge"].default, "unit": "px at 720 lines", "live": True
    }  # fmt: skip
    assert (told["path"], told["profiles"], told["profile"]) == (str(file), ["work", "home"], "work")


def test_show_is_a_table_for_people(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[profiles.work.background]\nspec = 'green'\n[profiles.home]\n")
    monkeypatch.setenv("VCAM_PROFILE", "work")
    said = run("show")
    assert said.status == 0
    for key in FIELDS:
        assert key in said.out
    row = next(line for line in said.out.splitlines() if "background.spec" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "background.spec",
        '"green"',
        "profile work",
        "",
        "yes",
    ]
    assert "profiles: work (in use), home" in said.out


def test_path_prints_where_the_file_is(run: Run, file: Path) -> None:
    assert run("path").out == f"{file}\n"


def test_check_names_every_mistake_with_file_line_key_and_cure(run: Run, file: Path, tmp_path: Path) -> None:
    assert run("check").status == 0
    file.write_text("[matte]\nedge = 3\n")
    assert run("check").out == f"{file} is fine\n"
    other = tmp_path / "other.toml"
    other.write_text("[matte]\nedge = 99\n[profiles.work.output]\nfsp = 30\n")
    said = run("check", str(other))
    assert said.status == 78
    assert f"vcam: {other}, line 2: matte.edge = 99 is not valid\n  try: a number from -30 to 30" in said.err
    assert f"{other} [profiles.work], line 4: there is no setting 'output.fsp'" in said.err
    assert "did you mean output.fps?" in said.err
    assert run("check").status == 0
    assert run("check", str(tmp_path / "none.toml")).status == 2
    assert run("check", str(tmp_path)).status == 78


def test_check_looks_at_the_environment_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCAM_SEGMENT_THREADS", "0")
    said = run("check")
    assert said.status == 78
    assert "segment.threads" in said.err


def test_a_config_file_that_is_named_must_be_there(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, editor: Callable[[str], None]
) -> None:
    named = tmp_path / "named.toml"
    monkeypatch.setenv("VCAM_CONFIG", f"{tmp_path}/.//named.toml")
    for command in ("check", "show"):
        said = run(command)
        assert said.status == 78
        assert f"there is no config file {named}, which VCAM_CONFIG names" in said.err
    editor("true")
    assert run("edit").status == 0
    assert run("check").status == 0


def test_reference_is_the_page_of_the_documentation(run: Run) -> None:
    from vcam.cli.reference import settings_page

    assert run("reference").out == settings_page()


def test_the_first_edit_offers_every_setting_as_a_comment(
    run: Run, file: Path, editor: Callable[[str], None], tmp_path: Path
) -> None:
    editor("sed -i 's/^#edge = .*/edge = 5/; s/^#.matte.$/[matte]/' \"$1\"")
    said = run("edit")
    assert (said.status, said.out) == (0, "")
    assert file.read_text() == re.sub(r"(?m)^#edge = .*", "edge = 5", template()).replace("#[matte]", "[matte]")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert copies(tmp_path) == []


def test_what_is_edited_is_a_copy(run: Run, file: Path, editor: Callable[[str], None], tmp_path: Path) -> None:
    file.write_text("[matte]\nedge = 1\n")
    editor(f'echo "softness = 1" >> "$1"; cp "{file}" "{tmp_path}/meanwhile"')
    assert run("edit").status == 0
    assert (tmp_path / "meanwhile").read_text() == "[matte]\nedge = 1\n"
    assert file.read_text() == "[matte]\nedge = 1\nsoftness = 1\n"
    assert (tmp_path / "edited").read_text().strip().endswith(".toml")


def test_a_mistake_leaves_the_file_alone_and_the_work_in_the_copy(
    run: Run, file: Path, editor: Callable[[str], None], tmp_path: Path
) -> None:
    file.write_text("[matte]\nedge = 1\n")
    editor('echo "softness = 9" >> "$1"')
    said = run("edit")
    assert said.status == 78
    assert "line 3: matte.softness" in said.err
    assert file.read_text() == "[matte]\nedge = 1\n"
    (copy,) = copies(tmp_path)
    assert str(copy) in said.err
    assert "softness = 9" in copy.read_text()


def test_somebody_with_a_terminal_may_mend_a_mistake_at_once(
    run: Run, file: Path, editor: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = 'sed -i "s/#edge.*/edge = 99/; s/^#.matte.$/[matte]/" "$1"', 'sed -i s/99/9/ "$1"'
    editor(f'if [ -s "$0.once" ]; then {second}; else echo x > "$0.once"; {first}; fi')
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda *args, **kwargs: True)
    assert run("edit").status == 0
    assert "\nedge = 9\n" in file.read_text()


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [("true", 0, "nothing changed"), ("exit 3", 1, "status 3"), ('rm "$1"', 1, "")],
    ids=["unchanged", "gives up", "removes the copy"],
)
def test_an_editor_that_leaves_nothing_changes_nothing(
    script: str, status: int, said: str, run: Run, file: Path, editor: Callable[[str], None], tmp_path: Path
) -> None:
    file.write_text("# mine\n")
    editor(script)
    told = run("edit")
    assert told.status == status
    assert said in told.err
    assert "unexpected" not in told.err
    assert file.read_text() == "# mine\n"
    assert copies(tmp_path) == []


def test_a_file_that_changed_under_the_editor_is_not_written_over(
    run: Run, file: Path, editor: Callable[[str], None], tmp_path: Path
) -> None:
    file.write_text("[matte]\nedge = 1\n")
    editor(f'echo "softness = 1" >> "$1"; echo "# theirs" >> "{file}"')
    said = run("edit")
    assert said.status == 78
    assert "changed meanwhile" in said.err
    assert file.read_text() == "[matte]\nedge = 1\n# theirs\n"
    assert len(copies(tmp_path)) == 1


def test_no_editor_is_told(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISUAL", str(tmp_path / "no such editor").replace(" ", "-"))
    said = run("edit")
    assert said.status == 2
    assert "cannot be started" in said.err
    monkeypatch.delenv("VISUAL")
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.setattr("vcam.cli.config.EDITORS", ())
    assert "EDITOR=nano" in run("edit").err


ADDRESS = "rtsp://admin:geheim77@host/user=admin&password=geheim77"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_the_address_of_a_camera_is_shown_without_what_is_secret_in_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.setenv("VCAM_CAMERA_SOURCE", ADDRESS)
    said = run("show", *more)
    assert "rtsp://host" in said.out
    assert "geheim77" not in said.out + said.err


def test_an_address_of_the_wrong_kind_is_refused_without_being_told(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[camera]\nsource = ["{ADDRESS}"]\n')
    said = run("check", str(file))
    assert said.status == 78
    assert "camera.source = ***" in said.err
    assert "geheim77" not in said.out + said.err


@pytest.mark.process
def test_the_address_of_a_camera_is_taken_off_the_command_line() -> None:
    code = (
        "import sys; from pathlib import Path; from vcam.cli.main import _hide_addresses as hide; hide(sys.argv[1:]);"
        "print(Path('/proc/self/cmdline').read_text().replace(chr(0), ' '))"
    )
    words = ["start", "--camera", ADDRESS, f"--camera={ADDRESS}", "--set", f"camera.source={ADDRESS}", "--size", "a:b"]
    words += [f"--set=camera.source={ADDRESS}", "--camera", "rtsp:/host/geheim77", "--camera", "HD: front"]
    shown = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True).stdout
    assert "geheim77" not in shown
    stars = "*" * len(ADDRESS)
    assert f"start --camera {stars} --camera={stars} --set camera.source={stars} --size a:b" in shown
    assert "--camera HD: front" in shown
