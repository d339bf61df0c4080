"""The person in the background's light: what the network is shown, when, and what comes of what it says."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.compose.filters.gate import Gate, wait_for
from tests.compose.filters.helpers import WHOLE, H, Still, W, assert_legal, compose, disc, extremes, matte, plate
from tests.standin import SIDE, arguments, stand_in
from vcam import harmony
from vcam.compose.backgrounds.fromframe import BlurBackground
from vcam.compose.composer import PlateComposer
from vcam.compose.filters import adviser, harmonise
from vcam.compose.filters.adviser import Beside
from vcam.compose.filters.base import Values
from vcam.compose.filters.chain import Chain
from vcam.compose.filters.course import EVERY
from vcam.compose.filters.harmonise import Harmonise
from vcam.compose.filters.registry import parse_filter, parse_filters
from vcam.errors import EngineError, ModelError, UsageError
from vcam.frames import Box, Frame
from vcam.testing import pattern_frame
from vcam.types import F32, U8

pytestmark = pytest.mark.usefixtures("both_ways")

EVERYTHING = np.full((H, W), 255, np.uint8)
MOST = np.pad(np.full((H - 16, W - 16), 255, np.uint8), 8)
WORDS = "harmonise:model=standin"
# more luma in the composite, less light
BY_LUMA = np.zeros((4, 8))
BY_LUMA[0, 0] = -1.0


class Spy:
    """Sees every picture that the network is shown, and answers."""

    def __init__(self, answer: F32 | list[float] | Exception) -> None:
        self.seen: list[U8] = []
        self.answer = answer

    def __call__(self, picture: U8) -> F32:
        self.seen.append(picture.copy())
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.array(self.answer, np.float32)


@pytest.fixture
def spy(own_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spy]:
    stand_in(own_models, "standin")
    spy = Spy(arguments())
    monkeypatch.setattr(adviser.Adviser, "advise", lambda self, picture: spy(picture))
    return spy


def lit(frame: Frame, values: list[float]) -> list[np.ndarray]:
    assert not frame.full_range
    planes = harmony.apply(*(plane.astype(np.float32) for plane in frame.planes), values)
    return [np.asarray(plane) for plane in planes]


def composer_of(*chain: str, behind: Frame | None = None, live: bool = False) -> tuple[PlateComposer, Still]:
    still = Still(behind or plate())
    composer = PlateComposer(still, (W, H))
    composer.set_filters(Chain(parse_filters(chain, live=live)))
    return composer, still


def at(seq: int, frame: Frame | None = None) -> Frame:
    """A frame of that number and time."""
    frame = frame or pattern_frame((W, H))
    frame.seq, frame.timestamp = seq, seq / 30
    return frame


def shown(composer: PlateComposer, seq: int, mask: U8 = MOST, frame: Frame | None = None) -> U8:
    return composer.compose(at(seq, frame), matte(mask, seq=seq), 0.0).packed().copy()


def test_what_a_real_network_says_is_done_to_the_person_and_to_nothing_else(own_models: Path) -> None:
    values = arguments(brightness=0.5, saturation=-0.6, temperature=0.7, gamma=-0.4)
    stand_in(own_models, "standin", always=values)
    frame, behind, mask = extremes(False), plate(), MOST
    out = compose([WORDS], frame, matte(mask), behind)
    inside = mask > 0
    for index, (mine, exact, back) in enumerate(zip(out.planes, lit(frame, values), behind.planes, strict=True)):
        here = inside[::2, ::2] if index else inside
        assert np.abs(mine - exact)[here].max() <= 1
        np.testing.assert_array_equal(mine[~here], back[~here])
    assert_legal(out)


@pytest.mark.parametrize("full_range", [False, True])
def test_the_strength_is_a_share_of_the_arguments(own_models: Path, full_range: bool) -> None:
    stand_in(own_models, "standin", always=arguments(brightness=0.8, tint=-0.4))
    frame = extremes(full_range)
    mine = compose([f"{WORDS},strength=0.5"], frame, matte(MOST), plate()).packed().copy()
    stand_in(own_models, "other", always=arguments(brightness=0.4, tint=-0.2))
    other = compose(["harmonise:model=other"], frame, matte(MOST), plate()).packed()
    np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("full_range", [False, True])
def test_the_network_is_shown_the_composite_of_the_person_as_she_is(spy: Spy, full_range: bool) -> None:
    spy.answer = arguments(brightness=1, temperature=1)
    frame, behind, mask = pattern_frame((W, H), full_range=full_range), plate(), disc(40)
    plain = compose([], frame, matte(mask), behind)
    composite = [plane.astype(np.float32) for plane in plain.planes]
    compose([WORDS], frame, matte(mask), behind, times=2)
    (seen,) = spy.seen
    assert seen.shape == (SIDE, SIDE, 4)
    for channel, plane in zip(np.moveaxis(seen, -1, 0), (*composite, mask.astype(np.float32)), strict=True):
        whole = cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        assert np.abs(cv2.blur(channel.astype(np.float32) - whole, (5, 5))).max() < 8
    assert seen[..., 3].max() == 255
    assert seen[0, 0, 3] == 0


def test_after_other_filters_it_sees_and_changes_what_they_have_made(spy: Spy) -> None:
    spy.answer = arguments(brightness=-0.5)
    frame, behind = at(0), plate()
    out = compose(["brightness:value=20,on=person", WORDS], frame, matte(MOST), behind)
    lighter = compose(["brightness:value=20,on=person"], frame, matte(MOST), behind)
    (seen,) = spy.seen
    whole = cv2.resize(lighter.y, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert np.abs(cv2.blur(seen[..., 0].astype(np.float32) - whole, (5, 5))).max() < 8
    person = Frame.allocate(W, H)
    person.copy_from(lighter)
    exact = lit(person, spy.answer)[0]
    assert np.abs(out.y - exact)[MOST > 0].max() <= 1


def test_what_it_sees_after_other_filters_does_not_depend_on_frames_before(spy: Spy) -> None:
    chain = ["brightness:value=20,on=person", WORDS]
    # as large as the part that filters work on: what the network sees of its edge is of both sides
    small, box = np.zeros((H, W), np.uint8), Box(48, 32, 112, 64)
    small[box.y0 : box.y1, box.x0 : box.x1] = 255
    fresh, _ = composer_of(*chain)
    fresh.compose(at(0), matte(small, box, 0), 0.0)
    used, _ = composer_of(*chain)
    used.compose(at(0, extremes(False)), matte(MOST, WHOLE, 0), 0.0)
    used.compose(at(90), matte(small, box, 90), 3.0)
    np.testing.assert_array_equal(spy.seen[0], spy.seen[2])


def test_it_is_asked_for_every_tenth_frame_and_a_new_background_at_once(spy: Spy) -> None:
    composer, _ = composer_of(WORDS)
    for seq in range(EVERY + 3):
        shown(composer, seq)
    assert len(spy.seen) == 2
    other = Still(plate(9))
    composer.exchange(other).close()
    spy.answer = arguments(brightness=1)
    before = composer_of()[0]
    before.exchange(Still(plate(9))).close()
    assert (shown(composer, EVERY + 3) != shown(before, EVERY + 3)).any()
    assert len(spy.seen) == 3
    # and a cut in a film behind
    other.plate.frame.fill(220, 128, 128)
    for seq in range(EVERY + 4, EVERY + 40):
        shown(composer, seq)
    asked = len(spy.seen)
    other.plate.frame.fill(30, 128, 128)
    other.plate.version = 1
    shown(composer, EVERY + 40)
    assert len(spy.seen) - asked == 1


@pytest.mark.parametrize(
    "mask",
    [np.zeros((H, W), np.uint8), EVERYTHING, np.pad(np.full((4, 4), 255, np.uint8), ((9, H - 13), (9, W - 13)))],
    ids=["nobody", "fills the frame", "a speck"],
)  # fmt: skip
def test_with_nobody_or_nothing_behind_the_arguments_rest(spy: Spy, mask: U8) -> None:
    spy.answer = arguments(brightness=1)
    composer, plain = composer_of(WORDS)[0], composer_of()[0]
    for seq in range(3):
        np.testing.assert_array_equal(shown(composer, seq, mask), shown(plain, seq, mask))
    assert not spy.seen
    # whoever comes into view is lit at once
    assert (shown(composer, 3) != shown(plain, 3)).any()
    for seq in range(4, 4 + EVERY):
        shown(composer, seq)
    # those that there are stay
    spy.answer = arguments(brightness=-1)
    shown(composer, 14)
    asked = len(spy.seen)
    for seq in range(15, 40):
        shown(composer, seq, mask)
    assert len(spy.seen) == asked
    if mask is EVERYTHING:
        assert (shown(composer, 40, mask) != shown(plain, 40, mask)).any()


def test_before_ones_own_blurred_room_nothing_is_done_and_nobody_is_asked(spy: Spy) -> None:
    spy.answer = arguments(brightness=1)
    pictures = []
    for chain in ([], [WORDS], ["harmonise:model=standin", "dim:on=background"]):
        composer = PlateComposer(BlurBackground(), (W, H))
        composer.set_filters(Chain(parse_filters(chain)))
        pictures.append(shown(composer, 0))
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).any()
    assert not spy.seen


def test_of_no_strength_it_is_left_out_and_needs_no_network(own_models: Path) -> None:
    placed = parse_filters(["harmonise:strength=0,model=nowhere", "harmonise:0"])
    assert Chain(placed).empty
    frame = extremes(True)
    expected = compose([], frame, matte(MOST), plate()).packed().copy()
    np.testing.assert_array_equal(compose(["harmonise:0"], frame, matte(MOST), plate()).packed(), expected)


def test_a_network_that_is_not_installed_is_told_with_the_cure(
    own_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adviser, "card_paths", list)
    with pytest.raises(ModelError, match="not installed") as caught:
        parse_filter("harmonise")
    assert "color-transfer" in caught.value.hint


def test_another_network_is_taken_by_its_name_and_only_one_of_this_task(own_models: Path) -> None:
    stand_in(own_models, "mine")
    assert isinstance(parse_filter("harmonise:model=mine").filter, Harmonise)
    for words, message, hint in (
        ("harmonise:model=selfie-general", "finds people: it is no network that harmonises", "--model"),
        ("harmonise:model=min", "no network 'min'", "did you mean mine"),
        ("harmonise:model=selfie", "no network 'selfie'", "known are"),
        (f"harmonise:model={own_models}/mine.onnx", "is a path", "vcam models add"),
        ("harmonise:model=mine.toml", "is a path", "vcam models add"),
        ("harmonise:model=", "no network ''", "known are"),
    ):
        with pytest.raises(UsageError) as caught:
            parse_filter(words)
        assert message in caught.value.message, words
        assert hint in caught.value.hint, words


def test_a_network_that_is_none_is_refused_before_any_picture(own_models: Path) -> None:
    card = stand_in(own_models, "mine")
    text = card.read_text().replace(f"size = [{SIDE}, {SIDE}]", "size = [32, 32]")
    card.write_text(text)
    with pytest.raises(ModelError, match="which is not the card's"):
        compose(["harmonise:model=mine"], extremes(False), matte(MOST), plate())


def test_a_network_that_gives_no_numbers_is_refused_or_rests(
    own_models: Path, spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    spy.answer = EngineError("it gave NaN")
    plain, composer = composer_of()[0], composer_of(WORDS)[0]
    with caplog.at_level(logging.INFO):
        for seq in range(3 * EVERY):
            np.testing.assert_array_equal(shown(composer, seq), shown(plain, seq))
        assert [record.message for record in caplog.records] == ["harmonise rests: it gave NaN"]
        spy.answer = arguments(brightness=1)
        shown(composer, 3 * EVERY)
    assert caplog.records[-1].message == "harmonise goes on"
    assert (shown(composer, 3 * EVERY + 1) != shown(plain, 3 * EVERY + 1)).any()
    assert len(spy.seen) == 4


def test_the_thread_ends_with_the_filter(spy: Spy) -> None:
    before = set(threading.enumerate())
    composer, _ = composer_of(WORDS, live=True)
    (thread,) = (each for each in threading.enumerate() if each not in before and each.name == "vcam-harmonise")
    shown(composer, 0)
    composer.close()
    composer.set_filters(None)
    thread.join(60)
    assert not thread.is_alive()


def test_at_the_end_a_network_that_runs_is_waited_for_and_one_that_hangs_is_not(
    spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(np.zeros(8, np.float32))
    composer, _ = composer_of(WORDS, live=True)
    (filter_,) = composer._filters._person  # type: ignore[union-attr]
    assert isinstance(filter_, Harmonise)
    asked = filter_._asked = Beside(gate)
    shown(composer, 0)
    monkeypatch.setattr(harmonise, "_PATIENCE", 0.01)
    composer.close()
    assert asked.busy
    threading.Timer(0.2, gate.open.set).start()
    monkeypatch.setattr(harmonise, "_PATIENCE", 60.0)
    composer.close()
    assert not asked.busy


def test_live_no_frame_waits_and_the_newest_scene_counts(spy: Spy) -> None:
    gate = Gate(np.array(arguments(brightness=1), np.float32))
    composer, _ = composer_of(WORDS, live=True)
    plain = composer_of()[0]
    (filter_,) = composer._filters._person  # type: ignore[union-attr]
    assert isinstance(filter_, Harmonise)
    asked = filter_._asked = Beside(gate)
    for seq in range(3 * EVERY):
        np.testing.assert_array_equal(shown(composer, seq), shown(plain, seq))
    # busy all the time: dropped, not queued
    assert gate.calls == 1
    composer.exchange(Still(plate(9))).close()
    plain.exchange(Still(plate(9))).close()
    shown(composer, 30)
    gate.open.set()
    wait_for(asked)
    gate.open.clear()
    # that was for the background before
    np.testing.assert_array_equal(shown(composer, 31), shown(plain, 31))
    gate.open.set()
    wait_for(asked)
    assert gate.calls == 2
    assert (shown(composer, 32) != shown(plain, 32)).any()


def test_a_value_that_is_moved_does_not_make_the_person_flash(spy: Spy) -> None:
    spy.answer = arguments(brightness=1)
    composer, _ = composer_of(WORDS, live=True)
    gates = []

    def go_on(strength: float) -> None:
        composer.set_filters(Chain(parse_filters([f"{WORDS},strength={strength}"], live=True)))
        (filter_,) = composer._filters._person  # type: ignore[union-attr]
        assert isinstance(filter_, Harmonise)
        gates.append(Gate(np.array(spy.answer, np.float32)))
        filter_._asked = Beside(gates[-1])

    go_on(1.0)
    gates[0].open.set()
    shown(composer, 0)
    (filter_,) = composer._filters._person  # type: ignore[union-attr]
    wait_for(filter_._asked)  # type: ignore[union-attr, arg-type]
    bright = shown(composer, 1)
    go_on(0.99)
    # nobody has answered yet
    again = shown(composer, 2)
    assert np.abs(again.astype(int) - bright).mean() < 1
    assert (again != shown(composer_of()[0], 2)).any()
    gates[1].open.set()


def test_a_film_comes_out_the_same_whatever_the_clock_says(own_models: Path) -> None:
    stand_in(own_models, "standin", always=arguments(brightness=0.5), by_means=BY_LUMA)
    films = []
    for speed in (0.001, 0.7):
        composer, still = composer_of(f"{WORDS},smooth=0.3")
        film = []
        for seq in range(25):
            still.plate.frame.fill(40 + 6 * seq, 128, 128)
            still.plate.version = seq
            film.append(composer.compose(at(seq), matte(MOST, seq=seq), speed * seq).packed().copy())
        films.append(np.stack(film))
    np.testing.assert_array_equal(*films)
    assert (films[0][0] != films[0][-1]).any()


def test_of_pictures_of_their_own_each_has_its_own_arguments(own_models: Path) -> None:
    stand_in(own_models, "standin", always=arguments(brightness=0.5), by_means=BY_LUMA)
    chain = Chain(parse_filters([f"{WORDS},smooth=30"], still=True))
    pictures = []
    for behind in (plate(1), extremes(False), plate(1)):
        composer = PlateComposer(Still(behind), (W, H))
        composer.set_filters(chain)
        pictures.append(shown(composer, 0))
    np.testing.assert_array_equal(pictures[0], pictures[2])


def test_the_arguments_of_a_still_scene_do_not_pump(own_models: Path) -> None:
    """Noise of a camera, and a network that hangs on it: the person must stay as she is."""
    stand_in(own_models, "standin", always=arguments(brightness=0.5), by_means=BY_LUMA)
    composer, _ = composer_of(WORDS)
    rng = np.random.default_rng(0)
    states = []
    for seq in range(90):
        frame = pattern_frame((W, H))
        frame.y[...] = np.clip(frame.y + rng.normal(0, 4, frame.y.shape), 16, 235)
        shown(composer, seq, MOST, frame)
        states.append(composer._filters._person[0]._course._state.copy())  # type: ignore[union-attr, attr-defined]
    assert np.std(np.stack(states), axis=0).max() < 0.005 * 2


def test_black_frames_and_a_background_that_changes_with_every_frame_break_nothing(own_models: Path) -> None:
    stand_in(own_models, "standin", always=arguments(brightness=0.5), by_means=BY_LUMA)
    composer, still = composer_of(WORDS)
    rng = np.random.default_rng(0)
    for seq in range(40):
        still.plate.frame.y[...] = rng.integers(16, 236, still.plate.frame.y.shape)
        still.plate.frame.y[...] = still.plate.frame.y // 4 + 16 if seq % 2 else still.plate.frame.y
        still.plate.version = seq
        frame = at(seq, Frame.allocate(W, H))
        assert_legal(composer.compose(frame, matte(MOST, seq=seq), seq / 30))


def test_its_values_are_those_that_the_filter_takes() -> None:
    values = Values({"strength": 0.0, "smooth": 1.0, "model": "harmonise"})
    filter_ = Harmonise(values)
    assert filter_.rests
    filter_.prepare((W, H))
