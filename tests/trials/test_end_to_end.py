"""The whole loop with the real network: the person stays, the room goes, colours stay true."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vcam.camera.demo import DemoScene, room
from vcam.camera.file import PictureFile
from vcam.camera.memory import MemoryCamera, encode_frames
from vcam.compose.backgrounds.factory import parse_background
from vcam.compose.composer import PlateComposer
from vcam.frames import Frame, PixelFormat
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.matte.factory import make_matte
from vcam.matting import open_matting
from vcam.output.null import MemoryOutput
from vcam.pipeline import Pipeline, open_pipeline
from vcam.segment.emptyroom.choice import choose_room
from vcam.segment.emptyroom.memory import mean_room
from vcam.settings import BackgroundSettings, Settings
from vcam.testing import FakeSegmenter, RecordingOutput

GREEN = Settings().replace(background__spec="color:#00a000", matte__temporal=0, matte__edge=0)
FORMATS = [PixelFormat.MJPEG, PixelFormat.NV12, PixelFormat.YUYV, PixelFormat.I420]


def colour_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b.astype(int)).max(axis=2)


def run(frames: list[bytes], source: PixelFormat, size: tuple[int, int], settings: Settings) -> list[np.ndarray]:
    camera = MemoryCamera(frames, source, size, 30, paced=False)
    camera.open()
    output = RecordingOutput()
    with open_pipeline(settings, camera, size, [output]) as pipeline:
        pipeline.open_outputs(size, 30)
        pipeline.run(frames=len(frames))
        assert pipeline.timings.without_person == 0
    return [frame_to_bgr(Frame.wrap(picture, *size)) for picture in output.frames]


@pytest.mark.engine
@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("source", [PixelFormat.MJPEG, PixelFormat.NV12], ids=["mjpeg", "nv12"])
def test_the_demo_person_is_kept_and_the_room_is_gone(source: PixelFormat, backend: str) -> None:
    size = (1280, 720)
    scene = DemoScene(size, 30.0, paced=False)
    scene.open()
    frames = []
    for number in (0, 20, 45, 70):
        frame = Frame.allocate(*size)
        frame.copy_from(scene.frame(number))
        frames.append(frame)
    pictures = run(encode_frames(frames, source), source, size, GREEN.replace(segment__backend=backend))
    plain = np.full((720, 1280, 3), (0, 160, 0), np.uint8)
    for number, frame, picture in zip((0, 20, 45, 70), frames, pictures, strict=True):
        alpha = scene.true_alpha(number)
        inside = cv2.erode(alpha, np.ones((41, 41))) == 255
        outside = cv2.dilate(alpha, np.ones((61, 61))) == 0
        kept = colour_difference(picture, frame_to_bgr(frame)) <= 24
        gone = colour_difference(picture, plain) <= 3
        assert kept[inside].mean() > 0.97, f"{kept[inside].mean():.3f} of the person is left in frame {number}"
        assert gone[outside].mean() > 0.97, f"{1 - gone[outside].mean():.3f} of the room is left in frame {number}"


@pytest.mark.engine
def test_a_room_that_was_told_makes_the_matte_of_the_real_network_better() -> None:
    size = (1280, 720)
    scene = DemoScene(size, 30.0, paced=False)
    scene.open()
    told = mean_room([bgr_to_frame(room(size))])
    wrong = []
    for setting in ("off", "told"):
        with open_matting(Settings().replace(segment__room=setting), size) as matting:
            matting.exchange_room(choose_room(Settings().replace(segment__room=setting), size, "the scene"))
            if setting == "told":
                matting.told(told)
            off = [np.abs(matting.picture(numbered(scene, number)).astype(int) - scene.true_alpha(number)).mean()
                   for number in range(0, 90, 10)]  # fmt: skip
            assert matting.room_status["rests"] == ("" if setting == "told" else "segment.room is off")
        wrong.append(float(np.mean(off)))
    assert wrong[1] < 0.85 * wrong[0], wrong


def numbered(scene: DemoScene, number: int) -> Frame:
    frame = Frame.allocate(*scene.size)
    frame.copy_from(scene.frame(number))
    frame.seq = number
    return frame


@pytest.mark.engine
def test_real_people_are_kept_and_their_rooms_are_gone(shared) -> None:
    """Hand-made masks; their edges are rough, so only what lies well inside and outside of them is looked at."""
    kept_shares, gone_shares = [], []
    settings = GREEN.replace(segment__model="selfie-general")
    for path in sorted((shared / "data/portraits/img").glob("*.jpg"))[::8]:
        mask = cv2.imread(str(shared / "data/portraits/mask" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        source = bgr_to_frame(read_image(path))
        camera, output = PictureFile(path), MemoryOutput()
        camera.open()
        with open_pipeline(settings, camera, camera.size, [output], still=True) as pipeline:
            pipeline.open_outputs(camera.size, 30)
            pipeline.run(frames=1)
        assert output.frames == 1
        picture, original = frame_to_bgr(output.frame), frame_to_bgr(source)
        mask = cv2.resize(mask, source.size, interpolation=cv2.INTER_NEAREST)
        mask = np.where(mask > mask.max() // 2, 255, 0).astype(np.uint8)
        plain = np.full_like(picture, (0, 160, 0))
        inside = cv2.erode(mask, np.ones((25, 25))) > 0
        outside = cv2.dilate(mask, np.ones((25, 25))) == 0
        kept_shares.append((colour_difference(picture, original) <= 12)[inside].mean())
        gone_shares.append((colour_difference(picture, plain) <= 12)[outside].mean())
    assert len(kept_shares) >= 10
    assert np.mean(kept_shares) > 0.97, kept_shares
    assert np.mean(gone_shares) > 0.95, gone_shares


COLOURS = {
    "black": (0, 0, 0), "white": (255, 255, 255), "grey": (128, 128, 128), "red": (40, 40, 220),
    "green": (40, 200, 40), "blue": (220, 40, 40), "skin": (130, 160, 220),
}  # fmt: skip


@pytest.mark.parametrize("source", FORMATS, ids=lambda source: source.name.lower())
@pytest.mark.parametrize("name", COLOURS)
def test_known_colours_come_out_as_they_went_in(name: str, source: PixelFormat) -> None:
    """From the camera's bytes to the output's samples; the other side's view is BT.601, limited range."""
    size = (64, 48)
    picture = np.full((48, 64, 3), COLOURS[name], np.uint8)
    shown = run(encode_frames([picture], source), source, size, Settings().replace(background__spec="none"))[0]
    expected = frame_to_bgr(bgr_to_frame(picture))
    assert colour_difference(shown, expected).max() <= 3
    ideal = bgr_to_frame(picture)
    seen = bgr_to_frame(shown)
    for mine, theirs in zip(seen.planes, ideal.planes, strict=True):
        assert np.abs(mine.astype(int) - theirs).max() <= 2


@pytest.mark.parametrize("source", FORMATS, ids=lambda source: source.name.lower())
def test_a_background_colour_is_the_same_whatever_the_camera_sends(source: PixelFormat) -> None:
    size = (96, 64)
    data = encode_frames([np.full((64, 96, 3), (130, 160, 220), np.uint8)], source)
    camera, output = MemoryCamera(data, source, size, 30, paced=False), RecordingOutput()
    camera.open()
    composer = PlateComposer(parse_background("color:#204080", BackgroundSettings()), size)
    matte = make_matte(Settings().replace(matte__edge=0, matte__temporal=0).matte)
    with Pipeline(camera, FakeSegmenter(), matte, composer, [output]) as pipeline:
        pipeline.run(frames=1)
    picture = frame_to_bgr(Frame.wrap(output.frames[0], *size))
    assert np.abs(picture[:, :20].astype(int) - (0x80, 0x40, 0x20)).max() <= 2
    assert np.abs(picture[:, 44:52].astype(int) - (130, 160, 220)).max() <= 5
