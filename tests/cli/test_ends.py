"""However a command ends, no half of a file stays behind, and what was there before does."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.output.encoded.helpers import until
from tests.output.encoded.test_file import record
from vcam.output.encoded.file import VideoFileOutput

WRITING = """
import signal, sys, time
from pathlib import Path
from vcam.files import write_whole
from vcam.signals import end_in_order
end_in_order()
def write(working):
    working.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
write_whole(Path(sys.argv[1]), write)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_old_file_and_nothing_else(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        assert len(os.listdir(tmp_path)) == 2
        process.send_signal(number)
        # as a terminal and its shell do; the end must not be disturbed
        process.send_signal(number if number == signal.SIGHUP else 0)
        status = process.wait(60)
    assert status in (128 + number, -number)
    assert os.listdir(tmp_path) == ["out.txt"]
    assert path.read_text() == "old"


def test_nohup_counts(tmp_path: Path) -> None:
    code = "import os, signal\nfrom vcam.signals import end_in_order, stop_on_signals\nend_in_order()\n"
    code += "with stop_on_signals(lambda: None) as seen:\n    os.kill(os.getpid(), signal.SIGHUP)\n"
    code += "os.kill(os.getpid(), signal.SIGHUP)\nprint(seen)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[]\n")


@pytest.mark.process
def test_a_film_is_finished_though_the_terminal_is_gone(tmp_path: Path) -> None:
    source = tmp_path / "long.mkv"
    output = VideoFileOutput(source)
    record(output, 2000)
    output.close()
    target = tmp_path / "out"
    target.mkdir()
    child, terminal = pty.fork()
    if child == 0:
        words = ["-m", "vcam", "apply", str(source), str(target / "o.mkv"), "--background", "green"]
        os.execv(sys.executable, [sys.executable, *words])
    said = bytearray()

    def drain() -> None:
        with suppress(OSError):
            while piece := os.read(terminal, 4096):
                said.extend(piece)

    threading.Thread(target=drain, daemon=True).start()
    # frames are done once the bar has moved
    until(lambda: b"%" in said and any(f" {number}%".encode() in said for number in range(2, 100)), 60, said.decode)
    os.kill(child, signal.SIGHUP)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert status == 130
    assert os.listdir(target) == ["o.mkv"]
