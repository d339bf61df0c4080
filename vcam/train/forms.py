"""The forms in which a network can be exported: one table, which the command, its help and the tests go by.

Nothing here needs PyTorch.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from vcam import extras
from vcam.errors import UsageError

TARGETS = {
    "onnx": "ONNX: vcam by ONNX Runtime or OpenVINO, and most other programs",
    "openvino": "OpenVINO's IR: vcam by OpenVINO, on Intel's CPUs, GPUs and NPUs",
    "tflite": "TFLite: phones, browsers, microcomputers and the Edge TPU; vcam by OpenVINO",
}
PRECISIONS = {
    "float32": "",
    "float16": "--float16",
    "weights": "--weights int8",
    "int8": "--int8 DATA",
}
"""Each with the option that asks for it."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form. suffix: of the network's file. adds: what its name gets behind that of the run.

    extra: what has to be installed besides PyTorch. tolerance: how far any probability may be from PyTorch's; None
    where only the mean of all may not be too far, see `mean_tolerance`. about: what it is for, and its limits.
    """

    target: str
    precision: str
    suffix: str
    adds: str
    extra: str
    tolerance: float | None
    about: str

    @property
    def mean_tolerance(self) -> float:
        """How far the probabilities of a picture may be from PyTorch's in the mean: further is no rounding."""
        return 0.02 if self.precision == "weights" else 0.1

    @property
    def option(self) -> str:
        """The words that ask for it."""
        return f"--to {self.target} {PRECISIONS[self.precision]}".strip()


_EDGE_TPU = (
    "phones, and the Edge TPU after edgetpu_compiler, which leaves all from the first operator that it does not know "
    "(hard-swish, large enlargements) to the CPU, and keeps some 7 MB of weights on the chip"
)

FORMS = (
    Form("onnx", "float32", ".onnx", "", "train", 1e-3, "the form to start with: each runtime that vcam has"),
    Form("onnx", "float16", ".onnx", "-float16", "train", 2e-2, "half the size; computed in float32, so no faster"),
    Form("onnx", "weights", ".onnx", "-weights", "train", None, "a quarter of the size; computed in float32"),
    Form("onnx", "int8", ".onnx", "-int8", "train", None,
         "a quarter of the size; faster on wide convolutions with ReLU, often slower on small networks: measure"),
    Form("openvino", "float32", ".xml", "-openvino", "train", 1e-3, "loads without conversion"),
    Form("openvino", "float16", ".xml", "-openvino-float16", "train", 2e-2, "half the size; what GPUs compute in"),
    Form("openvino", "weights", ".xml", "-openvino-weights", "train", None, "a quarter of the size"),
    Form("openvino", "int8", ".xml", "-openvino-int8", "train", None, "NPUs, and CPUs with VNNI"),
    Form("tflite", "float32", ".tflite", "-tflite", "tflite", 1e-3, "phones' CPUs, and the browser"),
    Form("tflite", "float16", ".tflite", "-tflite-float16", "tflite", 2e-2, "phones' GPUs"),
    Form("tflite", "weights", ".tflite", "-tflite-weights", "tflite", None, "a quarter of the size, phones' CPUs"),
    Form("tflite", "int8", ".tflite", "-tflite-int8", "tflite", None, _EDGE_TPU),
)  # fmt: skip


def form_of(target: str, *, int8: bool = False, float16: bool = False, weights: str = "") -> Form:
    """The form that the options ask for. Raises `UsageError` for those that do not go together, with what does."""
    if target not in TARGETS:
        raise UsageError(f"there is no form {target}", f"--to {'|'.join(TARGETS)}")
    if weights not in ("", "int8"):
        raise UsageError(f"weights cannot be {weights}", "--weights int8")
    asked = [name for name, wanted in (("int8", int8), ("float16", float16), ("weights", bool(weights))) if wanted]
    if len(asked) > 1:
        words = " and ".join(PRECISIONS[name] for name in asked)
        allowed = ", ".join(PRECISIONS[form.precision] or "none of them" for form in FORMS if form.target == target)
        raise UsageError(f"{words} do not go together", f"with --to {target} one of: {allowed}")
    precision = asked[0] if asked else "float32"
    return next(form for form in FORMS if (form.target, form.precision) == (target, precision))


_PACKAGES = {
    "train": ("torch", "onnx", "onnxscript"),
    "tflite": ("torch", "onnx", "onnxscript", "litert_torch", "ai_edge_quantizer", "ai_edge_litert"),
}


def check_extra(form: Form, asked: str = "") -> None:
    """Raise `UsageError` where packages for a form are missing, with the command that brings them.

    asked: the option that needs it, by default that of the form.
    """
    if missing := [name for name in _PACKAGES[form.extra] if find_spec(name) is None]:
        are = "are" if len(missing) > 1 else "is"
        raise UsageError(
            f"{asked or form.option} needs {', '.join(missing)}, which {are} not installed",
            extras.command(form.extra),
        )
