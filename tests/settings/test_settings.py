from __future__ import annotations

from pathlib import Path

import pytest

from vcam.errors import ConfigError, UsageError
from vcam.settings import FIELDS, Settings, build, flatten, load, parse_size


def test_every_setting_has_help_default_and_a_unique_option() -> None:
    options = [option for field in FIELDS.values() for option in (field.option, field.short) if option]
    assert len(set(options)) == len(options)
    for field in FIELDS.values():
        assert field.help.endswith("."), field.key
        if field.type in (float, int):
            assert field.minimum is not None, field.key
            assert field.minimum <= field.default <= (field.maximum or 0), field.key


def test_precedence_is_option_then_set_then_environment_then_profile_then_file_then_command_default(
    tmp_path: Path,
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[matte]\nedge = 1\n[output]\nfps = 11\n[profiles.work.matte]\nedge = 2\n")
    everything = {
        "environ": {"VCAM_MATTE_EDGE": "3"},
        "assignments": ["matte.edge=4"],
        "options": {"matte.edge": "5"},
        "profile": "work",
    }
    expected = [("options", 5.0), ("assignments", 4.0), ("environ", 3.0), ("profile", 2.0)]
    for place, value in expected:
        loaded = load(path=config, defaults={"matte.edge": 9, "output.fps": 9}, **({"environ": {}} | everything))
        assert loaded.settings.matte.edge == value
        assert loaded.settings.output.fps == 11
        del everything[place]
    loaded = load(path=config, environ={}, defaults={"matte.edge": 9, "matte.softness": 0.25})
    assert (loaded.settings.matte.edge, loaded.settings.matte.softness) == (1.0, 0.25)
    assert loaded.origins["matte.edge"] == str(config)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[matte]\nedge = 99\n", "a number from -30 to 30"),
        ("[output]\nsize = 'large'\n", "both even. For example: 1280x720"),
        ("[camera]\nexposure = 'fast'\n", "auto, or a number"),
        ("[matte]\nedgy = 1\n", "did you mean matte.edge"),
        ("[matte]\nedge = 'wide'\n", "matte.edge"),
        ("[segment]\nbackend = 'torch'\n", "one of auto, openvino, onnxruntime"),
        ("[matte\nedge = 1\n", "line 1"),
        ("edge = 1\n", "outside a section"),
        ("matte = 3\n", "outside a section"),
        ("[camera]\nmirror = 'perhaps'\n", "true or false"),
    ],
)
def test_a_broken_config_file_is_named_with_key_and_cure(tmp_path: Path, text: str, said: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(ConfigError, match=r".") as caught:
        load(path=config, environ={})
    assert said in str(caught.value)
    assert str(config) in str(caught.value)
    assert caught.value.exit_status == 78


def test_a_config_file_that_is_a_folder_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load(path=tmp_path, environ={})
    binary = tmp_path / "config.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load(path=binary, environ={})


def test_a_bad_option_is_wrong_usage_but_a_bad_variable_is_broken_configuration(tmp_path: Path) -> None:
    nothing = tmp_path / "none.toml"
    with pytest.raises(UsageError) as usage:
        load({"matte.softness": "2"}, path=nothing, environ={})
    assert usage.value.exit_status == 2
    with pytest.raises(ConfigError):
        load(path=nothing, environ={"VCAM_MATTE_SOFTNESS": "2"})
    with pytest.raises(UsageError, match="KEY=VALUE"):
        load(assignments=["matte.edge"], path=nothing, environ={})
    with pytest.raises(UsageError, match="no profile"):
        load(profile="holiday", path=nothing, environ={})


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", ""])
def test_no_setting_takes_a_number_that_is_none(value: str, tmp_path: Path) -> None:
    for key in (key for key, field in FIELDS.items() if field.type is float):
        with pytest.raises(UsageError):
            load({key: value}, path=tmp_path / "none", environ={})


def test_replace_checks_and_leaves_the_rest() -> None:
    changed = Settings().replace(matte__edge=5, camera__mirror=True)
    assert (changed.matte.edge, changed.camera.mirror) == (5.0, True)
    before = {"matte.edge": FIELDS["matte.edge"].default, "camera.mirror": False}
    assert flatten(changed) | before == flatten(Settings())
    with pytest.raises(UsageError):
        Settings().replace(matte__edge=500)


def test_words_are_taken_whatever_their_case() -> None:
    assert load({"segment.device": "npu", "segment.backend": "OpenVINO"}, environ={}).settings.segment.device == "NPU"


def test_targets_from_text_are_split_at_commas() -> None:
    loaded = load(environ={"VCAM_OUTPUT_TARGETS": "null, out.mp4"})
    assert loaded.settings.output.targets == ("null", "out.mp4")


def test_build_without_layers_is_the_defaults() -> None:
    assert build([]).settings == Settings()


@pytest.mark.parametrize("text", ["1280", "1280x", "x720", "-2x4", "12 80x720", "1280X720p"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
        parse_size(text)
