"""The network is skipped only while nothing moves: people before a room, a camera's noise, and what changes there."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from vcam.assets import asset
from vcam.datasets.synthetic import synthetic_clip
from vcam.frames import Box, Frame, Planes
from vcam.images import bgr_to_frame, frame_to_bgr, read_image
from vcam.segment.prepare import Preparer
from vcam.segment.rest import MOST_SKIPPED, SETTLE, RestCheck, Surroundings
from vcam.types import F32, U8

SIZE = (1280, 720)
SIGHT = (256, 144)


def scene(share: float = 0.85) -> U8:
    """A person before a room, uint8 (720, 1280, 3) BGR."""
    return frame_to_bgr(next(iter(synthetic_clip(SIZE, 1, motion="still", noise=0, share=share)))[0])


@pytest.fixture(scope="module")
def person() -> U8:
    return scene()


class Camera:
    """Sends pictures with noise of `noise` levels to a check that is told what a network would have seen."""

    def __init__(self, noise: float = 3.0, seed: int = 0) -> None:
        self.check = RestCheck()
        self._chance = np.random.default_rng(seed)
        self._grain = [self._plane(noise, size) for size in (SIZE, (640, 360), (640, 360))] if noise else []
        self._preparer = Preparer(SIGHT, "RGB")

    def _plane(self, noise: float, size: tuple[int, int]) -> F32:
        """Half of the noise has the grain of two pixels, as webcams have it; chroma has half as much."""
        fine = self._chance.standard_normal(size[::-1], np.float32)
        coarse = self._chance.standard_normal((size[1] // 2, size[0] // 2), np.float32).repeat(2, 0).repeat(2, 1)
        return (noise * (1 if size == SIZE else 0.5) * np.sqrt(0.5) * (fine + coarse)).astype(np.float32)

    def noisy(self, picture: U8) -> Frame:
        frame = bgr_to_frame(picture)
        for plane, grain in zip(frame.planes, self._grain, strict=False):
            shift = [int(self._chance.integers(side)) for side in plane.shape]
            np.copyto(plane, np.clip(plane + np.roll(grain, shift, (0, 1)), 0, 255), casting="unsafe")
        return frame

    def skips(self, picture: U8) -> bool:
        """Show a picture; whether the network was skipped."""
        planes = self._preparer.shrink(self.noisy(picture))
        if self.check.may_skip(planes):
            return True
        self.check.remember(planes)
        return False

    def settle(self, picture: U8) -> None:
        """Show a picture until it is skipped."""
        for _ in range(3 * SETTLE):
            if self.skips(picture):
                return
        raise AssertionError("a still picture is not skipped")

    def notices(self, pictures: Iterator[U8]) -> int:
        """How many pictures are shown until the network sees one."""
        for number, picture in enumerate(pictures, 1):
            if not self.skips(picture):
                return number
        raise AssertionError("not noticed")


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0, 6.0])
def test_of_a_still_picture_the_network_sees_one_in_sixteen_at_any_usual_noise(person: U8, noise: float) -> None:
    camera = Camera(noise)
    skipped = [camera.skips(person) for _ in range(SETTLE + 1 + 5 * (MOST_SKIPPED + 1))]
    assert not any(skipped[: SETTLE + 1])
    assert sum(skipped) == 5 * MOST_SKIPPED
    assert not any(skipped[SETTLE + 1 + MOST_SKIPPED :: MOST_SKIPPED + 1])


def patched(picture: U8, patch: U8, x: int, y: int) -> U8:
    result = picture.copy()
    result[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
    return result


def hand(person: U8, side: int) -> U8:
    """Skin of the person's face, so many pixels wide."""
    face = person[190:310, 590:690]
    return cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)


@pytest.mark.parametrize("noise", [0.0, 3.0, 6.0])
@pytest.mark.parametrize("place", [(1000, 600), (700, 650), (200, 300), (3, 3), (1240, 680)])
def test_a_small_hand_that_comes_up_is_noticed_in_its_first_frame(
    person: U8, noise: float, place: tuple[int, int]
) -> None:
    camera = Camera(noise)
    camera.settle(person)
    assert not camera.skips(patched(person, hand(person, 32), *place))


def test_a_small_hand_that_moves_by_its_own_width_is_noticed(person: U8) -> None:
    skin = hand(person, 32)
    camera = Camera()
    camera.settle(patched(person, skin, 300, 500))
    assert not camera.skips(patched(person, skin, 316, 500))


@pytest.mark.parametrize("noise", [0.0, 3.0])
@pytest.mark.parametrize("speed", [0.1, 0.3, 1.0])
def test_a_slow_drift_is_noticed_before_it_is_three_pixels(person: U8, noise: float, speed: float) -> None:
    def drifting() -> Iterator[U8]:
        for step in range(1, MOST_SKIPPED + 5):
            move = np.array([[1, 0, speed * step], [0, 1, 0]], np.float32)
            yield cv2.warpAffine(person, move, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    camera = Camera(noise)
    camera.settle(person)
    # the frame that is forced comes after MOST_SKIPPED; the one before was skipped already
    assert (camera.notices(drifting()) - 1) * speed < 3


def test_drift_that_no_two_frames_show_does_not_add_up_to_a_pixel(person: U8) -> None:
    camera = Camera(noise=0)
    seen = [0.0]
    for step in range(100):
        shift = 0.05 * step
        move = np.array([[1, 0, shift], [0, 1, 0]], np.float32)
        picture = cv2.warpAffine(person, move, SIZE, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
        if not camera.skips(picture):
            seen.append(shift)
        assert shift - seen[-1] < 1


@pytest.mark.parametrize("gain", [0.97, 1.03])
def test_light_that_changes_is_noticed_at_once(person: U8, gain: float) -> None:
    camera = Camera()
    camera.settle(person)
    assert not camera.skips(np.clip(person * gain, 0, 255).astype(np.uint8))


def test_light_that_fades_in_slowly_is_noticed(person: U8) -> None:
    camera = Camera()
    camera.settle(person)
    fading = (np.clip(person * (1 + 0.004 * step), 0, 255).astype(np.uint8) for step in range(1, 20))
    assert camera.notices(fading) <= 8


@pytest.mark.parametrize("side", ["left", "right"])
def test_somebody_who_comes_in_at_the_border_is_noticed_with_the_first_pixels(person: U8, side: str) -> None:
    visitor = cv2.resize(person[150:, 480:800], (320, 570)).astype(np.uint8)

    def entering() -> Iterator[U8]:
        for step in range(2, 60, 2):
            picture = person.copy()
            if side == "left":
                picture[150:, :step] = visitor[:, 160 : 160 + step]
            else:
                picture[150:, 1280 - step :] = visitor[:, 160 : 160 + step]
            yield picture

    camera = Camera()
    camera.settle(person)
    assert 2 * camera.notices(entering()) <= 6


def test_a_picture_too_noisy_to_tell_is_never_skipped(person: U8) -> None:
    camera = Camera(noise=25)
    assert not any(camera.skips(person) for _ in range(40))


def test_a_crowd_in_motion_is_not_taken_for_noise(person: U8) -> None:
    """Noise is what the quietest frames show: motion all over the picture must not raise it."""
    camera = Camera()
    for step in range(30):
        assert not camera.skips(np.roll(person, 6 * step, axis=1))
    camera.settle(person)
    assert not camera.skips(np.roll(person, 6, axis=1))


def test_another_room_is_noticed() -> None:
    rooms = [cv2.resize(read_image(asset(name)), SIZE).astype(np.uint8) for name in ("room.jpg", "dusk.jpg")]
    camera = Camera()
    camera.settle(rooms[0])
    assert not camera.skips(rooms[1])


def test_after_forgetting_nothing_is_skipped(person: U8) -> None:
    camera = Camera()
    camera.settle(person)
    camera.check.forget()
    assert not any(camera.skips(person) for _ in range(SETTLE + 1))


class Beside:
    """The same for what lies outside of a part of the frame."""

    def __init__(self, picture: U8, noise: float = 3.0) -> None:
        self._camera = Camera(noise)
        self._preparer = Preparer(SIGHT, "RGB")
        self.check = Surroundings()
        self.check.remember(self._planes(picture))
        self.part = Box(320, 64, 960, 720)

    def _planes(self, picture: U8) -> Planes:
        return self._preparer.shrink(self._camera.noisy(picture))

    def are_quiet(self, picture: U8) -> bool:
        return self.check.are_quiet(self._planes(picture), self.part, SIZE)


@pytest.mark.parametrize("noise", [0.0, 1.0, 3.0, 6.0])
def test_beside_a_part_it_is_quiet_whatever_happens_inside(person: U8, noise: float) -> None:
    beside = Beside(person, noise)
    assert beside.are_quiet(person)
    person = person.copy()
    person[100:700, 340:940] = 255 - person[100:700, 340:940]
    assert beside.are_quiet(person)


@pytest.mark.parametrize("noise", [0.0, 3.0, 6.0])
@pytest.mark.parametrize(("x", "y"), [(0, 688), (100, 300), (1248, 0), (620, 10), (975, 400)])
def test_a_patch_of_skin_beside_the_part_is_noticed(person: U8, noise: float, x: int, y: int) -> None:
    beside = Beside(person, noise)
    beside.are_quiet(person)
    person = person.copy()
    person[y : y + 32, x : x + 32] = (120, 150, 220)
    assert not beside.are_quiet(person)


def test_a_change_of_everything_is_not_taken_for_noise(person: U8) -> None:
    beside = Beside(person, 0)
    assert not beside.are_quiet(cv2.convertScaleAbs(person, alpha=0.9).astype(np.uint8))


def test_it_is_not_quiet_beside_a_part_of_which_nothing_was_seen(person: U8) -> None:
    beside = Beside(person)
    beside.check.forget()
    assert not beside.are_quiet(person)


def test_beside_the_whole_there_is_nothing_to_change(person: U8) -> None:
    beside = Beside(person)
    beside.part = Box(0, 0, *SIZE)
    assert beside.are_quiet(255 - person)
