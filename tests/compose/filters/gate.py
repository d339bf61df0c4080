"""A network that harmonises and answers when it is let."""

from __future__ import annotations

import threading

import numpy as np

from tests.standin import SIDE
from vcam.compose.filters.adviser import Beside
from vcam.types import F32, U8


class Gate:
    """A network that answers when it is let."""

    def __init__(self, answer: F32 | Exception) -> None:
        self.open, self.answer, self.calls = threading.Event(), answer, 0

    def __call__(self, picture: U8) -> F32:
        self.calls += 1
        assert self.open.wait(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


PICTURE = np.zeros((SIDE, SIDE, 4), np.uint8)


def wait_for(asked: Beside) -> None:
    asked.wait(60)
    assert not asked.busy
