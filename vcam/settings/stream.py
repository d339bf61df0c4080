"""The settings of streams and recordings, a section of the tree in `vcam.settings.tree`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct

from vcam.settings.field import Paths, setting


class StreamSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the picture is sent or recorded, beside the outputs; live changes are for what begins afterwards."""

    rtmp: Annotated[
        tuple[str, ...],
        setting("Send the picture to this server: rtmp, rtmps, srt, rtsp or udp URL, a name before it if you like: "
                "main=rtmp://...; may be repeated.", option="--rtmp", metavar="[NAME=]URL", secret=True),
    ] = ()  # fmt: skip
    record: Annotated[
        str,
        setting("Record into this file (.mkv .mp4 .mov) or folder; %Y-%m-%d-%H%M%S and the like stand for the time.",
              option="--record", metavar="FILE", paths=Paths.ALWAYS),
    ] = ""  # fmt: skip
    key_file: Annotated[
        str,
        setting("A file with the stream key, for URLs that end with the application.",
                live=True, option="--rtmp-key-file", metavar="FILE", paths=Paths.ALWAYS),
    ] = ""  # fmt: skip
    bitrate: Annotated[
        int,
        setting("Bit rate of the picture; 0 to go by its size.", live=True, unit="kbit/s", option="--bitrate", ge=0,
                le=200_000),
    ] = 0  # fmt: skip
    audio: Annotated[
        str,
        setting("Sound: none, silent, default (the microphone that programs get), a PulseAudio or ALSA device, or auto "
              "(silent for RTMP, else none).", live=True, option="--audio", metavar="SOUND",
                words=("none", "silent", "default", "auto"), min_length=1),
    ] = "auto"  # fmt: skip
    encoder: Annotated[
        Literal["auto", "libx264", "h264_vaapi", "h264_qsv", "h264_nvenc", "libopenh264"],
        setting("The encoder of streams; auto takes the first that works.", live=True),
    ] = "auto"
    tls: Annotated[
        str,
        setting("Which certificates rtmps trusts: those of the system, any (nothing is checked), or those in a file.",
              live=True, words=("system", "any"), paths=Paths.ALWAYS, min_length=1),
    ] = "system"  # fmt: skip
    codec: Annotated[Literal["h264", "hevc", "av1"], setting("What recordings are encoded as.", live=True)] = "h264"
    overwrite: Annotated[
        bool,
        setting("Overwrite a file that exists: a recording, or the file of an output. Never one that vcam reads.",
                live=True, option="--overwrite"),
    ] = False  # fmt: skip
    split: Annotated[
        str,
        setting("Begin a new file after this time or size: 30s, 10min, 1h, 500MB, 2GB; empty for never.",
              live=True, pattern=r"^(\d{1,6}(\.\d+)?(s|min|h|MB|GB))?$"),
    ] = ""  # fmt: skip
    keep_free: Annotated[
        float, setting("Recording ends when less than this is left on the disk.", live=True, unit="MB", ge=0, le=1e9)
    ] = 500.0
