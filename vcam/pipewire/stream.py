"""One stream of pictures to or from PipeWire's daemon: a node of its own, or a link to one."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vcam.errors import DeviceError
from vcam.pipewire import pod, raw
from vcam.pipewire.loop import Loop, properties

log = logging.getLogger(__name__)

_OPEN: set[Stream] = set()
"""Streams that are not closed: PipeWire's thread calls them, so that they must outlive whoever forgets them."""


@atexit.register
def _close_all() -> None:
    for stream in list(_OPEN):
        stream.close()


@dataclass(frozen=True)
class State:
    """`number` is one of PW_STREAM_STATE_..., `error` PipeWire's words if it is in error."""

    number: int
    error: str = ""

    @property
    def streams(self) -> bool:
        """Whether pictures go over it: somebody reads what is offered, or the camera sends."""
        return self.number == raw.PW_STREAM_STATE_STREAMING

    @property
    def lost(self) -> bool:
        """Whether it is of no more use: the daemon is gone, or refused."""
        return self.number in (raw.PW_STREAM_STATE_ERROR, raw.PW_STREAM_STATE_UNCONNECTED)


class Stream:
    """A stream on a loop of its own. Subclasses answer formats.

    `fd` is an eventfd, readable when the state or the format has changed since `changed` was last asked; a waiting
    producer wakes by it.
    """

    def __init__(self, name: str, values: Mapping[str, str], *, process: bool = False, fd: int | None = None) -> None:
        """name: of the stream. values: its properties. process: whether `on_process` is to be called. fd: see `Loop`.

        Raises `DeviceError` if there is no PipeWire.
        """
        self._state = State(raw.PW_STREAM_STATE_UNCONNECTED)
        self._begun = False
        self._settled = threading.Event()
        self._pods: list[ctypes.Array[ctypes.c_char]] = []
        self._hook = raw.SpaHook()
        self._events = raw.PwStreamEvents(
            state_changed=raw.StateChanged(self._state_changed),
            param_changed=raw.ParamChanged(self._param_changed),
            process=raw.Process(self._process) if process else raw.Process(),
        )
        self._stream = 0
        self._closing = threading.Lock()
        try:
            self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError as error:
            raise DeviceError(f"PipeWire cannot be reached: {error.strerror}", "ulimit -n 4096") from error
        try:
            self._loop = Loop(f"vcam-{name}"[:15], fd)
        except BaseException:
            os.close(self.fd)
            raise
        _OPEN.add(self)
        with self._loop.locked() as library:
            self._stream = library.pw_stream_new(self._loop.core, name.encode(), properties(values)) or 0
            if self._stream:
                library.pw_stream_add_listener(self._stream, ctypes.byref(self._hook), ctypes.byref(self._events), None)
        if not self._stream:
            self.close()
            raise DeviceError("PipeWire makes no stream", "restart it: systemctl --user restart pipewire")

    @property
    def state(self) -> State:
        """As of now; for any thread."""
        return self._state

    def changed(self) -> bool:
        """Whether the state or the format has changed since this was asked the last time."""
        with contextlib.suppress(BlockingIOError):
            return os.eventfd_read(self.fd) > 0
        return False

    def connect(
        self, direction: int, flags: int, formats: Sequence[bytes], *, patience: float, node: int = raw.PW_ID_ANY
    ) -> None:
        """Make it known to the daemon, and wait until it is. Raises `DeviceError` if that fails or takes too long."""
        with self._loop.locked() as library:
            self._begun = True
            array = self._array(formats)
            result = library.pw_stream_connect(self._stream, direction, node, flags, array, len(formats))
        if result < 0:
            raise DeviceError(f"PipeWire refuses the stream: {os.strerror(-result)}")
        if not self._settled.wait(patience):
            raise DeviceError(
                f"PipeWire's daemon has not answered for {patience:g} s", "systemctl --user restart pipewire"
            )
        if self._state.lost:
            raise DeviceError(f"PipeWire refuses the stream: {self._state.error or 'it gives no reason'}")

    def update(self, params: Sequence[bytes]) -> None:
        """Offer other parameters; under the lock, or from a callback."""
        raw.library().pw_stream_update_params(self._stream, self._array(params), len(params))

    @contextlib.contextmanager
    def locked(self) -> Iterator[tuple[ctypes.CDLL, int]]:
        """PipeWire's thread held; gives the library and the stream."""
        with self._loop.locked() as library:
            yield library, self._stream

    def on_format(self, properties_: dict[int, pod.Value]) -> None:
        """A format was agreed on, empty if it was taken back; in PipeWire's thread."""

    def on_process(self) -> None:
        """A buffer came; in PipeWire's thread."""

    def on_state(self, state: State) -> None:
        """The state has changed; in PipeWire's thread."""

    def close(self) -> None:
        """End it. May be called twice, and by several threads at once; not from a callback."""
        with self._closing:
            if self.fd < 0:
                return
            if self._stream:
                with self._loop.locked() as library:
                    library.pw_stream_destroy(self._stream)
                self._stream = 0
            self._loop.close()
            self._settled.set()
            os.close(self.fd)
            self.fd = -1
            _OPEN.discard(self)

    def _array(self, pods: Sequence[bytes]) -> ctypes.Array[ctypes.c_void_p]:
        # the library copies them, yet they have to outlast the call
        self._pods = [ctypes.create_string_buffer(each, len(each)) for each in pods]
        return (ctypes.c_void_p * len(pods))(*(ctypes.addressof(each) for each in self._pods))

    def _state_changed(self, _data: int, _old: int, new: int, error: bytes | None) -> None:
        if self._state.number == raw.PW_STREAM_STATE_ERROR and new == raw.PW_STREAM_STATE_UNCONNECTED:
            # what it failed for says more
            return
        self._state = State(new, (error or b"").decode(errors="replace"))
        if self._begun and new != raw.PW_STREAM_STATE_CONNECTING:
            self._settled.set()
        self._tell()
        try:
            self.on_state(self._state)
        except Exception:
            log.exception("a change of PipeWire's state")

    def _param_changed(self, _data: int, number: int, param: int | None) -> None:
        if number != pod.Param.FORMAT:
            return
        try:
            self.on_format(_read(param) if param else {})
        except Exception:
            log.exception("a format of PipeWire's")
        self._tell()

    def _process(self, _data: int) -> None:
        try:
            self.on_process()
        except Exception:
            log.exception("a picture of PipeWire's")

    def _tell(self) -> None:
        with contextlib.suppress(OSError):
            os.eventfd_write(self.fd, 1)


def _read(address: int) -> dict[int, pod.Value]:
    return pod.read_object(ctypes.string_at(address, pod.size_of_object(ctypes.string_at(address, 8))))
