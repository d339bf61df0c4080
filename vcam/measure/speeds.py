"""How long networks take on this machine: measured when somebody asks, kept in the cache folder, read by lists.

A figure belongs to the bytes of a network and to the processor; another of either is measured anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from vcam import folders
from vcam.errors import EngineError, VcamError
from vcam.files import replace_file
from vcam.infer.choices import engine_choices
from vcam.infer.runner import asking, open_engine
from vcam.models.cards import ModelCard
from vcam.segment.known import PICTURES, KnownPictures, picture
from vcam.timings import Usage

WARM_UP = 3
SHORTEST, FEWEST, MOST = 0.5, 5, 100
"""Seconds to measure for, and how many pictures at least and at most."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one picture takes with the best engine here, in milliseconds: on the clock, and of all cores together."""

    engine: str
    ms: float
    cpu_ms: float


def measure(card: ModelCard, clock: Callable[[], float] = time.perf_counter) -> Speed:
    """The speed of a network with the engine that vcam would take first. Raises `EngineError` if none runs it."""
    problems: list[str] = []
    for choice in engine_choices(card.network()):
        known = KnownPictures(card)
        try:
            engine = open_engine(choice, card.network(), known.all)
        except VcamError as error:
            problems.append(f"{choice.name}: {error.message}")
            continue
        try:
            ask = asking(engine)
            shown = [picture(name, card) for name in PICTURES]
            for _ in range(WARM_UP):
                ask(shown[0])
            begun, before, done = clock(), Usage.now(), 0
            while done < MOST and (done < FEWEST or clock() - begun < SHORTEST):
                ask(shown[done % len(shown)])
                done += 1
            used = Usage.now() - before
        finally:
            engine.close()
        return Speed(choice.name, round(1000 * used.wall / done, 2), round(1000 * used.cpu / done, 2))
    raise EngineError(f"{card.name} runs nowhere here: {'; '.join(problems)}", "vcam doctor tells more")


def known_speeds() -> dict[str, Speed]:
    """What was measured on this machine, by the networks' SHA-256; none if the file is broken."""
    try:
        table = json.loads(_file().read_text(encoding="utf-8"))
        return msgspec.convert(table[_processor()], dict[str, Speed])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def remember(card: ModelCard, speed: Speed) -> None:
    """Keep a figure for lists; where nothing can be kept, that is said once."""
    table = {_processor(): {key: asdict(entry) for key, entry in known_speeds().items()} | {card.sha256: asdict(speed)}}
    try:
        replace_file(_file(), json.dumps(table, indent=2))
    except VcamError as error:
        folders.cannot_keep("the speed of networks", _file(), error.message)


def _file() -> Path:
    return folders.own("cache") / "speeds.json"


def _processor() -> str:
    """The processor's name as Linux tells it; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    names = ("model name", "Model", "Hardware", "CPU part")
    return next((line.partition(":")[2].strip() for name in names for line in lines if line.startswith(name)), "")
