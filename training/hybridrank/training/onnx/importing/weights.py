"""Files beside an ONNX graph that hold its weights, as the graph names them."""

from pathlib import PurePosixPath
from typing import Any

from hybridrank.model_files import self_test
from hybridrank.model_files.model_folder import FILES, FP32_ONNX
from hybridrank.training.onnx.importing.errors import ImportRefused
from hybridrank.training.onnx.importing.walk import tensors

__all__ = ["weight_files"]

EXTERNAL = 1  # of onnx.TensorProto.DataLocation
TAKEN = frozenset({*FILES, FP32_ONNX, self_test.FILE, "model.toml"})


def weight_files(model: Any) -> list[str]:
    """Returns their names; raises ImportRefused for one in another folder, or with the name of another file."""
    kept = [each for each in tensors(model) if each.external_data or each.data_location == EXTERNAL]
    return sorted({_file(tensor) for tensor in kept})


def _file(tensor: Any) -> str:
    name = next((each.value for each in tensor.external_data if each.key == "location"), "")
    if name != PurePosixPath(name).name or name == ".." or "\\" in name or ":" in name:
        raise ImportRefused(f"keeps the weight {tensor.name} in {name or 'no file'!r}; it must lie beside it")
    if name in TAKEN:
        raise ImportRefused(f"keeps the weight {tensor.name} in {name}, which is the name of another file of a model")
    return name
