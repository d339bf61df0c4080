"""Names that are bytes: shown whole, steering nothing, fit for every message."""

from __future__ import annotations

import io
import json
import os
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcam.printable import ERRORS, encodable, encodable_tree, guard_streams, json_text, printable, shown_name

ANY = st.text(st.characters(exclude_categories=()), max_size=40)
"""Every code point, lone surrogates among them."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("beach.jpg", "beach.jpg"),
        ("Füße, 写真", "Füße, 写真"),
        (os.fsdecode(b"latin\xe4.jpg"), r"latin\xe4.jpg"),
        ("\ud800", r"\ud800"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("a\nb\x00\x7f\x9b", r"a\x0ab\x00\x7f\x9b"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\u2066\U000e0041", r"\u2066\U000e0041"),
        ("", ""),
    ],
)
def test_what_steers_a_terminal_is_escaped_and_letters_are_not(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_newlines_may_stay() -> None:
    assert printable("one\ntwo\x1b", "\n") == "one\ntwo\\x1b"


@given(ANY)
def test_whatever_it_is_it_can_be_encoded_and_holds_no_control_character(text: str) -> None:
    encodable(text).encode()
    shown = printable(text)
    shown.encode()
    assert not [letter for letter in shown if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [letter for letter in shown if unicodedata.bidirectional(letter) in ("LRO", "RLO", "RLI", "LRI", "FSI")]
    assert json.loads(json_text({text: [text]})) == {encodable(text): [encodable(text)]}


@given(st.binary(max_size=64))
def test_names_of_the_kernel_may_be_garbage(name: bytes) -> None:
    assert shown_name(name).isascii() or shown_name(name).encode()
    assert "\x1b" not in shown_name(name)


def test_only_what_no_message_can_hold_is_changed_for_scripts() -> None:
    odd = {"text": "a\nb", "path": os.fsdecode(b"\xe4"), "list": ("\ud800", 1, None, 2.5, True)}
    assert encodable_tree(odd) == {"text": "a\nb", "path": r"\xe4", "list": [r"\ud800", 1, None, 2.5, True]}


def test_standard_output_escapes_what_it_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "utf-8"))
    guard_streams()
    print(os.fsdecode(b"latin\xe4"), "\ud800", "ü", file=sys.stdout, flush=True)
    assert written.getvalue() == "latin\\xe4 \\ud800 ü\n".encode()
    assert "ä".encode("ascii", ERRORS) == rb"\xe4"
