"""Which runtimes could run a network here, and on which devices: best first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vcam import extras
from vcam.errors import EngineError
from vcam.infer.base import Engine, Network


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine that could be used. `open(network, threads)` builds it; it raises `ModelError` or `EngineError`."""

    runtime: str
    device: str
    open: Callable[[Network, int], Engine]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.runtime} on {self.device}"


def engine_choices(network: Network, runtime: str = "auto", device: str = "AUTO") -> list[EngineChoice]:
    """The engines to try for a network, best first.

    runtime: `auto`, `openvino` or `onnxruntime`; one asked for by name is the only one. device: AUTO, CPU, GPU or NPU
    (VPU is its old name); one asked for by name comes first, but the CPU stays behind it. Accelerators are OpenVINO's
    first; for the CPU the network's description says which runtime is the cheaper.
    Raises `EngineError` if no runtime is installed.
    """
    device = "NPU" if device == "VPU" else device
    choices: list[EngineChoice] = []
    problems: list[str] = []
    for name in _able(network) if runtime == "auto" else [runtime]:
        try:
            choices += _RUNTIMES[name](device)
        except EngineError as error:
            problems.append(error.message)
    if not choices:
        raise _nothing_works(network, runtime, problems)

    def rank(choice: EngineChoice) -> int:
        if choice.device != "CPU":
            return 0
        return 1 if choice.runtime == network.cheapest else 2

    # stable: accelerators stay in the order of the runtimes, and go before any CPU
    return sorted(choices, key=rank)


def _nothing_works(network: Network, runtime: str, problems: list[str]) -> EngineError:
    if runtime == "auto" and "onnxruntime" not in _able(network):
        return EngineError(f"{network.path.name} needs OpenVINO: {'; '.join(problems)}", extras.command("openvino"))
    if runtime == "openvino":
        also = ', or segment.backend = "auto", which takes what is there' if "onnxruntime" in _able(network) else ""
        return EngineError(f"no inference runtime works: {'; '.join(problems)}", extras.command("openvino") + also)
    cure = extras.command_for("onnxruntime")
    return EngineError(f"no inference runtime works: {'; '.join(problems)}", cure)


def _able(network: Network) -> list[str]:
    """The runtimes that can read the network's file."""
    return ["openvino", "onnxruntime"] if network.path.suffix == ".onnx" else ["openvino"]


def _openvino(device: str) -> list[EngineChoice]:
    from vcam.infer import openvino as runtime

    def choice(place: str) -> EngineChoice:
        return EngineChoice("openvino", place, lambda network, threads: runtime.OpenVinoEngine(network, place, threads))

    return [choice(place) for place in _with_cpu(runtime.candidates(device))]


def _onnxruntime(device: str) -> list[EngineChoice]:
    from vcam.infer import onnxruntime as runtime

    def choice(place: str) -> EngineChoice:
        return EngineChoice(
            "onnxruntime", place, lambda network, threads: runtime.OnnxRuntimeEngine(network, place, threads)
        )

    return [choice(place) for place in _with_cpu(runtime.candidates(device))]


_RUNTIMES = {"openvino": _openvino, "onnxruntime": _onnxruntime}


def _with_cpu(devices: list[str]) -> list[str]:
    return list(dict.fromkeys([*devices, "CPU"]))
