"""Coverage-guided fuzzing of the control socket's parser; not part of the suite.

pip install atheris && python tests/fuzz_protocol.py -max_total_time=60
"""

from __future__ import annotations

import json
import sys

import atheris

with atheris.instrument_imports(include=["vcam.daemon.protocol"]):
    from vcam.daemon.protocol import METHODS, RpcError, id_in, parse_params, parse_request, refusal


def one(data: bytes) -> None:
    """Any bytes give a request with parameters, or an error that can be sent."""
    try:
        request = parse_request(data)
        parse_params(request)
    except RpcError as error:
        json.loads(refusal(id_in(data), error))
    else:
        assert request.method in METHODS


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
