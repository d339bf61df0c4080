"""Pictures of odd shapes go all the way, with every backend and every kind of background."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vcam.camera.factory import make_camera
from vcam.pipeline import Pipeline
from vcam.settings import Settings, parse_size
from vcam.testing import FakeSegmenter, RecordingOutput

SHAPES = ["16x16", "16x8192", "8192x16", "1280x240", "240x1280", "3840x2160", "640x80", "18x640", "1022x578"]
BACKENDS = ["openvino", "onnxruntime", "subtraction"]
KINDS = ["picture", "film", "slides", "blur", "pixelate", "color:#204080", "none"]
LEARN = 2

shapes = pytest.mark.parametrize("shape", SHAPES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backgrounds")
    (folder / "slides").mkdir()
    for path in (folder / "picture.png", folder / "slides" / "a.png", folder / "slides" / "b.png"):
        cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    from PIL import Image

    pictures = [Image.new("RGB", (48, 32), colour) for colour in ("navy", "teal")]
    pictures[0].save(folder / "film.gif", save_all=True, append_images=pictures[1:], duration=40)
    return folder


def run(settings: Settings, frames: int, segmenter: FakeSegmenter | None = None) -> Pipeline:
    """Some frames of the demo scene; what is left is the closed pipeline."""
    size = parse_size(settings.output.size)
    output = RecordingOutput()
    camera = make_camera(settings.camera, size, settings.output.fps)
    with Pipeline.from_settings(settings, camera=camera, outputs=[output]) as pipeline:
        if segmenter is not None and pipeline.matting.segmenter is not None:
            pipeline.matting.exchange(segmenter, None)
        pipeline.run(frames)
    assert len(output.frames) == frames
    assert {len(frame) for frame in output.frames} == {size[0] * size[1] * 3 // 2}
    return pipeline


def settings_for(shape: str, **changes: object) -> Settings:
    return Settings().replace(camera__source="demo", output__size=shape, **changes)


@pytest.mark.engine
@shapes
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_takes_every_shape(
    backend: str, shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = settings_for(shape, segment__backend=backend, background__spec="blur", segment__room_frames=LEARN,
                            segment__threshold=100.0)  # fmt: skip
    pipeline = run(settings, LEARN + 4)
    assert pipeline.timings.without_person < LEARN + 4 or backend == "subtraction"


@shapes
@pytest.mark.parametrize("kind", KINDS)
def test_every_background_takes_every_shape(kind: str, shape: str, folder: Path) -> None:
    files = {"picture": folder / "picture.png", "film": folder / "film.gif", "slides": folder / "slides"}
    settings = settings_for(shape, background__spec=str(files.get(kind, kind)))
    pipeline = run(settings, 3, FakeSegmenter())
    assert pipeline.error is None
