"""Files beside an ONNX graph that hold its weights: a graph alone ends at 2 GB.

ONNX: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md. A tensor names its file in an entry with the key
"location", which is found here without reading the graph.
"""

import mmap
import re
from pathlib import Path

from hybridrank.model_files.errors import BadModelFolder

__all__ = ["external_files"]

# StringStringEntryProto: field 1 is the key, field 2 the value; each is a tag, its length in a byte or two, and text.
_LOCATION = re.compile(rb"\x0a\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])")


def external_files(graph: Path) -> tuple[Path, ...]:
    """Returns the files that the tensors of an ONNX graph name, sorted; none if the graph holds all its weights.

    Raises BadModelFolder for a file that is missing or lies in another folder.
    """
    if graph.stat().st_size == 0:
        return ()
    with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        named = {content[each.end() : each.end() + _length(each[1])] for each in _LOCATION.finditer(content)}
    return tuple(_file(graph, name) for name in sorted(named))


def _length(varint: bytes) -> int:
    low, *high = varint
    return low & 0x7F | (high[0] << 7 if high else 0)


def _file(graph: Path, named: bytes) -> Path:
    name = named.decode(errors="replace")
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise BadModelFolder(graph.parent, f"{graph.name} has weights in {name!r}; they must lie beside it")
    if not (graph.parent / name).is_file():
        raise BadModelFolder(graph.parent, f"{name}, with weights of {graph.name}, is missing")
    return graph.parent / name
