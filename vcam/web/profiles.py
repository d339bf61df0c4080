"""Profiles made on the page: what differs now gets a name, is saved under it, and taken out again.

They stand in the config file as `[profiles.NAME]`, among whatever else somebody has written there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from vcam.control.client import ControlClient
from vcam.errors import UsageError
from vcam.printable import printable
from vcam.settings import FIELDS
from vcam.settings.loading import read_profiles
from vcam.settings.locked import read_system, refuse_locked
from vcam.settings.saving import remove_profile, save
from vcam.web.differing import differing, is_whole

LONGEST = 40
"""Letters of a name."""

_MEANT = ("none", "next", "previous")
"""Words that commands take for something else than a name."""


def check_name(name: object) -> str:
    """The name of a new profile, without blanks round it. Raises `UsageError` for one that will not do."""
    plain = name.strip() if isinstance(name, str) else ""
    if not plain or len(plain) > LONGEST or printable(plain) != plain or plain[0] in "-.":
        raise UsageError("that cannot be a profile's name", f"use up to {LONGEST} letters and digits, as in evening")
    if plain.lower() in _MEANT:
        raise UsageError(f"{plain} has a meaning of its own: vcam profile {plain.lower()}", "take another name")
    return plain


def make(name: str, profile: str, *, anew: bool = False) -> dict[str, Any]:
    """Write what the vcam of that name has now, as far as it differs from the file without a profile, as `profile`.

    anew: there is one already, whose settings stay but for those written. Returns `saved` and `left`, keys, as
    `vcam.web.talk.keep` does, and `place`. Raises `UsageError` for a name that will not do, that is taken, or is not,
    for settings that are locked, and if nothing differs.
    """
    profile = check_name(profile)
    with ControlClient(name) as vcam:
        values, status = vcam.call("get"), vcam.call("status")
    path = Path(status["config"])
    known = read_profiles(path)[1]
    if anew and profile not in known:
        raise UsageError(f"there is no profile {profile}", "make it first")
    if not anew and profile in known:
        raise UsageError(f"there is a profile {profile} already", "take another name, or save into that one")
    changes, left = differing(values, path, "")
    # what the profile has and is as without it now goes on to count otherwise
    locked = read_system(os.environ).locked
    had = known[profile].values if anew else {}
    own = [key for key in had if key in FIELDS and FIELDS[key].live and key not in locked]
    changes |= {key: values[key] for key in own if key not in left and is_whole(FIELDS[key], values[key])}
    if not changes:
        raise UsageError("nothing differs from your settings without a profile", "change something first")
    refuse_locked(changes)
    save(path, changes, profile)
    return {"saved": list(changes), "left": left, "place": f"{path} [profiles.{profile}]"}


def remove(name: str, profile: str) -> dict[str, Any]:
    """Take a profile out of the file. Raises `UsageError` for one that is in use or is not there."""
    with ControlClient(name) as vcam:
        status = vcam.call("status")
    if status["profile"] == profile:
        raise UsageError(f"{printable(profile)} is in use", "go over to another one first, or to none")
    remove_profile(Path(status["config"]), profile)
    return {"removed": profile}
