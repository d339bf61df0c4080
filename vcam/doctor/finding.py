"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """`PROBLEM`: `vcam start` would fail. `WARNING`: it runs, but something is worse than it could be."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of one check.

    `seen` is a sentence; `cure` are the commands to type, or a sentence where there is none. `exit_status` is how
    `vcam start` would end because of a problem.
    """

    name: str
    status: Status
    seen: str
    cure: tuple[str, ...] = ()
    exit_status: int = 0


def ok(name: str, seen: str, *cure: str) -> Finding:
    """All is well; a cure is advice for those who see otherwise."""
    return Finding(name, Status.OK, seen, cure)


def warning(name: str, seen: str, *cure: str) -> Finding:
    """It runs, but."""
    return Finding(name, Status.WARNING, seen, cure)


def problem(name: str, seen: str, *cure: str, exit_status: int = 69) -> Finding:
    """It does not run; by default because a device is missing."""
    return Finding(name, Status.PROBLEM, seen, cure, exit_status)
