"""Reads and writes ONNX graphs whose weights are too many for one file, and which memory should not hold twice.

The weights of a graph over LIMIT lie in one file beside it, `model.onnx.data`. In memory such a graph holds only its
small tensors: the others stay references, as the ONNX format has them, to a file in the folder that the graph is from.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from hybridrank.common.atomic import replacing
from hybridrank.model_files.external_data import external_files

try:
    import onnx
    from onnx import TensorProto, external_data_helper, helper
except ImportError as error:
    raise ImportError(f"rewriting a graph needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["array", "is_large", "parts", "read", "refer", "referred", "remove", "rename", "write"]

LIMIT = 2**30  # bytes of weights: protobuf ends at 2 GiB, and a reader of a file with weights holds them twice
HELD = 2**20  # bytes of a tensor that a large graph holds in memory: all biases, but no matrix of a large model
PART = 2**26  # bytes that are read at once
ALIGNED = 4096  # the start of a tensor in its file, which ONNX Runtime then maps into memory


def is_large(model: Any) -> bool:
    """True if the weights of a ModelProto are more than LIMIT."""
    return sum(map(_size, model.graph.initializer)) > LIMIT


def read(path: Path, held: int | None = None) -> Any:
    """Returns the ModelProto; of a large one, tensors of more than `held` bytes (HELD) are references to `path.parent`.

    A large graph that holds its weights itself is written anew.
    """
    model = onnx.load(str(path), load_external_data=False)
    large = is_large(model)
    if large and any(len(each.raw_data) > HELD for each in model.graph.initializer):
        write(model, path, path.parent)
        model = onnx.load(str(path), load_external_data=False)
    for tensor in _references(model):
        if not large or _size(tensor) <= (HELD if held is None else held):
            _load(tensor, path.parent)
    return model


def write(model: Any, path: Path, home: Path) -> None:
    """Writes a ModelProto, whose references are to the folder `home`; afterwards they are to `path.parent`."""
    if not is_large(model):
        for tensor in _references(model):
            _load(tensor, home)
        onnx.save(model, str(path))
        return
    with replacing(_data_file(path)) as draft, draft.open("wb") as file:
        for tensor in model.graph.initializer:
            if referred(tensor) or len(tensor.raw_data) > HELD:
                file.seek(-file.tell() % ALIGNED, 1)
                offset = file.tell()
                _copy(tensor, home, file)
                refer(tensor, _data_file(path).name, offset)
    onnx.save(model, str(path))


def referred(tensor: Any) -> bool:
    """True if a tensor's data are in another file."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def refer(tensor: Any, file: str, offset: int = 0) -> None:
    """Makes the tensor a reference to its data in `file`."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", file), ("offset", offset), ("length", _size(tensor))):
        tensor.external_data.add(key=key, value=str(value))


def array(tensor: Any, home: Path) -> npt.NDArray[Any]:
    """Returns the data of a reference, of its dimensions."""
    return np.concatenate(list(parts(tensor, home)))


def parts(tensor: Any, home: Path) -> Iterator[npt.NDArray[Any]]:
    """Yields the data of a reference, some rows of its dimensions at a time."""
    dtype, (rows, *row) = _dtype(tensor), tensor.dims
    step = max(1, PART // (math.prod(row) * dtype.itemsize))
    with _opened(tensor, home) as file:
        for start in range(0, rows, step):
            count = min(step, rows - start)
            yield np.fromfile(file, dtype, count * math.prod(row)).reshape(count, *row)


def rename(old: Path, new: Path) -> None:
    """Renames a graph, and the file with its weights that is named after it."""
    if _data_file(old) in external_files(old):
        model = onnx.load(str(old), load_external_data=False)
        for tensor in _references(model):
            for each in tensor.external_data:
                if each.key == "location" and each.value == _data_file(old).name:
                    each.value = _data_file(new).name
        _data_file(old).rename(_data_file(new))
        onnx.save(model, str(old))
    old.rename(new)


def remove(path: Path) -> None:
    """Removes a graph and the files with its weights."""
    for each in (*external_files(path), path):
        each.unlink()


def _data_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.data")


def _references(model: Any) -> list[Any]:
    return [each for each in model.graph.initializer if referred(each)]


def _load(tensor: Any, home: Path) -> None:
    external_data_helper.load_external_data_for_tensor(tensor, str(home))
    tensor.data_location = TensorProto.DEFAULT  # which older versions of onnx leave to their caller
    del tensor.external_data[:]


def _dtype(tensor: Any) -> np.dtype[Any]:
    found: np.dtype[Any] = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    return found


def _size(tensor: Any) -> int:
    return int(math.prod(tensor.dims)) * _dtype(tensor).itemsize


def _opened(tensor: Any, home: Path) -> BinaryIO:
    """Opens the file of a reference at the start of its data."""
    said = {each.key: each.value for each in tensor.external_data}
    file: BinaryIO = (home / said["location"]).open("rb")
    file.seek(int(said.get("offset", 0)))
    return file


def _copy(tensor: Any, home: Path, file: BinaryIO) -> None:
    if not referred(tensor):
        file.write(tensor.raw_data)
        return
    with _opened(tensor, home) as source:
        left = _size(tensor)
        while left:
            part = source.read(min(PART, left))
            if not part:
                raise EOFError(f"the weights of {tensor.name} end too early")
            file.write(part)
            left -= len(part)
