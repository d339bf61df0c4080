"""All outputs as one: each fails and recovers by itself."""

from __future__ import annotations

import threading

import pytest

from tests.daemon.helpers import SIZE, Screen
from vcam.control.viewers import Viewers
from vcam.daemon.outlets import Outlets
from vcam.errors import OutputDeviceError, OutputError
from vcam.frames import Frame
from vcam.testing import FakeClock, RecordingOutput, pattern_frame


def test_a_device_that_vanishes_is_taken_up_again_while_the_other_goes_on() -> None:
    clock = FakeClock()
    away, other = Screen(), Screen()
    outlets = Outlets([away, other], clock=clock)
    outlets.open(SIZE, 30)
    away.fail = OutputDeviceError("gone")
    outlets.write(pattern_frame(SIZE))
    away.fail = None
    outlets.write(pattern_frame(SIZE))
    assert (len(away.frames), len(other.frames)) == (0, 2)
    clock.now += 60
    outlets.write(pattern_frame(SIZE))
    assert (len(away.frames), len(other.frames)) == (1, 3)
    assert not outlets.finished


def test_a_file_that_fails_is_given_up_alone_and_its_error_is_raised_at_the_end() -> None:
    file, screen = RecordingOutput(), Screen()
    outlets = Outlets([file, screen], clock=FakeClock())
    outlets.open(SIZE, 30)
    file.fail = OutputError("the disk is full")
    for _ in range(3):
        outlets.write(pattern_frame(SIZE))
    assert (len(file.frames), len(screen.frames)) == (0, 3)
    assert not outlets.finished
    screen.fail = OutputError("gone too")
    outlets.write(pattern_frame(SIZE))
    assert outlets.finished
    with pytest.raises(OutputError, match="disk is full"):
        outlets.close()


def test_a_window_is_closed_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    window, camera = RecordingOutput(enough=2), Screen()
    outlets = Outlets([window, camera], clock=FakeClock())
    outlets.open(SIZE, 30)
    # vcam does not go on for a preview's sake
    outlets.add(Viewers())
    with caplog.at_level("INFO"):
        for number in range(4):
            outlets.write(pattern_frame(SIZE, number))
    assert (window.numbers, window.closed, len(camera.frames)) == ([0, 1], 1, 4)
    assert not outlets.finished
    assert [record.message for record in caplog.records] == [
        "recording is closed; vcam goes on for recording; vcam stop ends it"
    ]
    assert [state["description"] for state in outlets.states] == ["recording", "preview"]


@pytest.mark.parametrize("together", [False, True])
def test_the_last_window_ends_the_run_and_one_that_belongs_to_the_others_does_too(together: bool) -> None:
    window, file = RecordingOutput(enough=1), RecordingOutput()
    outlets = Outlets([window, file] if together else [window], together=together)
    outlets.open(SIZE, 30)
    outlets.write(pattern_frame(SIZE))
    assert outlets.finished


def test_a_window_that_is_closed_beside_one_that_was_given_up_ends_the_run() -> None:
    window, file = RecordingOutput(enough=2), RecordingOutput()
    outlets = Outlets([window, file], clock=FakeClock())
    outlets.open(SIZE, 30)
    file.fail = OutputError("the disk is full")
    outlets.write(pattern_frame(SIZE))
    outlets.write(pattern_frame(SIZE))
    assert outlets.finished
    with pytest.raises(OutputError, match="disk is full"):
        outlets.close()


def test_files_get_no_placeholder() -> None:
    file, screen = RecordingOutput(), Screen()
    outlets = Outlets([file, screen])
    outlets.open(SIZE, 30)
    outlets.show(pattern_frame(SIZE))
    assert (len(file.frames), len(screen.frames)) == (0, 1)


def test_outputs_come_and_go_between_two_frames() -> None:
    first, second = RecordingOutput(), RecordingOutput()
    outlets = Outlets([first])
    outlets.open((64, 48), 30)
    outlets.write(pattern_frame((64, 48), 0))
    outlets.add(second)
    outlets.write(pattern_frame((64, 48), 1))
    assert outlets.remove(lambda output: output is second) == [second]
    outlets.write(pattern_frame((64, 48), 2))
    assert (first.numbers, second.numbers) == ([0, 1, 2], [1])
    assert second.closed == 0
    outlets.remove(lambda output: True)
    assert not outlets.finished, "the daemon stays for the next stream"


class Slow(RecordingOutput):
    """Takes a placeholder from any thread, once it is let."""

    any_thread = True

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.live = True

    def write(self, frame: Frame) -> None:
        self.begun.set()
        assert self.go_on.wait(30)
        super().write(frame)


def test_an_output_is_not_taken_out_while_a_placeholder_is_written_to_it() -> None:
    slow = Slow()
    outlets = Outlets([slow], clock=FakeClock())
    outlets.open((64, 48), 30)
    covering = threading.Thread(target=outlets.cover, args=(pattern_frame((64, 48), 0), lambda: True))
    removing = threading.Thread(target=outlets.remove, args=(lambda output: True,))
    covering.start()
    assert slow.begun.wait(30)
    removing.start()
    removing.join(0.05)
    assert removing.is_alive()
    assert outlets.outputs == [slow]
    slow.go_on.set()
    covering.join(30)
    removing.join(30)
    assert outlets.outputs == []
    assert slow.numbers == [0]


def test_every_output_is_asked_who_watches_as_each_takes_back_what_woke_the_loop() -> None:
    class Asked(Screen):
        asked = 0

        def watched(self) -> bool:
            self.asked += 1
            return True

    screens = [Asked(), Asked()]
    outlets = Outlets(screens)
    outlets.open(SIZE, 30)
    assert outlets.watched()
    assert [screen.asked for screen in screens] == [1, 1]
