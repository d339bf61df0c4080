"""Calls from other threads, carried out by the loop."""

from __future__ import annotations

import select
from pathlib import Path

import pytest

from vcam.daemon.mailbox import Mailbox
from vcam.errors import VcamError


def readable(mailbox: Mailbox) -> bool:
    return bool(select.select([mailbox], [], [], 0)[0])


def test_what_is_posted_is_carried_out_in_order_when_the_loop_comes_to_it() -> None:
    mailbox, done = Mailbox(), []
    futures = [mailbox.post(lambda n=n: done.append(n) or n) for n in range(3)]
    assert done == []
    mailbox.run()
    assert done == [0, 1, 2]
    assert [future.result(0) for future in futures] == [0, 1, 2]


def test_a_loop_that_sleeps_is_woken_and_sleeps_again_after_it() -> None:
    mailbox = Mailbox()
    assert not readable(mailbox)
    mailbox.post(lambda: None)
    assert readable(mailbox)
    mailbox.run()
    assert not readable(mailbox)


def test_what_a_call_raises_is_its_caller_s() -> None:
    mailbox = Mailbox()
    broken, sound = mailbox.post(lambda: 1 // 0), mailbox.post(lambda: 7)
    mailbox.run()
    with pytest.raises(ZeroDivisionError):
        broken.result(0)
    assert sound.result(0) == 7


def test_what_is_posted_by_a_call_has_its_turn_later() -> None:
    mailbox, done = Mailbox(), []
    mailbox.post(lambda: mailbox.post(lambda: done.append("later")))
    mailbox.run()
    assert done == []
    assert readable(mailbox)
    mailbox.run()
    assert done == ["later"]


def test_once_the_loop_has_ended_everything_is_refused() -> None:
    mailbox, done = Mailbox(), []
    waiting = mailbox.post(lambda: done.append("waiting"))
    mailbox.close()
    with pytest.raises(VcamError, match="stopping"):
        waiting.result(0)
    late = mailbox.post(lambda: done.append("late"))
    with pytest.raises(VcamError, match="stopping"):
        late.result(0)
    mailbox.run()
    assert done == []


def test_its_descriptor_goes_with_it() -> None:
    mailbox = Mailbox()
    link = Path(f"/proc/self/fd/{mailbox.fileno()}")
    assert link.is_symlink()
    del mailbox
    assert not link.is_symlink()
