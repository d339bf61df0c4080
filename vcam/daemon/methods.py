"""The methods of the control socket: what each does, and the socket's life beside that of the daemon.

A message goes from thread to thread. Server and loop never wait for another one; the worker waits for the loop.

    server   `vcam.control.server` takes the line apart and calls `Control`, which returns what can be told at once, and
             for everything else a future
    worker   the life's `Changer` makes the parts ready that a change of settings needs; for a stream or a recording a
             thread of `Streams` opens the output
    loop     between two frames, by way of the `Mailbox`: the parts are exchanged, the output is added, the pause begins
    server   the future is done, and the client is told what is in it
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from vcam import __version__
from vcam.control.http import HttpServer
from vcam.control.place import DEFAULT_NAME, NameLock, socket_path
from vcam.control.protocol import Request, notification
from vcam.control.server import Client, Server
from vcam.control.viewers import Viewers, ViewerServer, viewers_path
from vcam.daemon import moreoutputs, rounds, streams, toggles
from vcam.daemon.base import Life, State
from vcam.daemon.changes import Change, with_changes
from vcam.daemon.lesson import Lesson, Progress
from vcam.daemon.origin import LiveChanges, Origin
from vcam.daemon.status import snapshot
from vcam.errors import DeviceError, VcamError
from vcam.frames import MadeFrom
from vcam.printable import json_text
from vcam.settings import Settings, find_field, flatten, read_profiles
from vcam.settings.shown import as_meant, without_secrets

log = logging.getLogger(__name__)

LOOP_PATIENCE = 0.8
"""Seconds that a request waits for the loop before it is answered that this hangs."""


class Control:
    """Lets other processes steer a life; a context manager around its `run`."""

    def __init__(self, life: Life, origin: Origin, name: str = DEFAULT_NAME) -> None:
        """Take the name and open the socket. Raises `DeviceError` if another daemon has the name.

        Without a place for the socket the daemon does its work all the same, with a warning.
        """
        self._life, self._origin, self._name = life, origin, name
        self._changes = LiveChanges(origin, life.settings)
        self._streams, outputs = streams.Streams(life), moreoutputs.MoreOutputs(life)
        self._handlers = dict.fromkeys(streams.METHODS, self._streams.handle)
        self._handlers |= dict.fromkeys(moreoutputs.METHODS, outputs.handle)
        self._terminal = os.isatty(2)
        self._http: HttpServer | None = None
        self._server: Server | None = None
        self._viewers: ViewerServer | None = None
        # answers that are owed, and since when; for the server's thread
        self._waiting: list[tuple[Future[dict[str, Any]], float]] = []
        # whose pause it is, "" for a person's; None while there is none
        self._paused_by: str | None = None
        self._lock: NameLock | None = None
        try:
            self._lock = NameLock(name)
            self._server = Server(socket_path(name), self._handle, self._tick)
            self._viewers = ViewerServer(viewers_path(name), self._viewers_came, self._viewers_gone, self._made_from)
        except DeviceError:
            raise
        except (VcamError, OSError) as error:
            log.warning("vcam cannot be steered while it runs: %s", error)
        life.observers.append(self._entered)

    @property
    def signals(self) -> dict[int, Callable[[], object]]:
        """What signals mean to a daemon."""
        return {signal.SIGHUP: self._hang_up, signal.SIGUSR1: self.dump}

    def __enter__(self) -> Control:
        if self._server:
            self._server.start()
        if self._viewers:
            self._viewers.start()
        if port := self._life.settings.daemon.metrics_port:
            try:
                self._http = HttpServer(port, self._status)
            except VcamError:
                self.__exit__()
                raise
            self._http.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._http:
            self._http.__exit__()
        if self._viewers:
            self._viewers.close()
        if self._server:
            self._server.close()
        if self._lock:
            self._lock.release()

    def reload(self) -> Future[Change]:
        """Read the config file again. What is broken is logged, and the old settings stay."""
        self._life.notifier.reloading()
        done = self._life.changer.change(self._changes.forget, strict=False)
        done.add_done_callback(self._reloaded)
        return done

    def _reloaded(self, done: Future[Change]) -> None:
        _report_reload(done)
        error = None if done.cancelled() else done.exception()
        self._changes.settle(done)
        self._life.notifier.ready(f"{self._life.words}; the old settings stay: {error}" if error else self._life.words)

    def dump(self) -> None:
        """Write the status into the log, as one line."""
        if self._server:
            # not here: the signal may have come while the log was being written to
            self._server.post(lambda: log.warning("status: %s", json_text(self._status())))

    def _hang_up(self) -> None:
        """SIGHUP means to read the settings again, unless it says that the terminal is gone."""
        if self._terminal and not os.isatty(2):
            self._life.stop()
        else:
            # not here: the signal may have come while the loop held a lock that this takes
            self._life.mailbox.post(self.reload)

    def _status(self) -> dict[str, Any]:
        more = {"name": self._name, "profile": self._changes.profile, "config": str(self._origin.path)}
        return snapshot(self._life) | more

    def _handle(self, client: Client, request: Request, params: Any) -> Any:
        if handle := self._handlers.get(request.method):
            return self._patiently(handle(request.method, params))
        method: Callable[[Client, Any], Any] = getattr(self, f"_do_{request.method}")
        return method(client, params)

    def _patiently(self, done: Future[Any], more: Mapping[str, Any] = {}) -> Future[dict[str, Any]]:
        """An answer that waits for the work, but not for a loop that hangs: then it says so, and the work goes on.

        What is wrong with a change is told first; it is found without the loop. more: is told besides.
        """
        answer = _answer(done, more)
        if not answer.done():
            self._waiting.append((answer, time.monotonic()))
        return answer

    def _tell_what_hangs(self) -> None:
        now = time.monotonic()
        self._waiting = [waiting for waiting in self._waiting if not waiting[0].done()]
        if self._waiting and (stuck := self._life.stuck):
            for answer, since in self._waiting:
                if now - since >= LOOP_PATIENCE:
                    with suppress(InvalidStateError):
                        answer.set_result({"stuck": stuck})

    def _viewers_came(self, viewers: Viewers) -> None:
        outlets = self._life.outlets
        self._life.mailbox.post(lambda: outlets.add(viewers))

    def _viewers_gone(self, viewers: Viewers) -> None:
        self._life.mailbox.post(lambda: self._life.outlets.remove(lambda output: output is viewers))

    def _made_from(self) -> MadeFrom | None:
        """What the picture in hand was made from, for those who look: nothing in a pause, whatever was asked before."""
        pipeline = self._life.pipeline
        return pipeline.made_from if pipeline and not self._life.outlets.hidden else None

    def _do_version(self, client: Client, params: Any) -> dict[str, Any]:
        return {"version": __version__, "protocol": 1}

    def _do_status(self, client: Client, params: Any) -> dict[str, Any]:
        return self._status()

    def _do_get(self, client: Client, params: Any) -> dict[str, Any]:
        values = without_secrets(flatten(self._life.settings))
        if not params.key:
            return values
        key = find_field(params.key).key
        return {key: values[key]}

    def _do_set(self, client: Client, params: dict[str, Any]) -> Future[dict[str, Any]]:
        def wish(current: Settings) -> Settings:
            return with_changes(current, as_meant(params, flatten(current)))

        return self._patiently(self._life.changer.change(wish))

    def _do_background(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        def wish(current: Settings) -> Settings:
            step = rounds.STEPS.get(params.spec)
            spec = rounds.next_background(current.background.spec, step) if step else params.spec
            return with_changes(current, {"background.spec": spec})

        # also if it is the same one: the file may be another
        done = self._life.changer.change(wish, renew=frozenset(("background",)))
        return self._patiently(done)

    def _do_profile(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        name = params.name
        if step := rounds.STEPS.get(name):
            name = rounds.next_profile(list(read_profiles(self._origin.path)[1]), self._changes.profile, step)
        done = self._life.changer.change(lambda current: self._changes.go_over(current, name), strict=False)
        done.add_done_callback(self._changes.settle)
        return self._patiently(done, {"profile": name})

    def _do_pause(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        return self._soon(self._pause(params.by))

    def _do_resume(self, client: Client, params: Any) -> Future[dict[str, Any]] | dict[str, Any]:
        if params.by and params.by != self._paused_by:
            # a person has paused meanwhile, or has ended the pause
            return {}
        return self._soon(self._resume())

    def _pause(self, by: str = "") -> Future[None]:
        if not by or self._paused_by is None:
            self._paused_by = by
        return self._life.pause()

    def _resume(self) -> Future[None]:
        self._paused_by = None
        return self._life.resume()

    def _soon(self, done: Future[Any], more: Mapping[str, Any] = {}) -> Future[dict[str, Any]]:
        """An answer that does not wait long for the loop: it says so if that hangs. more: is told besides."""
        answer = _answer(done, more)

        def hangs() -> None:
            # the loop may come back at this very moment
            with suppress(InvalidStateError):
                answer.set_result({"stuck": self._life.stuck or f"no answer from the loop for {LOOP_PATIENCE:g} s"})

        if self._life.stuck:
            hangs()
        elif not done.done():
            waiting = threading.Timer(LOOP_PATIENCE, hangs)
            waiting.daemon = True
            waiting.start()
            done.add_done_callback(lambda done: waiting.cancel())
        return answer

    def _do_toggle(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        life, what = self._life, params.what
        if what == "pause":
            paused = life.state is State.PAUSED
            return self._soon(self._resume() if paused else self._pause(), {"toggled": what, "on": not paused})
        if what == "record":
            done, begun = self._streams.toggle_record(params.value)
            return self._patiently(done, {"toggled": what, "on": begun})
        wish = toggles.mirror if what == "mirror" else toggles.toggle_filter(params.value)
        told = {"toggled": what, "on": not toggles.is_on(life.settings, what, params.value)}

        def switch(settings: Settings) -> Settings:
            # known only now: another change may have come before
            told["on"] = not toggles.is_on(settings, what, params.value)
            return wish(settings)

        return self._patiently(life.changer.change(switch), told)

    def _do_reload(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        return self._patiently(self.reload())

    def _do_stop(self, client: Client, params: Any) -> dict[str, Any]:
        self._life.stop()
        return {}

    def _do_subscribe(self, client: Client, params: Any) -> dict[str, Any]:
        client.events = frozenset(params.events)
        return self._status()

    def _do_room_learn(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        lesson = Lesson(params.wait, force=params.force, tell=self._tell_progress)
        self._life.learn(lesson)
        answer = self._patiently(lesson.done)
        # the client has gone, or has been told that the loop hangs: nobody is there for whom to go on
        answer.add_done_callback(lambda answer: self._life.break_off(lesson))
        return answer

    def _tell_progress(self, progress: Progress) -> None:
        if self._server:
            line = notification("learning", progress._asdict())
            self._server.post(lambda: self._publish("learning", line))

    def _do_room_forget(self, client: Client, params: Any) -> Future[dict[str, Any]]:
        done: Future[dict[str, Any]] = Future()

        def forget() -> None:
            pipeline = self._life.pipeline
            if pipeline is None:
                raise VcamError("vcam is starting", "try again in a moment")
            pipeline.matting.forget_room().add_done_callback(lambda removed: _pass_on(removed, done))

        self._life.mailbox.post(forget).add_done_callback(
            lambda posted: _pass_on(posted, done) if posted.cancelled() or posted.exception() else None
        )
        return self._soon(done)

    def _entered(self, state: State, cause: str) -> None:
        if self._server:
            line = notification("state", {"state": state.value, "cause": cause})
            self._server.post(lambda: self._publish("state", line))

    def _publish(self, event: str, line: bytes) -> None:
        if self._server:
            self._server.publish(event, line)

    def _tick(self) -> None:
        self._tell_what_hangs()
        if self._server and self._server.subscribed("metrics"):
            self._server.publish("metrics", notification("metrics", self._status()), droppable=True)


def _answer(done: Future[Any], more: Mapping[str, Any] = {}) -> Future[dict[str, Any]]:
    """A future of what the client is told, from one of what was done; `more` is told besides."""
    answer: Future[dict[str, Any]] = Future()

    def finish(future: Future[Any]) -> None:
        error: BaseException | None = VcamError("vcam is stopping", "start it again: vcam start")
        if not future.cancelled():
            error = future.exception()
        try:
            if error:
                answer.set_exception(error)
            else:
                answer.set_result({**_told(future.result()), **more})
        except InvalidStateError:
            # it has been answered that the loop hangs, or nobody waits for it any more
            if error and not answer.cancelled():
                log.warning("asked for while the loop hung: %s", error)

    done.add_done_callback(finish)
    return answer


def _pass_on(source: Future[Any], target: Future[dict[str, Any]]) -> None:
    """Tell of a room that was forgotten what the one future knows to the other."""
    if source.cancelled():
        target.cancel()
    elif error := source.exception():
        target.set_exception(error)
    else:
        target.set_result({"forgotten": source.result()})


def _told(result: Any) -> dict[str, Any]:
    if isinstance(result, Change):
        return {"changed": without_secrets(result.changed), "restart": list(result.restart)}
    return result if isinstance(result, dict) else {}


def _report_reload(done: Future[Change]) -> None:
    if done.cancelled():
        return
    if error := done.exception():
        log.error("the old settings stay: %s", error)
    elif done.result().restart:
        log.warning("these take effect after a restart: %s", ", ".join(done.result().restart))
