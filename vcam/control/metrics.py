"""The figures of a vcam that runs, as Prometheus reads them.

Names follow https://prometheus.io/docs/practices/naming: the prefix vcam, base units (seconds, bytes, ratios from 0 to
1) as suffixes, `_total` for what only grows. A state is one gauge for each that there may be, 1 for the one that is, so
that queries and alarms find every state from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from vcam.printable import printable

STATES = ("starting", "idle", "waiting", "live", "degraded", "paused", "learning", "stopping", "stuck")
"""Of the virtual camera."""

SENDING = ("connecting", "streaming", "waiting", "failed", "stopped")
"""Of a stream."""


class _Figure(NamedTuple):
    """A family of one value: its name, its key in the status, and what the key's value is multiplied with."""

    name: str
    key: str
    help: str
    factor: float = 1


_GAUGES = (
    _Figure("vcam_camera_frames_per_second", "fps_in", "Frames a second that the camera sends"),
    _Figure("vcam_output_frames_per_second", "fps_out", "Frames a second that leave vcam"),
    _Figure("vcam_cpu_ratio", "cpu_percent", "Share of a core that the process takes", 0.01),
    _Figure("vcam_resident_memory_bytes", "rss_mb", "Resident memory", 1e6),
    _Figure("vcam_threads", "threads", "Threads of the process"),
    _Figure("vcam_uptime_seconds", "uptime_s", "Time since the start"),
)
_COUNTERS = (
    _Figure("vcam_frames_total", "frames", "Frames composited"),
    _Figure("vcam_dropped_frames_total", "dropped", "Frames of the camera that were damaged or came too late"),
    _Figure("vcam_repeated_frames_total", "repeated", "Frames shown again because the camera sent none"),
    _Figure("vcam_personless_frames_total", "without_person", "Frames shown without any person: there was no matte"),
    _Figure("vcam_skipped_frames_total", "skipped", "Frames for which the network was not asked: nothing had moved"),
)
_STREAM_GAUGES = (_Figure("vcam_stream_bytes_per_second", "bitrate_kbit", "What the stream sends", 125),)
_STREAM_COUNTERS = (
    _Figure("vcam_stream_connections_total", "connections", "How often a server has taken the stream"),
    _Figure("vcam_stream_dropped_frames_total", "dropped", "Frames that encoder or network could not take in time"),
    _Figure("vcam_stream_frames_total", "frames", "Frames sent since the last connection"),
    _Figure("vcam_stream_sent_bytes_total", "sent_kb", "What was sent since the last connection", 1000),
    _Figure("vcam_stream_doubled_frames_total", "doubled", "Frames sent twice since the last connection"),
    _Figure("vcam_stream_left_out_frames_total", "left_out", "Frames left out since the last connection"),
)
_RECORD_COUNTERS = (
    _Figure("vcam_recording_written_bytes_total", "written_kb", "What was written to the present files", 1000),
    _Figure("vcam_recording_dropped_frames_total", "dropped", "Frames that encoder or disk could not take in time"),
)


def prometheus_text(status: dict[str, Any]) -> str:
    """The figures in Prometheus' text format 0.0.4, from what the method `status` tells."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: dict[str, Any]) -> Iterator[str]:
    yield from _family("vcam_build_info", "The version of vcam", "gauge", [({"version": status["version"]}, 1)])
    yield from _figures(_GAUGES, "gauge", [({}, status)])
    yield from _figures(_COUNTERS, "counter", [({}, status)])
    age, room = status.get("frame_age_s"), status["room"]
    yield from _one("vcam_frame_age_seconds", "Time since the last picture was shown", age)
    yield from _one("vcam_room_known_ratio", "Share of the room that is known", room["known"])
    yield from _one("vcam_room_agreement_ratio", "How much what is known of the room agrees", room["agreement"])
    yield from _one("vcam_watched", "Whether somebody reads the virtual camera", int(status["watched"]))
    yield from _one("vcam_camera_on", "Whether the camera is on", int(status["camera"]["on"]))
    yield from _family("vcam_state", "1 for what vcam does, 0 for all else", "gauge", _each(STATES, status["state"]))
    stages = [({"stage": stage}, ms / 1000) for stage, ms in status["cpu_ms"].items()]
    yield from _family("vcam_frame_cpu_seconds", "CPU that a frame takes, by stage", "gauge", stages)
    latency = [({"quantile": f"{int(name[1:]) / 100:g}"}, ms / 1000) for name, ms in status["latency_ms"].items()]
    yield from _family("vcam_latency_seconds", "From capture to delivery, of the last frames", "summary", latency)
    yield from _outputs(status["outputs"])


def _outputs(outputs: list[dict[str, Any]]) -> Iterator[str]:
    named = [({"output": output["description"]}, int(output["open"])) for output in outputs]
    yield from _family("vcam_output_open", "Whether the output takes pictures", "gauge", named)
    streams = [({"stream": output["name"]}, output) for output in outputs if output.get("kind") == "stream"]
    states = [(label | state, value) for label, output in streams for state, value in _each(SENDING, output["state"])]
    yield from _family("vcam_stream_state", "1 for what the stream does, 0 for all else", "gauge", states)
    yield from _figures(_STREAM_GAUGES, "gauge", streams)
    yield from _figures(_STREAM_COUNTERS, "counter", streams)
    # several may be made at once, each of many files: a label of the file would make series without end
    records = [output for output in outputs if output.get("kind") == "record"]
    made = {key: sum(output[key] for output in records) for _, key, *_ in _RECORD_COUNTERS if records}
    yield from _figures(_RECORD_COUNTERS, "counter", [({}, made)])


def _each(states: Iterable[str], present: str) -> list[tuple[dict[str, str], float]]:
    return [({"state": state}, int(state == present)) for state in states]


def _figures(
    figures: Iterable[_Figure], kind: str, told: Iterable[tuple[Mapping[str, str], Mapping[str, Any]]]
) -> Iterator[str]:
    """Families of what each of `told` says; what it does not say is left out."""
    told = list(told)
    for name, key, help_, factor in figures:
        values = [(labels, values[key] * factor) for labels, values in told if values.get(key) is not None]
        yield from _family(name, help_, kind, values)


def _one(name: str, help_: str, value: float | None) -> Iterator[str]:
    return _family(name, help_, "gauge", [] if value is None else [({}, value)])


def _family(name: str, help_: str, kind: str, values: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    """A family of samples by their labels; nothing if there is none.

    Prometheus refuses all figures if two samples have the same labels: of two outputs that are called the same, as a
    file that was given up and is tried anew, the last counts.
    """
    samples = {
        ",".join(f'{label}="{_text(word)}"' for label, word in labels.items()): value for labels, value in values
    }
    if samples:
        yield f"# HELP {name} {help_}"
        yield f"# TYPE {name} {kind}"
    for text, value in samples.items():
        yield f"{name}{{{text}}} {_number(value)}" if text else f"{name} {_number(value)}"


def _number(value: float) -> str:
    """Without what multiplying adds behind the last digit that counts."""
    return repr(round(value, 9)) if isinstance(value, float) else str(value)


def _text(word: str) -> str:
    """A label's value in the text format."""
    return printable(word).replace("\\", r"\\").replace('"', r"\"")
