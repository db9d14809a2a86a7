"""Chooses the precision, runtime and device of a model from the settings, the CPU and the folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ModelFolder

__all__ = ["CUDA", "Device", "Placed", "Precision", "Runtime", "Wanted", "place"]

Precision = Literal["auto", "int8", "fp32"]
Device = Literal["auto", "cpu", "cuda"]
Runtime = Literal["onnx", "openvino"]
CUDA = "CUDAExecutionProvider"


@dataclass(frozen=True)
class Wanted:
    """The settings of a sidecar about computing; kinds of models without a choice ignore them.

    `remotes` is the file of addresses of models that are served elsewhere.
    """

    precision: Precision = "auto"
    device: Device = "cpu"
    runtime: Runtime = "onnx"
    remotes: Path | None = None


@dataclass(frozen=True)
class Placed:
    """A model folder at one precision, with its runtime and device."""

    folder: ModelFolder
    device: Literal["cpu", "cuda"]
    runtime: Runtime = "onnx"


def place(
    folder: ModelFolder,
    *,
    precision: Precision,
    device: Device,
    runtime: Runtime = "onnx",
    providers: Sequence[str],
    multiplies_int8: bool,
) -> tuple[Placed, ...]:
    """Returns the options to try, best first, at least one; each is the fallback if the one before fails its self-test.

    `auto` is int8 if this CPU multiplies int8 or the weights leave a bit free, so that no sum saturates; otherwise
    fp32, if the folder has it. On CUDA it is fp32: int8 is for CPUs. `providers` are those of ONNX Runtime. OpenVINO,
    which does not support the fused int8 operators, gets fp32 without a fallback, because it was requested. Raises
    BadModelFolder if the folder does not have the precision, or the runtime does not support the device.
    """
    held = {each.toml.precision: each for each in (folder, folder.fp32) if each}
    if runtime == "openvino":
        if precision == "int8" or device == "cuda" or "fp32" not in held:
            raise BadModelFolder(
                folder.path,
                "runtime openvino computes fp32 models on the CPU; export this one with --precision both, and leave "
                "precision and device at their defaults",
            )
        return (Placed(held["fp32"], "cpu", runtime),)
    if device == "cuda" and CUDA not in providers:
        raise BadModelFolder(
            folder.path,
            f"device cuda: this ONNX Runtime offers {', '.join(providers)}; "
            "pip uninstall onnxruntime && pip install onnxruntime-gpu",
        )
    if precision not in {"auto", *held}:
        raise BadModelFolder(
            folder.path,
            f"precision {precision}: this model is here at {' and '.join(held)} only; leave precision at auto, or "
            "export it again with --precision both",
        )
    if device == "cuda" and (precision == "int8" or "fp32" not in held):
        raise BadModelFolder(folder.path, "device cuda computes fp32 and not int8; leave device at cpu or auto")
    int8_is_exact = multiplies_int8 or folder.toml.reduced_range
    order = {
        "int8": ("int8", "fp32"),
        "fp32": ("fp32",),
        "auto": ("int8", "fp32") if int8_is_exact else ("fp32", "int8"),
    }
    on_cpu = [Placed(held[each], "cpu") for each in order[precision] if each in held]
    on_cuda = [Placed(held["fp32"], "cuda")] if "fp32" in held and precision != "int8" and CUDA in providers else []
    return tuple({"cpu": on_cpu, "cuda": on_cuda, "auto": on_cuda + on_cpu}[device])
