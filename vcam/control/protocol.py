"""JSON-RPC 2.0, one message a line: from bytes to a checked request, and from a result to bytes.

Nothing here touches a socket or the daemon, and nothing here trusts its input: every function takes any bytes and
either returns or raises `RpcError`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from vcam.errors import UsageError, VcamError
from vcam.printable import encodable_tree, printable

MAX_LINE = 64 << 10
"""Bytes of a message, without its newline. The largest sensible one, `set` with every setting, is below 4 KiB."""

PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS, INTERNAL_ERROR = -32700, -32600, -32601, -32602, -32603
FAILED = -32000
"""The request was understood, but what it asks for cannot be done; the first of the codes left to servers."""

_USAGE = 2

LONGEST_WAIT = 60
"""Seconds of the longest countdown."""

Id: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)] | Annotated[str, Meta(max_length=128)] | None
Word: TypeAlias = Annotated[str, Meta(max_length=4096)]
Value: TypeAlias = bool | int | float | Word | Annotated[list[Word], Meta(max_length=32)]
"""What a setting may be set to; the tree of settings checks it further."""


class RpcError(Exception):
    """A request that cannot be answered with a result, as JSON-RPC has it."""

    def __init__(self, code: int, message: str, hint: str = "", *, status: int = _USAGE) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.status = code, message, hint, status

    @classmethod
    def of(cls, error: Exception) -> RpcError:
        """The same in the protocol's terms; what vcam did not raise on purpose is an internal error."""
        if isinstance(error, RpcError):
            return error
        if not isinstance(error, VcamError):
            return cls(INTERNAL_ERROR, f"unexpected {type(error).__name__}: {error}", "vcam's log tells more", status=1)
        code = INVALID_PARAMS if error.exit_status == _USAGE else FAILED
        return cls(code, error.message, error.hint, status=error.exit_status)


class Request(Struct, forbid_unknown_fields=True):
    """One call. Without an `id` it is a notification: it is carried out and not answered."""

    jsonrpc: Literal["2.0"]
    method: Annotated[str, Meta(min_length=1, max_length=64)]
    params: Raw = Raw(b"{}")
    id: Id | UnsetType = UNSET


class NoParams(Struct, forbid_unknown_fields=True):
    """For methods that take nothing."""


class KeyParams(Struct, forbid_unknown_fields=True):
    """For `get`; an empty key means all settings."""

    key: Word = ""


class SpecParams(Struct, forbid_unknown_fields=True):
    """For `background`."""

    spec: Word


class NameParams(Struct, forbid_unknown_fields=True):
    """For `profile`; an empty name goes back to the settings without a profile."""

    name: Word


class EventsParams(Struct, forbid_unknown_fields=True):
    """For `subscribe`; replaces the earlier subscription of the same client."""

    events: Annotated[list[Literal["state", "metrics", "learning"]], Meta(max_length=8)]


class StreamParams(Struct, forbid_unknown_fields=True):
    """For `stream_start`: the URL, with a name before it or without: `main=rtmp://...`."""

    url: Word = ""


class StopParams(Struct, forbid_unknown_fields=True):
    """For `stream_stop`: the stream's name or its URL; without either all streams."""

    url: Word = ""
    name: Word = ""


class RecordParams(Struct, forbid_unknown_fields=True):
    """For `record_start`."""

    file: Annotated[Word, Meta(min_length=1)]
    overwrite: bool = False


class ToggleParams(Struct, forbid_unknown_fields=True):
    """For `toggle`: which filter, or the file to record into; nothing for the others."""

    what: Literal["mirror", "record", "filter", "pause"]
    value: Word = ""


class OutputParams(Struct, forbid_unknown_fields=True):
    """For `output_add` and `output_remove`; a file that exists is overwritten only if that is said."""

    target: Annotated[Word, Meta(min_length=1)]
    overwrite: bool = False


class PauseParams(Struct, forbid_unknown_fields=True):
    """For `pause` and `resume`: a program's name for itself, if it pauses for a while; empty for a person."""

    by: Annotated[str, Meta(max_length=64)] = ""


class LearnParams(Struct, forbid_unknown_fields=True):
    """For `room_learn`: seconds to step out in, and whether what the network calls somebody is the room, too."""

    wait: Annotated[float, Meta(ge=0, le=LONGEST_WAIT)] = 5.0
    force: bool = False


Changes: TypeAlias = Annotated[dict[Word, Value], Meta(min_length=1, max_length=256)]
"""For `set`: values by key."""

METHODS: dict[str, Any] = {
    "status": NoParams, "get": KeyParams, "set": Changes, "background": SpecParams, "profile": NameParams,
    "pause": PauseParams, "resume": PauseParams, "reload": NoParams, "stop": NoParams, "subscribe": EventsParams,
    "version": NoParams,
    "stream_start": StreamParams, "stream_stop": StopParams, "record_start": RecordParams, "record_stop": NoParams,
    "toggle": ToggleParams,
    "output_add": OutputParams, "output_remove": OutputParams,
    "room_learn": LearnParams,
    "room_forget": NoParams,
}  # fmt: skip
"""The type of each method's parameters, which are always given by name."""


class _OnlyId(Struct):
    id: Id = None


_requests = msgspec.json.Decoder(Request)
_ids = msgspec.json.Decoder(_OnlyId)
_params = {name: msgspec.json.Decoder(kind) for name, kind in METHODS.items()}
_encoder = msgspec.json.Encoder()

T = TypeVar("T")


def parse_request(line: bytes) -> Request:
    """The request in a line. Raises `RpcError` for anything that is not exactly one."""
    if len(line) > MAX_LINE:
        raise RpcError(INVALID_REQUEST, f"a message may have {MAX_LINE} bytes", "send less at once")
    return _decode(_requests, line, INVALID_REQUEST)


def parse_params(request: Request) -> Any:
    """The parameters of a request, of the type that `METHODS` has for it. Raises `RpcError`."""
    decoder = _params.get(request.method)
    if decoder is None:
        raise RpcError(UNKNOWN_METHOD, f"there is no method {request.method!r}", f"there are {', '.join(METHODS)}")
    return _decode(decoder, bytes(request.params), INVALID_PARAMS)


def _decode(decoder: msgspec.json.Decoder[T], text: bytes, unfit: int) -> T:
    try:
        # strings that are skipped over are not looked at by the decoder
        str(text, "utf-8")
        return decoder.decode(text)
    except UnicodeDecodeError as error:
        raise RpcError(PARSE_ERROR, "the message is not UTF-8", "send one JSON object a line") from error
    except RecursionError as error:
        raise RpcError(
            PARSE_ERROR, "the message is nested too deeply", "no request needs more than three levels"
        ) from (error)
    except msgspec.ValidationError as error:
        if unfit == INVALID_REQUEST and text.lstrip().startswith(b"["):
            raise RpcError(unfit, "a message may hold one request only", "send each on a line") from error
        raise RpcError(unfit, f"the message does not fit: {error}", "docs/reference/control.md has the form") from error
    except msgspec.DecodeError as error:
        raise RpcError(PARSE_ERROR, f"the message is not JSON: {error}", "send one JSON object a line") from error


def id_in(line: bytes) -> Id:
    """The id of a message that is no valid request, so that its sender can tell which one it was; None if unknown."""
    try:
        return _ids.decode(line[: MAX_LINE + 1]).id
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def reply(id_: Id, result: Any) -> bytes:
    """The line that answers a request."""
    return _line({"jsonrpc": "2.0", "id": id_, "result": result})


def refusal(id_: Id, error: RpcError) -> bytes:
    """The line that refuses a request; `data` has the hint for a person and the exit status for a command."""
    data = {"hint": error.hint, "exit_status": error.status}
    body = {"code": error.code, "message": error.message, "data": data}
    return _line({"jsonrpc": "2.0", "id": id_, "error": body})


def notification(method: str, params: Any) -> bytes:
    """The line that tells a subscriber of an event."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def call(id_: int, method: str, params: Any) -> bytes:
    """The line that a client sends. Raises `UsageError` for a text that is not UTF-8: another one would arrive."""
    try:
        return _encoder.encode({"jsonrpc": "2.0", "method": method, "params": params, "id": id_}) + b"\n"
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{printable(str(error.object))} is not UTF-8, and only UTF-8 can be sent to a vcam that runs",
            "rename it, or give a link to it whose name is: ln -s",
        ) from error


def _line(message: dict[str, Any]) -> bytes:
    """A message; names in it that are not UTF-8 are escaped, so that there is an answer whatever is in it."""
    try:
        return _encoder.encode(message) + b"\n"
    except UnicodeEncodeError:
        return _encoder.encode(encodable_tree(message)) + b"\n"
