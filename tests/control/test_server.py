from __future__ import annotations

import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from vcam.control import server as server_module
from vcam.control.allowance import Allowance
from vcam.control.protocol import INVALID_REQUEST, MAX_LINE, notification
from vcam.control.server import Client, Server
from vcam.errors import UsageError

STATUS = b'{"jsonrpc":"2.0","method":"status","id":1}\n'


class Served:
    """A server whose `set` hands out futures, `get` blows up and `status` answers at once."""

    def __init__(self, path: Path) -> None:
        self.path, self.calls, self.waiting = path, [], []
        self.server = Server(path, self.handle)

    def handle(self, client: Client, request: Any, params: Any) -> Any:
        self.calls.append(request.method)
        if request.method == "get":
            raise UsageError("no such key", "try another")
        if request.method == "set":
            future: Future[dict[str, int]] = Future()
            self.waiting.append(future)
            return future
        if request.method == "subscribe":
            client.events = frozenset(params.events)
        return {"state": "live"}

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        peer.settimeout(5)
        peer.connect(str(self.path))
        return peer


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path / "s.sock")
    served.server.start()
    yield served
    served.server.close()
    assert not served.path.exists()
    assert not served.server._thread.is_alive(), "it was not woken"


def lines(peer: socket.socket) -> Iterator[dict[str, Any]]:
    with peer.makefile("rb") as file:
        for line in file:
            yield json.loads(line)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def still_answers(served: Served) -> None:
    with served.connect() as peer:
        peer.sendall(STATUS)
        assert next(lines(peer))["result"] == {"state": "live"}


def test_the_socket_is_for_its_owner_alone(served: Served) -> None:
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o600
    assert served.path.stat().st_uid == os.getuid()


def test_another_user_is_turned_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "peer_is_welcome", lambda sock: False)
    with served.connect() as peer:
        assert peer.recv(10) == b""
    assert served.calls == []


def test_the_peer_is_known_by_the_kernels_word() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert server_module.peer_is_welcome(one)


def test_a_message_in_pieces_is_put_together_and_several_in_one_are_told_apart(served: Served) -> None:
    with served.connect() as peer:
        for part in (STATUS[:5], STATUS[5:20], STATUS[20:] + STATUS + b"\n  \n" + STATUS):
            peer.sendall(part)
            time.sleep(0.01)
        answers = lines(peer)
        assert [next(answers)["id"] for _ in range(3)] == [1, 1, 1]


def test_a_half_message_is_never_carried_out(served: Served) -> None:
    with served.connect() as peer:
        peer.sendall(STATUS[:-1])
    still_answers(served)
    assert served.calls == ["status"]


def test_a_request_without_id_is_carried_out_and_not_answered(served: Served) -> None:
    with served.connect() as peer:
        peer.sendall(b'{"jsonrpc":"2.0","method":"pause"}\n' + STATUS)
        assert next(lines(peer))["id"] == 1
    assert served.calls == ["pause", "status"]


def test_an_error_is_answered_and_the_connection_goes_on(served: Served) -> None:
    with served.connect() as peer:
        peer.sendall(b'{"jsonrpc":"2.0","method":"get","id":"x"}\n' + STATUS)
        answers = lines(peer)
        error = next(answers)
        assert (error["id"], error["error"]["data"]) == ("x", {"hint": "try another", "exit_status": 2})
        assert "result" in next(answers)


def test_ten_megabytes_without_a_newline_end_the_connection_with_an_error(served: Served) -> None:
    with served.connect() as peer:
        # the server stops reading long before all is sent
        with pytest.raises(ConnectionError):
            peer.sendall(b"x" * (10 << 20))
        answer = b""
        # what it left unread makes the end of the connection a reset one
        with suppress(ConnectionResetError):
            while part := peer.recv(65536):
                answer += part
    errors = [json.loads(line)["error"] for line in answer.splitlines()]
    assert [error["code"] for error in errors] == [INVALID_REQUEST]
    assert str(MAX_LINE) in errors[0]["message"]
    still_answers(served)
    assert served.calls == ["status"]


def test_of_a_message_without_an_end_no_more_is_kept_than_a_message_may_have(served: Served) -> None:
    kept = []
    read = served.server._read

    def watched(client: Client) -> None:
        read(client)
        kept.append(len(client.inbox))

    served.server._read = watched  # type: ignore[method-assign]
    with served.connect() as peer, suppress(ConnectionError):
        peer.sendall(b"x" * (10 << 20))
    still_answers(served)
    assert MAX_LINE < max(kept) <= MAX_LINE + server_module._READ


def test_garbage_is_answered_a_few_times_and_then_closed(served: Served) -> None:
    with served.connect() as peer:
        peer.sendall(b"\xff\xfe{[\n" * 50)
        answers = list(lines(peer))
    assert {answer["error"]["code"] for answer in answers} == {-32700}
    assert len(answers) == server_module.MAX_NONSENSE
    still_answers(served)


def test_a_client_that_goes_away_before_its_answer_harms_nobody(served: Served) -> None:
    peer = served.connect()
    peer.sendall(b'{"jsonrpc":"2.0","method":"set","params":{"a":1},"id":1}\n')
    until(lambda: len(served.waiting) == 1)
    peer.close()
    still_answers(served)
    served.waiting[0].set_result({})
    still_answers(served)
    until(lambda: not served.server.clients)


def test_a_client_that_ends_its_half_gets_its_answer(served: Served) -> None:
    with served.connect() as peer:
        peer.sendall(b'{"jsonrpc":"2.0","method":"set","params":{"a":1},"id":5}\n' + STATUS)
        peer.shutdown(socket.SHUT_WR)
        until(lambda: len(served.waiting) == 1)
        served.waiting[0].set_result({"done": 1})
        assert sorted(answer["id"] for answer in lines(peer)) == [1, 5]


def test_requests_that_wait_are_limited_in_number(served: Served) -> None:
    with served.connect() as peer:
        request = b'{"jsonrpc":"2.0","method":"set","params":{"a":1},"id":1}\n'
        peer.sendall(request * 40)
        until(lambda: len(served.waiting) == server_module.MAX_PENDING)
        time.sleep(0.05)
        assert len(served.waiting) == server_module.MAX_PENDING
        still_answers(served)
        answers = lines(peer)
        for done in range(40):
            until(lambda done=done: len(served.waiting) > done)
            served.waiting[done].set_result({})
            next(answers)


def test_a_client_that_never_reads_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with served.connect() as peer:
        peer.sendall(b'{"jsonrpc":"2.0","method":"subscribe","params":{"events":["state"]},"id":1}\n')
        until(lambda: served.server.subscribed("state"))
        line = notification("state", {"text": "x" * 4000})
        for _ in range(400):
            served.server.post(lambda: served.server.publish("state", line))
        until(lambda: not served.server.clients)
    still_answers(served)


def test_a_client_that_stops_reading_is_dropped_after_a_while(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "STUCK", 0.05)
    with served.connect() as peer:
        peer.sendall(b'{"jsonrpc":"2.0","method":"subscribe","params":{"events":["metrics"]},"id":1}\n')
        until(lambda: served.server.subscribed("metrics"))
        line = notification("metrics", {"text": "x" * 100_000})

        def gone() -> bool:
            # what does not fit into the kernel's buffer stays; droppable ones are then left out, not heaped up
            served.server.post(lambda: served.server.publish("metrics", line, droppable=True))
            return not served.server.clients

        until(gone)


WAITS = b'{"jsonrpc":"2.0","method":"set","params":{"matte.edge":1},"id":1}\n'


def test_who_goes_waits_for_nothing_any_more(served: Served) -> None:
    with served.connect() as other, served.connect() as peer:
        other.sendall(WAITS)
        until(lambda: len(served.waiting) == 1)
        peer.sendall(WAITS + WAITS)
        until(lambda: len(served.waiting) == 3)
    until(lambda: all(future.cancelled() for future in served.waiting[1:]))
    still_answers(served)


def test_who_has_only_nothing_more_to_say_still_waits(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "TICK", 0.01)
    with served.connect() as peer:
        peer.sendall(WAITS)
        peer.shutdown(socket.SHUT_WR)
        until(lambda: len(served.waiting) == 1)
        still_answers(served)
        time.sleep(0.1)
        assert not served.waiting[0].cancelled()
        served.waiting[0].set_result({"a": 1})
        assert next(lines(peer))["result"] == {"a": 1}


def test_the_number_of_clients_is_limited_and_who_leaves_makes_way(served: Served) -> None:
    with ExitStack() as stack:
        for _ in range(server_module.MAX_CLIENTS):
            stack.enter_context(served.connect())
        until(lambda: len(served.server.clients) == server_module.MAX_CLIENTS)
        with served.connect() as late:
            assert late.recv(1) == b""
    until(lambda: not served.server.clients)
    still_answers(served)


def test_a_hundred_clients_are_served_beside_one_that_sends_garbage_at_full_speed(served: Served) -> None:
    stop = threading.Event()

    def shout() -> None:
        while not stop.is_set():
            with suppress(OSError), served.connect() as peer:
                while not stop.is_set():
                    peer.sendall(b"\x00garbage\n" * 1000)

    shouting = threading.Thread(target=shout)
    shouting.start()
    try:
        with ExitStack() as stack:
            peers = [stack.enter_context(served.connect()) for _ in range(100)]
            for _ in range(3):
                for peer in peers:
                    peer.sendall(STATUS)
                for peer in peers:
                    assert b'"result"' in peer.recv(4096)
    finally:
        stop.set()
        shouting.join()


def test_a_client_is_read_no_faster_than_its_allowance_grows(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "REQUEST_RATE", 100.0)
    monkeypatch.setattr(server_module, "REQUEST_BURST", 20.0)
    begun = time.monotonic()
    with served.connect() as peer:
        peer.sendall(STATUS * 60)
        answers = lines(peer)
        for _ in range(60):
            next(answers)
    assert time.monotonic() - begun > 0.3


def test_an_allowance_grows_with_time_up_to_its_burst() -> None:
    allowance = Allowance(10.0, 5.0)
    now = time.monotonic()
    allowance.left = -1.0
    assert not allowance.grow(now)
    assert allowance.wait == pytest.approx(0.15, abs=0.02)
    assert allowance.grow(now + 1)
    allowance.grow(now + 100)
    assert allowance.left == 5.0


def test_a_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    served = Served(path)
    served.server.start()
    still_answers(served)
    served.server.close()


def test_a_client_that_sends_much_at_once_does_not_keep_others_waiting(served: Served) -> None:
    gate = threading.Event()
    with served.connect() as hasty, served.connect() as modest:
        until(lambda: len(served.server.clients) == 2)
        served.server.post(lambda: gate.wait(5) and None)
        hasty.sendall(STATUS * 60)
        modest.sendall(b'{"jsonrpc":"2.0","method":"version","id":2}\n')
        gate.set()
        assert next(lines(modest))["id"] == 2
        until(lambda: len(served.calls) == 61)
    assert served.calls.index("version") < 10


def test_the_thread_rests_once_it_has_had_its_share(served: Served) -> None:
    class Counted(Allowance):
        rests = 0

        @property
        def wait(self) -> float:
            Counted.rests += 1
            return 0.0

    with served.connect() as peer:
        answers = lines(peer)
        served.server._work = Counted(1e-6, 1e-6)
        peer.sendall(STATUS * 20)
        for _ in range(20):
            next(answers)
    assert Counted.rests > 10


def test_nonsense_is_answered_slowly_and_sense_beside_it_is_not(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "NONSENSE_REST", 60.0)
    with served.connect() as shouting:
        shouting.sendall(b"garbage\n" * 3 + STATUS)
        assert "error" in next(lines(shouting))
        for _ in range(3):
            still_answers(served)
        shouting.settimeout(0.2)
        with pytest.raises(TimeoutError):
            shouting.recv(10)


def test_what_was_posted_before_the_end_is_called(tmp_path: Path) -> None:
    served, gate, done = Served(tmp_path / "s.sock"), threading.Event(), []
    served.server.start()

    def hold_up() -> None:
        done.append("first")
        gate.wait(5)

    served.server.post(hold_up)
    until(lambda: bool(done))
    served.server.post(lambda: done.append("second"))
    closing = threading.Thread(target=served.server.close)
    closing.start()
    until(lambda: served.server._stopping)
    gate.set()
    closing.join()
    assert done == ["first", "second"]


def test_notices_go_to_one_after_the_other_and_all_are_sent_before_the_end(tmp_path: Path) -> None:
    served = Served(tmp_path / "s.sock")
    served.server.start()
    peers = [served.connect() for _ in range(20)]
    for peer in peers:
        peer.sendall(b'{"jsonrpc":"2.0","method":"subscribe","params":{"events":["state"]},"id":1}\n')
        assert next(lines(peer))["id"] == 1

    def last_words() -> None:
        for number in range(5):
            served.server.publish("state", notification("state", {"number": number}))

    served.server.post(last_words)
    served.server.close()
    for peer in peers:
        assert [message["params"]["number"] for message in lines(peer)] == [0, 1, 2, 3, 4]
        peer.close()
