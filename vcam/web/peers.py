"""Whose program is at the other end of a connection: on one machine several people may be at work.

A browser sends a cookie to every port of its host, so also to a server of somebody else on this machine, and the link
is on the command line of the browser that vcam starts, where everybody can read it. So a program of another user is
refused even with the token. Linux tells the owner of each socket of this machine: proc_net_tcp of the kernel's manual.
"""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"


def is_own(client: tuple[str, int] | None, port: int, tables: tuple[Path, ...] = TABLES) -> bool:
    """Whether the program that speaks from the address `client` to our port belongs to the user of this process.

    Where the kernel does not tell (no /proc), the token alone counts. A socket that is closed already has no owner.
    """
    if client is None:
        return False
    here, there = _written(client), _written(("127.0.0.1", port))
    told = False
    for table in tables:
        try:
            text = table.read_text("ascii")
        except OSError:
            continue
        told = True
        for line in text.splitlines()[1:]:
            _, local, remote, state, _, _, _, uid, *_ = line.split()
            # IPv4 within IPv6 ends in the same eight digits
            if _ends(local, here) and _ends(remote, there) and state == _ESTABLISHED:
                return int(uid) == os.getuid()
    return not told


def _written(address: tuple[str, int]) -> str:
    """As the kernel writes it: the bytes of the address as a number of this machine, and the port."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"


def _ends(written: str, wanted: str) -> bool:
    mapped = f"0000000000000000FFFF0000{wanted}"
    return written in (wanted, mapped)
