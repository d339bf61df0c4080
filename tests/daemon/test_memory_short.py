"""A change of size for which there is not enough memory is not made at all, wherever it runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from tests.daemon.helpers import PERSON, SETTINGS, SIZE, Daemon, refused
from tests.daemon.test_resize import Sized
from vcam.daemon.changer import Changer
from vcam.errors import VcamError
from vcam.frames import Frame

pytestmark = pytest.mark.usefixtures("quick")


class Shortage:
    """For one allocation of a change, counted from its beginning, there is no memory; the loop's own frames have."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.at: int | None = None
        self.count = 0
        self.struck = False
        self.error: Exception = MemoryError()
        self._exchanging = threading.local()
        for name in ("empty", "zeros", "full", "ones", "empty_like", "zeros_like"):
            patch.setattr(np, name, self._short(getattr(np, name)))
        patch.setattr(Frame, "allocate", self._short(Frame.allocate))
        exchange = Changer._exchange

        def watched(changer: Changer, *arguments: Any) -> Any:
            self._exchanging.now = True
            try:
                return exchange(changer, *arguments)
            finally:
                self._exchanging.now = False

        patch.setattr(Changer, "_exchange", watched)

    def _short(self, allocate: Callable[..., Any]) -> Callable[..., Any]:
        def allocated(*arguments: Any, **words: Any) -> Any:
            changing = getattr(self._exchanging, "now", False)
            if changing or threading.current_thread().name.startswith("vcam-load"):
                self.count += 1
                if self.count == self.at:
                    self.struck = True
                    raise self.error
            return allocate(*arguments, **words)

        return allocated


@pytest.fixture
def shortage() -> Iterator[Shortage]:
    with pytest.MonkeyPatch.context() as patch:
        yield Shortage(patch)


CHANGE = {"output__size": "192x128", "filters__chain": ("grey", "vignette"), "background__spec": "blur"}


def test_wherever_memory_runs_out_the_picture_stays_as_it_was(shortage: Shortage) -> None:
    with Sized() as daemon:
        daemon.live()
        refusals = 0
        for at in range(1, 1000):
            shortage.count, shortage.at, shortage.struck = 0, at, False
            error = tried(daemon)
            shortage.at = None
            if error is None:
                # done without, as for a card that can be a plainer one: then all of it was made
                daemon.until(lambda: daemon.screen.taken[-1].size == (192, 128))
                if not shortage.struck:
                    break
                daemon.set(output__size="96x64", filters__chain=(), background__spec=SETTINGS.background.spec)
            else:
                assert "memory" in error.message, at
                refusals += 1
            assert daemon.life.settings == SETTINGS, at
            start = len(daemon.screen.taken)
            daemon.until(lambda start=start: len(daemon.screen.taken) > start + 2)
            for picture in daemon.screen.taken[start:]:
                assert picture.size == SIZE, at
                assert (np.abs(picture.y[16:48, :24].astype(int) - PERSON["one"]) < 3).all()
                assert np.ptp(picture.y[16:48, 60:]) == 0
        assert refusals > 10


def tried(daemon: Daemon) -> VcamError | None:
    try:
        daemon.set(**CHANGE)
    except VcamError as error:
        return error
    return None


def test_opencv_may_be_what_has_no_memory(shortage: Shortage) -> None:
    shortage.error = cv2.error()
    shortage.error.code = -4  # type: ignore[attr-defined]
    with Sized() as daemon:
        daemon.live()
        shortage.count, shortage.at = 0, 1
        assert "memory" in refused(daemon, **CHANGE).message
        assert daemon.life.settings == SETTINGS
