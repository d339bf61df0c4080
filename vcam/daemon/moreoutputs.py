"""`vcam output`: outputs added and removed while vcam runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from vcam.daemon.base import Life
from vcam.daemon.beside import begin, end, in_thread
from vcam.daemon.targets import nodes_of, refuse_camera_as_output
from vcam.errors import UsageError
from vcam.files import Overwriting
from vcam.folders import expand
from vcam.output.base import Output
from vcam.output.encoded.record import RecordOutput
from vcam.output.encoded.stream import StreamOutput
from vcam.output.factory import is_file, make_output
from vcam.pipeline import give_cards
from vcam.secrets import redact
from vcam.settings import files_read
from vcam.settings.locked import refuse_locked

METHODS = frozenset(("output_add", "output_remove"))
"""The methods of the control socket that `MoreOutputs.handle` carries out."""

_LIST = "vcam output list shows them"


class MoreOutputs:
    """Adds and removes outputs of a daemon that runs; for the control socket's thread."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def handle(self, method: str, params: Any) -> Future[dict[str, Any]]:
        """Carry out one of `METHODS`. The future holds what the client is told, or the error."""
        if method == "output_add":
            return begin(self._life, lambda: self._make(params.target, params.overwrite), params.target)
        return in_thread(lambda: {"stopped": end(self._life, self._meant(params.target), _LIST)})

    def _make(self, target: str, overwrite: bool) -> Output:
        settings = self._life.settings
        refuse_locked(("output.targets",))
        if target == "window":
            raise UsageError("a window cannot be opened by a vcam that runs already", "vcam preview shows its picture")
        if target == "-":
            raise UsageError("the standard output cannot be added to a vcam that runs", "a file: vcam output add x.y4m")
        if any(_is_same(target, other) for other, _ in self._life.outlets.targets):
            raise UsageError(f"{target} is an output already", _LIST)
        refuse_camera_as_output(settings, (target,))
        rule = Overwriting(overwrite or settings.stream.overwrite, lambda: files_read(self._life.settings))
        output = make_output(target, live=True, rule=rule)
        give_cards([output])
        return output

    def _meant(self, target: str) -> Callable[[Output], bool]:
        named = {id(output) for other, output in self._life.outlets.targets if _is_same(target, other)}
        if not named:
            if instead := self._ended_otherwise(target):
                raise UsageError(*instead)
            kinds = [output.description for _, output in self._life.outlets.targets]
            # the address of a stream that does not run has its key in it
            shown = redact(target) if "://" in target else target
            raise UsageError(f"{shown} is no output of this vcam", f"there is {', '.join(kinds) or 'none'}; {_LIST}")
        return lambda output: id(output) in named

    def _ended_otherwise(self, target: str) -> tuple[str, str] | None:
        """What the list shows as well but has commands of its own: what it is, and how it is ended."""
        for output in self._life.outlets.outputs:
            if isinstance(output, StreamOutput) and target in (output.name, output.url, output.description):
                return f"{output.name} is a stream", f"vcam stream stop {output.name}"
            if isinstance(output, RecordOutput) and _is_same(target, output.status()["file"]):
                return f"{target} is a recording", "vcam record stop"
        return None


def _is_same(one: str, other: str) -> bool:
    """Whether two targets mean the same place."""
    if one == other:
        return True
    if is_file(one) and is_file(other):
        return os.path.realpath(expand(one)) == os.path.realpath(expand(other))
    nodes = nodes_of(one)
    return bool(nodes) and nodes == nodes_of(other)
