"""Frames of an address, decoded by ffmpeg as they arrive.

The address holds passwords more often than not, and everybody can read the command line of a process. So ffmpeg is
given a list of one entry, in a file without a name that only this user's processes can open. Its list reader (the
concat demuxer) hands on what the entry sends; it costs no time, since it is told not to probe once more what has been
probed.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import subprocess
from collections import deque
from contextlib import suppress

from vcam.errors import VcamError
from vcam.frames import Frame, check_size
from vcam.media.ffmpeg import LOCAL_ONLY, find_ffmpeg, last_line
from vcam.types import Size

PROTOCOLS = (
    "http,https,httpproxy,tls,tcp,udp,udplite,rtp,srtp,rtsp,rtsps,rtmp,rtmps,rtmpe,rtmpt,rtmpte,rtmpts,srt,rist,sctp,"
    "mmsh,mmst,ftp,sftp,gopher,gophers,smb,prompeg,crypto,data"
)
"""What an address may begin with, and what it may lead to: no files of this machine."""

_PROBE = {"analyzeduration": "1000000", "fpsprobesize": "0"}
"""Microseconds for finding out what the stream holds, and frames for guessing its rate, which nobody asks for."""

_SILENCE = "70000000"
"""Microseconds of silence after which ffmpeg ends by itself. Whoever reads has ended it long before, unless vcam was
killed: then it would hold the connection for ever, and a camera that serves one viewer would have no other."""

_PIPE_BYTES = 1 << 20
_KEPT_LINES = 20
_LONGEST_LINE = 1000
_RATE = re.compile(r"\b(\d+(?:\.\d+)?) (fps|tbr)\b")
_CHATTER = (
    "Input #", "Output #", "Stream ", "Duration:", "Metadata:", "video:", "[out#", "frame=", "encoder ", "Press [",
    "Consider increasing", "Cannot determine format of input", "Error marking filters", "Conversion failed!",
)  # fmt: skip
"""How messages begin that say nothing of what goes wrong."""
_LIST = re.compile(r"^(?:pipe:\d+: |Error opening input(?: files?)?: )")
"""Where ffmpeg names the list in place of the address, or says what need not be said."""
_CLOSING = 0.5
"""Seconds to wait for a process that was killed; one that a network share holds is left to the system."""


class LiveReader:
    """ffmpeg at work on one address. `read` and what it finds out are for one thread, `close` is for any."""

    def __init__(self, url: str, size: Size, *, paced: bool = False) -> None:
        """url: without control characters; `file:` ones may open that file alone. size: of the frames, sides even;
        what sticks out of that shape is cut off, also if the stream changes its size. paced: hold the stream to its
        own time stamps, for what would else come as fast as the line allows.

        Raises `VcamError` if ffmpeg cannot be started.
        """
        width, height = check_size(*size)
        self.rate = 25.0
        """Frames a second as the stream says, or ffmpeg's guess; known with the first frame."""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest = b""
        self._first, self._spoken = True, False
        local = url.startswith("file:")
        entry = -1 if local else _entry(url)
        # colours as everywhere: limited range, BT.601
        scale = f"scale={width}:{height}:flags=bicubic:force_original_aspect_ratio=increase"
        shape = f"{scale}:out_color_matrix=bt601:out_range=tv,crop={width}:{height},format=yuv420p"
        command = [find_ffmpeg(), "-hide_banner", "-v", "info", "-nostats", "-nostdin", "-threads", "1"]
        command += ["-re"] if paced else []
        command += [*LOCAL_ONLY, "-i", url] if local else _listed(entry)
        command += ["-map", "0:V:0", "-vf", shape, "-fps_mode", "passthrough"]
        # raw video too has an encoder, which would keep a frame for each of its threads until more come
        command += ["-threads", "1", "-f", "rawvideo", "pipe:1"]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
                pass_fds=() if local else (entry,),
                # Ctrl-C is for vcam, which ends its children in order
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise VcamError(f"ffmpeg cannot be started: {error.strerror}", "is VCAM_FFMPEG a program?") from error
        finally:
            if entry >= 0:
                os.close(entry)
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = self._process.stdout.fileno(), self._process.stderr.fileno()
        with suppress(OSError):
            # fewer wake-ups for each frame; the system may allow less
            fcntl.fcntl(self._out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)
        self._poll.register(self._err, select.POLLIN)

    def read(self, into: Frame) -> bool:
        """Write the next frame into one of that size, waiting for it as long as it takes; False once there is none."""
        assert into.buffer is not None
        rest = memoryview(into.buffer.data)
        while rest:
            for descriptor, _ in self._poll.poll():
                if descriptor == self._err:
                    self._listen()
                elif count := os.readv(self._out, [rest]):
                    rest = rest[count:]
                else:
                    self._hear_out()
                    return False
        if self._first:
            self._first = False
            self.rate = self._find_rate()
        return True

    def wait(self, seconds: float) -> bool:
        """Whether some of the next frame, or the end, comes within so many seconds."""
        waiting = select.poll()
        waiting.register(self._out, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def _listen(self) -> None:
        data = os.read(self._err, 65536)
        if not data:
            self._poll.unregister(self._err)
            self._spoken = True
        *lines, rest = (self._rest + (data or b"\n")).split(b"\n")
        self._rest = rest[-_LONGEST_LINE:]
        self._lines += (text for line in lines if (text := line[:_LONGEST_LINE].decode("utf-8", "replace").strip()))

    def _hear_out(self) -> None:
        """The last messages, which may come after the last picture."""
        waiting = select.poll()
        waiting.register(self._err, select.POLLIN)
        while not self._spoken and waiting.poll(_CLOSING * 1000):
            self._listen()

    def _find_rate(self) -> float:
        video = next((line for line in self._lines if line.startswith("Stream #0:") and ": Video: " in line), "")
        rates = {name: float(value) for value, name in _RATE.findall(video)}
        rate = rates.get("fps") or rates.get("tbr") or self.rate
        return rate if 1 <= rate <= 240 else self.rate

    @property
    def said(self) -> str:
        """The last of ffmpeg's messages that says something. Addresses and passwords may be in it."""
        said = [line for line in self._lines if not line.startswith(_CHATTER)]
        return _LIST.sub("", last_line("\n".join(said)))

    def close(self) -> None:
        """End ffmpeg at once: a `read` that waits returns False. May be called twice."""
        with suppress(ProcessLookupError):
            self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_CLOSING)

    def release(self) -> None:
        """Close what `read` reads from, once nobody is in it any more."""
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def _listed(entry: int) -> list[str]:
    probe = ["-analyzeduration", "1", "-fpsprobesize", "0", "-protocol_whitelist", f"pipe,{PROTOCOLS}"]
    return [*probe, "-f", "concat", "-safe", "0", "-i", f"pipe:{entry}"]


def _entry(url: str) -> int:
    """The address as a list of one entry, and how to open it; a file that has no name."""
    options = {**_PROBE, "rw_timeout": _SILENCE}
    if url.startswith(("rtsp:", "rtsps:")):
        # over UDP, what is lost on the way tears the picture
        options |= {"rtsp_transport": "tcp", "timeout": _SILENCE}
    quoted = url.replace("'", r"'\''")
    lines = ["ffconcat version 1.0", f"file '{quoted}'", *(f"option {name} {value}" for name, value in options.items())]
    descriptor = os.memfd_create("vcam-address")
    os.write(descriptor, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
