from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vcam
from tests.places import ROOT
from vcam.errors import UsageError
from vcam.images import bgr_to_frame

PAGE = ROOT / "docs/library.md"
EXAMPLES = re.findall(r"^## (.+?)$.*?^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)

MADE = {
    "The matte of a picture": ["on-green.png"],
    "The loop": ["film.mp4"],
    "Your own camera and output": [],
    "The virtual camera alone, through pyvirtualcam": [],
    "Steering a vcam that runs": [],
}
"""The files that each example leaves."""


def test_the_public_names_are_those_of_all_and_each_can_be_had() -> None:
    assert sorted(vcam.__all__) == dir(vcam)
    assert {name for name in vcam.__all__ if getattr(vcam, name, None) is None} == set()
    assert set(vcam._PLACES) | {"__version__"} == set(vcam.__all__)
    with pytest.raises(AttributeError, match="Pipelin"):
        vcam.Pipelin  # noqa: B018


def test_importing_vcam_alone_loads_nothing_heavy() -> None:
    code = "import sys, vcam; assert not {'cv2', 'numpy', 'msgspec'} & set(sys.modules), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_page_has_an_example_for_each_part() -> None:
    assert [title for title, _ in EXAMPLES] == list(MADE)


@pytest.mark.engine
@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_the_examples_of_the_page_run(title: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, title, "exec"), {"__name__": "example"})
    assert sorted(path.name for path in tmp_path.iterdir()) == MADE[title]
    for name in MADE[title]:
        assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.engine
def test_the_segmenter_takes_pictures_of_any_size_and_refuses_what_is_no_picture() -> None:
    with vcam.Segmenter() as segmenter:
        assert segmenter.matte(np.zeros((61, 93, 3), np.uint8)).shape == (61, 93)
        assert segmenter.probability(np.zeros((61, 93, 3), np.uint8)).dtype == np.float32
        empty = np.zeros((0, 93, 3), np.uint8)
        for wrong in (np.zeros((61, 93), np.uint8), np.zeros((61, 93, 3), np.float32), empty, [[0]], "portrait.jpg"):
            for ask in (segmenter.matte, segmenter.probability, bgr_to_frame):
                with pytest.raises(UsageError, match="BGR"):
                    ask(wrong)  # type: ignore[arg-type]
        for ask in (segmenter.matte, segmenter.probability, bgr_to_frame):
            with pytest.raises(UsageError, match="imread gives None"):
                ask(None)  # type: ignore[arg-type]
