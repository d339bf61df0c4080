"""The folder of the sockets, and who holds which name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vcam.control.place import NameLock, make_sockets_folder, socket_path, sockets_folder
from vcam.errors import DeviceError, UsageError, VcamError


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_the_folder_and_the_lock_are_for_the_owner_alone() -> None:
    lock = NameLock()
    assert sockets_folder() == Path(os.environ["XDG_RUNTIME_DIR"], "vcam")
    assert mode(sockets_folder()) == "0o700"
    assert [(path.name, mode(path)) for path in sockets_folder().iterdir()] == [("control.lock", "0o600")]
    lock.release()


def test_a_folder_that_others_could_look_into_is_closed_to_them() -> None:
    sockets_folder().mkdir(mode=0o755)
    sockets_folder().chmod(0o755)
    assert mode(make_sockets_folder()) == "0o700"


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_folder_of_one_s_own_is_not_used(kind: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    if kind == "link":
        sockets_folder().symlink_to(tmp_path / "elsewhere")
    else:
        sockets_folder().touch()
    with pytest.raises(VcamError, match="not a folder of your own"):
        make_sockets_folder()
    with pytest.raises(VcamError, match="not a folder of your own"):
        NameLock()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_that_belongs_to_another_user_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    make_sockets_folder()
    monkeypatch.setattr("vcam.control.place.os.getuid", lambda: 4242)
    with pytest.raises(VcamError, match="not a folder of your own"):
        make_sockets_folder()


@pytest.mark.parametrize("variable", [None, "", "relative", "/no/such/folder"])
@pytest.mark.parametrize("made", [True, False])
def test_without_a_folder_of_the_session_there_is_one_for_the_user_alone(
    variable: str | None, made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", variable)
    uid = os.getuid()
    monkeypatch.setattr("vcam.folders.os.path.isdir", lambda path: made and path == f"/run/user/{uid}")
    systemd_s = made and not variable
    assert sockets_folder() == Path(f"/run/user/{uid}/vcam" if systemd_s else f"/tmp/vcam-{uid}")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 33, ".hidden", "-x", "a b"])
def test_a_daemon_s_name_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(UsageError):
        socket_path(name)
    with pytest.raises(UsageError):
        NameLock(name)


def test_the_socket_of_a_daemon_has_its_name() -> None:
    assert socket_path() == sockets_folder() / "control.sock"
    assert socket_path("two.b") == sockets_folder() / "two.b.sock"


def test_a_name_has_one_holder_who_is_told_to_others_until_it_lets_go() -> None:
    lock, other = NameLock("one"), NameLock("two")
    with pytest.raises(DeviceError, match=rf"process {os.getpid()}\)") as caught:
        NameLock("one")
    assert "vcam status --name one" in caught.value.hint
    lock.release()
    NameLock("one").release()
    other.release()


def test_what_an_earlier_holder_wrote_is_not_left_behind() -> None:
    make_sockets_folder()
    path = sockets_folder() / "control.lock"
    path.write_text("99999999999999 and more")
    lock = NameLock()
    assert path.read_text() == str(os.getpid())
    lock.release()


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    make_sockets_folder()
    (tmp_path / "precious").write_text("precious")
    (sockets_folder() / "control.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(VcamError, match="cannot be opened"):
        NameLock()
    assert (tmp_path / "precious").read_text() == "precious"
