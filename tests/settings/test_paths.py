from __future__ import annotations

from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from vcam.settings import FIELDS, Paths, Settings, absolute, absolute_text

NO_PATHS = {"overlay.pause", "overlay.text", "stream.audio", "stream.rtmp"}
"""The settings that take any text at all and never the path of a file."""


def takes_any_text(key: str) -> bool:
    """Whether no pattern and no choice says what a setting's text may be."""
    section, name = key.split(".")
    meta = get_args(get_type_hints(type(getattr(Settings(), section)), include_extras=True)[name])[1]
    return FIELDS[key].type in (str, tuple[str, ...]) and meta.pattern is None


def test_every_setting_that_takes_any_text_says_whether_it_may_be_a_path() -> None:
    undeclared = {key for key, field in FIELDS.items() if takes_any_text(key) and field.paths is Paths.NEVER}
    assert undeclared == NO_PATHS, "declare paths=Paths..., or add it here if it is never the path of a file"
    assert not [key for key, field in FIELDS.items() if field.paths is not Paths.NEVER and not takes_any_text(key)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file and a folder of unlikely names in it; this process works elsewhere."""
    (tmp_path / "a file").touch()
    (tmp_path / "a folder").mkdir()
    for name in ("auto", "blur", "3", "window", "any", "blur:5"):
        (tmp_path / name).touch()
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", "/home/me")
    return tmp_path


SAME = ""
"""Stands for: comes back as it is."""


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        # always
        ("overlay.front", "logo", "{}/logo"),
        ("overlay.front", "", SAME),
        ("overlay.back", "auto", "{}/auto"),
        ("stream.key_file", "~/key", "/home/me/key"),
        ("stream.key_file", "/k/../key", SAME),
        ("stream.record", "talks/%Y.mkv", "{}/talks/%Y.mkv"),
        ("stream.record", "not there yet", "{}/not there yet"),
        ("stream.tls", "any", SAME),
        ("stream.tls", "ca", "{}/ca"),
        # where a file is there, or looks like one
        ("camera.source", "auto", SAME),
        ("camera.source", "Demo", SAME),
        ("camera.source", "3", SAME),
        ("camera.source", "/dev/video3", SAME),
        ("camera.source", "http://host/a.mjpg", SAME),
        ("camera.source", "a file", "{}/a file"),
        ("camera.source", "a folder", SAME),
        ("camera.source", "USB2.0 HD", SAME),
        ("camera.source", "gone.MP4", "{}/gone.MP4"),
        ("camera.source", "clips/gone", "{}/clips/gone"),
        # folders as well
        ("background.spec", "blur", SAME),
        ("background.spec", "BLUR:5", SAME),
        ("background.spec", "blur:5", SAME),
        ("background.spec", "color:#204080", SAME),
        ("background.spec", "colour:navy", SAME),
        ("background.spec", "blurr", SAME),
        ("background.spec", " a folder ", "{}/a folder"),
        ("background.spec", "a file", "{}/a file"),
        ("background.spec", "3", "{}/3"),
        ("background.spec", "gone.jpg", "{}/gone.jpg"),
        ("background.spec", "../gone", "{}/../gone"),
        ("background.spec", "https://host/a.jpg", SAME),
        # only what looks like one: a file that has a device's or a model's name is not meant
        ("output.targets", "a file", SAME),
        ("output.targets", "window", SAME),
        ("output.targets", "-", SAME),
        ("output.targets", "/dev/video20", SAME),
        ("output.targets", "film.MKV", "{}/film.MKV"),
        ("output.targets", "films/one", "{}/films/one"),
        ("output.targets", "~/film.mkv", "/home/me/film.mkv"),
        ("segment.model", "a file", SAME),
        ("segment.model", "rvm.fp16", SAME),
        ("segment.model", "mine.onnx", "{}/mine.onnx"),
        ("segment.model", "./mine", "{}/mine"),
        # inside a filter
        ("filters.chain", "grey", SAME),
        ("filters.chain", "lut", SAME),
        ("filters.chain", "lut:", SAME),
        ("filters.chain", "lut:strength=0.5", SAME),
        ("filters.chain", "lut:look.cube", "lut:{}/look.cube"),
        ("filters.chain", " Lut : File = ~/look.cube ,strength=1", " Lut :File =/home/me/look.cube,strength=1"),
        ("filters.chain", "lut:file=a, b.cube,strength=1", "lut:file={}/a, b.cube,strength=1"),
        ("filters.chain", "lut:file=/look.cube", SAME),
        # none at all
        ("overlay.text", "a file", SAME),
        ("stream.rtmp", "rtmp://host/app", SAME),
        ("stream.audio", "a file", SAME),
    ],
)  # fmt: skip
def test_what_is_a_path_becomes_absolute_and_everything_else_stays(
    key: str, value: str, expected: str, folder: Path
) -> None:
    assert absolute(FIELDS[key], value, folder) == (expected.format(folder) if expected else value)


def test_a_list_in_one_text_is_parted_at_its_own_separator(folder: Path) -> None:
    targets, chain = FIELDS["output.targets"], FIELDS["filters.chain"]
    assert absolute_text(targets, "null , a.mkv,b.y4m", folder) == f"null,{folder}/a.mkv,{folder}/b.y4m"
    assert absolute_text(chain, "grey;lut:a,b.cube", folder) == f"grey;lut:{folder}/a,b.cube"
    assert absolute_text(targets, "null , OBS", folder) == "null , OBS"
    assert absolute(targets, "a,b.mkv", folder) == f"{folder}/a,b.mkv"
    assert absolute_text(FIELDS["background.spec"], "a,b.jpg", folder) == f"{folder}/a,b.jpg"


def test_the_present_folder_is_where_paths_begin(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert absolute(FIELDS["overlay.front"], "logo.png") == f"{folder}/logo.png"
    assert absolute(FIELDS["camera.source"], "a file") == f"{folder}/a file"


def test_the_rooms_that_read_files_know_them_by_the_same_suffixes_and_words() -> None:
    from vcam.compose.backgrounds.factory import WORDS
    from vcam.models.cards import SUFFIXES
    from vcam.suffixes import OUTPUT_SUFFIXES, READ_SUFFIXES

    assert set(FIELDS["camera.source"].suffixes) == READ_SUFFIXES
    assert set(FIELDS["background.spec"].suffixes) == READ_SUFFIXES
    assert set(FIELDS["output.targets"].suffixes) == OUTPUT_SUFFIXES
    assert set(FIELDS["segment.model"].suffixes) == {*SUFFIXES, ".toml"}
    assert {word.partition(":")[0] for word in FIELDS["background.spec"].words} == set(WORDS)


def test_every_filter_that_reads_a_file_is_named() -> None:
    from vcam.compose.filters.base import Word
    from vcam.compose.filters.registry import KINDS

    files = [
        (kind.name, index, parameter.name)
        for kind in KINDS.values()
        for index, parameter in enumerate(kind.parameters)
        if isinstance(parameter, Word) and parameter.file
    ]
    assert files == [(name, 0, parameter) for name, parameter in FIELDS["filters.chain"].parameters.items()]
    # a word that may be anything is the name of something outside, or of something that vcam knows by name
    free = {
        (kind.name, parameter.name)
        for kind in KINDS.values()
        for parameter in kind.parameters
        if isinstance(parameter, Word) and not parameter.choices and not parameter.file
    }
    assert free == {("harmonise", "model")}
