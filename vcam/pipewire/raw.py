"""PipeWire's structures, numbers and functions, as <pipewire/*.h> and <spa/*.h> lay them out on 64-bit Linux.

Only what vcam uses, under PipeWire's own names, so that its documentation applies word for word. They are the same
from version 0.3.50 to 1.4: structures only grow at their ends.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from functools import cache
from typing import Any

from vcam.errors import DeviceError

LIBRARY = "libpipewire-0.3.so.0"

PW_ID_ANY = 0xFFFFFFFF
PW_ID_CORE = 0

PW_DIRECTION_INPUT = 0
PW_DIRECTION_OUTPUT = 1

PW_STREAM_STATE_ERROR = -1
PW_STREAM_STATE_UNCONNECTED = 0
PW_STREAM_STATE_CONNECTING = 1
PW_STREAM_STATE_PAUSED = 2
PW_STREAM_STATE_STREAMING = 3

PW_STREAM_FLAG_AUTOCONNECT = 1 << 0
PW_STREAM_FLAG_MAP_BUFFERS = 1 << 2
PW_STREAM_FLAG_DRIVER = 1 << 3
PW_STREAM_FLAG_DONT_RECONNECT = 1 << 7

SPA_DATA_MemPtr = 1
SPA_DATA_MemFd = 2
SPA_META_Header = 1
SPA_META_HEADER_FLAG_CORRUPTED = 1 << 1
SPA_CHUNK_FLAG_CORRUPTED = 1 << 0

PW_TYPE_INTERFACE_Node = "PipeWire:Interface:Node"


class SpaChunk(Structure):
    """`struct spa_chunk`"""

    _fields_ = (("offset", c_uint32), ("size", c_uint32), ("stride", c_int32), ("flags", c_int32))


class SpaData(Structure):
    """`struct spa_data`"""

    _fields_ = (
        ("type", c_uint32),
        ("flags", c_uint32),
        ("fd", c_int64),
        ("mapoffset", c_uint32),
        ("maxsize", c_uint32),
        ("data", c_void_p),
        ("chunk", POINTER(SpaChunk)),
    )


class SpaMeta(Structure):
    """`struct spa_meta`"""

    _fields_ = (("type", c_uint32), ("size", c_uint32), ("data", c_void_p))


class SpaMetaHeader(Structure):
    """`struct spa_meta_header`"""

    _fields_ = (
        ("flags", c_uint32),
        ("offset", c_uint32),
        ("pts", c_int64),
        ("dts_offset", c_int64),
        ("seq", c_uint64),
    )


class SpaBuffer(Structure):
    """`struct spa_buffer`"""

    _fields_ = (
        ("n_metas", c_uint32),
        ("n_datas", c_uint32),
        ("metas", POINTER(SpaMeta)),
        ("datas", POINTER(SpaData)),
    )


class PwBuffer(Structure):
    """`struct pw_buffer`"""

    _fields_ = (("buffer", POINTER(SpaBuffer)), ("user_data", c_void_p), ("size", c_uint64), ("requested", c_uint64))


class SpaDictItem(Structure):
    """`struct spa_dict_item`"""

    _fields_ = (("key", c_char_p), ("value", c_char_p))


class SpaDict(Structure):
    """`struct spa_dict`"""

    _fields_ = (("flags", c_uint32), ("n_items", c_uint32), ("items", POINTER(SpaDictItem)))


class SpaHook(Structure):
    """`struct spa_hook`, which is PipeWire's own business once it is handed over."""

    _fields_ = (("opaque", c_void_p * 8),)


class SpaCallbacks(Structure):
    """`struct spa_callbacks`"""

    _fields_ = (("funcs", c_void_p), ("data", c_void_p))


class SpaInterface(Structure):
    """`struct spa_interface`"""

    _fields_ = (("type", c_char_p), ("version", c_uint32), ("cb", SpaCallbacks))


StateChanged = CFUNCTYPE(None, c_void_p, c_int, c_int, c_char_p)
ParamChanged = CFUNCTYPE(None, c_void_p, c_uint32, c_void_p)
Process = CFUNCTYPE(None, c_void_p)


class PwStreamEvents(Structure):
    """`struct pw_stream_events`, version 0"""

    _fields_ = (
        ("version", c_uint32),
        ("destroy", c_void_p),
        ("state_changed", StateChanged),
        ("control_info", c_void_p),
        ("io_changed", c_void_p),
        ("param_changed", ParamChanged),
        ("add_buffer", c_void_p),
        ("remove_buffer", c_void_p),
        ("process", Process),
        ("drained", c_void_p),
        ("command", c_void_p),
        ("trigger_done", c_void_p),
    )


Done = CFUNCTYPE(None, c_void_p, c_uint32, c_int)
CoreError = CFUNCTYPE(None, c_void_p, c_uint32, c_int, c_int, c_char_p)


class PwCoreEvents(Structure):
    """`struct pw_core_events`"""

    _fields_ = (
        ("version", c_uint32),
        ("info", c_void_p),
        ("done", Done),
        ("ping", c_void_p),
        ("error", CoreError),
        ("remove_id", c_void_p),
        ("bound_id", c_void_p),
        ("add_mem", c_void_p),
        ("remove_mem", c_void_p),
        ("bound_props", c_void_p),
    )


Global = CFUNCTYPE(None, c_void_p, c_uint32, c_uint32, c_char_p, c_uint32, POINTER(SpaDict))


class PwRegistryEvents(Structure):
    """`struct pw_registry_events`"""

    _fields_ = (("version", c_uint32), ("global_", Global), ("global_remove", c_void_p))


AddListener = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_void_p)
Sync = CFUNCTYPE(c_int, c_void_p, c_uint32, c_int)
GetRegistry = CFUNCTYPE(c_void_p, c_void_p, c_uint32, c_size_t)


class PwCoreMethods(Structure):
    """`struct pw_core_methods`"""

    _fields_ = (
        ("version", c_uint32),
        ("add_listener", AddListener),
        ("hello", c_void_p),
        ("sync", Sync),
        ("pong", c_void_p),
        ("error", c_void_p),
        ("get_registry", GetRegistry),
        ("create_object", c_void_p),
        ("destroy", c_void_p),
    )


class PwRegistryMethods(Structure):
    """`struct pw_registry_methods`"""

    _fields_ = (("version", c_uint32), ("add_listener", AddListener), ("bind", c_void_p), ("destroy", c_void_p))


def methods_of(interface: int, kind: type[Any]) -> tuple[Any, int]:
    """The table of methods of an object, and what they take as their first argument.

    PipeWire's headers call them by macros, so that its library has no names for them.
    """
    callbacks = ctypes.cast(interface, POINTER(SpaInterface)).contents.cb
    return ctypes.cast(callbacks.funcs, POINTER(kind)).contents, callbacks.data


@cache
def library() -> ctypes.CDLL:
    """libpipewire, begun. Raises `DeviceError` if this machine has none, or one of another kind."""
    try:
        loaded = ctypes.CDLL(LIBRARY, use_errno=True)
        _declare(loaded)
    except OSError as error:
        if "No such file" in str(error):
            raise DeviceError("this machine has no PipeWire library", "sudo apt install libpipewire-0.3-0") from error
        why = str(error).rpartition(": ")[2]
        raise DeviceError(
            f"this machine's {LIBRARY} cannot be loaded: {why}",
            "it must be built for the same processor as Python; sudo apt install --reinstall libpipewire-0.3-0",
        ) from error
    except AttributeError as error:
        raise DeviceError(
            f"this machine's {LIBRARY} is not one that vcam knows", "vcam needs PipeWire 0.3.50 or newer"
        ) from error
    loaded.pw_init(None, None)
    return loaded


def _declare(loaded: ctypes.CDLL) -> None:
    """Give the functions their types; raises `AttributeError` for one that is missing."""
    pointer = c_void_p
    terms: dict[str, tuple[Any, list[Any]]] = {
        "pw_init": (None, [pointer, pointer]),
        "pw_get_library_version": (c_char_p, []),
        "pw_properties_new_dict": (pointer, [POINTER(SpaDict)]),
        "pw_thread_loop_new": (pointer, [c_char_p, pointer]),
        "pw_thread_loop_destroy": (None, [pointer]),
        "pw_thread_loop_get_loop": (pointer, [pointer]),
        "pw_thread_loop_start": (c_int, [pointer]),
        "pw_thread_loop_stop": (None, [pointer]),
        "pw_thread_loop_lock": (None, [pointer]),
        "pw_thread_loop_unlock": (None, [pointer]),
        "pw_context_new": (pointer, [pointer, pointer, c_size_t]),
        "pw_context_destroy": (None, [pointer]),
        "pw_context_connect": (pointer, [pointer, pointer, c_size_t]),
        "pw_context_connect_fd": (pointer, [pointer, c_int, pointer, c_size_t]),
        "pw_core_disconnect": (c_int, [pointer]),
        "pw_proxy_destroy": (None, [pointer]),
        "pw_stream_new": (pointer, [pointer, c_char_p, pointer]),
        "pw_stream_add_listener": (None, [pointer, pointer, POINTER(PwStreamEvents), pointer]),
        "pw_stream_destroy": (None, [pointer]),
        "pw_stream_connect": (c_int, [pointer, c_int, c_uint32, c_int, POINTER(pointer), c_uint32]),
        "pw_stream_update_params": (c_int, [pointer, POINTER(pointer), c_uint32]),
        "pw_stream_get_node_id": (c_uint32, [pointer]),
        "pw_stream_dequeue_buffer": (POINTER(PwBuffer), [pointer]),
        "pw_stream_queue_buffer": (c_int, [pointer, POINTER(PwBuffer)]),
        "pw_stream_trigger_process": (c_int, [pointer]),
    }
    for name, (result, arguments) in terms.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
