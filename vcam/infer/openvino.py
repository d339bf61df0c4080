"""Networks run by OpenVINO, on CPU, GPU or NPU.

Scaling, layout and the change to float are part of the compiled graph, so a frame costs one copy of each small picture
and one inference. bfloat16, which CPUs that have it take by default, moves masks by up to a third and is switched off.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np

from vcam import extras, folders, silent
from vcam.errors import EngineError, ModelError
from vcam.infer.base import Network, Picture, Tensor
from vcam.infer.kinds import problem
from vcam.infer.ports import as_described, check_input, check_output, match_ports
from vcam.infer.unwritten import are_numbers, blot, is_blotted
from vcam.types import U8

_log = logging.getLogger(__name__)

ACCELERATORS = ("NPU", "GPU")
"""Tried before the CPU where they are present: the thriftiest first."""


def devices() -> list[str]:
    """The inference devices that OpenVINO sees, such as CPU, GPU, NPU; several of a kind as GPU.0, GPU.1.

    Raises `EngineError` if OpenVINO is not installed or does not start.
    """
    if extras.is_missing("openvino"):
        raise EngineError("OpenVINO is not installed", extras.command("openvino"))
    try:
        return list(silent.openvino().Core().available_devices)
    except (ImportError, RuntimeError, OSError) as error:
        raise EngineError(f"OpenVINO does not start: {error}", extras.command("openvino")) from error


def accelerator_nodes() -> list[Path]:
    """The kernel's nodes of graphics cards and NPUs; where there are none, no runtime can find an accelerator."""
    return [*Path("/dev/dri").glob("renderD*"), *Path("/dev/accel").glob("accel*"), *Path("/dev").glob("nvidia[0-9]*")]


def candidates(device: str) -> list[str]:
    """Which devices to try, best first, when `device` (AUTO, CPU, GPU or NPU) is asked for.

    Raises `EngineError` if OpenVINO is not installed.
    """
    if extras.is_missing("openvino"):
        raise EngineError("OpenVINO is not installed", extras.command("openvino"))
    if device != "AUTO":
        return [device]
    if not accelerator_nodes():
        # loading the package to hear the same answer costs 60 MB
        return ["CPU"]
    present = {name.split(".")[0] for name in devices()}
    return [name for name in ACCELERATORS if name in present] + ["CPU"]


def cache_folder() -> Path:
    """Where compiled networks are kept between runs."""
    return folders.own("cache") / "openvino"


class OpenVinoEngine:
    """One network compiled for one device."""

    def __init__(self, network: Network, device: str = "CPU", threads: int = 1, cache: Path | None = None) -> None:
        """device: CPU, GPU or NPU; `threads` counts on the CPU only. `cache` is where compiled networks are kept.

        Raises `ModelError` if network and description do not fit each other or the file is no network, `EngineError`
        if the device or OpenVINO will not take it.
        """
        self._network, self._device = network, device
        if extras.is_missing("openvino"):
            raise EngineError("OpenVINO is not installed", extras.command("openvino"))
        try:
            self._ov = silent.openvino()
            self._core = self._ov.Core()
        except (ImportError, RuntimeError, OSError) as error:
            raise EngineError(f"OpenVINO does not start: {error}", extras.command("openvino")) from error
        present = list(self._core.available_devices)
        if device.split(".")[0] not in {name.split(".")[0] for name in present}:
            raise EngineError(f"OpenVINO sees no {device} here", f"present: {', '.join(present)}")
        model = self._read()
        self._ports = match_ports(
            network, [port.get_names() for port in model.inputs], [port.get_names() for port in model.outputs]
        )
        try:
            compiled = self._compile(self._with_preparation(model), threads, cache or cache_folder())
            self._request: Any = compiled.create_infer_request()
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {network.name} for {device}: {_first_line(error)}") from error
        self._give_inputs(compiled)
        self._give_states(compiled)
        for output, number in zip(network.outputs, self._ports.outputs, strict=True):
            check_output(network, output, _sides(compiled.outputs[number]))
        self._give_outputs(compiled)

    def _read(self) -> Any:
        path = self._network.path
        try:
            why = problem(path)
        except OSError as error:
            raise ModelError(f"{path} cannot be read: {error.strerror}", "check that it is there") from error
        if why:
            raise ModelError(f"{path} is not a network: {why}", "download it again")
        try:
            return self._core.read_model(str(path))
        except RuntimeError as error:
            text = str(error)
            if "OpConversionFailure" in text or "No translator" in text or "not supported" in text:
                raise EngineError(f"OpenVINO does not know an operator of {path}: {_first_line(error)}") from error
            raise ModelError(
                f"{path} is not a network that OpenVINO can read: {_first_line(error)}", "download it again"
            ) from error

    def _with_preparation(self, model: Any) -> Any:
        """The network with the way from a uint8 picture to each of its inputs, and from its outputs to float32."""
        ov = self._ov
        pictures = list(zip(self._network.pictures, self._ports.pictures, strict=True))
        for picture, number in pictures:
            check_input(self._network, "the picture", _sides(model.inputs[number]), picture.sides)
        if any(model.inputs[number].get_partial_shape().is_dynamic for _, number in pictures):
            model.reshape({number: ov.PartialShape(list(picture.sides)) for picture, number in pictures})
        narrow_broadcasts(model)
        steps = ov.preprocess.PrePostProcessor(model)
        for picture, number in pictures:
            self._prepare(steps.input(number), picture)
        for number in self._ports.outputs:
            steps.output(number).tensor().set_element_type(ov.Type.f32)
        return steps.build()

    def _prepare(self, steps: Any, picture: Picture) -> None:
        ov = self._ov
        steps.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.model().set_layout(ov.Layout(picture.layout))
        mean, scale = list(picture.mean), list(picture.scale)
        if any(mean) or any(value != 1 for value in scale):
            steps.preprocess().convert_element_type(ov.Type.f32).mean(mean).scale(scale)

    def _compile(self, model: Any, threads: int, cache: Path) -> Any:
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if self._device == "CPU":
            settings |= {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            _make(cache)
            return self._core.compile_model(model, self._device, {**settings, "CACHE_DIR": str(cache)})
        except (RuntimeError, OSError) as error:
            # a read-only home, a full disk or a damaged entry must not cost the camera
            _log.debug("OpenVINO's cache %s is of no use: %s", cache, error)
            return self._core.compile_model(model, self._device, settings)

    def _give_inputs(self, compiled: Any) -> None:
        """Give the request arrays of our own for the pictures; they must outlive it."""
        self._inputs: list[U8] = self._network.blank()
        self._tensors = [self._ov.Tensor(values[np.newaxis], shared_memory=True) for values in self._inputs]
        for number, tensor in zip(self._ports.pictures, self._tensors, strict=True):
            self._request.set_tensor(compiled.inputs[number], tensor)

    def _give_states(self, compiled: Any) -> None:
        """Give the request arrays of our own for the states."""
        network = self._network
        self._states: list[tuple[Tensor, float]] = []
        for state, (entry, out) in zip(network.states, self._ports.states, strict=True):
            port = compiled.inputs[entry]
            check_input(network, f"the state {state.input}", _sides(port), state.shape)
            values = np.full(state.shape, state.init, port.get_element_type().to_dtype())
            tensor = self._ov.Tensor(values, shared_memory=True)
            self._tensors.append(tensor)
            self._request.set_tensor(port, tensor)
            source = None if out is None else compiled.outputs[out]
            if source is not None:
                check_input(network, f"the output {state.output}", _sides(source) or state.shape, state.shape)
            self._states.append((values, state.init))

    def _give_outputs(self, compiled: Any) -> None:
        """Give the request arrays of our own to write into, where their size is known before the network has run."""
        numbers = {*self._ports.outputs, *(out for _, out in self._ports.states if out is not None)}
        self._written: dict[int, tuple[Any, Tensor | None]] = {}
        for number in numbers:
            port, values = compiled.outputs[number], None
            if port.get_partial_shape().is_static:
                values = np.zeros(_sides(port), port.get_element_type().to_dtype())
                tensor = self._ov.Tensor(values, shared_memory=True)
                self._tensors.append(tensor)
                self._request.set_tensor(port, tensor)
            self._written[number] = (port, values)

    def _memory(self) -> dict[int, Tensor]:
        """What the request writes into, by the number of the output; whoever keeps an array of our own keeps it alive,
        which a tensor does not do."""
        return {
            number: self._request.get_tensor(port).data if values is None else values
            for number, (port, values) in self._written.items()
        }

    @property
    def name(self) -> str:
        return "openvino"

    @property
    def device(self) -> str:
        return self._device

    def infer(self, *pictures: U8) -> list[Tensor]:
        if self._request is None:
            raise EngineError(f"{self._network.name} on OpenVINO is closed")
        for values, picture in zip(self._inputs, pictures, strict=True):
            np.copyto(values, picture)
        try:
            for values in self._memory().values():
                blot(values)
            self._request.infer()
            written = self._memory()
            for (values, _), (_, out) in zip(self._states, self._ports.states, strict=True):
                if out is not None:
                    np.copyto(values, written[out])
        except (RuntimeError, ValueError) as error:
            raise EngineError(f"OpenVINO on {self._device} failed: {_first_line(error)}") from error
        if any(map(is_blotted, written.values())):
            raise EngineError(f"OpenVINO on {self._device} reports success and has written nothing")
        if not all(are_numbers(values) for values, _ in self._states):
            self.reset()
            raise EngineError(f"what {self._network.name} carries from frame to frame is no number any more")
        given = [written[number] for number in self._ports.outputs]
        return [as_described(self._network, *each) for each in zip(self._network.outputs, given, strict=True)]

    def reset(self) -> None:
        for values, init in self._states:
            values.fill(init)

    def close(self) -> None:
        # the request before the memory it points at
        self._request = None
        self._states, self._written = [], {}
        self._tensors, self._inputs = [], []


def _make(cache: Path) -> None:
    """Raises `OSError` for a folder in which nothing can be kept."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not os.access(cache, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        folders.cannot_keep("compiled networks", cache, error.strerror or str(error))
        raise


def narrow_broadcasts(model: Any) -> None:
    """Let products and sums take a single value for each channel as it is, where the network repeats it beforehand.

    vcam's own networks do so for ONNX Runtime's sake (see `tflite_onnx`). OpenVINO repeats it as it goes, in every
    layout; the enlarged map would only cost it memory.
    """
    for node in model.get_ops():
        if not _only_repeats(node):
            continue
        narrow = node.input_value(0)
        for taker in node.output(0).get_target_inputs():
            operation = taker.get_node()
            if operation.get_type_name() not in ("Multiply", "Add"):
                continue
            if operation.get_attributes()["auto_broadcast"] != "numpy":
                continue
            other = operation.input_value(1 - taker.get_index()).get_partial_shape()
            # the other operand alone must give the result its size
            if other.is_static and other == operation.output(0).get_partial_shape():
                taker.replace_source_output(narrow)


def _only_repeats(node: Any) -> bool:
    """Whether an operation enlarges sides of 1 only, by taking the nearest value."""
    if node.get_type_name() != "Interpolate":
        return False
    attributes = node.get_attributes()
    padded = any(attributes["pads_begin"]) or any(attributes["pads_end"])
    if attributes["mode"] != "nearest" or padded:
        return False
    before, after = _sides(node.input_value(0)), _sides(node.output(0))
    if not before or len(before) != len(after) or -1 in before + after:
        return False
    return all(old in (1, new) for old, new in zip(before, after, strict=True))


def _sides(port: Any) -> list[int]:
    """A port's shape, -1 for a side that is not fixed; nothing if not even the number of sides is."""
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return []
    return [int(side.get_length()) if side.is_static else -1 for side in shape]


def _first_line(error: BaseException) -> str:
    """The line of OpenVINO's message that says what happened; the others say where in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check '", "FrontEnd API failed"))]
    return (telling or lines or ["no message"])[0]
