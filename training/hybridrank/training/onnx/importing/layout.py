"""Finds the graph, the tokenizer and the settings in a source, as the hub and optimum lay them out."""

from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from hybridrank.training.onnx.importing.errors import ImportRefused

__all__ = ["beside", "graph_path", "tokenizer_path"]

TOKENIZER = "tokenizer.json"
SHOWN = 12


def graph_path(paths: Collection[str], asked: str | None = None) -> str:
    """Returns the only ONNX file, or `asked`; raises ImportRefused with the candidates."""
    graphs = sorted(each for each in paths if each.endswith(".onnx"))
    if asked in graphs:
        return asked
    if not graphs:
        raise ImportRefused("there is no .onnx file in it; export the original with `hybridrank model export`")
    if asked is not None:
        raise ImportRefused(f"there is no ONNX file {asked} in it; it holds {_listed(graphs)}")
    if len(graphs) > 1:
        raise ImportRefused(f"there are several ONNX files in it, choose one with --file: {_listed(graphs)}")
    return graphs[0]


def tokenizer_path(paths: Collection[str], graph: str) -> str:
    """Returns the tokenizer in the graph's folder or the nearest one above it, else the only one."""
    found = sorted(each for each in paths if each.endswith(TOKENIZER))
    near = beside(graph, f"{PurePosixPath(graph).stem}-{TOKENIZER}", TOKENIZER)
    if nearest := next((each for each in near if each in found), None):
        return nearest
    if not found:
        raise ImportRefused(f"there is no {TOKENIZER} in it; save the tokenizer of the original beside {graph}")
    if len(found) > 1:
        raise ImportRefused(f"there are several tokenizers in it, and none is beside {graph}: {_listed(found)}")
    return found[0]


def beside(path: str, *names: str) -> Iterator[str]:
    """Yields where files of these names may be: in the folder of `path`, then in each folder above."""
    for folder in PurePosixPath(path).parents:
        yield from ((folder / name).as_posix() for name in names)


def _listed(paths: list[str]) -> str:
    return ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} others" if len(paths) > SHOWN else "")
