"""Run a program in a network where nobody else is, and say what it sent: python -m tests.trials.alone COMMAND...

Started by `run`, in namespaces of its own: one interface that leads everywhere and nowhere, and a server of names that
answers everything. Prints a JSON object: `status` and `output` of the program, the `names` that it looked up, and all
`packets` by their destination.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.places import ROOT

SETUP = """set -e
ip link set lo up
ip address add 10.99.0.1/24 dev lo
ip route add default dev lo src 10.99.0.1
ip -6 route add default dev lo 2>/dev/null || true
mount -t tmpfs none /run
echo 'nameserver 127.0.0.1' > "$1/resolv.conf"
echo 'hosts: files dns' > "$1/nsswitch.conf"
real=$(readlink -f /etc/resolv.conf || true)
case "$real" in
  /run/*) mkdir -p "${real%/*}"; cp "$1/resolv.conf" "$real" ;;
  *) mount --bind "$1/resolv.conf" /etc/resolv.conf ;;
esac
[ ! -e /etc/nsswitch.conf ] || mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
"""
"""Everything goes out through lo, where it is seen, and comes back as nobody's. /run holds the sockets by which other
programs look names up for somebody."""

PLACE = "192.0.2.1"
"""Where every name leads, so that who looks one up sends something there as well."""

LINGER = 0.3
"""Seconds in which packets that are on their way arrive."""


def run(command: list[str], environ: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """What `main` prints; skips the test where such namespaces are not allowed."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        pytest.skip("no namespaces without the programs unshare and ip: sudo apt install util-linux iproute2")
    lonely = (
        ["unshare", "--net", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net", "--mount"]
    )
    words = [*lonely, sys.executable, "-m", "tests.trials.alone", *command]
    environ = {"PYTHONPATH": str(ROOT), **environ}
    done = subprocess.run(words, env=environ, cwd=folder, capture_output=True, text=True, timeout=240)
    if done.returncode:
        pytest.skip(f"no namespaces of one's own are allowed here: {done.stderr.strip()[-200:]}")
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


class Recorder:
    """Sees every packet, and answers every look-up."""

    def __init__(self) -> None:
        self.packets: list[str] = []
        self.names: list[str] = []
        self._ears = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.ntohs(0x0003))
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._server.bind(("127.0.0.1", 53))
        for work in (self._listen, self._answer):
            threading.Thread(target=work, daemon=True).start()

    def _listen(self) -> None:
        while True:
            packet, address = self._ears.recvfrom(65536)
            if address[2] == socket.PACKET_OUTGOING:
                self.packets.append(_destination(packet))

    def _answer(self) -> None:
        while True:
            question, asker = self._server.recvfrom(4096)
            name, end = _name(question)
            self.names.append(name)
            wants_v4 = question[end : end + 2] == b"\0\1"
            record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(PLACE) if wants_v4 else b""
            counts = b"\0\1" + (b"\0\1" if record else b"\0\0") + b"\0\0\0\0"
            self._server.sendto(question[:2] + b"\x81\x80" + counts + question[12 : end + 4] + record, asker)


def _destination(packet: bytes) -> str:
    version = packet[0] >> 4
    if version == 4:
        place, kind, after = socket.inet_ntoa(packet[16:20]), packet[9], (packet[0] & 15) * 4
    elif version == 6:
        place, kind, after = socket.inet_ntop(socket.AF_INET6, packet[24:40]), packet[6], 40
    else:
        return packet[:20].hex()
    port = int.from_bytes(packet[after + 2 : after + 4], "big")
    return f"protocol {kind} to {place} port {port}"


def _name(question: bytes) -> tuple[str, int]:
    """The name in a question, and where the question's kind stands."""
    parts, at = [], 12
    while at < len(question) and question[at]:
        parts.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    return ".".join(parts), at + 1


def main() -> None:
    """See the top. Ends with an error if the network cannot be set up."""
    with tempfile.TemporaryDirectory(prefix="alone-", dir="/dev/shm") as folder:
        subprocess.run(["sh", "-c", SETUP, "sh", folder], check=True)
        recorder = Recorder()
        try:
            done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, timeout=200)
            status, said = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as late:
            status, said = -1, (late.stdout or b"") + (late.stderr or b"")
        time.sleep(LINGER)
        seen = {"status": status, "output": said.decode("utf-8", "replace")}
        print(json.dumps({**seen, "names": recorder.names, "packets": recorder.packets}))
        for bound in ("/etc/resolv.conf", "/etc/nsswitch.conf"):
            with contextlib.suppress(OSError):
                subprocess.run(["umount", bound], capture_output=True, check=False)


if __name__ == "__main__":
    main()
