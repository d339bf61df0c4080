"""Coverage-guided fuzzing of what the control socket takes: requests, their parameters, and the settings in them.

    pip install atheris && python -m tests.control.fuzz_protocol -max_total_time=600 tests/fuzz

Not part of the suite, which replays what was found: the files in tests/fuzz. The decoder of JSON is compiled, so
libFuzzer cannot see its branches; what it says is turned into branches here, one for each kind of answer.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["vcam.control.protocol", "vcam.settings"]):
    from vcam.control.protocol import METHODS, RpcError, id_in, parse_params, parse_request, refusal
    from vcam.daemon.changes import with_changes
    from vcam.settings import FIELDS, Settings

from vcam.errors import UsageError

KINDS = 256
PARAMS = {
    "set": {"matte.edge": "1.5", "camera.mirror": True, "filters.chain": "grey;sepia", "stream.rtmp": ["a"]},
    "get": {"key": "matte.edge"}, "background": {"spec": "blur"}, "profile": {"name": "a"},
    "subscribe": {"events": ["state"]}, "stream_start": {"url": "a"}, "record_start": {"file": "a", "overwrite": True},
}  # fmt: skip
"""Of requests to begin with."""


def _branches() -> Callable[[int], int]:
    lines = [f"    if number == {number}: return {number}" for number in range(KINDS)]
    made: dict[str, Callable[[int], int]] = {}
    exec("\n".join(["def branch(number):", *lines, "    return -1"]), made)
    return atheris.instrument_func(made["branch"])  # type: ignore[no-any-return]


branch = _branches()


def one(data: bytes) -> None:
    """Any bytes give a request with parameters, or an error that can be sent; its settings are taken or refused."""
    try:
        request = parse_request(data)
        params = parse_params(request)
    except RpcError as error:
        # up to where it begins to quote
        said = re.split(r"[`'\"\d]", error.message)[0]
        branch(zlib.crc32(f"{error.code} {said}".encode()) % KINDS)
        json.loads(refusal(id_in(data), error))
        return
    assert request.method in METHODS
    branch(list(METHODS).index(request.method))
    if request.method == "set":
        with contextlib.suppress(UsageError):
            with_changes(Settings(), params)


def words() -> str:
    """What requests are made of, as libFuzzer's dictionary."""
    known = ["jsonrpc", "2.0", "method", "params", "id", "key", "spec", "name", "events", "state", "metrics", "url",
             "file", "overwrite", "true", "false", "null", "NaN", "1e999", *METHODS, *FIELDS]  # fmt: skip
    pieces = ['\\"jsonrpc\\":\\"2.0\\"', '\\"params\\":{', "\\xff", "\\\\ud800"]
    texts = [*known, *(f'\\"{word}\\"' for word in known), *pieces]
    return "".join(f'"{text}"\n' for text in texts)


if __name__ == "__main__":
    with tempfile.NamedTemporaryFile("w", suffix=".dict") as dictionary:
        dictionary.write(words())
        dictionary.flush()
        folders = [Path(word) for word in sys.argv[1:] if not word.startswith("-")]
        for method in METHODS if folders else ():
            params = json.dumps(PARAMS.get(method, {}))
            seed = f'{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":1}}'
            (folders[0] / f"seed-{method}").write_text(seed)
        atheris.Setup([*sys.argv, f"-dict={dictionary.name}"], one)
        atheris.Fuzz()
