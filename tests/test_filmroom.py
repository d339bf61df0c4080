"""`--room`: the empty room behind films and pictures, told by a picture or learnt from a film's beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.datasets.rooms import SIZE, shots
from vcam.camera.demo import room
from vcam.errors import InputError, UsageError, VcamError
from vcam.filmroom import ENTERING, FRAMES, PlateError, RoomSource, Told, check, learnt, remember, unrecognised
from vcam.frames import Frame, Map
from vcam.images import bgr_to_frame, frame_to_bgr
from vcam.matte.factory import make_matte
from vcam.matting import Matting, open_matting
from vcam.segment.emptyroom.telling import LEAST
from vcam.segment.prepare import Preparer
from vcam.settings import Settings
from vcam.testing import FakeSegmenter
from vcam.types import F32, U8, Size

FILM = Path("talk.mkv")
Taken = list[tuple[Frame, U8]]


class Sighted(FakeSegmenter):
    """Sees what the true mattes say of each frame, or nobody without them."""

    own_memory = ""

    def __init__(self, mattes: list[U8] | None = None) -> None:
        super().__init__()
        self.mattes = mattes

    def segment(self, frame: Frame) -> Map:
        seen: F32 = np.zeros((72, 128), np.float32)
        if self.mattes is not None:
            seen = cv2.resize(self.mattes[frame.seq], (128, 72)).astype(np.float32) / 255
        return Map.whole(seen, frame)


def sighted(taken: Taken | None = None) -> Matting:
    mattes = None if taken is None else [matte for _, matte in taken]
    return Matting(Sighted(mattes), make_matte(Settings().matte))


def plate(folder: Path, picture: U8 | None = None, name: str = "empty.png") -> Path:
    cv2.imwrite(str(folder / name), room(SIZE) if picture is None else picture)
    return folder / name


def learnt_of(taken: Taken) -> int:
    """Frames that it is learnt from."""
    return learnt((frame for frame, _ in taken), sighted(taken), FILM).begins


def told_by(path: Path, size: Size = SIZE, matting: Matting | None = None) -> Told:
    return RoomSource.parse(str(path)).of(FILM, size, matting or sighted())


def test_the_room_is_learnt_from_the_frames_before_somebody_comes_and_some_are_left_out() -> None:
    assert learnt_of(shots(40, 5)) == 40 - ENTERING
    assert learnt_of(shots(LEAST + ENTERING, 5)) == LEAST
    # enough is enough, and where nobody comes all of it counts
    assert learnt_of(shots(FRAMES + ENTERING + 9, 0)) == FRAMES
    assert learnt_of(shots(30, 0)) == 30
    # what is dark before it fades in tells nothing
    assert learnt_of(shots(40, 5, dark=20)) == 60 - ENTERING


def test_what_is_learnt_is_the_room_and_nobody(tmp_path: Path) -> None:
    taken = shots(40, 5)
    for frame, _ in taken[34:40]:
        # a hand that the network has not seen yet
        frame.y[20:80, :40] = 220
    found = learnt((frame for frame, _ in taken), sighted(taken), FILM)
    assert found.size == SIZE
    assert found.room.known.all()
    apart = np.abs(found.room.frame.y.astype(int) - bgr_to_frame(room(SIZE)).y)
    assert apart.mean() < 1
    by_picture = told_by(plate(tmp_path)).room
    assert np.array_equal(by_picture.frame.y, bgr_to_frame(room(SIZE)).y)


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        (lambda: shots(0, 12), "somebody is in view of talk.mkv from its beginning"),
        (lambda: shots(0, 12, dark=9), "as soon as anything is"),
        (lambda: shots(LEAST + ENTERING - 1, 5), "before somebody is to be seen in frame 17"),
        (lambda: shots(0, 0, dark=30), "nothing can be seen in talk.mkv"),
        (lambda: shots(40, 5, drift=2.0), "cannot be learnt from the beginning of talk.mkv"),
        (lambda: shots(50, 5, drift=0.5), "cannot be learnt from the beginning of talk.mkv"),
    ],
)
def test_a_film_that_does_not_begin_with_the_empty_room_at_rest_is_refused_with_a_cure(
    taken: Callable[[], Taken], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        learnt_of(taken())
    assert words in caught.value.message
    assert "--room FILE" in caught.value.hint


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (lambda: np.zeros((180, 320, 3), np.uint8), "black"),
        (lambda: np.full((180, 320, 3), 120, np.uint8), "the same everywhere"),
        (lambda: np.full((180, 320, 3), 255, np.uint8), "same everywhere"),
    ],
)
def test_a_picture_that_shows_no_room_is_refused(picture: Callable[[], U8], words: str, tmp_path: Path) -> None:
    with pytest.raises(PlateError, match=words) as caught:
        told_by(plate(tmp_path, picture()))
    assert "empty.png" in caught.value.message
    assert caught.value.hint


def test_a_picture_with_somebody_in_it_is_refused(tmp_path: Path) -> None:
    matte = shots(0, 1)[0][1]
    with pytest.raises(PlateError, match="somebody is in the picture"):
        told_by(plate(tmp_path), matting=Matting(Sighted([matte]), make_matte(Settings().matte)))


@pytest.mark.engine
def test_the_network_itself_sees_who_is_in_the_picture(tmp_path: Path) -> None:
    taken = shots(0, 1, size=(640, 360))
    with open_matting(Settings(), (640, 360)) as matting:
        with pytest.raises(PlateError, match="somebody is in the picture"):
            told_by(plate(tmp_path, frame_to_bgr(taken[0][0])), (640, 360), matting)
        assert told_by(plate(tmp_path, room((640, 360))), (640, 360), matting).room.known.all()


def test_a_picture_of_another_size_is_scaled_and_that_is_said(tmp_path: Path) -> None:
    same = told_by(plate(tmp_path))
    assert same.notes == ()
    twice = told_by(plate(tmp_path, room((640, 360))))
    assert "is 640x360 and was scaled to the 320x180 of talk.mkv" in twice.notes[0]
    assert np.abs(twice.room.frame.y.astype(int) - same.room.frame.y).mean() < 2
    larger = told_by(plate(tmp_path), (640, 360))
    assert larger.size == (640, 360)
    # a pixel more or less is no other shape, and odd sides are padded as those of a frame are
    assert told_by(plate(tmp_path, room(SIZE)[:179, :319]), (319, 179)).size == (320, 180)


@pytest.mark.parametrize(
    ("size", "words"),
    [((320, 240), "320x240, which is not the shape of talk.mkv, 1280x720"), ((160, 90), "too small to tell")],
)
def test_a_picture_of_another_shape_or_far_too_small_is_refused(size: Size, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words) as caught:
        told_by(plate(tmp_path, room(size)), (1280, 720))
    assert caught.value.hint


def test_what_is_transparent_in_a_picture_is_not_known(tmp_path: Path) -> None:
    alpha = np.full((180, 320), 255, np.uint8)
    alpha[:, :100] = 0
    known = told_by(plate(tmp_path, np.dstack([room(SIZE), alpha]))).room.known
    assert not known[:, :49].any()
    assert known[:, 51:].all()


def test_a_folder_has_a_picture_for_each_film_by_its_name(tmp_path: Path) -> None:
    plate(tmp_path, name="talk.png")
    source = RoomSource.parse(str(tmp_path))
    assert source.of(FILM, SIZE, sighted()).room.known.all()
    with pytest.raises(InputError, match=r"no picture of the room behind walk.mkv") as caught:
        source.of(Path("walk.mkv"), SIZE, sighted())
    assert caught.value.hint == "lay walk.png into it"
    plate(tmp_path, name="talk.jpg")
    with pytest.raises(InputError, match=r"talk.jpg and talk.png"):
        RoomSource.parse(str(tmp_path)).of(FILM, SIZE, sighted())


def test_what_cannot_be_a_room_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "damaged.png").write_bytes(plate(tmp_path).read_bytes()[:200])
    (tmp_path / "words.txt").write_text("no picture")
    (tmp_path / "hollow").mkdir()
    cases: dict[str, type[VcamError]] = {
        "": UsageError, "nowhere.png": UsageError, "damaged.png": InputError, "words.txt": InputError,
        "hollow": InputError,
    }  # fmt: skip
    for name, kind in cases.items():
        with pytest.raises(kind) as caught:
            RoomSource.parse(str(tmp_path / name) if name else "")
        assert name in caught.value.message
        assert caught.value.hint


def test_a_picture_has_no_beginning() -> None:
    with pytest.raises(UsageError, match="have no beginning") as caught:
        RoomSource.parse("learn").of(Path("me.png"), SIZE, sighted())
    assert "--room FILE" in caught.value.hint


def test_settings_and_networks_that_have_no_use_for_a_room_say_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="subtraction"):
        check(Settings().replace(segment__backend="subtraction"))
    with pytest.raises(UsageError, match="auto-framing"):
        check(Settings().replace(framing__auto=True))
    check(Settings())
    matting = sighted()
    assert isinstance(matting.segmenter, Sighted)
    matting.segmenter.own_memory = "the network remembers"
    with pytest.raises(UsageError, match="the network remembers"):
        told_by(plate(tmp_path), matting=matting)


def test_frames_in_which_the_room_is_recognised_are_counted(tmp_path: Path) -> None:
    def looked(taken: Taken) -> Iterator[Map]:
        for frame, _ in taken:
            seen = np.zeros((72, 128), np.float32)
            preparer = Preparer((128, 72), "RGB")
            preparer.shrink(frame)
            yield Map(seen, Map.whole(seen, frame).box, frame.seq, frame.seq, preparer.pyramid)

    told = told_by(plate(tmp_path))
    for taken, recognised in ((shots(6, 0), 6), (shots(0, 0, dark=6), 0)):
        kept = told.kept()
        for (frame, _), seen in zip(taken, looked(taken), strict=True):
            kept.correct(seen, frame)
        assert (kept.frames, kept.recognised) == (6, recognised)
    matting = sighted()
    assert remember(matting, told) is matting.room.kept
    assert unrecognised("talk.mkv", 3, 6) == ""
    assert unrecognised("talk.mkv", 2, 6).startswith("the room was recognised in 2 of 6 frames of talk.mkv")
