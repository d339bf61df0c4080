"""The control socket: many clients, one thread, everything bounded.

The thread shares Python's lock with the frame loop, so it does little at a time, one message for each client in turn,
and rests between: all clients together have a quarter of a core. Each has an allowance of its own as well. A client
that sends faster is not read until its allowance has grown again; one that sends nonsense is answered a few times,
slowly, and closed; one that does not read its answers is dropped.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from msgspec import UNSET

from vcam.control.allowance import Allowance
from vcam.control.place import peer_is_welcome
from vcam.control.protocol import (
    INVALID_REQUEST,
    MAX_LINE,
    PARSE_ERROR,
    UNKNOWN_METHOD,
    Request,
    RpcError,
    id_in,
    parse_params,
    parse_request,
    refusal,
    reply,
)

log = logging.getLogger(__name__)

MAX_CLIENTS = 128
MAX_UNSENT = 256 << 10
MAX_PENDING = 8
"""Requests of one client that wait for the loop; further ones are left in the socket."""
MAX_NONSENSE = 8
STUCK = 10.0
"""Seconds after which a client that does not take what was sent to it is dropped."""
REQUEST_RATE, REQUEST_BURST = 250.0, 150.0
"""Allowance of one client, in requests; each KiB counts as one more."""
CONNECT_RATE, CONNECT_BURST = 20.0, 250.0
NONSENSE_REST = 0.02
"""Seconds until the next message is taken of a client whose last one was nonsense."""
WORK_RATE, WORK_BURST = 0.25, 0.0006
"""Allowance of the thread, in seconds of CPU: a frame that is being made is held up for no longer than a burst."""
LONGEST_REST = 0.004
NOTICES, NOTICE_INTERVAL = 4, 0.005
"""So many are sent at once, and seconds to the next: a hundred in a row would be felt by the frame being made."""
TICK, QUIET = 0.5, 60.0
"""Seconds between two looks at the clients, and where there are none."""

_READ = 16 << 10
_PROTOCOL_ERRORS = frozenset((PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD))


class Client:
    """One connection. `events` are the notifications it has asked for."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.inbox, self.outbox = bytearray(), bytearray()
        self.notices: deque[bytes] = deque()
        self.allowance = Allowance(REQUEST_RATE, REQUEST_BURST)
        self.events: frozenset[str] = frozenset()
        self.nonsense = 0
        self.waits_for: set[Future[Any]] = set()
        self.resume_at = 0.0
        self.stuck_since: float | None = None
        self.closing = self.ended = self.gone = False

    @property
    def pending(self) -> int:
        """Requests whose answers are still to come."""
        return len(self.waits_for)

    @property
    def hung_up(self) -> bool:
        """Whether nobody is there any more to read an answer. One that only has nothing more to say is there."""
        poll = select.poll()
        poll.register(self.socket, 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


Handler = Callable[[Client, Request, Any], Any]
"""Carries out a request whose parameters have been checked: returns the result, a future of it, or raises. The future
is cancelled if the client goes before it is done."""


class Server:
    """Listens on a socket of the file system; see the module."""

    def __init__(self, path: Path, handle: Handler, tick: Callable[[], None] = lambda: None) -> None:
        """handle: called in the server's thread; tick: called there twice a second while there are clients. Raises
        `OSError`.

        The caller holds the lock that belongs to the socket: what lies at `path` is of a daemon that is dead.
        """
        self._path, self._handle, self._tick = path, handle, tick
        self._listener = _listen(path)
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._posted: deque[Callable[[], None]] = deque()
        self._noticed: deque[Client] = deque()
        self._notify_at = 0.0
        self._connects = Allowance(CONNECT_RATE, CONNECT_BURST)
        self._work, self._worked = Allowance(WORK_RATE, WORK_BURST), 0.0
        self._accepting = True
        self._stopping = False
        self.clients: set[Client] = set()
        self._thread = threading.Thread(target=self._run, name="vcam-control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread after what is to be sent has been tried once, and remove the socket."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        if self._thread.is_alive():
            self._thread.join(2.0)
        if not self._thread.is_alive():
            # not by the thread itself, which may end before it is woken
            os.close(self._wake)
        self._path.unlink(missing_ok=True)

    def post(self, call: Callable[[], None]) -> None:
        """Have `call` run in the server's thread."""
        self._posted.append(call)
        os.eventfd_write(self._wake, 1)

    def subscribed(self, event: str) -> bool:
        """Whether anybody has asked for that kind of notification."""
        return any(event in client.events for client in self.clients)

    def publish(self, event: str, line: bytes, *, droppable: bool = False) -> None:
        """Send to all that have asked for it, to one after the other in the time that comes; for the server's thread.

        droppable: a client that has not yet taken what was sent before is left out.
        """
        for client in list(self.clients):
            if event not in client.events or (droppable and (client.outbox or client.notices)):
                continue
            if len(client.notices) * len(line) > MAX_UNSENT:
                self._give_up(client)
                continue
            if not client.notices:
                self._noticed.append(client)
            client.notices.append(line)

    def _run(self) -> None:
        ticked = time.monotonic()
        self._worked = time.thread_time()
        while not self._stopping:
            try:
                for key, mask in self._selector.select(self._patience(ticked)):
                    self._ready(key, mask)
                    self._rest()
                self._run_posted()
                now = time.monotonic()
                if self._noticed and now >= self._notify_at:
                    self._notify_at = now + NOTICE_INTERVAL
                    for _ in range(min(NOTICES, len(self._noticed))):
                        self._notify_one()
                    self._rest()
                self._resume(now)
                if now - ticked >= TICK:
                    ticked = now
                    self._drop_stuck(now)
                    self._drop_gone()
                    self._tick()
            except Exception:
                # whatever it is, the camera stays steerable
                log.exception("the control socket")
                time.sleep(0.1)
        self._run_posted()
        while self._noticed:
            self._notify_one()
        for client in list(self.clients):
            self._drop(client)
        self._listener.close()
        self._selector.close()

    def _rest(self) -> None:
        """Leave Python to the frame loop for a moment if this thread has had its share."""
        worked = time.thread_time()
        self._work.left -= worked - self._worked
        self._worked = worked
        if not self._work.grow(time.monotonic()):
            time.sleep(min(self._work.wait, LONGEST_REST))

    def _notify_one(self) -> None:
        client = self._noticed.popleft()
        if client.gone:
            return
        self._send(client, client.notices.popleft())
        self._settle(client)
        if client.notices:
            self._noticed.append(client)

    def _patience(self, ticked: float) -> float:
        now = time.monotonic()
        tick = TICK if self.clients or not self._accepting else QUIET
        ends = [ticked + tick, *(client.resume_at for client in self.clients if client.resume_at)]
        if self._noticed:
            ends.append(self._notify_at)
        return max(0.0, min(ends) - now)

    def _ready(self, key: selectors.SelectorKey, mask: int) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj == self._wake:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._wake)
        else:
            client: Client = key.data
            if mask & selectors.EVENT_WRITE:
                self._flush(client)
                self._settle(client)
            if mask & selectors.EVENT_READ and not client.gone:
                self._read(client)

    def _run_posted(self) -> None:
        for _ in range(len(self._posted)):
            self._posted.popleft()()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            log.warning("the control socket cannot take another client: %s", error.strerror)
            self._connects.left = -0.1 * CONNECT_BURST
        else:
            self._connects.left -= 1
            if len(self.clients) >= MAX_CLIENTS or not peer_is_welcome(sock):
                sock.close()
            else:
                sock.setblocking(False)
                client = Client(sock)
                self.clients.add(client)
                self._selector.register(sock, selectors.EVENT_READ, client)
        if not self._connects.grow(time.monotonic()):
            self._accepting = False
            self._selector.unregister(self._listener)

    def _read(self, client: Client) -> None:
        try:
            data = client.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        if data:
            client.inbox += data
            client.allowance.left -= len(data) / 1024
        else:
            client.ended = True
        self._advance(client)

    def _advance(self, client: Client) -> None:
        """Take one of the lines that have come, if the allowance has something left; the next has its turn later."""
        client.resume_at = 0.0
        if not (client.closing or client.gone) and client.pending < MAX_PENDING:
            now = time.monotonic()
            if not client.allowance.grow(now):
                client.resume_at = now + client.allowance.wait
            elif (end := client.inbox.find(b"\n", 0, MAX_LINE + 1)) >= 0:
                line = bytes(client.inbox[:end])
                del client.inbox[: end + 1]
                client.allowance.left -= 1
                # set before, since an answer may be what lets the client go
                client.resume_at = now if client.inbox else 0.0
                if line.strip():
                    self._take(client, line)
            elif len(client.inbox) > MAX_LINE:
                self._refuse(client, None, RpcError(INVALID_REQUEST, f"a line may have {MAX_LINE} bytes"))
                client.closing = True
        self._settle(client)

    def _settle(self, client: Client) -> None:
        """Bring what the client is waited for in line with what it may do."""
        if client.gone:
            return
        idle = not client.pending and not client.outbox
        if idle and (client.closing or (client.ended and not client.resume_at)):
            self._drop(client)
            return
        full = client.closing or client.ended or client.resume_at or client.pending >= MAX_PENDING
        wanted = (0 if full else selectors.EVENT_READ) | (selectors.EVENT_WRITE if client.outbox else 0)
        known = client.socket in self._selector.get_map()
        if wanted and known:
            self._selector.modify(client.socket, wanted, client)
        elif wanted:
            self._selector.register(client.socket, wanted, client)
        elif known:
            self._selector.unregister(client.socket)

    def _take(self, client: Client, line: bytes) -> None:
        try:
            request = parse_request(line)
        except RpcError as error:
            self._refuse(client, id_in(line), error)
            return
        id_ = request.id
        try:
            result = self._handle(client, request, parse_params(request))
        except Exception as error:
            if not isinstance(error, RpcError):
                log.debug("%s", request.method, exc_info=True)
            self._refuse(client, id_, RpcError.of(error))
            return
        if isinstance(result, Future):
            client.waits_for.add(result)
            result.add_done_callback(lambda done: self.post(lambda: self._done(client, id_, done)))
        else:
            self._reply(client, id_, result)

    def _reply(self, client: Client, id_: Any, result: Any) -> None:
        if id_ is UNSET:
            return
        try:
            line = reply(id_, result)
        except Exception as error:
            # whoever waits for an answer gets one
            log.warning("an answer cannot be sent", exc_info=log.isEnabledFor(logging.DEBUG))
            line = refusal(id_, RpcError.of(error))
        self._send(client, line)

    def _done(self, client: Client, id_: Any, future: Future[Any]) -> None:
        client.waits_for.discard(future)
        if client.gone:
            return
        if error := future.exception():
            self._refuse(client, id_, RpcError.of(error if isinstance(error, Exception) else RuntimeError(str(error))))
        else:
            self._reply(client, id_, future.result())
        self._advance(client)

    def _refuse(self, client: Client, id_: Any, error: RpcError) -> None:
        if error.code in _PROTOCOL_ERRORS:
            client.nonsense += 1
            client.resume_at = time.monotonic() + NONSENSE_REST
            client.closing = client.closing or client.nonsense >= MAX_NONSENSE
        if id_ is not UNSET:
            self._send(client, refusal(id_, error))

    def _send(self, client: Client, line: bytes) -> None:
        if client.gone:
            return
        if len(client.outbox) + len(line) > MAX_UNSENT:
            self._give_up(client)
            return
        waiting = bool(client.outbox)
        client.outbox += line
        if not waiting:
            self._flush(client)

    def _flush(self, client: Client) -> None:
        try:
            sent = client.socket.send(client.outbox)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(client)
            return
        del client.outbox[:sent]
        if not client.outbox:
            client.stuck_since = None
        elif sent or client.stuck_since is None:
            client.stuck_since = time.monotonic()

    def _resume(self, now: float) -> None:
        if not self._accepting and self._connects.grow(now):
            self._accepting = True
            self._selector.register(self._listener, selectors.EVENT_READ)
        for client in list(self.clients):
            if client.resume_at and client.resume_at <= now:
                self._advance(client)
                self._rest()

    def _drop_stuck(self, now: float) -> None:
        for client in list(self.clients):
            if client.stuck_since is not None and now - client.stuck_since > STUCK:
                self._give_up(client)

    def _drop_gone(self) -> None:
        """Those who have hung up while they waited for an answer, as one that was killed."""
        for client in list(self.clients):
            if client.waits_for and not client.inbox and client.hung_up:
                self._drop(client)

    def _give_up(self, client: Client) -> None:
        log.info("a client of the control socket does not read and is dropped")
        self._drop(client)

    def _drop(self, client: Client) -> None:
        client.gone = True
        self.clients.discard(client)
        if client.socket.fileno() >= 0 and client.socket in self._selector.get_map():
            self._selector.unregister(client.socket)
        client.socket.close()
        for future in list(client.waits_for):
            future.cancel()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # nobody can connect before `listen`, and by then the mode is right
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(MAX_CLIENTS)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
