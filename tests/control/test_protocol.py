from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vcam.control.protocol import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    MAX_LINE,
    METHODS,
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
from vcam.daemon.changes import with_changes
from vcam.errors import CameraError, ConfigError, UsageError
from vcam.settings import Settings


def line(method: str, params: str = "{}", id_: str = "1") -> bytes:
    return f'{{"jsonrpc": "2.0", "method": "{method}", "params": {params}, "id": {id_}}}'.encode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", PARSE_ERROR),
        (b"{", PARSE_ERROR),
        (b"nonsense", PARSE_ERROR),
        (b'{"jsonrpc": "2.0", "method": "status"} {}', PARSE_ERROR),
        (b'{"jsonrpc": "2.0", "method": "st\xffatus"}', PARSE_ERROR),
        (line("set", '{"matte.edge": "\xff"}').replace(b"\xc3\xbf", b"\xff"), PARSE_ERROR),
        (line("set", '{"matte.edge": NaN}'), PARSE_ERROR),
        (line("set", '{"matte.edge": Infinity}'), PARSE_ERROR),
        (b"[" * 60000, INVALID_REQUEST),
        (b"[" + line("status") + b"]", INVALID_REQUEST),
        (b"[]", INVALID_REQUEST),
        (b"3", INVALID_REQUEST),
        (b'{"method": "status"}', INVALID_REQUEST),
        (b'{"jsonrpc": "1.0", "method": "status"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "method": 3}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "method": "status", "extra": 1}', INVALID_REQUEST),
        (line("status", id_="{}"), INVALID_REQUEST),
        (line("status", id_="1e99"), INVALID_REQUEST),
        (line("status", id_="9" * 400), INVALID_REQUEST),
        (line("x" * 65), INVALID_REQUEST),
        (b" " * (MAX_LINE + 1), INVALID_REQUEST),
        (line("no_such"), UNKNOWN_METHOD),
        (line("__class__"), UNKNOWN_METHOD),
        (line("status", "[]"), INVALID_PARAMS),
        (line("status", '{"a": 1}'), INVALID_PARAMS),
        (line("set"), INVALID_PARAMS),
        (line("set", '{"matte.edge": null}'), INVALID_PARAMS),
        (line("set", '{"matte.edge": {"a": 1}}'), INVALID_PARAMS),
        (line("set", '{"matte.edge": [[1]]}'), INVALID_PARAMS),
        (line("set", '{"matte.edge": 1e999}'), INVALID_PARAMS),
        (line("background", '{"spec": 3}'), INVALID_PARAMS),
        (line("background", '{"spec": "' + "x" * 5000 + '"}'), INVALID_PARAMS),
        (line("subscribe", '{"events": ["everything"]}'), INVALID_PARAMS),
        (line("subscribe", '{"events": [' + '"state", ' * 9 + '"state"]}'), INVALID_PARAMS),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else None,
)
def test_what_is_no_proper_request_is_refused_with_the_code_of_the_specification(text: bytes, code: int) -> None:
    with pytest.raises(RpcError) as caught:
        parse_params(parse_request(text))
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize("depth", [5000, MAX_LINE // 2 - 100])
def test_a_message_that_is_nested_deeply_is_refused(depth: int) -> None:
    with pytest.raises(RpcError) as caught:
        parse_params(parse_request(line("set", '{"matte.edge": ' + "[" * depth + "]" * depth + "}")))
    # how deep is too deep to be read goes by the Python: a thousand levels up to 3.11, ten thousand in 3.13
    assert caught.value.code in (PARSE_ERROR, INVALID_PARAMS)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("status", "{}", {}),
        ("get", '{"key": "matte.edge"}', {"key": "matte.edge"}),
        ("background", '{"spec": "blür"}', {"spec": "blür"}),
        ("subscribe", '{"events": ["state", "metrics"]}', {"events": ["state", "metrics"]}),
    ],
)
def test_a_request_is_understood(method: str, params: str, expected: dict[str, Any]) -> None:
    request = parse_request(line(method, params, '"a"'))
    parsed = parse_params(request)
    assert request.id == "a"
    assert {name: getattr(parsed, name) for name in parsed.__struct_fields__} == expected


def test_the_values_of_set_keep_their_types() -> None:
    text = '{"a": true, "b": 2, "c": 2.5, "d": "x", "e": ["x", "y"]}'
    assert parse_params(parse_request(line("set", text))) == json.loads(text)


def test_parameters_may_be_left_out_where_none_are_needed() -> None:
    assert parse_params(parse_request(b'{"jsonrpc":"2.0","method":"get"}')).key == ""


def test_the_id_of_a_wrong_request_is_found_where_it_can_be() -> None:
    assert id_in(b'{"id": "seven", "method": 3}') == "seven"
    assert id_in(b'{"method": 3}') is None
    assert id_in(b'{"id": {}}') is None
    assert id_in(b"\xff") is None
    assert id_in(b"[" * MAX_LINE) is None


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (UsageError("wrong", "do"), INVALID_PARAMS, 2),
        (CameraError("gone", "plug"), -32000, 69),
        (ConfigError("broken", "mend"), -32000, 78),
        (ZeroDivisionError("x"), -32603, 1),
    ],
)
def test_errors_carry_message_hint_and_exit_status(error: Exception, code: int, status: int) -> None:
    answer = json.loads(refusal(7, RpcError.of(error)))
    assert answer["id"] == 7
    assert answer["error"]["code"] == code
    assert answer["error"]["data"]["exit_status"] == status
    assert answer["error"]["data"]["hint"]
    assert str(getattr(error, "message", "x")) in answer["error"]["message"]


def test_an_answer_is_one_line() -> None:
    assert reply("a\nb", {"text": "c\nd"}).count(b"\n") == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
members = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.sampled_from(["2.0", "1.0", 2, None]),
        "method": st.sampled_from([*METHODS]) | json_values,
        "params": json_values
        | st.dictionaries(st.sampled_from(["key", "spec", "name", "events"]), json_values, max_size=2),
        "id": json_values,
    },
)


def survives(text: bytes) -> None:
    """Either a request with parameters of the right type, or an error that can be sent."""
    try:
        request = parse_request(text)
        params = parse_params(request)
    except RpcError as error:
        answer = json.loads(refusal(id_in(text), error))
        assert answer["error"]["code"] < 0
    else:
        assert isinstance(request, Request)
        assert isinstance(params, dict) or params.__struct_fields__ is not None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(text: bytes) -> None:
    survives(text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(members, st.booleans())
def test_any_message_of_about_the_right_form_is_survived(message: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(message, ensure_ascii=ascii_only)
    survives(text.encode("utf-8", "surrogatepass"))


FOUND = Path(__file__).with_name("golden") / "protocol-fuzz.txt"
"""What tests/control/fuzz_protocol.py has found, each leading another way through the parser; a line each, escaped."""


def found_by_fuzzing() -> list[bytes]:
    return [text.encode().decode("unicode_escape").encode("latin-1") for text in FOUND.read_text("ascii").splitlines()]


def test_what_fuzzing_has_found_is_survived_and_its_settings_are_taken_or_refused() -> None:
    found = found_by_fuzzing()
    assert len(found) > 40
    asked = set()
    for text in found:
        survives(text)
        with suppress(RpcError):
            request = parse_request(text)
            params = parse_params(request)
            asked.add(request.method)
            if request.method == "set":
                with suppress(UsageError):
                    with_changes(Settings(), params)
    assert asked == set(METHODS)


@pytest.mark.process
def test_the_fuzzer_runs_and_sees_where_inputs_lead(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="pip install atheris, for CPython up to 3.13")
    words = [sys.executable, Path(__file__).with_name("fuzz_protocol.py"), "-runs=400", tmp_path]
    done = subprocess.run(words, stderr=subprocess.PIPE, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    coverage = [int(number) for number in re.findall(r"cov: (\d+)", done.stderr)]
    assert coverage[-1] > coverage[0] > 50
