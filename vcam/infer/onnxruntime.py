"""Networks run by ONNX Runtime.

Inputs and outputs are bound to arrays of our own, so a frame allocates nothing, and what the runtime has not written
into is noticed (see `vcam.infer.unwritten`). Spinning is off: two threads that spin
between frames burn up to a whole core at 30 frames a second.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vcam import extras, native, silent
from vcam.errors import EngineError, ModelError
from vcam.infer.base import Network, Picture, Tensor
from vcam.infer.ports import as_described, check_input, check_output, match_ports
from vcam.infer.unwritten import are_numbers, blot, is_blotted
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
        raise EngineError("ONNX Runtime is not installed", extras.command_for("onnxruntime"))
    if device != "AUTO":
        return [device]
    # the default package runs on the CPU only; seeing that from its files spares loading it
    libraries = Path(spec.origin).parent.glob("capi/libonnxruntime_providers_*.so")
    if all(library.stem.endswith("_shared") for library in libraries):
        return ["CPU"]
    present = set(silent.onnxruntime().get_available_providers())
    return [name for name in ("NPU", "GPU") if present.intersection(PROVIDERS[name])] + ["CPU"]


class OnnxRuntimeEngine:
    """One network in one session."""

    def __init__(self, network: Network, device: str = "CPU", threads: int = 1) -> None:
        """device: CPU, GPU or NPU; `threads` counts on the CPU.

        Runs the network once, for the shapes of what it gives out. Raises `ModelError` if network and description do
        not fit each other or the file is no network, `EngineError` if ONNX Runtime will not run it.
        """
        self._network, self._device = network, device
        if network.path.suffix != ".onnx":
            raise EngineError(f"ONNX Runtime reads .onnx only, not {network.path.name}", "use the backend openvino")
        self._session: Any = self._open(threads)
        self._match()
        self._allocate()
        self._bind()

    def _open(self, threads: int) -> Any:
        try:
            onnxruntime = silent.onnxruntime()
            failures = onnxruntime.capi.onnxruntime_pybind11_state
        except (ImportError, OSError) as error:
            raise EngineError(f"ONNX Runtime does not start: {error}", extras.command_for("onnxruntime")) from error
        present = onnxruntime.get_available_providers()
        provider = next((name for name in PROVIDERS[self._device] if name in present), None)
        if provider is None:
            instead = f"; OpenVINO knows others: {extras.command('openvino')}" if extras.is_missing("openvino") else ""
            raise EngineError(f"ONNX Runtime has no {self._device} here", f"present: {', '.join(present)}{instead}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # errors only: it warns of every weight that an old exporter listed among the inputs
        options.log_severity_level = 3
        path = str(self._network.path)
        try:
            session = onnxruntime.InferenceSession(path, options, providers=[provider])
        except (failures.InvalidArgument, failures.InvalidGraph, failures.InvalidProtobuf, failures.NoModel) as error:
            raise ModelError(
                f"{path} is not a network that ONNX Runtime can read: {_first_line(error)}", "download it again"
            ) from error
        except Exception as error:  # its other failures share no narrower base
            raise EngineError(f"ONNX Runtime cannot load {self._network.name}: {_first_line(error)}") from error
        if session.get_providers()[0] != provider:
            raise EngineError(f"ONNX Runtime cannot use the {self._device}", "is its driver installed?")
        return session

    def _match(self) -> None:
        network, inputs, outputs = self._network, self._session.get_inputs(), self._session.get_outputs()
        self._ports = match_ports(network, [{p.name} for p in inputs], [{p.name} for p in outputs])
        self._pictures = [inputs[number] for number in self._ports.pictures]
        self._wanted = [outputs[number] for number in self._ports.outputs]
        for picture, port in zip(network.pictures, self._pictures, strict=True):
            check_input(network, "the picture", _sides(port), picture.sides)
        for state, (entry, _) in zip(network.states, self._ports.states, strict=True):
            check_input(network, f"the state {state.input}", _sides(inputs[entry]), state.shape)
        for output, port in zip(network.outputs, self._wanted, strict=True):
            if _sides(port):
                check_output(network, output, _sides(port))
        for port in (*self._pictures, *(inputs[entry] for entry, _ in self._ports.states)):
            if port.type not in _TYPES:
                raise ModelError(
                    f"the input {port.name} of {network.path.name} is {port.type}", "vcam feeds float or uint8"
                )

    def _allocate(self) -> None:
        network, inputs, outputs = self._network, self._session.get_inputs(), self._session.get_outputs()
        self._feeds: dict[str, Tensor] = {}
        self._scalers: list[_Scaler] = []
        for picture, port in zip(network.pictures, self._pictures, strict=True):
            scaler = _Scaler(picture, np.zeros(picture.sides, _TYPES[port.type]))
            self._scalers.append(scaler)
            self._feeds[port.name] = scaler.target
        self._carried: list[str] = []
        self._states: list[tuple[Tensor, float]] = []
        for state, (entry, out) in zip(network.states, self._ports.states, strict=True):
            values = np.full(state.shape, state.init, _TYPES[inputs[entry].type])
            self._feeds[inputs[entry].name] = values
            self._states.append((values, state.init))
            self._carried.append("" if out is None else outputs[out].name)

    def _bind(self) -> None:
        """Tell the session where to read and write; the shapes of the outputs are known only from a first run."""
        network = self._network
        names = [*(port.name for port in self._wanted), *(name for name in self._carried if name)]
        try:
            first = dict(zip(names, self._session.run(names, self._feeds), strict=True))
            self._binding: Any = self._session.io_binding()
            for name, values in self._feeds.items():
                self._binding.bind_input(name, "cpu", 0, values.dtype, values.shape, values.ctypes.data)
            for name, values in first.items():
                self._binding.bind_output(name, "cpu", 0, values.dtype, values.shape, values.ctypes.data)
        except Exception as error:  # its failures share no narrower base
            raise EngineError(f"ONNX Runtime cannot run {network.name}: {_first_line(error)}") from error
        self._given: list[Tensor] = []
        for output, port in zip(network.outputs, self._wanted, strict=True):
            check_output(network, output, first[port.name].shape)
            self._given.append(as_described(network, output, first[port.name]))
        self._news = [first[name] if name else None for name in self._carried]
        self._written = list(first.values())
        for state, news in zip(network.states, self._news, strict=True):
            if news is not None:
                check_input(network, f"the output {state.output}", news.shape, state.shape)

    @property
    def name(self) -> str:
        return "onnxruntime"

    @property
    def device(self) -> str:
        return self._device

    def infer(self, *pictures: U8) -> list[Tensor]:
        if self._session is None:
            raise EngineError(f"{self._network.name} on ONNX Runtime is closed")
        for scaler, picture in zip(self._scalers, pictures, strict=True):
            scaler.fill(picture)
        for values in self._written:
            blot(values)
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its failures share no narrower base
            raise EngineError(f"ONNX Runtime on {self._device} failed: {_first_line(error)}") from error
        for (values, _), news in zip(self._states, self._news, strict=True):
            if news is not None:
                np.copyto(values, news)
        if any(map(is_blotted, self._written)):
            raise EngineError(f"ONNX Runtime on {self._device} reports success and has written nothing")
        if not all(are_numbers(values) for values, _ in self._states):
            self.reset()
            raise EngineError(f"what {self._network.name} carries from frame to frame is no number any more")
        return self._given

    def reset(self) -> None:
        for values, init in self._states:
            values.fill(init)

    def close(self) -> None:
        # the binding before the memory it points at
        self._binding = self._session = None


class _Scaler:
    """Writes pictures into one of the network's inputs, scaled and in its layout."""

    def __init__(self, picture: Picture, target: Tensor) -> None:
        self.target = target
        # whole channels multiply twice as fast as interleaved ones
        self._planes = list(target[0] if picture.layout == "NCHW" else np.moveaxis(target[0], -1, 0))
        self._split: list[U8] = [np.zeros(picture.shape[:2], np.uint8) for _ in self._planes]
        self._shape = picture.shape
        scale = np.array(picture.scale, np.float32)
        # (x - mean) / scale as one multiplication and one addition
        self._factor: F32 = (1 / scale).astype(np.float32)
        self._offset: F32 = (-np.array(picture.mean, np.float32) / scale).astype(np.float32)
        dense = picture.layout == "NCHW" and picture.channels == 3 and target.dtype == np.float32
        self._kernels = native.kernels() if dense else None

    def fill(self, picture: U8) -> None:
        """picture: uint8 of the shape described."""
        if picture.shape != self._shape:
            raise ValueError(f"a picture cannot be {picture.shape} where the network takes {self._shape}")
        if self._kernels is not None and picture.flags.c_contiguous:
            self._kernels.scale(picture, self.target[0], self._factor, self._offset)
            return
        cv2.split(np.ascontiguousarray(picture), self._split)
        for plane, channel, factor, offset in zip(self._planes, self._split, self._factor, self._offset, strict=True):
            np.multiply(channel, factor, out=plane, casting="unsafe")
            if offset:
                np.add(plane, offset, out=plane, casting="unsafe")


def _sides(port: Any) -> list[int]:
    """A port's shape, -1 for a side that is not fixed."""
    return [side if isinstance(side, int) else -1 for side in port.shape or ()]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
