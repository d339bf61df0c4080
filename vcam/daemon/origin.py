"""Where the settings of a daemon that runs come from, and which of them were changed while it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vcam.daemon.changes import Change, with_changes
from vcam.errors import UsageError, VcamError
from vcam.settings import FIELDS, Settings, config_path, flatten, load, read_config


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the settings of this daemon came from when it was started, so that they can be read again."""

    options: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    profile: str = field(default_factory=lambda: os.environ.get("VCAM_PROFILE", ""))
    path: Path = field(default_factory=config_path)

    def read(self, profile: str = "") -> Settings:
        """The settings as at the start, with the config file as it is now.

        What `profile` says goes before everything else then: somebody has just asked for it. Raises as `load` does.
        """
        if not profile or profile == self.profile:
            return load(self.options, assignments=self.assignments, profile=self.profile, path=self.path).settings
        layer = read_config(self.path, profile)[-1]
        # without the profile of the start, which the other one replaces
        environ = {name: value for name, value in os.environ.items() if name != "VCAM_PROFILE"}
        bare = load(self.options, assignments=self.assignments, environ=environ, path=self.path).settings
        try:
            return with_changes(bare, layer.values, layer.origin)
        except UsageError as error:
            raise layer.error(error.message, error.hint) from error

    def own(self, profile: str) -> frozenset[str]:
        """The keys that a profile of the config file sets; none for no profile, or one that is not to be had."""
        try:
            return frozenset(read_config(self.path, profile)[-1].values) if profile else frozenset()
        except VcamError:
            return frozenset()


class LiveChanges:
    """What was changed while vcam runs, by whatever means. It lasts over a change of profile, but for what the new
    profile sets itself; that comes back with the next profile that does not set it. For the changer's worker alone.
    """

    def __init__(self, origin: Origin, settings: Settings) -> None:
        """settings: those of the start."""
        self._origin, self.profile = origin, origin.profile
        self._given, self._made = settings, dict[str, Any]()
        self._next = self.profile, self._given, self._made

    def go_over(self, present: Settings, profile: str) -> Settings:
        """The settings under another profile, or under none; `settle` makes it so. Raises as `Origin.read`."""
        given, made, own = self._origin.read(profile), self._found(present), self._origin.own(profile)
        self._next = profile, given, made
        return with_changes(given, {key: value for key, value in made.items() if key not in own})

    def forget(self, present: Settings) -> Settings:
        """The settings without what was changed; `settle` makes it so. Raises as `Origin.read`."""
        given = self._origin.read(self.profile)
        self._next = self.profile, given, {}
        return given

    def settle(self, done: Future[Change]) -> None:
        """What was asked for last has been done, or not."""
        if not done.cancelled() and not done.exception():
            self.profile, self._given, self._made = self._next

    def _found(self, present: Settings) -> dict[str, Any]:
        now, given = flatten(present), flatten(self._given)
        try:
            # what was saved meanwhile is a part of the file now
            saved = flatten(self._origin.read(self.profile))
        except VcamError:
            saved = given
        own = self._origin.own(self.profile)
        hidden = {key: value for key, value in self._made.items() if key in own}
        live = {key: value for key, value in now.items() if FIELDS[key].live and value not in (given[key], saved[key])}
        return hidden | live
