from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipewire.helpers import Feeder
from tests.pipewire.session import Session, inside, missing, wait_for
from vcam.output.virtual.pipewire import PipeWireCamera

PORTAL = Path("/usr/libexec/xdg-desktop-portal"), Path("/usr/libexec/xdg-desktop-portal-gtk")
DESKTOP_SIZE = (640, 480)


@pytest.fixture(scope="module")
def shared_session() -> Iterator[Session]:
    """One for all tests of a file that leave it as it was."""
    if lacks := missing():
        pytest.skip(f"needs {', '.join(lacks)}: apt install pipewire pipewire-bin wireplumber dbus-daemon")
    session = Session()
    session.start()
    yield session
    session.close()


@pytest.fixture
def session(shared_session: Session) -> Iterator[Session]:
    """The test itself runs inside."""
    with inside(shared_session):
        yield shared_session


@pytest.fixture
def own_session() -> Iterator[Session]:
    """One that may be stopped and started; not started yet."""
    if lacks := missing():
        pytest.skip(f"needs {', '.join(lacks)}: apt install pipewire pipewire-bin wireplumber dbus-daemon")
    session = Session()
    with inside(session):
        yield session
    session.close()


@pytest.fixture(scope="module")
def desktop() -> Iterator[Session]:
    """A session with a portal, which has a display to ask on, and has been told that cameras are allowed."""
    lacks = [*missing(), *(path.name for path in PORTAL if not path.exists())]
    lacks += [name for name in ("Xvfb", "gdbus") if not shutil.which(name)]
    if lacks:
        pytest.skip(f"needs {', '.join(lacks)}: apt install xdg-desktop-portal-gtk xvfb libglib2.0-bin")
    ours, theirs = os.pipe()
    screen = subprocess.Popen(
        ["Xvfb", "-displayfd", str(theirs), "-screen", "0", "800x600x24", "-nolisten", "tcp"],
        pass_fds=[theirs], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    with os.fdopen(ours) as answer:
        display = f":{answer.readline().strip()}"
    session = Session(DISPLAY=display, XDG_CURRENT_DESKTOP="GNOME")
    session.start()
    store = "org.freedesktop.impl.portal.PermissionStore"
    done = session.run(
        "gdbus", "call", "--session", "--dest", store, "--object-path", f"/{store.replace('.', '/')}",
        "--method", f"{store}.SetPermission", "devices", "true", "camera", "", "['yes']",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    yield session
    session.close()
    screen.terminate()
    screen.wait(10)


@pytest.fixture
def output(desktop: Session) -> Iterator[PipeWireCamera]:
    """vcam's camera, fed with red that grows brighter."""
    with inside(desktop):
        camera = PipeWireCamera("vcam")
        camera.open(DESKTOP_SIZE, 30)
        with Feeder(camera, DESKTOP_SIZE) as feeder:
            yield camera
        assert feeder.error is None
        wait_for(lambda: not camera.watched(), "the program to let go")
        camera.close()
