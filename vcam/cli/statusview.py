"""`vcam status` as a table for people."""

from __future__ import annotations

import time
from typing import Any

from rich.table import Table
from rich.text import Text

from vcam.printable import printable

_COLOURS = {"live": "green", "degraded": "red", "paused": "yellow", "learning": "yellow", "stuck": "red"}


def status_table(status: dict[str, Any]) -> Table:
    """The table of what the daemon's `status` method gives."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")

    def row(name: str, value: str | Text) -> None:
        text = value if isinstance(value, Text) else Text(value)
        if not text.plain.isprintable():
            text = Text(printable(text.plain))
        table.add_row(name, text)

    state = status["state"]
    since = ": ".join(part for part in (_span(status["since_s"]), status["cause"]) if part)
    row("state", Text.assemble((state, _COLOURS.get(state, "")), f", {since}"))
    row("readers", "somebody watches" if status["watched"] else "nobody watches")
    camera = status["camera"]
    row("camera", f"{camera['description']}, {'on' if camera['on'] else 'off'}")
    for output in status["outputs"]:
        row("output", output_words(output))
    row("picture", f"{status['size']}, background {status['background']}")
    row("network", _network(status))
    if room := status.get("room"):
        row("room", room_words(room))
    frames = f"{status['fps_in']:g} a second in, {status['fps_out']:g} out of {status['fps']:g}"
    age = status.get("frame_age_s")
    row("frames", frames if age is None else f"{frames}; the last picture {age:.1f} s ago")
    row("lost", _lost(status))
    stages = ", ".join(f"{name} {ms:.2f}" for name, ms in status["cpu_ms"].items())
    row("CPU", f"{sum(status['cpu_ms'].values()):.1f} ms a frame ({stages}); {status['cpu_percent']:g} % of a core")
    if latency := status["latency_ms"]:
        row("latency", ", ".join(f"{name} {ms:.1f} ms" for name, ms in latency.items()))
    row("memory", f"{status['rss_mb']:.0f} MB")
    profile = f", profile {status['profile']}" if status["profile"] else ""
    row("process", f"{status['pid']}, vcam {status['version']}, up {_span(status['uptime_s'])}{profile}")
    if error := status["last_error"]:
        row("last error", Text(f"{error['message']}, {_span(error['age_s'])} ago", "red"))
    return table


def cure(status: dict[str, Any]) -> str:
    """What to do about the last error; empty for nothing. No part of the table, which would break a command in it."""
    error = status["last_error"]
    return printable(f"  try: {error['hint']}") if error and error["hint"] else ""


def output_words(output: dict[str, Any]) -> str:
    """What an output is, and what has become of it."""
    how = "given up" if output["given_up"] else "" if output["open"] else "not there at the moment"
    parts = [str(output["description"]), *([how] if how else [])]
    if output.get("kind") in ("stream", "record"):
        parts += _sent(output)
    if output.get("kind") == "preview":
        parts.append(f"{output['viewers']} at it")
        if output.get("see_the_room"):
            parts.append(f"{output['see_the_room']} of them looking at the room as the camera sees it")
    return ", ".join(parts)


def _sent(output: dict[str, Any]) -> list[str]:
    """What becomes of the picture of a stream or recording."""
    parts = [f"{output['state']} for {_span(output['since_s'])}"]
    parts += [output[name] for name in ("error", "encoder") if output[name]]
    level = f" at {output['level_db']:.0f} dB" if "level_db" in output else ""
    parts.append(f"sound: {output['sound']}{level}")
    if output["kind"] == "record":
        parts.append(f"{output['written_kb'] / 1000:.1f} MB")
    elif "frames" in output:
        parts += [f"{output['bitrate_kbit']} kbit/s", f"{output['frames']} frames sent"]
        parts += [f"{output[name]} {what}" for name, what in (("doubled", "doubled"), ("left_out", "left out"))]
    if output["dropped"]:
        parts.append(f"{output['dropped']} dropped")
    return parts


def _network(status: dict[str, Any]) -> str:
    network = status["segmenter"] or "none"
    if not status["skipped"]:
        return network
    return f"{network}; not asked for {status['skipped']} of {status['frames']} frames, in which nothing moved"


def room_words(room: dict[str, Any]) -> str:
    """What is known of the room, and why that is not used."""
    if not room["kept"]:
        return f"not known; {room['rests']}"
    parts = [f"{kept_words(room['kept'], room['when'])}, {room['known']:.0%} known"]
    if room["agreement"] is not None:
        parts.append(f"agrees by {max(room['agreement'], 0):.0%}")
    if room["rests"]:
        parts.append(f"not used: {room['rests']}")
    return "; ".join(parts)


def kept_words(kept: str, when: float) -> str:
    """Where what is known comes from: "told on 2026-11-28 18:40"."""
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(when))
    return f"{kept} on {at}" if kept != "learnt" else f"{kept} since {at}"


def _lost(status: dict[str, Any]) -> str:
    parts = [
        (status["dropped"], "damaged or late from the camera"),
        (status["repeated"], "bridged while the camera hung"),
        (status["without_person"], "shown without the person"),
        (sum(output["dropped"] for output in status["outputs"]), "not taken by an output"),
    ]
    return "; ".join(f"{count} {why}" for count, why in parts if count) or "nothing"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
