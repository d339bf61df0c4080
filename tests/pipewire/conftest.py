from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipewire.session import Session, inside, missing


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
