"""A green or blue screen behind the person is found and keyed out; without one, nothing is shown."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.segment.greenscreen import BLUE, GREEN, clip, frames, planes_of, screen
from vcam import native
from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.composer import PlateComposer
from vcam.errors import EngineError, UsageError
from vcam.frames import Frame
from vcam.matting import Matting, open_matting
from vcam.measure.metrics import boundary_accuracy
from vcam.segment.chroma import segmenter as module
from vcam.segment.chroma.key import Key
from vcam.segment.chroma.screen import Light, Screen, colour_of, find_screen
from vcam.settings import Settings
from vcam.types import U8

SIZE = (640, 360)
CHROMA = Settings().replace(segment__backend="chroma")


def matting(**changes: object) -> Matting:
    return open_matting(CHROMA.replace(**changes), SIZE)


def plain(colour: tuple[int, int, int]) -> Frame:
    """All of the picture of one colour, BGR."""
    return planes_of(np.full((SIZE[1], SIZE[0], 3), colour, np.uint8))


@pytest.mark.parametrize(("colour", "word"), [(GREEN, "green"), (BLUE, "blue")])
def test_the_edge_of_a_keyed_clip_is_right_by_more_than_97_per_cent(colour: tuple[int, int, int], word: str) -> None:
    stage = open_matting(CHROMA, (1280, 720))
    for frame, true in frames(count=2, colour=colour):
        found = stage.picture(frame)
        assert boundary_accuracy(found, true) > 0.97
        # the screen is clear, folds and dark corners too, and the person is whole
        assert found[cv2.dilate(true, np.ones((31, 31))) == 0].max() < 16
        assert found[cv2.erode(true, np.ones((41, 41))) == 255].mean() > 250
    assert word in stage.description


def test_the_screens_light_on_the_person_is_taken_away_and_nothing_else() -> None:
    stage = matting()
    frame = plain(GREEN)
    hair, skin = (165, 205, 175), (130, 160, 220)
    for left, colour in ((200, hair), (400, skin)):
        patch = planes_of(np.full((200, 100, 3), colour, np.uint8))
        for plane, part, half in zip(frame.planes, patch.planes, (1, 2, 2), strict=True):
            plane[120 // half : 320 // half, left // half : (left + 100) // half] = part
    before = [plane.copy() for plane in (frame.u, frame.v)]
    out = PlateComposer(ColorBackground((128, 128, 128)), SIZE).compose(frame, stage.alpha(frame), 0.0)
    along = Screen.of(colour_of("#1eb140")).along

    def green(planes: list[U8], x: int) -> float:
        return float((planes[0][100, x] - 128.0) * along[0] + (planes[1][100, x] - 128.0) * along[1])

    after = [out.u, out.v]
    # hair that the screen shines on, and skin
    assert green(before, 125) > 12
    assert abs(green(after, 125)) < 4
    assert out.u[100, 225] == pytest.approx((int(before[0][100, 225]) - 128) * 224 / 255 + 128, abs=2)
    assert out.v[100, 225] == pytest.approx((int(before[1][100, 225]) - 128) * 224 / 255 + 128, abs=2)


@pytest.mark.parametrize("colour", [(90, 90, 90), (60, 60, 180), (150, 190, 220), (20, 20, 20)])
def test_without_a_screen_nothing_is_shown_and_the_reason_is(colour: tuple[int, int, int]) -> None:
    stage = matting()
    with pytest.raises(EngineError, match="no green or blue screen"):
        stage.alpha(plain(colour))
    assert "screen" in stage.notice


def test_a_screen_that_goes_away_takes_the_picture_with_it_and_brings_it_back() -> None:
    stage = matting()
    pictures = list(frames(SIZE, 2))
    stage.alpha(pictures[0][0])
    gone = plain((90, 90, 90))
    # the very first frame without it is the room
    for number in range(2, 2 + 2 * module.EVERY):
        gone.seq = number
        with pytest.raises(EngineError, match="no green or blue screen"):
            stage.alpha(gone)
    back = pictures[1][0]
    for number in range(100, 104):
        back.seq = number
        stage.alpha(back)
    assert not stage.notice


def test_a_screen_beside_which_the_room_is_seen_is_refused() -> None:
    picture = np.clip(screen(SIZE, GREEN), 0, 255).astype(np.uint8)
    picture[:, -120:] = (80, 90, 100)
    with pytest.raises(EngineError, match="upper right corner") as error:
        matting().alpha(planes_of(picture))
    assert "camera.crop" in error.value.hint


@pytest.mark.parametrize("steps", [1, 2, 5, 40])
def test_a_camera_that_is_turned_to_the_room_shows_not_one_frame_of_it(steps: int) -> None:
    stage = matting()
    there = planes_of(np.clip(screen(SIZE, GREEN), 0, 255).astype(np.uint8))
    for number in range(steps):
        there.seq = number
        stage.alpha(there)
    picture = np.clip(screen(SIZE, GREEN), 0, 255).astype(np.uint8)
    picture[:, 400:] = (80, 90, 100)
    turned = planes_of(picture)
    turned.seq = steps
    with pytest.raises(EngineError, match="upper right corner"):
        stage.alpha(turned)


@pytest.mark.parametrize(
    ("where", "side"), [(np.s_[:, :20], "left"), (np.s_[:, -20:], "right"), (np.s_[:20], "left")], ids=str
)
def test_a_narrow_strip_of_the_room_at_the_edge_is_refused_as_well(where: tuple[slice, ...], side: str) -> None:
    picture = np.clip(screen(SIZE, GREEN), 0, 255).astype(np.uint8)
    picture[where] = (80, 90, 100)
    with pytest.raises(EngineError, match=f"upper {side} corner"):
        matting().alpha(planes_of(picture))


def test_an_empty_screen_shows_nobody() -> None:
    frame = planes_of(np.clip(screen(SIZE, GREEN), 0, 255).astype(np.uint8))
    assert matting().picture(frame).max() < 16


def test_the_colour_can_be_said() -> None:
    # a screen of a colour that is not looked for
    picture = np.full((SIZE[1], SIZE[0], 3), (150, 30, 160), np.uint8)
    picture[100:, 250:400] = (128, 128, 128)
    with pytest.raises(EngineError):
        matting().alpha(planes_of(picture))
    found = matting(segment__key="#a01e96").picture(planes_of(picture))
    assert found[200:300, 300:350].min() > 250
    assert found[20:80].max() == 0
    with pytest.raises(UsageError, match="key"):
        CHROMA.replace(segment__key="green")


def test_another_size_is_begun_anew() -> None:
    stage = matting()
    stage.alpha(next(frames(SIZE, 1))[0])
    other, true = next(frames((320, 180), 1))
    assert boundary_accuracy(stage.picture(other), true) > 0.9


def test_frames_in_a_row_give_the_same_matte() -> None:
    frame, _ = next(frames(SIZE, 1))
    stage = matting()
    before = None
    for number in range(6):
        frame.seq = number
        found = stage.picture(frame)
        assert before is None or np.abs(found.astype(int) - before).mean() < 0.1
        before = found.copy()


@pytest.mark.skipif(native.kernels() is None, reason="no compiled loops")
def test_the_compiled_key_is_that_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(3)
    shape = (45, 83)
    u, v = (chance.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))
    terms = (chance.uniform(0.005, 0.05, shape).astype(np.float32), chance.uniform(-0.2, 0.5, shape).astype(np.float32))
    along = Screen.of(colour_of("#00b140")).along
    compiled = Key(shape)
    monkeypatch.setenv("VCAM_NATIVE", "0")
    passes = Key(shape)
    for key in (compiled, passes):
        key.apply(u, v, terms, along)
    for one, other in zip((compiled.matte, *compiled.cleaned), (passes.matte, *passes.cleaned), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.skipif(native.kernels() is None, reason="no compiled loops")
def test_arrays_that_do_not_fit_are_refused() -> None:
    key = Key((8, 8))
    kernels = native.kernels()
    assert kernels is not None
    plane, terms = np.zeros((8, 8), np.uint8), (np.zeros((8, 8), np.float32), np.zeros((8, 9), np.float32))
    with pytest.raises(ValueError, match="numbers"):
        kernels.screen.key((plane, plane), terms, np.zeros(5, np.float32), key.matte, key.cleaned, low=0.1, gain=1.0)
    with pytest.raises(ValueError, match="numbers"):
        kernels.screen.key(
            (plane, plane), (terms[0], terms[0]), np.zeros(4, np.float32), key.matte, key.cleaned, low=0.1, gain=1.0
        )


def test_the_screen_is_the_commonest_of_strong_colours() -> None:
    picture = next(clip(SIZE, 1))[0]
    frame = planes_of(picture)
    found = find_screen(frame.u[::4, ::4], frame.v[::4, ::4])
    assert found is not None
    wanted = Screen.of(colour_of("#1eb140"))
    assert found.along[:2] @ wanted.along[:2] > 0.98
    light = Light(found, frame.u.shape, frame.u[::4, ::4].shape)
    light.look(frame.u[::4, ::4].copy(), frame.v[::4, ::4].copy(), screen=True)
    assert light.share > 0.4
    assert min(light.corners) == 1
