from __future__ import annotations

import os
import re
import stat
import string
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcam.errors import ConfigError, OutputError, UsageError, VcamError
from vcam.settings import FIELDS, Field, Layer, build, config_path, flatten, load
from vcam.settings.saving import problems, save, template
from vcam.settings.toml import MAX_BYTES, key_lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def value_of(file: Path, key: str, profile: str = "") -> Any:
    return flatten(load(path=file, environ={}, profile=profile).settings)[key]


def refused(file: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(path=file, environ={})
    assert caught.value.exit_status == 78
    assert caught.value.hint
    assert str(file) in caught.value.message
    assert len(str(caught.value)) < 400 + len(str(file))
    return caught.value


def beyond(field: Field) -> list[str]:
    """Values, as TOML, that a setting must refuse."""
    bad = ["{}", "[[1]]", "1979-05-27", "0x" + "f" * 5000, "-1e400"]
    if field.minimum is not None:
        bad += [str(field.minimum - 0.5), str(field.maximum + 1), "nan", "inf", "'much'", "[1]"]
    elif field.choices:
        bad += ["'torch'", "''", "3", "true", "['CPU']"]
    elif field.type is bool:
        bad += ["'perhaps'", "2", "0.5", "''"]
    elif field.type is str:
        bad += ["0.5", "true", "['a']"]
    else:
        bad += ["[1]", "3", "true"] + (["[]"] if field.default else [])
    if field.key == "output.size":
        bad += ["'big'", "'1280'", "''", "'123456x1'"]
    return bad


@pytest.mark.parametrize("key", FIELDS)
def test_every_setting_out_of_range_or_of_the_wrong_type_is_refused_with_line_key_and_cure(
    key: str, file: Path
) -> None:
    section, name = key.split(".")
    for value in beyond(FIELDS[key]):
        file.write_text(f"# mine\n[{section}]\n\n{name} = {value}\n")
        said = refused(file)
        assert f"line 4: {key} = " in said.message, value
        file.write_text(f"[{section}]\n[profiles.work]\n{section} = {{ {name} = {value} }}\n")
        assert f"line 3: {key} = " in str(problems(file)[0]), value


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[matte]\nedge = 1\n\nedge = 2\n", 4, "given twice: edge = 2"),
        ("[matte]\n[output]\n[matte]\n", 3, "given twice: [matte]"),
        ("[matte]\nedgy = 1\n", 2, "did you mean matte.edge"),
        ("[mate]\n# x\nedge = 1\n", 3, "did you mean matte.edge"),
        ("[matte]\nedge = \n", 2, "not valid TOML"),
        ("[matte]\nedge = 'one\n", 2, "not valid TOML"),
        ("[matte]\nedge = 1\nsoftness", 3, "not valid TOML"),
        ("\n\nedge = 1\n", 3, "outside a section"),
        ("[matte.inner]\nedge = 1\n", 1, "no setting 'matte.inner'"),
        ("[background]\nspec = '''\nblur'''\nfit = 1\n", 4, "background.fit"),
        ("[output]\ntargets = [\n  'null',\n  3,\n]\n", 2, "output.targets"),
        ("background.fit = 'round'\n", 1, "one of cover, contain, stretch"),
        ("# x\nprofiles = 3\n", 2, "profiles is no table"),
        ("[profiles]\n\nwork = 3\n", 3, "outside a section"),
        ("[profiles.work]\nedge = 3\n", 2, "outside a section"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(text: str, line: int, said: str, file: Path) -> None:
    for ends in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        file.write_text(ends, newline="")
        error = str(refused(file))
        assert f"line {line}" in error
        assert said in error


def test_a_file_that_is_none_is_refused_at_once(file: Path, tmp_path: Path) -> None:
    file.mkdir()
    refused(file)
    file.rmdir()
    file.symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(file)
    assert "symbolic links" in str(refused(file))
    file.unlink()
    os.mkfifo(file)
    assert "pipe" in str(refused(file))
    file.unlink()
    file.symlink_to("/dev/zero")
    assert "larger than" in str(refused(file))
    file.unlink()
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than" in str(refused(file))
    file.write_bytes(b"[matte]\n# caf\xe9\n")
    assert "line 2 is not UTF-8" in str(refused(file))
    file.write_text("[output]\ntargets = " + "[" * 5000 + "]" * 5000)
    assert "brackets" in str(refused(file))
    file.write_text(f"[matte]\nedge = {'9' * 5000}\n")
    refused(file)
    file.write_text("[output]\ntargets = [\n" + "[1],\n" * 50_000 + "]\n")
    begun = time.process_time()
    assert "output.targets" in str(refused(file))
    assert time.process_time() - begun < 5


def test_an_unreadable_file_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.touch(mode=0o000)
    if os.geteuid() == 0:

        def deny(*args: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", deny)
    assert "Permission" in str(refused(file))


def test_a_byte_order_mark_and_windows_line_ends_are_read(file: Path) -> None:
    file.write_bytes("\ufeff[matte]\r\nedge = 7\r\n[profiles.work.matte]\r\nedge = 8\r\n".encode())
    assert value_of(file, "matte.edge") == 7
    assert value_of(file, "matte.edge", "work") == 8


def test_the_environment_chooses_a_profile_and_the_option_overrides_it(file: Path) -> None:
    file.write_text("[profiles.work.matte]\nedge = 1\n[profiles.'my home'.matte]\nedge = 2\n")
    environ = {"VCAM_PROFILE": "my home"}
    assert load(path=file, environ=environ).settings.matte.edge == 2
    loaded = load(path=file, environ=environ, profile="work")
    assert loaded.settings.matte.edge == 1
    assert loaded.origins["matte.edge"].endswith("[profiles.work]")
    with pytest.raises(UsageError, match="profiles there: work, my home"):
        load(path=file, environ={"VCAM_PROFILE": "wrok"})


def test_all_problems_of_a_file_are_found_at_once(file: Path) -> None:
    file.write_text("[matte]\nedge = 99\nedgy = 1\n[profiles.work.output]\nfps = 0\n")
    said = [str(error) for error in problems(file, {"VCAM_MATTE_SOFTNESS": "9"})]
    assert [re.findall(r"line (\d)", text) for text in said] == [["2"], ["3"], ["5"], []]
    assert "VCAM_MATTE_SOFTNESS" in said[3]


def test_the_template_names_every_setting_and_sets_none(file: Path) -> None:
    file.write_text(template())
    assert problems(file) == []
    assert set(load(path=file, environ={}).origins.values()) == {"default"}
    file.write_text(re.sub(r"(?m)^#(?=\w+ = |\[)", "", template()))
    loaded = load(path=file, environ={})
    assert set(loaded.origins.values()) == {str(file)}
    assert flatten(loaded.settings) == {key: field.default for key, field in FIELDS.items()}


def test_saving_into_the_template_puts_a_value_below_its_comment(file: Path) -> None:
    file.write_text(template())
    save(file, {"matte.edge": 3})
    assert re.search(r"\n#edge = .*\nedge = 3\n", file.read_text())
    assert file.read_text().replace("\nedge = 3\n", "\n") == template().replace("#[matte]", "[matte]")
    save(file, {"matte.softness": 0.5, "camera.mirror": True})
    assert re.search(r"\n#softness = .*\nsoftness = 0.5\n", file.read_text())
    assert re.search(r"\n\[camera\]\n(#.*\n)+mirror = true\n", file.read_text())


def test_what_is_pasted_into_the_template_counts(file: Path) -> None:
    """A section may be given only once: the template gives none."""
    file.write_text(f"{template()}\n[camera]\nmirror = true\n")
    assert problems(file) == []
    save(file, {"camera.wait": True})
    assert file.read_text() == f"{template()}\n[camera]\nmirror = true\nwait = true\n"


def test_a_setting_outside_of_its_section_is_told_which_it_belongs_to(file: Path) -> None:
    file.write_text(template().replace("#edge =", "edge ="))
    (error,) = problems(file)
    assert "edge stands outside a section" in error.message
    assert "write [matte] above it" in error.hint


def test_mistyped_variables_of_the_environment_are_named(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("")
    environ = {
        "VCAM_MATTE_EGDE": "3",
        "VCAM_PROFIL": "x",
        "VCAM_MATTE_XYZABC": "1",
        "VCAM_MINE": "1",
        "VCAM_FFMPEG": "f",
    }
    said = [(error.message.partition(" ")[0], error.hint) for error in problems(file, environ)]
    assert said == [
        ("VCAM_MATTE_EGDE", "did you mean VCAM_MATTE_EDGE?"),
        ("VCAM_MATTE_XYZABC", "vcam config show lists the settings"),
        ("VCAM_PROFIL", "did you mean VCAM_PROFILE?"),
    ]
    load(path=file, environ=environ)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == [name for name, _ in said]


def test_saving_keeps_a_comment_behind_a_value_and_the_one_above_the_next_section(file: Path) -> None:
    file.write_text("[matte]\nedge = 1   # for the headset\n\n# where it goes\n[output]\nfps = 25\n")
    save(file, {"matte.edge": 4.5, "matte.softness": "0.25", "background.spec": "blur:30"})
    assert file.read_text() == (
        "[matte]\nedge = 4.5   # for the headset\nsoftness = 0.25\n\n# where it goes\n[output]\nfps = 25\n\n"
        '[background]\nspec = "blur:30"\n'
    )


def test_a_value_is_taken_out_by_none(file: Path) -> None:
    file.write_text("# a\n[matte]\nedge = 1\nsoftness = 0.5 # b\n")
    save(file, {"matte.edge": None, "output.fps": None})
    assert file.read_text() == "# a\n[matte]\nsoftness = 0.5 # b\n"


def test_saving_makes_file_folder_and_profile(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.toml"
    save(file, {"background.spec": 'a "b"\\c\n.jpg'}, "my work")
    assert value_of(file, "background.spec", "my work") == 'a "b"\\c\n.jpg'
    assert value_of(file, "background.spec") == "blur"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_saving_follows_a_link_and_keeps_mode_and_line_ends(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_bytes(b"[matte]\r\nedge = 1\r\n")
    real.chmod(0o640)
    file.symlink_to(real)
    save(file, {"matte.edge": 2, "matte.softness": 1, "output.fps": 24})
    assert file.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_bytes() == b"[matte]\r\nedge = 2\r\nsoftness = 1\r\n\r\n[output]\r\nfps = 24\r\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"matte.edge": 99}, UsageError), ({"matte.egde": 1}, UsageError), ({"matte.egde": None}, UsageError)],
)
def test_a_bad_change_leaves_the_file_alone(changes: dict[str, Any], kind: type[VcamError], file: Path) -> None:
    file.write_text("[matte]\nedge = 1\n")
    with pytest.raises(kind):
        save(file, {"output.fps": 10, **changes})
    assert file.read_text() == "[matte]\nedge = 1\n"


@pytest.mark.parametrize("text", ["[matte\n", "matte = 3\n", "[[matte]]\nedge = 1\n", "[profiles]\nwork = 1\n"])
def test_a_broken_file_is_not_written_over(text: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError):
        save(file, {"matte.edge": 3}, "work" if "work" in text else "")
    assert file.read_text() == text


def test_a_file_that_cannot_be_written_is_told() -> None:
    # a folder that even root cannot write to
    with pytest.raises(OutputError, match="cannot write"):
        save(Path("/proc/vcam/config.toml"), {"matte.edge": 3})


def test_where_no_file_is_named_it_is_in_the_users_config_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VCAM_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert config_path() == Path("/somewhere/vcam/config.toml")


TEXT = st.text(string.printable + "äß漢\u2028", min_size=1, max_size=20)
COMMENT = st.text(string.ascii_letters + string.digits + " =[]#\"'.,ü", max_size=15).map(lambda text: f"# {text}")


def values(field: Field) -> st.SearchStrategy[Any]:
    if field.choices:
        return st.sampled_from(field.choices)
    if field.type is bool:
        return st.booleans()
    if field.type is int:
        return st.integers(int(field.minimum or 0), int(field.maximum or 0))
    if field.type is float:
        return st.floats(field.minimum, field.maximum)
    if isinstance(field.default, tuple):
        return st.lists(TEXT, min_size=1, max_size=3).map(tuple)
    if accepts(field.key, "any text"):
        return TEXT
    texts = ("", "1280x720", "640x480+0+10", "12", "a=1", "#00b140")
    return st.sampled_from([text for text in texts if accepts(field.key, text)])


def accepts(key: str, value: str) -> bool:
    try:
        build([Layer("test", {key: value})])
    except UsageError:
        return False
    return True


TREES = st.lists(st.sampled_from(sorted(FIELDS)), max_size=8, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: values(FIELDS[key]) for key in keys})
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """A config file full of comments, in several ways of writing, and what it sets: itself, and its profile "p"."""
    from vcam.settings.saving import toml

    lines: list[str] = []

    def comment() -> None:
        lines.extend(draw(st.lists(st.one_of(COMMENT, st.just("")), max_size=2)))

    trees = draw(TREES), draw(TREES)
    for tree, prefix in zip(trees, ("", "profiles.p."), strict=True):
        sections = draw(st.permutations(sorted({key.split(".")[0] for key in tree})))
        for section in sections:
            comment()
            mine = {key.split(".")[1]: toml(value) for key, value in tree.items() if key.startswith(section + ".")}
            way = draw(st.sampled_from(("table", "dotted", "inline"))) if prefix or not lines else "table"
            if (prefix and way != "table") or way == "table" or any(line.startswith("[") for line in lines):
                lines.append(f"[{prefix}{section}]")
            elif way == "inline":
                lines.append(f"{section} = {{ {', '.join(f'{name} = {value}' for name, value in mine.items())} }}")
                continue
            else:
                lines.extend(f"{section}.{name} = {value}" for name, value in mine.items())
                continue
            for name, value in mine.items():
                comment()
                indent, tail = draw(st.sampled_from(("", "  "))), draw(st.sampled_from(("", " # x")))
                lines.append(f"{indent}{name} = {value}{tail}")
    comment()
    return "\n".join(lines) + draw(st.sampled_from(("", "\n"))), *trees


def comments(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("#")]


@pytest.mark.long
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(written=files(), changes=TREES, in_profile=st.booleans())
def test_whatever_is_saved_reads_back_and_nothing_else_changes(
    written: tuple[str, dict[str, Any], dict[str, Any]], changes: dict[str, Any], in_profile: bool, tmp_path: Path
) -> None:
    text, base, profile = written
    file = tmp_path / "config.toml"
    file.write_text(text)
    names = ["", "p"] if "[profiles.p" in text else [""]
    before = {name: flatten(load(path=file, environ={}, profile=name).settings) for name in names}
    save(file, changes, "p" if in_profile else "")
    after = file.read_text()
    assert comments(after) == comments(text)
    for name, old in before.items():
        now = flatten(load(path=file, environ={}, profile=name).settings)
        # what a profile sets itself, a change of the file below it does not reach
        over = (changes if name else {}) if in_profile else changes | (profile if name else {})
        assert now == old | over
    kept = [line for line in text.split("\n") if " = " in line and "{" not in line]
    if not set(changes) & (set(profile) if in_profile else set(base)):
        rest = iter(after.split("\n"))
        assert all(line in rest for line in kept), "a line was changed, moved or lost"
    assert problems(file) == []


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(written=files())
def test_the_line_of_a_key_is_the_line_it_is_written_on(written: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    text, base, profile = written
    lines = key_lines(text)
    for prefix, tree in (((), base), (("profiles", "p"), profile)):
        for key in tree:
            section, name = key.split(".")
            line = text.split("\n")[lines[(*prefix, section, name)] - 1]
            assert re.search(rf"(^|[ .{{]){name} = ", line)
