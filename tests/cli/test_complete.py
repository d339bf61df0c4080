from __future__ import annotations

import pytest

from tests.cli.helpers import offered


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
        (("output", "add", ""), ["auto", "pipewire", "null"]),
        (("output", "add", "wi"), ["<file>"]),
        (("start", "--model", "selfie-l"), ["selfie-landscape"]),
        (("models", "show", "selfie-g"), ["selfie-general"]),
        (("start", "--profile", "w"), ["work"]),
        (("profile", "w"), ["work"]),
        (("background", "green"), ["green"]),
        (("set", "matte.ed"), ["matte.edge="]),
        (("set", "output.fp"), []),
        (("set", "background.spec=gr"), ["background.spec=green"]),
        (("set", "camera.mirror="), ["camera.mirror=true", "camera.mirror=false"]),
        (("set", "segment.backend=op"), ["segment.backend=openvino"]),
        (("set", "overlay.front=lo"), ["<file>"]),
        (("set", "matte.egde=3"), []),
        (("start", "--set", "matte.ed"), ["matte.edge="]),
        (("start", "--set", "output.fp"), ["output.fps="]),
        (
            ("start", "--set=segment.device="),
            [f"segment.device={word}" for word in ("AUTO", "CPU", "GPU", "NPU", "VPU")],
        ),
        (("record", "start", "ta"), ["<file>"]),
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
