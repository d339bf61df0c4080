"""Another size, other controls, more threads: while vcam runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.daemon.helpers import PERSON, SETTINGS, SIZE, Daemon, LuminousCamera, Screen, refused
from vcam.camera.controls import ControlWishes
from vcam.camera.shape import ShapedCamera
from vcam.daemon.base import State
from vcam.errors import OutputDeviceError, UsageError
from vcam.frames import Frame
from vcam.testing import FakeSegmenter, RecordingOutput
from vcam.types import Size

pytestmark = pytest.mark.usefixtures("quick")

LARGER = (192, 128)


class Elastic(Screen):
    """A screen that takes any size, as long as it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.size: Size = SIZE
        self.refuses = False
        self.taken: list[Frame] = []

    def open(self, size: Size, fps: float) -> None:
        super().open(size, fps)
        self.size = size

    def resize(self, size: Size) -> None:
        if self.refuses:
            self.refuses = False
            raise OutputDeviceError("somebody else has it")
        self.size = size

    def write(self, frame: Frame) -> None:
        assert frame.size == self.size
        super().write(frame)
        copy = Frame.allocate(*frame.size)
        copy.copy_from(frame)
        self.taken.append(copy)


class Adjusted(LuminousCamera):
    """A camera with one control."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.controls = ControlWishes()

    def adjust(self, controls: ControlWishes) -> None:
        if controls.known.get("exposure") == "999":
            raise UsageError("the camera takes up to 500")
        self.controls = controls


class Sized(Daemon):
    """A daemon whose output takes any size; `asked` is what networks were wanted for: threads and size."""

    def __init__(self) -> None:
        super().__init__(screen=Elastic())
        self.asked: list[Any] = []

    def camera(self, settings: Any, size: Size, fps: float) -> ShapedCamera:
        self.cameras.append(Adjusted(settings.source, self.interval))
        return ShapedCamera(self.cameras[-1], size, settings.mirror, settings.crop, int(settings.rotate), settings.flip)

    def network(self, settings: Any, size: Size, *room: str) -> FakeSegmenter:
        if hasattr(self, "asked"):
            self.asked.append((settings.threads, size))
        return super().network(settings, size, *room)


@pytest.fixture
def sized() -> Iterator[Sized]:
    with Sized() as daemon:
        yield daemon.live()  # type: ignore[misc]


def person_and_room(picture: Frame) -> None:
    """The person is at the left third, and nowhere else."""
    width, height = picture.size
    middle = picture.y[height // 4 : 3 * height // 4]
    assert (np.abs(middle[:, : width // 4].astype(int) - PERSON["one"]) < 3).all()
    assert (middle[:, width // 2 :] != PERSON["one"]).all()


def test_another_size_is_taken_between_two_frames_and_none_is_lost_or_cut(sized: Sized) -> None:
    assert sized.set(output__size="192x128", filters__chain=("grey",)).changed["output.size"] == "192x128"
    start = len(sized.screen.taken)
    sized.until(lambda: len(sized.screen.taken) > start + 5)
    sized.set(output__size="96x64", filters__chain=())
    pictures = [picture for picture in sized.screen.taken if picture.seq]
    sizes = [picture.size for picture in pictures]
    assert set(sizes) >= {SIZE, LARGER}
    assert [picture.seq for picture in pictures] == list(range(pictures[0].seq, pictures[0].seq + len(pictures)))
    for picture in pictures:
        person_and_room(picture)
    assert sized.cameras[0].opened == 1


def test_the_placeholder_has_the_new_size_as_well(sized: Sized) -> None:
    sized.screen.watchers = False
    sized.until(lambda: sized.life.state is State.IDLE)
    sized.set(output__size="192x128")
    sized.until(lambda: sized.screen.taken[-1].size == LARGER)
    sized.screen.watchers = True
    sized.until(lambda: sized.life.state is State.LIVE and sized.screen.taken[-1].seq > 0)
    person_and_room(sized.screen.taken[-1])


def test_a_network_chosen_by_the_size_is_chosen_anew(sized: Sized) -> None:
    sized.set(output__size="192x128")
    assert sized.asked == [(1, SIZE), (1, LARGER)]


def test_an_output_of_a_fixed_size_refuses_another_one_and_nothing_has_changed() -> None:
    with Daemon() as daemon:
        daemon.live()
        assert isinstance(daemon.screen, RecordingOutput)
        error = refused(daemon, output__size="192x128", matte__edge=7)
        assert "recording" in error.message
        assert error.hint
        assert daemon.life.settings == SETTINGS
        assert daemon.more()[-1].size == SIZE


@pytest.mark.parametrize("size", ["97x64", "8x8", "9000x64", "large"])
def test_a_size_that_cannot_be_is_refused(sized: Sized, size: str) -> None:
    assert refused(sized, output__size=size).hint
    assert sized.life.settings == SETTINGS


def test_an_output_that_is_lost_over_it_is_taken_up_again(sized: Sized) -> None:
    sized.screen.refuses = True
    sized.set(output__size="192x128")
    sized.until(lambda: sized.screen.opened == (LARGER, 30.0))
    sized.until(lambda: sized.screen.taken[-1].size == LARGER and sized.screen.taken[-1].seq > 0)


def test_controls_are_set_on_the_camera_that_is_on(sized: Sized) -> None:
    sized.set(camera__exposure="200")
    assert sized.cameras[-1].controls.known == {"exposure": "200"}
    assert "up to 500" in refused(sized, camera__exposure="999", camera__mirror=True).message
    assert (sized.life.settings.camera.exposure, sized.life.settings.camera.mirror) == ("200", False)
    assert len(sized.cameras) == 1


def test_threads_of_the_network_are_had_at_once(sized: Sized) -> None:
    sized.set(segment__threads=3)
    assert sized.asked == [(1, SIZE), (3, SIZE)]


def test_the_patience_with_a_camera_is_looked_up_for_every_frame(sized: Sized) -> None:
    sized.set(camera__timeout=0.5)
    assert sized.life.settings.camera.timeout == 0.5
    assert len(sized.cameras) == 1


def test_an_output_that_came_while_the_size_was_made_ready_is_not_overlooked(sized: Sized) -> None:
    def late(settings: Any, size: Size, *room: str) -> FakeSegmenter:
        fixed = RecordingOutput()
        fixed.open(*sized.life.outlets.shape)
        sized.life.mailbox.post(lambda: sized.life.outlets.add(fixed)).result(30)
        return FakeSegmenter()

    sized.life.changer._parts = replace(sized.parts, segmenter=late)
    assert "recording" in refused(sized, output__size="192x128").message
    assert sized.life.settings == SETTINGS
    assert sized.more()[-1].size == SIZE


def test_what_was_found_before_the_picture_was_turned_is_forgotten_since_it_lies_elsewhere_now() -> None:
    with Daemon() as daemon:
        daemon.live()
        for number, changes in enumerate(
            ({"camera__mirror": True}, {"camera__crop": "48x32+0+0"}, {"camera__rotate": "180"}), 1
        ):
            daemon.set(**changes)
            assert daemon.networks[0].resets == number
        daemon.set(matte__edge=3)
        assert daemon.networks[0].resets == 3
    assert daemon.error is None
