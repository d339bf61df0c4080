"""Networks run by ONNX Runtime.

Inputs and outputs are bound to arrays of our own, so a frame allocates nothing. Spinning is off: two threads that spin
between frames burn up to a whole core at 30 frames a second.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vcam import native
from vcam.errors import EngineError, ModelError
from vcam.infer.ports import check_shape, fill_picture, input_shape, match_ports
from vcam.models.cards import ModelCard
from vcam.segment.heads import Head
from vcam.types import F32, U8

PROVIDERS = {
    "CPU": ("CPUExecutionProvider",),
    "GPU": ("CUDAExecutionProvider", "MIGraphXExecutionProvider"),
    "NPU": ("VitisAIExecutionProvider",),
}
"""ONNX Runtime's words for a device, best first. The package of the default installation has the CPU's only."""

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


def candidates(device: str) -> list[str]:
    """Which devices to try, best first, when `device` (AUTO, CPU, GPU or NPU) is asked for.

    Raises `EngineError` if ONNX Runtime is not installed.
    """
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        raise EngineError("ONNX Runtime is not installed", "pip install onnxruntime")
    if device != "AUTO":
        return [device]
    # the default package runs on the CPU only; seeing that from its files spares loading it
    libraries = Path(spec.origin).parent.glob("capi/libonnxruntime_providers_*.so")
    if all(library.stem.endswith("_shared") for library in libraries):
        return ["CPU"]
    import onnxruntime

    present = set(onnxruntime.get_available_providers())
    return [name for name in ("NPU", "GPU") if present.intersection(PROVIDERS[name])] + ["CPU"]


class OnnxRuntimeEngine:
    """One network in one session."""

    def __init__(self, card: ModelCard, device: str = "CPU", threads: int = 1) -> None:
        """device: CPU, GPU or NPU; `threads` counts on the CPU.

        Runs the network once. Raises `ModelError` if card and network do not fit each other or the file is no
        network, `EngineError` if ONNX Runtime will not run it.
        """
        self._card, self._device = card, device
        self._head = Head(card)
        if card.network.suffix != ".onnx":
            raise EngineError(f"ONNX Runtime reads .onnx only, not {card.file}", "use the backend openvino")
        self._session: Any = self._open(threads)
        self._match()
        self._allocate()
        self._bind()
        self.infer(np.zeros((card.input.size[1], card.input.size[0], 3), np.uint8))
        self.reset()

    def _open(self, threads: int) -> Any:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as failures
        except ImportError as error:
            raise EngineError(f"ONNX Runtime does not start: {error}", "pip install onnxruntime") from error
        present = onnxruntime.get_available_providers()
        provider = next((name for name in PROVIDERS[self._device] if name in present), None)
        if provider is None:
            raise EngineError(f"ONNX Runtime has no {self._device} here", f"present: {', '.join(present)}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # errors only: it warns of every weight that an old exporter listed among the inputs
        options.log_severity_level = 3
        network = str(self._card.network)
        try:
            session = onnxruntime.InferenceSession(network, options, providers=[provider])
        except (failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf, failures.NoModel) as error:
            raise ModelError(
                f"{network} is not a network that ONNX Runtime can read: {_first_line(error)}", "download it again"
            ) from error
        except Exception as error:  # its other failures share no narrower base
            raise EngineError(f"ONNX Runtime cannot load {self._card.name}: {_first_line(error)}") from error
        if session.get_providers()[0] != provider:
            raise EngineError(f"ONNX Runtime cannot use the {self._device}", "is its driver installed?")
        return session

    def _match(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        self._ports = match_ports(self._card, [{p.name} for p in inputs], [{p.name} for p in outputs])
        self._entry, self._result = inputs[self._ports.picture], outputs[self._ports.result]
        check_shape(self._card, "the picture", _sides(self._entry), input_shape(self._card))
        for state, (entry, _) in zip(self._card.states, self._ports.states, strict=True):
            check_shape(self._card, f"the state {state.input}", _sides(inputs[entry]), state.shape)
        if _sides(self._result) and -1 not in _sides(self._result):
            self._head.check_shape(_sides(self._result))
        for port in (self._entry, *(inputs[entry] for entry, _ in self._ports.states)):
            if port.type not in _TYPES:
                raise ModelError(
                    f"the input {port.name} of {self._card.file} is {port.type}", "vcam feeds float or uint8"
                )

    def _allocate(self) -> None:
        card, inputs, outputs = self._card, self._session.get_inputs(), self._session.get_outputs()
        width, height = card.input.size
        self._pixels: U8 = np.zeros((height, width, card.input.depth), np.uint8)
        self._channels: list[U8] = [np.zeros((height, width), np.uint8) for _ in range(card.input.depth)]
        self._kernels = native.kernels()
        self._picture: npt.NDArray[Any] = np.zeros(input_shape(card), _TYPES[self._entry.type])
        scale = np.array(card.input.scale, np.float32)
        # (x - mean) / scale as one multiplication and one addition
        self._factor = (1 / scale).astype(np.float32)
        self._offset = (-np.array(card.input.mean, np.float32) / scale).astype(np.float32)
        self._feeds: dict[str, npt.NDArray[Any]] = {self._entry.name: self._picture}
        self._carried: list[str] = []
        self._states: list[tuple[npt.NDArray[Any], float]] = []
        for state, (entry, out) in zip(card.states, self._ports.states, strict=True):
            values = np.full(state.shape, state.init, _TYPES[inputs[entry].type])
            self._feeds[inputs[entry].name] = values
            self._states.append((values, state.init))
            self._carried.append("" if out is None else outputs[out].name)

    def _bind(self) -> None:
        """Tell the session where to read and write; the shapes of the outputs are known only from a first run."""
        wanted = [self._result.name, *(name for name in self._carried if name)]
        try:
            first = dict(zip(wanted, self._session.run(wanted, self._feeds), strict=True))
            self._binding: Any = self._session.io_binding()
            for name, values in self._feeds.items():
                self._binding.bind_input(name, "cpu", 0, values.dtype, values.shape, values.ctypes.data)
            for name, values in first.items():
                self._binding.bind_output(name, "cpu", 0, values.dtype, values.shape, values.ctypes.data)
        except Exception as error:  # its failures share no narrower base
            raise EngineError(f"ONNX Runtime cannot run {self._card.name}: {_first_line(error)}") from error
        self._raw = first[self._result.name]
        self._head.check_shape(self._raw.shape)
        self._news = [first[name] if name else None for name in self._carried]
        for state, news in zip(self._card.states, self._news, strict=True):
            if news is not None:
                check_shape(self._card, f"the output {state.output}", news.shape, state.shape)

    @property
    def name(self) -> str:
        return "onnxruntime"

    @property
    def device(self) -> str:
        return self._device

    def infer(self, picture: U8) -> F32:
        if self._session is None:
            raise EngineError(f"{self._card.name} on ONNX Runtime is closed")
        self._fill(picture)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its failures share no narrower base
            raise EngineError(f"ONNX Runtime on {self._device} failed: {_first_line(error)}") from error
        for (values, _), news in zip(self._states, self._news, strict=True):
            if news is not None:
                np.copyto(values, news)
        return self._head.decode(self._raw)

    def _fill(self, picture: U8) -> None:
        """A picture as the network's input."""
        entry = self._card.input
        plain = entry.layout == "NCHW" and entry.depth == 3 and self._picture.dtype == np.float32
        if self._kernels is not None and plain and picture.flags.c_contiguous and picture.shape == self._pixels.shape:
            self._kernels.scale(picture, self._picture[0], self._factor, self._offset)
            return
        fill_picture(self._card, self._pixels, picture, self._head.map)
        planes = self._picture[0] if self._card.input.layout == "NCHW" else None
        # whole channels multiply twice as fast as interleaved ones
        cv2.split(self._pixels, self._channels)
        for number, channel in enumerate(self._channels):
            target = self._picture[0, ..., number] if planes is None else planes[number]
            np.multiply(channel, self._factor[number], out=target, casting="unsafe")
            if self._offset[number]:
                np.add(target, self._offset[number], out=target, casting="unsafe")

    def reset(self) -> None:
        self._head.reset()
        for values, init in self._states:
            values.fill(init)

    def close(self) -> None:
        # the binding before the memory it points at
        self._binding = self._session = None


def _sides(port: Any) -> list[int]:
    """A port's shape, -1 for a side that is not fixed."""
    return [side if isinstance(side, int) else -1 for side in port.shape or ()]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
