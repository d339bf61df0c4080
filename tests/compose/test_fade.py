"""One background fading into the next: between pictures alone, never with anything of a frame, and free once over."""

from __future__ import annotations

import numpy as np
import pytest

from vcam.compose.backgrounds.fromframe import BlurBackground, NoBackground
from vcam.compose.backgrounds.static import ColorBackground
from vcam.compose.base import Background, Plate
from vcam.compose.composer import PlateComposer
from vcam.frames import Alpha, Box, Frame
from vcam.types import U8

SIZE = (64, 48)


def person(frame: Frame) -> Alpha:
    """Somebody in the left quarter."""
    full: U8 = np.zeros(SIZE[::-1], np.uint8)
    full[:, :16] = 255
    return Alpha(full, full[::2, ::2].copy(), full.copy(), Box(0, 0, 16, SIZE[1]), frame.seq)


class Film:
    """Frames for a composer, one after the other."""

    def __init__(self, composer: PlateComposer) -> None:
        self.composer, self.seq = composer, 0

    def at(self, now: float, luma: int = 200) -> Frame:
        frame = Frame.allocate(*SIZE)
        frame.fill(luma, 128, 128)
        self.seq += 1
        frame.seq = self.seq
        return self.composer.compose(frame, person(frame), now)


def grey(level: int) -> ColorBackground:
    return ColorBackground((level, level, level))


def test_it_goes_from_the_one_to_the_other_in_the_time_that_was_asked_for() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.4)
    film = Film(composer)
    film.at(9.0)
    composer.exchange(grey(255))
    seen = [int(film.at(10 + step / 10).y[5, 40]) for step in range(6)]
    assert seen[0] == 16
    assert seen == sorted(seen)
    # most of it in the first half
    assert seen[2] == pytest.approx(16 + 219 * 3 / 4, abs=2)
    assert seen[4] == seen[5] == 235


def test_it_is_seen_in_the_first_picture_after_the_click() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.3)
    film = Film(composer)
    film.at(10.0)
    composer.exchange(grey(255))
    assert int(film.at(10.0 + 1 / 30).y[5, 40]) == pytest.approx(16 + 219 * (1 - (8 / 9) ** 2), abs=2)
    assert composer._fade is not None


def test_a_picture_of_long_ago_does_not_shorten_it() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.3)
    film = Film(composer)
    film.at(10.0)
    composer.exchange(grey(255))
    assert int(film.at(10.2).y[5, 40]) == 16


def test_the_person_is_whole_all_the_while() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.4)
    film = Film(composer)
    film.at(9.0)
    composer.exchange(grey(255))
    for step in range(6):
        assert int(film.at(10 + step / 10).y[5, 5]) == 200


def test_after_the_fade_nothing_of_it_is_left_and_only_the_box_is_drawn() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.2)
    film = Film(composer)
    film.at(9.0)
    composer.exchange(grey(255))
    film.at(10.0)
    film.at(11.0)
    assert composer._fade is None
    out = film.at(11.1)
    # outside of the person nothing is touched any more
    out.y[5, 40] = 99
    assert film.at(11.2).y[5, 40] == 99


def test_without_seconds_it_is_at_once() -> None:
    composer = PlateComposer(grey(0), SIZE)
    film = Film(composer)
    film.at(9.0)
    composer.exchange(grey(255))
    assert film.at(10.0).y[5, 40] == 235


@pytest.mark.parametrize("made", [BlurBackground, NoBackground])
def test_a_room_never_fades_neither_in_nor_out(made: type[Background]) -> None:
    for old, new in ((made(), grey(255)), (grey(255), made())):
        composer = PlateComposer(old, SIZE, fade=0.4)
        film = Film(composer)
        film.at(9.0, luma=90)
        composer.exchange(new)
        seen = film.at(10.0, luma=90)
        assert composer._fade is None
        assert int(seen.y[5, 60]) == pytest.approx(235 if new.needs_alpha and not isinstance(new, made) else 90, abs=25)


def test_a_change_during_a_fade_goes_on_from_what_is_seen() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.4)
    film = Film(composer)
    film.at(9.0)
    composer.exchange(grey(255))
    film.at(10.0)
    halfway = int(film.at(10.2).y[5, 40])
    composer.exchange(grey(0))
    again = [int(film.at(10.2 + step / 10).y[5, 40]) for step in range(6)]
    assert again[0] == pytest.approx(halfway, abs=1)
    assert again == sorted(again, reverse=True)
    assert again[-1] == 16


def test_where_the_person_cannot_be_shown_it_fades_as_well() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.4)
    film = Film(composer)
    film.at(9.0)
    composer.exchange(grey(255))
    frame = Frame.allocate(*SIZE)
    seen = [int(composer.without_person(frame, 10 + step / 10).y[5, 5]) for step in range(5)]
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (16, 235)


def test_the_next_background_begins_with_its_first_picture_however_long_nobody_has_watched() -> None:
    class Asked(ColorBackground):
        """Remembers at what time it was asked, as a film begins then."""

        def __init__(self) -> None:
            super().__init__((255, 255, 255))
            self.times: list[float] = []

        def render(self, frame: Frame, alpha: Alpha, now: float) -> Plate:
            return self.without_person(now)

        def without_person(self, now: float) -> Plate:
            self.times.append(now)
            return super().without_person(now)

    for first in ((), (9.0,)):
        composer, new = PlateComposer(grey(0), SIZE, fade=0.4), Asked()
        film = Film(composer)
        for now in first:
            film.at(now)
        composer.exchange(new)
        assert not new.times
        assert [int(film.at(3600 + step / 5).y[5, 40]) for step in (0, 2)] == [16, 235]
        assert min(new.times) == 3600


def test_another_size_is_at_once() -> None:
    composer = PlateComposer(grey(0), SIZE, fade=0.4)
    Film(composer).at(9.0)
    composer.exchange(grey(255), (96, 64))
    assert composer._fade is None


def test_a_background_that_fails_changes_at_once() -> None:
    class Gone(ColorBackground):
        def without_person(self, now: float) -> Plate:
            raise OSError("the drive is gone")

    composer = PlateComposer(Gone((0, 0, 0)), SIZE, fade=0.4)
    composer.exchange(grey(255))
    assert Film(composer).at(10.0).y[5, 40] == 235
