"""The filter `harmonise` in a daemon: it comes and goes between two frames, and knows whether they wait for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.daemon.helpers import SETTINGS, SIZE, Daemon, refused
from tests.standin import arguments, stand_in
from vcam.compose.filters.adviser import Beside, InLine
from vcam.daemon.changes import Parts, Situation, prepare
from vcam.testing import FakeCamera

pytestmark = pytest.mark.usefixtures("quick")


def test_the_light_of_the_background_comes_and_goes_live(own_models: Path) -> None:
    """The person, at the left third, is made darker; the background stays, and no frame is lost."""
    stand_in(own_models, "dark", always=arguments(brightness=-1))
    with Daemon() as daemon:
        daemon.live()
        before = daemon.more(1)[0]
        daemon.set(filters__chain=("harmonise:model=dark",))
        daemon.until(lambda: daemon.more(1)[-1].y[40, 4] < before.y[40, 4] - 20)
        after = daemon.more(1)[-1]
        np.testing.assert_array_equal(after.y[:, 48:], before.y[:, 48:])
        assert "no network 'nosuch'" in str(refused(daemon, filters__chain=("harmonise:model=nosuch",)))
        daemon.set(filters__chain=())
        np.testing.assert_array_equal(daemon.more(1)[-1].y, before.y)
        numbers = [number for number in daemon.screen.numbers if number]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


@pytest.mark.parametrize(("before", "after"), [(True, False), (False, True), (True, True)])
def test_filters_are_made_anew_where_frames_begin_to_wait_for_them_or_no_longer_do(
    own_models: Path, before: bool, after: bool
) -> None:
    stand_in(own_models, "dark")
    old = SETTINGS.replace(filters__chain=("harmonise:model=dark",), filters__decontaminate=0.0)
    new = old.replace(camera__source="two")
    parts = Parts(camera=lambda *args: FakeCamera([], size=SIZE, live=after))  # type: ignore[misc, arg-type]
    now = Situation(FakeCamera([], size=SIZE, live=before), False, True, SIZE, 30.0)  # type: ignore[arg-type]
    prepared = prepare(old, new, now, parts)
    if before == after:
        assert prepared.effects is None
        return
    assert prepared.effects is not None
    (filter_,) = prepared.effects._person
    assert type(filter_._asked) is (Beside if after else InLine)  # type: ignore[attr-defined]
