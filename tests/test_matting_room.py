"""The memory of the room between network and matte: when it is asked, and when it rests."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.segment.emptyroom import test_memory as scene
from tests.segment.emptyroom.scenes import SHELF, SIZE, map_of, shot, with_person
from tests.segment.helpers import unchecked
from vcam.compose.matteview import matte_picture
from vcam.errors import UsageError
from vcam.frames import Alpha, Frame, Map
from vcam.infer.choices import EngineChoice
from vcam.matte.factory import make_matte
from vcam.matting import Matting
from vcam.pipeline import open_pipeline
from vcam.segment.emptyroom.choice import RoomChoice, choose_room
from vcam.segment.emptyroom.picture import RoomPicture
from vcam.segment.segmenter import NetworkSegmenter
from vcam.settings import SegmentSettings, Settings
from vcam.testing import FakeCamera, FakeSegmenter

SETTINGS = Settings().replace(matte__temporal=0)

room = cache(scene.room)


@cache
def empty() -> RoomPicture:
    """The room, told."""
    return scene.known(room())


@cache
def frame() -> Frame:
    """The room with the person."""
    return shot(with_person(room()), 7)


class Network(FakeSegmenter):
    """Takes the shelf for a part of the person."""

    own_memory = ""
    origin: int | None = None

    def segment(self, frame: Frame) -> Map:
        self.calls += 1
        seen = map_of(frame)
        if self.origin is not None:
            return Map(seen.probability, seen.box, seen.seq, self.origin, seen.pyramid)
        return seen


class Watched:
    """A real matte that keeps the maps it is given."""

    def __init__(self) -> None:
        self._inner = make_matte(SETTINGS.matte)
        self.seen: list[Map] = []

    def update(self, seen: Map, frame: Frame) -> Alpha:
        self.seen.append(seen)
        return self._inner.update(seen, frame)

    def reset(self) -> None:
        self._inner.reset()


def matting(room_: RoomChoice | None = None, segmenter: FakeSegmenter | None = None) -> tuple[Matting, Watched]:
    watched = Watched()
    chosen = choose_room(SETTINGS, SIZE, "desk") if room_ is None else room_
    return Matting(segmenter or Network(), watched, patient=True, room=chosen), watched


def shelf(alpha: Alpha) -> float:
    """How much of the shelf is shown."""
    return float(matte_picture(alpha)[SHELF].mean())


def test_what_was_told_takes_the_shelf_off_the_person_and_the_edge_is_told() -> None:
    mine, watched = matting()
    assert shelf(mine.alpha(frame())) > 100
    assert mine.room_status["rests"] == "no room is known: vcam room learn"
    mine.told(empty())
    alpha = mine.alpha(frame())
    assert shelf(alpha) < 30
    assert alpha.full[60:140, 100:160].min() > 240
    assert watched.seen[-1].edge is not None
    assert watched.seen[-1].seq == alpha.seq == 7
    assert mine.room_status["rests"] == ""
    assert mine.forget_room().result(10) in (True, False)
    assert shelf(mine.alpha(frame())) > 100
    mine.close()


def test_the_room_stays_with_another_network_and_changes_with_another_camera() -> None:
    mine, _ = matting()
    mine.told(empty())
    mine.exchange(Network(), None)
    assert shelf(mine.alpha(frame())) < 30
    mine.reset()
    assert shelf(mine.alpha(frame())) < 30
    other = choose_room(SETTINGS, SIZE, "another desk")
    before = mine.exchange_room(other)
    assert shelf(mine.alpha(frame())) > 100
    before.close()
    mine.exchange_room(choose_room(SETTINGS, SIZE, "desk"))
    assert shelf(mine.alpha(frame())) < 30
    mine.close()


def test_a_network_that_remembers_frames_goes_without_and_says_so() -> None:
    mine, watched = matting()
    mine.told(empty())
    remembers = Network()
    remembers.own_memory = "the network remembers earlier frames by itself"
    mine.exchange(remembers, None)
    assert shelf(mine.alpha(frame())) > 100
    assert watched.seen[-1].edge is None
    assert (mine.room_status["kept"], mine.room_status["rests"]) == ("told", remembers.own_memory)
    mine.exchange(Network(), None)
    assert shelf(mine.alpha(frame())) < 30
    mine.close()


@pytest.mark.parametrize(("previous", "says"), [(False, False), (True, True)])
def test_networks_say_by_their_card_whether_they_remember(previous: bool, says: bool) -> None:
    from dataclasses import dataclass
    from typing import Any

    from msgspec.structs import replace

    @dataclass
    class Engine:
        name: str = "fake"
        device: str = "CPU"

        def infer(self, picture: Any) -> list[Any]:
            return [np.zeros((1, 256, 256), np.float32)]

        def reset(self) -> None:
            pass

        def close(self) -> None:
            pass

    card = unchecked()
    card = replace(card, input=replace(card.input, previous_mask=previous))
    choice = EngineChoice("fake", "CPU", lambda network, threads: Engine())
    network = NetworkSegmenter(SegmentSettings(), SIZE, choices=[choice], card=card)
    assert bool(network.own_memory) is says
    network.close()


def test_a_part_of_the_picture_that_moves_is_no_room() -> None:
    mine, _ = matting()
    mine.told(empty())
    mine.cut = True
    assert shelf(mine.alpha(frame())) > 100
    assert "auto-framing" in mine.room_status["rests"]
    mine.cut = False
    assert shelf(mine.alpha(frame())) < 30
    mine.close()


def test_where_the_last_matte_is_used_again_the_room_is_not_asked() -> None:
    network = Network()
    mine, watched = matting(segmenter=network)
    mine.told(empty())
    first = mine.picture(frame())
    assert watched.seen[-1].edge is not None
    network.origin = 7
    later = shot(with_person(room()), 8)
    alpha = mine.alpha(later)
    assert watched.seen[-1].edge is None
    np.testing.assert_array_equal(matte_picture(alpha), first)
    # a matte that does not know of it has to make its own, of a map that is corrected
    mine.exchange(None, Watched())
    assert shelf(mine.alpha(later)) < 30
    mine.close()


def test_without_a_memory_nothing_can_be_told_and_the_cure_is_said() -> None:
    mine, _ = matting(choose_room(SETTINGS.replace(segment__room="off"), SIZE, "desk"))
    with pytest.raises(UsageError, match=r"segment\.room is off") as error:
        mine.told(empty())
    assert error.value.hint == "vcam set segment.room=told"
    assert mine.forget_room().result(1) is False
    assert (mine.room_status["rests"], mine.room_status["kept"]) == ("segment.room is off", "")


@pytest.mark.parametrize(("live", "still", "known"), [(True, False, True), (False, False, False), (True, True, False)])
def test_only_the_room_of_a_live_camera_is_known(live: bool, still: bool, known: bool) -> None:
    settings = SETTINGS.replace(background__spec="none")
    with open_pipeline(settings, FakeCamera([], size=SIZE, live=live), SIZE, [], still=still) as pipeline:
        assert (pipeline.matting.room.kept is not None) is known


def test_where_nobody_is_looked_for_the_status_says_so() -> None:
    with Matting(None, Watched(), room=choose_room(SETTINGS, SIZE, "desk")) as mine:
        mine.told(empty())
        assert (mine.room_status["kept"], mine.room_status["rests"]) == (
            "told", "nobody is looked for with this background",
        )  # fmt: skip
