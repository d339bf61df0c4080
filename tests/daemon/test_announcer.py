"""What the log says first, and of each state."""

from __future__ import annotations

import pytest

from tests.daemon.helpers import Screen
from vcam.daemon.announcer import WORDS, Announcer
from vcam.daemon.base import State
from vcam.daemon.notify import Notifier
from vcam.daemon.outlets import Outlets
from vcam.daemon.states import Phase
from vcam.output.base import Output
from vcam.testing import RecordingOutput


class Camera(Screen):
    """A virtual camera that other programs list by a name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.camera_name = name


def said(outputs: list[Output], caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged from the start to the first reader."""
    announcer = Announcer(Notifier({}), [], Outlets(outputs))
    with caplog.at_level("INFO"):
        announcer.entered(State.STARTING, Phase(State.IDLE, "nobody watches", 0.0))
        announcer.entered(State.IDLE, Phase(State.LIVE, "a webcam", 0.0))
    return [record.message for record in caplog.records]


@pytest.mark.parametrize(
    ("outputs", "first"),
    [
        ([Camera("vcam")], 'ready: choose the camera "vcam" in your call'),
        ([Camera("vcam"), RecordingOutput(), Camera("two")], '"vcam" or "two" in your call'),
        ([Camera("")], "ready, and waiting for the virtual camera"),
        ([RecordingOutput()], "ready: the picture goes to recording"),
        ([], "the picture goes to nothing yet"),
    ],
)
def test_the_first_words_say_what_to_choose_in_a_call(
    outputs: list[Output], first: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = said(outputs, caplog)
    assert first in words[0]
    assert words[1:] == ["the camera is off: nobody watches", "live: a webcam"]


def test_every_state_has_words() -> None:
    assert set(WORDS) == set(State) - {State.STUCK}
