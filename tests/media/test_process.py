"""The one ffmpeg process: what is heard of it, how it ends, and that nobody waits for it for ever. Scripts play it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcam.errors import OutputError
from vcam.media.process import NICER, PRIVATE, Ffmpeg

pytestmark = pytest.mark.process


class Scripted:
    """Starts ffmpegs that are shell scripts, and closes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[Ffmpeg] = []

    def __call__(self, script: str, *arguments: str, **options: object) -> Ffmpeg:
        program = self._folder / f"ffmpeg-{len(self._started)}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self._started.append(Ffmpeg(str(program), arguments, **options))  # type: ignore[arg-type]
        return self._started[-1]

    def close(self) -> None:
        for child in self._started:
            child.close()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    scripts = Scripted(tmp_path)
    yield scripts
    scripts.close()


def listen(child: Ffmpeg, seconds: float = 30.0) -> None:
    """Until it has ended."""
    end = time.monotonic() + seconds
    while child.pump(0.1):
        assert time.monotonic() < end


def test_progress_and_messages_are_heard_while_it_runs(scripted: Scripted) -> None:
    child = scripted(
        "echo frame=3; echo total_size=0; echo 'a word' >&2; read _; echo frame=7; echo total_size=512; "
        "echo bitrate=2801.5kbits/s; cat >/dev/null"
    )
    end = time.monotonic() + 30
    while (child.number("frame"), list(child.lines)) != (3, ["a word"]):
        child.pump(0.1)
        assert time.monotonic() < end
    assert not child.delivering
    os.write(child.descriptor, b"\n")
    while child.number("bitrate") != 2801.5:
        child.pump(0.1)
        assert time.monotonic() < end
    assert child.number("frame") == 7
    assert child.delivering
    assert child.finish(10)


def test_who_waits_for_its_words_is_woken_for_other_reasons_too(scripted: Scripted) -> None:
    child, wake = scripted("read _"), os.eventfd(1)
    begun = time.monotonic()
    assert child.pump(60, wake)
    assert time.monotonic() - begun < 30
    os.close(wake)


def test_secrets_are_taken_out_of_what_it_says(scripted: Scripted) -> None:
    child = scripted("echo 'cannot open rtmp://u:p@host/app/key-of-mine nor tok-123' >&2", secrets=["tok-123"])
    listen(child)
    assert child.said == "cannot open rtmp://host/app/*** nor ***"


@pytest.mark.parametrize("watched", [True, False])
def test_the_last_words_count_even_without_an_end_of_line(scripted: Scripted, watched: bool) -> None:
    child = scripted("printf '[mp4 @ 0x1] the disk\\nis gone' >&2; exit 3", watched=watched)
    assert not child.finish(10)
    assert list(child.lines) == ["[mp4 @ 0x1] the disk", "is gone"]
    assert child.last_words() == "is gone"


def test_one_that_nobody_listens_to_can_say_as_much_as_it_likes(scripted: Scripted) -> None:
    """More than a pipe holds, before it takes the first frame."""
    talk = 'i=0; while [ $i -lt 3000 ]; do echo "$i: it goes on and on about the same thing, as some do" >&2'
    child = scripted(f"{talk}; i=$((i+1)); done; cat >/dev/null", watched=False)
    taken = threading.Event()

    def feed() -> None:
        # more than the pipe of the frames holds
        left = 4 << 20
        while left:
            left -= os.write(child.descriptor, bytes(min(left, 1 << 16)))
        taken.set()

    threading.Thread(target=feed, daemon=True).start()
    assert taken.wait(30)
    assert child.finish(20)
    assert child.said.startswith("2999:")


def test_a_word_of_the_disk_is_noticed_however_much_is_said_after_it(scripted: Scripted) -> None:
    more = "i=0; while [ $i -lt 100 ]; do echo more >&2; i=$((i+1)); done"
    for watched in (True, False):
        child = scripted(f"echo 'av_write_frame(): No space left on device' >&2; {more}", watched=watched)
        assert child.finish(10)
        assert child.disk_error
        assert "No space" not in "".join(child.lines)
        fine = scripted("echo 'all is well' >&2", watched=watched)
        assert fine.finish(10)
        assert not fine.disk_error


def test_to_kill_it_ends_whatever_it_started_and_frees_who_writes_to_it(scripted: Scripted) -> None:
    child = scripted("sleep 60 & echo $! >&2; wait")
    end = time.monotonic() + 30
    while not child.lines:
        child.pump(0.1)
        assert time.monotonic() < end
    broken = threading.Event()

    def write() -> None:
        try:
            while True:
                os.write(child.descriptor, bytes(1 << 16))
        except BrokenPipeError:
            broken.set()

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    time.sleep(0.2)
    child.kill()
    assert broken.wait(30)
    thread.join(30)
    end = time.monotonic() + 30
    while state_of(child.lines[0]) not in ("", "Z"):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert not child.ended()
    assert child.ending() == "ffmpeg was ended by SIGKILL"


def state_of(pid: str) -> str:
    """One letter, "" once the process is gone, which may be at any moment."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_how_it_ended_is_told_in_words(scripted: Scripted) -> None:
    hung = scripted("sleep 60")
    assert (hung.ended(0.1), hung.ending()) == (False, "ffmpeg takes no more frames")
    gone = scripted("exit 7")
    assert gone.ended(10)
    assert gone.last_words() == "ffmpeg ended with status 7"


def test_one_that_does_not_end_is_ended(scripted: Scripted) -> None:
    child = scripted("sleep 60")
    begun = time.monotonic()
    assert not child.finish(0.3)
    assert time.monotonic() - begun < 30
    assert child.ending() == "ffmpeg was ended by SIGKILL"


def test_it_stands_back_behind_vcam_unless_it_shall_not(scripted: Scripted) -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    for options, nice in (({}, own + NICER), ({"nicer": 0}, own)):
        # of a program that it starts, which inherits it
        child = scripted("read _; awk '{print \"nice\", $19}' /proc/self/stat >&2", **options)
        os.write(child.descriptor, b"\n")
        listen(child)
        assert child.said == f"nice {min(nice, 19)}"


def test_private_options_are_in_a_file_that_it_alone_can_read(scripted: Scripted) -> None:
    child = scripted(
        'for word; do last=$word; done; cat "$last" >&2; echo "$@" >&2', "-fpre", PRIVATE, private=[("key", "of-mine")]
    )
    listen(child)
    assert child.lines[0] == "key=of-mine"
    assert "of-mine" not in child.lines[1]


def test_it_has_a_session_of_its_own_so_that_ctrl_c_is_for_vcam_alone(scripted: Scripted) -> None:
    child = scripted("awk '{print $6}' /proc/self/stat >&2")
    listen(child)
    assert int(child.said) != os.getsid(0)


def test_a_program_that_is_none_is_an_error_with_a_hint(tmp_path: Path) -> None:
    for watched in (True, False):
        with pytest.raises(OutputError, match="cannot be started") as caught:
            Ffmpeg(str(tmp_path / "nothing"), [], watched=watched)
        assert "is a program" not in caught.value.message
        assert "nothing" in caught.value.hint
