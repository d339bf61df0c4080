"""Networks of other kinds written as OpenVINO's own, by its runtime alone, which reports to nobody."""

from __future__ import annotations

from pathlib import Path

from vcam import extras, silent
from vcam.errors import EngineError, ModelError, OutputError
from vcam.printable import printable


def save_ir(source: Path, target: Path, *, half: bool = False) -> None:
    """Write a network that OpenVINO reads, a file or the folder of a SavedModel, as `target`.xml and .bin beside it.

    half: weights in 16 bits. Raises `ModelError` if it cannot be read, `OutputError` if it cannot be written,
    `EngineError` without OpenVINO.
    """
    if extras.is_missing("openvino"):
        raise EngineError("OpenVINO is not installed", extras.command("openvino"))
    try:
        ov = silent.openvino()
        core = ov.Core()
    except (ImportError, RuntimeError, OSError) as error:
        raise EngineError(f"OpenVINO does not start: {error}", extras.command("openvino")) from error
    try:
        network = core.read_model(str(source))
    except RuntimeError as error:
        raise ModelError(
            f"{source} is not a network that OpenVINO can read: {_said(error)}", "fetch or make it again"
        ) from error
    try:
        ov.save_model(network, str(target), compress_to_fp16=half)
    except RuntimeError as error:
        raise OutputError(
            f"OpenVINO cannot write {target.name}: {_said(error)}", f"is the disk full? df -h {target.parent}"
        ) from error


def _said(error: RuntimeError) -> str:
    return printable((str(error).strip().splitlines() or ["no message"])[-1])
