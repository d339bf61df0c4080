"""Promise 1 once more, at the camera that vcam makes in PipeWire: what a program there was given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipewire.helpers import frames_of, needs_gstreamer, reader
from tests.pipewire.session import Session, inside, missing, wait_for
from tests.trials.helpers import FRAMES, Trial, Witness, every_wish
from tests.trials.scene import SIZE, shows_the_room
from tests.trials.test_privacy import ShowsRawFrames
from vcam.frames import Frame
from vcam.output.virtual.pipewire import PipeWireCamera

pytestmark = [pytest.mark.usefixtures("quick"), pytest.mark.process]


class Node(Witness):
    """Passes everything on to a real node."""

    def __init__(self, trial: Trial, node: PipeWireCamera) -> None:
        super().__init__(trial.faults)
        self._node = node

    def write(self, frame: Frame) -> None:
        super().write(frame)
        self._node.write(frame)


def closed_wishes() -> Iterator[tuple[str, object]]:
    """All but those that ask for the room, and other sizes, where the chequerboard is lost."""
    for key, value in every_wish():
        if key != "output.size" and (key, value) != ("background.spec", "none"):
            yield key, value


@pytest.fixture
def session() -> Iterator[Session]:
    if lacks := missing():
        pytest.skip(f"needs {', '.join(lacks)}: apt install pipewire pipewire-bin wireplumber dbus-daemon")
    needs_gstreamer()
    session = Session()
    session.start()
    with inside(session):
        yield session
    session.close()


def read_by_a_program(session: Session, trial: Trial, to: Path, frames: int) -> int:
    """How many of the pictures that a program was given show the room."""
    node = PipeWireCamera("trial")
    node.open(SIZE, 30)
    trial.screen = Node(trial, node)
    trial.life.outlets._outlets[0].output = trial.screen
    process = reader(session, "vcam.trial", to, 10 * FRAMES)
    wait_for(node.watched, "the reader")
    trial.judge(frames, wishes=closed_wishes)
    node.close()
    process.kill()
    process.wait(10)
    whole = to.stat().st_size // (SIZE[0] * SIZE[1] * 3 // 2)
    with to.open("r+b") as file:
        file.truncate(whole * (SIZE[0] * SIZE[1] * 3 // 2))
    seen = frames_of(to, SIZE)
    assert len(seen) > frames // 10, "hardly anything was read"
    return sum(shows_the_room(Frame.wrap(each.copy(), *SIZE)) for each in seen)


@pytest.mark.long
def test_ten_thousand_faulted_frames_never_show_the_room_to_a_program_of_pipewires(
    session: Session, tmp_path: Path
) -> None:
    assert read_by_a_program(session, Trial(), tmp_path / "seen.yuv", FRAMES) == 0


class Leaky(Trial):
    pipeline_class = ShowsRawFrames


@pytest.mark.long
def test_a_leak_is_found_there(session: Session, tmp_path: Path) -> None:
    assert read_by_a_program(session, Leaky(), tmp_path / "seen.yuv", 600) > 0
