from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from vcam.cli.main import cli


def offered(*words: str) -> list[str]:
    """What a shell is told for the last of the words; `<file>` where it looks for files itself."""
    found = ShellComplete(cli, {}, "vcam", "_VCAM_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return ["<file>" if one.type == "file" else one.value for one in found]


@pytest.mark.parametrize(
    ("words", "there"),
    [
        (("apply", "a.png", "b.png", "--filter", "se"), ["seamless-clone", "sepia"]),
        (("compare", "a.png", "b.html", "--filter", "vi"), ["vignette"]),
        (("filters", "vi"), ["vignette"]),
        (("start", "--background", "bl"), ["blur", "blur:"]),
        (("start", "--background", "~/Pic"), ["<file>"]),
        (("start", "--front", "lo"), ["<file>"]),
        (("start", "--output", "w"), ["window"]),
        (("start", "--model", "selfie-l"), ["selfie-landscape"]),
        (("models", "show", "selfie-g"), ["selfie-general"]),
        (("start", "--profile", "w"), ["work"]),
        (("profile", "w"), ["work"]),
        (("background", "green"), ["green"]),
        (("set", "matte.ed"), ["matte.edge="]),
        (("get", "matte.ed"), ["matte.edge"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_shell_offers_values(words, there, tmp_path, monkeypatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[profiles.work.matte]\nedge = 2\n")
    monkeypatch.setenv("VCAM_CONFIG", str(config))
    assert offered(*words) == there


def test_a_broken_config_file_offers_no_profile_and_no_traceback(tmp_path, monkeypatch) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[profiles")
    monkeypatch.setenv("VCAM_CONFIG", str(config))
    assert offered("start", "--profile", "") == []
