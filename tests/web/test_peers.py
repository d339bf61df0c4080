"""Whose program is at the other end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from vcam.web.peers import TABLES, is_own

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(uid: int, *, state: str = "01", local: str = "0100007F:C000", remote: str = "0100007F:1267") -> str:
    return (
        f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000  {uid}        0 1 1 0 20 4 30 10 -1\n"
    )


def asks(tmp_path: Path, *rows: str) -> bool:
    table = tmp_path / "tcp"
    table.write_text(HEAD + "".join(rows))
    return is_own(("127.0.0.1", 0xC000), 0x1267, (table, tmp_path / "missing"))


def test_a_program_of_this_user_may_and_one_of_another_may_not(tmp_path: Path) -> None:
    mine = os.getuid()
    assert asks(tmp_path, row(mine + 1, local="0100007F:C001"), row(mine))
    assert not asks(tmp_path, row(mine + 1), row(mine, local="0100007F:C001"))
    # the panel's own end of the same connection is not the other end
    assert not asks(tmp_path, row(mine, local="0100007F:1267", remote="0100007F:C000"), row(mine + 1))


def test_a_socket_that_is_closed_has_no_owner(tmp_path: Path) -> None:
    # the kernel writes 0 there, which is root
    assert not asks(tmp_path, row(os.getuid(), state="06"))
    assert not asks(tmp_path)


def test_ipv4_within_ipv6_counts(tmp_path: Path) -> None:
    mapped = "0000000000000000FFFF0000"
    far = row(os.getuid(), local=f"{mapped}0100007F:C000", remote=f"{mapped}0100007F:1267")
    assert asks(tmp_path, far)


def test_where_the_kernel_does_not_tell_the_token_alone_counts(tmp_path: Path) -> None:
    assert is_own(("127.0.0.1", 1), 2, (tmp_path / "missing",))
    assert not is_own(None, 2, (tmp_path / "missing",))


@pytest.mark.skipif(not TABLES[0].exists(), reason="no /proc/net/tcp")
def test_a_real_connection_of_our_own_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client, server.accept()[0]:
            assert is_own(client.getsockname(), port)
            assert not is_own(client.getsockname(), port + 1 if port < 65535 else 1)
